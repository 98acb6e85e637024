"""Nearest points of polyhedral cones, and conic intrinsic volumes estimated from them.

By Moreau's theorem every point is x = p + q with p in the cone, q in its polar and p.q = 0. Whatever a cone was made
from, one of the two is a nonnegative least squares problem (Lawson and Hanson 1974): the rays generate the cone,
the negated inequalities generate the polar. So no description is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from polyinj._nearest_points import count_supports
from polyinj.errors import InputError
from polyinj.exact.algebra import Vectors
from polyinj.geometry.cone_definition import ConeDefinition
from polyinj.geometry.random_sections import ConvexVolumes, RandomSections, binomial_interval

Floats = NDArray[np.float64]
_POINTS_AT_A_TIME = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """The nearest point of a cone to a point, in float64.

    Attributes
    ----------
    point, projection : ndarray, shape (n,)
    residual : float
        Largest violation of the optimality conditions, relative to |point|: with p the projection and q = point - p,
        g.q <= 0 for unit generators g of the cone (or g.p >= 0 for unit inequalities g), and p.q = 0. At the exact
        projection it is 0; a few units in the last place are usual. Of generators or inequalities that nearly depend on
        each other, or whose entries differ by many orders, the rounding to unit vectors may move the projection far
        while the residual stays small: `project_exactly` does not round.
    face_dimension : int
        Dimension of the smallest face that holds the projection, as the least squares solver sees it. Reliable for a
        generic point; a point whose projection lies at or very near the boundary of a face may be misjudged.
    """

    point: Floats
    projection: Floats
    residual: float
    face_dimension: int

    @property
    def distance(self) -> float:
        """Euclidean distance of the point from the cone."""
        return hypot(*(self.point - self.projection).tolist())


def project(cone: ConeDefinition, point: Floats) -> Projection:
    """The nearest point of a cone; point of shape (n,), float64."""
    return _Projector(cone).project(point)


class _Projector:
    """Unit generators of the cone, or of its polar for inequalities, made orthogonal to its lines (orthonormal)."""

    def __init__(self, cone: ConeDefinition) -> None:
        self._of_polar = cone.kind == "inequalities"
        n = cone.dimension
        lines = _unit_rows(cone.equalities, n)
        # Row space by singular values: the lines may be dependent.
        _, sizes, basis = np.linalg.svd(lines, full_matrices=False)
        self._lines = basis[sizes > 1e-12 * max(sizes, default=0.0)]
        generators = _unit_rows(cone.rows, n)
        generators -= generators @ self._lines.T @ self._lines
        norms = np.linalg.norm(generators, axis=1)
        kept = norms > 1e-12
        self._generators = generators[kept] / norms[kept, None] * (-1 if self._of_polar else 1)

    def project(self, point: Floats) -> Projection:
        # Largest entry 1, so that no square overflows; the cone does not mind.
        size = float(np.abs(point).max()) or 1.0
        unit = point / size
        along = unit @ self._lines.T @ self._lines
        across = unit - along
        near, support = np.zeros_like(point), 0
        if len(self._generators):
            multipliers, _ = nnls(self._generators.T, across, maxiter=30 * sum(self._generators.shape))
            near, support = multipliers @ self._generators, int((multipliers > 0).sum())
        far = across - near
        length = float(np.linalg.norm(unit)) or 1.0
        residual = max(0.0, *(self._generators @ far).tolist(), abs(float(near @ far)) / length) / length
        dimension = support + len(self._lines)
        with np.errstate(over="ignore"):
            nearest = (far if self._of_polar else near + along) * size
        if not np.isfinite(nearest).all():
            raise InputError("the nearest point is beyond the range of doubles; try project_exactly")
        return Projection(point, nearest, residual, len(point) - dimension if self._of_polar else dimension)

    def face_dimensions(self, points: Floats) -> tuple[NDArray[np.int64], float]:
        """The dimension of the face that holds the projection of each point, shape (s, n), and the largest residual."""
        lines = len(self._lines)
        if not len(self._generators):
            dimensions = np.full(len(points), lines)
            return points.shape[1] - dimensions if self._of_polar else dimensions, 0.0
        across = points - points @ self._lines.T @ self._lines
        supports, violations, angles = count_supports(self._generators, across)
        dimensions = supports + np.int64(lines)
        if self._of_polar:
            dimensions = points.shape[1] - dimensions
        lengths = np.linalg.norm(points, axis=1)
        known = supports >= 0
        residuals = np.maximum(violations, np.abs(angles) / lengths)[known] / lengths[known]
        largest = float(residuals.max(initial=0.0))
        for i in np.flatnonzero(~known):
            projection = self.project(points[i])
            dimensions[i] = projection.face_dimension
            largest = max(largest, projection.residual)
        return dimensions, largest


def _unit_rows(rows: Vectors, columns: int) -> Floats:
    """Distinct nonzero directions as float64 unit vectors, shape (k, columns)."""
    distinct = [row for row in dict.fromkeys(rows) if any(row)]
    scaled = [[value / max(map(abs, row)) for value in row] for row in distinct]
    floats = np.array(scaled, dtype=np.float64).reshape(len(distinct), columns)
    return np.asarray(floats / np.linalg.norm(floats, axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class IntrinsicVolumeEstimate(RandomSections):
    """Conic intrinsic volumes v_0, ..., v_n estimated by projecting Gaussian points.

    Methods inherited from `RandomSections` give simultaneous intervals, the statistical dimension and random sections.

    Attributes
    ----------
    values : tuple of float
        counts / samples.
    low, high : tuple of float
        Clopper-Pearson interval of each value, with coverage at least `level` each (not jointly).
    counts : tuple of int
        Samples whose projection lay in the relative interior of a face of dimension 0, ..., n.
    samples, seed : int
    level : float
    largest_residual : float
        Of the optimality conditions over all projections (see `Projection.residual`).
    """

    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    counts: tuple[int, ...]
    samples: int
    seed: int
    level: float
    largest_residual: float

    @property
    def parts(self) -> tuple[tuple[int, ConvexVolumes], ...]:
        return ((1, self),)

    @property
    def error(self) -> float:
        """Beside the noise of the samples, none."""
        return 0.0


def check_sampling(samples: int, seed: int | None, level: float) -> None:
    """InputError unless a number of samples, a seed or None, and a level make sense."""
    if isinstance(samples, bool) or not isinstance(samples, Integral) or samples < 1:
        raise InputError(f"samples is {samples!r}; expected an integer >= 1")
    if seed is not None and (not isinstance(seed, Integral) or seed < 0):
        raise InputError(f"seed is {seed!r}; expected an integer >= 0, or None to draw one")
    if not isinstance(level, Real) or not 0 < level < 1:
        raise InputError(f"level is {level!r}; expected a number above 0 and below 1")


def estimate_intrinsic_volumes(
    cone: ConeDefinition, samples: int, seed: int | None, level: float
) -> IntrinsicVolumeEstimate:
    """Estimate the conic intrinsic volumes of a cone; see `Cone.estimate_conic_intrinsic_volumes`."""
    check_sampling(samples, seed, level)
    sequence = np.random.SeedSequence(seed)
    assert isinstance(sequence.entropy, int)
    rng = np.random.default_rng(sequence)
    projector = _Projector(cone)
    counts, largest = np.zeros(cone.dimension + 1, dtype=np.int64), 0.0
    for start in range(0, samples, _POINTS_AT_A_TIME):
        points = rng.standard_normal((min(samples - start, _POINTS_AT_A_TIME), cone.dimension))
        dimensions, residual = projector.face_dimensions(points)
        counts += np.bincount(dimensions, minlength=len(counts))
        largest = max(largest, residual)
    shares = [binomial_interval(count, samples, level) for count in counts.tolist()]
    values, low, high = (tuple(getattr(share, end) for share in shares) for end in ("value", "low", "high"))
    entropy = sequence.entropy
    return IntrinsicVolumeEstimate(values, low, high, tuple(counts.tolist()), samples, entropy, level, largest)

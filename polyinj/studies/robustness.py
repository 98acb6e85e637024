"""How steep are networks of k neurons through n random points? Lipschitz constants beside sqrt(n / k).

Conjecture 1 of Bubeck, Li, Nagaraj (2020, arXiv:2009.14444): with high probability over n random points on the sphere
of R^d with random signs, every network of k neurons that fits them has a constant on the sphere of order sqrt(n / k) at
least; Bubeck and Sellke (2021, arXiv:2105.12806) prove it up to logarithms where weights are polynomially bounded. A
network found by training shows how small the constant can be at most; none proves that no smaller one exists.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from polyinj._version import __version__
from polyinj.errors import InputError
from polyinj.fitting.intervals import Interval, median_interval
from polyinj.lipschitz.baselines import norm_product
from polyinj.lipschitz.interpolate import METHODS, SphereData, interpolate, random_sphere_data
from polyinj.results.table import TableResult
from polyinj.simulation.estimate import Job, Simulation
from polyinj.studies.runner import check_integers, run_study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class SphereDataEnsemble:
    """n points on the sphere of R^d with random signs, as a matrix [points, labels].

    Examples
    --------
    >>> SphereDataEnsemble(4, 3).sample(np.random.default_rng(0)).shape
    (4, 4)
    """

    points: int
    dimension: int

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d); the matrix has one more column."""
        return self.points, self.dimension

    @property
    def sample_shape(self) -> tuple[int, int]:
        """(n, d + 1)."""
        return self.points, self.dimension + 1

    def sample(self, rng: np.random.Generator) -> NDArray[np.float64]:
        data = random_sphere_data(self.points, self.dimension, rng)
        return np.column_stack([data.points, data.labels])


@dataclass(frozen=True, slots=True)
class InterpolantLipschitz:
    """Statistic of matrices [points, labels]: the constant of a network of k neurons fitted to them.

    `fits`, `residual`; the interval `lower`..`upper` on R^d, which is `exact` or not; `sphere_lower` and `sphere_upper`
    for the constant on the sphere; the `product` of norms, and the `slope` between points, that no function
    through the data is below. Where the network does not fit, all but the first two are 0.
    The training's seed is a hash of the data.
    """

    k: int
    method: str
    tolerance: float
    node_limit: int

    def __call__(self, matrix: NDArray[Any]) -> dict[str, float]:
        data = SphereData(np.ascontiguousarray(matrix[:, :-1]), matrix[:, -1])
        digest = hashlib.sha256(np.ascontiguousarray(matrix).astype("<f8").tobytes()).digest()
        seed = int.from_bytes(digest[:7], "little")
        network = interpolate(data, self.k, self.method, seed=seed, tolerance=self.tolerance)
        found = {"fits": network.fits, "residual": network.residual}
        if not network.fits:
            names = "lower", "upper", "exact", "sphere_lower", "sphere_upper", "product", "slope"
            return found | dict.fromkeys(names, 0.0)
        constant = network.lipschitz(node_limit=self.node_limit)
        on_sphere = network.lipschitz_on_sphere()
        return found | {
            "lower": constant.lower,
            "upper": constant.upper,
            "exact": constant.exact,
            "sphere_lower": on_sphere[0],
            "sphere_upper": on_sphere[1],
            "product": norm_product(network.weights, network.output),
            "slope": data.slope,
        }


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """`trials` data sets, of which networks of k neurons fit `fitted`; medians are over those.

    `lipschitz` has a distribution-free 95% interval, widened by constants that are intervals (not `exact`); `ratio` is
    it over sqrt(n / k). `product` and `slope` are medians of the product of norms and of the steepest pair of points.
    `lipschitz` is on R^d; `sphere_lower` and `sphere_upper` are medians of what is known of the constant on the sphere,
    nan in files written before it was looked at.
    """

    d: int
    n: int
    k: int
    method: str
    trials: int
    fitted: int
    exact: int
    lipschitz: float
    lipschitz_low: float
    lipschitz_high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    product: float
    slope: float
    sphere_lower: float = math.nan
    sphere_upper: float = math.nan


@dataclass(frozen=True, slots=True)
class RobustnessFit:
    """Least squares of log Lip = c + n_exponent log n - k_exponent log k over the fitted medians of one d and method.

    The law says 1/2 for both. Intervals are 95% percentile ones of 2000 resamplings of the data sets. Shapes of which
    less than half of the networks fit are left out; with fewer than four shapes the exponents are nan.
    """

    d: int
    method: str
    shapes: int
    n_exponent: float
    n_low: float
    n_high: float
    k_exponent: float
    k_low: float
    k_high: float


@dataclass(frozen=True, slots=True)
class RobustnessStudy(TableResult):
    """Result of `estimate_robustness`.

    Attributes
    ----------
    rows : tuple of RobustnessRow
        One a (d, method, n, k), ordered. Rows of one (d, n) have the same data sets.
    fits : tuple of RobustnessFit
        One a (d, method).
    tolerance : float
        Networks whose largest misfit is at most that fit.
    seed : int
        Repeats the run.
    version : str
        The version of polyinj that made it.
    """

    NAME: ClassVar[str] = "robustness"
    KIND: ClassVar[str] = "robustness study"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": RobustnessRow, "fits": RobustnessFit}

    rows: tuple[RobustnessRow, ...]
    fits: tuple[RobustnessFit, ...]
    tolerance: float
    seed: int
    version: str

    def __repr__(self) -> str:
        d, n, k, methods = (sorted({getattr(row, name) for row in self.rows}) for name in ("d", "n", "k", "method"))
        return f"RobustnessStudy(d={d}, n={n}, k={k}, {', '.join(methods)}, {len(self.rows)} rows; seed={self.seed})"

    def plot(self) -> Figure:
        """Lip and Lip / sqrt(n / k) against n / k, as a matplotlib figure."""
        from polyinj.plots.robustness import plot_robustness

        return plot_robustness(self)


def estimate_robustness(
    d: Sequence[int],
    n: Sequence[int],
    k: Sequence[int],
    trials: int,
    *,
    methods: Sequence[str] = ("trained", "regularised"),
    seed: int | None,
    tolerance: float = 1e-6,
    node_limit: int = 20_000,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> RobustnessStudy:
    """Estimate the Lipschitz constants of networks of k neurons through n random points on the sphere of R^d.

    Parameters
    ----------
    d, n, k : sequences of int
        Dimensions, numbers of points and of neurons, each at least 1. Random features leave out k < n.
    trials : int
        Data sets for each (d, n), at least 1.
    methods : sequence of str
        "random_features", "trained", "regularised": see `polyinj.lipschitz.interpolate`.
    seed : int or None
        Same seed, same table, whatever the workers; None draws one and stores it.
    tolerance : float
        Largest misfit of a network that fits. Others are counted and left out.
    node_limit : int
        Of each branch and bound; constants beyond it are intervals.
    workers : int, optional
        Processes on this machine; by default one a core.
    executor : concurrent.futures.Executor, optional
        Runs the trials instead.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        An empty or invalid list, trials < 1, a negative seed, another method.

    Examples
    --------
    >>> study = estimate_robustness([4], [6], [6, 12], 6, methods=["trained"], seed=0, workers=1, progress=False)
    >>> study
    RobustnessStudy(d=[4], n=[6], k=[6, 12], trained, 2 rows; seed=0)
    >>> all(row.lipschitz > row.slope for row in study.rows)  # none is less steep than its data
    True
    """
    _check(d, n, k, methods, tolerance, node_limit)
    design = {
        (dim, method, points, neurons): Job(
            SphereDataEnsemble(points, dim), InterpolantLipschitz(neurons, method, tolerance, node_limit), trials
        )
        for dim in sorted(set(d))
        for method in dict.fromkeys(methods)
        for points in sorted(set(n))
        for neurons in sorted(set(k))
        if method != "random_features" or neurons >= points
    }
    seed, found = run_study(design, seed=seed, workers=workers, executor=executor, progress=progress)
    rows = tuple(_row(shape, simulation) for shape, simulation in found.items())
    pairs = dict.fromkeys((shape[0], shape[1]) for shape in design)
    fitted = tuple(_fit(dim, method, found, seed) for dim, method in pairs)
    return RobustnessStudy(rows, fitted, tolerance, seed, __version__)


def _check(
    d: Sequence[int], n: Sequence[int], k: Sequence[int], methods: Sequence[str], tolerance: float, node_limit: int
) -> None:
    for name, values in (("d", d), ("n", n), ("k", k)):
        check_integers(name, values)
    allowed = [method for method in METHODS if method != "caps"]
    if not methods or set(methods) - set(allowed):
        raise InputError(f"methods is {list(methods)}; allowed are {', '.join(allowed)}")
    if not tolerance > 0 or node_limit < 0:
        raise InputError(f"tolerance, node_limit is {tolerance, node_limit}; expected tolerance > 0, node_limit >= 0")
    if set(methods) == {"random_features"} and max(k) < min(n):
        raise InputError(f"k is at most {max(k)} and n at least {min(n)}; random features need k >= n")


def _row(shape: tuple[int, str, int, int], simulation: Simulation) -> RobustnessRow:
    d, method, n, k = shape
    fits = simulation.column("fits") > 0
    lower, upper, product, slope = (simulation.column(name)[fits] for name in ("lower", "upper", "product", "slope"))
    median: Interval = median_interval(lower, upper)
    ratio = median.scaled((k / n) ** 0.5)
    return RobustnessRow(
        d=d,
        n=n,
        k=k,
        method=method,
        trials=len(fits),
        fitted=int(fits.sum()),
        exact=int(simulation.column("exact")[fits].sum()),
        lipschitz=median.value,
        lipschitz_low=median.low,
        lipschitz_high=median.high,
        ratio=ratio.value,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        product=_median(product),
        slope=_median(slope),
        sphere_lower=_median(simulation.column("sphere_lower")[fits]),
        sphere_upper=_median(simulation.column("sphere_upper")[fits]),
    )


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _fit(d: int, method: str, found: dict[tuple[int, str, int, int], Simulation], seed: int) -> RobustnessFit:
    """Shapes of which less than half of the networks fit are left out: those that fit are not typical."""
    rng = np.random.default_rng([seed, d, len(method)])
    design, values = [], []
    for (dim, how, n, k), simulation in found.items():
        fits = simulation.column("fits") > 0
        if (dim, how) == (d, method) and 2 * fits.sum() >= len(fits):
            design.append([1.0, np.log(n), -np.log(k)])
            values.append(np.log((simulation.column("lower")[fits] + simulation.column("upper")[fits]) / 2))
    matrix = np.array(design).reshape(-1, 3)
    if len(matrix) < 4 or np.linalg.matrix_rank(matrix) < 3:
        return RobustnessFit(d, method, len(matrix), *[float("nan")] * 6)

    def exponents(samples: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        solution, *_ = np.linalg.lstsq(matrix, np.array([np.median(sample) for sample in samples]), rcond=None)
        return np.asarray(solution[1:])

    resampled = np.array([exponents([rng.choice(v, len(v)) for v in values]) for _ in range(_RESAMPLES)])
    (n_low, k_low), (n_high, k_high) = np.quantile(resampled, [0.025, 0.975], axis=0)
    n_exponent, k_exponent = exponents(values)
    ends = (n_exponent, n_low, n_high, k_exponent, k_low, k_high)
    return RobustnessFit(d, method, len(matrix), *map(float, ends))

"""Convex polyhedral cones: by inequalities or by rays, converted exactly (`polyinj.geometry.cone_conversion`)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.exact import arrays
from polyinj.exact.algebra import Vectors
from polyinj.geometry.angles import IntrinsicVolumes, intrinsic_volumes
from polyinj.geometry.cone_certificate import ConeInside, ConeOutside, ExactProjection, PointInside, PointOutside
from polyinj.geometry.cone_conversion import describe_cone
from polyinj.geometry.cone_definition import ConeDefinition, orthant_definition, read_definition
from polyinj.geometry.containment import decide_cone, decide_point
from polyinj.geometry.exact_cone import DoubleDescription, signs
from polyinj.geometry.exact_projection import project_exactly
from polyinj.geometry.projection import (
    IntrinsicVolumeEstimate,
    Projection,
    estimate_intrinsic_volumes,
    project,
)

_FRACTIONS = np.frompyfunc(Fraction, 1, 1)


class Cone:
    """A convex polyhedral cone in R^n, made by `from_inequalities`, `from_rays`, `subspace` or `orthant`.

    All decisions are exact: floats are read as the rationals that they store. Cones from int or Fraction input are
    `exact`: rays, lines, facets and equations come as arrays of Fractions (coprime integers). Cones from float64 input
    are not: they are converted in integers too, or by cddlib and its result checked in integers (see `method`), and the
    same arrays come as float64, each row rounded once from the exact one and scaled to largest entry 1. Two cones are
    equal when they are the same set of points.

    Attributes
    ----------
    definition : ConeDefinition
        What the cone was made from, in integers; certificates are checked against it.
    exact : bool
        Whether all input was int or Fraction.

    Examples
    --------
    >>> cone = Cone.from_inequalities([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    >>> cone
    Cone(3 inequalities, 0 equations in R^3, exact)
    >>> cone.facets.astype(int).tolist(), cone.rays.astype(int).tolist(), cone.lines.astype(int).tolist()
    ([[0, 1, 0], [1, 0, 0]], [[0, 1, 0], [1, 0, 0]], [[0, 0, 1]])
    >>> cone.dual() == Cone.from_rays([[1, 0, 0], [0, 1, 0]])
    True
    """

    def __init__(self, definition: ConeDefinition, *, exact: bool) -> None:
        self.definition = definition
        self.exact = exact

    @classmethod
    def from_inequalities(cls, inequalities: ArrayLike, equations: ArrayLike | None = None) -> Self:
        """The cone {x : inequalities x >= 0, equations x = 0}.

        Parameters
        ----------
        inequalities : array_like, shape (k, n)
            float64, float32, int or Fraction; k = 0 is allowed for an array of that shape (the whole space).
        equations : array_like, shape (l, n), optional

        Raises
        ------
        InputError
            Unreadable entries or shapes that do not match.

        Examples
        --------
        >>> Cone.from_inequalities([[1, 0, 0]], [[0, 0, 1]]).dimension
        2
        """
        definition, is_exact = read_definition("inequalities", inequalities, equations)
        return cls(definition, exact=is_exact)

    @classmethod
    def from_rays(cls, rays: ArrayLike, lines: ArrayLike | None = None) -> Self:
        """The cone of all sums of rays, shape (k, n), with weights >= 0 and lines, shape (l, n), with any weights.

        Raises
        ------
        InputError
            Unreadable entries or shapes that do not match.

        Examples
        --------
        >>> Cone.from_rays([[1, 0], [1, 1], [1, 2]]).rays.astype(int).tolist()
        [[1, 0], [1, 2]]
        """
        definition, is_exact = read_definition("rays", rays, lines)
        return cls(definition, exact=is_exact)

    @classmethod
    def subspace(cls, generators: ArrayLike) -> Self:
        """The range of a matrix of shape (n, k), a subspace of R^n.

        Examples
        --------
        >>> Cone.subspace([[1, 2], [2, 4], [0, 1]]).dimension
        2
        """
        columns = arrays.read_matrix(generators, "generators").T
        return cls.from_rays(np.empty((0, columns.shape[1]), dtype=columns.dtype), columns)

    @classmethod
    def orthant(cls, signs: Sequence[int] | NDArray[np.integer[Any]]) -> Self:
        """The closed orthant face of a sign vector: x_i >= 0 where it is +1, <= 0 where -1, = 0 where 0.

        Examples
        --------
        >>> Cone.orthant([1, -1, 0]).rays.astype(int).tolist()
        [[0, -1, 0], [1, 0, 0]]
        """
        return cls(orthant_definition(signs), exact=True)

    def __repr__(self) -> str:
        second = "equations" if self.definition.kind == "inequalities" else "lines"
        how = "exact" if self.exact else "float64: arrays are rounded, decisions exact"
        if not self.exact and "_described" in self.__dict__:
            how += f"; by {self.method}"
        counts = f"{len(self.definition.rows)} {self.definition.kind}, {len(self.definition.equalities)} {second}"
        return f"Cone({counts} in R^{self.ambient_dimension}, {how})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cone) and self.description == other.description

    def __hash__(self) -> int:
        return hash(self.description)

    @cached_property
    def _described(self) -> tuple[DoubleDescription, str]:
        return describe_cone(self.definition, exact=self.exact)

    @property
    def description(self) -> DoubleDescription:
        """Lines, rays, equations and facets as coprime integers, canonical: equal cones have equal descriptions."""
        return self._described[0]

    @property
    def method(self) -> str:
        """How rays were turned into facets or back: one of the constants of `polyinj.geometry.cone_conversion`."""
        return self._described[1]

    @property
    def ambient_dimension(self) -> int:
        """n, the dimension of the space."""
        return self.definition.dimension

    @property
    def dimension(self) -> int:
        """Dimension of the span of the cone."""
        return self.ambient_dimension - len(self.description.equations)

    @property
    def lineality_dimension(self) -> int:
        """Dimension of the largest subspace in the cone."""
        return len(self.description.lines)

    @property
    def rank(self) -> int:
        """Rank of all inequalities and equations that hold on the cone: n - lineality_dimension."""
        return self.ambient_dimension - self.lineality_dimension

    @property
    def is_pointed(self) -> bool:
        """Whether the cone contains no line."""
        return not self.description.lines

    @property
    def is_subspace(self) -> bool:
        """Whether the cone is its lineality space."""
        return not self.description.rays

    @property
    def rays(self) -> NDArray[Any]:
        """Extreme rays, shape (k, n): one of each modulo the lines, zero at the pivots of the lines, sorted."""
        return self._array(self.description.rays)

    @property
    def lines(self) -> NDArray[Any]:
        """Basis of the lineality space in reduced echelon form (each row scaled), shape (lineality_dimension, n)."""
        return self._array(self.description.lines)

    @property
    def facets(self) -> NDArray[Any]:
        """Inner normals of the facets, shape (k, n): one of each modulo the equations, zero at their pivots, sorted."""
        return self._array(self.description.facets)

    @property
    def equations(self) -> NDArray[Any]:
        """Basis of the orthogonal complement of the span, in reduced echelon form (each row scaled)."""
        return self._array(self.description.equations)

    @property
    def incidence(self) -> NDArray[np.bool_]:
        """Whether each facet holds each extreme ray, shape (facets, rays)."""
        facets, rays = self.description.facets, self.description.rays
        return signs(facets, rays) == 0 if rays else np.empty((0, 0), dtype=np.bool_)

    def _array(self, vectors: Vectors) -> NDArray[Any]:
        if self.exact:
            integers = np.array(vectors, dtype=object).reshape(len(vectors), self.ambient_dimension)
            return np.asarray(_FRACTIONS(integers), dtype=object)
        array = np.empty((len(vectors), self.ambient_dimension), dtype=np.float64)
        for i, vector in enumerate(vectors):
            size = max(map(abs, vector))
            array[i] = [value / size for value in vector]
        return array

    def dual(self) -> Cone:
        """The cone {y : x.y >= 0 for all x in this cone}."""
        dual = Cone(self.definition.dual, exact=self.exact)
        if "_described" in self.__dict__:
            dual.__dict__["_described"] = (self.description.dual, self.method)
        return dual

    def polar(self) -> Cone:
        """The cone {y : x.y <= 0 for all x in this cone}, the negative of the dual."""
        dual = self.definition.dual
        negated = tuple(tuple(-value for value in row) for row in dual.rows)
        return Cone(ConeDefinition(dual.kind, dual.dimension, negated, dual.equalities), exact=self.exact)

    def intersection(self, *others: Cone) -> Cone:
        """The points that lie in this cone and in all others; subspaces and orthants are cones too.

        Raises
        ------
        InputError
            The cones lie in spaces of different dimension.

        Examples
        --------
        >>> plane = Cone.subspace([[1, 0], [0, 1], [-1, -1]])
        >>> plane.intersection(Cone.orthant([1, 1, -1])).rays.astype(int).tolist()
        [[0, 1, -1], [1, 0, -1]]
        """
        cones = (self, *others)
        for cone in others:
            self._check_space(cone)
        rows = tuple(row for cone in cones for row in cone._inequalities[0])
        equations = tuple(row for cone in cones for row in cone._inequalities[1])
        definition = ConeDefinition("inequalities", self.ambient_dimension, rows, equations)
        return Cone(definition, exact=all(cone.exact for cone in cones))

    @property
    def _inequalities(self) -> tuple[Vectors, Vectors]:
        if self.definition.kind == "inequalities":
            return self.definition.rows, self.definition.equalities
        return self.description.facets, self.description.equations

    def _check_space(self, other: Cone) -> None:
        if other.ambient_dimension != self.ambient_dimension:
            raise InputError(
                f"the cones lie in R^{self.ambient_dimension} and R^{other.ambient_dimension}; expected one space"
            )

    def contains(self, point: ArrayLike) -> bool:
        """Whether a point, shape (n,), lies in the cone; decided exactly, so rounding of the point matters."""
        return isinstance(self.decide_point(point), PointInside)

    def contains_cone(self, other: Cone) -> bool:
        """Whether every point of another cone lies in this one."""
        return isinstance(self.decide_cone(other), ConeInside)

    def decide_point(self, point: ArrayLike) -> PointInside | PointOutside:
        """Whether a point, shape (n,), lies in the cone, with proof: multipliers of the rays or a separating row.

        Examples
        --------
        >>> cone = Cone.from_rays([[1, 0], [1, 2]])
        >>> certificate = cone.decide_point([1, 3])
        >>> certificate.row
        (2, -1)
        >>> certificate.verify(cone.definition)
        """
        vector = arrays.read_vector(point, self.ambient_dimension, "point")
        return decide_point(self.definition, [Fraction(entry) for entry in vector.tolist()])

    def decide_cone(self, other: Cone) -> ConeInside | ConeOutside:
        """Whether another cone is contained in this one, with proof (`verify(other.definition, self.definition)`).

        Only for another cone of inequalities and this cone of rays is a positive certificate about something else: then
        its `inner` holds the extreme rays of the other cone. (That case is coNP-complete.)

        Examples
        --------
        >>> small, large = Cone.from_inequalities([[1, -1], [-1, 2]]), Cone.orthant([1, 1])
        >>> certificate = large.decide_cone(small)
        >>> certificate.verify(small.definition, large.definition)
        """
        self._check_space(other)
        return decide_cone(other.definition, self.definition, lambda: other._as_rays)

    @property
    def _as_rays(self) -> ConeDefinition:
        described = self.description
        return ConeDefinition("rays", described.dimension, described.rays, described.lines)

    def project(self, point: ArrayLike) -> Projection:
        """The nearest point of the cone, in float64, with the residual of its optimality conditions.

        Raises
        ------
        InputError
            An unreadable point; one that is, or whose nearest point is, beyond the range of doubles.

        Examples
        --------
        >>> Cone.orthant([1, 1]).project([3.0, -2.0]).projection.tolist()
        [3.0, 0.0]
        """
        try:
            vector = arrays.read_vector(point, self.ambient_dimension, "point").astype(np.float64)
        except OverflowError:
            raise InputError("point is beyond the range of doubles; try project_exactly") from None
        return project(self.definition, vector)

    def project_exactly(self, point: ArrayLike) -> ExactProjection:
        """The nearest point of the cone in rationals, with multipliers that prove it (`verify(cone.definition)`).

        Examples
        --------
        >>> nearest = Cone.from_rays([[1, 2]]).project_exactly([1, 1])
        >>> [str(entry) for entry in nearest.projection]
        ['3/5', '6/5']
        """
        vector = arrays.read_vector(point, self.ambient_dimension, "point")
        return project_exactly(self.definition, [Fraction(entry) for entry in vector.tolist()])

    def conic_intrinsic_volumes(self) -> IntrinsicVolumes:
        """Conic intrinsic volumes v_0, ..., v_n from angles in closed form.

        Raises
        ------
        InputError
            Modulo its lines, the cone is no orthogonal product of cones of at most 3 dimensions: there is no closed
            form; use `estimate_conic_intrinsic_volumes`.

        Examples
        --------
        >>> Cone.orthant([1, 1, 1]).conic_intrinsic_volumes().rational
        (Fraction(1, 8), Fraction(3, 8), Fraction(3, 8), Fraction(1, 8))
        """
        return intrinsic_volumes(self.description)

    def estimate_conic_intrinsic_volumes(
        self, samples: int, *, seed: int | None = None, level: float = 0.95
    ) -> IntrinsicVolumeEstimate:
        """Conic intrinsic volumes from projections of Gaussian points, each with a Clopper-Pearson interval.

        Parameters
        ----------
        samples : int
            At least 1.
        seed : int, optional
            Drawn and kept in the result when None.
        level : float
            Coverage of each interval.

        Examples
        --------
        >>> Cone.orthant([1, 1]).estimate_conic_intrinsic_volumes(1000, seed=0).counts
        (262, 510, 228)
        """
        return estimate_intrinsic_volumes(self.definition, samples, seed, level)

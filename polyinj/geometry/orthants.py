"""Unions of closed orthants with few positive coordinates, and the subspaces that meet them.

A ReLU layer with generic weights W of shape (m, n) is injective iff the range of W meets the union of the orthants of
R^m with at most n - 1 positive coordinates only in the origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from numpy.typing import ArrayLike

from polyinj.errors import InputError
from polyinj.exact import arrays
from polyinj.exact.algebra import Vectors, echelon, pivot
from polyinj.exact.orthant_volumes import orthant_union_intrinsic_volumes
from polyinj.geometry.arrangement import Arrangement
from polyinj.geometry.kinematic import section_euler_characteristic
from polyinj.geometry.orthant_certificate import OrthantProof, OrthantWitness, rows_of
from polyinj.geometry.orthant_search import MeetingPoint, OrthantSearch
from polyinj.geometry.sweep import sweep

# Rays that the compiled sweep visits in about a second.
_RAYS_TO_SWEEP = 10_000_000


@dataclass(frozen=True, slots=True)
class OrthantUnion:
    """The closed cone {y in R^m : at most max_positive coordinates are > 0}: a union of orthants, not convex.

    Attributes
    ----------
    m : int
        At least 1.
    max_positive : int
        At least 0; from m on the union is all of R^m.

    Raises
    ------
    InputError
        Not integers, or too small.

    Examples
    --------
    >>> quadrants = OrthantUnion(2, 1)
    >>> quadrants.contains([-3, 5]), quadrants.contains([1, 1])
    (True, False)
    >>> [str(v) for v in quadrants.conic_intrinsic_volumes()]
    ['-1/4', '1/2', '3/4']
    >>> quadrants.meets([[1], [2]]), quadrants.meets([[1], [-2]])
    (True, True)
    >>> OrthantUnion(3, 0).meets([[1], [-2], [0]])
    False
    """

    m: int
    max_positive: int

    def __post_init__(self) -> None:
        for name, value, least in (("m", self.m, 1), ("max_positive", self.max_positive, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is {value!r}; expected an integer of at least {least}")

    def contains(self, point: ArrayLike) -> bool:
        """Whether a point, shape (m,), lies in the union."""
        vector = arrays.read_vector(point, self.m, "point")
        return sum(bool(entry > 0) for entry in vector.tolist()) <= self.max_positive

    def conic_intrinsic_volumes(self) -> list[Fraction]:
        """Conic intrinsic volumes v_0, ..., v_m of the valuation, exactly: they sum to 1 and may be negative."""
        return orthant_union_intrinsic_volumes(self.m, self.max_positive)

    def expected_euler_characteristic(self, n: int) -> Fraction:
        """E chi of the union, cut by a uniformly random n-dimensional subspace and the unit sphere, exactly.

        `FaceUnion` does the same for any other union of orthants and of their faces, and
        `estimate_section_euler_characteristic` by simulation.

        Raises
        ------
        InputError
            n is no integer from 1 to m.

        Examples
        --------
        >>> OrthantUnion(8, 1).expected_euler_characteristic(2)
        Fraction(7, 16)
        """
        return section_euler_characteristic(self.conic_intrinsic_volumes(), n)

    def section_euler_characteristic(self, subspace: ArrayLike) -> int:
        """chi of {x on the unit sphere of R^n : W x in the union} for one matrix W, shape (m, n), exactly.

        Raises
        ------
        InputError
            Unreadable matrix, or not m rows.
        """
        self._read(subspace)
        return Arrangement(subspace).euler_characteristic(self.max_positive)

    def meets(self, subspace: ArrayLike) -> bool:
        """Whether the range of a matrix, shape (m, n), meets the union in a point other than the origin; exactly.

        Rows in general position (any n independent, n the rank) are swept by the compiled kernel where that takes about
        a second at most; everything else is decided as by `decide_meeting`, without a limit.

        Raises
        ------
        InputError
            Unreadable matrix, or not m rows.
        """
        rows, columns = self._read(subspace)
        reduced = [[row[j] for j in columns] for row in rows]
        m, n = self.m, len(columns)
        if n and self.max_positive < m and m * comb(m, max(n - 2, 0)) <= _RAYS_TO_SWEEP:
            # In general position the fewest positives are those of open cells: the depth of the origin among the rows.
            with suppress(InputError):
                return bool(sweep(arrays.read_matrix(reduced)).depth <= self.max_positive)
        return isinstance(self._decide(rows, columns, None), OrthantWitness)

    def decide_meeting(self, subspace: ArrayLike, *, node_limit: int | None = None) -> OrthantWitness | OrthantProof:
        """Find a point other than the origin in the union and the range of a matrix, or prove that there is none.

        Parameters
        ----------
        subspace : array_like, shape (m, n)
            Any exact matrix: zero, repeated and dependent rows or columns are allowed.
        node_limit : int, optional
            Nodes of the search tree.

        Returns
        -------
        OrthantWitness or OrthantProof
            Check it by `verify(subspace, max_positive)`.

        Raises
        ------
        BudgetExceeded
            The node limit is spent.
        InputError
            Unreadable matrix, or not m rows.

        Notes
        -----
        The problem is coNP-complete (Froese, Grillo, Skutella 2024, arXiv 2405.19805). Reach, for Gaussian matrices
        and max_positive = n - 1 on one core: at m = 7 n, where proofs are longest, 0.1 s for n = 6, 1 s for n = 8,
        half a minute for n = 10; at m = 9 n, 2 s for n = 10. A node takes a few milliseconds.

        Examples
        --------
        >>> lines = [[1, 0], [0, 1], [-1, -1]]
        >>> proof = OrthantUnion(3, 0).decide_meeting(lines)
        >>> proof.sets[0].indices
        (0, 1, 2)
        >>> proof.verify(lines, 0)
        >>> OrthantUnion(3, 1).decide_meeting(lines).x
        (-1, -1)
        """
        rows, columns = self._read(subspace)
        return self._decide(rows, columns, node_limit)

    def _read(self, subspace: ArrayLike) -> tuple[Vectors, list[int]]:
        """Coprime integer rows, and the indices of columns that are a basis of their column space."""
        rows = rows_of(subspace)
        if len(rows) != self.m:
            raise InputError(f"subspace has {len(rows)} rows; expected m = {self.m}, one a coordinate")
        return rows, [pivot(row) for row in echelon(rows)]

    def _decide(self, rows: Vectors, columns: list[int], node_limit: int | None) -> OrthantWitness | OrthantProof:
        if not columns:
            return OrthantProof(rows, self.max_positive, (), None)
        reduced = [[row[j] for j in columns] for row in rows]
        if self.max_positive >= self.m:
            return self._witness(rows, columns, [1] + [0] * (len(columns) - 1))
        search = OrthantSearch(reduced, self.max_positive, node_limit)
        try:
            tree = search.solve()
        except MeetingPoint as found:
            return self._witness(rows, columns, found.x)
        return OrthantProof(rows, self.max_positive, tuple(search.sets), tree)

    def _witness(self, rows: Vectors, columns: list[int], reduced: Sequence[int]) -> OrthantWitness:
        x = [0] * len(rows[0])
        for j, value in zip(columns, reduced, strict=True):
            x[j] = value
        return OrthantWitness(rows, self.max_positive, tuple(x))

"""Double description in integers: from the inequalities of a polyhedral cone to its rays and facets, exactly.

A cone {x : A x >= 0, E x = 0} is also {sum of rays and lines}. The conversion adds one inequality a.x >= 0 after the
other (Motzkin, Raiffa, Thompson, Thrall 1953; Fukuda and Prodon 1996):

    rays with a.r >= 0 stay; each adjacent pair p, q with a.p > 0 > a.q leaves the new ray (a.p) q - (a.q) p.

Two extreme rays are adjacent iff no third ray is tight at every row where both are. Before this the equations are
substituted away and the lineality space {x : A x = 0} is cut off by setting its pivot coordinates to zero, so that
what is left is a pointed cone with rows of full column rank; the first rays are those of the simplicial cone of the
first independent rows in lexicographic order.

In integers of 64 bits the kernel `_double_description` does this; where they do not suffice, `_PartialCone`.

All vectors are coprime integers. Modulo lines (rays) and modulo equations (facets) they are reduced to zeros in the
pivot columns of the reduced echelon form, so equal cones have equal descriptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyinj._double_description import describe_rows
from polyinj.exact.algebra import (
    IntegerRows,
    Vectors,
    coprime,
    dot,
    echelon,
    independent_rows,
    kernel,
    pivot,
    product,
    reduce_modulo,
)

# Pairs of rays that are compared at a time: bounds the memory of one insertion to some tens of megabytes.
_PAIRS_AT_A_TIME = 1 << 21


@dataclass(frozen=True, slots=True)
class DoubleDescription:
    """Both descriptions of one cone in R^dimension, canonical and minimal, in coprime integers.

    Attributes
    ----------
    dimension : int
        Of the space.
    lines : tuple of tuples
        Basis of the lineality space, in reduced echelon form.
    rays : tuple of tuples
        One for each extreme ray modulo the lines, sorted.
    equations : tuple of tuples
        Basis of the orthogonal complement of the span, in reduced echelon form.
    facets : tuple of tuples
        One inner normal for each facet, modulo the equations, sorted.
    """

    dimension: int
    lines: Vectors
    rays: Vectors
    equations: Vectors
    facets: Vectors

    @property
    def dual(self) -> DoubleDescription:
        """The description of {y : x.y >= 0 for all x in the cone}: rays and facets swap, lines and equations too."""
        return DoubleDescription(self.dimension, self.equations, self.facets, self.lines, self.rays)


def facet_rows(incidence: NDArray[np.bool_]) -> NDArray[np.intp] | None:
    """The rows that are facets of a pointed cone, by the rays at which they are tight; None if it has no interior."""
    counts = incidence.sum(axis=0)
    if not len(incidence) or (counts == len(incidence)).any():
        return None
    floats = incidence.astype(np.float64)
    within = floats.T @ floats == counts[:, None]
    # Of rows with the same rays the last one counts.
    later = np.arange(len(counts))[None, :] > np.arange(len(counts))[:, None]
    larger = (counts[None, :] > counts[:, None]) | ((counts[None, :] == counts[:, None]) & later)
    return np.flatnonzero(~(within & larger).any(axis=1))


class PointedRows:
    """The inequalities of a cone with equations substituted away, lineality cut off, zero and repeated rows dropped.

    Attributes
    ----------
    rows : list of lists
        Of full column rank: {t : rows t >= 0} is pointed.
    columns : int
        Length of t, the rank of the rows.
    """

    def __init__(self, inequalities: IntegerRows, equations: IntegerRows, dimension: int) -> None:
        self._inequalities = inequalities
        self._dimension = dimension
        self._basis = kernel(equations, dimension) if equations else None
        width = dimension if self._basis is None else len(self._basis)
        restricted = inequalities if self._basis is None else [product(self._basis, a) for a in inequalities]
        self._width = width
        self._lines = echelon(kernel(restricted, width)) if width else ()
        pivots = set(map(pivot, self._lines))
        self._kept = [j for j in range(width) if j not in pivots]
        self.columns = len(self._kept)
        short = (coprime([row[j] for j in self._kept]) for row in restricted)
        self.rows: IntegerRows = [list(row) for row in dict.fromkeys(map(tuple, short)) if any(row)]

    def describe(self, rays: Iterable[Sequence[int]], incidence: NDArray[np.bool_] | None = None) -> DoubleDescription:
        """The canonical description of the cone, given all extreme rays of {t : rows t >= 0}.

        incidence: at which rows each ray is tight, where that is known.
        """
        if incidence is not None and self._basis is None and not self._lines:
            facet = facet_rows(incidence)
            if facet is not None:
                facets = sorted(tuple(self.rows[i]) for i in facet)
                return DoubleDescription(self._dimension, (), tuple(sorted(map(tuple, rays))), (), tuple(facets))
        lines = echelon([self._lift(line) for line in self._lines])
        lifted = sorted(reduce_modulo(lines, self._lift(self._widen(ray))) for ray in rays)
        equations = echelon(kernel([*map(list, lines), *map(list, lifted)], self._dimension))
        return DoubleDescription(self._dimension, lines, tuple(lifted), equations, self._facets(lifted, equations))

    def _widen(self, ray: Sequence[int]) -> list[int]:
        wide = [0] * self._width
        for j, value in zip(self._kept, ray, strict=True):
            wide[j] = value
        return wide

    def _lift(self, wide: Sequence[int]) -> list[int]:
        if self._basis is None:
            return list(wide)
        return [dot(wide, column) for column in zip(*self._basis, strict=True)]

    def _facets(self, rays: list[tuple[int, ...]], equations: Vectors) -> Vectors:
        """Inequalities whose set of tight rays is maximal among those that are not tight everywhere."""
        if not rays or not self._inequalities:
            return ()
        reduced = sorted({reduce_modulo(equations, row) for row in self._inequalities})
        masks = [int.from_bytes(np.packbits(row == 0).tobytes()) for row in signs(reduced, rays)]
        everywhere = int.from_bytes(np.packbits(np.ones(len(rays), dtype=bool)).tobytes())
        tight = {mask: row for mask, row in zip(masks, reduced, strict=True) if mask != everywhere}
        return tuple(row for mask, row in tight.items() if not any(mask != m and mask & m == mask for m in tight))


def double_description(inequalities: IntegerRows, equations: IntegerRows, dimension: int) -> DoubleDescription:
    """Describe {x in R^dimension : inequalities x >= 0, equations x = 0} by rays and lines, and minimally by facets.

    Parameters
    ----------
    inequalities, equations : list of lists of int
        Rows of the given length, each possibly none, zero, repeated or redundant.
    dimension : int
        At least 1.

    Returns
    -------
    DoubleDescription

    Notes
    -----
    Fukuda and Prodon, "Double description method revisited" (1996). The number of rays on the way may exceed that
    of the result; for random rows, 40 in R^6, both are some hundreds.

    Examples
    --------
    >>> cone = double_description([[1, 0, 0], [-1, 1, 0], [2, 1, 0]], [], 3)
    >>> cone.rays, cone.lines, cone.facets
    (((0, 1, 0), (1, 1, 0)), ((0, 0, 1),), ((-1, 1, 0), (1, 0, 0)))
    """
    if not equations and (described := _described_at_once(inequalities, dimension)) is not None:
        return described
    pointed = PointedRows(inequalities, equations, dimension)
    return pointed.describe(extreme_rays(pointed.rows, pointed.columns))


def _described_at_once(inequalities: IntegerRows, dimension: int) -> DoubleDescription | None:
    """For a pointed cone with interior, where 64 bits suffice: the rays of the kernel are all that there is."""
    ordered = _ordered_rows(inequalities)
    found = None if ordered is None else describe_rows(ordered)
    if ordered is None or found is None:
        return None
    rays, lines, facet = found
    if len(lines) or not len(rays) or (facet < 0).any():
        return None
    facets = sorted(tuple(coprime(row)) for row in ordered[facet > 0].tolist())
    return DoubleDescription(dimension, (), tuple(sorted(map(tuple, rays.tolist()))), (), tuple(facets))


def _ordered_rows(rows: IntegerRows) -> NDArray[np.int64] | None:
    """The rows that are not 0, in lexicographic order of their directions; None for none and beyond 62 bits."""
    try:
        array = np.array([row for row in rows if any(row)], dtype=np.int64)
    except OverflowError:
        return None
    if not len(array) or (size := np.abs(array).max(axis=1)).max() >= 2**62:
        return None
    return np.asarray(array[np.lexsort((array / size[:, None]).T[::-1])])


def extreme_rays(rows: IntegerRows, columns: int) -> list[tuple[int, ...]]:
    """The extreme rays of {t in R^columns : rows t >= 0}, for nonzero rows of full column rank."""
    if columns == 0:
        return []
    array = _ordered_rows(rows)
    if array is not None and (found := describe_rows(array)) is not None:
        return [tuple(ray) for ray in found[0].tolist()]
    ordered = sorted(rows, key=_direction)
    basis = independent_rows(ordered)
    rest = [row for i, row in enumerate(ordered) if i not in set(basis)]
    cone = _PartialCone([ordered[i] for i in basis], len(rows))
    for row in rest:
        cone.insert(row)
    return [tuple(ray) for ray in cone.rays]


class _PartialCone:
    """The rays of the cone of the rows inserted so far; tight[ray, row] says at which of those rows each is tight."""

    def __init__(self, basis: IntegerRows, row_count: int) -> None:
        self._columns = len(basis)
        self._inserted = len(basis)
        self.rays = [_edge(basis, i) for i in range(self._columns)]
        self._tight = np.zeros((self._columns, row_count), dtype=np.float32)
        self._tight[:, : self._columns] = 1 - np.eye(self._columns, dtype=np.float32)

    def insert(self, row: Sequence[int]) -> None:
        values = [dot(row, ray) for ray in self.rays]
        signs = np.array([(value > 0) - (value < 0) for value in values])
        self._tight[:, self._inserted] = signs == 0
        positive, negative = np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)
        self._inserted += 1
        if not len(negative):
            return
        added, tight = [], []
        for p, q in self._adjacent(positive, negative):
            a, b = values[p], -values[q]
            added.append(coprime([a * y + b * x for x, y in zip(self.rays[p], self.rays[q], strict=True)]))
            tight.append(self._tight[p] * self._tight[q])
        kept = np.flatnonzero(signs >= 0)
        self.rays = [self.rays[i] for i in kept] + added
        self._tight = np.vstack([self._tight[kept], *tight])
        self._tight[len(kept) :, self._inserted - 1] = 1

    def _adjacent(self, positive: NDArray[np.intp], negative: NDArray[np.intp]) -> Iterable[tuple[int, int]]:
        """Pairs of adjacent rays across the new row; products of 0-1 matrices, exact in float32, count tight rows."""
        before = self._tight[:, : self._inserted - 1]
        step = max(1, _PAIRS_AT_A_TIME // len(negative))
        for start in range(0, len(positive), step):
            block = positive[start : start + step]
            # Adjacent rays span a face of dimension 2, where at least columns - 2 rows are tight.
            i, j = np.nonzero(before[block] @ before[negative].T >= self._columns - 2)
            for first in range(0, len(i), chunk := max(1, _PAIRS_AT_A_TIME // len(before))):
                p, q = block[i[first : first + chunk]], negative[j[first : first + chunk]]
                common = before[p] * before[q]
                containing = (common @ before.T == common.sum(axis=1, keepdims=True)).sum(axis=1)
                yield from zip(p[containing == 2].tolist(), q[containing == 2].tolist(), strict=True)


def _direction(row: Sequence[int]) -> list[float]:
    """The row scaled to largest entry 1, for the lexicographic order of insertion."""
    size = max(map(abs, row))
    return [value / size for value in row]


def _edge(basis: IntegerRows, i: int) -> list[int]:
    """The edge of the simplicial cone {basis t >= 0} along which only row i is not tight."""
    [ray] = kernel(basis[:i] + basis[i + 1 :], len(basis))
    return ray if dot(basis[i], ray) > 0 else [-value for value in ray]


def signs(
    rows: Sequence[Sequence[int]], vectors: Sequence[Sequence[int]], zero: NDArray[np.bool_] | None = None
) -> NDArray[np.int8]:
    """The signs of all products, shape (rows, vectors), exactly; at least one of each. `zero`: those known to be zero.

    Scaled to largest entry 1 and rounded to doubles, the products of n entries are wrong by less than n (n + 4) 2^-52;
    those that are not larger are computed in integers.
    """
    products = _rounded(rows) @ _rounded(vectors).T
    n = len(rows[0])
    result = np.sign(products).astype(np.int8)
    doubtful = np.abs(products) <= n * (n + 4) * 2.0**-52
    if zero is not None:
        result[zero] = 0
        doubtful &= ~zero
    for i, j in np.argwhere(doubtful).tolist():
        value = dot(rows[i], vectors[j])
        result[i, j] = (value > 0) - (value < 0)
    return result


def _rounded(vectors: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    return np.array([[value / size for value in v] for v in vectors for size in [max(map(abs, v)) or 1]])

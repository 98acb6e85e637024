"""The vertices that floating point leaves open, in exact arithmetic, and the faces that rise from them.

A chart (flat i, slice k) of geometry/sweep.py is the affine space

    w_0 = ... = w_{i-1} = 0,   w_i = e^k,   -f_1 = e^(k-1),   ...,   -f_k = 1          (e > 0 infinitely small):

slice k lies "at f_1 = -t_1, f_2 = -t_2, ..." with t_2 far beyond t_1, scaled so that the last form is 1. So a row's
sign at a vertex is that of its first nonzero coefficient at -f_k, ..., -f_1, w_i, when it is written in the basis of
the forms and of the tight rows. In general position the first coefficient is never zero, and the kernel reads no
other.

A degenerate vertex is zero on more rows than the dimension asks for, so several subsets of rows meet in it. It is taken
once, for the lexicographically first of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj._core import RaySweep
from polyinj.exact import algebra


class UnluckyForms(Exception):
    """A random form is constant along an edge or parallel to a flat: draw others."""


@dataclass(frozen=True, slots=True)
class Vertex:
    """A vertex of chart (flat, slice).

    Attributes
    ----------
    tight : tuple of int
        The first rows that determine it.
    signs : ndarray of int8, shape (rows,)
        The sign of every row there.
    zero : tuple of int
        Rows that are zero there and not on the whole flat.
    local : list of list of int, shape (len(zero), len(tight))
        These rows as multiples (with a common positive factor) of the tight ones: the arrangement around the vertex.
    slopes : list of int, shape (len(tight),)
        The objective in the same coordinates.
    """

    flat: int
    slice: int
    tight: tuple[int, ...]
    signs: NDArray[np.int8]
    zero: tuple[int, ...]
    local: algebra.IntegerRows
    slopes: list[int]

    @property
    def is_simple(self) -> bool:
        """No more rows are zero than the dimension asks for."""
        return int(np.count_nonzero(self.signs == 0)) == self.flat + len(self.tight)

    @property
    def names(self) -> tuple[int, ...]:
        """The first rows that determine the ray, those of the flat included."""
        return (*range(self.flat), *self.tight)

    def rising_faces(self) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Sign vectors, shape (faces, rows), and linear dimensions of the faces whose lowest vertex this is."""
        local, dimensions = _rising_faces(self.local, self.slopes)
        signs = np.repeat(self.signs[None, :], len(local), axis=0)
        signs[:, list(self.zero)] = local
        return signs, dimensions + 1 + self.slice


def open_vertices(rows: algebra.IntegerRows, forms: algebra.IntegerRows, cursor: RaySweep) -> Iterator[Vertex]:
    """The vertices that the cursor, stopped with UNCERTAIN, leaves to its caller.

    Parameters
    ----------
    rows : list of list of int, shape (m, n)
        Of rank n, the first n independent.
    forms : list of list of int, shape (n - 1, n)
        f_1, ..., f_{n-1}.

    Raises
    ------
    UnluckyForms
    """
    m, n, i, k, prefix = cursor.m, cursor.n, cursor.flat, cursor.slice, cursor.prefix
    if algebra.rank([*rows[: i + 1], *(rows[t] for t in prefix)]) < i + 1 + len(prefix):
        return
    levels = [*([-c for c in forms[j]] for j in reversed(range(k))), rows[i]]
    size = n - i - k - 1
    expressed = flint.fmpz_mat([*rows, *([forms[k]] if size else [])])
    start = (prefix[-1] if prefix else i) + 1
    for rest in combinations(range(start, m), size - len(prefix)):
        tight = (*prefix, *rest)
        basis = flint.fmpz_mat([*rows[:i], *levels, *(rows[t] for t in tight)])
        try:
            inverse, _ = flint.fmpq_mat(basis).inv().numer_denom()
        except ZeroDivisionError:
            if algebra.rank([*rows[: i + 1], *(rows[t] for t in tight)]) == i + 1 + size:
                raise UnluckyForms from None
            continue
        vertex = _vertex(cursor, tight, (expressed * inverse).tolist())
        if vertex is not None:
            yield vertex


def _vertex(cursor: RaySweep, tight: tuple[int, ...], coefficients: list[list[Any]]) -> Vertex | None:
    """The vertex from every row's coefficients in the basis; None when its first tight set is another one."""
    i, k = cursor.flat, cursor.slice
    signs = np.zeros(cursor.m, dtype=np.int8)
    zero, local = [], []
    for j in range(i, cursor.m):
        row = coefficients[j]
        leading = next((c for c in row[i : i + k + 1] if c != 0), None)
        if leading is not None:
            signs[j] = 1 if leading > 0 else -1
            continue
        around = row[i + k + 1 :]
        if any(c != 0 and t > j for c, t in zip(around, tight, strict=True)):
            return None
        if any(c != 0 for c in around):
            zero.append(j)
            local.append([int(c) for c in around])
    slopes = [int(c) for c in coefficients[-1][i + k + 1 :]] if tight else []
    return Vertex(i, k, tight, signs, tuple(zero), local, slopes)


def _rising_faces(local: algebra.IntegerRows, slopes: list[int]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Faces of the central arrangement `local` on whose closure the objective is positive off the origin.

    A face qualifies when all its rays do, and is the composition X o Y o ... of them, every partial composition being
    one of its own faces. So a search from the origin by compositions with good rays, which drops what has a bad ray in
    its closure, finds each of them, as covectors and exactly once (they are kept in a set).
    """
    if 0 in slopes:
        raise UnluckyForms
    if len(local) == len(slopes):
        up = [(0, 1 if slope > 0 else -1) for slope in slopes]
        signs = np.array(list(product(*up)), dtype=np.int8).reshape(2 ** len(slopes), len(slopes))
        return signs, np.count_nonzero(signs, axis=1)
    good = _good_rays(local, slopes)
    origin = (0,) * len(local)
    dimension_of_flat: dict[tuple[int, ...], int] = {}
    known, fresh = {origin}, np.array([origin], dtype=np.int8)
    while len(fresh):
        composed = np.where(fresh[:, None, :] != 0, fresh[:, None, :], good[None, :, :]).reshape(-1, len(local))
        found = [row for row in map(tuple, np.unique(composed, axis=0).tolist()) if row not in known]
        fresh = np.array([row for row in found if not _has_bad_ray(row, good)], dtype=np.int8).reshape(-1, len(local))
        known.update(map(tuple, fresh.tolist()))
    faces = sorted(known)
    dimensions = []
    for row in faces:
        flat = tuple(j for j, sign in enumerate(row) if sign == 0)
        if flat not in dimension_of_flat:
            dimension_of_flat[flat] = len(slopes) - algebra.rank([local[j] for j in flat])
        dimensions.append(dimension_of_flat[flat])
    return np.array(faces, dtype=np.int8), np.array(dimensions, dtype=np.int64)


def _has_bad_ray(row: tuple[int, ...], good: NDArray[np.int8]) -> bool:
    """Bad rays are the antipodes of good ones; a ray Y is in the closure of X when X agrees with Y wherever Y != 0."""
    return bool(((good == 0) | (good == -np.array(row, dtype=np.int8))).all(axis=1).any())


def _good_rays(local: algebra.IntegerRows, slopes: list[int]) -> NDArray[np.int8]:
    """The sign vectors of the rays along which the objective grows; each line of the arrangement has one."""
    size = len(slopes)
    found = set()
    for tight in combinations(local, size - 1):
        line = algebra.kernel(tight, size)
        if len(line) > 1:
            continue
        (growth,) = algebra.product([slopes], line[0])
        if growth == 0:
            raise UnluckyForms
        found.add(tuple((value > 0) - (value < 0) for value in algebra.product(local, [growth * c for c in line[0]])))
    return np.array(sorted(found), dtype=np.int8)

"""The ray sweep: all faces of a central arrangement in general position, counted by dimension and positives.

The m hyperplanes w_i-perp cut R^n into faces. Put hyperplane 0 at infinity. In the chart {w_0.x = 1} take a generic
linear objective: a face bounded below has one lowest vertex, and a vertex is an (n-1)-subset of the other rows, so
every such face is met once. At a vertex with p positives off its k = n-1 tight rows, each tight row t has one upward
edge along which only its sign changes, and the sign there is that of c_t in objective = c_0 w_0 + sum c_t w_t. With a
plus signs among them ("ascents"), the faces whose lowest vertex it is have the generating polynomial

    x y^p (1 + x)^(k-a) (1 + x y)^a                       (x marks the linear dimension, y the positives).

What remains:
- a face unbounded below is x times a face of the slice {objective = -t}, t -> infinity: an arrangement in
  w_0-perp with chart -objective > 0 and the next objective; so "slices" 1, 2, ... each lose one dimension;
- antipodes give the faces with w_0 < 0: p becomes (rows not zero) - p;
- the faces inside w_0-perp are a central arrangement of one row less in one dimension less: "flats" 1, 2, ...

Chart (flat i, slice k) hence has dimension n - i - k, rows i+1..m-1 as hyperplanes, and every ray of every chart is
visited exactly once. Objectives are random forms from a fixed seed; that they are generic is checked as they are used.

Signs come from floats with rigorous error bounds. Where a bound does not settle a sign, the rays concerned are counted
here in exact arithmetic; an exact zero means that the rows are not in general position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import comb, lcm
from operator import mul
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj._core import DONE, UNCERTAIN, RaySweep
from polyinj.errors import InputError
from polyinj.geometry import exact

_PENCILS_A_RUN = 20_000


@dataclass(frozen=True, slots=True)
class Sweep:
    """The table F[d, p], the depth of the origin, and the n - 1 tight rows of a ray that attains it."""

    face_counts: NDArray[np.int64]
    depth: int
    tight: tuple[int, ...]


class _UnluckyForms(Exception):
    """A random form met a vertex: draw others."""


def sweep(matrix: NDArray[Any]) -> Sweep:
    """Sweep the rays of a matrix, shape (m, n) with m >= n, read by `exact.read_matrix`.

    Raises
    ------
    InputError
        Rows not in general position (some n of them dependent); the message names a dependent set.
    """
    floats, error = exact.float_rows(matrix)
    n = floats.shape[1]
    for seed in range(64):
        forms = np.random.default_rng(seed).integers(-(2**20), 2**20, (n - 1, n))
        try:
            return _sweep(matrix, floats, error, forms)
        except _UnluckyForms:
            continue
    raise AssertionError("64 draws of random forms in a row met a vertex")


def _sweep(matrix: NDArray[Any], floats: NDArray[np.float64], error: float, forms: NDArray[np.int64]) -> Sweep:
    m, n = floats.shape
    cursor = RaySweep(floats, error, forms / 2.0**20)
    histogram = cursor.histogram
    fewest: tuple[int, tuple[int, ...]] = (m + 1, ())
    while (status := cursor.run(_PENCILS_A_RUN)) != DONE:
        if status == UNCERTAIN:
            rows = exact.integer_rows(matrix)
            for chart, tight, positives, ascents in _exact_rays(rows, forms.tolist(), cursor):
                histogram[(*chart, positives, ascents)] += 1
                if chart[1] == 0:
                    fewest = min(fewest, (min(positives + 1, m - n - positives), tight))
    depth, tight = min(fewest, (cursor.fewest_positives, cursor.fewest_tight))
    return Sweep(_face_counts(histogram, m, n), depth, tight)


def _exact_rays(
    rows: exact.IntegerRows, forms: exact.IntegerRows, cursor: RaySweep
) -> Iterator[tuple[tuple[int, int], tuple[int, ...], int, int]]:
    """Chart, tight rows, positives and ascents of the rays that the cursor left out, by exact linear algebra."""
    m, n, i, k, prefix = cursor.m, cursor.n, cursor.flat, cursor.slice, cursor.prefix
    restrictions = [*rows[: i + (k > 0)], *forms[: max(k - 1, 0)]]
    names = range(i + (k > 0))
    chart = [-c for c in forms[k - 1]] if k > 0 else rows[i]
    size = n - i - k - 1
    for rest in combinations(range((prefix[-1] if prefix else i) + 1, m), size - len(prefix)):
        tight = prefix + rest
        others = [j for j in range(i + 1, m) if j not in tight]
        basis = flint.fmpq_mat(flint.fmpz_mat([*restrictions, *(rows[t] for t in tight), chart]).transpose())
        right = [*(rows[j] for j in others), *([forms[k]] if size else [])]
        if basis.det() == 0:
            _refuse(rows, [*names, *tight, *([] if k else [i])])
        if not right:
            yield (i, k), (*range(i), *tight), 0, 0
            continue
        values = basis.solve(flint.fmpq_mat(flint.fmpz_mat(right).transpose()))
        for column, j in enumerate(others):
            if values[n - 1, column] == 0:
                _refuse(rows, [*names, *tight, j])
        coefficients = [values[n - 1 - size + s, len(others)] for s in range(size)]
        if 0 in coefficients:
            raise _UnluckyForms
        positives = sum(values[n - 1, column] > 0 for column in range(len(others)))
        yield (i, k), (*range(i), *tight), positives, sum(c > 0 for c in coefficients)


def _refuse(rows: exact.IntegerRows, suspects: list[int]) -> None:
    """Name a dependent set among the suspects, or blame the random forms."""
    relations = exact.kernel([list(column) for column in zip(*(rows[s] for s in suspects), strict=True)], len(suspects))
    if not relations:
        raise _UnluckyForms
    circuit = [s for s, c in zip(suspects, relations[0], strict=True) if c]
    while (smaller := _drop_one(rows, circuit)) is not None:
        circuit = smaller
    circuit.sort()
    if len(circuit) == 1:
        what = f"row {circuit[0]} is zero"
    elif len(circuit) == 2:
        what = f"rows {circuit[0]} and {circuit[1]} are parallel"
    else:
        what = f"rows {', '.join(map(str, circuit))} are linearly dependent"
    raise InputError(f"{what}; expected rows in general position (any n of them independent)")


def _drop_one(rows: exact.IntegerRows, dependent: list[int]) -> list[int] | None:
    for s in dependent:
        rest = [r for r in dependent if r != s]
        if exact.rank([rows[r] for r in rest]) < len(rest):
            return rest
    return None


def direction_beside_ray(rows: exact.IntegerRows, tight: tuple[int, ...], depth: int) -> list[int]:
    """A short integer direction in an open cell where `depth` rows are active, beside a ray with tight rows `tight`.

    The ray v is left towards u with w_t.u = -1 on all tight rows, by a step that changes no other sign.
    """
    n = len(rows[0])
    (v,) = exact.kernel([rows[t] for t in tight], n)
    if sum(value > 0 for value in exact.product(rows, v)) != depth:
        v = [-entry for entry in v]
    if tight:
        solved = flint.fmpq_mat(flint.fmpz_mat([*(rows[t] for t in tight), v])).solve(
            flint.fmpq_mat(n, 1, [-1] * len(tight) + [0])
        )
        u = [Fraction(int(solved[i, 0].p), int(solved[i, 0].q)) for i in range(n)]
        pairs = [(sum(map(mul, row, v)), sum(map(mul, row, u))) for j, row in enumerate(rows) if j not in tight]
        step = min((abs(Fraction(a) / b) for a, b in pairs if b), default=Fraction(1)) / 2
        x = [a + step * b for a, b in zip(v, u, strict=True)]
    else:
        x = [Fraction(entry) for entry in v]
    largest = max(map(abs, x))
    for bits in (8, 16, 32, 64, 128):
        short = [round(entry / largest * 2**bits) for entry in x]
        values = exact.product(rows, short)
        if sum(value >= 0 for value in values) == depth:
            return short
    scale = lcm(*(entry.denominator for entry in x))
    return [int(entry * scale) for entry in x]


def _face_counts(histogram: NDArray[np.int64], m: int, n: int) -> NDArray[np.int64]:
    half = np.zeros((n + 1, m + 1 + n), dtype=np.int64)
    rays = np.moveaxis(histogram, 2, 3).reshape(-1, m + 1)
    for lift, coefficients in enumerate(_lowest_vertex_coefficients(n)):
        half[:, 1 + lift : 2 + lift + m] += coefficients @ rays
    counts = half[:, : m + 1].copy()
    for d in range(1, n + 1):
        top = m - n + d
        counts[d, : top + 1] += half[d, : top + 1][::-1]
    counts[0, 0] = 1
    return counts


@cache
def _lowest_vertex_coefficients(n: int) -> NDArray[np.int64]:
    """C[dy, d, (i, k, a)]: coefficient of x^d y^dy in x^(k+1) (1 + x)^(r-a) (1 + x y)^a, r = n - i - k - 1."""
    table = np.zeros((n, n + 1, n, n, n), dtype=np.int64)
    for i in range(n):
        for k in range(n - i):
            for a in range(n - i - k):
                falls = n - i - k - 1 - a
                for lift in range(a + 1):
                    for b in range(falls + 1):
                        table[lift, k + 1 + lift + b, i, k, a] = comb(a, lift) * comb(falls, b)
    return table.reshape(n, n + 1, n**3)

"""The ray sweep: all faces of an arrangement, counted by dimension and positives.

The m hyperplanes w_i-perp cut R^n into faces. Put hyperplane 0 at infinity. In the chart {w_0.x = 1} take a generic
linear objective: a face bounded below has one lowest vertex, and a vertex is an (n-1)-subset of the other rows, so
every such face comes once. At a vertex with p positives off its k = n-1 tight rows, each tight row t has one upward
edge along which only its sign changes, and the sign there is that of c_t in objective = c_0 w_0 + sum c_t w_t. With a
plus signs among them ("ascents"), the faces whose lowest vertex it is have the generating polynomial

    x y^p (1 + x)^(k-a) (1 + x y)^a                       (x marks the linear dimension, y the positives).

What remains:
- a face unbounded below is x times a face of the slice {objective = -t}, t -> infinity: an arrangement in
  w_0-perp with chart -objective > 0 and the next objective; so "slices" 1, 2, ... each lose one dimension;
- antipodes give the faces with w_0 < 0: p becomes (rows not zero) - p;
- the faces inside w_0-perp are a central arrangement of one row less in one dimension less: "flats" 1, 2, ...

Chart (flat i, slice k) hence has dimension n - i - k, rows i+1..m-1 as hyperplanes, and every ray of every chart is
visited exactly once. An affine arrangement is the chart of its row at infinity: flat 0, without antipodes.

Signs come from floats with rigorous error bounds. Where a bound does not settle a sign, the rays concerned are settled
in exact arithmetic (geometry/vertices.py), which also knows the faces at a degenerate vertex, where more rows vanish
than the dimension asks for. Objectives are random forms from a fixed seed; that they are generic is checked as they are
used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import comb, lcm
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj._core import RaySweep
from polyinj._status import Status
from polyinj.errors import BudgetExceeded, InputError
from polyinj.exact import algebra, arrays
from polyinj.geometry.simplify import SimpleArrangement, simplify
from polyinj.geometry.vertices import UnluckyForms, open_vertices

PENCILS_A_RUN = 50_000
# Counts are kept in 64 bits; cursors hold this many levels.
_LARGEST_RANK = 60


@dataclass(frozen=True, slots=True)
class Sweep:
    """The table F[d, p], the depth of the origin, and the n - 1 tight rows of a ray that attains it."""

    face_counts: NDArray[np.int64]
    depth: int
    tight: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How an enumeration runs: threads, a budget of cells, and whom to tell how many cells there are so far."""

    threads: int = 1
    max_cells: int | None = None
    progress: Callable[[int], object] | None = None

    @property
    def pencils(self) -> int:
        """Pencils in one slice of a sweep: some hundredths of a second, and not far past the budget."""
        return PENCILS_A_RUN if self.max_cells is None else min(PENCILS_A_RUN, self.max_cells + 1)

    def report(self, cells: int) -> None:
        """Call the progress hook; raise BudgetExceeded past the budget."""
        if self.progress is not None:
            self.progress(cells)
        if self.max_cells is not None and cells > self.max_cells:
            raise BudgetExceeded(
                f"more than max_cells = {self.max_cells} cells ({cells} counted so far); raise max_cells or ask for "
                "fewer positives",
                cells,
            )


@dataclass(slots=True)
class RayCount:
    """What a sweep of the rays of a simple arrangement found.

    Attributes
    ----------
    face_counts : ndarray of int64, shape (r + 1, k + 1)
        F[d, p] of the reduced arrangement, for an affine one of its part where row 0 is positive (and counted).
    degenerate : tuple of int
        Rows that vanish on one ray and are more than r - 1; empty in general position.
    fewest : (int, tuple of int)
        In general position: least number of positives next to a ray, and the tight rows of that ray.
    histogram : ndarray of int64, shape (r, r, k + 1, r)
        The rays of chart (flat, slice) with p positives and `a` ascents; degenerate ones are not in it.
    """

    face_counts: NDArray[np.int64]
    degenerate: tuple[int, ...]
    fewest: tuple[int, tuple[int, ...]]
    histogram: NDArray[np.int64]


@cache
def draw_forms(rank: int, seed: int) -> NDArray[np.int64]:
    """The objectives f_1, ..., f_{r-1} as integers; divided by 2^50 they are exact doubles of size at most 1."""
    forms = np.random.default_rng(seed).integers(-(2**50), 2**50, (max(rank - 1, 0), rank))
    forms.flags.writeable = False
    return forms


def sweep(matrix: NDArray[Any]) -> Sweep:
    """Sweep the rays of a matrix, shape (m, n) with m >= n, read by `arrays.read_matrix`.

    Raises
    ------
    InputError
        Rows not in general position (some n of them dependent); the message names a dependent set.
    """
    n = matrix.shape[1]
    rows = arrays.integer_rows(matrix)
    simple = simplify(matrix, None)
    if n == 1 and (simple.row_of >= 0).all():
        return _sweep_line(simple.sign_of)
    lines = simple.row_of.tolist()
    for j, line in enumerate(lines):
        if line < 0 or line in lines[:j]:
            _refuse(rows, [j] if line < 0 else [lines.index(line), j])
    if simple.lineality:
        _refuse(rows, list(range(n)))
    if algebra.rank(rows[:n]) < n:
        _refuse(rows, list(range(n)))
    count = count_faces(simple, RunSettings())
    if count.degenerate:
        _refuse(rows, list(count.degenerate))
    return Sweep(count.face_counts, *count.fewest)


def _sweep_line(signs: NDArray[np.int8]) -> Sweep:
    """n = 1: nonzero rows are in general position, and parallel."""
    sides = [int((signs > 0).sum()), int((signs < 0).sum())]
    counts = np.zeros((2, len(signs) + 1), dtype=np.int64)
    counts[0, 0] = 1
    np.add.at(counts[1], sides, 1)
    return Sweep(counts, min(sides), ())


def count_faces(simple: SimpleArrangement, settings: RunSettings) -> RayCount:
    """F[d, p] of a simple arrangement of rank at least 1.

    Raises
    ------
    BudgetExceeded
        More cells than settings.max_cells.
    """
    if simple.rank > _LARGEST_RANK:
        raise InputError(f"the rows have rank {simple.rank}; counts of cells are 64-bit, up to rank {_LARGEST_RANK}")
    for seed in range(64):
        try:
            return _count_faces(simple, settings, draw_forms(simple.rank, seed))
        except UnluckyForms:
            continue
    raise AssertionError("64 draws of random forms in a row met a vertex")


def _count_faces(simple: SimpleArrangement, settings: RunSettings, forms: NDArray[np.int64]) -> RayCount:
    floats, error = arrays.float_rows(simple.matrix)
    m, n = floats.shape
    flats = 1 if simple.affine else n
    cursors = [
        RaySweep(floats, error, forms / 2.0**50, flats, n, part, settings.threads) for part in range(settings.threads)
    ]
    above, below = np.zeros((2, n + 1, m + 1), dtype=np.int64)
    degenerate: tuple[int, ...] = ()
    fewest: tuple[int, tuple[int, ...]] = (m + 1, ())
    counted = [0] * len(cursors)
    with ThreadPoolExecutor(settings.threads) as pool:
        running = {pool.submit(cursor.run, settings.pencils): part for part, cursor in enumerate(cursors)}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                part, state = running.pop(future), future.result()
                cursor = cursors[part]
                counted[part] = int(cursor.histogram[0].sum())
                for vertex in open_vertices(simple.rows, forms.tolist(), cursor) if state == Status.UNCERTAIN else ():
                    signs, dimensions = vertex.rising_faces()
                    np.add.at(above, (dimensions, (signs > 0).sum(axis=1)), 1)
                    np.add.at(below, (dimensions, (signs < 0).sum(axis=1)), 1)
                    positives = int((vertex.signs > 0).sum())
                    zeros = tuple(np.flatnonzero(vertex.signs == 0).tolist())
                    if vertex.slice == 0:
                        fewest = min(fewest, (min(positives, m - len(zeros) - positives), vertex.names))
                    if not vertex.is_simple:
                        degenerate = min(degenerate or zeros, zeros)
                if state != Status.DONE:
                    running[pool.submit(cursor.run, settings.pencils)] = part
                # Each ray of flat 0 is the lowest vertex of one cell.
                settings.report((2 - simple.affine) * (int(above[-1].sum()) + sum(counted)))
    histogram = sum((cursor.histogram for cursor in cursors[1:]), start=cursors[0].histogram)
    for cursor in cursors:
        fewest = min(fewest, (cursor.fewest_positives, cursor.fewest_tight))
    counts = above + _rising_counts(histogram, m, n)
    if not simple.affine:
        counts += below + _antipodes(counts - above)
        counts[0, 0] = 1
    return RayCount(counts, degenerate, fewest, histogram)


def _refuse(rows: algebra.IntegerRows, suspects: list[int]) -> None:
    """Name a dependent set among the suspects, or blame the random forms."""
    relations = algebra.kernel(
        [list(column) for column in zip(*(rows[s] for s in suspects), strict=True)], len(suspects)
    )
    if not relations:
        raise UnluckyForms
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


def _drop_one(rows: algebra.IntegerRows, dependent: list[int]) -> list[int] | None:
    for s in dependent:
        rest = [r for r in dependent if r != s]
        if algebra.rank([rows[r] for r in rest]) < len(rest):
            return rest
    return None


def direction_beside_ray(rows: algebra.IntegerRows, tight: tuple[int, ...], depth: int) -> list[int]:
    """A short integer direction in an open cell where `depth` rows are active, beside a ray with tight rows `tight`.

    The ray v is left towards u with w_t.u = -1 on all tight rows, by a step that changes no other sign.
    """
    n = len(rows[0])
    (v,) = algebra.kernel([rows[t] for t in tight], n)
    if sum(value > 0 for value in algebra.product(rows, v)) != depth:
        v = [-entry for entry in v]
    if tight:
        solved = flint.fmpq_mat(flint.fmpz_mat([*(rows[t] for t in tight), v])).solve(
            flint.fmpq_mat(n, 1, [-1] * len(tight) + [0])
        )
        u = [Fraction(int(solved[i, 0].p), int(solved[i, 0].q)) for i in range(n)]
        pairs = [(algebra.dot(row, v), algebra.dot(row, u)) for j, row in enumerate(rows) if j not in tight]
        step = min((abs(Fraction(a) / b) for a, b in pairs if b), default=Fraction(1)) / 2
        x = [a + step * b for a, b in zip(v, u, strict=True)]
    else:
        x = [Fraction(entry) for entry in v]
    return short_direction(rows, [1] * len(rows), x, depth)


def short_direction(rows: algebra.IntegerRows, weights: Sequence[int], x: Sequence[Fraction], count: int) -> list[int]:
    """Integers, as short as may be, near a direction at which rows of total weight `count` are active, with as many."""
    largest = max(map(abs, x))
    for bits in (8, 16, 32, 64, 128):
        short = [round(entry * 2**bits / largest) for entry in x]
        values = algebra.product(rows, short)
        if sum(weight for weight, value in zip(weights, values, strict=True) if value >= 0) == count:
            return short
    scale = lcm(*(entry.denominator for entry in x))
    return [int(entry * scale) for entry in x]


def _rising_counts(histogram: NDArray[np.int64], m: int, n: int) -> NDArray[np.int64]:
    """F[d, p] of the faces that have a counted ray as their lowest vertex."""
    half = np.zeros((n + 1, m + 1 + n), dtype=np.int64)
    rays = np.moveaxis(histogram, 2, 3).reshape(-1, m + 1)
    for lift, coefficients in enumerate(_lowest_vertex_coefficients(n)):
        half[:, 1 + lift : 2 + lift + m] += coefficients @ rays
    return half[:, : m + 1]


def _antipodes(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """F[d, p] of the antipodes of faces in general position: n - d rows are zero, p of the others turn negative."""
    n, m = counts.shape[0] - 1, counts.shape[1] - 1
    turned = np.zeros_like(counts)
    for d in range(1, n + 1):
        top = m - n + d
        turned[d, : top + 1] = counts[d, : top + 1][::-1]
    return turned


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

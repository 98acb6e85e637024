"""The Tukey depth by a sweep of planes: of polynomial cost, without a proof beyond the exact arithmetic of its own.

Doubles with error bounds walk over all planes (csrc/depth_sweep.h). What they leave open is settled in integers: on a
ray u of such a plane, with p vectors on its side and Z orthogonal to it, the least count nearby is p plus the depth of
Z, a smaller problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, pairwise
from math import comb, lcm, log2
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.errors import InternalError
from polyinj.exact import algebra, arrays
from polyinj.geometry.sweep import short_direction
from polyinj.injectivity._depth_sweep import HIGHEST_RANK, MOST_VECTORS, DepthSweep
from polyinj.injectivity.limits import Limits

# Planes left open are settled one by one, about a millisecond each: with more of them another way is better.
_MOST_OPEN = 2000
_PENCILS_A_SLICE = 4096
# Nanoseconds for each vector of a plane and each of its comparisons.
_COST_A_STEP = 3.0
_NONE = 2**31

Local = Callable[[algebra.IntegerRows], tuple[int, Sequence[Fraction]]]


def sweep_seconds(count: int, rank: int) -> float:
    """About how long a sweep of this many vectors takes; infinite where there is none."""
    if not 2 <= rank <= HIGHEST_RANK or not rank <= count <= MOST_VECTORS:
        return float("inf")
    return comb(count, rank - 2) * count * (2 + log2(count)) * _COST_A_STEP * 1e-9


def sweep_depth(matrix: NDArray[Any], limits: Limits, local: Local) -> tuple[int, list[Fraction]] | None:
    """The depth of the origin among the rows of a matrix, and a direction along which that many are active.

    Parameters
    ----------
    matrix : ndarray, shape (m, n)
        As read by `arrays.read_matrix`; `sweep_seconds` of its shape is finite.
    limits : Limits
        Reached, they end the sweep.
    local : callable
        The depth of fewer dimensions, and its direction, of some of the rows.

    Returns
    -------
    (int, list of Fraction), or None
        None where limits are reached, where doubles do not see that the rows span, or leave too much open.
    """
    floats, error = _doubles(matrix)
    kernel = _swept(floats, error, limits)
    if kernel is not None and not kernel.left_open and (found := kernel.direction()) is not None:
        return kernel.least + kernel.zeros, [Fraction(entry) for entry in found.tolist()]
    return _in_integers(matrix, floats, error, kernel, limits, local)


def _in_integers(
    matrix: NDArray[Any],
    floats: NDArray[np.float64],
    error: float,
    kernel: DepthSweep | None,
    limits: Limits,
    local: Local,
) -> tuple[int, list[Fraction]] | None:
    """The same where the kernel leaves planes open, or sees no direction or not that the vectors span."""
    nonzero = matrix.astype(bool).any(axis=1)
    if not nonzero.any():
        return None
    zeros = int((~nonzero).sum())
    rows, weights = arrays.integer_rows(matrix[nonzero]), [1] * (len(matrix) - zeros)
    if kernel is not None:
        floats = floats[nonzero]
        scaled, lost = arrays.float_rows(floats)
        # Rows that are equal only because what underflows is lost are different ones.
        if error == 0.0 and lost == 0.0:
            floats, first, counts = np.unique(scaled, axis=0, return_index=True, return_counts=True)
            rows, weights = [rows[j] for j in first], counts.tolist()
        # Planes of integers that stay open are too many for one look at each: as of any doubles.
        kernel = _swept(floats, error, limits, weights, whole=False)
    vectors = _Vectors(rows, weights, local)
    if kernel is not None:
        settled = _settled(kernel, vectors, limits)
    elif matrix.shape[1] > 2 or algebra.rank(rows) < 2:
        settled = None
    else:
        vectors.settle(())
        settled = vectors.least, [Fraction(entry) for entry in vectors.direction]
    return None if settled is None else (settled[0] + zeros, settled[1])


def _doubles(matrix: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """The rows as doubles, each scaled by a positive number, and the error of their entries."""
    if matrix.dtype == np.float64:
        return matrix, 0.0
    rows = arrays.integer_rows(matrix)
    if max(abs(entry) for row in rows for entry in row) <= 2**53:
        return np.array(rows, dtype=np.float64), 0.0
    return arrays.float_rows(matrix)


def _swept(
    floats: NDArray[np.float64],
    error: float,
    limits: Limits,
    weights: list[int] | None = None,
    *,
    whole: bool = True,
) -> DepthSweep | None:
    """A sweep that is done and knows that the vectors span."""
    counts = None if weights is None else np.array(weights, dtype=np.int32)
    kernel = DepthSweep(np.ascontiguousarray(floats), error, counts, whole=whole, least=_NONE, room=_MOST_OPEN)
    while (status := kernel.run(_PENCILS_A_SLICE)) == Status.RUNNING:
        if not limits.leave(0):
            return None
    return kernel if status == Status.DONE and kernel.spans else None


def _settled(kernel: DepthSweep, vectors: _Vectors, limits: Limits) -> tuple[int, list[Fraction]] | None:
    """The depth in exact arithmetic, from the best cell of a sweep and the planes that it left open."""
    if kernel.least < _NONE:
        vectors.keep(*vectors.best_cell(kernel.tight))
    if vectors.least > kernel.least:
        raise InternalError(f"{vectors.least} vectors are active where {kernel.least} were counted: {vectors.rows}")
    for bound, chosen in sorted(kernel.left_open):
        for plane in vectors.planes(chosen):
            if bound >= vectors.least:
                break
            if not limits.leave(0):
                return None
            vectors.settle(plane)
    return vectors.least, [Fraction(entry) for entry in vectors.direction]


@dataclass(slots=True)
class _Vectors:
    """Different vectors, how often each stands, and the least count that is known of them.

    seen: rays that were looked at. depths: those of sets of vectors that are orthogonal to one.
    """

    rows: algebra.IntegerRows
    weights: list[int]
    local: Local
    least: int = _NONE
    direction: list[int] = field(default_factory=list)
    seen: set[tuple[int, ...]] = field(default_factory=set)
    depths: dict[tuple[int, ...], tuple[int, Sequence[Fraction]]] = field(default_factory=dict)

    def keep(self, count: int, direction: list[int]) -> None:
        """Take a direction for the best so far, if it has the count that it should have."""
        values = algebra.product(self.rows, direction)
        found = sum(weight for weight, value in zip(self.weights, values, strict=True) if value >= 0)
        if found != count:
            raise InternalError(f"{found} vectors are active where {count} were counted; please report {self.rows}")
        if count < self.least:
            self.least, self.direction = count, direction

    def planes(self, chosen: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """All choices of n - 2 vectors that begin with these, if these are independent."""
        missing = len(self.rows[0]) - 2 - len(chosen)
        later = range(chosen[-1] + 1 if chosen else 0, len(self.rows))
        yield from ((*chosen, *rest) for rest in combinations(later, missing))

    def settle(self, tight: tuple[int, ...]) -> None:
        """Look at every ray of the plane orthogonal to `tight`, in integers."""
        basis = algebra.kernel([self.rows[t] for t in tight], len(self.rows[0]))
        if len(basis) != 2:
            return  # Dependent: its rays lie in planes of independent vectors.
        flat = list(zip(*(algebra.product(self.rows, vector) for vector in basis), strict=True))
        for count, (x, y) in _rays(flat, self.weights):
            if count >= self.least:
                continue
            zeros = tuple(j for j, (a, b) in enumerate(flat) if x * a + y * b == 0)
            ray = algebra.coprime([x * a + y * b for a, b in zip(*basis, strict=True)])
            if tuple(ray) in self.seen:
                continue
            self.seen.add(tuple(ray))
            if zeros not in self.depths:
                self.depths[zeros] = self.local([self.rows[j] for j in zeros for _ in range(self.weights[j])])
            depth, turn = self.depths[zeros]
            if count + depth < self.least:
                self.keep(count + depth, self.beside(ray, turn, count + depth))

    def best_cell(self, tight: tuple[int, ...]) -> tuple[int, list[int]]:
        """The fewest active in cells beside the plane of `tight`, and a direction where that is."""
        basis = algebra.kernel([self.rows[t] for t in tight], len(self.rows[0]))
        flat = list(zip(*(algebra.product(self.rows, vector) for vector in basis), strict=True))
        count, (x, y) = min(_cells(flat, self.weights))
        ray = [x * p + y * q for p, q in zip(*basis, strict=True)]
        if not tight:
            return count, ray
        normals = flint.fmpz_mat([self.rows[t] for t in tight])
        solved = flint.fmpq_mat(normals * normals.transpose()).solve(flint.fmpq_mat(len(tight), 1, [-1] * len(tight)))
        turn = flint.fmpq_mat(normals.transpose()) * solved
        return count, self.beside(ray, [Fraction(int(z.p), int(z.q)) for z in turn.entries()], count)

    def beside(self, ray: list[int], turn: Sequence[Fraction], count: int) -> list[int]:
        """From a ray a little towards `turn`: only vectors orthogonal to the ray change their side."""
        scale = lcm(*(entry.denominator for entry in turn))
        integers = [int(entry * scale) for entry in turn]
        pairs = zip(algebra.product(self.rows, ray), algebra.product(self.rows, integers), strict=True)
        shift = max((b.bit_length() - a.bit_length() + 1 for a, b in pairs if a), default=0)
        x = [Fraction((a << max(shift, 0)) + b) for a, b in zip(ray, integers, strict=True)]
        return short_direction(self.rows, self.weights, x, count)


def _lines(flat: list[tuple[int, int]], weights: list[int]) -> list[tuple[int, int, int, int]]:
    """The lines that vectors of the plane span, by angle: a vector of the upper half, and the weights on its sides."""
    lines: dict[tuple[int, int], list[int]] = {}
    for (a, b), weight in zip(flat, weights, strict=True):
        if a or b:
            side = int((b, a) < (0, 0))
            x, y = algebra.coprime([-a, -b] if side else [a, b])
            lines.setdefault((x, y), [0, 0])[side] += weight
    by_angle = sorted(lines, key=lambda line: (line[1] != 0, Fraction(-line[0], line[1] or 1)))
    return [(*line, lines[line][0], lines[line][1]) for line in by_angle]


def _rays(flat: list[tuple[int, int]], weights: list[int]) -> Iterator[tuple[int, tuple[int, int]]]:
    """Both normals of every line, and the weight on their side, by one turn of a half-plane."""
    lines = _lines(flat, weights)
    inside, everything = sum(up for _, _, up, _ in lines), sum(up + down for _, _, up, down in lines)
    for a, b, up, down in lines:
        yield inside - up, (-b, a)
        yield everything - inside - down, (b, -a)
        inside += down - up


def _cells(flat: list[tuple[int, int]], weights: list[int]) -> Iterator[tuple[int, tuple[int, int]]]:
    """A normal of the half-plane between each line and the next, both ways, and the weight on its side."""
    lines = _lines(flat, weights)
    inside, everything = sum(up for _, _, up, _ in lines), sum(up + down for _, _, up, down in lines)
    for (a, b, up, down), (c, d, _, _) in pairwise([*lines, (-lines[0][0], -lines[0][1], 0, 0)]):
        inside += down - up
        yield inside, (-b - d, a + c)
        yield everything - inside, (b + d, -a - c)

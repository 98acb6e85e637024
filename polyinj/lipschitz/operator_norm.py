"""Norms of matrices, induced by a norm of the inputs and the outputs: exactly for one matrix, in floats for many.

    norm 1    largest sum of sizes in a column (one output: the largest entry, dual to the sum of sizes of an input)
    norm inf  largest sum of sizes in a row    (one output: the sum of sizes)
    norm 2    largest singular value           (one output: the Euclidean length)

The first two are rational; of the third the square is, for one row or column. Else its square is the largest eigenvalue
of the rational matrix G = J J' or J' J, enclosed by a Rayleigh quotient from below and from above by a t for which
t I - G has positive pivots, all in rationals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

FractionRows = list[list[Fraction]]
Floats = NDArray[np.float64]
NORMS = (1, 2, math.inf)


@dataclass(frozen=True, slots=True)
class NormValue:
    """A norm between two doubles; `power` is its exact value (norms 1, inf) or square (norm 2), where rational."""

    lower: float
    upper: float
    power: Fraction | None

    def exceeds(self, other: NormValue) -> bool:
        """Whether it is certainly more, or, where the enclosures overlap without exact values, may be."""
        if self.power is not None and other.power is not None:
            return self.power > other.power
        return self.upper > other.upper


def operator_norm(matrix: FractionRows, norm: float) -> NormValue:
    """The norm of one rational matrix, shape (outputs, n)."""
    if norm != 2:
        lines = matrix if norm == math.inf else list(zip(*matrix, strict=True))
        value = max(sum((abs(entry) for entry in line), Fraction(0)) for line in lines)
        return NormValue(round_down(value), -round_down(-value), value)
    if 1 in (len(matrix), len(matrix[0])):
        square = sum((entry * entry for row in matrix for entry in row), Fraction(0))
        return NormValue(root_below(square), root_above(square), square)
    lines = matrix if len(matrix) <= len(matrix[0]) else [list(column) for column in zip(*matrix, strict=True)]
    gram = [[sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0)) for v in lines] for u in lines]
    low, high = _largest_eigenvalue(gram)
    return NormValue(root_below(low), root_above(high), None)


def float_norms(matrices: Floats, shape: tuple[int, int], norm: float) -> Floats:
    """The norms of many matrices, shape (count, outputs n) in row-major order, rounded."""
    if 1 in shape and norm == 2:
        lengths: Floats = np.sqrt(np.einsum("ij,ij->i", matrices, matrices))
        return lengths
    stack = matrices.reshape(-1, *shape)
    if norm != 2:
        sums: Floats = np.abs(stack).sum(axis=2 if norm == math.inf else 1).max(axis=1)
        return sums
    values: Floats = np.linalg.norm(stack, 2, axis=(1, 2))
    return values


def _largest_eigenvalue(gram: FractionRows) -> tuple[Fraction, Fraction]:
    scale = max(gram[i][i] for i in range(len(gram)))
    if not scale:
        return Fraction(0), Fraction(0)
    floats = np.array([[float(entry / scale) for entry in row] for row in gram])
    values, vectors = np.linalg.eigh(floats)
    top = [Fraction(entry) for entry in vectors[:, -1].tolist()]
    image = [sum((a * x for a, x in zip(row, top, strict=True)), Fraction(0)) for row in gram]
    length = sum(x * x for x in top)
    low = sum((a * x for a, x in zip(image, top, strict=True)), Fraction(0)) / length
    step = Fraction(2) ** -52
    while not _has_positive_pivots(gram, high := scale * Fraction(float(values[-1])) * (1 + step)):
        step *= 2
    return low, high


def _has_positive_pivots(gram: FractionRows, t: Fraction) -> bool:
    """Whether t I - G is positive definite."""
    rows = [[(t if i == j else 0) - entry for j, entry in enumerate(row)] for i, row in enumerate(gram)]
    for i, pivot_row in enumerate(rows):
        if pivot_row[i] <= 0:
            return False
        for row in rows[i + 1 :]:
            factor = row[i] / pivot_row[i]
            row[i:] = [a - factor * b for a, b in zip(row[i:], pivot_row[i:], strict=True)]
    return True


def round_down(value: Fraction) -> float:
    """The largest double that is at most the value."""
    try:
        near = float(value)
    except OverflowError:
        return math.nextafter(math.inf, 0) if value > 0 else -math.inf
    return near if Fraction(near) <= value else math.nextafter(near, -math.inf)


def root_below(square: Fraction) -> float:
    """The largest double whose square is at most this, or the one below it."""
    return round_down(_root(square)[0])


def root_above(square: Fraction) -> float:
    """The least double whose square is at least this, or the one above it."""
    return -round_down(-_root(square)[1])


def _root(square: Fraction) -> tuple[Fraction, Fraction]:
    """Neighbours of the square root, equal where it is found to be rational; 64 bits at least."""
    shift = max(0, 64 - (square.numerator.bit_length() - square.denominator.bit_length()) // 2)
    scaled = square * 4**shift
    whole = math.isqrt(scaled.numerator // scaled.denominator)
    unit = Fraction(1, 2**shift)
    return whole * unit, (whole if whole * whole == scaled else whole + 1) * unit

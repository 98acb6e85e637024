"""The least smallest singular value among many sets of rows of one matrix: floats leave a few, rationals decide.

In floats each set of rows A has singular vectors V, and B = A V has nearly orthogonal columns. Let s be the lengths of
its columns, Q = B diag(1/s), |Q'Q - 1| <= e and |V'V - 1| <= f. Then, whatever rounding did to V,

    smallest singular value of A >= (sqrt(1 - e) min s - rounding of B) / sqrt(1 + f).

A set for which this is not below the incumbent, the least value known, is left. Of the others the characteristic
polynomial p of A'A is taken in integers: all its roots are real, so that they are all above t iff the coefficients of
p(x + t) alternate in sign. If not, its least root is enclosed and becomes the incumbent.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import inf, lcm, nextafter
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj.exact.arrays import fractions
from polyinj.exact.precision import precision

_UNIT = 2.0**-53
_BITS = 128
# Squares are not compared more closely than this share of them.
_TIE = Fraction(1, 2**41)


class LeastSingularValue:
    """The least over the sets of rows that were offered.

    Attributes
    ----------
    scaled : ndarray of float64, shape (m, n)
        The matrix times 2^-exponent, its largest entry in [1/2, 1], rounded.
    exponent : int
    active : ndarray of bool, shape (m,)
        The rows of the incumbent; all rows at first.
    is_zero : bool
        Whether some set does not span: nothing is less.
    """

    def __init__(self, matrix: NDArray[Any]) -> None:
        """From a matrix that `read_matrix` returned."""
        exact = fractions(matrix)
        scale = lcm(*(entry.denominator for row in exact for entry in row))
        self._rows = [[int(entry * scale) for entry in row] for row in exact]
        largest = max(abs(entry) for row in self._rows for entry in row)
        self.exponent = largest.bit_length() - scale.bit_length()
        unit = Fraction(2) ** -self.exponent
        self.scaled = np.array([[float(entry * unit) for entry in row] for row in exact])
        # One unit of the integers is this much in the scaled matrix.
        self._unit = unit / scale
        self.active = np.ones(len(matrix), dtype=bool)
        # The square of the least value in the integers' units; what is not below the bar is no better.
        self._square: flint.arb | None = None
        self._bar = Fraction(0)
        self._float_bar = inf
        self.is_zero = False

    def offer(self, sets: NDArray[np.bool_], counts: Callable[[NDArray[np.bool_]], bool] | None = None) -> None:
        """Consider sets of rows, shape (k, m); of those that may be the least, only the ones that count."""
        few = sets.sum(axis=1) < self.scaled.shape[1]
        for chosen in sets[few]:
            if counts is None or counts(chosen):
                self._take_zero(chosen)
                return
        sets = sets[~few]
        if not len(sets):
            return
        values, bounds = certain_singular_values(np.where(sets[:, :, None], self.scaled, 0.0))
        for place in np.argsort(values).tolist():
            if bounds[place] < self._float_bar and (counts is None or counts(sets[place])):
                self._offer_exactly(sets[place])
                if self.is_zero:
                    return

    def _offer_exactly(self, chosen: NDArray[np.bool_]) -> None:
        rows = flint.fmpz_mat([row for row, taken in zip(self._rows, chosen.tolist(), strict=True) if taken])
        polynomial = (rows.transpose() * rows).charpoly()
        if polynomial[0] == 0:
            self._take_zero(chosen)
            return
        if self._square is not None and _roots_are_above(polynomial, self._bar):
            return
        with precision(_BITS):
            roots: list[Any] = polynomial.complex_roots()
            square = min((root.real for root, _ in roots), key=lambda root: root.mid())
            if self._square is None or square.mid() < self._square.mid():
                self._square, self.active = square, chosen
                self._bar = _fraction(square.mid()) * (1 - _TIE)
                self._float_bar = _ends(square.sqrt() * _ball(self._unit))[1]

    def _take_zero(self, chosen: NDArray[np.bool_]) -> None:
        self._square, self.active, self.is_zero = flint.arb(0), chosen, True

    def ends(self) -> tuple[float, float]:
        """The double nearest to the least value, twice; doubles around it where that is no normal number."""
        assert self._square is not None
        with precision(_BITS):
            return _ends(self._square.sqrt() * _ball(self._unit * Fraction(2) ** self.exponent))


def certain_singular_values(stack: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of matrices (k, m, n) with entries up to 1: smallest singular values as computed, and certain lower bounds."""
    _, m, n = stack.shape
    _, values, right = np.linalg.svd(stack, full_matrices=False)
    turn = np.swapaxes(right, 1, 2)
    if turn.shape[2] < n:
        return np.zeros(len(stack)), np.zeros(len(stack))
    images = stack @ turn
    lengths = np.sqrt(np.einsum("kij,kij->kj", images, images))
    least = lengths.min(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = images / lengths[:, None, :]
        skew = _distance_from_one(np.swapaxes(columns, 1, 2) @ columns) + 2 * n * (m + 8) * _UNIT
    stretch = _distance_from_one(np.swapaxes(turn, 1, 2) @ turn) + 2 * n * (n + 8) * _UNIT
    # Rounding of the entries, of the products, and of numbers below the normal range.
    norms = np.sqrt(np.einsum("kij,kij->k", stack, stack)) * (1 + 1e-9) + 1e-300
    rounding = (n + 8) * _UNIT * norms * np.sqrt(n * (1 + stretch)) + 1e-300
    certain = np.where(skew < 1, np.sqrt(np.maximum(1 - np.nan_to_num(skew, nan=1.0), 0)), 0.0)
    bounds = (certain * least * (1 - (m + 16) * _UNIT) - rounding) / np.sqrt(1 + stretch) * (1 - 16 * _UNIT)
    return values[:, -1], bounds


def _distance_from_one(grams: NDArray[np.float64]) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = np.abs(grams - np.eye(grams.shape[-1])).sum(axis=2).max(axis=1)
    return sums


def _roots_are_above(polynomial: flint.fmpz_poly, bound: Fraction) -> bool:
    """Whether all roots, which are real, are above a rational bound."""
    shift = flint.fmpq_poly([flint.fmpq(bound.numerator, bound.denominator), 1])
    moved = flint.fmpq_poly(polynomial)(shift)
    return all((moved[i] > 0) == ((moved.degree() - i) % 2 == 0) and moved[i] != 0 for i in range(moved.degree() + 1))


def _ball(value: Fraction) -> flint.arb:
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def _ends(value: flint.arb) -> tuple[float, float]:
    middle, radius = (_fraction(part) for part in (value.mid(), value.rad()))
    low, high = middle - radius, middle + radius
    if not high:
        return 0.0, 0.0
    largest = nextafter(inf, 0)
    if middle > Fraction(largest):
        return largest, inf
    nearest = float(middle)
    if nearest >= 2.0**-1022 and radius < middle * Fraction(2) ** -60:
        return nearest, nearest
    below = float(low)
    if Fraction(below) > low:
        below = nextafter(below, -inf)
    above = float(high)
    if Fraction(above) < high:
        above = nextafter(above, inf)
    return max(below, 0.0), above


def _fraction(exact: flint.arb) -> Fraction:
    mantissa, exponent = exact.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)

"""From two points whose outputs nearly agree, in doubles, to two whose outputs agree, in rationals.

Around x the network is affine, and around y; so outputs that agree are a system of linear equations for both. Rounded,
the points miss it by little: as many of their coordinates as there are equations are then solved for, exactly.
"""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np
from scipy.linalg import qr

from polyinj.certificates.domain import Ball, Box
from polyinj.deep.exact_piece import ExactLayer, ExactPiece, exact_images
from polyinj.deep.float_pieces import Floats
from polyinj.exact.algebra import IntegerRows
from polyinj.exact.arrays import Point

# Bits that the coordinates are rounded to, in turn: the regions are small where there are many.
_BITS = (16, 26, 40, 60)
# Digits of the integers that are compared in doubles.
_DIGITS = 900


def exact_pair(
    layers: list[ExactLayer], x: Floats, y: Floats, domain: Box | Ball | None = None
) -> tuple[Point, Point] | None:
    """Two different points of the domain near x and y with the same outputs of layers, of which the last has no ReLU.

    None where the regions of x and y hold no such points close by.
    """
    size = max(float(np.abs(x).max()), float(np.abs(y).max()))
    if not 0 < size < np.inf:
        return None
    for bits in _BITS:
        unit = Fraction(2) ** (int(np.frexp(size)[1]) - bits)
        points = [[Fraction(round(Fraction(entry) / unit)) * unit for entry in point.tolist()] for point in (x, y)]
        pair = _solve(layers, points, unit.denominator)
        if pair is None or pair[0] == pair[1]:
            continue
        if domain is not None and not all(map(domain.contains, pair)):
            continue
        of_x, of_y = exact_images(layers, pair)
        if of_x == of_y:
            return pair
    return None


def _solve(layers: list[ExactLayer], points: list[list[Fraction]], denominator: int) -> tuple[Point, Point] | None:
    """The points, moved so that the affine maps around them agree."""
    n = len(points[0])
    found = []
    for point in points:
        piece = ExactPiece(point, range(n), denominator)
        for layer in layers:
            piece.affine(layer)
            if piece.rectify(layer) is None:
                return None
        found.append(piece.rows)
    first, second = found
    system = [[*a[:n], *(-entry for entry in b[:n])] for a, b in zip(first, second, strict=True)]
    missed = [[b[n] - a[n]] for a, b in zip(first, second, strict=True)]
    chosen = _independent_columns(system)
    if chosen is None:
        return None
    try:
        steps = flint.fmpz_mat([[row[j] for j in chosen] for row in system]).solve(flint.fmpz_mat(missed))
    except ZeroDivisionError:
        return None
    moved = [*points[0], *points[1]]
    for place, j in enumerate(chosen):
        step = steps[place, 0]
        moved[j] += Fraction(int(step.p), int(step.q))
    return tuple(moved[:n]), tuple(moved[n:])


def _independent_columns(system: IntegerRows) -> list[int] | None:
    """As many columns as there are rows, the most independent in doubles; None where there are fewer columns."""
    if len(system) > len(system[0]):
        return None
    longest = max((abs(entry).bit_length() for row in system for entry in row), default=0)
    drop = max(0, longest - _DIGITS)
    floats = np.array([[float(entry >> drop) for entry in row] for row in system])
    floats /= np.abs(floats).max(axis=1, keepdims=True) + 1e-300
    _, _, order = qr(floats, mode="economic", pivoting=True)
    chosen: list[int] = order[: len(system)].tolist()
    return chosen

"""Layers that are hard to read right: nearly dependent rows, numbers at the ends of the floating-point range, and
domains whose sides touch the hyperplanes of rows.

`draw` makes a layer, `draw_matrix` the weights alone; a case is repeated by its seed.
"""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from polyinj import Ball, Box

TINY = 5e-324


def budget(cases):
    """(number of cases to try, first seed): the number given and 0, unless the environment says others."""
    return int(os.environ.get("POLYINJ_FUZZ_CASES", cases)), int(os.environ.get("POLYINJ_FUZZ_SEED", 0))


def assert_both(outcomes):
    """Both outcomes were met. Asserted of the seeds that the suite always runs: others may well meet one alone."""
    if not {"POLYINJ_FUZZ_CASES", "POLYINJ_FUZZ_SEED"} & os.environ.keys():
        assert set(outcomes) == {False, True}


def in_parts(cases, size):
    """Parametrises a test by `seeds`, one for each case, in parts of at least this size that workers share."""
    number, first = budget(cases)
    parts = max(1, min(number // size, 200))
    ends = [first + number * part // parts for part in range(parts + 1)]
    return pytest.mark.parametrize("seeds", [range(*pair) for pair in pairwise(ends)], ids="{0.start}-{0.stop}".format)


def small_integers(rng, m, n):
    return rng.integers(-3, 4, (m, n)).astype(float)


def gaussian(rng, m, n):
    return rng.standard_normal((m, n))


def powers_of_two(rng, m, n):
    return rng.choice([-1.0, 0.0, 1.0], (m, n)) * 2.0 ** rng.integers(-60, 61, (m, n))


def extreme_ratios(rng, m, n):
    """Entries from the smallest subnormal to nearly the largest double."""
    return rng.choice([-1.0, 0.0, 1.0], (m, n)) * rng.uniform(1, 10, (m, n)) * 10.0 ** rng.integers(-300, 300, (m, n))


def subnormal(rng, m, n):
    return rng.integers(-4, 5, (m, n)) * TINY


def subnormal_beside_normal(rng, m, n):
    return small_integers(rng, m, n) * rng.choice([1.0, 1e-310, TINY], (m, n))


def huge(rng, m, n):
    return rng.choice([-1.0, 0.0, 1.0], (m, n)) * rng.choice([1.7e308, np.finfo(float).max, 1e300, 1.0], (m, n))


def scaled_rows(rng, m, n):
    return small_integers(rng, m, n) * 10.0 ** rng.integers(-150, 150, (m, 1))


def scaled_columns(rng, m, n):
    return small_integers(rng, m, n) * 10.0 ** rng.integers(-150, 150, (1, n))


def opposite_pairs(rng, m, n):
    """Concatenated ReLU: rows and their negatives."""
    half = small_integers(rng, (m + 1) // 2, n)
    return np.vstack([half, -half])[:m]


def nearly_opposite(rng, m, n):
    """Rows and their negatives, some entries moved to the next double."""
    rows = opposite_pairs(rng, m, n) * rng.uniform(0.5, 2, (m, 1))
    moved = rng.random((m, n)) < 0.3
    return np.where(moved, np.nextafter(rows, rng.choice([-9.0, 9.0], (m, n))), rows)


def nearly_dependent(rng, m, n):
    """Rows of a small rank, moved by about 1e-17 to 1e-8."""
    rank = max(n - 1, 1)
    rows = rng.integers(-2, 3, (m, rank)) @ rng.integers(-2, 3, (rank, n)).astype(float)
    return rows + rng.choice([0.0, 1.0], (m, n)) * rng.standard_normal((m, n)) * 10.0 ** -rng.integers(8, 18, (m, 1))


def repeated(rng, m, n):
    few = small_integers(rng, max(m // 2, 1), n)
    return few[rng.integers(0, len(few), m)] * rng.choice([1.0, 2.0, 0.5, -1.0], (m, 1))


def polygon(rng, m, n):
    """Corners of a regular polygon as cos and sin give them: nearly opposite, nearly dependent."""
    angles = 2 * np.pi * np.arange(m) / m
    rows = np.zeros((m, n))
    rows[:, 0] = np.cos(angles)
    rows[:, min(1, n - 1)] += np.sin(angles)
    rows[:, 2:] = rng.integers(-1, 2, (m, max(n - 2, 0)))
    return rows


def braid(rng, m, n):
    """Differences of two coordinates, and coordinates: many rows through every point."""
    unit = np.eye(n + 1, n)
    pairs = rng.integers(0, n + 1, (m, 2))
    return (unit[pairs[:, 0]] - unit[pairs[:, 1]]) * rng.choice([-1.0, 1.0], (m, 1))


def rational(rng, m, n):
    entries = [
        Fraction(int(a), int(b)) for a, b in zip(rng.integers(-5, 6, m * n), rng.integers(1, 8, m * n), strict=True)
    ]
    rows = np.empty((m, n), dtype=object)
    rows.flat[:] = entries
    return rows


def rational_beyond_doubles(rng, m, n):
    rows = rational(rng, m, n)
    for i in range(m):
        rows[i] *= Fraction(10) ** int(rng.integers(-400, 400))
    return rows


MATRICES = (
    *(small_integers, gaussian, powers_of_two, extreme_ratios, subnormal, subnormal_beside_normal, huge, scaled_rows),
    *(scaled_columns, opposite_pairs, nearly_opposite, nearly_dependent, repeated, polygon, braid, rational),
    rational_beyond_doubles,
)


def draw_matrix(rng, rows=None, columns=None):
    """(name of the family, weights): of up to 3 columns, and of up to 3 + 2 columns rows, unless the shape is given."""
    n = int(rng.integers(1, 4)) if columns is None else columns
    m = int(rng.integers(1, 4 + 2 * n)) if rows is None else rows
    family = MATRICES[rng.integers(len(MATRICES))]
    return family.__name__, family(rng, m, n)


def draw(rng, rows=None, columns=None):
    """(name, weights, bias or None, domain or None)."""
    name, weights = draw_matrix(rng, rows, columns)
    n = weights.shape[1]
    point = [Fraction(int(x), 2) for x in rng.integers(-2, 3, n)]
    kind = ("no bias", "small bias", "bias through a point", "bias beside a point", "extreme bias")[rng.integers(5)]
    bias = _bias(rng, kind, weights, point)
    where = ("everywhere", "everywhere", "box", "flat box", "nonnegative", "ball")[rng.integers(6)]
    return f"{name}, {kind}, {where}", weights, bias, _domain(rng, where, point)


def _bias(rng, kind, weights, point):
    m = len(weights)
    if kind == "no bias":
        return None
    if kind == "small bias":
        return rng.integers(-3, 4, m) / 2
    if kind == "extreme bias":
        return rng.choice([-1.0, 0.0, 1.0], m) * 10.0 ** rng.integers(-323, 308, m)
    # Every hyperplane through one point, or beside it.
    values = [-sum(Fraction(a) * x for a, x in zip(row, point, strict=True)) for row in weights.tolist()]
    if kind == "bias through a point" and weights.dtype == object:
        return np.array(values, dtype=object)
    floats = np.array([_clipped(value) for value in values])
    if kind == "bias beside a point":
        step = np.nextafter(floats, rng.choice([-1.7e308, 1.7e308], m))
        floats = np.where(rng.random(m) < 0.4, step, floats)
    return floats


def _clipped(value):
    largest = Fraction(np.finfo(float).max)
    return float(min(max(value, -largest), largest))


def _domain(rng, where, point):
    n = len(point)
    if where == "everywhere":
        return None
    if where == "nonnegative":
        return Box.nonnegative(n)
    if where == "ball":
        centre = [*map(float, point)] if rng.random() < 0.5 else [0.0] * n
        return Ball(centre, float(rng.choice([0.5, 1.0, 2.5, 1e-3, 1e5, 1e-300, TINY, 1e300])))
    ends = [(float(x) - float(rng.integers(0, 3)), float(x) + float(rng.integers(1, 3))) for x in point]
    if where == "flat box":
        k = int(rng.integers(n))
        low = float(rng.choice([ends[k][0], 0.0, 1.0]))
        ends[k] = (low, float(np.nextafter(low, np.inf)))
    low, high = ([end if rng.random() < 0.8 else side for end in column] for column, side in _columns(ends))
    return Box(low, high)


def _columns(ends):
    lower, upper = zip(*ends, strict=True)
    return (lower, -np.inf), (upper, np.inf)

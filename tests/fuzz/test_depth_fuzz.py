"""Tukey depths of rows of every family against the cells of the arrangement, counted in rationals."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
import pytest
from reference import injectivity

from fuzz import families
from polyinj import tukey_depth

# Two rows are opposite but for 51 digits, and rows of zeros stand beside them.
ZEROS_BESIDE_EXTREMES = np.array([[0, 0], [0, 0], [-5e296, -6e245], [7e-7, 0], [0, -8e296], [0, 9e86]])


def regular_polygon(corners):
    angles = 2 * np.pi * np.arange(corners) / corners
    return np.column_stack([np.cos(angles), np.sin(angles)])


def depth_by_cells(rows):
    """The least number of active rows in an open cell; zero rows are active everywhere."""
    integers = []
    for row in rows.tolist():
        scale = lcm(*(Fraction(entry).denominator for entry in row))
        integers.append([int(Fraction(entry) * scale) for entry in row])
    return min(sum(sign >= 0 for sign in signs) for signs in injectivity.cells(integers, rows.shape[1]))


@pytest.mark.parametrize(
    "rows",
    [np.array([[1, 1e-17], [-1, 0], [0, 1]]), ZEROS_BESIDE_EXTREMES, *map(regular_polygon, (3, 4, 5, 16, 18, 22, 25))],
    ids=lambda rows: f"{len(rows)} rows",
)
def test_nearly_opposite_rows(rows):
    result = tukey_depth(rows)
    assert result.depth == depth_by_cells(rows)
    result.verify()


@pytest.mark.slow
@families.in_parts(300, 50)
def test_depths_of_every_family(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        name, rows = families.draw_matrix(rng)
        expected = depth_by_cells(rows)
        for twin in (rows, rows[rng.permutation(len(rows))], rows * rng.choice([-1, 1], rows.shape[1])):
            try:
                result = tukey_depth(twin)
                assert result.depth == expected
                result.verify()
                assert tukey_depth(twin, certificate=False).depth == expected
            except Exception as error:
                raise AssertionError(f"seed {seed}, {name}: {type(error).__name__}: {error}\n{twin!r}") from error

"""The ray sweep against a slow reference, identities, symmetries and trouble."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from helpers import gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import face_lattice, injectivity

from polyinj import Arrangement, InputError
from polyinj.exact import algebra, arrays
from polyinj.geometry.sweep import sweep
from polyinj.testing import (
    general_position_matrices,
    integer_matrices,
    nearly_dependent_matrices,
    positive_scalings,
    rational_rotations,
)


def cells(m, n):
    return 2 * sum(comb(m - 1, i) for i in range(n))


def reference_counts(rows):
    """F[d][p] by brute force in Fractions."""
    exact_rows = [[Fraction(entry) for entry in row] for row in rows.tolist()]
    return face_lattice.face_counts(face_lattice.covectors(exact_rows), *rows.shape)


@pytest.mark.slow
@settings(max_examples=60)
@given(general_position_matrices(max_rows=7, max_columns=4))
def test_face_counts_equal_the_twin(rows):
    assert Arrangement(rows).face_counts().tolist() == reference_counts(rows)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (6, 1), (2, 2), (9, 2), (3, 3), (8, 3), (7, 4), (7, 5)])
def test_face_counts_of_gaussian_rows_equal_the_twin(m, n):
    rows = gaussian(m, n)
    assert Arrangement(rows).face_counts().tolist() == reference_counts(rows)


@pytest.mark.parametrize(("m", "n"), [(20, 2), (12, 3), (20, 4), (17, 5), (14, 6), (12, 7), (10, 8)])
def test_faces_of_each_dimension_are_as_many_as_zaslavsky_says(m, n):
    arrangement = Arrangement(gaussian(m, n))
    counts = arrangement.face_counts()
    assert counts.sum(axis=1).tolist() == [1, *(comb(m, n - d) * cells(m - n + d, d) for d in range(1, n + 1))]
    assert arrangement.count_cells() == cells(m, n)
    # x -> -x turns p positives into m - z - p.
    for d in range(1, n + 1):
        assert counts[d, : m - n + d + 1].tolist() == counts[d, : m - n + d + 1][::-1].tolist()


@given(general_position_matrices(max_rows=8, max_columns=3), st.integers(0, 8))
def test_max_positive_keeps_columns_and_shape(rows, limit):
    arrangement = Arrangement(rows)
    counts = arrangement.face_counts()
    kept = arrangement.face_counts(limit)
    assert kept.shape == counts.shape
    assert (kept[:, : limit + 1] == counts[:, : limit + 1]).all()
    assert not kept[:, limit + 1 :].any()
    assert arrangement.count_cells(limit) == counts[-1, : limit + 1].sum()


@given(general_position_matrices(max_rows=8, max_columns=4))
def test_whole_sphere_and_empty_complex(rows):
    arrangement = Arrangement(rows)
    m, n = rows.shape
    assert arrangement.euler_characteristic(m) == 1 + (-1) ** (n - 1)
    if arrangement.depth:
        assert arrangement.euler_characteristic(arrangement.depth - 1) == 0


@given(general_position_matrices(max_rows=9, max_columns=4))
def test_depth_is_attained_beside_the_shallowest_ray(rows):
    arrangement = Arrangement(rows)
    values = algebra.product(rows.tolist(), arrangement.shallowest_direction())
    assert 0 not in values
    assert sum(value > 0 for value in values) == arrangement.depth
    assert arrangement.depth == np.flatnonzero(arrangement.face_counts()[-1])[0]


@pytest.mark.slow
@given(general_position_matrices(max_rows=7, max_columns=3), st.data())
def test_order_scale_and_rotation_change_nothing(rows, data):
    counts = Arrangement(rows).face_counts().tolist()
    m, n = rows.shape
    order = data.draw(st.permutations(range(m)))
    assert Arrangement(rows[order]).face_counts().tolist() == counts
    scales = data.draw(positive_scalings(m))
    scaled = np.array([[s * Fraction(int(e)) for e in row] for s, row in zip(scales, rows, strict=True)], dtype=object)
    assert Arrangement(scaled).face_counts().tolist() == counts
    rotation = data.draw(rational_rotations(n))
    turned = np.array([[injectivity.dot(row, axis) for axis in rotation] for row in rows.tolist()], dtype=object)
    assert Arrangement(turned * Fraction(1)).face_counts().tolist() == counts


@pytest.mark.slow
@given(st.one_of(integer_matrices(max_rows=7, tall=True), nearly_dependent_matrices(max_rows=6)))
def test_the_sweep_recognises_dependent_rows(rows):
    n = rows.shape[1]
    exact_rows = [[Fraction(entry) for entry in row] for row in rows.tolist()]
    if all(injectivity.rank(list(chosen)) == n for chosen in combinations(exact_rows, n)):
        assert sweep(arrays.read_matrix(rows)).face_counts.tolist() == reference_counts(rows)
    else:
        with pytest.raises(InputError, match=r"row \d+ is zero|are parallel|are linearly dependent"):
            sweep(arrays.read_matrix(rows))


def test_degeneracy_is_named():
    rows = gaussian(9, 3)
    rows[7] = -2 * rows[3]
    with pytest.raises(InputError, match="rows 3 and 7 are parallel"):
        sweep(arrays.read_matrix(rows))
    rows = gaussian(9, 3)
    rows[4] = 0
    with pytest.raises(InputError, match="row 4 is zero"):
        sweep(arrays.read_matrix(rows))
    rows = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [5, 7, 0]])
    with pytest.raises(InputError, match="rows 0, 1, 4 are linearly dependent"):
        sweep(arrays.read_matrix(rows))


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1.0, 1e300])
def test_scales_beyond_the_range_of_products(scale):
    rows = np.array([[3, 1], [-1, 2], [-2, -5], [1, -1]], dtype=float) * scale
    assert Arrangement(rows).face_counts().tolist() == reference_counts(rows)


def test_entries_of_very_different_size():
    rows = np.array([[1e300, 1e-300, 1], [1, 1e300, 1e-300], [1e-300, 1, 1e300], [5e-324, 1, 2], [-1, 5e-324, 1]])
    assert Arrangement(rows).face_counts().tolist() == reference_counts(rows)


@pytest.mark.slow
def test_signs_that_floats_cannot_settle():
    # The last row is a rounded combination of two others: its true side of their plane is lost in float products.
    for seed in range(60):
        rows = gaussian(5, 3, seed)
        rows[4] = rows[0] * rows[1, 0] + rows[1] / 3
        assert Arrangement(rows).face_counts().tolist() == reference_counts(rows)


@pytest.mark.parametrize(("m", "n", "depths"), [(35, 5, [7, 5, 7]), (54, 6, [9])])
def test_known_depths(m, n, depths):
    assert [Arrangement(gaussian(m, n, seed)).depth for seed in range(len(depths))] == depths

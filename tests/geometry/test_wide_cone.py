"""Extreme rays in integers of many limbs, against those in Python's integers."""

import numpy as np
import pytest

from polyinj._double_description import LIMBS_OF_ROWS, extend_rays
from polyinj.exact import algebra, arrays
from polyinj.geometry import exact_cone
from polyinj.geometry.cone import Cone
from polyinj.geometry.exact_cone import PointedRows, double_description, extreme_rays
from polyinj.geometry.wide_cone import wide_rays


@pytest.fixture
def in_python(monkeypatch):
    monkeypatch.setattr(exact_cone, "describe_rows", lambda rows: None)


def float_rows(seed):
    """Doubles of any size, most of them on one side of a point."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    spread = int(rng.choice([0, 3, 12]))
    rows = rng.standard_normal((int(rng.integers(n, 12)), n))
    rows *= 10.0 ** rng.integers(-spread, spread + 1, rows.shape)
    return np.where((rows.sum(axis=1) > 0)[:, None], rows, -rows) if seed % 3 else rows


def test_rays_and_where_they_are_tight(in_python):
    found = 0
    for seed in range(80):
        rows = arrays.integer_rows(float_rows(seed))
        wide = wide_rays(rows, len(rows[0]))
        if wide is None:
            continue
        found += 1
        rays, incidence = wide
        assert sorted(map(tuple, rays)) == sorted(extreme_rays(rows, len(rows[0])))
        assert incidence.tolist() == [[value == 0 for value in algebra.product(rows, ray)] for ray in rays]
    assert found >= 50


def test_rays_of_cones_that_are_not_simple(in_python):
    """Small integers: many rays are tight at more rows than they need, and often the divisions are without rest."""
    found = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(3, 6))
        rows = rng.integers(-1, 2, (16, n))
        rows[:, -1] = 1
        rows = [list(row) for row in dict.fromkeys(map(tuple, rows.tolist()))]
        if algebra.rank(rows) < n or (wide := wide_rays(rows, n)) is None:
            continue
        found += 1
        assert sorted(map(tuple, wide[0])) == sorted(extreme_rays(rows, n))
    assert found >= 20


def test_descriptions_are_those_in_python(in_python):
    for seed in range(40):
        matrix = float_rows(seed)
        rows = arrays.integer_rows(matrix)
        expected = double_description(rows, [], len(rows[0]))
        assert Cone.from_inequalities(matrix).description == expected
        assert Cone.from_rays(matrix).description == expected.dual


def test_redundant_rows_are_no_facets():
    rows = np.array([[1.0, 0, 0.1], [0, 1.0, 0.1], [-1, -1, 0.3], [0.1, 0.1, 5.0], [0.3, -0.2, 1.0]])
    cone = Cone.from_inequalities(rows)
    assert len(cone.facets) == len(cone.rays) == 3
    assert cone == Cone.from_rays(cone.description.rays)


def test_what_is_not_simple_or_too_long_is_left_to_others(in_python):
    pyramid = [[1, 0, 1], [-1, 0, 1], [0, 1, 1], [0, -1, 1], [3, 1, 3], [1, -2, 4]]
    found = wide_rays(pyramid, 3)
    assert found is None or sorted(map(tuple, found[0])) == sorted(extreme_rays(pyramid, 3))
    assert wide_rays(pyramid[:3], 3) is None
    long = [[1, 2 ** (64 * LIMBS_OF_ROWS)], [1, 1], [2, 1]]
    assert wide_rays(long, 2) is None
    dependent = [[1, 0, 5], [2, 0, 10], [1, 1, 7], [0, 1, 1], [-1, 3, 2]]
    pointed = PointedRows(dependent, [], 3)
    found = wide_rays(pointed.rows, 3)
    assert found is None or sorted(map(tuple, found[0])) == sorted(extreme_rays(pointed.rows, 3))
    one, sign = np.ones((1, 1, 1), dtype=np.uint64), np.ones((1, 1), dtype=np.int8)
    with pytest.raises(ValueError, match="limbs"):
        extend_rays(one, sign, one, sign)

"""Intrinsic volumes of unions of orthants: two formulas, sums, duality."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from polyinj.errors import InputError
from polyinj.exact.orthant_volumes import orthant_union_intrinsic_volumes
from polyinj.theory.intrinsic import conic_intrinsic_volumes


def volumes_by_faces(m, k):
    """Sum over the orthant faces, term by term."""
    return [
        sum(
            Fraction(comb(m, d) * comb(d, j) * (-1) ** (d - j) * sum(comb(d, p) for p in range(min(k, d) + 1)), 2**d)
            for d in range(j, m + 1)
        )
        for j in range(m + 1)
    ]


def generating_polynomial(m, k, t):
    return Fraction(sum(comb(m, p) * (t - 1) ** p * (t + 1) ** (m - p) for p in range(min(k, m) + 1)), 2**m)


@pytest.mark.parametrize("m", range(1, 16))
def test_volumes_agree_with_the_sum_over_faces(m):
    for k in range(m + 2):
        assert orthant_union_intrinsic_volumes(m, k) == volumes_by_faces(m, k)


@pytest.mark.parametrize(("m", "k"), [(40, 3), (41, 20), (60, 59), (200, 24)])
def test_volumes_are_the_coefficients_of_the_generating_polynomial(m, k):
    volumes = orthant_union_intrinsic_volumes(m, k)
    for t in (-3, -1, 0, 1, 2, 7):
        assert sum(v * t**j for j, v in enumerate(volumes)) == generating_polynomial(m, k, t)


@pytest.mark.parametrize("m", [1, 2, 5, 12, 33])
def test_volumes_sum_to_one_and_either_parity_to_a_half(m):
    for n in range(1, m + 1):
        volumes = conic_intrinsic_volumes(m, n)
        assert len(volumes) == m + 1
        assert sum(volumes) == 1
        assert sum(volumes[0::2]) == sum(volumes[1::2]) == Fraction(1, 2)


def test_one_orthant_is_a_product_and_the_union_of_all_is_the_space():
    assert conic_intrinsic_volumes(7, 1) == [Fraction(comb(7, j), 2**7) for j in range(8)]
    assert conic_intrinsic_volumes(3, 4) == conic_intrinsic_volumes(3, 9) == [0, 0, 0, 1]


def test_top_volume_is_the_share_of_the_orthants():
    assert conic_intrinsic_volumes(np.int64(10), np.int32(4))[-1] == Fraction(1 + 10 + 45 + 120, 2**10)


@pytest.mark.parametrize("sizes", [(0, 1), (3, 0), (-2, 2), (2.0, 1), (3, "2"), (True, 1), (None, 1), (3, 1.5)])
def test_sizes_outside_the_domain_are_refused(sizes):
    with pytest.raises(InputError, match=r"^[mn] is .*; expected an integer, at least 1$"):
        conic_intrinsic_volumes(*sizes)

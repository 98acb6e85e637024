"""Expected Euler characteristic, face counts and exact probabilities at finite (m, n)."""

import itertools
import math
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from flint import arb

from polyinj.errors import InputError
from polyinj.theory import euler, euler_sum
from polyinj.theory.euler import (
    count_cells,
    euler_rate,
    exact_noninjectivity_probability,
    expected_euler_characteristic,
    expected_face_counts,
    log_expected_euler_characteristic,
    noninjectivity_bound,
    wendel_probability,
)
from polyinj.theory.intrinsic import conic_intrinsic_volumes

EXACT = {
    **{(m, 1): Fraction(2, 2**m) for m in range(1, 12)},
    (4, 2): Fraction(3, 2),
    (5, 2): Fraction(5, 4),
    (6, 2): Fraction(15, 16),
    (7, 2): Fraction(21, 32),
    (8, 2): Fraction(7, 16),
    (6, 3): Fraction(13, 8),
    (7, 3): Fraction(67, 32),
    (8, 3): Fraction(289, 128),
    (9, 3): Fraction(275, 128),
    (10, 3): Fraction(239, 128),
    (11, 3): Fraction(97, 64),
    (12, 3): Fraction(2389, 2048),
    (7, 4): Fraction(0),
    (8, 4): Fraction(0),
}


def chi_from_volumes(m, n):
    """The spherical Crofton formula; the range has dimension min(m, n)."""
    return 2 * sum(conic_intrinsic_volumes(m, n)[m - min(m, n) + 1 :: 2])


def chi_from_faces(m, n):
    counts = expected_face_counts(m, n)
    return sum((-1) ** (d - 1) * counts[d, p] for d in range(1, n + 1) for p in range(n))


@pytest.mark.parametrize(("size", "value"), EXACT.items())
def test_known_values(size, value):
    assert expected_euler_characteristic(*size) == value


@pytest.mark.parametrize("n", range(1, 10))
def test_three_routes_to_the_euler_characteristic_agree(n):
    for m in range(n, 31):
        assert expected_euler_characteristic(m, n) == chi_from_volumes(m, n) == chi_from_faces(m, n)


def test_routes_agree_at_larger_sizes():
    for m, n in [(80, 10), (81, 11), (200, 40), (150, 76), (150, 75), (149, 75), (120, 119), (90, 90)]:
        assert expected_euler_characteristic(m, n) == chi_from_volumes(m, n)
    assert expected_euler_characteristic(60, 20) == chi_from_faces(60, 20)


def test_fewer_rows_than_columns_give_the_whole_sphere():
    for m in range(1, 8):
        for n in range(m + 1, m + 4):
            assert expected_euler_characteristic(m, n) == chi_from_volumes(m, n) == 1 + (-1) ** (m - 1)


@pytest.mark.parametrize("n", range(1, 7))
def test_three_routes_agree_for_every_budget(n):
    for m, k in itertools.product(range(1, 15), range(17)):
        chi = expected_euler_characteristic(m, n, k)
        assert chi == 2 * sum(conic_intrinsic_volumes(m, n, k)[m - min(m, n) + 1 :: 2])
        if m >= n:
            faces = expected_face_counts(m, n, k).sum(axis=1)
            assert chi == sum((-1) ** (d - 1) * faces[d] for d in range(1, n + 1))
        sign, value = log_expected_euler_characteristic(m, n, k)
        assert sign == (chi > 0) - (chi < 0)
        assert value == (pytest.approx(math.log(abs(chi)), rel=1e-14, abs=1e-14) if chi else -math.inf)


def test_the_default_budget_is_that_of_injectivity():
    for function in (
        expected_euler_characteristic,
        log_expected_euler_characteristic,
        conic_intrinsic_volumes,
        noninjectivity_bound,
    ):
        assert function(23, 4) == function(23, 4, 3) != function(23, 4, 4)
    assert (expected_face_counts(9, 3)[:, :3] == expected_face_counts(9, 3, 2)[:, :3]).all()
    assert not expected_face_counts(9, 3, 2)[:, 3:].any()


def test_balls_agree_with_the_exact_integers_for_other_budgets(monkeypatch):
    sizes = [(m, n, k) for m in (1, 2, 9, 24, 25) for n in range(1, m + 1, 3) for k in range(m + 2)]
    sizes += [(900, 100, 12), (900, 100, 420), (901, 400, 450), (900, 700, 899)]
    expected = [log_expected_euler_characteristic(*size) for size in sizes]
    monkeypatch.setattr(euler, "_EXACT_WORK", 0)
    for size, (sign, value) in zip(sizes, expected, strict=True):
        assert log_expected_euler_characteristic(*size) == (sign, pytest.approx(value, rel=1e-14, abs=1e-17))


def test_the_whole_space_and_one_orthant():
    for m, n in itertools.product(range(1, 7), range(1, 9)):
        assert expected_euler_characteristic(m, n, m) == 1 + (-1) ** (min(m, n) - 1)
        # The cells of one orthant are contractible: chi = 1 where the range meets it.
        if m >= n:
            assert expected_euler_characteristic(m, n, 0) == wendel_probability(m, n)


def crossing(n):
    """m/n where E chi last falls through 1, ln E chi interpolated linearly."""
    m = 9 * n
    while expected_euler_characteristic(m, n) < 1:
        m -= 1
    above, below = (log_expected_euler_characteristic(k, n)[1] for k in (m, m + 1))
    return (m + above / (above - below)) / n


@pytest.mark.parametrize(
    ("n", "alpha"), [(10, 6.7210), (20, 7.4390), (50, 7.9342), (100, 8.1213), (200, 8.2239), (400, 8.2797)]
)
def test_crossings_of_one(n, alpha):
    assert crossing(n) == pytest.approx(alpha, abs=5.1e-5)


def test_logarithm_agrees_with_the_exact_value():
    for m, n in [(1, 1), (7, 4), (9, 9), (30, 4), (100, 12), (100, 20), (100, 60), (400, 49)]:
        exact = expected_euler_characteristic(m, n)
        sign, value = log_expected_euler_characteristic(m, n)
        assert sign == (exact > 0) - (exact < 0)
        assert value == (pytest.approx(math.log(abs(exact)), rel=1e-14, abs=1e-14) if exact else -math.inf)


def test_balls_agree_with_the_exact_integers(monkeypatch):
    sizes = [(m, n) for m in range(1, 40) for n in range(1, m + 1)]
    sizes += [(900, 100), (900, 200), (901, 400), (900, 700), (900, 880), (901, 451)]
    expected = [log_expected_euler_characteristic(m, n) for m, n in sizes]
    monkeypatch.setattr(euler, "_EXACT_WORK", 0)
    for size, (sign, value) in zip(sizes, expected, strict=True):
        assert log_expected_euler_characteristic(*size) == (sign, pytest.approx(value, rel=1e-14, abs=1e-17))


def test_balls_contain_the_exact_integer_where_both_are_in_reach():
    for m, n in [(2000, 250), (2000, 600), (2000, 1500)]:
        ball = euler_sum.numerator_ball(m, n, n - 1)
        assert ball.contains(arb(euler_sum.numerator(m, n, n - 1)))


@pytest.mark.slow
def test_a_million_rows():
    sign, value = log_expected_euler_characteristic(10**6, 10**5)
    assert sign == 1
    assert value / 10**5 == pytest.approx(euler_rate(10), abs=3e-4)
    for n in (3 * 10**5, 7 * 10**5):
        sign, value = log_expected_euler_characteristic(10**6, n)
        assert sign in (-1, 1)
        assert value / n == pytest.approx(euler_rate(10**6 / n), abs=3e-4)


def test_rate_is_the_limit():
    for alpha in (7, 8, 9.5, 14):
        rates = [log_expected_euler_characteristic(round(alpha * n), n)[1] / n for n in (1000, 4000)]
        assert abs(rates[1] - euler_rate(alpha)) < 0.5 * abs(rates[0] - euler_rate(alpha)) < 0.01
    assert euler_rate(1.05) == 0.0
    for alpha, budget in ((5, 0.3), (9, 2), (14, 2), (20, 4)):
        rates = [log_expected_euler_characteristic(alpha * n, n, round(budget * n))[1] / n for n in (500, 2000)]
        limit = euler_rate(alpha, budget)
        assert abs(rates[1] - limit) < 0.5 * abs(rates[0] - limit) < 0.02
    # Below the oscillations: E chi explodes, or tends to 1; by symmetry, allowing k or all but k is the same there.
    for alpha, budget, error in ((9.5, 8, 0.05), (9.9, 8, 0.03), (1.3, 0.1, 0.02)):
        _, value = log_expected_euler_characteristic(round(alpha * 300), 300, round(budget * 300))
        assert value / 300 == pytest.approx(euler_rate(alpha, budget), abs=error)
    assert euler_rate(9.5, 8) == pytest.approx(euler_rate(9.5, 1.5), abs=1e-14)
    assert euler_rate(1.1, 0.05) == 0.0
    assert abs(expected_euler_characteristic(220, 200, 10) - 1) < 1e-20
    value = float(abs(expected_euler_characteristic(4600, 4000) - 1).limit_denominator())
    assert math.log(value) / 4000 == pytest.approx(euler_rate(1.15), abs=3e-3)


def faces_by_sign_vectors(m, n):
    """Expected counts by enumerating sign vectors; the number of faces per flat by deletion and restriction."""

    def cells(rows, dimension):
        if rows == 0 or dimension == 0:
            return int(dimension > 0 or rows == 0)
        return cells(rows - 1, dimension) + cells(rows - 1, dimension - 1) if dimension > 1 else 2

    counts = np.full((n + 1, m + 1), Fraction(0), dtype=object)
    for signs in itertools.product((-1, 0, 1), repeat=m):
        zeros, positives = signs.count(0), signs.count(1)
        if zeros < n:
            counts[n - zeros, positives] += Fraction(cells(m - zeros, n - zeros), 2 ** (m - zeros))
    counts[0, 0] += 1
    return counts


@pytest.mark.parametrize(("m", "n"), [(3, 2), (5, 3), (6, 4), (7, 2), (4, 4)])
def test_face_counts_agree_with_the_enumeration_of_sign_vectors(m, n):
    assert (expected_face_counts(m, n) == faces_by_sign_vectors(m, n)).all()


@pytest.mark.parametrize(("m", "n"), [(1, 1), (4, 1), (6, 3), (12, 5), (5, 5), (3, 7), (2, 3)])
def test_face_counts_obey_euler_symmetry_and_zaslavsky(m, n):
    counts = expected_face_counts(m, n)
    assert counts.shape == (n + 1, m + 1)
    assert sum((-1) ** d * counts[d].sum() for d in range(n + 1)) == (-1) ** n
    for d in range(max(n - m, 0) + 1, n + 1):
        zeros = n - d
        assert all(counts[d, p] == counts[d, m - zeros - p] for p in range(m - zeros + 1))
    assert counts[n].sum() == count_cells(m, n)
    if m < n:
        assert counts.sum() == 3**m


def test_known_cell_counts():
    assert [count_cells(m, 2) for m in range(1, 6)] == [2, 4, 6, 8, 10]
    assert count_cells(40, 5) == 2 * (1 + 39 + comb(39, 2) + comb(39, 3) + comb(39, 4))
    assert count_cells(4, 9) == 16


def exact_bound(m, n, shared):
    cells = 2 * sum(comb(m - 1, i) for i in range(n))
    return Fraction(cells * sum(comb(m - shared, p) for p in range(n)), 2**m)


def test_noninjectivity_bound_is_the_minimal_cell_bound_rounded_up():
    assert float(exact_bound(90, 10, 0)) == pytest.approx(9.132e-4, rel=1e-4)
    assert noninjectivity_bound(90, 10) == pytest.approx(3.049e-4, rel=2e-4)
    for m, n in [(1, 1), (5, 1), (40, 1), (14, 2), (90, 10), (300, 30), (700, 60), (2000, 20)]:
        exact, bound = exact_bound(m, n, n), noninjectivity_bound(m, n)
        assert Fraction(bound) >= min(exact, 1)
        assert Fraction(math.nextafter(bound, 0)) < exact
    assert noninjectivity_bound(3, 4) == noninjectivity_bound(20, 10) == 1.0


def test_noninjectivity_bound_holds_where_the_probability_is_known():
    for n in (1, 2):
        for m in range(1, 80):
            assert noninjectivity_bound(m, n) >= exact_noninjectivity_probability(m, n)


def test_noninjectivity_bound_at_a_million_rows():
    assert noninjectivity_bound(10**6, 10**5) == math.ulp(0.0)
    assert noninjectivity_bound(870_000, 10**5) == 1.0


def test_exact_probabilities():
    assert [exact_noninjectivity_probability(m, 1) for m in (1, 2, 5)] == [1, Fraction(1, 2), Fraction(1, 16)]
    assert [exact_noninjectivity_probability(m, 2) for m in range(1, 5)] == [1, 1, 1, 1]
    assert [exact_noninjectivity_probability(m, 2) for m in (5, 10)] == [Fraction(15, 16), Fraction(5, 32)]
    assert exact_noninjectivity_probability(28, 10) == 1
    with pytest.raises(InputError, match=r"m = 29, n = 10 depends on the law"):
        exact_noninjectivity_probability(29, 10)


def tukey_depth_on_the_circle(signs):
    """The fewest positives while x turns by a whole turn: one sign a line, the lines met in order."""
    counts = [signs.count(1)]
    for sign in signs:
        counts.append(counts[-1] - sign)
    return min(min(count, len(signs) - count) for count in counts)


def test_exact_probabilities_of_every_budget_agree_with_the_enumeration_of_signs():
    for m in range(1, 12):
        depths = [tukey_depth_on_the_circle(signs) for signs in itertools.product((-1, 1), repeat=m)]
        lines = [min(signs.count(1), signs.count(-1)) for signs in itertools.product((-1, 1), repeat=m)]
        for k in range(m + 1):
            for n, found in ((2, depths), (1, lines)):
                share = Fraction(sum(depth <= k for depth in found), 2**m)
                assert exact_noninjectivity_probability(m, n, k) == share <= Fraction(noninjectivity_bound(m, n, k))


def test_one_budget_of_zero_is_wendels():
    for m, n in [(5, 3), (12, 4), (30, 9)]:
        exact = wendel_probability(m, n)
        assert exact_noninjectivity_probability(m, n, 0) == exact
        assert float(exact) <= noninjectivity_bound(m, n, 0) <= math.nextafter(float(exact), 1)
    assert exact_noninjectivity_probability(11, 5, 3) == 1
    with pytest.raises(InputError, match=r"m <= n \+ 2 max_positive, here 11"):
        exact_noninjectivity_probability(12, 5, 3)


def test_wendel():
    assert [wendel_probability(m, 3) for m in (1, 3, 4, 6)] == [1, 1, Fraction(7, 8), Fraction(1, 2)]


@pytest.mark.parametrize("alpha", [1, 0, -3, math.nan, math.inf, "x", None])
def test_rate_refuses_what_is_no_aspect_ratio_above_one(alpha):
    with pytest.raises(InputError, match=r"alpha is .*; expected a finite number above 1$"):
        euler_rate(alpha)


def test_rate_refuses_budgets_that_allow_all_rows():
    with pytest.raises(InputError, match=r"alpha is 3\.0; expected a finite number above 4$"):
        euler_rate(3.0, 4)
    with pytest.raises(InputError, match="budget is 0"):
        euler_rate(3.0, 0)


@pytest.mark.parametrize(
    "function",
    [
        expected_euler_characteristic,
        log_expected_euler_characteristic,
        expected_face_counts,
        noninjectivity_bound,
        exact_noninjectivity_probability,
        wendel_probability,
        count_cells,
    ],
)
def test_sizes_outside_the_domain_are_refused(function):
    with pytest.raises(InputError, match="m is 0; expected an integer, at least 1"):
        function(0, 1)
    with pytest.raises(InputError, match=r"n is 2\.5; expected an integer, at least 1"):
        function(4, 2.5)
    if function not in (wendel_probability, count_cells):
        with pytest.raises(InputError, match="max_positive is -1; expected an integer, at least 0"):
            function(9, 3, -1)

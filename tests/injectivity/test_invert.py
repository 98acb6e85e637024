"""Inverting one layer: round trips, refusals, and the stability constant against the cells of the slow reference."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from reference.injectivity import brute_force_injective, cells, rank
from reference.lipschitz import jacobians

from polyinj import Ball, Box
from polyinj.errors import CertificateError, InputError
from polyinj.exact.arrays import integer_rows, read_matrix
from polyinj.injectivity.active_rank import active_rank
from polyinj.injectivity.inverse_lipschitz import inverse_lipschitz
from polyinj.injectivity.reconstruct import reconstruct

PLUS_MINUS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


def image(weights, x, bias=0.0):
    return np.maximum(x @ np.asarray(weights, dtype=float).T + bias, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_reconstruct_round_trip(seed):
    random = np.random.default_rng(seed)
    weights, bias = np.concatenate([PLUS_MINUS, random.standard_normal((6, 2))]), np.abs(random.standard_normal(10))
    x = random.standard_normal((40, 2))
    np.testing.assert_allclose(reconstruct(weights, image(weights, x, bias), bias), x, atol=1e-12)
    np.testing.assert_allclose(reconstruct(weights, image(weights, x[0])), x[0], atol=1e-12)


def test_reconstruct_accepts_noise_only_to_the_tolerance():
    weights = np.concatenate([PLUS_MINUS, [[1.0, 1.0], [-1.0, -1.0]]])
    y = image(weights, np.array([1.0, 2.0]))
    y[0] += 1e-6
    with pytest.raises(InputError, match="tolerance"):
        reconstruct(weights, y)
    np.testing.assert_allclose(reconstruct(weights, y, tolerance=1e-5), [1, 2], atol=1e-5)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([1.0, 1.0, 1.0, 0.0], "no input"),  # x_0 and -x_0 are not both positive
        ([1.0, 1.0, 0.0, -1.0], "no input"),  # negative
        ([1.0, 0.0, 0.0, 0.0], "rank 1"),
        ([0.0, 0.0, 0.0, 0.0], "rank 0"),
        ([1.0, 1.0, 1.0], "shape"),
        ([1.0, 1.0, 1.0, np.nan], "finite"),
    ],
)
def test_reconstruct_refuses(outputs, message):
    with pytest.raises(InputError, match=message):
        reconstruct(PLUS_MINUS, outputs)


def test_a_zero_output_forbids_a_positive_preactivation():
    weights = [[1, 0], [0, 1], [1, 1]]
    with pytest.raises(InputError, match=r"outputs\[0, 2\]"):
        reconstruct(weights, [1, 1, 0])


def test_reconstruct_on_a_domain():
    x = np.array([1.0, 2.0])
    y = image(PLUS_MINUS, x)
    for domain in (Box([0, 0], [1, 2]), Box([None, 2], [1, None]), Ball([1, 1], 1)):
        np.testing.assert_allclose(reconstruct(PLUS_MINUS, y, domain=domain), x)
    for domain in (Box([0, 0], [1, 1.5]), Ball([0, 0], 2)):
        with pytest.raises(InputError, match="which is not in"):
            reconstruct(PLUS_MINUS, y, domain=domain)
    with pytest.raises(InputError, match="expected 2 columns"):
        reconstruct(PLUS_MINUS, y, domain=Ball([0], 2))


def brute_force_constant(weights):
    matrix = read_matrix(weights)
    columns = matrix.shape[1]
    values = []
    for signs in cells(integer_rows(matrix), columns):
        active = matrix[np.array(signs) > 0].astype(float)
        if len(active) < columns or rank([[Fraction(x) for x in row] for row in active.tolist()]) < columns:
            return 0.0
        values.append(np.linalg.svd(active, compute_uv=False)[-1])
    return min(values)


@pytest.mark.parametrize("seed", range(60))
def test_inverse_lipschitz_is_the_least_over_all_cells(seed):
    random = np.random.default_rng(seed)
    n = seed % 3 + 1
    half = random.integers(-2, 3, (int(random.integers(n, 5)), n))
    weights = np.concatenate([half, -half]) if seed % 2 else random.standard_normal((int(random.integers(n, 10)), n))
    found = inverse_lipschitz(weights)
    assert found.exact
    assert found.lower == found.upper
    assert found.upper == pytest.approx(brute_force_constant(weights), rel=1e-9, abs=1e-13)
    assert (found.upper > 0) == brute_force_injective([[Fraction(x) for x in row] for row in weights.tolist()])


def test_inverse_lipschitz_bounds_distances():
    random = np.random.default_rng(3)
    weights = np.concatenate([PLUS_MINUS, random.standard_normal((5, 2)), np.zeros((1, 2))])
    constant = inverse_lipschitz(weights).upper
    x, y = random.standard_normal((2, 5000, 2))
    ratio = np.linalg.norm(image(weights, x) - image(weights, y), axis=1) / np.linalg.norm(x - y, axis=1)
    assert ratio.min() >= constant / 2


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "seed"), [(20, 3, 0), (14, 2, 1), (26, 4, 2), (66, 2, 0)])
def test_inverse_lipschitz_by_branch_and_bound_equals_enumeration(m, n, seed):
    weights = np.random.default_rng(seed).standard_normal((m, n)) * 2.0**300
    exact, bounded = inverse_lipschitz(weights), inverse_lipschitz(weights, cell_limit=1)
    assert bounded.exact
    assert bounded.upper == pytest.approx(exact.upper, rel=1e-12)
    assert exact.upper * (1 - 2e-6) <= bounded.lower <= exact.upper
    active = weights[list(bounded.active_rows)] if bounded.upper else np.zeros((n, n))
    assert np.linalg.svd(active, compute_uv=False)[-1] == pytest.approx(bounded.upper)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_inverse_lipschitz_intervals_of_degenerate_rows(seed):
    random = np.random.default_rng(seed)
    half = random.integers(-2, 3, (4, 3))
    weights = np.concatenate([half, -half, random.integers(-2, 3, (2, 3)), np.zeros((1, 3), dtype=int)])
    found = inverse_lipschitz(weights, cell_limit=1)
    truth = brute_force_constant(weights)
    assert found.exact
    assert found.lower <= truth * (1 + 1e-12)
    assert found.upper == pytest.approx(truth, rel=1e-9, abs=1e-13)
    assert found.lower >= truth * (1 - 2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 10, 100, 1000])
def test_inverse_lipschitz_is_an_interval_within_every_limit(limit):
    weights = np.random.default_rng(0).standard_normal((30, 4))
    truth = inverse_lipschitz(weights).upper
    found = inverse_lipschitz(weights, cell_limit=1, node_limit=limit)
    assert found.lower <= truth <= found.upper * (1 + 1e-12)
    assert found.exact == ("not all" not in found.method)
    assert repr(inverse_lipschitz(weights, cell_limit=1, node_limit=limit)) == repr(found)


@pytest.mark.slow
def test_inverse_lipschitz_beyond_enumeration():
    weights = np.random.default_rng(0).standard_normal((45, 6))
    found = inverse_lipschitz(weights, node_limit=30_000)
    assert 0 < found.lower < found.upper
    # No cell of many random ones is below the lower end, or below what the descent found.
    for x in np.random.default_rng(1).standard_normal((2000, 6)):
        assert np.linalg.svd(weights[weights @ x > 0], compute_uv=False)[-1] >= found.upper * (1 - 1e-9)
    assert inverse_lipschitz(weights, time_limit=0.2).lower <= found.upper
    lossy = inverse_lipschitz(weights[:15], cell_limit=1)
    assert (lossy.lower, lossy.upper, lossy.exact) == (0.0, 0.0, True)
    assert np.linalg.matrix_rank(weights[list(lossy.active_rows)]) < 6
    with pytest.raises(InputError, match="node_limit is 0"):
        inverse_lipschitz(weights, node_limit=0)


def test_inverse_lipschitz_scales_and_rotates():
    weights = np.random.default_rng(1).standard_normal((12, 3))
    turn, _ = np.linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))
    value = inverse_lipschitz(weights).upper
    assert inverse_lipschitz(weights @ turn).upper == pytest.approx(value)
    assert inverse_lipschitz(weights * 4).upper == pytest.approx(4 * value)
    assert inverse_lipschitz(weights[::-1]).upper == pytest.approx(value)


@pytest.mark.parametrize("weights", [[[1, 2]], [[1, 1], [-1, -1], [2, 2]], [[0, 0], [0, 0]]])
def test_weights_of_low_rank_have_constant_zero(weights):
    found = inverse_lipschitz(weights)
    assert (found.lower, found.upper, found.exact) == (0.0, 0.0, True)


def test_active_rank_is_exact():
    third = Fraction(1, 3)
    weights = [[3, -1], [-3, 1], [0, 1], [0, 2]]
    found = active_rank(weights, [[third, 1], [1, 0], [-1, -1]])
    assert found.active_count.tolist() == [4, 3, 1]
    assert found.active_rank.tolist() == [2, 2, 1]
    assert found.loses_information.tolist() == [False, False, True]
    # Of doubles, 0.1 + 0.2 - 0.3 is not zero: the row is inactive, by 2.8e-17.
    assert active_rank([[1, 1, -1]], [[0.1, 0.2, 0.3]]).active_count[0] == (
        Fraction(0.1) + Fraction(0.2) >= Fraction(0.3)
    )


@pytest.mark.parametrize("seed", range(10))
def test_active_rank_against_fractions(seed):
    random = np.random.default_rng(seed)
    weights, bias = random.integers(-2, 3, (7, 3)) * 0.1, random.integers(-2, 3, 7) * 0.3
    points = random.integers(-3, 4, (30, 3)) * 1.0
    found = active_rank(weights, points, bias)
    for t, point in enumerate(points.tolist()):
        active = [
            [Fraction(w) for w in row]
            for row, b in zip(weights.tolist(), bias.tolist(), strict=True)
            if sum((Fraction(w) * Fraction(x) for w, x in zip(row, point, strict=True)), Fraction(b)) >= 0
        ]
        assert (found.active_count[t], found.active_rank[t]) == (len(active), rank(active))


def test_active_rank_at_the_ends_of_the_exponent_range():
    weights = [[2.0**-1074, 0.0], [0.0, 2.0**1000], [-(2.0**-1074), 0.0]]
    found = active_rank(weights, [[2.0**-1074, -(2.0**1000)], [-(2.0**-1000), 2.0**1000]])
    assert found.active_count.tolist() == [1, 2]
    with pytest.raises(InputError, match="points"):
        active_rank(weights, [[1.0, 2.0, 3.0]])


def least_in_domain(weights, bias, domain):
    """The least value over all sign patterns of open cells that meet the open domain, by elimination in Fractions."""
    found = jacobians(weights.tolist(), bias.tolist(), [[1] * len(weights)], domain)
    least = np.inf
    for signs in found:
        active = weights[np.array(signs) > 0]
        spans = len(active) and rank([[Fraction(x) for x in row] for row in active.tolist()]) == weights.shape[1]
        least = min(least, np.linalg.svd(active.astype(float), compute_uv=False)[-1] if spans else 0.0)
    return least


def layer_on_a_domain(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 4))
    half = random.integers(-2, 3, (int(random.integers(2, 4)), n))
    weights = np.concatenate([half, -half, random.integers(-1, 2, (1, n))])
    bias = random.integers(-1, 4, len(weights))
    domains = [
        None,
        Box([int(v) for v in random.integers(-2, 1, n)], [int(v) for v in random.integers(1, 3, n)]),
        Box([None if v else 0 for v in random.integers(0, 2, n)], [None] * n),
        Ball([Fraction(int(v), 2) for v in random.integers(-1, 2, n)], Fraction(int(random.integers(1, 5)), 3)),
    ]
    return weights, bias, domains[seed % 4]


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_inverse_lipschitz_with_bias_on_domains(block):
    zero = 0
    for seed in range(7 * block, 7 * block + 7):
        weights, bias, domain = layer_on_a_domain(seed)
        truth = least_in_domain(weights, bias, domain)
        for how in ({}, {"cell_limit": 1}):
            found = inverse_lipschitz(weights, bias, domain=domain, **how)
            assert found.exact, seed
            assert found.upper == pytest.approx(truth, rel=1e-9, abs=1e-13), seed
            assert truth * (1 - 2e-6) <= found.lower * (1 + 1e-12) <= found.upper * (1 + 2e-12), seed
            found.verify(weights, bias, domain)
        zero += truth == 0
    assert zero < 7


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["box", "ball", "plane"])
def test_inverse_lipschitz_bounds_distances_in_a_domain(kind):
    random = np.random.default_rng(4)
    weights, bias = random.standard_normal((20, 3)), np.abs(random.standard_normal(20))
    domain = {"box": Box([-1] * 3, [1] * 3), "ball": Ball([0] * 3, 1), "plane": None}[kind]
    one = inverse_lipschitz(weights, bias, domain=domain)
    other = inverse_lipschitz(weights, bias, domain=domain, cell_limit=1)
    assert one.method == "every cell"
    assert other.exact
    assert other.upper == pytest.approx(one.upper, rel=1e-12)
    assert one.upper * (1 - 2e-6) <= other.lower <= one.upper
    for found in (one, other):
        found.verify(weights, bias, domain)
    x, y = random.uniform(-1, 1, (2, 4000, 3))
    if kind == "ball":
        x, y = (part[np.linalg.norm(part, axis=1) < 1][:1500] for part in (x, y))
    apart = np.linalg.norm(image(weights, x, bias) - image(weights, y, bias), axis=1)
    assert (apart / np.linalg.norm(x - y, axis=1)).min() >= one.upper / 2
    # Near the input of the result the constant is attained.
    point = np.array([float(entry) for entry in one.point])
    _, _, right = np.linalg.svd(weights[list(one.active_rows)])
    step = 1e-9 * right[-1]
    near = np.linalg.norm(image(weights, point + step, bias) - image(weights, point, bias)) / 1e-9
    assert near == pytest.approx(one.upper, rel=1e-3)


def test_a_smaller_domain_is_more_stable():
    random = np.random.default_rng(0)
    weights, bias = random.standard_normal((14, 3)), np.ones(14)
    values = [inverse_lipschitz(weights, bias, domain=Ball([0] * 3, Fraction(1, k))).upper for k in (1, 2, 50)]
    assert values == sorted(values)
    # Within 1/50 all rows are active.
    assert values[-1] == pytest.approx(np.linalg.svd(weights, compute_uv=False)[-1])


def test_spoiled_constants_do_not_verify():
    weights, bias, domain = PLUS_MINUS, [0, 0, 1, 1], Box([-1, -1], [1, 1])
    found = inverse_lipschitz(weights, bias, domain=domain)
    found.verify(weights, bias, domain)
    for spoiled, message in [
        (replace(found, upper=found.upper / 2, lower=0.0), "singular value"),
        (replace(found, lower=2 * found.upper + 1), "ends"),
        (replace(found, active_rows=(0,)), "other rows"),
        (replace(found, point=(Fraction(1), Fraction(0))), "interior"),
    ]:
        with pytest.raises(CertificateError, match=message):
            spoiled.verify(weights, bias, domain)


@pytest.mark.slow
def test_inverse_lipschitz_where_branch_and_bound_is_needed():
    """At (7, 49) 10^7 cells: within the nodes here a half of the upper end is proved, mostly all."""
    weights = np.random.default_rng(0).standard_normal((49, 7))
    found = inverse_lipschitz(weights, node_limit=100_000)
    found.verify(weights)
    assert found.upper / 2 <= found.lower <= found.upper

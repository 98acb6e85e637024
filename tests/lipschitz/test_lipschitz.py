"""Lipschitz constants: against all sign patterns, intervals, symmetries, trouble."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from reference.lipschitz import jacobians, norm_power

from polyinj import Ball, Box, CertificateError, InputError, lipschitz_constant
from polyinj.lipschitz.baselines import norm_product, sampled_lipschitz
from polyinj.lipschitz.jacobian_bounds import zonotope_radii

SEARCH = {"max_cells": 0}


def integer_network(seed):
    """Few neurons with zero, repeated, opposite and scaled rows, a domain, outputs and a norm."""
    rng = np.random.default_rng(seed)
    n, k, outputs = rng.integers(1, 4), rng.integers(1, 7), rng.choice([1, 1, 2])
    weights = rng.integers(-2, 3, (k, n))
    bias = rng.integers(-2, 3, k) if rng.random() < 0.7 else None
    if k > 2 and rng.random() < 0.5:
        factor = int(rng.choice([-2, -1, 1, 2]))
        weights[1] = factor * weights[0]
        if bias is not None and rng.random() < 0.7:
            bias[1] = factor * bias[0]
    output = rng.integers(-2, 3, (outputs, k))
    kind = rng.integers(4)
    domain = None
    if kind == 1:
        domain = Box([int(v) for v in rng.integers(-2, 1, n)], [int(v) for v in rng.integers(1, 3, n)])
    elif kind == 2:
        domain = Ball([Fraction(int(v), 2) for v in rng.integers(-3, 4, n)], Fraction(int(rng.integers(1, 5)), 2))
    elif kind == 3:
        domain = Box([None if v else 0 for v in rng.integers(0, 2, n)], [None] * n)
    return weights, bias, output, domain, rng.choice([1, 2, math.inf])


def brute_force(weights, bias, output, domain, norm):
    found = jacobians(weights.tolist(), None if bias is None else bias.tolist(), output.tolist(), domain)
    if norm == 2 and 1 not in (len(output), weights.shape[1]):
        return found, max(np.linalg.norm(np.array(j, dtype=float), 2) for j in found.values())
    return found, max(norm_power(j, norm) for j in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("block", range(8))
def test_equal_to_all_sign_patterns(block):
    for seed in range(25 * block, 25 * block + 25):
        weights, bias, output, domain, norm = integer_network(seed)
        found, expected = brute_force(weights, bias, output, domain, norm)
        for how in ({}, SEARCH):
            constant = lipschitz_constant(weights, bias, output, domain=domain, norm=norm, **how)
            assert constant.exact, seed
            if constant.power is None:
                assert constant.lower <= expected * (1 + 1e-12), seed
                assert expected <= constant.upper * (1 + 1e-12), seed
                assert constant.upper - constant.lower <= 1e-14 * constant.upper, seed
            else:
                assert constant.power == expected, seed
                exponent = 2 if norm == 2 else 1
                assert Fraction(constant.lower) ** exponent <= expected <= Fraction(constant.upper) ** exponent, seed
            assert constant.signs in found, seed
            constant.verify(weights, bias, output, domain)


@pytest.mark.slow
def test_every_interval_contains_the_exact_value():
    for seed in range(30):
        weights, bias, output, domain, norm = integer_network(1000 + seed)
        exact = lipschitz_constant(weights, bias, output, domain=domain, norm=norm)
        for limit in (0, 1, 2, 4):
            interval = lipschitz_constant(weights, bias, output, domain=domain, norm=norm, node_limit=limit, **SEARCH)
            assert interval.lower <= exact.upper, seed
            assert exact.lower <= interval.upper, seed
            assert interval.exact or interval.upper_by.endswith("stopped by node_limit")


@pytest.mark.slow
@pytest.mark.parametrize("norm", [1, 2, math.inf])
@pytest.mark.parametrize("outputs", [1, 3])
def test_enumeration_and_search_agree(norm, outputs):
    for seed, (d, k) in enumerate([(2, 20), (3, 16), (4, 12), (6, 10)]):
        rng = np.random.default_rng(seed)
        weights, bias = rng.standard_normal((k, d)), rng.standard_normal(k)
        output = rng.standard_normal((outputs, k))
        for domain in (None, Box([-1] * d, [1] * d), Ball([0.25] * d, 1)):
            one = lipschitz_constant(weights, bias, output, domain=domain, norm=norm)
            other = lipschitz_constant(weights, bias, output, domain=domain, norm=norm, **SEARCH)
            assert one.exact
            assert other.exact
            assert (one.lower, one.upper, one.power) == (other.lower, other.upper, other.power)
            assert one.signs == other.signs
            assert one.upper - one.lower <= 1e-14 * one.upper
            other.verify(weights, bias, output, domain)


def test_a_domain_within_another_has_the_smaller_constant():
    rng = np.random.default_rng(5)
    network = rng.standard_normal((20, 3)), rng.standard_normal(20), rng.standard_normal(20)
    everywhere = lipschitz_constant(*network)
    box = lipschitz_constant(*network, domain=Box([-0.25] * 3, [0.25] * 3))
    ball = lipschitz_constant(*network, domain=Ball([0] * 3, 0.125))
    assert ball.power < box.power < everywhere.power
    assert sampled_lipschitz(*network, samples=2000, seed=0) <= everywhere.upper
    assert sampled_lipschitz(*network, samples=2000, seed=0, domain=Ball([0] * 3, 0.125)) <= ball.upper
    assert everywhere.upper < norm_product(network[0], network[2])


def test_symmetries():
    rng = np.random.default_rng(8)
    weights, bias, output = rng.integers(-9, 10, (9, 3)), rng.integers(-9, 10, 9), rng.integers(-9, 10, 9)
    power = lipschitz_constant(weights, bias, output).power
    order = rng.permutation(9)
    assert lipschitz_constant(weights[order], bias[order], output[order]).power == power
    # ReLU is positively homogeneous: a positive factor moves from the hidden layer to the output.
    assert lipschitz_constant(weights * 3, bias * 3, [Fraction(int(a), 3) for a in output]).power == power
    assert lipschitz_constant(weights, bias, -5 * output).power == 25 * power
    # A translation of the input moves the hyperplanes only.
    assert lipschitz_constant(weights, bias + weights @ [3, -1, 2], output).power == power
    # A rational rotation of the input keeps norm 2.
    turn = np.array(
        [[Fraction(3, 5), Fraction(-4, 5), 0], [Fraction(4, 5), Fraction(3, 5), 0], [0, 0, 1]], dtype=object
    )
    assert lipschitz_constant(weights @ turn, bias, output).power == power
    # One neuron cut in two.
    halves = [*weights, weights[0]], [*bias, bias[0]], [output[0] - 7, *output[1:], 7]
    assert lipschitz_constant(*halves).power == power


def test_patterns_that_no_cell_has():
    # Equal neurons cancel: a search over all patterns would see 1.
    assert lipschitz_constant([[1], [1]], None, [1, -1]).power == 0
    # ReLU(x) - ReLU(-x) = x, and with + it is |x|.
    assert lipschitz_constant([[1], [-1]], None, [1, -1]).power == 1
    assert lipschitz_constant([[1], [-1]], None, [3, 2]).power == 9
    # x > 1 and x < 0 exclude each other.
    assert lipschitz_constant([[1], [-1]], [-1, 0], [1, -1]).power == 1
    # On the line x_2 = 0 alone, three rows are active at once.
    assert lipschitz_constant([[1, 0], [0, 1], [0, -1]], None, [1, 1, -1]).power == 2


def test_constant_networks():
    for weights, bias, output in [([[0, 0]], [1], [1]), ([[1, 2]], [0], [0]), ([[0.0]], None, [0.0])]:
        for domain in (None, Ball([0] * len(weights[0]), 1), Box([1] * len(weights[0]), [2] * len(weights[0]))):
            constant = lipschitz_constant(weights, bias, output, domain=domain)
            assert (constant.lower, constant.upper, constant.exact) == (0, 0, True)
            constant.verify(weights, bias, output, domain)


def test_the_input_avoids_hyperplanes_of_idle_neurons():
    # Row 0 does not matter, and the first input that comes to mind lies on it.
    weights, output = [[1, -1], [1, 1]], [0, 1]
    constant = lipschitz_constant(weights, None, output)
    assert set(constant.signs) <= {-1, 1}
    constant.verify(weights, None, output)


def test_a_ball_that_touches_a_cell():
    # The cell x_1 + x_2 > 2 touches the ball of squared radius 2 in one point; the next larger ball meets it.
    weights, bias, output = [[1, 1]], [-2], [1]
    inner = Fraction(math.isqrt(2 * 10**40), 10**20)
    for how in ({}, SEARCH):
        assert lipschitz_constant(weights, bias, output, domain=Ball([0, 0], inner), **how).power == 0
        outer = lipschitz_constant(weights, bias, output, domain=Ball([0, 0], inner + Fraction(1, 10**20)), **how)
        assert outer.power == 2
        outer.verify(weights, bias, output, Ball([0, 0], inner + Fraction(1, 10**20)))
        # The wedge x_1 > 1, x_2 > 1 touches that ball in its corner.
        wedge = [[1, 0], [0, 1]], [-1, -1], [1, 1]
        assert lipschitz_constant(*wedge, domain=Ball([0, 0], inner), **how).power == 1
        assert lipschitz_constant(*wedge, domain=Ball([0, 0], inner + Fraction(1, 10**20)), **how).power == 2


def test_cells_thinner_than_floats():
    # Three nearly parallel rows: the cell between the outer ones is some 1e-40 wide.
    tiny = Fraction(1, 10**40)
    weights = [[1, 0], [1, 0], [0, 1]]
    bias, output = [0, -tiny, 0], [5, -5, 1]
    for how in ({}, SEARCH):
        constant = lipschitz_constant(weights, bias, output, **how)
        assert constant.power == 26
        constant.verify(weights, bias, output)
        assert lipschitz_constant(weights, bias, output, domain=Ball([0, 0], tiny / 2), **how).power == 26
        assert lipschitz_constant(weights, bias, output, domain=Ball([-1, 0], 1), **how).power == 1


def test_extreme_entries():
    for size in (1e-160, 1e150, 5e-324):
        constant = lipschitz_constant([[size, 0], [0, size], [-size, size]], [size, -size, 0], [1, 1, 1], **SEARCH)
        assert constant.exact
        assert constant.power == Fraction(size) ** 2 * 5
    large = lipschitz_constant([[10**400]], None, [1])
    assert large.upper == math.inf
    assert large.power == 10**800


def test_radii_bound_all_signs():
    rng = np.random.default_rng(2)
    for k, d in ((1, 1), (6, 2), (10, 3), (12, 5)):
        steps = rng.standard_normal((k, d))
        signs = np.array([[1 if p >> i & 1 else -1 for i in range(k)] for p in range(2**k)])
        for beam in (1, 128):
            radii = zonotope_radii(steps, beam)
            for j in range(k):
                true = np.linalg.norm(signs[:, j:] @ steps[j:], axis=1).max() / 2
                assert true <= radii[j] * (1 + 1e-12)
                assert radii[j] <= true * (1 + 1e-12) or beam == 1


def test_reports():
    rng = np.random.default_rng(0)
    network = rng.standard_normal((30, 5)), rng.standard_normal(30), rng.standard_normal(30)
    wide = lipschitz_constant(*network, gap=0.5, **SEARCH)
    assert wide.upper_by.endswith("stopped by gap")
    assert wide.lower < wide.upper <= 1.5 * wide.lower * (1 + 1e-12)
    assert "interval" in repr(wide)
    stopped = lipschitz_constant(*network, time_limit=0, **SEARCH)
    assert stopped.upper_by.endswith("stopped by time_limit")
    assert lipschitz_constant(*network, seed=3).power == lipschitz_constant(*network, seed=4).power


def test_tampered_results_do_not_verify():
    weights, bias, output = [[1, 0], [0, 1], [-1, -1]], [0, 0, 1], [2, 1, 1]
    constant = lipschitz_constant(weights, bias, output)
    for tampered, message in [
        (replace(constant, lower=constant.lower + 1), "has norm"),
        (replace(constant, power=Fraction(4)), "has norm"),
        (replace(constant, signs=(1, 1, 1)), "other signs"),
        (replace(constant, point=(Fraction(1), Fraction(0)), signs=(1, 0, 0)), "hyperplane"),
        (replace(constant, point=(Fraction(1),)), "interior of the domain"),
    ]:
        with pytest.raises(CertificateError, match=message):
            tampered.verify(weights, bias, output)
    with pytest.raises(CertificateError, match="interior of the domain"):
        constant.verify(weights, bias, output, Ball([-9, -9], 1))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[1, 0]], None, [1, 2]), {}, r"output has shape \(2,\)"),
        (([[1, 0]], None, [[1, 2]]), {}, r"output has shape \(1, 2\)"),
        (([[1, 0]], [1, 2], [1]), {}, "bias has shape"),
        (([1, 0], None, [1]), {}, "weights has shape"),
        (([[1, float("nan")]], None, [1]), {}, "must be finite"),
        (([[1, 0]], None, [1]), {"norm": 3}, "norm is 3; expected 1, 2 or math.inf"),
        (([[1, 0]], None, [1]), {"gap": -1}, "gap is -1"),
        (([[1, 0]], None, [1]), {"node_limit": -1}, "node_limit is -1"),
        (([[1, 0]], None, [1]), {"seed": -1}, "seed is -1"),
        (([[1, 0]], None, [1]), {"domain": Ball([0], 1)}, "expected"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(InputError, match=message):
        lipschitz_constant(*arguments, **options)


def test_baselines_do_not_overflow():
    assert norm_product([[1e300, 0], [0, 1e300]], [1e-300, 0]) == pytest.approx(1)
    assert norm_product([[1e300]], [1e300]) == math.inf
    assert sampled_lipschitz([[1e300], [-1e300]], [5e-324, 0], [1e-300, 0], samples=50, seed=0) == pytest.approx(1)
    for call in (norm_product, lambda w, a: sampled_lipschitz(w, None, a, samples=1, seed=0)):
        with pytest.raises(InputError, match="weights has an entry beyond"):
            call([[10**400]], [1])

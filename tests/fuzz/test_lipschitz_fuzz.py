"""Lipschitz constants of networks of every family against all sign patterns in Fractions.

    POLYINJ_FUZZ_CASES=100000 POLYINJ_FUZZ_SEED=1000000 pytest tests/fuzz/test_lipschitz_fuzz.py

tries 100,000 others.
"""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from reference import lipschitz

from fuzz import families
from fuzz.test_layers_fuzz import turned
from polyinj import Ball, Box, lipschitz_constant
from polyinj.exact.arrays import fractions, read_matrix, read_vector


def exactly(weights, bias, output):
    """Fractions of weights, of biases, and of rows of outputs."""
    shifts = None if bias is None else [Fraction(b) for b in read_vector(bias, len(weights)).tolist()]
    return fractions(read_matrix(weights)), shifts, fractions(read_matrix(np.atleast_2d(output)))


def assert_encloses(found, jacobians, norm):
    """The largest norm lies between the ends; one that is exact between neighbours."""
    if norm != 2 or 1 in (len(jacobians[0]), len(jacobians[0][0])):
        power = max(lipschitz.norm_power(jacobian, norm) for jacobian in jacobians)
        degree = 2 if norm == 2 else 1
        assert Fraction(found.lower) ** degree <= power
        assert found.upper == math.inf or power <= Fraction(found.upper) ** degree
        assert not found.exact or found.power == power
    else:
        grams = [[[sum(map(lambda a, b: a * b, u, v)) for v in j] for u in j] for j in jacobians]
        assert found.upper == math.inf or not any(
            has_eigenvalue_above(gram, Fraction(found.upper) ** 2) for gram in grams
        )
        slack = (1 - Fraction(1, 2**50)) ** 2
        assert not found.lower or any(has_eigenvalue_above(g, Fraction(found.lower) ** 2 * slack) for g in grams)
    if found.exact and found.upper < math.inf:
        assert found.upper <= found.lower * (1 + 2.0**-48) + 2e-323


def has_eigenvalue_above(gram, t):
    """Of a matrix of 2 x 2: whether t - G has a negative eigenvalue."""
    (a, b), (_, d) = gram
    return t - a < 0 or t - d < 0 or (t - a) * (t - d) < b * b


def symmetric(weights, bias, output, domain, rng):
    """Neurons permuted, scaled by powers of two, and one repeated with half of its output twice."""
    m = len(weights)
    order = rng.permutation(m)
    yield weights[order], None if bias is None else bias[order], output[..., order], domain
    rows, shifts, outs = exactly(weights, bias, output)
    scales = np.array([Fraction(2) ** int(k) for k in rng.integers(-30, 30, m)], dtype=object)
    shifts = None if shifts is None else np.array(shifts, dtype=object) * scales
    outs = np.array(outs, dtype=object).reshape(output.shape) / scales
    yield np.array(rows, dtype=object) * scales[:, None], shifts, outs, domain
    again = np.append(np.arange(m), rng.integers(m))
    halved = np.where(np.isin(again, again[-1]), 0.5, 1.0)
    yield weights[again], None if bias is None else bias[again], output[..., again] * halved, domain


def try_case(seed):
    """One network; by enumeration and by branch and bound; one that is the same by symmetry."""
    rng = np.random.default_rng(seed)
    name, weights, bias, domain = families.draw(rng, rows=int(rng.integers(1, 6)))
    m, n = weights.shape
    norm = [2, 1, math.inf][seed % 3]
    shape = m if rng.random() < 0.6 else (2, m)
    output = rng.integers(-3, 4, shape).astype(float)
    if rng.random() < 0.2:
        output = output * 10.0 ** rng.integers(-200, 200, m)
    try:
        jacobians = list(lipschitz.jacobians(*exactly(weights, bias, output), domain).values())
        found = lipschitz_constant(weights, bias, output, domain=domain, norm=norm, seed=seed)
        assert found.exact
        found.verify(weights, bias, output, domain)
        assert_encloses(found, jacobians, norm)
        searched = lipschitz_constant(weights, bias, output, domain=domain, norm=norm, max_cells=0)
        assert searched.exact
        searched.verify(weights, bias, output, domain)
        assert_encloses(searched, jacobians, norm)
        few = lipschitz_constant(weights, bias, output, domain=domain, norm=norm, max_cells=0, node_limit=seed % 4)
        assert_encloses(few, jacobians, norm)
        place, signs = rng.permutation(n), rng.choice([-1, 1], n)
        others = [
            *symmetric(weights, bias, output, domain, rng),
            (weights[:, place] * signs, bias, output, turned(domain, place.tolist(), signs.tolist())),
        ]
        rows, shifts, outs, box = others[seed % 4]
        same = lipschitz_constant(rows, shifts, outs, domain=box, norm=norm)
        same.verify(rows, shifts, outs, box)
        assert same.exact
        assert_encloses(same, jacobians, norm)
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(
            f"seed {seed}, {name}: {kind}: {error}\n{weights!r}\n{bias!r}\n{output!r}\n{domain!r}\n{norm}"
        ) from error
    return name.split(",")[0], found.lower > 0


# What each of these met once: overflow in a random walk, in the balance of two factors, beside a ball; no cell in time.
FOUND = [
    ([[1e300, -1e300], [1.7e308, 0]], [1e-300, 5e-324], [1, 2], None),
    ([[5e-324, 0], [0, 1e-323]], None, [[1e200, 0], [0, -1e-200]], Box([-1e300, 0], [1e300, 1])),
    ([[Fraction(10) ** 400, 1], [Fraction(1, 10**400), -1]], None, [[1, 1], [2, -1]], Ball([1, 0], 2)),
    ([[1e-200, 1e200], [-1e200, 1e-300]], [0, 5e-324], [1, -1], Ball([0, 1], 5e-324)),
    ([[1, 2], [2, 1], [-1, -1]], [1, 2, 3], [3, -2, 1], Box([0, -2], [5e-324, 3])),
]


@pytest.mark.parametrize(("weights", "bias", "output", "domain"), FOUND)
@pytest.mark.parametrize("options", [{}, {"max_cells": 0}, {"max_cells": 0, "node_limit": 0}])
def test_networks_that_failed_once(weights, bias, output, domain, options):
    output = np.array(output, dtype=float)
    jacobians = list(lipschitz.jacobians(*exactly(weights, bias, output), domain).values())
    found = lipschitz_constant(weights, bias, output, domain=domain, **options)
    found.verify(weights, bias, output, domain)
    assert_encloses(found, jacobians, 2)


@pytest.mark.slow
@families.in_parts(60, 30)
def test_networks_of_every_family(seeds):
    seen = Counter()
    for seed in seeds:
        seen[try_case(seed)] += 1
    families.assert_both(steep for _, steep in seen)

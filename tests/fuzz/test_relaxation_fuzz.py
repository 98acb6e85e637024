"""Bounds of networks of every family: sound at rational points, and in rationals those of the slow reference.

    POLYINJ_FUZZ_CASES=100000 POLYINJ_FUZZ_SEED=1000000 pytest tests/fuzz/test_relaxation_fuzz.py

tries 100,000 others.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from reference import relaxation

from fuzz import families
from polyinj import InputError, Network, NetworkLayer, bound_network, exact_range
from polyinj.exact.arrays import fractions, read_matrix, read_vector
from polyinj.relaxation.rules import Relaxation

RULES = (
    *("box", "hbox", "deepz", "symbolic", "crown", "crown-ibp"),
    *("zonotope:1/3", "fixed:1/4", "blend:1/3", "ramp:3", "zonotope:1", "fixed:0", "ramp:1e400"),
)


def draw_network(rng):
    """Names of the families, layers of widths up to 3, and a box."""
    widths = rng.integers(1, 4, int(rng.integers(2, 4)) + 1).tolist()
    names, layers = [], []
    for k, (n, m) in enumerate(pairwise(widths)):
        name, weights = families.draw_matrix(rng, m, n)
        bias = rng.choice([-1.0, 0.0, 1.0, 1.5], m) * rng.choice([1.0, 1e-300, 1e300, families.TINY, 1e-8])
        names.append(name)
        layers.append(NetworkLayer(weights, bias, "relu" if k < len(widths) - 2 or rng.random() < 0.2 else None))
    centre = rng.integers(-2, 3, widths[0]) * 1.0
    radius = float(rng.choice([0.0, 1.0, 0.5, 1e-9, 1e300, families.TINY, 1e-300]))
    return names, layers, centre - radius, centre + radius


def exactly(layers):
    return [
        (
            fractions(read_matrix(layer.weights)),
            [Fraction(b) for b in read_vector(layer.bias, len(layer.weights)).tolist()],
            layer.activation == "relu",
        )
        for layer in layers
    ]


def points_of(lower, upper, rng):
    """Corners, and points inside, in Fractions."""
    sides = [(Fraction(a), Fraction(b)) for a, b in zip(lower.tolist(), upper.tolist(), strict=True)]
    yield from product(*sides)
    for _ in range(8):
        yield [a + Fraction(int(rng.integers(0, 101)), 100) * (b - a) for a, b in sides]


def try_case(seed):
    """One network, by one rule in rationals, and by all in floats."""
    rng = np.random.default_rng(seed)
    names, layers, lower, upper = draw_network(rng)
    network, exact = Network(tuple(layers), "fuzz"), exactly(layers)
    refused = False
    try:
        ends = [Fraction(a) for a in lower.tolist()], [Fraction(b) for b in upper.tolist()]
        values = [relaxation.output(exact, list(x)) for x in points_of(lower, upper, rng)]
        rule = Relaxation.parse(RULES[seed % len(RULES)])
        found = bound_network(network, lower, upper, rule, exact=True)
        expected = relaxation.bounds(exact, *ends, rule.rule, rule.parameter)
        for bounds, others in zip(found.hidden, expected, strict=True):
            assert [part.tolist() for part in bounds] == list(map(list, others))
        if (lower < upper).all():
            attained = exact_range(network, lower, upper)
            values += [list(attained.lower), list(attained.upper)]
        assert_holds(found, values)
        for name in RULES:
            try:
                rounded = bound_network(network, lower, upper, name)
            except InputError:
                refused = True
                continue
            assert_holds(rounded, values)
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(
            f"seed {seed}, {'+'.join(names)}: {kind}: {error}\n{layers!r}\n{lower!r}\n{upper!r}"
        ) from error
    return names[0], refused


def assert_holds(bounds, values):
    """Every value is between the ends."""
    for value in values:
        for low, y, high in zip(bounds.lower.tolist(), value, bounds.upper.tolist(), strict=True):
            assert Fraction(low) <= y <= Fraction(high)


@pytest.mark.parametrize("rule", RULES)
def test_what_overflows_is_refused_without_a_warning(rule):
    """Each of these was a RuntimeWarning or an OverflowError."""
    for weights in ([[1.7e308, 1.7e308]], [[Fraction(10) ** 400, 1]]):
        network = Network((NetworkLayer(weights, [0.0], "relu"), NetworkLayer([[1e300]], None, None)), "huge")
        with pytest.raises(InputError, match="try exact=True"):
            bound_network(network, [-1, -1], [1, 1], rule)
        assert bound_network(network, [-1, -1], [1, 1], rule, exact=True).upper[0] > 10**307
    small = Network((NetworkLayer([[1.0, -1.0]], [0.0], "relu"),), "small")
    with pytest.raises(InputError, match="beyond the range of float64"):
        bound_network(small, [-(10**400), 0], [1, 1], rule)
    assert bound_network(small, [-1, -1], [1, 1], rule).upper[0] >= 2


@pytest.mark.slow
@families.in_parts(100, 50)
def test_networks_of_every_family(seeds):
    seen = Counter()
    for seed in seeds:
        seen[try_case(seed)] += 1
    families.assert_both(refused for _, refused in seen)

"""Relaxations: a reference in Fractions, samples, the exact range, rounding, identities between rules, bad input."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.relaxation import bounds as reference_bounds
from reference.relaxation import output
from scipy.optimize import linprog

from polyinj import BudgetExceeded, InputError, Network, NetworkLayer, bound_network, exact_range
from polyinj.relaxation.rules import Relaxation

RULES = (
    *("box", "hbox", "deepz", "symbolic", "crown", "crown-ibp"),
    *("zonotope:1/3", "zonotope:0", "zonotope:1", "fixed:1/4", "fixed:0", "fixed:1", "blend:1/3", "ramp:3", "ramp:1/2"),
)


def network(layers):
    return Network(
        tuple(NetworkLayer(rows, biases, "relu" if relu else None) for rows, biases, relu in layers), "by hand"
    )


def draw(rng, widths, *, integers=False, biases=True):
    """Layers of random Fractions: small integers full of zeros and ties, or doubles."""

    def entries(*shape):
        values = rng.integers(-2, 3, shape) if integers else rng.standard_normal(shape)
        return np.vectorize(Fraction, otypes=[object])(values.astype(float)).tolist()

    return [
        (entries(m, n), entries(m) if biases else [Fraction(0)] * m, k < len(widths) - 2)
        for k, (n, m) in enumerate(pairwise(widths))
    ]


def sides(n, radius=1, centre=0):
    return [Fraction(centre) - Fraction(radius)] * n, [Fraction(centre) + Fraction(radius)] * n


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("integers", [True, False])
def test_exact_bounds_are_those_of_the_reference(name, integers):
    rng = np.random.default_rng(1)
    rule = Relaxation.parse(name)
    for trial in range(12):
        # Without biases on a box around 0 the first layer has u = -l: ties.
        layers = draw(rng, (2, 3, 3, 2), integers=integers, biases=trial % 2 == 0)
        lower, upper = sides(2, Fraction(3, 4), trial % 3)
        found = bound_network(network(layers), lower, upper, rule, exact=True)
        expected = reference_bounds(layers, lower, upper, rule.rule, rule.parameter)
        for (low, high), (least, most) in zip(found.hidden, expected, strict=True):
            assert low.tolist() == least
            assert high.tolist() == most


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_floats_enclose_the_exact_rule_or_another_sound_one(name):
    """Rounded bounds hold whatever they round, and are the rule's own within 1e-11 where no decision is a tie."""
    rng = np.random.default_rng(2)
    for trial in range(10):
        layers = draw(rng, (3, 6, 5, 2))
        scale = Fraction(10) ** (trial - 5)
        layers = [(rows, [scale * b for b in biases], relu) for rows, biases, relu in layers]
        layers = [
            ([[Fraction(float(w)) for w in row] for row in rows], [Fraction(float(b)) for b in biases], relu)
            for rows, biases, relu in layers
        ]
        lower, upper = sides(3, Fraction(1, 3) * scale)
        rounded = bound_network(network(layers), lower, upper, name)
        exact = bound_network(network(layers), lower, upper, name, exact=True)
        for (low, high), (least, most) in zip(rounded.hidden, exact.hidden, strict=True):
            size = float(max(map(abs, [*least, *most])))
            for a, b, c, d in zip(low, least, most, high, strict=True):
                assert Fraction(a) <= b <= c <= Fraction(d)
                assert abs(float(b) - a) + abs(float(c) - d) < 1e-11 * size


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6),
    integers=st.booleans(),
    depth=st.integers(1, 3),
    exponent=st.integers(-12, 12),
    name=st.sampled_from(RULES),
)
def test_bounds_contain_samples_and_the_exact_range(seed, integers, depth, exponent, name):
    rng = np.random.default_rng(seed)
    layers = draw(rng, (2, *[3] * depth, 2), integers=integers)
    lower, upper = sides(2, Fraction(2) ** exponent, int(rng.integers(-2, 3)))
    made = network(layers)
    rounded = bound_network(made, lower, upper, name)
    exact = bound_network(made, lower, upper, name, exact=True)
    extremes = exact_range(made, lower, upper)
    for k in range(2):
        for found in (rounded, exact):
            assert Fraction(found.lower[k]) <= extremes.lower[k] <= extremes.upper[k] <= Fraction(found.upper[k])
    for _ in range(20):
        share = [Fraction(int(s), 64) for s in rng.integers(0, 65, 2)]
        values = output(layers, [a + s * (b - a) for s, a, b in zip(share, lower, upper, strict=True)])
        for value, least, most in zip(values, extremes.lower, extremes.upper, strict=True):
            assert least <= value <= most


def test_rounding_is_needed():
    """Sums that cancel: plain float64 would claim a bound that is false."""
    third = 1.0 / 3.0
    layers = [
        ([[Fraction(third)] * 3, [Fraction(-third)] * 3], [Fraction(1, 2**40)] * 2, True),
        ([[Fraction(1), Fraction(-1)]], [Fraction(0)], False),
    ]
    lower, upper = [Fraction(0.1), Fraction(0.7), Fraction(2**30)], [Fraction(0.3), Fraction(0.9), Fraction(2**30 + 1)]
    for name in RULES:
        rounded = bound_network(network(layers), lower, upper, name)
        extremes = exact_range(network(layers), lower, upper)
        assert Fraction(rounded.lower[0]) <= extremes.lower[0]
        assert extremes.upper[0] <= Fraction(rounded.upper[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["box", "hbox", "deepz", "crown", "symbolic"])
def test_sums_of_many_terms_are_rounded_up(name):
    """Around 0, without biases, nothing but the sum of |w| r is rounded."""
    rng = np.random.default_rng(12)
    for _ in range(20):
        weights = rng.standard_normal((30, 400))
        rounded = bound_network(Network((NetworkLayer(weights, None, None),), "wide"), [-0.7] * 400, [0.7] * 400, name)
        for row, low, high in zip(weights, rounded.lower, rounded.upper, strict=True):
            reach = sum(abs(Fraction(w)) for w in row) * Fraction(0.7)
            assert Fraction(low) <= -reach < reach <= Fraction(high)


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [-1000, -540, -300, 300])
def test_bounds_hold_where_products_underflow(exponent):
    rng = np.random.default_rng(4)
    scale = Fraction(2) ** exponent
    layers = draw(rng, (2, 4, 3, 1))
    layers = [
        ([[w * scale if k == 1 else w for w in row] for row in rows], b, r) for k, (rows, b, r) in enumerate(layers)
    ]
    layers = [([[Fraction(float(w)) for w in row] for row in rows], [Fraction(0)] * len(b), r) for rows, b, r in layers]
    for name in RULES:
        rounded = bound_network(network(layers), [-1, -1], [1, 1], name)
        extremes = exact_range(network(layers), [-1, -1], [1, 1])
        assert Fraction(rounded.lower[0]) <= extremes.lower[0] <= extremes.upper[0] <= Fraction(rounded.upper[0])


def test_two_ways_to_one_bound():
    """The chord: a zonotope and substitution (Salman et al. 2019); ends of the families; hbox with one hidden layer."""
    rng = np.random.default_rng(3)
    for widths, pairs in (
        ((2, 4, 3, 2), [("deepz", "ramp:1"), ("deepz", "blend:1"), ("crown", "blend:0")]),
        ((3, 5, 2), [("hbox", "zonotope:0")]),
    ):
        for _ in range(5):
            made = network(draw(rng, widths))
            for one, other in pairs:
                a, b = (bound_network(made, *sides(widths[0]), name, exact=True) for name in (one, other))
                assert a.lower.tolist() == b.lower.tolist()
                assert a.upper.tolist() == b.upper.tolist()


def test_ramps_tend_to_crown():
    made = network(draw(np.random.default_rng(6), (2, 5, 5, 1)))
    goal = bound_network(made, *sides(2), "crown", exact=True)
    steep = bound_network(made, *sides(2), "ramp:1000000000", exact=True)
    assert steep.lower.tolist() == goal.lower.tolist()


def test_stable_networks_are_bounded_exactly_but_by_box():
    """All neurons active: the network is affine, and every rule but box keeps what depends on what."""
    layers = draw(np.random.default_rng(5), (2, 3, 3, 1))
    layers = [(rows, [b + 100 for b in biases] if relu else biases, relu) for rows, biases, relu in layers[:1]]
    layers += [
        ([[abs(w) for w in row] for row in rows], b, r) for rows, b, r in draw(np.random.default_rng(7), (3, 3, 1))
    ]
    lower, upper = sides(2)
    extremes = exact_range(network(layers), lower, upper)
    for name in RULES:
        found = bound_network(network(layers), lower, upper, name, exact=True)
        assert found.unstable == 0
        assert (found.lower[0] == extremes.lower[0]) == (name != "box")
    assert extremes.regions == 1


def test_batches_of_boxes_are_boxes_one_by_one():
    rng = np.random.default_rng(8)
    made = network(draw(rng, (3, 5, 4, 2)))
    centre = rng.standard_normal((4, 2, 3))
    for name in RULES:
        together = bound_network(made, centre - 0.25, centre + 0.25, name)
        for index in np.ndindex(4, 2):
            alone = bound_network(made, centre[index] - 0.25, centre[index] + 0.25, name)
            assert together.lower.shape == (4, 2, 2)
            assert np.allclose(together.lower[index], alone.lower, rtol=1e-12)
            assert np.allclose(together.upper[index], alone.upper, rtol=1e-12)


def test_a_box_of_one_point_has_one_value():
    layers = draw(np.random.default_rng(9), (2, 4, 1))
    for name in RULES:
        found = bound_network(network(layers), [1, 2], [1, 2], name, exact=True)
        assert found.lower.tolist() == found.upper.tolist() == output(layers, [Fraction(1), Fraction(2)])


@pytest.mark.slow
def test_exact_ranges_against_linear_programs():
    """Every pattern of active neurons, one linear program each in floating point."""
    rng = np.random.default_rng(10)
    for _ in range(5):
        layers = draw(rng, (2, 3, 2, 1))
        arrays = [(np.array(rows, dtype=float), np.array(b, dtype=float)) for rows, b, _ in layers]
        ends = []
        for pattern in product([0, 1], repeat=5):
            form, shift, rows, limits = np.eye(2), np.zeros(2), [], []
            for (weights, bias), active in zip(arrays, (pattern[:3], pattern[3:], [1]), strict=True):
                form, shift = weights @ form, weights @ shift + bias
                if len(active) > 1:
                    signs = np.where(active, -1.0, 1.0)
                    rows.append(signs[:, None] * form)
                    limits.append(-signs * shift)
                    form, shift = form * np.array(active)[:, None], shift * np.array(active)
            for sign in (1, -1):
                solved = linprog(sign * form[0], np.vstack(rows), np.concatenate(limits), bounds=[(-1, 1)] * 2)
                if solved.status == 0:
                    ends.append(sign * solved.fun + shift[0])
        found = exact_range(network(layers), [-1, -1], [1, 1])
        assert float(found.lower[0]) == pytest.approx(min(ends), abs=1e-9)
        assert float(found.upper[0]) == pytest.approx(max(ends), abs=1e-9)


def test_exact_ranges_have_a_budget():
    made = network(draw(np.random.default_rng(11), (2, 6, 6, 1)))
    with pytest.raises(BudgetExceeded, match="more than 3 linear regions"):
        exact_range(made, [-1, -1], [1, 1], max_regions=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 0], [1, 1], "tight"), "relaxation is 'tight'; expected one of box"),
        (([0, 0], [1, 1], "ramp"), "ramp takes a parameter"),
        (([0, 0], [1, 1], "box:1"), "box takes no parameter"),
        (([0, 0], [1, 1], "fixed:2"), "fixed takes one in"),
        (([0, 0], [1, 1], "ramp:-1"), "ramp takes one >= 0"),
        (([0, 0], [1, 1], "ramp:x"), "expected a name, or name:number"),
        (([0, 0, 0], [1, 1, 1]), "one entry an input"),
        (([0, 0], [[1, 1]]), "expected the same"),
        (([0, 2], [1, 1]), "the box is empty: lower"),
        (([0, float("nan")], [1, 1]), "finite"),
        (([[0], [0, 1]], [1, 1]), "finite floats, int and Fraction"),
    ],
)
def test_bad_input(arguments, message):
    made = network(draw(np.random.default_rng(0), (2, 3, 1)))
    with pytest.raises(InputError, match=message):
        bound_network(made, *arguments)


def test_weights_beyond_doubles_need_exact():
    made = network([([[Fraction(1, 3)]], [Fraction(0)], False)])
    with pytest.raises(InputError, match="try exact=True"):
        bound_network(made, [0], [1])
    assert bound_network(made, [0], [1], exact=True).upper.tolist() == [Fraction(1, 3)]
    # Sides that are no doubles are rounded outward.
    half = network([([[Fraction(1, 2)]], [Fraction(0)], False)])
    assert Fraction(bound_network(half, [0], [Fraction(1, 3)]).upper[0]) > Fraction(1, 6)


def test_overflow_is_no_bound():
    made = network([([[Fraction(2) ** 1000]], [Fraction(0)], True), ([[Fraction(2) ** 1000]], [Fraction(0)], False)])
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(InputError, match="overflow"):
        bound_network(made, [0], [1])


def test_flat_boxes_have_no_exact_range():
    made = network(draw(np.random.default_rng(0), (2, 3, 1)))
    with pytest.raises(InputError, match="no interior"):
        exact_range(made, [0, 0], [1, 0])
    with pytest.raises(InputError, match="one box"):
        exact_range(made, [[0, 0]], [[1, 1]])

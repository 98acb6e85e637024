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
    *("crown-forward", "crown+box", "fixed:1+box", "hbox+box", "symbolic+box", "crown-forward+box", "crown-ibp+box"),
)
# How far bounds in floats may lie from the rule's own, over the largest bound of the layer.
SLACK = {"float64": 1e-11, "float32": 1e-2}


def exactly(number):
    """A float of any type, or a Fraction, as a Fraction."""
    return number if isinstance(number, Fraction) else Fraction(float(number))


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
        expected = reference_bounds(layers, lower, upper, rule.rule, rule.parameter, rule.meets_box)
        for (low, high), (least, most) in zip(found.hidden, expected, strict=True):
            assert low.tolist() == least
            assert high.tolist() == most


@pytest.mark.slow
@pytest.mark.parametrize("dtype", SLACK)
@pytest.mark.parametrize("name", RULES)
def test_floats_enclose_the_exact_rule_or_another_sound_one(name, dtype):
    """Rounded bounds hold whatever they round, and are nearly the rule's own where no decision is a tie."""
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
        rounded = bound_network(network(layers), lower, upper, name, dtype=dtype)
        exact = bound_network(network(layers), lower, upper, name, exact=True)
        for (low, high), (least, most) in zip(rounded.hidden, exact.hidden, strict=True):
            size = float(max(map(abs, [*least, *most])))
            for a, b, c, d in zip(low, least, most, high, strict=True):
                assert exactly(a) <= b <= c <= exactly(d)
                assert abs(float(b) - a) + abs(float(c) - d) < SLACK[dtype] * size


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
    rounded = [bound_network(made, lower, upper, name, dtype=dtype) for dtype in SLACK]
    exact = bound_network(made, lower, upper, name, exact=True)
    extremes = exact_range(made, lower, upper)
    for k in range(2):
        for found in (*rounded, exact):
            assert exactly(found.lower[k]) <= extremes.lower[k] <= extremes.upper[k] <= exactly(found.upper[k])
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
    extremes = exact_range(network(layers), lower, upper)
    for name, dtype in product(RULES, SLACK):
        rounded = bound_network(network(layers), lower, upper, name, dtype=dtype)
        assert rounded.lower.dtype == dtype
        assert exactly(rounded.lower[0]) <= extremes.lower[0]
        assert extremes.upper[0] <= exactly(rounded.upper[0])


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "small"), [("float64", 2.0**-54), ("float32", 2.0**-25)])
@pytest.mark.parametrize("relu", ["relu", None])
def test_sums_that_are_always_rounded_down(relu, dtype, small):
    """1 and many numbers that one by one change nothing: as values behind a ReLU, or as the slope of the output."""
    count = 1 << 15
    column = np.full((count, 1), small)
    column[0] = 1
    first = (0 * column, column[:, 0], relu) if relu else (column, None, None)
    made = Network((NetworkLayer(*first), NetworkLayer(np.ones((1, count)), None, None)), "long sums")
    total = 1 + (count - 1) * Fraction(small)
    for name in RULES:
        found = bound_network(made, [-1], [1], name, dtype=dtype)
        assert exactly(found.lower[0]) <= (total if relu else -total)
        assert exactly(found.upper[0]) >= total


@pytest.mark.slow
@pytest.mark.parametrize("dtype", SLACK)
def test_bounds_hold_where_outputs_cancel(dtype):
    """Outputs are differences of nearly equal sums: bounds are about as wide as what rounding does."""
    rng = np.random.default_rng(14)
    for trial in range(2):
        row = rng.standard_normal(8)
        wide = np.stack([row, row + 2.0**-30 * rng.standard_normal(8), *rng.standard_normal((2, 8))])
        layers = [
            ([list(map(Fraction, r)) for r in wide], [Fraction(5)] * 4, True),
            (
                [[Fraction(3), Fraction(-3), Fraction(trial, 7 * 2**20), Fraction(1, 3)]] * 2,
                [Fraction(1, 3), Fraction(1)],
                True,
            ),
            ([[Fraction(1), Fraction(-1)]], [Fraction(0)], False),
        ]
        layers = [
            ([[Fraction(float(w)) for w in r] for r in rows], [Fraction(float(b)) for b in shifts], relu)
            for rows, shifts, relu in layers
        ]
        centre = rng.standard_normal(8)
        for radius in (0.0, 2.0**-40):
            lower, upper = centre - radius, centre + radius
            for name in RULES:
                rounded = bound_network(network(layers), lower, upper, name, dtype=dtype)
                exact = bound_network(network(layers), lower.tolist(), upper.tolist(), name, exact=True)
                for (low, high), (least, most) in zip(rounded.hidden, exact.hidden, strict=True):
                    for a, b, c, d in zip(low, least, most, high, strict=True):
                        assert exactly(a) <= b <= c <= exactly(d), (name, radius)


@pytest.mark.slow
def test_sums_of_many_terms_are_rounded_up():
    """Around 0, without biases, nothing but the sum of |w| r is rounded."""
    rng = np.random.default_rng(12)
    for _ in range(4):
        weights = rng.standard_normal((30, 400))
        layers = (NetworkLayer(weights, None, None), NetworkLayer(np.eye(30), None, None))
        reach = [sum(abs(Fraction(w)) for w in row) * Fraction(0.7) for row in weights]
        for name, dtype in product(("box", "hbox", "deepz", "crown", "symbolic"), SLACK):
            rounded = bound_network(Network(layers, "wide"), [-0.7] * 400, [0.7] * 400, name, dtype=dtype)
            for radius, low, high in zip(reach, rounded.lower, rounded.upper, strict=True):
                assert exactly(low) <= -radius < radius <= exactly(high)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exponent", "dtype"),
    [(e, "float64") for e in (-1000, -540, -300, 300)] + [(e, "float32") for e in (-150, -80, 60)],
)
def test_bounds_hold_where_products_underflow(exponent, dtype):
    rng = np.random.default_rng(4)
    scale = Fraction(2) ** exponent
    layers = draw(rng, (2, 4, 3, 1))
    layers = [
        ([[w * scale if k == 1 else w for w in row] for row in rows], b, r) for k, (rows, b, r) in enumerate(layers)
    ]
    layers = [([[Fraction(float(w)) for w in row] for row in rows], [Fraction(0)] * len(b), r) for rows, b, r in layers]
    extremes = exact_range(network(layers), [-1, -1], [1, 1])
    for name in RULES:
        rounded = bound_network(network(layers), [-1, -1], [1, 1], name, dtype=dtype)
        low, high = exactly(rounded.lower[0]), exactly(rounded.upper[0])
        assert low <= extremes.lower[0] <= extremes.upper[0] <= high


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


def test_layers_without_relu_inside():
    rng = np.random.default_rng(16)
    layers = [
        ([[Fraction(float(w)) for w in row] for row in rows], biases, k in (1, 4))
        for k, (rows, biases, _) in enumerate(draw(rng, (2, 4, 3, 4, 3, 4, 2)))
    ]
    for name in RULES:
        exact = bound_network(network(layers), *sides(2), name, exact=True)
        for dtype in SLACK:
            found = bound_network(network(layers), *sides(2), name, dtype=dtype)
            for (low, high), (least, most) in zip(found.hidden, exact.hidden, strict=True):
                size = float(max(map(abs, [*least, *most])))
                for a, b, c, d in zip(low, least, most, high, strict=True):
                    assert exactly(a) <= b <= c <= exactly(d)
                    assert abs(float(b) - a) + abs(float(c) - d) < SLACK[dtype] * size


def test_zeros_left_out_change_nothing(monkeypatch):
    """Dead neurons are left out of large products; here of small ones, and boxes come in parts of one and in blocks."""
    rng = np.random.default_rng(13)
    made = network(draw(rng, (3, 8, 7, 6, 2)))
    centre = rng.standard_normal((9, 3))
    plain = {name: bound_network(made, centre - 0.1, centre + 0.1, name) for name in RULES}
    for size in ("substitution._WORTH_COPYING", "substitution._PART_BYTES", "float_bounds._BLOCK_BYTES"):
        monkeypatch.setattr(f"polyinj.relaxation.{size}", 0)
        for name, before in plain.items():
            found = bound_network(made, centre - 0.1, centre + 0.1, name)
            assert np.allclose(found.lower, before.lower, rtol=0, atol=1e-12)
            assert np.allclose(found.upper, before.upper, rtol=0, atol=1e-12)


def test_rules_that_meet_box_are_never_looser():
    rng = np.random.default_rng(15)
    tighter = 0
    for _ in range(10):
        made = network(draw(rng, (2, 5, 5, 3), biases=False))
        interval = bound_network(made, *sides(2), "box", exact=True)
        for name in ("crown", "fixed:1", "deepz", "hbox", "symbolic", "crown-forward"):
            own, met = (bound_network(made, *sides(2), rule, exact=True) for rule in (name, f"{name}+box"))
            for (low, high), (least, most) in zip(met.hidden, interval.hidden, strict=True):
                assert (low >= least).all()
                assert (high <= most).all()
            # Slopes decide by other bounds two layers on; before, they are the same.
            for k in range(2):
                assert (met.hidden[k][0] >= own.hidden[k][0]).all()
                tighter += int((met.hidden[k][0] > own.hidden[k][0]).sum())
    assert tighter > 0


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
        (([0, 0], [1, 1], "box+box"), "box has interval bounds already"),
        (([0, 0], [1, 1], "+box"), "expected one of box"),
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


@pytest.mark.parametrize(("dtype", "exact"), [("float16", False), ("float32", True)])
def test_types_that_bounds_do_not_have(dtype, exact):
    made = network(draw(np.random.default_rng(0), (2, 3, 1)))
    with pytest.raises(InputError, match="expected 'float64', or 'float32' without exact"):
        bound_network(made, [0, 0], [1, 1], dtype=dtype, exact=exact)


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
    large = network([([[Fraction(2) ** 200]], [Fraction(0)], False)] * 2)
    for name in RULES:
        with pytest.raises(InputError, match="overflow float64; scale the network down, or try exact=True"):
            bound_network(made, [0], [1], name)
        with pytest.raises(InputError, match="overflow float32; scale the network down, or try float64"):
            bound_network(large, [0], [1], name, dtype="float32")


def test_flat_boxes_have_no_exact_range():
    made = network(draw(np.random.default_rng(0), (2, 3, 1)))
    with pytest.raises(InputError, match="no interior"):
        exact_range(made, [0, 0], [1, 0])
    with pytest.raises(InputError, match="one box"):
        exact_range(made, [[0, 0]], [[1, 1]])

"""Profiles along a line of weights: every jump confirmed in rationals, none missed, the known verdicts."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq, fmpq_poly
from hypothesis import given
from hypothesis import strategies as st
from reference.relaxation import bounds as reference_bounds

from polyinj import BudgetExceeded, InputError, Network, NetworkLayer, bound_network, relaxation_profile
from polyinj.exact.real_roots import RealRoot, roots_between, squarefree
from polyinj.relaxation.rules import Relaxation

# What each rule may jump at; none: continuous.
VERDICTS = {
    "box": set(),
    "deepz": set(),
    "ramp:1": set(),
    "ramp:2": set(),
    "blend:1": set(),
    "hbox": {"l"},
    "zonotope:0": {"l"},
    "zonotope:1": {"u"},
    "zonotope:1/2": {"l", "u"},
    "crown": {"u + l"},
    "crown-ibp": {"u + l"},
    "crown-forward": {"u + l"},
    "crown+box": {"u + l"},
    "deepz+box": set(),
    "blend:1/2": {"u + l"},
    "fixed:0": {"l"},
    "fixed:1": {"u"},
    "fixed:1/2": {"l", "u"},
    "ramp:1/2": {"l", "u"},
}


def draw(seed, widths):
    """A network whose weights are multiples of 1/64."""
    rng = np.random.default_rng(seed)
    layers = [
        NetworkLayer(
            np.round(64 * rng.standard_normal((m, n))) / 64,
            np.round(16 * rng.standard_normal(m)) / 64,
            "relu" if k < len(widths) - 2 else None,
        )
        for k, (n, m) in enumerate(pairwise(widths))
    ]
    return Network(tuple(layers), "drawn")


def between(start, end, t):
    """The network (1 - t) start + t end, in rationals."""

    def mix(a, b):
        return [(1 - t) * Fraction(x) + t * Fraction(y) for x, y in zip(a, b, strict=True)]

    layers = [
        ([mix(*rows) for rows in zip(a.weights.tolist(), b.weights.tolist(), strict=True)], mix(a.bias, b.bias), a)
        for a, b in zip(start.layers, end.layers, strict=True)
    ]
    return [(rows, biases, layer.activation == "relu") for rows, biases, layer in layers]


def bound_at(start, end, name, t, radius):
    """The bound by the reference."""
    rule = Relaxation.parse(name)
    n = start.widths[0]
    layers, sides = between(start, end, t), ([-radius] * n, [radius] * n)
    return reference_bounds(layers, *sides, rule.rule, rule.parameter, rule.meets_box)[-1][0][0]


RADIUS = Fraction(1, 2)


def profile_of(name, seed, widths, radius=RADIUS):
    start, end = draw(2 * seed, widths), draw(2 * seed + 1, widths)
    n = widths[0]
    return start, end, relaxation_profile(start, end, [-radius] * n, [radius] * n, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*VERDICTS, "symbolic"])
def test_every_jump_is_confirmed_and_none_is_missed(name):
    """On both sides of each event the reference, in rationals, nears the reported limits; between them, the piece."""
    jumps = 0
    for seed, widths in enumerate([(2, 5, 1), (2, 4, 3, 1), (1, 3, 2, 2, 1)]):
        start, end, profile = profile_of(name, seed, widths)
        assert float(profile.pieces[0].start) == 0
        assert float(profile.pieces[-1].end) == 1
        for left, right in zip(profile.pieces, profile.pieces[1:], strict=False):
            assert left.end.compare(right.start) == 0
        for piece in profile.pieces:
            low, high = piece.start.high, piece.end.low
            for share in (fmpq(1, 7), fmpq(5, 8)):
                t = low + share * (high - low)
                t = Fraction(int(t.p), int(t.q))
                assert piece.at(t) == bound_at(start, end, name, t, RADIUS)
        for jump in profile.jumps:
            jumps += 1
            assert jump.size_low <= jump.size <= jump.size_high
            assert jump.size_low > 0
            if name in VERDICTS:
                assert jump.causes
                assert {cause.what for cause in jump.causes} & VERDICTS[name]
            for side, limit in ((-1, jump.left), (1, jump.right)):
                edge = jump.low if side < 0 else jump.high
                errors = []
                for bits in (30, 45):
                    t = edge + side * Fraction(1, 2**bits)
                    errors.append(abs(float(bound_at(start, end, name, t, RADIUS)) - limit))
                assert errors[1] < 1e-6 * jump.size + 1e-12
                assert errors[1] <= errors[0] + 1e-12
    assert (jumps > 0) == (name == "symbolic" or bool(VERDICTS[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hbox", "crown", "crown-ibp", "symbolic", "fixed:1/2", "deepz"])
def test_a_dense_grid_finds_no_other_jump(name):
    """Halving each step of a grid finds a jump that is known, or a difference that vanishes."""
    # hbox and symbolic jump where neurons are stable: on a smaller box.
    radius = Fraction(1, 16) if name in ("hbox", "symbolic") else RADIUS
    profiles = (profile_of(name, seed, (2, 5, 3, 1), radius) for seed in range(40))
    start, end, profile = next(p for p in profiles if name == "deepz" or any(j.size > 0.02 for j in p[2].jumps))
    grid = [Fraction(2 * k + 1, 400) for k in range(200)]
    values = [float(bound_at(start, end, name, t, radius)) for t in grid]
    found = set()
    for a, b, low, high in zip(grid, grid[1:], values, values[1:], strict=False):
        while abs(high - low) > 0.005 and b - a > Fraction(1, 2**40):
            middle = (a + b) / 2
            value = float(bound_at(start, end, name, middle, radius))
            left = abs(value - low) > abs(high - value)
            a, b, low, high = (a, middle, low, value) if left else (middle, b, value, high)
        if abs(high - low) > 0.005:
            found.add((a, b))
    known = [jump for jump in profile.jumps if jump.size > 0.02]
    for a, b in found:
        assert any((jump.low < b and a < jump.high) or a <= jump.low <= b for jump in profile.jumps)
    for jump in known:
        assert any((a < jump.high and jump.low < b) or a <= jump.low <= b for a, b in found)
    assert bool(found) == (name != "deepz")


@pytest.mark.slow
def test_floats_on_a_grid_are_the_pieces():
    """Another arithmetic, 75 networks: the float64 bounds, with their rounding."""
    for name in ("hbox", "crown", "symbolic", "ramp:3"):
        start, end, profile = profile_of(name, 4, (2, 4, 3, 1))
        for k in range(1, 300, 4):
            t = Fraction(k, 307)
            piece = profile.piece_at(t)
            layers = [
                NetworkLayer(
                    (1 - float(t)) * a.weights + float(t) * b.weights,
                    (1 - float(t)) * a.bias + float(t) * b.bias,
                    a.activation,
                )
                for a, b in zip(start.layers, end.layers, strict=True)
            ]
            rounded = bound_network(Network(tuple(layers), "on the line"), [-0.5] * 2, [0.5] * 2, name)
            assert float(piece.at(t)) == pytest.approx(rounded.lower[0], abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*VERDICTS, "symbolic"])
def test_degenerate_lines(name):
    """Small integer weights, zero rows, ties u = -l that hold along the whole line, events at rational t."""
    points = 0
    for seed in range(6):
        widths = [(2, 3, 1), (1, 3, 2, 1), (2, 3, 3, 1)][seed % 3]
        ends = []
        for part in (0, 1):
            rng = np.random.default_rng(100 + 2 * seed + part)
            layers = [
                NetworkLayer(
                    rng.integers(-2, 3, (m, n)).astype(float),
                    np.zeros(m) if seed % 2 else rng.integers(-1, 2, m).astype(float),
                    "relu" if k < len(widths) - 2 else None,
                )
                for k, (n, m) in enumerate(pairwise(widths))
            ]
            ends.append(Network(tuple(layers), "integers"))
        profile = relaxation_profile(*ends, [-1] * widths[0], [1] * widths[0], name)
        for piece in profile.pieces:
            t = piece.start.high + fmpq(2, 5) * (piece.end.low - piece.start.high)
            t = Fraction(int(t.p), int(t.q))
            assert piece.at(t) == bound_at(*ends, name, t, Fraction(1))
        for jump in profile.jumps:
            assert name == "symbolic" or {cause.what for cause in jump.causes} & VERDICTS[name]
            if jump.low == jump.high:
                points += 1
                assert jump.value == pytest.approx(float(bound_at(*ends, name, jump.low, Fraction(1))), abs=1e-12)
    assert points > 0 or name not in ("crown", "fixed:1/2")


@pytest.mark.slow
def test_degrees_of_the_pieces():
    """box is a product of the layers' weights; tighter rules divide by u - l in every hidden layer."""

    def degree(name):
        _, _, profile = profile_of(name, 1, (2, 5, 4, 1))
        return max(max(piece.numerator.degree(), piece.denominator.degree()) for piece in profile.pieces)

    assert degree("box") == degree("hbox") == 3
    assert min(degree("crown"), degree("crown-ibp")) > 3
    assert degree("deepz") > 10


def neuron(weight, bias, head=1.0):
    return Network((NetworkLayer([[weight]], [bias], "relu"), NetworkLayer([[head]], [0.0], None)), "one neuron")


def test_one_neuron_by_hand():
    """z = x + t - 1/2 on |x| <= 1/4: l = t - 3/4, u = t - 1/4."""
    start, end = neuron(1.0, -0.5), neuron(1.0, 0.5)
    box = [-0.25], [0.25]
    crown = relaxation_profile(start, end, *box, "crown")
    assert [(jump.low, jump.high) for jump in crown.jumps] == [(Fraction(1, 2), Fraction(1, 2))]
    # At the tie the slope is 1: the lower bound is l.
    assert (crown.jumps[0].left, crown.jumps[0].right, crown.jumps[0].value) == (0, -0.25, -0.25)
    ones = relaxation_profile(start, end, *box, "fixed:1")
    assert [(jump.position, jump.left, jump.right, jump.value) for jump in ones.jumps] == [(0.25, 0, -0.5, 0)]
    for name in ("box", "hbox", "deepz", "symbolic", "fixed:0"):
        assert not relaxation_profile(start, end, *box, name).jumps


def test_an_irrational_jump():
    """z = t (x + t) - 2 with two layers: u + l = 2 t^2 - 4 changes sign at the root of 2."""

    def network(t):
        identity = NetworkLayer([[1.0]], [t], None)
        return Network((identity, NetworkLayer([[t]], [-2.0], "relu"), NetworkLayer([[1.0]], [0.0], None)), "square")

    profile = relaxation_profile(network(0.0), network(4.0), [-0.5], [0.5], "crown")
    (jump,) = profile.jumps
    assert jump.low < jump.high
    assert jump.position == pytest.approx(np.sqrt(2) / 4, abs=1e-8)
    # There l = -t / 2, so the bound falls from 0 to -1 / sqrt 2.
    assert jump.left == 0
    assert jump.right == pytest.approx(-np.sqrt(0.5), abs=1e-12)
    assert jump.causes[0].what == "u + l"


def test_a_point_that_stands_alone():
    """l = -t^2 touches 0 at t = 0, where hbox passes the neuron on unchanged: a value unlike both limits."""

    def network(t):
        # z = x + 1 - t^2 from the product of two layers; f = z+ - x.
        first = NetworkLayer([[1.0], [0.0]], [0.0, t], None)
        second = NetworkLayer([[1.0, -t], [1.0, 0.0]], [1.0, 2.0], "relu")
        return Network((first, second, NetworkLayer([[1.0, -1.0]], [0.0], None)), "touching")

    profile = relaxation_profile(network(-0.5), network(0.5), [-1], [1], "hbox")
    (jump,) = profile.jumps
    assert (jump.low, jump.high) == (Fraction(1, 2), Fraction(1, 2))
    assert jump.left == jump.right == -3
    assert jump.value == -1
    assert jump.size == 2


@pytest.mark.slow
def test_lines_backwards_and_in_parts():
    start, end, whole = profile_of("crown", 3, (2, 4, 3, 1))
    box = [-RADIUS] * 2, [RADIUS] * 2
    back = relaxation_profile(end, start, *box, "crown")
    assert list(whole.to_pandas()["size"]) == [jump.size for jump in whole.jumps]
    assert [1 - jump.position for jump in reversed(back.jumps)] == pytest.approx([j.position for j in whole.jumps])
    assert [jump.left for jump in reversed(back.jumps)] == pytest.approx([jump.right for jump in whole.jumps])
    parts = [relaxation_profile(start, end, *box, "crown", interval=ends) for ends in ((0, 0.375), (0.375, 1))]
    assert [j.position for part in parts for j in part.jumps] == pytest.approx([j.position for j in whole.jumps])
    assert len(whole.jumps) > 1


def test_bad_input():
    start, end = draw(0, (2, 3, 1)), draw(1, (2, 3, 1))
    box = [-1, -1], [1, 1]
    for arguments, options, message in (
        ((start, draw(1, (2, 4, 1)), *box), {}, "expected the same layers"),
        ((start, end, *box), {"output": 1}, "output is 1; expected 0..0"),
        ((start, end, *box), {"interval": (1, 0)}, "the smaller end first"),
        ((start, end, [box[0]], [box[1]]), {}, "one box"),
        ((neuron(1.0, 0.0), Network(neuron(1.0, 0.0).layers[:1], "x"), [0], [1]), {}, "expected the same layers"),
    ):
        with pytest.raises(InputError, match=message):
            relaxation_profile(*arguments, **options)
    ends = Network(start.layers[:1], "relu last")
    with pytest.raises(InputError, match="the last layer has a ReLU"):
        relaxation_profile(ends, ends, *box)
    with pytest.raises(BudgetExceeded, match="more than 2 pieces"):
        relaxation_profile(start, end, *box, max_pieces=2)


# Roots.

LINEAR = st.tuples(st.integers(-30, 30), st.integers(1, 9)).map(lambda pair: fmpq(*pair))


@given(roots=st.lists(LINEAR, min_size=1, max_size=5), other=st.lists(LINEAR, min_size=1, max_size=3))
def test_rational_roots_are_found_and_compared(roots, other):
    p, q = (fmpq_poly([1]) for _ in range(2))
    for root in roots:
        p *= fmpq_poly([-root, 1])
    for root in other:
        q *= fmpq_poly([-root, 1])
    # A factor without real roots.
    found = list(roots_between(squarefree(p * fmpq_poly([1, 0, 1])), fmpq(-40), fmpq(40)))
    assert len(found) == len(set(map(str, roots)))
    for root, value in zip(
        found, sorted({(int(r.p), int(r.q)) for r in roots}, key=lambda r: r[0] / r[1]), strict=True
    ):
        exact = fmpq(*value)
        at = q(exact)
        assert root.sign_of(q) == (at > 0) - (at < 0)
        assert root.compare(RealRoot.rational(exact)) == 0
        assert root.compare(RealRoot.rational(exact + fmpq(1, 10**9))) == -1
        assert RealRoot.rational(exact - fmpq(1, 10**9)).compare(root) == -1


def test_close_and_multiple_roots():
    """x^2 - 2 and x^2 - 2 - 10^-30; and a double root at sqrt 2."""
    p, q = fmpq_poly([-2, 0, 1]), fmpq_poly([-2 - fmpq(1, 10**30), 0, 1])
    (a,), (b,) = (list(roots_between(f, fmpq(0), fmpq(5))) for f in (p, q))
    assert a.compare(b) == -1
    assert b.sign_of(p) == 1
    (c,) = roots_between(squarefree(p * p * fmpq_poly([-3, 0, 1]) // fmpq_poly([1])), fmpq(1), fmpq(3, 2))
    assert c.compare(a) == 0
    assert c.sign_of(p * q) == 0
    ball = a.value(fmpq_poly([0, 1]), fmpq_poly([1]))
    assert float(ball.mid()) == pytest.approx(2**0.5, abs=1e-15)

"""Networks through data on the sphere, and the cap network with its constant."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from polyinj import (
    Ball,
    InputError,
    SphereData,
    cap_constant,
    interpolate,
    lipschitz_constant,
    random_sphere_data,
)
from polyinj.lipschitz.interpolate import _train, largest_height


def data_of(seed, n, d):
    return random_sphere_data(n, d, np.random.default_rng(seed))


@pytest.mark.slow
@pytest.mark.parametrize(("method", "k"), [("random_features", 15), ("trained", 6), ("regularised", 6), ("caps", 20)])
def test_networks_fit_and_are_at_least_as_steep_as_the_data(method, k):
    data = data_of(3, 10, 6)
    network = interpolate(data, k, method, seed=2)
    assert network.fits
    assert network.residual == np.abs(network.apply(data.points) - data.labels).max()
    # |f(x) - f(y)| >= 2 - 2 residual on the steepest pair, and no distance is more than 2.
    gap = 2 / data.slope
    assert network.lipschitz().upper >= (2 - 2 * network.residual) / gap * (1 - 1e-12)
    again = interpolate(data, k, method, seed=2)
    assert np.array_equal(again.output, network.output)


def test_regularised_networks_are_less_steep():
    data = data_of(0, 12, 5)
    trained, regularised = (interpolate(data, 12, method, seed=0) for method in ("trained", "regularised"))
    assert regularised.fits
    assert regularised.method == "regularised"
    assert regularised.lipschitz().upper < 0.95 * trained.lipschitz().lower


def test_training_follows_the_derivatives(monkeypatch):
    """The residuals are quadratic between kinks, so central differences are right there to rounding."""
    asked = {}

    def look(residuals, start, jac, **options):
        asked.update(residuals=residuals, start=start, jac=jac)
        return SimpleNamespace(x=start)

    monkeypatch.setattr("polyinj.lipschitz.interpolate.least_squares", look)
    rng = np.random.default_rng(0)
    data, k, d = data_of(1, 5, 3), 4, 3
    weights, bias, output, steep = (rng.standard_normal(shape) for shape in ((k, d), k, k, (2, d)))
    # No neuron changes its sign within the steps below.
    assert min(np.abs(points @ weights.T + bias).min() for points in (data.points, steep)) > 1e-3
    end = _train(data, weights, bias, output, steep, 0.5)
    assert all(np.array_equal(*pair) for pair in zip(end, (weights, bias, output), strict=True))
    step = 1e-4
    differences = [
        (asked["residuals"](asked["start"] + move) - asked["residuals"](asked["start"] - move)) / (2 * step)
        for move in step * np.eye(k * (d + 2))
    ]
    np.testing.assert_allclose(asked["jac"](asked["start"]).T, differences, atol=1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_training_ends_where_the_gradient_vanishes_or_at_a_kink(seed):
    """Whatever the last digits of the start: steps are not counted."""
    rng = np.random.default_rng(seed)
    data, k, d = data_of(seed, 5, 3), 4, 3
    start = rng.standard_normal((k, d)), rng.standard_normal(k), rng.standard_normal(k)

    def loss(weights, bias, output):
        return ((np.maximum(data.points @ weights.T + bias, 0) @ output - data.labels) ** 2).sum()

    for _ in range(4):
        noisy = (part * (1 + rng.integers(-1, 2, part.shape) * 2.0**-52) for part in start)
        weights, bias, output = _train(data, *noisy, np.zeros((0, d)), 0.0)
        assert loss(weights, bias, output) < loss(*start)
        before = data.points @ weights.T + bias
        misfit = np.maximum(before, 0) @ output - data.labels
        slopes = (misfit[:, None] * (before > 0)) * output
        if np.abs(before).min() > 1e-6:
            assert np.abs(slopes.T @ np.column_stack([data.points, np.ones(5)])).max() < 1e-5
            assert np.abs(misfit @ np.maximum(before, 0)).max() < 1e-5


def test_networks_too_small_do_not_fit_and_say_so():
    network = interpolate(data_of(0, 30, 3), 2, "trained")
    assert not network.fits
    assert network.residual > 0.1


def test_the_constant_on_the_sphere_lies_within_its_two_numbers():
    """d = 2: gradients at 40,000 points of the circle, and slopes of random chords."""
    angles = np.linspace(0, 2 * np.pi, 40_001)[:-1]
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    tangents = np.column_stack([-np.sin(angles), np.cos(angles)])
    rng = np.random.default_rng(5)
    for seed in range(3):
        network = interpolate(data_of(seed, 4, 2), 6, "trained", seed=seed)
        low, high = network.lipschitz_on_sphere()
        on = circle @ network.weights.T + network.bias > 0
        slopes = np.abs((((on * network.output) @ network.weights) * tangents).sum(axis=1))
        assert slopes.max() * (1 - 1e-3) <= low <= slopes.max() * (1 + 1e-3)
        assert low <= high <= network.lipschitz().upper
        x, y = (circle[rng.integers(0, len(circle), 5000)] for _ in range(2))
        apart = np.linalg.norm(x - y, axis=1)
        chords = np.abs(network.apply(x) - network.apply(y))[apart > 0] / apart[apart > 0]
        assert chords.max() <= low * (1 + 1e-3)
    caps = interpolate(SphereData(np.eye(3), np.array([1.0, -1.0, 1.0])), 6, "caps", height=0.25)
    low, high = caps.lipschitz_on_sphere()
    assert 0.99 < low / math.sqrt(7) <= 1 + 1e-9
    assert high == pytest.approx(4)
    assert caps.lipschitz().upper >= 4 * math.sqrt(2) - 1e-9
    # Two points, x = -1 and x = 1.
    line = interpolate(SphereData(np.array([[1.0], [-1.0]]), np.array([1.0, -1.0])), 4, "caps")
    assert line.lipschitz_on_sphere() == (1.0, 1.0)


def test_the_constant_of_caps_on_the_sphere_is_root_seven():
    """s = 1/4: every quotient of two points of the sphere is below sqrt 7, and some come near it."""
    assert cap_constant(0.25) == math.sqrt(7)
    turns = np.array([0.3, 1.9, 3.3, 5.0])
    # Caps of height 1/4 reach arccos(3/4) = 0.723 from their centres: two centres must be 1.446 apart.
    points = np.column_stack([np.cos(turns), np.sin(turns)])
    data = SphereData(points, np.array([1.0, -1.0, -1.0, 1.0]))
    assert 1 - math.cos(min(np.diff([*turns, turns[0] + 2 * np.pi])) / 2) >= largest_height(data) - 1e-12
    with pytest.raises(InputError, match="caps are disjoint"):
        interpolate(data, 8, "caps", height=0.25)
    turns = np.array([0.3, 1.8, 3.3, 4.8])
    data = SphereData(np.column_stack([np.cos(turns), np.sin(turns)]), data.labels)
    network = interpolate(data, 8, "caps", height=0.25)
    assert network.residual < 1e-14
    around = np.linspace(0, 2 * np.pi, 40_001)
    circle = np.column_stack([np.cos(around), np.sin(around)])
    steep = np.abs(np.diff(network.apply(circle))) / np.linalg.norm(np.diff(circle, axis=0), axis=1)
    assert steep.max() <= math.sqrt(7) * (1 + 1e-9)
    assert steep.max() >= math.sqrt(7) * (1 - 1e-3)
    rng = np.random.default_rng(0)
    x, y = (circle[rng.integers(0, len(circle), 20_000)] for _ in range(2))
    apart = np.linalg.norm(x - y, axis=1) > 1e-9
    quotients = np.abs(network.apply(x) - network.apply(y))[apart] / np.linalg.norm(x - y, axis=1)[apart]
    assert quotients.max() <= math.sqrt(7)


def test_the_constant_of_caps_in_the_ball_and_in_the_plane_exactly():
    """Rational unit vectors: 1/s in the ball; in R^n slabs overlap, and gradients of opposite labels add up."""
    s = Fraction(1, 4)
    centres = [(Fraction(3, 5), Fraction(4, 5)), (Fraction(4, 5), Fraction(-3, 5))]
    labels = [1, -1]
    weights = [row for centre in centres for row in (centre, centre)]
    bias = [s - 1, -1] * 2
    output = [y / s * sign for y in labels for sign in (1, -1)]
    in_ball = lipschitz_constant(weights, bias, output, domain=Ball([0, 0], 1))
    assert in_ball.exact
    assert in_ball.power == 1 / s**2
    # The two slabs are at right angles and cross outside the ball: |x_1 - x_2| / s = sqrt(2) / s.
    everywhere = lipschitz_constant(weights, bias, output)
    assert everywhere.power == 2 / s**2
    assert cap_constant(float(s)) ** 2 < in_ball.power < everywhere.power


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((5, "best"), {}, "method is 'best'; allowed are random_features"),
        ((0, "trained"), {}, "expected k >= 1"),
        ((3, "random_features"), {}, "k is 3 for 4 points; expected k >= n"),
        ((7, "caps"), {}, "caps have k = 2n = 8"),
        ((8, "caps"), {"height": 0.0}, "height is 0.0"),
        ((5, "trained"), {"tolerance": 0.0}, "tolerance > 0"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(InputError, match=message):
        interpolate(data_of(0, 4, 3), *arguments, **options)


def test_bad_data():
    with pytest.raises(InputError, match="not of length 1"):
        SphereData(np.array([[1.0, 1.0]]), np.array([1.0]))
    with pytest.raises(InputError, match="expected signs"):
        SphereData(np.array([[1.0, 0.0]]), np.array([2.0]))
    with pytest.raises(InputError, match="expected \\(n, d\\)"):
        SphereData(np.array([[1.0, 0.0]]), np.array([1.0, 1.0]))
    with pytest.raises(InputError, match="height is 2"):
        cap_constant(2)
    with pytest.raises(InputError, match="n, d is"):
        data_of(0, 0, 3)

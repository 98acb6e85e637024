"""Gordon's comparison through layers: each step of docs/every-depth.md, and the widths that follow."""

import math

import numpy as np
import pytest
from reference.image_widths import greatest_products
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm

from polyinj.errors import InputError
from polyinj.fitting.intervals import clopper_pearson
from polyinj.theory.deep_gordon import (
    comparison_widths,
    distance_share,
    every_depth_expansivity,
    mean_cost,
    width_behind,
)
from polyinj.theory.thresholds import enclose_threshold


def cost(theta, g, h):
    """phi_theta."""
    turned = np.maximum(g * np.cos(theta) + h * np.sin(theta), 0)
    return np.minimum(np.maximum(g, 0) ** 2, g**2 - turned**2)


def square_from_below(g, h, r):
    """A lower bound of the squared distance of g from {z : h.ReLU(z) >= r |ReLU(z)|}, as the page bounds it."""
    step = math.pi / 2 / 400
    least = cost(step * np.arange(401)[:, None], g, h).sum(axis=1).min()
    # The sum is Lipschitz in theta; and where ReLU(z) = 0 the distance is that from the negative orthant.
    return min(r * r + least - step / 2 * (g @ g + h @ h), (np.maximum(g, 0) ** 2).sum())


def test_the_threshold_of_every_depth():
    """2 B(q) = Q(q) at C* = 2/Q(q)."""
    threshold = every_depth_expansivity()
    assert enclose_threshold("gordon", 2) < threshold < enclose_threshold("gordon", 2) + 1e-14
    q = norm.isf(2 / threshold)
    assert 2 * (norm.cdf(q) - 0.5 - q * norm.pdf(q)) == pytest.approx(norm.sf(q), abs=1e-13)


@pytest.mark.parametrize(("multiplier", "a"), [(0.3, 1.09), (0.5, 1.3), (2, 7), (1, 0.8)])
def test_the_mean_in_closed_form(multiplier, a):
    def integrand(v):
        g, h = math.cos(v), math.sin(v)
        return min(max(g, 0) ** 2, g * g - max(g + multiplier * h, 0) ** 2 / a) / math.pi

    exact, _ = quad(integrand, -math.pi, math.pi, points=[-math.pi / 2, math.pi / 2], limit=400)
    assert mean_cost(multiplier, a) == pytest.approx(exact, abs=1e-8)


def test_the_mean_at_the_multipliers_of_the_proof():
    for theta in (0.01, 0.3, 1.0, 1.5):
        mean = (theta - math.sin(theta)) / (2 * math.pi)
        assert mean_cost(math.tan(theta), 1 + math.tan(theta) ** 2) == pytest.approx(mean, abs=1e-14)


@pytest.mark.slow
def test_the_distance_from_the_cone_is_bounded_from_below():
    """For z with h.ReLU(z) >= r |ReLU(z)|; found by descent, so that it is near."""
    rng, near = np.random.default_rng(5), []
    for _ in range(12):
        m = int(rng.integers(2, 9))
        g, h = rng.standard_normal((2, m))
        r = float(rng.uniform(0, 1)) * np.linalg.norm(np.maximum(h, 0))

        def excess(z, h=h, r=r):
            return h @ np.maximum(z, 0) - r * np.linalg.norm(np.maximum(z, 0))

        for _ in range(6):
            start = rng.standard_normal(m)
            constraint = {"type": "ineq", "fun": excess}
            z = minimize(lambda z, g=g: ((g - z) ** 2).sum(), start, constraints=[constraint], method="SLSQP").x
            if excess(z) >= 0:
                near.append(((g - z) ** 2).sum() - square_from_below(g, h, r))
    assert len(near) > 20
    # Where the nearest point has ReLU(z) = 0 they are equal, up to the descent.
    assert min(near) > -1e-6
    assert sum(excess < 0.5 for excess in near) > 5


@pytest.mark.slow
def test_both_sides_of_the_comparison():
    """P(sup over T_1 of h.e >= r) <= 2 P(distance <= sup over the circle of h'.e), n = 2: false alarm below 1e-6."""
    m, rng = 12, np.random.default_rng(12)
    behind = greatest_products([m], 400, rng, angles=500)[:, 1]
    vectors, squares = rng.standard_normal((400, 2, m)), rng.chisquare(2, 400)
    for r in (1.5, 2.0, 2.5, 3.0):
        distances = np.array([square_from_below(g, h, r) for g, h in vectors])
        left, right = int((behind >= r).sum()), int((distances <= squares).sum())
        assert clopper_pearson(left, 400, 1 - 2e-7)[0] <= 2 * clopper_pearson(right, 400, 1 - 2e-7)[1]


@pytest.mark.slow
def test_directions_become_narrower():
    """E sup over T_l of h.e, n = 2: behind four layers below that of the circle by six standard errors."""
    found = greatest_products([24] * 4, 400, np.random.default_rng(2), angles=300)
    drop = found[:, 0] - found[:, 4]
    assert drop.mean() > 6 * drop.std() / math.sqrt(len(drop))
    assert found[:, 0].mean() == pytest.approx(math.sqrt(math.pi / 2), abs=6 * found[:, 0].std() / 20)


def test_the_share_against_points_of_the_cone():
    """d(b) is the squared distance over m: above b, and below that of points of the cone, in one large sample."""
    g, h = np.random.default_rng(0).standard_normal((2, 40_000))
    for share in (0.05, 0.2):
        found = min(_point_of_the_cone(g, h, share, theta) for theta in np.linspace(0.05, 1.2, 200))
        assert share < distance_share(share) < found + 0.01
        assert found < distance_share(share) + 0.02


def _point_of_the_cone(g, h, share, theta):
    """The squared distance over m from g of the z of least cost at theta; inf where it is outside of the cone."""
    turned = np.maximum(g * math.cos(theta) + h * math.sin(theta), 0)
    positive = np.where(g**2 - turned**2 < np.maximum(g, 0) ** 2, turned * math.cos(theta), 0)
    if h @ positive < math.sqrt(share * len(g)) * np.linalg.norm(positive):
        return math.inf
    return ((g - np.where(positive > 0, positive, np.minimum(g, 0))) ** 2).mean()


@pytest.mark.slow
def test_widths_layer_by_layer():
    strong, weak = comparison_widths(4), comparison_widths(4, budget=1)
    assert strong == pytest.approx((7.647694935, 11.460256878, 11.361887980, 11.266000373), abs=1e-6)
    assert weak == pytest.approx((7.647694935, 7.540672913, 7.437328243, 7.337487630), abs=1e-6)
    assert strong[1] < every_depth_expansivity()


@pytest.mark.slow
def test_the_width_behind_a_layer():
    for square, ratio in ((1, 4), (0.7, 8), (1, 30)):
        behind = width_behind(square, ratio)
        assert 0 < behind < square
        assert ratio * distance_share(behind / ratio) == pytest.approx(square, rel=1e-6)
    # A wider layer narrows less; as it grows it is the kernel of infinite width for neighbours: not at all.
    assert width_behind(1, 8) < width_behind(1, 100) < width_behind(1, 10_000) < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: comparison_widths(0), "depth is 0"),
        (lambda: comparison_widths(2, budget=3), "budget is 3; expected 1"),
        (lambda: width_behind(2, 3), "square is 2"),
        (lambda: width_behind(1, -1), "ratio is -1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()

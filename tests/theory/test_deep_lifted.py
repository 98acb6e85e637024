"""The lifted comparison through layers: its integral, its saddles, and the first layer against what is enclosed."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize

from polyinj.errors import InputError
from polyinj.theory import deep_lifted
from polyinj.theory.deep_gordon import comparison_widths
from polyinj.theory.deep_lifted import lifted_comparison_widths
from polyinj.theory.thresholds import enclose_threshold

SPHERE = deep_lifted._Exponent(deep_lifted._sphere_value, deep_lifted._sphere_slope)


@pytest.mark.parametrize(("s", "multiplier", "a"), [(0.4, 0.3, 1.09), (0.7, 0.5, 1.3), (0.05, 2, 7)])
def test_the_integral_and_its_derivatives(s, multiplier, a):
    def mean(s, multiplier, a):
        def integrand(v):
            g, h = math.cos(v), math.sin(v)
            cost = min(max(g, 0) ** 2, g * g - max(g + multiplier * h, 0) ** 2 / a)
            return 1 / (1 + 2 * s * cost) / (2 * math.pi)

        kinks = [-math.pi / 2, math.pi / 2, math.atan(multiplier) - math.pi / 2]
        kinks.append(math.pi / 2 + math.atan(multiplier / (1 + math.sqrt(a))))
        return quad(integrand, -math.pi, math.pi, points=kinks, epsabs=1e-13, limit=200)[0]

    found, *slopes = deep_lifted._mean(s, multiplier, a)
    assert found == pytest.approx(mean(s, multiplier, a), abs=1e-11)
    for place, slope in enumerate(slopes):
        step = 1e-4 * np.eye(3)[place]
        up, down = mean(*(np.array([s, multiplier, a]) + step)), mean(*(np.array([s, multiplier, a]) - step))
        assert slope == pytest.approx((up - down) / 2e-4, rel=1e-5)


@pytest.mark.parametrize("budget", [1, 2])
def test_behind_the_sphere_it_is_the_lifted_threshold(budget):
    width = deep_lifted._least_width(budget, SPHERE)
    assert width == pytest.approx(float(enclose_threshold("lifted-gordon", budget)), abs=1e-9)


def test_the_exponent_behind_a_layer():
    behind = deep_lifted._behind(SPHERE, 1.0, 7.4486)
    c = np.linspace(0.05, 3, 60)
    values, slopes = np.array([behind.value(x) for x in c]), np.array([behind.slope(x) for x in c])
    # Legendre transforms: the slope is that of the value, and it increases.
    assert np.gradient(values, c)[1:-1] == pytest.approx(slopes[1:-1], abs=1e-3)
    assert (np.diff(slopes) > 0).all()
    # A layer does not make the maximum larger, nor its exponential moments.
    assert all(behind.value(x) < SPHERE.value(x) for x in c)
    # By Jensen they are at least those of the mean, and concentration bounds them from above.
    mean = behind.slope(0)
    assert all(mean * x < behind.value(x) < mean * x + x * x / 2 for x in c)


def test_the_exponent_agrees_with_nested_searches():
    """J(r) behind 7.4486 n neurons, as a search of each min and max inside the next found it, without derivatives."""
    behind = deep_lifted._behind(SPHERE, 1.0, 7.448638726293977)
    known = [(1.045, -0.003471), (1.12, -0.016914), (1.27, -0.072377), (1.42, -0.163416), (1.57, -0.287653)]
    for r, exponent in known:
        c = brentq(lambda c, r=r: behind.slope(c) - r, 0, 3)
        assert behind.value(c) - c * r == pytest.approx(exponent, abs=1.5e-6)


def test_the_stationary_point_is_a_saddle():
    """At fixed r and c: minimal in lambda and a, and that minimum is the largest in s and in tau, seen nearby."""
    c, ratio = 0.5, 7.4486
    s = c / (2 * (SPHERE.slope(c) - c))
    r, tau, multiplier = deep_lifted.root(deep_lifted._residual, (1.2, 1.7, 0.6), (c, s, ratio)).x
    a = 1 + multiplier * r / tau

    def f(s, tau, multiplier, a):
        mean = math.log(deep_lifted._mean(s, multiplier, a)[0])
        return -c * c / (4 * s) + ratio * mean - s * (2 * multiplier * r * tau - (a - 1) * tau**2)

    def least(s, tau):
        options = {"xatol": 1e-8, "fatol": 1e-13}
        return minimize(lambda v: f(s, tau, *v), [multiplier, a], method="Nelder-Mead", options=options).fun

    best = f(s, tau, multiplier, a)
    assert least(s, tau) == pytest.approx(best, abs=1e-10)
    for s_step, tau_step in ((0.02, 0), (-0.02, 0), (0, 0.05), (0, -0.05), (0.02, 0.05), (0.02, -0.05)):
        assert least(s + s_step, tau + tau_step) < best


@pytest.mark.slow
def test_widths_layer_by_layer():
    strong, weak = lifted_comparison_widths(4), lifted_comparison_widths(2, budget=1)
    assert strong == pytest.approx((7.44863873, 11.02902618, 11.00697959, 10.98343891), abs=1e-6)
    for lifted, budget in ((strong, 2), (weak, 1)):
        assert all(x < y for x, y in zip(lifted, comparison_widths(len(lifted), budget=budget), strict=True))


def test_bad_input():
    with pytest.raises(InputError, match="depth is 0"):
        lifted_comparison_widths(0)
    with pytest.raises(InputError, match="budget is 3"):
        lifted_comparison_widths(2, budget=3)

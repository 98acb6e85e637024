"""The comparison of `polyinj.theory.deep_gordon`, lifted: exp(-c M) in place of the event, at every layer.

With T the directions that reach a layer, independent of its Gaussian W, K a closed cone and g, h Gaussian, the lifted
comparison (proof: `polyinj.theory.lifted_gordon`, with T for the sphere and the distance from K for M) says for c > 0

    P(We in K for some e in T) <= exp(-c^2/2) E exp(c max over T of h.e) E exp(-c dist(g, K)).

Let W_l(c) bound the limit of (1/n) ln E exp(c sqrt n max over T_l of h.e). For the sphere W_0(c) = max over r of c r -
(r^2 - 1)/2 + ln r. Behind a layer of alpha n neurons the maximum exceeds r sqrt n only if We lies in the cone of
docs/every-depth.md with this r. For the distance D from it the exponent of E exp(-c sqrt n D) is the maximum over s of
-c^2/(4s) + that of E exp(-s D^2). So

    W_{l+1}(c') = max over r of c' r + J(r),     J(r) = min over c, max over s and tau, min over lambda and a of F,
    F = -c^2/2 + W_l(c) - c^2/(4s) + alpha ln M - s (2 lambda r tau - (a - 1) tau^2),
    M = E exp(-s min(G_+^2, G^2 - (G + lambda h)_+^2 / a)).

Layer l + 1 of alpha n neurons, with a budget of b n active rows, has the exponent

    min over c of -c^2/2 + W_l(c) + max over s, t of -c^2/(4s) + alpha H(b/alpha) + b ln Q(t) + (alpha - b) ln A_s(t)

as in `lifted_gordon`; the least alpha is where it is 0. Every min and max is taken where the function is stationary, in
floating point: that these points are the saddles is not proven.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import atan, exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, root
from scipy.special import log_ndtr, ndtr

from polyinj.errors import InputError
from polyinj.theory.deep_gordon import plain_saddle, read_budget, width_behind
from polyinj.theory.domain import read_count

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
# Values of c at which a layer is solved, one after the other.
_LIFTS = np.linspace(0.02, 5, 84)

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Exponent:
    """W_l: its value and derivative as functions of c."""

    value: Callable[[float], float]
    slope: Callable[[float], float]


def _sphere_slope(c: float) -> float:
    return (c + sqrt(c * c + 4)) / 2


def _sphere_value(c: float) -> float:
    r = _sphere_slope(c)
    return c * r - (r * r - 1) / 2 + log(r)


_DEEPEST = {1: 4, 2: 8}


def lifted_comparison_widths(depth: int, *, budget: int = 2) -> tuple[float, ...]:
    """`comparison_widths` by the lifted comparison: less, in floating point.

    Parameters
    ----------
    depth : int
        Layers, at least 1.
    budget : int
        1 or 2.

    Returns
    -------
    tuple of float
        The least m_1/n, ..., m_L/n, one layer after the other; about 1e-6 accurate.

    Raises
    ------
    InputError
        depth less than 1, or more than 4 for budget 1, 8 for budget 2: deeper, no stationary point is found. Or another
        budget.

    Examples
    --------
    >>> [round(width, 4) for width in lifted_comparison_widths(2)]
    [7.4486, 11.029]
    """
    depth, budget = read_count(depth, "depth"), read_budget(budget)
    if depth > _DEEPEST[budget]:
        raise InputError(
            f"depth is {depth}; expected at most {_DEEPEST[budget]} for budget {budget}, since deeper no stationary "
            "point is found; try comparison_widths"
        )
    exponent, square = _Exponent(_sphere_value, _sphere_slope), 1.0
    widths = [_least_width(1, exponent)]
    while len(widths) < depth:
        exponent, square = _behind(exponent, square, widths[-1]), width_behind(square, widths[-1])
        widths.append(_least_width(budget, exponent))
    return tuple(widths)


def _least_width(budget: int, exponent: _Exponent) -> float:
    """The alpha at which the bound neither grows nor falls exponentially, along stationary points numbered by c."""

    def stationary(c: float) -> tuple[float, float]:
        slope = exponent.slope(c)
        s = c / (2 * (slope - c))
        rho = sqrt(1 + 2 * s)

        def others(t: float) -> tuple[float, float]:
            """alpha - budget where t is stationary, and A."""
            a = 0.5 + (ndtr(t * rho) - 0.5) / rho
            return budget * a * exp(s * t * t - log_ndtr(-t)), a

        def in_s(t: float) -> float:
            rest, a = others(t)
            density = np.exp(-((t * rho) ** 2) / 2) / sqrt(2 * pi)
            return float(c * c / (4 * s * s) + rest * (t * density - (ndtr(t * rho) - 0.5) / rho) / (rho * rho * a))

        t = float(brentq(in_s, 0.05, 3))
        rest, a = others(t)
        alpha = rest + budget
        entropy = alpha * log(alpha) - budget * log(budget) - rest * log(rest)
        value = -c * c / 2 + exponent.value(c) - c * c / (4 * s) + entropy + budget * log_ndtr(-t) + rest * log(a)
        return float(value), float(alpha)

    high = next(c for c in np.arange(0.2, 4, 0.1) if stationary(c)[0] < 0)
    c = brentq(lambda c: stationary(c)[0], high - 0.1, high, xtol=1e-10)
    return stationary(float(c))[1]


def _behind(exponent: _Exponent, square: float, ratio: float) -> _Exponent:
    """W_{l+1} of W_l, behind a layer of ratio n neurons; omega(T_l)^2 <= square n."""
    r, tau, multiplier = plain_saddle(square, ratio)
    unknown = np.array([r, tau, multiplier])
    lifts, slopes, values = [0.0], [r], [0.0]
    for c in _LIFTS:
        s = c / (2 * (exponent.slope(c) - c))
        solution = root(_residual, unknown, (c, s, ratio), tol=1e-12)
        if not solution.success:
            raise ArithmeticError(
                f"no stationary point at c = {c:.3g} behind {ratio:.6g} n neurons: {solution.message}"
            )
        unknown = solution.x
        r, tau, multiplier = unknown
        a = 1 + multiplier * r / tau
        fixed = -c * c / 2 + exponent.value(c) - c * c / (4 * s)
        chance = fixed + ratio * log(_mean(s, multiplier, a)[0]) - s * multiplier * r * tau
        lifts.append(2 * s * multiplier * tau)
        slopes.append(r)
        values.append(lifts[-1] * r + chance)
    value, slope = CubicSpline(lifts, values), CubicSpline(lifts, slopes)
    return _Exponent(lambda c: float(value(c)), lambda c: float(slope(c)))


def _residual(unknown: Vector, c: float, s: float, ratio: float) -> Vector:
    """Derivatives of F in s, lambda and a at a = 1 + lambda r / tau, where it is stationary in tau."""
    r, tau, multiplier = unknown
    mean, in_s, in_multiplier, in_a = _mean(s, multiplier, 1 + multiplier * r / tau)
    return np.array(
        [
            c * c / (4 * s * s) + ratio * in_s / mean - multiplier * r * tau,
            ratio * in_multiplier / (s * mean) - 2 * r * tau,
            ratio * in_a / (s * mean) + tau * tau,
        ]
    )


def _mean(s: float, multiplier: float, a: float) -> tuple[float, float, float, float]:
    """M and its derivatives in s, lambda and a: in polar coordinates the mean of 1/(1 + 2 s cost) over the angle."""
    turn, end = atan(multiplier), atan(multiplier / (1 + sqrt(a)))
    total = np.array([pi - end, 0.0, 0.0, 0.0])
    for low, high, reached in ((-pi / 2, turn - pi / 2, False), (turn - pi / 2, pi / 2 + end, True)):
        angle = low + (high - low) * (_NODES + 1) / 2
        g, h = np.cos(angle), np.sin(angle)
        turned = (g + multiplier * h) if reached else np.zeros_like(g)
        cost = g * g - turned**2 / a
        inverse = 1 / (1 + 2 * s * cost)
        factor = -2 * s * inverse**2
        parts = [inverse, -2 * cost * inverse**2, -2 * turned * h / a * factor, turned**2 / a**2 * factor]
        total += (high - low) / 2 * np.array([_WEIGHTS @ part for part in parts])
    mean, in_s, in_multiplier, in_a = total / (2 * pi)
    return float(mean), float(in_s), float(in_multiplier), float(in_a)

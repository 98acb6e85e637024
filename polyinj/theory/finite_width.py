"""Finite width: how length and angle of inputs change in one ReLU layer of n neurons, beyond the mean-field limit.

ln sin^2(angle) is the quantity of Jakub and Nica (2023, arXiv 2302.09712). Behind a layer of Gaussian weights, given
the angle t before it, its mean is the infinitely wide value plus a correction of order 1/n and its variance is of order
1/n. Three ways to the numbers:

- `jakub_nica_rate`: their closed form rho(n) for small angles, -rho(n) a layer, variance 8/n; an expansion in 1/n.
- `small_angle_step`: the exact limit for small angles. With K ~ Bin(n, 1/2) active neurons, sin^2 is multiplied by
  chi^2_(K-1) / chi^2_K, independent, for Gaussian weights, and by Beta((K-1)/2, (n-K)/2) / Beta(K/2, (n-K)/2) for Haar
  orthogonal ones: restricted to the active rows, the frame of the input and of the direction to the other one has a
  Wishart (matrix beta) Gram matrix, and the two factors are its squared Cholesky entries (Bartlett).
- `angle_step`: any angle, Gaussian weights, mean and variance up to O(1/n^2), from exact fourth moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma, psi
from scipy.stats import binom

from polyinj.errors import InputError
from polyinj.theory.cosine_map import arc_cosine_map

Floats = NDArray[np.float64]

# Integrands are trigonometric polynomials of degree 4 on arcs of at most pi: 24 nodes integrate them to rounding.
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True, slots=True)
class Step:
    """Mean and variance of the change of a logarithm in one layer."""

    mean: float
    variance: float


def jakub_nica_rate(width: int) -> float:
    """rho(n) = ln((n+5)/(n-1)) - 10 n/(n+5)^2 + 6 n/(n-1)^2: how fast ln sin^2(angle) falls a layer, at small angles.

    Jakub and Nica 2023, approximation for Gaussian weights: E ln sin^2 falls by (2 / (3 pi)) angle + rho(n), with
    variance 8/n. rho(n) = 2/n + O(1/n^2), but its second order is not that of the exact rate at small angles
    (`small_angle_step`): .143 against .0718 at n = 32, .00930 against .00794 at n = 256.

    Examples
    --------
    >>> round(jakub_nica_rate(256), 7)
    0.0092984
    """
    n = _width(width)
    return math.log((n + 5) / (n - 1)) - 10 * n / (n + 5) ** 2 + 6 * n / (n - 1) ** 2


def small_angle_step(width: int, *, orthogonal: bool = False) -> Step:
    """The change of ln sin^2(angle) in a layer as the angle tends to 0: exact mean and variance, given K >= 2.

    -2/n and 8/n to leading order; for Haar orthogonal weights half of each, -1/n and 4/n.

    Parameters
    ----------
    width : int
        Neurons n, at least 3.
    orthogonal : bool
        Haar orthogonal (n, n) weights instead of independent Gaussian ones.

    Examples
    --------
    >>> step = small_angle_step(256)
    >>> round(256 * step.mean, 3), round(256 * step.variance, 3)
    (-2.032, 8.128)
    >>> step = small_angle_step(256, orthogonal=True)
    >>> round(256 * step.mean, 3), round(256 * step.variance, 3)
    (-1.026, 4.104)
    """
    n = _width(width)
    active = np.arange(2, n + 1)
    shares = binom.pmf(active, n, 0.5)
    shares /= shares.sum()
    means = psi((active - 1) / 2) - psi(active / 2)
    variances = polygamma(1, (active - 1) / 2) + polygamma(1, active / 2)
    if orthogonal:
        means = means + psi(n / 2) - psi((n - 1) / 2)
        variances = variances - polygamma(1, (n - 1) / 2) - polygamma(1, n / 2)
    mean = float(shares @ means)
    return Step(mean, float(shares @ (variances + (means - mean) ** 2)))


def log_length_step(width: int, *, orthogonal: bool = False) -> Step:
    """The change of ln |x|^2 in a He layer (sigma_w^2 = 2) without bias: exact mean and variance, given K >= 1.

    |x|^2 is multiplied by 2/n chi^2_K for Gaussian weights and by 2 Beta(K/2, (n-K)/2) for Haar orthogonal ones,
    K ~ Bin(n, 1/2): to leading order -5/(2n) and 5/n for Gaussian weights, -3/(2n) and 3/n for orthogonal ones.

    Examples
    --------
    >>> step = log_length_step(256)
    >>> round(256 * step.mean, 3), round(256 * step.variance, 3)
    (-2.516, 5.074)
    """
    n = _width(width)
    active = np.arange(1, n + 1)
    shares = binom.pmf(active, n, 0.5)
    shares /= shares.sum()
    means = math.log(2) + psi(active / 2) - (psi(n / 2) if orthogonal else math.log(n / 2))
    variances = polygamma(1, active / 2) - (polygamma(1, n / 2) if orthogonal else 0.0)
    mean = float(shares @ means)
    return Step(mean, float(shares @ (variances + (means - mean) ** 2)))


def angle_step(angle: float, width: int) -> Step:
    """The change of ln sin^2(angle) in a layer of Gaussian weights without bias: mean and variance up to O(1/n^2).

    Second-order expansion in the means over neurons of a^2, b^2, e^2 and a e, where a, b are the outputs for the two
    inputs and e = (b - a cos t) / sin t, which stays of order 1 as the angle t tends to 0:
    sin^2 t' / sin^2 t = (|a|^2 |e|^2 - (a.e)^2) / (|a|^2 |b|^2).

    Parameters
    ----------
    angle : float
        In (0, pi), radians.
    width : int
        Neurons n, at least 3.

    Examples
    --------
    >>> step = angle_step(1e-9, 256)
    >>> round(256 * step.mean, 6), round(256 * step.variance, 6)
    (-2.0, 8.0)
    >>> round(angle_step(1.0, 256).mean, 6)
    -0.180159
    """
    n = _width(width)
    if not 0 < angle < math.pi:
        raise InputError(f"angle is {angle}; expected a number in (0, pi)")
    means, covariance = _moments(angle)
    aa, bb, ee, ae = means
    volume = aa * ee - ae * ae
    # ln(aa ee - ae^2) - ln aa - ln bb: gradient and Hessian.
    inner = np.array([ee, 0.0, aa, -2 * ae])
    gradient = inner / volume - np.array([1 / aa, 1 / bb, 0.0, 0.0])
    curvature = np.array([[0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, -2.0]])
    hessian = curvature / volume - np.outer(inner, inner) / volume**2 + np.diag([1 / aa**2, 1 / bb**2, 0, 0])
    limit = math.log(volume / (aa * bb))
    mean = limit + 0.5 * float((hessian * covariance).sum()) / n
    return Step(mean, float(gradient @ covariance @ gradient) / n)


def expected_log_sin2(cosine: float, width: int, depth: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation of ln sin^2(angle) behind layers 1..depth, Gaussian weights without bias.

    `angle_step`, iterated at the angle of the mean: what the spread of the angle does to later steps is left out,
    except that it adds up. An approximation; the limit of infinite width is `cosine_sequence`.

    Returns
    -------
    (ndarray, ndarray)
        Both of shape (depth,).

    Examples
    --------
    >>> mean, std = expected_log_sin2(0.0, 256, 3)
    >>> print(mean.round(3), std.round(3))
    [-0.11  -0.289 -0.471] [0.033 0.074 0.113]
    """
    if not abs(cosine) < 1:
        raise InputError(f"cosine is {cosine}; expected a number in (-1, 1)")
    if depth < 1:
        raise InputError(f"depth is {depth}; expected an integer >= 1")
    angle = math.acos(cosine)
    logarithm, variance = 2 * math.log(math.sin(angle)), 0.0
    means, deviations = np.empty(depth), np.empty(depth)
    small = small_angle_step(width)
    for layer in range(depth):
        step = angle_step(angle, width)
        # Beyond the expansion, the small-angle part is known exactly.
        mean, spread = step.mean + small.mean + 2 / width, step.variance + small.variance - 8 / width
        if angle > 0.5:
            mean, spread = step.mean, step.variance
        slope = _slope(angle)
        logarithm, variance = logarithm + mean, variance * slope * slope + spread
        angle = math.asin(math.exp(min(0.0, logarithm / 2)))
        means[layer], deviations[layer] = logarithm, math.sqrt(variance)
    return means, deviations


def _slope(angle: float) -> float:
    """By which factor an infinitely wide layer multiplies a small change of ln sin^2."""
    # c' = k(c), dk/dc = (pi - t) / pi, and d ln sin^2 = -2 c dc / sin^2.
    c = math.cos(angle)
    after = float(arc_cosine_map(c))
    if angle < 1e-6:
        return 1.0
    if abs(c) < 1e-12:
        return 0.0
    return (after / (1 - after * after)) * (math.pi - angle) / math.pi * (1 - c * c) / c


def _moments(angle: float) -> tuple[Floats, Floats]:
    """Means and covariances over one neuron of (a^2, b^2, e^2, a e).

    The two preactivations are r cos u, r cos(u - t), r^2 exponential with mean 2, u uniform: E r^2 = 2, E r^4 = 8.
    """
    quarter = math.pi / 2
    second, fourth = np.zeros(4), np.zeros((4, 4))
    # Arcs: only b positive; both; only a. Split so that none is long beside its integrand.
    for low, high in ((quarter, quarter + angle), (angle - quarter, quarter), (-quarter, angle - quarter)):
        u = (high - low) / 2 * _NODES + (high + low) / 2
        weight = (high - low) / 2 * _NODE_WEIGHTS / (2 * math.pi)
        first, other = np.cos(u), np.cos(u - angle)
        if low == quarter:
            a, b = np.zeros_like(u), other
            e = b / math.sin(angle)
        elif high == quarter:
            a, b, e = first, other, np.sin(u)
        else:
            a, b = first, np.zeros_like(u)
            e = -a * math.cos(angle) / math.sin(angle)
        entries = np.array([a * a, b * b, e * e, a * e])
        second += 2 * entries @ weight
        fourth += 8 * (entries * weight) @ entries.T
    return second, fourth - np.outer(second, second)


def _width(width: int) -> int:
    if width < 3:
        raise InputError(f"width is {width}; expected an integer >= 3")
    return int(width)

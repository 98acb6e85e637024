"""The zero-temperature Parisi functional of the spherical perceptron, its value and its gradient.

For random rows w_1, ..., w_m ~ N(0, I_n), m = alpha n, the ground state energy e(alpha) is the limit of the least
(1/n) #{i : w_i.x >= kappa |x|} over x. With chi > 0 and c nondecreasing on [0, 1] (Maillard et al. 2023, arXiv
2302.14112, at zero temperature)

    e(alpha) = sup_{chi, c} alpha R - S,    R = -f(0, -kappa),    S = (1/2) int_0^1 dq / lambda(q),
    lambda(q) = chi + int_q^1 c,            f(1, h) = -V(h) = -min(1, max(h, 0)^2 / (2 chi)),
    df/dq = -(1/2) (f'' + c f'^2).

A step function (k levels: c = 0 below q_0, c_i on [q_i, q_{i+1}), q_k = 1) turns the flow into Gaussian convolutions,

    f(q_i, x) = ln(g_i(x)) / c_i,    g_i = N(0, q_{i+1} - q_i) * exp(c_i f(q_{i+1}, .)),

the first of which, across the kinks of V, has a closed form. The others are trapezoidal sums of analytic functions that
are constant at both ends: their error falls faster than any power of the spacing. The terms are positive, so that g is
accurate relatively where it is as small as exp(-c). The spacing doubles where the widths of the convolutions have
doubled.

The gradient is the adjoint of the same sums. With P_i dx the law at q_i of the process dh = dB + c f' dq from -kappa,

    dR/dc_i = -(E_{i+1} f(q_{i+1}) - E_i f(q_i)) / c_i,     dR/dq_i = (1/2) (c_i - c_{i-1}) E_i f'(q_i)^2,
    dR/dchi = -E_k V(h; h <= sqrt(2 chi)) / chi.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from polyinj.errors import InputError
from polyinj.theory.domain import read_real

Vector = NDArray[np.float64]

# Grid points per standard deviation of the narrowest convolution, and the reach of a Gaussian in standard deviations.
RESOLUTION = 6.0
_REACH = 8.7


@dataclass(frozen=True, slots=True)
class ParisiTerms:
    """R and S of the functional alpha R - S with their gradients in (chi, q_0, ..., q_{k-1}, c_0, ..., c_{k-1})."""

    reward: float
    penalty: float
    reward_gradient: Vector
    penalty_gradient: Vector


def parisi_functional(alpha: float, chi: float, q: ArrayLike, c: ArrayLike, *, kappa: float = 0.0) -> float:
    """Value alpha R - S of the functional at a step function; e(alpha) is its supremum.

    Parameters
    ----------
    alpha : float
        Aspect ratio, above 0.
    chi : float
        Above 0.
    q, c : array_like, shape (k,)
        0 < q_0 < ... < q_{k-1} < 1 and 0 < c_0 <= ... <= c_{k-1}: c is 0 below q_0 and c_i from q_i to the next.
        Empty for the replica symmetric value.
    kappa : float
        Margin; 0 for injectivity.

    Raises
    ------
    InputError
        A parameter outside these ranges.

    Examples
    --------
    >>> round(parisi_functional(6.7156968376712, 0.05330080256, [0.77723075226], [3.28665775714]), 12)
    1.0
    """
    alpha, chi = read_real(alpha, "alpha", above=0), read_real(chi, "chi", above=0)
    kappa = read_real(kappa, "kappa", above=-np.inf)
    overlaps, jumps = np.asarray(q, dtype=float), np.asarray(c, dtype=float)
    if overlaps.ndim != 1 or overlaps.shape != jumps.shape:
        raise InputError(f"q and c have shapes {overlaps.shape} and {jumps.shape}; expected (k,) for both")
    if overlaps.size and not (overlaps[0] > 0 and overlaps[-1] < 1 and (np.diff(overlaps) > 0).all()):
        raise InputError(f"q is {overlaps.tolist()}; expected increasing numbers strictly between 0 and 1")
    if jumps.size and not (jumps[0] > 0 and np.isfinite(jumps[-1]) and (np.diff(jumps) >= 0).all()):
        raise InputError(f"c is {jumps.tolist()}; expected positive nondecreasing numbers")
    terms = parisi_terms(chi, overlaps, jumps, kappa)
    return alpha * terms.reward - terms.penalty


def parisi_terms(chi: float, q: Vector, c: Vector, kappa: float, resolution: float = RESOLUTION) -> ParisiTerms:
    """R, S and their gradients; trusts its arguments (see `parisi_functional`)."""
    if not len(q):
        return _symmetric_terms(chi, kappa)
    reward, reward_gradient = _reward(chi, q, c, kappa, resolution)
    penalty, penalty_gradient = _penalty(chi, q, c)
    return ParisiTerms(reward, penalty, reward_gradient, penalty_gradient)


def truncated_moment(t: float, kappa: float) -> float:
    """E[(Z - kappa)^2 ; kappa < Z < kappa + t] for standard normal Z; t may be infinite."""
    mass = (1 + kappa * kappa) * (ndtr(-kappa) - ndtr(-kappa - t)) - kappa * _density(kappa)
    return float(mass + (kappa - t) * _density(kappa + t) if np.isfinite(t) else mass)


def _density(x: float | Vector) -> Vector:
    return np.asarray(np.exp(-0.5 * np.square(x)) / np.sqrt(2 * np.pi))


def _symmetric_terms(chi: float, kappa: float) -> ParisiTerms:
    t = np.sqrt(2 * chi)
    moment = truncated_moment(t, kappa)
    reward = moment / (2 * chi) + float(ndtr(-kappa - t))
    return ParisiTerms(reward, 0.5 / chi, np.array([-moment / (2 * chi**2)]), np.array([-0.5 / chi**2]))


def _penalty(chi: float, q: Vector, c: Vector) -> tuple[float, Vector]:
    """S and its gradient: lambda is linear on each step."""
    widths = np.diff(np.append(q, 1.0))
    levels = np.append(chi + np.cumsum((c * widths)[::-1])[::-1], chi)
    growth = c * widths / levels[1:]
    value = 0.5 * (q[0] / levels[0] + np.sum(np.log1p(growth) / c))
    # int_0^{q_i} dq / lambda^2, for i = 0, ..., k.
    squares = q[0] / levels[0] ** 2 + np.append(0.0, np.cumsum(widths / (levels[:-1] * levels[1:])))
    by_q = 0.5 * np.diff(np.append(0.0, c)) * squares[:-1]
    by_c = -0.5 * (widths * squares[:-1] + (np.log1p(growth) - growth / (1 + growth)) / c**2)
    return float(value), np.concatenate([[-0.5 * squares[-1]], by_q, by_c])


@dataclass(frozen=True, slots=True)
class _Flow:
    """f, f' and g at every q_i on its own grid, and what leads there from the grid of q_{i+1}.

    source[i] = exp(c_i f(q_{i+1})), kernel[i] its convolution, stride[i] the points of that grid to one of q_i; the
    last entries stand for the closed form and are empty.
    """

    f: list[Vector]
    slope: list[Vector]
    g: list[Vector]
    source: list[Vector]
    kernel: list[Vector]
    stride: list[int]


def _reward(chi: float, q: Vector, c: Vector, kappa: float, resolution: float) -> tuple[float, Vector]:
    """R = -f(0, -kappa) and its gradient in (chi, q, c)."""
    k = len(q)
    root = np.sqrt(q[0])
    deviations = np.sqrt(np.diff(np.append(q, 1.0)))
    doublings = _doublings(np.append(root, deviations))
    spacing = min(root, deviations.min()) / resolution
    edge = np.sqrt(2 * chi)
    spread = _REACH * np.sqrt(1 - q[0])
    left, right = -spread, max(edge + spread, _REACH * root - kappa)
    blocks = int(np.ceil((right - left) / (spacing * 2 ** doublings[0])))
    x = left + spacing * np.arange(blocks * 2 ** doublings[0] + 1)

    g, slope, energy, above = _first_step(x, chi, c[-1], deviations[-1])
    flow = _descend(np.log(g) / c[-1], slope, g, c, deviations / spacing, doublings)

    coarse = spacing * 2 ** doublings[0]
    x = x[:: 2 ** doublings[0]]
    law = _density((x + kappa) / root) * coarse / root
    # Beyond the grid f is -1 on the right and 0 on the left; half a cell belongs to the last point.
    reward = float(-(law @ flow.f[0]) + ndtr(-(x[-1] + coarse / 2 + kappa) / root))

    by_q, by_c = np.empty(k), np.empty(k)
    for i in range(k):
        by_q[i] = 0.5 * (c[i] - (c[i - 1] if i else 0.0)) * (law @ flow.slope[i] ** 2)
        mean, tilted = law @ flow.f[i], law / flow.g[i]
        if i < k - 1:
            spread_out = np.zeros(len(flow.source[i]))
            spread_out[:: flow.stride[i]] = tilted
            law = _convolve(spread_out, flow.kernel[i], 0.0, 0.0) * flow.source[i]
            by_c[i] = (mean - law @ flow.f[i + 1]) / c[i]
        else:
            by_c[i] = (mean + tilted @ (energy + above)) / c[i]
    return reward, np.concatenate([[-(tilted @ energy) / chi], by_q, by_c])


def _doublings(deviations: Vector) -> NDArray[np.int_]:
    """How often the finest spacing may double on the grid of q_i, given sqrt(q_0) and the deviations of the steps.

    The function there is as smooth as the widest convolution so far, and is to be integrated against all that follow.
    """
    behind = np.maximum.accumulate(deviations[:0:-1])[::-1]
    ahead = np.minimum.accumulate(deviations[:-1])
    return np.asarray(np.floor(np.log2(np.minimum(behind, ahead) / deviations.min())), dtype=int)


def _first_step(x: Vector, chi: float, c: float, deviation: float) -> tuple[Vector, Vector, Vector, Vector]:
    """g, f' and the parts of E[exp(-c V) V] below and above the edge, for one Gaussian step from q = 1, in closed form.

    Below the edge sqrt(2 chi), exp(-c h^2 / (2 chi)) times the Gaussian is a Gaussian of mean x chi / d and variance
    deviation^2 chi / d, where d = chi + c deviation^2.
    """
    edge = np.sqrt(2 * chi)
    d = chi + c * deviation**2
    width = deviation * np.sqrt(chi / d)
    mean = x * (chi / d)
    low, high = -mean / width, (edge - mean) / width
    scale = np.sqrt(chi / d) * np.exp(-c * x * x / (2 * d))
    # Differences of the smaller tails keep the relative accuracy.
    mass = np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
    at_low, at_high = _density(low), _density(high)
    first = scale * (mean * mass - width * (at_high - at_low))
    second = scale * ((mean * mean + width * width) * mass - width * ((edge + mean) * at_high - mean * at_low))
    above = np.exp(-c) * ndtr((x - edge) / deviation)
    g = ndtr(-x / deviation) + scale * mass + above
    return g, -first / (chi * g), second / (2 * chi), above


def _descend(f: Vector, slope: Vector, g: Vector, c: Vector, deviations: Vector, doublings: NDArray[np.int_]) -> _Flow:
    """Follow the flow from q_{k-1} to q_0; deviations in units of the finest spacing."""
    empty = np.empty(0)
    flow = _Flow([f], [slope], [g], [empty], [empty], [1])
    for i in range(len(c) - 2, -1, -1):
        deviation = deviations[i] / 2.0 ** doublings[i + 1]
        reach = int(np.ceil(_REACH * deviation))
        kernel = _density(np.arange(-reach, reach + 1) / deviation)
        kernel /= kernel.sum()
        stride = 2 ** int(doublings[i] - doublings[i + 1])
        source = np.exp(c[i] * f)
        g = _convolve(source, kernel, 1.0, np.exp(-c[i]))[::stride]
        slope = _convolve(source * slope, kernel, 0.0, 0.0)[::stride] / g
        f = np.log(g) / c[i]
        flow.f.insert(0, f)
        flow.slope.insert(0, slope)
        flow.g.insert(0, g)
        flow.source.insert(0, source)
        flow.kernel.insert(0, kernel)
        flow.stride.insert(0, stride)
    return flow


def _convolve(values: Vector, kernel: Vector, left: float, right: float) -> Vector:
    """Convolution with a symmetric kernel of odd length, `values` continued by constants."""
    reach = len(kernel) // 2
    return np.convolve(np.concatenate([np.full(reach, left), values, np.full(reach, right)]), kernel, "valid")

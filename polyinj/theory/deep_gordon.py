"""Gordon's comparison through many layers: one expansivity for every depth, and the width that each layer needs.

The theorem and its proof stand in docs/every-depth.md. In short: T_l is the set of directions h_l(x)/|h_l(x)| behind
layer l, of Gaussian width omega(T_l) = E max over e in T_l of h.e, so omega(T_0) <= sqrt n. Layer l + 1 fails first
only if some e in T_l has fewer than 2n positive rows, and that Gordon's theorem excludes where

    omega(T_l)^2 < m_{l+1} B(q),    P(g > q) = 2n / m_{l+1},    B(q) = int_0^q z^2 phi(z) dz.

A layer never widens: where omega(T)^2 = beta m, behind a layer of m neurons omega^2 is at most b m with d(b) = beta,

    d(b) = min over tau > 0 of max over lambda, a of  E min(G_+^2, G^2 - (G + lambda h)_+^2 / a) + 2 lambda tau sqrt b -
           (a - 1) tau^2,

the squared distance, over m, of a Gaussian vector from the cone of all z with h.ReLU(z) >= sqrt(b m) |ReLU(z)|. At
lambda = sqrt b / tau = tan theta and a = 1 + lambda^2 the right side is b + (theta - sin theta)/(2 pi): d(b) > b.
"""

from __future__ import annotations

from functools import cache
from math import atan, exp, log, pi, sin, sqrt

from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.stats import norm

from polyinj.errors import InputError
from polyinj.theory.domain import read_count, read_real
from polyinj.theory.euler import round_up
from polyinj.theory.thresholds import enclose_threshold


@cache
def every_depth_expansivity() -> float:
    """The C, rounded up, above which networks of widths (n, Cn, ..., Cn) are injective at every depth: 11.5922.

    With high probability as n grows, for depths up to exp(c n) with a c > 0 that depends on C: proven in
    docs/every-depth.md, not peer reviewed. It is Gordon's threshold for one layer with a budget of 2n active rows,
    `enclose_threshold("gordon", budget=2)`, that is 2/Q(q) where 2 B(q) = Q(q), Q the normal tail.

    Examples
    --------
    >>> every_depth_expansivity()
    11.592153521879828
    """
    return round_up(enclose_threshold("gordon", budget=2))


def comparison_widths(depth: int, *, budget: int = 2) -> tuple[float, ...]:
    """The least m_1/n, ..., m_L/n that the comparison allows, one layer after the other, in floating point.

    The first layer needs more than n - 1 positive rows at every input, a later one `budget` n of them: at 2 no two
    inputs have the same image, at 1 no two inputs of one linear region have.

    Parameters
    ----------
    depth : int
        Layers L, at least 1.
    budget : int
        1 or 2.

    Returns
    -------
    tuple of float
        About 1e-8 accurate; 20 layers take some seconds. The last ones decrease: a layer makes the set of directions
        narrower.

    Raises
    ------
    InputError
        depth less than 1, or another budget.

    Examples
    --------
    >>> [round(width, 4) for width in comparison_widths(4)]
    [7.6477, 11.4603, 11.3619, 11.266]
    """
    depth = read_count(depth, "depth")
    budget = read_budget(budget)
    widths, square = [_least_width(1, 1.0)], 1.0
    while len(widths) < depth:
        square = width_behind(square, widths[-1])
        widths.append(_least_width(budget, square))
    return tuple(widths)


def read_budget(budget: int) -> int:
    """1 or 2, else InputError."""
    if isinstance(budget, bool) or budget not in (1, 2):
        raise InputError(f"budget is {budget!r}; expected 1 (one region) or 2 (any two inputs)")
    return budget


def width_behind(square: float, ratio: float) -> float:
    """The bound of omega(T_l)^2/n, given that `square` bounds it one layer before, for m_l/n = ratio.

    Parameters
    ----------
    square : float
        Above 0, less than ratio/2.
    ratio : float
        m_l/n, above 0.

    Returns
    -------
    float
        Less than `square`, in floating point.

    Raises
    ------
    InputError
        An argument outside its range.

    Examples
    --------
    >>> round(width_behind(1, 8), 6)
    0.969406
    """
    ratio = read_real(ratio, "ratio", 0)
    share = read_real(square, "square", 0, ratio / 2) / ratio
    return ratio * float(brentq(lambda b: distance_share(b) - share, share / 2, share, xtol=1e-12))


def plain_saddle(square: float, ratio: float) -> tuple[float, float, float]:
    """sqrt(width_behind), and tau (in units of sqrt n) and lambda where d takes its value there."""
    behind = width_behind(square, ratio)
    share = behind / ratio
    tau = _best_radius(share)
    multiplier, _ = _best_multipliers(share, tau)
    return sqrt(behind), tau * sqrt(ratio), multiplier


def distance_share(share: float) -> float:
    """d(b) of the module, for 0 < b < 1/2, in floating point."""
    tau = _best_radius(share)
    return _dual(share, tau, *_best_multipliers(share, tau))


def _best_radius(share: float) -> float:
    """The tau of the minimum."""
    found = minimize_scalar(
        lambda tau: _dual(share, tau, *_best_multipliers(share, tau)), bounds=(0.05, 0.8), method="bounded"
    )
    return float(found.x)


def _best_multipliers(share: float, tau: float) -> tuple[float, float]:
    """The lambda and a of the maximum; the dual is concave in both."""
    start = [log(sqrt(share) / tau), log(1 + share / tau**2)]
    options = {"xatol": 1e-9, "fatol": 1e-14}
    found = minimize(lambda v: -_dual(share, tau, exp(v[0]), exp(v[1])), start, method="Nelder-Mead", options=options)
    return exp(found.x[0]), exp(found.x[1])


def _dual(share: float, tau: float, multiplier: float, a: float) -> float:
    return mean_cost(multiplier, a) + 2 * multiplier * sqrt(share) * tau - (a - 1) * tau**2


def mean_cost(multiplier: float, a: float) -> float:
    """E min(G_+^2, G^2 - (G + lambda h)_+^2 / a) for independent standard normal G, h and a > 0.

    In polar coordinates, where the second term is the less from where G + lambda h > 0 up to the angle whose tangent is
    lambda / (1 + sqrt a) beyond that of h.
    """
    turn, end = atan(multiplier), atan(multiplier / (1 + sqrt(a)))
    saved = (pi + end - turn) / 2 + sin(2 * (turn - end)) / 4
    return ((pi + end) / 2 - sin(2 * end) / 4 - (1 + multiplier**2) / a * saved) / pi


def _least_width(budget: int, square: float) -> float:
    """The alpha where alpha B(q) = square, P(g > q) = budget/alpha."""

    def excess(q: float) -> float:
        return float(budget * (0.5 - norm.sf(q) - q * norm.pdf(q)) / norm.sf(q) - square)

    return float(budget / norm.sf(brentq(excess, 1e-6, 8, xtol=1e-13)))

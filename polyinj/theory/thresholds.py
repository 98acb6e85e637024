"""The ladder of thresholds: where random Gaussian layers become injective as m = alpha n grows, by every method.

Rigorous thresholds come as enclosures in Arb ball arithmetic: an interval at whose ends a function has opposite certain
signs contains a root, and a short argument about monotonicity or concavity says that there is no other one.

A budget b of its own asks for the directions along which at most b n of the m = alpha n rows are active: below the
threshold there are such, above there are none. Injectivity is b = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import inf, nextafter

from flint import arb

from polyinj.errors import InputError
from polyinj.exact.precision import precision
from polyinj.theory.domain import read_real
from polyinj.theory.rates import BITS, binomial_rate, bracket, enclose_root
from polyinj.theory.replica import LEAST_BUDGET, MOST_BUDGET, replica_threshold

# The thresholds that `enclose_threshold` proves.
ENCLOSED = ("mean-direction", "lifted-gordon", "gordon", "euler", "minimal-cells", "first-moment")
# Below this budget lifting gains less than 2 parts in 10^4, and below 0.2267 nothing.
_LEAST_LIFTED = 0.25


@dataclass(frozen=True, slots=True)
class Threshold:
    """One line of the ladder: the aspect ratio m/n lies in [lower, upper].

    status is "rigorous: not injective below", "rigorous: injective above", "nonrigorous", "conjectured exact" or
    "refuted conjecture"; "with high probability as n grows" is understood. With a budget other than 1, "not injective"
    is "some direction within the budget", and "injective" is "none".
    """

    name: str
    lower: float
    upper: float
    status: str
    source: str

    def __post_init__(self) -> None:
        if not 0 < self.lower <= self.upper < inf:
            raise InputError(
                f"threshold {self.name} has bounds [{self.lower}, {self.upper}]; expected 0 < lower <= upper"
            )


def known_thresholds(budget: float = 1.0) -> list[Threshold]:
    """Every known threshold, in increasing order.

    Parameters
    ----------
    budget : float
        Rows allowed to be active, divided by n, above 1e-7 and below 100; 1 for injectivity. For others the published
        rows are left out, and below 1/4 that of the lifted bound.

    Returns
    -------
    list of Threshold
        Proven rows are the neighbouring floats around the enclosure, 1-rsb is `replica_threshold(1)` with its error,
        and full-rsb the published interval (`full_rsb_threshold` narrows it in some seconds).

    Examples
    --------
    >>> for row in known_thresholds():
    ...     print(f"{row.name:17} {row.lower:.4f} {row.status}")
    mean-direction    3.4028 rigorous: not injective below
    full-rsb          6.6979 conjectured exact
    1-rsb             6.7157 nonrigorous
    lifted-gordon     7.4486 rigorous: injective above
    gordon            7.6477 rigorous: injective above
    euler             8.3446 refuted conjecture
    minimal-cells     8.8070 rigorous: injective above
    first-moment      9.0886 rigorous: injective above
    puthawala         10.5000 rigorous: injective above
    """
    budget = read_real(budget, "budget", LEAST_BUDGET, MOST_BUDGET)
    maillard = "Maillard, Bandeira, Belius, Dokmanic, Nakajima 2023, arXiv:2302.14112"
    puthawala = "Puthawala, Kothari, Lassas, Dokmanic, de Hoop 2020, arXiv:2006.08464"
    above = "rigorous: injective above"
    lifted = "Gordon's comparison of exp(-c M); proof: polyinj/theory/lifted_gordon.py"
    gordon = f"Gordon's min-max theorem, equal to the replica symmetric value; {maillard}"
    rows = [
        _enclosed("mean-direction", budget, "rigorous: not injective below", f"witness -mean of the rows; {puthawala}"),
        Threshold("full-rsb", 6.697929, 6.698131, "conjectured exact", f"200 steps of symmetry breaking; {maillard}"),
        Threshold("1-rsb", *_one_step(budget), "nonrigorous", f"one step of symmetry breaking, computed; {maillard}"),
        *([_enclosed("lifted-gordon", budget, above, lifted)] if budget >= _LEAST_LIFTED else []),
        _enclosed("gordon", budget, above, gordon),
        _enclosed("euler", budget, "refuted conjecture", "zero of the rate of E chi; Paleka 2021, Clum 2022"),
        _enclosed("minimal-cells", budget, above, "union bound over cells whose facet rows are all negative"),
        _enclosed("first-moment", budget, above, "union bound over cells"),
        Threshold("puthawala", 10.5, 10.5, above, puthawala),
    ]
    if budget == 1:
        return rows
    return sorted((row for row in rows if row.name not in ("full-rsb", "puthawala")), key=lambda row: row.lower)


@cache
def _one_step(budget: float) -> tuple[float, float]:
    solution = replica_threshold(1, budget=budget)
    return solution.value - solution.error, solution.value + solution.error


def _enclosed(name: str, budget: float, status: str, source: str) -> Threshold:
    enclosure = enclose_threshold(name, budget)
    middle = float(enclosure)
    lower, upper = nextafter(middle, 0), nextafter(middle, inf)
    lower = middle if arb(middle) <= enclosure else lower
    upper = middle if arb(middle) >= enclosure else upper
    return Threshold(name, lower, upper, status, source)


def enclose_threshold(name: str, budget: float = 1.0) -> arb:
    """A ball of width below 1e-25 that provably contains the threshold.

    Parameters
    ----------
    name : {"mean-direction", "lifted-gordon", "gordon", "euler", "minimal-cells", "first-moment"}
    budget : float
        Rows allowed to be active, divided by n, above 1e-7 and below 100 ("lifted-gordon": at least 1/4); 1 for
        injectivity.

    Returns
    -------
    flint.arb

    Raises
    ------
    InputError
        Another name, or a budget outside its range.

    Notes
    -----
    Each threshold is the only root of a function g on a stated interval; a root lies in the returned ball because g is
    continuous and Arb proves that it changes sign between two points of it. b is the budget, H the entropy in nats, so
    that alpha H(b/alpha) = alpha ln alpha - b ln b - (alpha-b) ln(alpha-b), and Q the normal tail.

    - mean-direction: g = alpha Q(alpha^-1/2) - b on alpha > 0. Both factors increase, so the root is unique.
    - lifted-gordon: g = F of `polyinj.theory.lifted_gordon` along its stationary points, numbered by w. r Q(w/r) /
      phi(w/r) increases in r, so w has one r, which increases with w, and one alpha = b + (r/2 + Phi(w) - 1/2) / B(w).
      For b = 1 and w in (11/8, 13/8) dF/dw = (ln(alpha / (alpha-1)) + ln A) dalpha/dw has a negative first factor and a
      positive second (the tests enclose them): F decreases. For other b the change of sign is proven, and the bound
      holds above any zero; that there is no other was seen on grids of 60 points w for b from 1/4 to 99.
    - gordon: e(alpha) = max_chi of alpha E min(1, Z_+^2 / (2 chi)) - 1 / (2 chi) equals b. Stationarity in chi is
      alpha h(chi) = 1 with h = erf(sqrt chi) / 2 - sqrt(chi / pi) exp(-chi), and then e = alpha Q(sqrt(2 chi)). So
      g = b h - Q(sqrt(2 chi)); h' = sqrt(chi / pi) exp(-chi) > 0 and Q decreases, so its root chi* is unique, and the
      threshold is b / Q(sqrt(2 chi*)) = 2 b / erfc(sqrt chi*), evaluated on the ball of chi*.
    - euler: g = the rate of E chi (see `euler_rate`) on alpha > 2 + 2b + 2 sqrt(2b), above the oscillations. As t is a
      stationary point, g' = ln(alpha (t+1) / (2 (alpha-1) t)), which is negative exactly when 1/t < (alpha-2) / alpha.
      1/t is the smaller root of (alpha-b) s^2 - (alpha-2) s + b, below (alpha-2) / (2 (alpha-b)), and 2b < alpha: g
      decreases strictly.
    - minimal-cells: g = alpha H(1/alpha) + (alpha-1) H(b/(alpha-1)) - alpha ln 2 on alpha > 2 + 2b. The sum telescopes
      to alpha ln alpha - b ln b - (alpha-1-b) ln(alpha-1-b) - alpha ln 2, so g' = ln(alpha / (alpha-1-b)) - ln 2 < 0.
      Below, g increases from max(2, 1 + 2b), where it is positive: no root is left out.
    - first-moment: g = alpha H(1/alpha) + alpha H(b/alpha) - alpha ln 2 on alpha > 1 + b + sqrt(1 + b^2). There g' =
      ln(alpha / (alpha-1)) + ln(alpha / (alpha-b)) - ln 2 < 0; below, g increases, and is not below 0 at 1 + 2b.

    Examples
    --------
    >>> enclose_threshold("euler")
    [8.34463296085472 +/- 4.78e-15]
    >>> enclose_threshold("gordon", budget=0.5)
    [5.36165876562320 +/- 2.67e-15]
    """
    number = read_real(budget, "budget", LEAST_BUDGET, MOST_BUDGET)
    with precision(BITS):
        b = arb(number)
        match name:
            case "mean-direction":
                return _root(lambda alpha: _mean_direction(alpha, b), 3, 4, 2 * b)
            case "lifted-gordon" if number < _LEAST_LIFTED:
                raise InputError(f"budget is {number:g}; lifted-gordon expects at least {_LEAST_LIFTED}; try gordon")
            case "lifted-gordon":
                return _lifted_gordon_root(b)
            case "gordon":
                return 2 * b / _gordon_root(b).sqrt().erfc()
            case "euler":
                return _root(lambda alpha: _euler(alpha, b), 7, 10, 2 + 2 * b + 2 * (2 * b).sqrt())
            case "minimal-cells":
                return _root(lambda alpha: _minimal_cells(alpha, b), 5, 10, 2 + 2 * b)
            case "first-moment":
                return _root(lambda alpha: _first_moment(alpha, b), 4, 10, 1 + b + (1 + b * b).sqrt())
    raise InputError(f"no enclosure for {name!r}; allowed are {', '.join(ENCLOSED)}")


def _root(g: Callable[[arb], arb], low: int, high: int, floor: arb) -> arb:
    return enclose_root(g, *bracket(g, low, high, floor))


def _normal_tail(x: arb) -> arb:
    return (x / arb(2).sqrt()).erfc() / 2


def _mean_direction(alpha: arb, b: arb) -> arb:
    return alpha * _normal_tail(1 / alpha.sqrt()) - b


def _normal_density(x: arb) -> arb:
    return (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def _truncated_square(w: arb) -> arb:
    """B(w), the integral of z^2 phi(z) over 0 < z < w."""
    return arb(1) / 2 - _normal_tail(w) - w * _normal_density(w)


def lifted_ratio(w: arb, b: arb) -> arb:
    """The r of a stationary point of the lifted bound, given w."""
    target = b * _truncated_square(w) / _normal_density(w)

    def g(r: arb) -> arb:
        return r * _normal_tail(w / r) / _normal_density(w / r) - target

    return enclose_root(g, *bracket(g, arb(1) / 2, 4, 0), bits=160)


def lifted_expansivity(w: arb, r: arb, b: arb) -> arb:
    """Its alpha."""
    return b + (r / 2 + arb(1) / 2 - _normal_tail(w)) / _truncated_square(w)


def _lifted_gordon(w: arb, r: arb, b: arb) -> arb:
    alpha = lifted_expansivity(w, r, b)
    inner = (alpha - b) * _truncated_square(w) / r
    return r.log() + binomial_rate(alpha, b) + b * _normal_tail(w / r).log() + (alpha - b) * inner.log()


def _lifted_gordon_root(b: arb) -> arb:
    def g(w: arb) -> arb:
        return _lifted_gordon(w, lifted_ratio(w, b), b)

    ends = arb(11) / 8, arb(13) / 8
    if b != 1:
        # At Gordon's point r = 1 and F = 0; it rises from there and falls.
        floor = (2 * _gordon_root(b)).sqrt().upper()
        ends = bracket(g, floor + arb(1) / 64, floor + arb(1) / 4, floor)
    w = enclose_root(g, *ends)
    return lifted_expansivity(w, lifted_ratio(w.lower(), b).union(lifted_ratio(w.upper(), b)), b)


def _gordon(chi: arb, b: arb) -> arb:
    return (b + 1) / 2 * chi.sqrt().erf() - b * (chi / arb.pi()).sqrt() * (-chi).exp() - arb(1) / 2


def _gordon_root(b: arb) -> arb:
    def g(chi: arb) -> arb:
        return _gordon(chi, b)

    return enclose_root(g, *bracket(g, arb(1) / 2, 2, 0))


def _euler(alpha: arb, b: arb) -> arb:
    t = (alpha - 2 + (alpha * alpha - 4 * (1 + b) * alpha + 4 * (1 + b * b)).sqrt()) / (2 * b)
    rate = binomial_rate(alpha) - alpha * arb(2).log() + (t - 1).log() + (alpha - 1) * ((t + 1) / t).log()
    return rate + (b - 1) * t.log()


def _minimal_cells(alpha: arb, b: arb) -> arb:
    return binomial_rate(alpha) + binomial_rate(alpha - 1, b) - alpha * arb(2).log()


def _first_moment(alpha: arb, b: arb) -> arb:
    return binomial_rate(alpha) + binomial_rate(alpha, b) - alpha * arb(2).log()


def mean_direction_threshold() -> float:
    """Below this aspect ratio the mean of the rows, negated, is a witness: 3.4028, rigorous.

    >>> mean_direction_threshold()
    3.4028162214950486
    """
    return float(enclose_threshold("mean-direction"))


def lifted_gordon_threshold() -> float:
    """Above this aspect ratio the lifted Gordon bound proves injectivity: 7.4486, the least that is proven.

    >>> lifted_gordon_threshold()
    7.448638726293977
    """
    return float(enclose_threshold("lifted-gordon"))


def gordon_threshold() -> float:
    """Above this aspect ratio Gordon's min-max theorem proves injectivity: 7.6477, also the replica symmetric value.

    >>> gordon_threshold()
    7.64769493543528
    """
    return float(enclose_threshold("gordon"))


def euler_threshold() -> float:
    """Above this aspect ratio E chi tends to 0, below it grows exponentially: 8.3446.

    >>> euler_threshold()
    8.344632960854725
    """
    return float(enclose_threshold("euler"))


def minimal_cells_threshold() -> float:
    """Above this aspect ratio the union bound over cells with negative facet rows proves injectivity: 8.8070.

    >>> minimal_cells_threshold()
    8.806995758124586
    """
    return float(enclose_threshold("minimal-cells"))


def first_moment_threshold() -> float:
    """Above this aspect ratio the union bound over cells proves injectivity: 9.0886.

    >>> first_moment_threshold()
    9.088606827956983
    """
    return float(enclose_threshold("first-moment"))

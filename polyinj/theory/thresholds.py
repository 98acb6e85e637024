"""The ladder of thresholds: where random Gaussian layers become injective as m = alpha n grows, by every method.

Rigorous thresholds come as enclosures in Arb ball arithmetic: an interval at whose ends a function has opposite certain
signs contains a root, and a short argument about monotonicity or concavity says that there is no other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import inf, nextafter

from flint import arb

from polyinj.errors import InputError
from polyinj.exact.precision import precision
from polyinj.theory.rates import BITS, binomial_rate, enclose_root
from polyinj.theory.replica import replica_threshold

# The thresholds that `enclose_threshold` proves.
ENCLOSED = ("mean-direction", "lifted-gordon", "gordon", "euler", "minimal-cells", "first-moment")


@dataclass(frozen=True, slots=True)
class Threshold:
    """One line of the ladder: the aspect ratio m/n lies in [lower, upper].

    status is "rigorous: not injective below", "rigorous: injective above", "nonrigorous", "conjectured exact" or
    "refuted conjecture"; "with high probability as n grows" is understood.
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


def known_thresholds() -> list[Threshold]:
    """Every known threshold, in increasing order.

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
    maillard = "Maillard, Bandeira, Belius, Dokmanic, Nakajima 2023, arXiv:2302.14112"
    puthawala = "Puthawala, Kothari, Lassas, Dokmanic, de Hoop 2020, arXiv:2006.08464"
    above = "rigorous: injective above"
    return [
        _enclosed("mean-direction", "rigorous: not injective below", f"witness -mean of the rows; {puthawala}"),
        Threshold("full-rsb", 6.697929, 6.698131, "conjectured exact", f"200 steps of symmetry breaking; {maillard}"),
        Threshold("1-rsb", *_one_step(), "nonrigorous", f"one step of symmetry breaking, computed; {maillard}"),
        _enclosed("lifted-gordon", above, "Gordon's comparison of exp(-c M); proof: polyinj/theory/lifted_gordon.py"),
        _enclosed("gordon", above, f"Gordon's min-max theorem, equal to the replica symmetric value; {maillard}"),
        _enclosed("euler", "refuted conjecture", "zero of the rate of E chi; Paleka 2021, Clum 2022"),
        _enclosed("minimal-cells", above, "union bound over cells whose facet rows are all negative"),
        _enclosed("first-moment", above, "union bound over cells"),
        Threshold("puthawala", 10.5, 10.5, above, puthawala),
    ]


@cache
def _one_step() -> tuple[float, float]:
    solution = replica_threshold(1)
    return solution.value - solution.error, solution.value + solution.error


def _enclosed(name: str, status: str, source: str) -> Threshold:
    enclosure = enclose_threshold(name)
    middle = float(enclosure)
    lower, upper = nextafter(middle, 0), nextafter(middle, inf)
    lower = middle if arb(middle) <= enclosure else lower
    upper = middle if arb(middle) >= enclosure else upper
    return Threshold(name, lower, upper, status, source)


def enclose_threshold(name: str) -> arb:
    """A ball of width below 1e-25 that provably contains the threshold.

    Parameters
    ----------
    name : {"mean-direction", "lifted-gordon", "gordon", "euler", "minimal-cells", "first-moment"}

    Returns
    -------
    flint.arb

    Raises
    ------
    InputError
        Another name.

    Notes
    -----
    Each threshold is the only root of a function g on a stated interval; a root lies in the returned ball because g is
    continuous and Arb proves that it changes sign between two points of it. H is the entropy in nats, so that
    alpha H(1/alpha) = alpha ln alpha - (alpha-1) ln(alpha-1), and Q the normal tail.

    - mean-direction: g = alpha Q(alpha^-1/2) - 1 on alpha > 0. Both factors increase, so the root is unique.
    - lifted-gordon: g = F of `polyinj.theory.lifted_gordon` along its stationary points, numbered by w in (11/8,
      13/8). r Q(w/r) / phi(w/r) increases in r, so w has one r, which increases with w, and one alpha = 1 + (r/2 +
      Phi(w) - 1/2) / B(w). There dF/dw = (ln(alpha / (alpha-1)) + ln A) dalpha/dw, of which the first factor is
      negative and the second positive (the tests enclose them): F decreases.
    - gordon: e(alpha) = max_chi of alpha E min(1, Z_+^2 / (2 chi)) - 1 / (2 chi) equals 1. Stationarity in chi is
      alpha h(chi) = 1 with h = erf(sqrt chi) / 2 - sqrt(chi / pi) exp(-chi), and then e = alpha Q(sqrt(2 chi)). So
      g = h - Q(sqrt(2 chi)); h' = sqrt(chi / pi) exp(-chi) > 0 and Q decreases, so its root chi* is unique, and the
      threshold is 1 / Q(sqrt(2 chi*)) = 2 / erfc(sqrt chi*), evaluated on the ball of chi*.
    - euler: g = the rate of E chi (see `euler_rate`) on alpha > 4 + 2 sqrt 2. As t is a stationary point,
      g' = ln(alpha (t+1) / (2 (alpha-1) t)), which is negative exactly when t > alpha / (alpha-2). On this range t
      increases from 1 + sqrt 2 and alpha / (alpha-2) decreases from sqrt 2: g decreases strictly.
    - minimal-cells: g = alpha H(1/alpha) + (alpha-1) H(1/(alpha-1)) - alpha ln 2 on alpha > 4. The sum telescopes to
      alpha ln alpha - (alpha-2) ln(alpha-2) - alpha ln 2, so g' = ln(alpha / (alpha-2)) - ln 2 < 0.
    - first-moment: g = 2 alpha H(1/alpha) - alpha ln 2 on alpha > 2 + sqrt 2. There g' = 2 ln(alpha / (alpha-1)) - ln 2
      < 0.

    Examples
    --------
    >>> enclose_threshold("euler")
    [8.34463296085472 +/- 4.78e-15]
    """
    with precision(BITS):
        match name:
            case "mean-direction":
                return enclose_root(_mean_direction, 3, 4)
            case "lifted-gordon":
                w = enclose_root(lambda w: _lifted_gordon(w, lifted_ratio(w)), arb(11) / 8, arb(13) / 8)
                return lifted_expansivity(w, lifted_ratio(w.lower()).union(lifted_ratio(w.upper())))
            case "gordon":
                return 2 / enclose_root(_gordon, arb(1) / 2, 2).sqrt().erfc()
            case "euler":
                return enclose_root(_euler, 7, 10)
            case "minimal-cells":
                return enclose_root(_minimal_cells, 5, 10)
            case "first-moment":
                return enclose_root(_first_moment, 4, 10)
    raise InputError(f"no enclosure for {name!r}; allowed are {', '.join(ENCLOSED)}")


def _normal_tail(x: arb) -> arb:
    return (x / arb(2).sqrt()).erfc() / 2


def _mean_direction(alpha: arb) -> arb:
    return alpha * _normal_tail(1 / alpha.sqrt()) - 1


def _normal_density(x: arb) -> arb:
    return (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def _truncated_square(w: arb) -> arb:
    """B(w), the integral of z^2 phi(z) over 0 < z < w."""
    return arb(1) / 2 - _normal_tail(w) - w * _normal_density(w)


def lifted_ratio(w: arb) -> arb:
    """The r of a stationary point of the lifted bound, given w."""
    target = _truncated_square(w) / _normal_density(w)
    return enclose_root(
        lambda r: r * _normal_tail(w / r) / _normal_density(w / r) - target, arb(1) / 2, arb(4), bits=160
    )


def lifted_expansivity(w: arb, r: arb) -> arb:
    """Its alpha."""
    return 1 + (r / 2 + arb(1) / 2 - _normal_tail(w)) / _truncated_square(w)


def _lifted_gordon(w: arb, r: arb) -> arb:
    alpha = lifted_expansivity(w, r)
    inner = (alpha - 1) * _truncated_square(w) / r
    return r.log() + binomial_rate(alpha) + _normal_tail(w / r).log() + (alpha - 1) * inner.log()


def _gordon(chi: arb) -> arb:
    return chi.sqrt().erf() - (chi / arb.pi()).sqrt() * (-chi).exp() - arb(1) / 2


def _euler(alpha: arb) -> arb:
    t = (alpha - 2 + (alpha * alpha - 8 * alpha + 8).sqrt()) / 2
    return binomial_rate(alpha) - alpha * arb(2).log() + (t - 1).log() + (alpha - 1) * ((t + 1) / t).log()


def _minimal_cells(alpha: arb) -> arb:
    return binomial_rate(alpha) + binomial_rate(alpha - 1) - alpha * arb(2).log()


def _first_moment(alpha: arb) -> arb:
    return 2 * binomial_rate(alpha) - alpha * arb(2).log()


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

"""Where an increasing probability passes 1/10, 1/2 and 9/10: a model while it fits the counts, else none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyinj.errors import InputError
from polyinj.fitting.counts import Counts
from polyinj.fitting.intervals import UNSEEN, Crossings, Interval, isotonic_crossings
from polyinj.fitting.links import LINKS, Link
from polyinj.fitting.response import Levels, Response, check_fit, fit_response

LEVELS = (0.1, 0.5, 0.9)
# Of fifteen true models one in seven tables rejects one at this level; at 0.05 it would be one in two.
REJECTED_BELOW = 0.01
_ISOTONIC = "isotonic"


@dataclass(frozen=True, slots=True)
class CrossingEstimate:
    """Crossings of one curve by a stated model and without one.

    Attributes
    ----------
    model : str
        What is reported: the link of the model, or "isotonic" where the model does not fit or cannot be checked.
    fit_p_value : float
        Of the deviance, by parametric bootstrap; the smaller one where undecided trials leave two tables. nan for fewer
        than four positions.
    parametric : Crossings or None
        Maximum likelihood with profile likelihood intervals; None for fewer than four positions.
    isotonic : Crossings
        Isotonic regression with bootstrap intervals.
    """

    model: str
    fit_p_value: float
    parametric: Crossings | None
    isotonic: Crossings

    @property
    def reported(self) -> Crossings:
        """The estimate of `model`."""
        return self.isotonic if self.parametric is None or self.model == _ISOTONIC else self.parametric


def estimate_crossings(
    counts: Counts, levels: Sequence[float] = LEVELS, *, seed: int, link: str = "loglog", level: float = 0.95
) -> CrossingEstimate:
    """Where an increasing probability passes each of some levels.

    Parameters
    ----------
    counts : Counts
    levels : sequence of float
        Probabilities, increasing, in (0, 1).
    seed : int
        Seed of the bootstraps.
    link : {"loglog", "logit", "probit", "cloglog"}
        The F of the model P = F(b0 + b1 m + b2 m^2). The default, F(x) = exp(-e^-x), is the probability of none among
        many rare and nearly independent events; the logarithm of their expected number is then a quadratic of m, as
        that of the witnesses against a layer is smooth and concave.
    level : float
        Nominal coverage of the intervals.

    Returns
    -------
    CrossingEstimate
        Reports the model unless its deviance has a p-value below 0.01, then the isotonic estimate. Crossings outside
        the grid are nan. Undecided trials widen every interval to the worst that they may turn out to be.

    Raises
    ------
    InputError
        An unknown link, or levels that do not increase within (0, 1).

    Examples
    --------
    >>> from polyinj.fitting.counts import Counts
    >>> counts = Counts([5, 6, 7, 8, 9, 10], [200] * 6, [0, 50, 91, 125, 151, 169], [0] * 6)
    >>> estimate_crossings(counts, seed=0).isotonic.at[1].value
    7.264705882352941
    """
    if link not in LINKS:
        raise InputError(f"link is {link!r}; allowed are {', '.join(LINKS)}")
    if not len(levels) or not all(0 < a < b < 1 for a, b in zip((1e-300, *levels), levels, strict=False)):
        raise InputError(f"levels are {tuple(levels)}; expected probabilities in (0, 1) that increase")
    isotonic = isotonic_crossings(counts, levels, seed=seed, level=level)
    known = counts.decided()
    if known is None or len(known.positions) < 4:
        return CrossingEstimate(_ISOTONIC, float("nan"), None, isotonic)
    model = LINKS[link]
    everywhere = np.full(len(counts.positions), True)
    settlements = [everywhere, ~everywhere] if counts.undecided.any() else [everywhere]
    p_value = min(check_fit(fit_response(counts.settled(choice), model), seed=seed) for choice in settlements)
    parametric = _parametric(counts, fit_response(known, model), levels, level)
    return CrossingEstimate(link if p_value >= REJECTED_BELOW else _ISOTONIC, p_value, parametric, isotonic)


def _parametric(counts: Counts, fit: Response, levels: Sequence[float], level: float) -> Crossings:
    low, high = counts.positions[[0, -1]]
    at = tuple(_widened(counts, fit, (p,), level) if low <= fit.value((p,)) <= high else UNSEEN for p in levels)
    seen = len(at) > 1 and np.isfinite([at[0].value, at[-1].value]).all()
    return Crossings(tuple(levels), at, _widened(counts, fit, (levels[0], levels[-1]), level) if seen else UNSEEN)


def _widened(counts: Counts, fit: Response, levels: Levels, level: float) -> Interval:
    """An interval with the undecided trials settled, at every position, in the way that moves each end outwards."""
    if not counts.undecided.any():
        return Interval(fit.value(levels), *fit.interval(levels, level))
    # The fit to the decided trials may lack positions; a fit to all trials gives the direction for each.
    raised = fit_response(counts.settled(counts.undecided < 0), fit.link).raised_by(levels)
    lowest, highest = (fit_response(counts.settled(choice), fit.link) for choice in (~raised, raised))
    return Interval(fit.value(levels), lowest.interval(levels, level)[0], highest.interval(levels, level)[1])


@dataclass(frozen=True, slots=True)
class LinkFit:
    """How well one model describes counts: the deviance, its degrees of freedom and its bootstrap p-value."""

    link: str
    deviance: float
    degrees_of_freedom: int
    p_value: float


def compare_links(counts: Counts, *, seed: int) -> tuple[LinkFit, ...]:
    """Fit every model to the decided trials, best first.

    Raises
    ------
    InputError
        Fewer than four positions with decided trials.

    Examples
    --------
    >>> from polyinj.fitting.counts import Counts
    >>> counts = Counts([5, 6, 7, 8, 9, 10], [200] * 6, [0, 50, 91, 125, 151, 169], [0] * 6)
    >>> [fit.link for fit in compare_links(counts, seed=0)]
    ['loglog', 'probit', 'logit', 'cloglog']
    """
    known = counts.decided()
    if known is None or len(known.positions) < 4:
        raise InputError(f"counts are {counts}; expected decided trials at four positions or more")

    def compare(link: Link) -> LinkFit:
        fit = fit_response(known, link)
        return LinkFit(link.name, fit.deviance(), len(known.positions) - 3, check_fit(fit, seed=seed))

    return tuple(sorted(map(compare, LINKS.values()), key=lambda fit: fit.deviance))

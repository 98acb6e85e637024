"""Interval estimates without a model: of a probability, a median, and of where a curve passes a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import betaincinv

from polyinj.fitting.counts import Counts

_RESAMPLES = 2000
# The normal quantile of a two-sided interval of level 0.95.
TWO_SIDED_95 = 1.959963984540054


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a binomial probability (Clopper and Pearson 1934): coverage at least `level`."""
    tail = (1 - level) / 2
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return low, high


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its interval; nan where the data do not show it, infinite ends where they set no limit."""

    value: float
    low: float
    high: float

    def __repr__(self) -> str:
        return f"Interval({self.value:.6g} in {self.low:.6g}..{self.high:.6g})"

    def scaled(self, factor: float) -> Interval:
        """All three times a positive factor."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


def share_interval(successes: int, trials: int, undecided: int = 0) -> Interval:
    """The share of successes among decided trials; its 95% interval (Clopper-Pearson) counts the others both ways."""
    decided = trials - undecided
    share = successes / decided if decided else np.nan
    return Interval(share, clopper_pearson(successes, trials)[0], clopper_pearson(successes + undecided, trials)[1])


UNSEEN = Interval(np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class Crossings:
    """Where an increasing probability passes given levels, and the distance from the first level to the last.

    Attributes
    ----------
    levels : tuple of float
        Increasing probabilities, such as (0.1, 0.5, 0.9).
    at : tuple of Interval
        One position a level.
    width : Interval
        Position of the last level minus that of the first; nan for a single level.
    """

    levels: tuple[float, ...]
    at: tuple[Interval, ...]
    width: Interval


def isotonic_crossings(
    counts: Counts, levels: Sequence[float] = (0.1, 0.5, 0.9), *, seed: int, level: float = 0.95
) -> Crossings:
    """Crossings of the isotonic fit, with bootstrap intervals.

    The shares of successes are made monotone by least squares (isotonic regression) and interpolated linearly. An
    interval is the percentile one of a parametric bootstrap (2000 binomial resamples of the fitted probabilities). For
    the upper end of a crossing undecided trials count as failures, for the lower one as successes; for a width, they
    count as whatever flattens or steepens the curve about its middle.

    Parameters
    ----------
    counts : Counts
    levels : sequence of float
        Probabilities, increasing.
    seed : int
        Seed of the bootstrap.
    level : float
        Nominal coverage.

    Examples
    --------
    >>> from polyinj.fitting.counts import Counts
    >>> found = isotonic_crossings(Counts([4, 5, 6], [100] * 3, [0, 25, 75], [0] * 3), [0.5], seed=0)
    >>> found.at[0].value
    5.5
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(counts.positions),)))
    known = counts.decided()
    values = np.full(len(levels), np.nan) if known is None else cross(known.positions, isotonic_shares(known), levels)
    tail = (1 - level) / 2
    everywhere = np.full(len(counts.positions), True)
    settlements = [everywhere, ~everywhere]
    if counts.undecided.any():
        before = counts.positions < np.mean(values[np.isfinite(values)]) if np.isfinite(values).any() else everywhere
        settlements += [before, ~before]
    samples = [_resample(counts.settled(choice), levels, rng) for choice in settlements]
    early, late, flat, steep = samples * (4 // len(samples))
    at = tuple(
        Interval(float(value), _quantile(early[:, k], tail), _quantile(late[:, k], 1 - tail))
        if np.isfinite(value)
        else UNSEEN
        for k, value in enumerate(values)
    )
    width = UNSEEN
    if len(levels) > 1 and np.isfinite(values[[0, -1]]).all():
        low, high = _quantile(_width(steep), tail), _quantile(_width(flat), 1 - tail)
        width = Interval(float(values[-1] - values[0]), low, high)
    return Crossings(tuple(levels), at, width)


def isotonic_shares(counts: Counts) -> NDArray[np.float64]:
    """The shares of successes, made to increase by least squares; shape (k,)."""
    fitted: NDArray[np.float64] = isotonic_regression(counts.successes / counts.trials, weights=counts.trials).x
    return np.clip(fitted, 0, 1)


def _resample(counts: Counts, levels: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    """Crossings of the fits of resamples, shape (resamples, levels)."""
    drawn = rng.binomial(counts.trials, isotonic_shares(counts), size=(_RESAMPLES, len(counts.trials)))
    shares = drawn / counts.trials
    fits = (isotonic_regression(share, weights=counts.trials).x for share in shares)
    return np.array([cross(counts.positions, np.clip(fit, 0, 1), levels) for fit in fits])


def _width(crossings: NDArray[np.float64]) -> NDArray[np.float64]:
    """A resample that misses one of the two crossings sets no limit to the width."""
    outside = ~np.isfinite(crossings[:, [0, -1]]).all(axis=1)
    first, last = np.where(outside, 0.0, crossings[:, 0]), np.where(outside, np.inf, crossings[:, -1])
    return np.asarray(last - first)


def _quantile(sample: NDArray[np.float64], quantile: float) -> float:
    return float(np.quantile(sample, quantile, method="inverted_cdf"))


def cross(
    positions: NDArray[np.float64], probability: NDArray[np.float64], levels: Sequence[float]
) -> NDArray[np.float64]:
    """First place where the piecewise linear probability reaches each level: -inf before the grid, inf behind it."""
    places = []
    for level in levels:
        k = int(np.searchsorted(probability, level))
        if k == len(probability):
            places.append(np.inf)
        elif k == 0:
            places.append(float(positions[0]) if probability[0] == level else -np.inf)
        else:
            share = (level - probability[k - 1]) / (probability[k] - probability[k - 1])
            places.append(float(positions[k - 1] + share * (positions[k] - positions[k - 1])))
    return np.array(places)


def median_interval(low: NDArray[np.float64], high: NDArray[np.float64], level: float = 0.95) -> Interval:
    """The median of independent values, each known to lie in low..high, with a distribution-free interval.

    The j-th smallest and j-th largest of t values hold the median with probability at least 1 - 2 P(Bin(t, 1/2) < j);
    j is the largest with coverage `level`, and infinite ends stand for too few values. The lower end is taken from the
    values of `low`, the upper one from those of `high`.

    Examples
    --------
    >>> values = np.arange(20.0)
    >>> median_interval(values, values)
    Interval(9.5 in 5..14)
    """
    count = len(low)
    if not count:
        return UNSEEN
    tail, j = 0.5**count, 0
    while 2 * tail <= 1 - level and j < count // 2:
        j += 1
        tail += comb(count, j) * 0.5**count
    middle = float(np.median((low + high) / 2))
    if not j:
        return Interval(middle, -np.inf, np.inf)
    return Interval(middle, float(np.sort(low)[j - 1]), float(np.sort(high)[count - j]))

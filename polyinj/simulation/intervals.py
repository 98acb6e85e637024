"""Interval estimates of a probability, and of the place where one passes one half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import betaincinv

_RESAMPLES = 2000


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a binomial probability (Clopper and Pearson 1934): coverage at least `level`."""
    tail = (1 - level) / 2
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return low, high


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where an increasing probability passes one half; nan where the grid does not show it."""

    value: float
    low: float
    high: float


def half_crossing(
    positions: NDArray[np.float64],
    successes: NDArray[np.int64],
    open_cases: NDArray[np.int64],
    trials: NDArray[np.int64],
    seed: int,
    level: float = 0.95,
) -> Crossing:
    """Where P(success), which never decreases along `positions`, passes one half.

    The fractions are made monotone by least squares (isotonic regression) and interpolated linearly. The interval is
    the percentile one of a parametric bootstrap (2000 binomial resamples of the fitted probabilities). Open cases count
    as failures for the upper end and as successes for the lower one.

    Parameters
    ----------
    positions, successes, open_cases, trials : ndarray, shape (k,)
        The grid, increasing, and the counts there.
    seed : int
        Seed of the bootstrap.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(positions),)))
    value = _cross(positions, _fit(successes, np.maximum(trials - open_cases, 1)))
    if not np.isfinite(value):
        return Crossing(np.nan, np.nan, np.nan)
    tail = (1 - level) / 2
    low = _resampled_quantile(positions, _fit(successes + open_cases, trials), trials, tail, rng)
    high = _resampled_quantile(positions, _fit(successes, trials), trials, 1 - tail, rng)
    return Crossing(value, low, high)


def _resampled_quantile(
    positions: NDArray[np.float64],
    probability: NDArray[np.float64],
    trials: NDArray[np.int64],
    quantile: float,
    rng: np.random.Generator,
) -> float:
    crossings = [_cross(positions, _fit(rng.binomial(trials, probability), trials)) for _ in range(_RESAMPLES)]
    return float(np.quantile(crossings, quantile, method="inverted_cdf"))


def _fit(successes: NDArray[np.int64], trials: NDArray[np.int64]) -> NDArray[np.float64]:
    fitted: NDArray[np.float64] = isotonic_regression(successes / trials, weights=trials).x
    return np.clip(fitted, 0, 1)


def _cross(positions: NDArray[np.float64], probability: NDArray[np.float64]) -> float:
    """First place where the piecewise linear probability reaches 1/2: -inf before the grid, inf behind it."""
    above = np.flatnonzero(probability >= 0.5)
    if not len(above):
        return np.inf
    k = above[0]
    if k == 0:
        return float(positions[0]) if probability[0] == 0.5 else -np.inf
    share = (0.5 - probability[k - 1]) / (probability[k] - probability[k - 1])
    return float(positions[k - 1] + share * (positions[k] - positions[k - 1]))

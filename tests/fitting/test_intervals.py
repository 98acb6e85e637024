"""Intervals of a probability and of a median: reference values, and the tails that define them."""

import numpy as np
import pytest
from scipy.stats import binom

from polyinj.fitting.intervals import clopper_pearson, median_interval


def test_clopper_pearson_reference_values():
    assert clopper_pearson(0, 10) == (0.0, pytest.approx(1 - 0.025 ** (1 / 10)))
    assert clopper_pearson(10, 10) == (pytest.approx(0.025 ** (1 / 10)), 1.0)
    low, high = clopper_pearson(3, 20)
    assert binom.sf(2, 20, low) == pytest.approx(0.025)
    assert binom.cdf(3, 20, high) == pytest.approx(0.025)


def test_median_intervals():
    values = np.arange(20.0)
    interval = median_interval(values, values + 0.5)
    assert (interval.low, interval.high) == (5.0, 14.5)
    # Ranks 6 and 15 of 20: 2 P(Bin(20, 1/2) <= 5) = 0.041 <= 0.05 and not for 6.
    assert 2 * binom(20, 0.5).cdf(5) <= 0.05 < 2 * binom(20, 0.5).cdf(6)
    assert median_interval(values[:5], values[:5]).high == np.inf
    assert np.isnan(median_interval(values[:0], values[:0]).value)

"""The tightness of interval bounds: reference values, and random networks."""

from math import pi, sqrt

import numpy as np
import pytest
from scipy.stats import binom

from polyinj import InputError, Network, NetworkLayer, bound_network, exact_range, ibp_tightness


def test_interval_tightness_reference_values():
    assert [round(ibp_tightness(d), 5) for d in (4, 16, 64)] == [0.58905, 0.30847, 0.15605]
    assert ibp_tightness(10**6) == pytest.approx(sqrt(pi / 2e6), rel=1e-6)
    with pytest.raises(InputError, match="width"):
        ibp_tightness(0)


@pytest.mark.slow
@pytest.mark.parametrize("width", [4, 16, 64])
def test_interval_tightness_is_that_of_random_networks(width):
    """D = exact radius - ratio * interval radius has mean 0; the median of means finds that.

    E D^2 <= E X^2 + ratio^2 E Y^2 = d + ratio^2 (d + d (d - 1) 4 / pi^2), as X, Y >= 0. By Chebyshev the mean of a
    group of g is off by 2 sqrt(E D^2 / g) with probability at most 1/4, and the median of 101 groups only if 51 are:
    below 1e-7 a test. The seed is fixed.
    """
    groups, size, ratio = 101, 2000, ibp_tightness(width)
    assert binom.sf(50, groups, 0.25) < 1e-7
    rng = np.random.default_rng(0)
    second, first = rng.standard_normal((2, groups, size, width))
    exact = np.abs((second * first).sum(axis=-1))
    interval = np.abs(second * first).sum(axis=-1)
    reach = 2 * sqrt((width + ratio**2 * (width + width * (width - 1) * 4 / pi**2)) / size)
    assert abs(np.median((exact - ratio * interval).mean(axis=1))) < reach
    # A ratio off by a tenth (for 64: a fifth) would be seen.
    wrong = ratio * (1.2 if width == 64 else 1.15)
    assert abs(np.median((exact - wrong * interval).mean(axis=1))) > reach
    # The radii are those of the package.
    layers = (NetworkLayer(first[0, 0][:, None], None, None), NetworkLayer(second[0, 0][None], None, None))
    network = Network(layers, "linear")
    box = bound_network(network, [-1], [1], "box", exact=True)
    true = exact_range(network, [-1], [1])
    assert float(box.upper[0]) == pytest.approx(interval[0, 0])
    assert float(true.upper[0]) == pytest.approx(exact[0, 0])

"""Local exponents of observables against depth."""

from dataclasses import replace

import numpy as np
import pytest

from polyinj import InputError, RandomNetwork, propagate
from polyinj.propagation.observables import OBSERVABLES
from polyinj.propagation.power_law import local_exponents


@pytest.fixture(scope="module")
def run():
    return propagate(RandomNetwork(width=8, depth=100), batch=4, networks=3, seed=0)


def with_observable(run, function):
    """The run with values of one observable replaced: function(layer) plus a constant of the network."""
    values = run.values.copy()
    layers = np.array(run.layers, dtype=float)
    for network in range(len(values)):
        values[network, :, list(OBSERVABLES).index("log_sensitivity")] = function(np.maximum(layers, 1)) + network
    return replace(run, values=values)


def test_a_power_law_has_its_exponent_everywhere(run):
    found = local_exponents(
        with_observable(run, lambda layer: 0.7 * np.log(layer)), "log_sensitivity", first=4, parts=3
    )
    assert [part.exponent for part in found] == pytest.approx([0.7] * 3)
    assert (found[0].first, found[-1].last) == (4, 100)
    for part in found:
        assert part.low <= part.exponent <= part.high
        assert part.high - part.low < 1e-9


def test_exponential_growth_has_growing_exponents(run):
    early, late = local_exponents(with_observable(run, lambda layer: 0.2 * layer), "log_sensitivity", first=4)
    # r layer at a layer inside each range.
    assert 0.2 * early.first < early.exponent < 0.2 * early.last <= 0.2 * late.last
    assert 0.2 * late.first < late.exponent < 0.2 * late.last
    assert early.exponent < late.exponent


def test_the_interval_is_that_of_student(run):
    values = run.values.copy()
    for network, slope in enumerate((1.0, 2.0, 3.0)):
        values[network, :, list(OBSERVABLES).index("cosine")] = slope * np.log(np.maximum(run.layers, 1))
    (part,) = local_exponents(replace(run, values=values), "cosine", first=1, parts=1)
    # Mean 2, standard error 1/sqrt(3), 0.975 quantile of t with 2 degrees of freedom 4.302653.
    assert (part.exponent, part.low) == pytest.approx((2, 2 - 4.302653 / 3**0.5))


@pytest.mark.slow
def test_batch_norm_is_exponential_and_residual_batch_norm_is_not():
    """Batch norm multiplies noise by a factor every layer, so the second range, 4 times as deep, has about 4 times the
    exponent; with residual branches of r = 1/2 it has not twice the first. Both by more than ten standard errors."""
    laws = [RandomNetwork(width=64, depth=64, normalisation="batch", residual=residual) for residual in (0.0, 0.5)]
    (early, late), (kept, later) = (
        local_exponents(propagate(law, batch=16, networks=4, seed=2), "log_sensitivity", first=4) for law in laws
    )
    assert late.low > 2.5 * early.exponent
    assert late.exponent > 5
    assert later.exponent < 1
    assert kept.exponent < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first": 0}, "first is 0"),
        ({"first": 99}, "expected 3"),
        ({"first": 4, "parts": 0}, "parts is 0"),
        ({"first": 4, "observable": "beauty"}, "observable is 'beauty'"),
    ],
)
def test_bad_input(run, options, message):
    with pytest.raises(InputError, match=message):
        local_exponents(run, options.pop("observable", "cosine"), **options)


def test_one_network_and_undefined_observables_are_refused(run):
    with pytest.raises(InputError, match="1 networks"):
        local_exponents(replace(run, values=run.values[:1]), "cosine", first=4)
    values = run.values.copy()
    values[0, -1, list(OBSERVABLES).index("cosine")] = np.nan
    with pytest.raises(InputError, match="undefined"):
        local_exponents(replace(run, values=values), "cosine", first=4)

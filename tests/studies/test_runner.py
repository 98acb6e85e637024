"""The runner of studies: labels, seeds, executors and the lists of a design."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from polyinj import GaussianEnsemble, InputError, simulate
from polyinj.fitting.intervals import clopper_pearson, share_interval
from polyinj.simulation.estimate import Job
from polyinj.simulation.statistics import depth
from polyinj.studies.runner import check_integers, run_study, shapes

DESIGN = {(n, m): Job(GaussianEnsemble(m, n), depth, 20) for n, m in [(2, 6), (3, 7)]}


def test_each_label_has_the_trials_of_its_job_alone():
    seed, found = run_study(DESIGN, seed=5, workers=1, progress=False)
    assert seed == 5
    assert list(found) == list(DESIGN)
    with ThreadPoolExecutor(2) as threads:
        _, elsewhere = run_study(DESIGN, seed=5, executor=threads, progress=False)
        for label, job in DESIGN.items():
            alone = simulate(job.ensemble, depth, 20, seed=5, executor=threads, progress=False)
            np.testing.assert_array_equal(found[label].values, alone.values)
            np.testing.assert_array_equal(elsewhere[label].values, alone.values)


def test_a_seed_that_was_drawn_repeats_the_run():
    seed, found = run_study(DESIGN, seed=None, workers=1, progress=False)
    _, again = run_study(DESIGN, seed=seed, workers=1, progress=False)
    for label in DESIGN:
        np.testing.assert_array_equal(found[label].values, again[label].values)


def test_shapes_are_ordered_and_come_once():
    assert shapes([3, 2], [2, 2.1, 1.5]) == [(2, 3), (2, 4), (3, 4), (3, 6)]


@pytest.mark.parametrize(
    ("ns", "ratios", "message"),
    [
        ([], [2], "n is empty"),
        ([0], [2], "n has 0; expected integers >= 1"),
        ([2], [], "values of expansivity is empty"),
        ([2], [0.9], "expansivity is 0.9"),
        ([2], [np.nan], "expansivity is nan"),
    ],
)
def test_bad_lists_are_refused(ns, ratios, message):
    with pytest.raises(InputError, match=message):
        shapes(ns, ratios, ratio="expansivity")


def test_integers_have_a_least_value():
    check_integers("steps", [0, 3], least=0)
    with pytest.raises(InputError, match="steps has -1; expected integers >= 0"):
        check_integers("steps", [3, -1], least=0)


def test_undecided_trials_count_both_ways():
    share = share_interval(3, 20, 5)
    assert share.value == 3 / 15
    assert (share.low, share.high) == (clopper_pearson(3, 20)[0], clopper_pearson(8, 20)[1])
    nothing = share_interval(0, 4, 4)
    assert np.isnan(nothing.value)
    assert (nothing.low, nothing.high) == (0.0, 1.0)

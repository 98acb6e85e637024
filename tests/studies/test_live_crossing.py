"""The crossing that a run shows while it lasts."""

from types import SimpleNamespace

import numpy as np
import pytest

from polyinj import GaussianEnsemble
from polyinj.fitting.counts import Counts
from polyinj.fitting.intervals import clopper_pearson
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.executors import InProcess
from polyinj.simulation.statistics import decision, depth
from polyinj.studies.live_crossing import LiveCrossing, crossing_so_far


def test_the_value_is_that_of_the_isotonic_fit_and_the_ends_those_of_the_bounds():
    value, low, high = crossing_so_far(Counts([4, 5, 6], [100] * 3, [0, 25, 75], [0] * 3))
    assert value == 5.5
    most, least = (
        (clopper_pearson(25, 100)[1], clopper_pearson(75, 100)[1]),
        (
            clopper_pearson(25, 100)[0],
            clopper_pearson(75, 100)[0],
        ),
    )
    assert low == pytest.approx(5 + (0.5 - most[0]) / (most[1] - most[0]))
    assert high == pytest.approx(5 + (0.5 - least[0]) / (least[1] - least[0]))


def test_undecided_trials_widen_both_ends():
    _, low, high = crossing_so_far(Counts([4, 5, 6], [100] * 3, [0, 25, 75], [0] * 3))
    value, wider_low, wider_high = crossing_so_far(Counts([4, 5, 6], [120] * 3, [0, 25, 75], [20] * 3))
    assert value == 5.5
    assert wider_low < low
    assert wider_high > high


def test_nothing_is_said_before_both_sides_are_seen():
    assert crossing_so_far(Counts([4, 5], [10] * 2, [0, 3], [0] * 2)) is None
    assert crossing_so_far(Counts([4], [10], [0], [10])) is None


def test_an_end_that_the_bounds_do_not_reach_is_open():
    value, low, high = crossing_so_far(Counts([4, 5], [4] * 2, [1, 3], [0] * 2))
    assert (value, low, high) == (4.5, -np.inf, np.inf)


def test_the_bounds_hold_the_crossing_as_often_as_they_claim():
    """Each end fails where one bound of level 0.975 does: 5 % in all, were it a single position. 400 runs; more than 40
    misses have probability below 1e-6 at 5 %, by the binomial law."""
    rng = np.random.default_rng(5)
    places = np.array([10, 11, 12, 13, 14])
    truth = 1 / (1 + np.exp(-(places - 12.3)))
    missed = 0
    for _ in range(400):
        found = crossing_so_far(Counts(places, [60] * 5, rng.binomial(60, truth), [0] * 5))
        missed += found is None or not found[1] <= 12.3 <= found[2]
    assert missed <= 40


def shown(capsys, statistic, shapes, **options):
    jobs = [Job(GaussianEnsemble(m, n), statistic, 60) for m, n in shapes]
    simulate_jobs(jobs, seed=0, executor=InProcess(), note=LiveCrossing(jobs), **options)
    return capsys.readouterr().err


def test_a_run_of_decisions_shows_it(capsys):
    assert "n=2: P(injective) = 1/2 at m/n 3." in shown(capsys, decision, [(4, 2), (6, 2), (8, 2), (10, 2)])


def test_other_statistics_show_nothing(capsys):
    assert "P(injective)" not in shown(capsys, depth, [(4, 2), (8, 2)])


def test_trials_that_a_store_has_count(tmp_path, capsys):
    store = tmp_path / "sweep.db"
    shown(capsys, decision, [(4, 2), (8, 2)], store=store, progress=False)
    # The new shape alone lies on one side of 1/2.
    assert "n=2: P(injective) = 1/2 at m/n 3." in shown(capsys, decision, [(4, 2), (8, 2), (12, 2)], store=store)


def test_inputs_are_kept_apart():
    live = LiveCrossing([Job(GaussianEnsemble(m, n), decision, 10) for m, n in [(4, 2), (8, 2), (6, 3)]])

    def batch(share):
        return SimpleNamespace(columns=("injective", "not_injective", "undecided"), values=np.tile(share, (10, 1)))

    none, all_ = batch([0.0, 1, 0]), batch([1.0, 0, 0])
    for index, seen in ((0, none), (2, all_), (1, all_)):
        live(index, seen)
    assert live(1, all_).startswith("n=2: P(injective) = 1/2 at m/n 3.00 [2.")
    assert live(2, all_) == ""

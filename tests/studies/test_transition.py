"""Transitions: fixed grids, located crossings, and their files."""

from itertools import pairwise
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy.stats import binom

from polyinj import GaussianEnsemble, InputError, Transition, WitnessSweep, estimate_transition, locate_transition
from polyinj.fitting.adaptive import place_trials
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.executors import local_processes
from polyinj.simulation.statistics import decision
from polyinj.studies.transition_row import Row
from polyinj.theory.euler import expected_euler_characteristic

# Where the probability, linear between integers m, is 1/2: at n = 1 it is 1 - 2^(1-m), at n = 2 1 - m(m-2)/2^(m-1).
EXACT_HALF = {1: 2.0, 2: (7 + (1 / 2 - 29 / 64) / (5 / 8 - 29 / 64)) / 2}


def small_transition(**options):
    return estimate_transition([2, 3], [1, 2, 3.4, 3.5, 4, 6], 40, seed=3, progress=False, **options)


@pytest.mark.slow
def test_same_seed_same_table_whatever_the_workers():
    one, two = small_transition(workers=1), small_transition(workers=2)
    assert repr(one.rows) == repr(two.rows)
    assert repr(one.crossings) == repr(two.crossings)


@pytest.fixture(scope="module")
def small():
    return small_transition(workers=1, chi_max_n=2)


@pytest.mark.slow
def test_transition_table(small):
    run = small
    assert [(row.n, row.m) for row in run.rows] == [(2, m) for m in (2, 4, 7, 8, 12)] + [
        (3, m) for m in (3, 6, 10, 12, 18)
    ]
    for row in run.rows:
        assert row.aspect_ratio == row.m / row.n
        assert row.injective + row.not_injective + row.undecided == row.trials == 40
        assert 0 <= row.p_low <= row.p_injective <= row.p_high <= 1
        assert row.expected_chi == float(expected_euler_characteristic(row.m, row.n))
        assert np.isnan(row.mean_chi) == (row.n > 2)
    assert run.column("n").tolist() == [row.n for row in run.rows]
    assert "seed=3" in repr(run)


@pytest.mark.slow
def test_transition_saves_and_loads(tmp_path, small):
    run = small
    paths = run.save(tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)
    assert repr(Transition.load(tmp_path / "new").rows) == repr(run.rows)
    assert repr(Transition.load(tmp_path / "new").crossings) == repr(run.crossings)
    assert repr(Transition.load(tmp_path / "new" / "transition.csv").rows) == repr(run.rows)
    assert (tmp_path / "new" / "transition.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "new" / "transition.csv").read_text().splitlines()) == len(run.rows) + 1


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch, small):
    run = small
    (tmp_path / "transition.csv").write_text("older")

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        run.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["transition.csv"]
    assert (tmp_path / "transition.csv").read_text() == "older"


def test_loading_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="no saved transition"):
        Transition.load(tmp_path)
    (tmp_path / "transition.json").write_text('{"format": "other"}')
    with pytest.raises(InputError, match="no saved transition"):
        Transition.load(tmp_path)


@pytest.mark.parametrize(
    ("n", "ratios", "message"),
    [
        ([], [2], "empty"),
        ([2], [], "empty"),
        ([0], [2], "n has 0"),
        ([2], [0.5], "aspect ratio is 0.5"),
        ([2], [inf], "aspect ratio is inf"),
    ],
)
def test_bad_designs(n, ratios, message):
    with pytest.raises(InputError, match=message):
        estimate_transition(n, ratios, 10, seed=0, progress=False)


def located(ns=(1, 2), **options):
    return locate_transition(ns, width=0.5, max_trials=800, seed=4, progress=False, **options)


@pytest.fixture(scope="module")
def alone():
    return located(workers=1)


@pytest.mark.slow
def test_a_located_crossing_is_the_exact_one(alone):
    for crossing in alone.crossings:
        assert crossing.half_high - crossing.half_low <= 0.5
        # Five standard errors: fails by chance with probability below 1e-6.
        error = (crossing.half_high - crossing.half_low) / 3.92
        assert abs(crossing.half - EXACT_HALF[crossing.n]) <= 5 * error


@pytest.mark.slow
def test_a_located_transition_does_not_depend_on_workers_order_or_store(alone, tmp_path, monkeypatch):
    assert repr(located([2, 1], workers=2, store=tmp_path / "located.db").rows) == repr(alone.rows)
    monkeypatch.setattr("polyinj.simulation.statistics.decide_injectivity", None)
    again = located(workers=1, store=tmp_path / "located.db")
    assert repr(again.rows) == repr(alone.rows)
    assert repr(again.crossings) == repr(alone.crossings)


@pytest.mark.slow
def test_dask_locates_the_same(alone):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        client.get_executor() as executor,
    ):
        assert repr(located(executor=executor).rows) == repr(alone.rows)


@pytest.mark.slow
def test_budgets_end_the_search():
    few = locate_transition([2, 3], width=1e-6, max_trials=200, seed=1, workers=1, progress=False)
    assert {n: sum(row.trials for row in few.rows if row.n == n) for n in (2, 3)} == {2: 200, 3: 200}
    one_round = locate_transition([3], width=1e-6, max_trials=10**6, seed=1, time_limit=1e-9, workers=1, progress=False)
    assert [(row.m, row.trials) for row in one_round.rows] == [(18, 16)]


@pytest.mark.slow
def test_undecided_matrices_stay_in_the_table():
    run = locate_transition([5], width=0.5, max_trials=300, seed=1, node_limit=2, workers=1, progress=False)
    undecided = sum(row.undecided for row in run.rows)
    assert undecided > 20
    assert all(row.injective + row.not_injective + row.undecided == row.trials for row in run.rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": []}, "n is empty"),
        ({"n": [0]}, "n has 0"),
        ({"width": 0}, "width is 0"),
        ({"width": nan}, "width is nan"),
        ({"max_trials": 0}, "max_trials is 0"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_searches(options, message):
    options = {"n": [2], "width": 0.1, "max_trials": 10, "seed": 0, "workers": 1, "progress": False} | options
    with pytest.raises(InputError, match=message):
        locate_transition(options.pop("n"), **options)


def table_of(counts, seed=1):
    rows = [Row.of_counts(n, m, trials, injective, 0) for n, m, trials, injective in counts]
    return Transition.of_rows(rows, seed, "0.1.0")


@pytest.mark.slow
def test_counts_load_as_they_were_saved(tmp_path):
    run = table_of([(2, m, 40, m) for m in range(4, 12)])
    path = run.save_counts(tmp_path / "counts.csv")
    assert path.read_text().splitlines()[0] == "n,m,trials,injective,not_injective,undecided,seed,version"
    assert repr(Transition.load(path)) == repr(run)
    assert repr(Transition.load(path).rows) == repr(run.rows)
    assert repr(Transition.load(path).crossings) == repr(run.crossings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("n,m\n1,2\n", "not all columns"),
        ("2,8,10,5,4,0,1,0.1.0\n", "do not add up"),
        ("2,8,10,5,5,0,1,0.1.0\n2,8,10,5,5,0,1,0.1.0\n", "twice"),
        ("2,8,10,5,5,0,1,0.1.0\n2,9,10,5,5,0,2,0.1.0\n", "mixes seeds"),
        ("2,8,x,5,5,0,1,0.1.0\n", "is no table of counts"),
        ("2,8,10\n", "mixes|is no table of counts"),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    header = "n,m,trials,injective,not_injective,undecided,seed,version\n"
    (tmp_path / "t.csv").write_text(header + text if text and not text.startswith("n,") else text)
    with pytest.raises(InputError, match=message):
        Transition.load(tmp_path / "t.csv")
    with pytest.raises(InputError, match="cannot be read"):
        Transition.load(tmp_path / "missing.csv")


@pytest.mark.slow
def test_a_store_loads_as_a_transition(tmp_path, small):
    small_transition(workers=1, chi_max_n=2, store=tmp_path / "sweep.db")
    loaded = Transition.load(tmp_path / "sweep.db")
    assert repr(loaded.rows) == repr(small.rows)
    assert loaded.seed == 3


@pytest.mark.slow
def test_scaling_is_drawn_from_counts():
    counts = [
        (n, m, 400, round(400 * np.exp(-np.exp(-(m - 6 * n + 8) / 2))))
        for n in range(3, 9)
        for m in range(3 * n, 9 * n)
    ]
    run = table_of(counts)
    figure = run.plot_scaling()
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert texts == {"full RSB 6.698", "lifted Gordon 7.449", "Euler 8.345"}
    (limit,) = [fit.limit for fit in run.extrapolate().accepted() if fit.ansatz == "a + b/n"]
    assert limit == pytest.approx(6, abs=0.1)
    with pytest.raises(InputError, match="at least 4"):
        run.extrapolate(smallest_n=6)


def test_a_search_starts_above_the_floor():
    assert place_trials(None, np.array([]), 5, floor=4, guess=2)[0].position == 5


DATA = Path(__file__).parents[2] / "data" / "gaussian_transition.csv"


WITNESSES = [WitnessSweep.load(folder) for folder in sorted(DATA.parent.glob("witnesses*"))]


@pytest.fixture(scope="module")
def data():
    return Transition.load(DATA)


@pytest.mark.slow
def test_the_data_set_says_what_its_seed_says(data):
    rows = {(row.n, row.m): row for row in data.rows}
    for n, m in ((2, 7), (5, 25), (8, 44), (10, 58)):
        (run,) = simulate_jobs(
            [Job(GaussianEnsemble(m, n), decision, rows[n, m].trials)],
            seed=data.seed,
            executor=local_processes(1),
            progress=False,
        )
        assert repr(Row.of_trials(n, m, run.columns, run.values)) == repr(rows[n, m])


@pytest.mark.slow
def test_the_data_set_agrees_with_what_is_known_exactly(data):
    assert {row.n for row in data.rows} == {*range(2, 21)}
    assert all(row.undecided == 0 for row in data.rows)
    for row in data.rows:
        if row.n == 2:
            p = 1 - row.m * (row.m - 2) / 2 ** (row.m - 1)
            assert binom.ppf(1e-8, row.trials, p) <= row.injective <= binom.isf(1e-8, row.trials, p)
        # No more layers can fail than the rigorous bound allows.
        assert binom.isf(1e-9, row.trials, row.bound) >= row.not_injective
    crossing = data.crossings[0]
    assert abs(crossing.half - EXACT_HALF[2]) <= 5 * (crossing.half_high - crossing.half_low) / 3.92
    halves = [crossing.half for crossing in data.crossings if crossing.n <= 12]
    assert halves == sorted(halves)


@pytest.mark.slow
def test_witnesses_bound_crossings_from_below(data):
    """One-sided, 97.5 % each, so no bound is above the interval of an exact crossing; drawn where there is none."""
    bounds = [bound for sweep in WITNESSES for bound in sweep.crossing_bounds()]
    high = {crossing.n: crossing.half_high for crossing in data.crossings}
    assert all(bound.aspect_ratio <= high[bound.n] for bound in bounds if bound.n in high)
    highest = {n: max(b.aspect_ratio for b in bounds if b.n == n) for n in {b.n for b in bounds} - high.keys()}
    drawn = [c for c in data.plot_scaling(WITNESSES).axes[0].containers if "witnesses" in c.get_label()]
    (points,) = [container.lines[0].get_xydata() for container in drawn]
    expected = np.array([[n ** (-2 / 3), highest[n]] for n in sorted(highest, reverse=True)])
    np.testing.assert_allclose(points[points[:, 0].argsort()], expected)
    assert not [c for c in data.plot_scaling().axes[0].containers if "witnesses" in c.get_label()]


@pytest.mark.slow
def test_labels_of_the_figures_have_room(data):
    figure = data.plot_scaling(WITNESSES)
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes[:2]:
        boxes = sorted(
            (label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()), key=lambda box: box.x0
        )
        assert len(boxes) > 8
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    figure = data.plot()
    FigureCanvasAgg(figure).draw()
    _, top, _ = figure.axes
    legend = top.get_legend().get_window_extent()
    assert top.bbox.x0 <= legend.x0 <= legend.x1 <= top.bbox.x1
    assert top.bbox.y0 <= legend.y0 <= legend.y1 <= top.bbox.y1

"""The study of depth: the law of one layer, seeds, budgets, files and the shell."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.stats import binom

from polyinj import DeepTransition, InputError, estimate_deep_transition
from polyinj.studies.deep_networks import (
    DeepGaussianEnsemble,
    InjectiveLayers,
    ProfileEnsemble,
    ProfileInjectiveLayers,
)
from polyinj.theory.euler import exact_noninjectivity_probability


@pytest.fixture(scope="module")
def study():
    return estimate_deep_transition([2], [1, 3], [2, 3, 5, 7], 30, seed=7, workers=1, progress=False)


@pytest.mark.slow
def test_the_first_layer_follows_the_formula():
    """P = 1 - m (m - 2) / 2^(m - 1) for n = 2; false alarm below 3 * 3e-7 < 1e-6, the seed is fixed."""
    trials = 200
    run = estimate_deep_transition([2], [1], [2.5, 3.5, 5], trials, seed=3, workers=1, progress=False)
    for row in run.rows:
        law = binom(trials, 1 - float(exact_noninjectivity_probability(row.m, 2)))
        assert min(law.cdf(row.injective), law.sf(row.injective - 1)) > 1.5e-7
        assert row.undecided == 0


@pytest.mark.slow
def test_deeper_rows_hold_fewer_injective_networks(study):
    for m in {row.m for row in study.rows}:
        counts = [row.injective for row in study.rows if row.m == m]
        assert counts == sorted(counts, reverse=True)
        assert all(row.injective + row.not_injective == row.trials == 30 for row in study.rows)
    # Three layers lose more than one, on the same networks: seen at C = 5 for this seed.
    first, *_, last = (row.injective for row in study.rows if row.m == 10)
    assert last < first


@pytest.mark.slow
def test_bounds_are_bounds(study):
    for row in study.rows:
        assert row.p_low <= row.p_injective <= row.p_high
        assert 1 - row.p_high <= row.bound


@pytest.mark.slow
def test_half_points(study):
    for point in study.half_points:
        assert point.half_low <= point.half <= point.half_high
        assert point.half < point.sufficient < point.limit
    assert [point.half for point in study.half_points] == sorted(point.half for point in study.half_points)


def test_deeper_ensembles_begin_alike():
    short, deep = (DeepGaussianEnsemble(6, 2, depth).sample(np.random.default_rng(1)) for depth in (2, 5))
    assert np.array_equal(short, deep[:, :8])


@pytest.mark.slow
def test_the_executor_does_not_matter():
    design = [2], [1, 2], [3, 5], 8
    with ThreadPoolExecutor(3) as threads:
        one = estimate_deep_transition(*design, seed=7, executor=threads, progress=False)
    other = estimate_deep_transition(*design, seed=7, workers=1, progress=False)
    assert one == other


@pytest.mark.slow
def test_budgets_leave_networks_undecided():
    run = estimate_deep_transition([2], [1, 2, 3], [8], 4, seed=0, max_regions=50, workers=1, progress=False)
    first, second, third = run.rows
    assert first.undecided == 0
    assert second.undecided == third.undecided > 0
    assert second.p_high == 1.0
    assert second.injective + second.not_injective + second.undecided == 4


def test_the_statistic_finds_the_layers():
    matrix = DeepGaussianEnsemble(4, 4, 3).sample(np.random.default_rng(0))
    # m = n: the first layer has fewer than 2n rows.
    assert InjectiveLayers()(matrix) == {"layers": 0, "undecided": False}


def test_a_profile_of_equal_widths_is_the_same_network():
    rows = ProfileEnsemble((2, 5, 5, 5)).sample(np.random.default_rng(4))
    side_by_side = DeepGaussianEnsemble(5, 2, 3).sample(np.random.default_rng(4))
    assert np.array_equal(rows[:5, :2], side_by_side[:, :2])
    assert np.array_equal(np.hstack([rows[5:10], rows[10:]]), side_by_side[:, 2:])
    assert ProfileInjectiveLayers((2, 5, 5, 5))(rows) == InjectiveLayers()(side_by_side)


def test_profiles_that_begin_alike_share_their_layers():
    narrow, wide = (ProfileEnsemble((2, 6, last)).sample(np.random.default_rng(1)) for last in (3, 7))
    assert np.array_equal(narrow, wide[:9])
    # What a layer of more rows tells apart at least: the same layers and more.
    layers = [ProfileInjectiveLayers((2, 6, last))(rows)["layers"] for last, rows in ((3, narrow), (7, wide))]
    assert layers == sorted(layers)


@pytest.fixture(scope="module")
def profiles():
    widths = [(2, 7, last) for last in (4, 7, 10, 16)] + [(2, 12, 8)]
    return estimate_deep_transition(widths=widths, trials=60, seed=3, workers=1, progress=False)


@pytest.mark.slow
def test_profiles(profiles):
    rows = {row.widths: row for row in profiles.rows}
    assert list(rows) == ["2-7", "2-7-4", "2-7-7", "2-7-10", "2-7-16", "2-12", "2-12-8"]
    for text, row in rows.items():
        before = rows[text[: -len(f"-{row.m}")]].injective if row.layer > 1 else row.trials
        assert row.kept == row.injective / before
        assert row.kept_low <= row.kept <= row.kept_high
        assert 1 - row.p_high <= row.bound
    # More rows behind the same layers: no network is lost.
    kept = [rows[f"2-7-{last}"].injective for last in (4, 7, 10, 16)]
    assert kept == sorted(kept)
    assert [(point.before, point.layer) for point in profiles.kept_points] == [("2-7", 2), ("2-12", 2)]
    for point in profiles.kept_points:
        scan = [row for row in profiles.rows if row.widths.rpartition("-")[0] == point.before]
        enough = [row.m for row in scan if row.kept >= 0.5]
        assert point.width == min(enough) if enough else np.isnan(point.width)
        assert not point.width_low > point.width
        assert not point.width > point.width_high


@pytest.mark.slow
def test_a_first_layer_among_profiles_follows_the_formula():
    """P = 1 - m (m - 2) / 2^(m - 1) for n = 2; false alarm below 1e-6, the seed is fixed."""
    run = estimate_deep_transition(widths=[(2, 6), (2, 9)], trials=150, seed=8, workers=1, progress=False)
    for row in run.rows:
        law = binom(150, 1 - float(exact_noninjectivity_probability(row.m, 2)))
        assert min(law.cdf(row.injective), law.sf(row.injective - 1)) > 2.5e-7


@pytest.mark.slow
def test_files_of_profiles(tmp_path, profiles):
    profiles.save(tmp_path)
    loaded = DeepTransition.load(tmp_path)
    assert loaded.rows == profiles.rows
    assert repr(loaded.kept_points) == repr(profiles.kept_points)


def test_profiles_outside_the_domain_are_refused():
    with pytest.raises(InputError, match="expected the one or the others"):
        estimate_deep_transition([2], [1], [3], 10, seed=0, widths=[(2, 5)])
    with pytest.raises(InputError, match="widths are"):
        estimate_deep_transition(widths=[(2,)], trials=10, seed=0, progress=False)
    with pytest.raises(InputError, match="a width is 0; expected an integer, at least 1"):
        estimate_deep_transition(widths=[(2, 0, 3)], trials=10, seed=0, progress=False)


def test_files(tmp_path, study):
    paths = study.save(tmp_path)
    assert [path.name for path in paths] == ["deep.csv", "deep.json", "deep.png"]
    assert paths[0].read_text().count("\n") == 9
    loaded = DeepTransition.load(tmp_path)
    assert loaded.rows == study.rows
    assert repr(loaded) == repr(study)
    paths[1].write_text("{}")
    with pytest.raises(InputError, match="no saved study"):
        DeepTransition.load(tmp_path)


@pytest.mark.parametrize(
    ("n", "layers", "expansivities", "message"),
    [
        ([], [1], [2], "is empty"),
        ([2], [0], [2], "layers has 0"),
        ([0], [1], [2], "n has 0"),
        ([2], [1], [0.5], "expansivity is 0.5"),
        ([2], [1], [float("nan")], "expansivity is nan"),
    ],
)
def test_bad_input(n, layers, expansivities, message):
    with pytest.raises(InputError, match=message):
        estimate_deep_transition(n, layers, expansivities, 10, seed=0, progress=False)


def test_bad_ensembles():
    with pytest.raises(InputError, match="expected m >= n"):
        DeepGaussianEnsemble(2, 3, 1)


@pytest.mark.slow
def test_shell(run_main, tmp_path):
    design = ["--n", "1,2", "--depth", "1..2", "--expansivity", "3,5", "--trials", "5"]
    ran = run_main("deep", *design, "--seed", 5, "--workers", 1, "--out", tmp_path)
    assert ran.returncode == 0
    assert "l = 2" in ran.stdout
    assert "wrote" in ran.stdout
    run = estimate_deep_transition([1, 2], [1, 2], [3, 5], 5, seed=5, workers=1, progress=False)
    assert DeepTransition.load(tmp_path).rows == run.rows


def test_shell_refuses_bad_lists(run_main, tmp_path):
    ran = run_main("deep", "--depth", "1:2", "--out", tmp_path / "nothing")
    assert ran.returncode == 2
    assert "--depth is '1:2'" in ran.stderr
    assert not (tmp_path / "nothing").exists()


@pytest.mark.slow
def test_shell_with_widths(run_main, tmp_path):
    ran = run_main("deep", "--widths", "2-6-5..7,2-6", "--trials", "4", "--workers", 1, "--out", tmp_path)
    assert ran.returncode == 0
    assert "2-6-7" in ran.stdout
    assert {row.widths for row in DeepTransition.load(tmp_path).rows} == {"2-6", "2-6-5", "2-6-6", "2-6-7"}


@pytest.mark.parametrize("text", ["2", "2-x", "2-8-9..7", "2..4-8", ""])
def test_shell_refuses_bad_widths(run_main, tmp_path, text):
    ran = run_main("deep", "--widths", text, "--out", tmp_path / "nothing")
    assert ran.returncode == 2
    assert f"--widths is {text!r}" in ran.stderr
    assert not (tmp_path / "nothing").exists()

"""The study of depth: the law of one layer, seeds, budgets, files and the shell."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.stats import binom

from polyinj import DeepTransition, InputError, estimate_deep_transition
from polyinj.studies.deep_transition import DeepGaussianEnsemble, InjectiveLayers
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

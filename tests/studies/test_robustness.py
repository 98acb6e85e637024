"""The study of robustness: Lipschitz constants of networks through data, fits, seeds, files and the shell."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from polyinj import InputError, RobustnessStudy, estimate_robustness
from polyinj.studies.robustness import InterpolantLipschitz, SphereDataEnsemble


def test_the_statistic_is_a_function_of_its_matrix():
    matrix = SphereDataEnsemble(8, 4).sample(np.random.default_rng(4))
    statistic = InterpolantLipschitz(8, "trained", 1e-6, 1000)
    values = statistic(matrix)
    assert values == statistic(matrix.copy())
    assert values["fits"]
    assert values["slope"] <= values["upper"] <= values["product"]
    assert values["slope"] * (1 - 1e-6) <= values["sphere_upper"] <= values["upper"]
    assert values["sphere_lower"] <= values["sphere_upper"]


@pytest.fixture(scope="module")
def study():
    return estimate_robustness([4], [5, 7], [5, 8], 6, methods=["trained"], seed=3, workers=1, progress=False)


@pytest.mark.slow
def test_study(study):
    assert len(study.rows) == 4
    for row in study.rows:
        assert row.fitted <= row.trials == 6
        assert row.exact <= row.fitted
        assert row.lipschitz_low <= row.lipschitz <= row.lipschitz_high
        assert row.ratio == pytest.approx(row.lipschitz * math.sqrt(row.k / row.n))
        assert row.slope <= row.lipschitz_high
        assert row.lipschitz <= row.product
        assert row.sphere_lower <= row.sphere_upper <= row.lipschitz_high
    (fit,) = study.fits
    assert fit.shapes == 4
    assert fit.n_low <= fit.n_exponent <= fit.n_high
    assert fit.k_low <= fit.k_exponent <= fit.k_high


@pytest.mark.slow
def test_regularised_rows_stand_on_the_same_data(study):
    """The same data and starts; the regularised network is the trained one, or less steep."""
    run = estimate_robustness([4], [5], [5], 6, methods=["regularised"], seed=3, workers=1, progress=False)
    (row,), first = run.rows, study.rows[0]
    assert (row.n, row.k, row.fitted, row.slope) == (first.n, first.k, first.fitted, first.slope)
    assert row.lipschitz < first.lipschitz


@pytest.mark.slow
def test_the_executor_does_not_matter(study):
    with ThreadPoolExecutor(2) as threads:
        other = estimate_robustness(
            [4], [5, 7], [5, 8], 6, methods=["trained"], seed=3, executor=threads, progress=False
        )
    assert other == study


@pytest.mark.slow
def test_shapes_that_do_not_fit_are_counted_and_left_out():
    run = estimate_robustness([3], [20], [2, 4], 3, methods=["trained"], seed=0, workers=1, progress=False)
    assert [row.fitted for row in run.rows] == [0, 0]
    assert all(np.isnan(row.lipschitz) for row in run.rows)
    assert run.fits[0].shapes == 0
    assert np.isnan(run.fits[0].n_exponent)
    run.plot()


@pytest.mark.slow
def test_files(tmp_path, study):
    paths = study.save(tmp_path)
    assert [path.name for path in paths] == ["robustness.csv", "robustness.json", "robustness.png"]
    assert paths[0].read_text().count("\n") == 5
    assert RobustnessStudy.load(tmp_path) == study
    paths[1].write_text("{}")
    with pytest.raises(InputError, match="no saved robustness study"):
        RobustnessStudy.load(tmp_path)


@pytest.mark.parametrize(
    ("design", "options", "message"),
    [
        (([], [5], [5]), {}, "d is"),
        (([3], [0], [5]), {}, "n has 0"),
        (([3], [5], [5]), {"methods": ["caps"]}, "methods is"),
        (([3], [5], [4]), {"methods": ["random_features"]}, "random features need k >= n"),
        (([3], [5], [5]), {"tolerance": -1.0}, "tolerance"),
    ],
)
def test_bad_studies(design, options, message):
    with pytest.raises(InputError, match=message):
        estimate_robustness(*design, 5, seed=0, progress=False, **options)


@pytest.mark.slow
def test_shell(run_main, tmp_path, study):
    design = ["--d", "4", "--n", "5,7", "--k", "5,8", "--trials", "6", "--methods", "trained", "--seed", "3"]
    ran = run_main("robustness", *design, "--workers", 1, "--out", tmp_path)
    assert ran.returncode == 0
    assert "Lip ~ n^a / k^b" in ran.stdout
    assert "wrote" in ran.stdout
    assert RobustnessStudy.load(tmp_path) == study
    refused = run_main("robustness", "--k", "x", "--out", tmp_path / "nothing")
    assert refused.returncode == 2
    assert "--k is 'x'" in refused.stderr
    assert not (tmp_path / "nothing").exists()

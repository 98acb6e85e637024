"""The study of relaxations: verdicts, seeds, files and the shell."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_rel

from polyinj import (
    InputError,
    RelaxationStudy,
    study_relaxations,
)
from polyinj.studies.sensitivity import Sensitivity, contrast

DESIGN = {"widths": [4], "depths": [2], "radii": [0.2], "steps": [0, 20], "lines": 5, "reach": 1.0, "seed": 4}


@pytest.fixture(scope="module")
def study():
    names = ["box", "hbox", "deepz", "crown", "crown-ibp", "ramp:2", "zonotope:1/2"]
    return study_relaxations(names, **DESIGN, workers=1, progress=False)


@pytest.mark.slow
def test_verdicts_of_the_study(study):
    for row in study.rows:
        assert 0 < row.tightness <= 1
        assert row.p_low <= row.jumping / row.lines <= row.p_high
        if row.relaxation in ("box", "deepz", "ramp:2"):
            assert row.jumping == row.jumps == row.largest == row.loss_jump == row.jump_share == 0
        if row.relaxation == "box":
            # A product of three layers of weights that are linear in t.
            assert row.degree <= 3
    for name in ("hbox", "crown", "crown-ibp", "zonotope:1/2"):
        rows = [row for row in study.rows if row.relaxation == name]
        assert sum(row.jumping for row in rows) > 0
        assert all((row.largest > 0) == (row.jumping > 0) == (row.jump_share > 0) for row in rows)
    tightness = {row.relaxation: row.tightness for row in study.rows if row.steps == 20}
    assert tightness["box"] < tightness["crown-ibp"] <= 1
    assert tightness["box"] < tightness["deepz"]


@pytest.mark.slow
def test_gradients_are_compared_on_the_same_classifiers(study):
    """Against Student's paired test of scipy; one shape and one radius leave nothing to pool."""
    changes = {
        name: [one.change for one in study.sensitivities if (one.relaxation, one.steps) == (name, 20)]
        for name in ("crown", "box")
    }
    found = study.sensitivity_contrast("crown", "box", 20)
    expected = ttest_rel(changes["crown"], changes["box"])
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.classifiers == 5
    assert study.sensitivity_contrast("box", "crown", 20).difference == pytest.approx(-found.difference)
    row = next(row for row in study.rows if (row.relaxation, row.steps) == ("crown", 20))
    assert np.mean(changes["crown"]) == pytest.approx(row.gradient_change, rel=0.3)
    with pytest.raises(InputError, match="share 0 classifiers"):
        study.sensitivity_contrast("crown", "ramp:8", 20)


def test_shapes_weigh_the_same_and_radii_are_no_repetitions():
    """Differences 1 and 3 of one shape, 10 of two lines of the other: mean of 2 and 10; the radii agree."""
    lines = [
        Sensitivity(name, width, 1, radius, 0, line, change if name == "crown" else 0.0)
        for name in ("crown", "box")
        for width, changes in ((4, (1.0, 3.0)), (6, (10.0, 10.0)))
        for line, change in enumerate(changes)
        for radius in (0.1, 0.3)
    ]
    found = contrast(lines, "crown", "box", 0)
    assert found.difference == 6
    # Variance of the mean of the first shape 2/2, of the second 0, of half their sum 1/4; two degrees of freedom.
    assert found.high - 6 == pytest.approx(student.ppf(0.975, 2) / 2)
    assert found.classifiers == 4


@pytest.mark.slow
def test_the_executor_does_not_matter(study):
    with ThreadPoolExecutor(2) as threads:
        other = study_relaxations(["crown"], **DESIGN, executor=threads, progress=False)
    assert other.rows == tuple(row for row in study.rows if row.relaxation == "crown")


@pytest.mark.slow
def test_files(tmp_path, study):
    paths = study.save(tmp_path)
    assert [path.name for path in paths] == ["relaxations.csv", "relaxations.json", "relaxations.png"]
    assert paths[0].read_text().count("\n") == 15
    loaded = RelaxationStudy.load(tmp_path)
    assert loaded == study
    assert repr(loaded) == "RelaxationStudy(7 relaxations, widths [4], 14 rows; seed=4)"
    assert list(loaded.to_pandas()["width"]) == [4] * 14
    paths[1].write_text("{}")
    with pytest.raises(InputError, match="no saved relaxation study"):
        RelaxationStudy.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"relaxations": []}, "is empty"),
        ({"relaxations": ["none"]}, "relaxation is 'none'"),
        ({"widths": [0]}, "widths has 0"),
        ({"steps": [-1]}, "steps has -1"),
        ({"radii": [0.0]}, "radius or reach is 0.0"),
        ({"reach": float("nan")}, "radius or reach is nan"),
        ({"inputs": 0}, "expected >= 1"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match=message):
        study_relaxations(**{"lines": 1, "seed": 0, "progress": False, **options})


@pytest.mark.slow
def test_shell(run_main, tmp_path):
    design = "--relaxations box,crown --width 3 --depth 1 --radius 0.2 --steps 0 --lines 2 --seed 3 --workers 1"
    ran = run_main("relax", *design.split(), "--out", tmp_path)
    assert ran.returncode == 0
    assert "tightness" in ran.stdout
    run = study_relaxations(
        ["box", "crown"], widths=[3], depths=[1], radii=[0.2], steps=[0], lines=2, seed=3, workers=1, progress=False
    )
    assert RelaxationStudy.load(tmp_path) == run
    refused = run_main("relax", "--relaxations", "tight", "--out", tmp_path / "no")
    assert refused.returncode == 2
    assert "relaxation is 'tight'" in refused.stderr
    assert not (tmp_path / "no").exists()

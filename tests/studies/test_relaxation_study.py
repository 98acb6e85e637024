"""The study of relaxations: the tightness formula, gradients, training, verdicts, seeds, files and the shell."""

import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import pi, sqrt

import numpy as np
import pytest
from scipy.stats import binom

from polyinj import (
    InputError,
    Network,
    NetworkLayer,
    RelaxationStudy,
    bound_network,
    exact_range,
    ibp_tightness,
    plot_relaxation_profiles,
    relaxation_profile,
    study_relaxations,
)
from polyinj.cli.app import main
from polyinj.relaxation.classifiers import Classifier, ClassifierEnsemble, read_sample
from polyinj.relaxation.gradient import bound_gradient
from polyinj.relaxation.layer_bounds import AffineLayer, Interval, bound_layers
from polyinj.relaxation.rules import Relaxation


def test_interval_tightness_reference_values():
    assert [round(ibp_tightness(d), 5) for d in (4, 16, 64)] == [0.58905, 0.30847, 0.15605]
    assert ibp_tightness(10**6) == pytest.approx(sqrt(pi / 2e6), rel=1e-6)
    with pytest.raises(InputError, match="width"):
        ibp_tightness(0)


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


@pytest.mark.parametrize("name", ["box", "hbox", "deepz", "symbolic", "crown", "crown-ibp", "ramp:2", "blend:1/2"])
def test_gradients_are_difference_quotients(name):
    rng = np.random.default_rng(1)
    widths, rule = (2, 4, 3, 1), Relaxation.parse(name)
    flat = rng.standard_normal(31)

    def layers(parameters):
        made = Classifier.of(parameters, widths)
        return [AffineLayer(w, b, k < 2) for k, (w, b) in enumerate(zip(made.weights, made.biases, strict=True))]

    lower, upper = np.array([-0.3, 0.2]), np.array([0.1, 0.5])
    value, gradient = bound_gradient(layers(flat), lower, upper, rule)
    assert value == pytest.approx(bound_layers(layers(flat), Interval(lower, upper), rule)[-1].lower[0], abs=1e-12)
    for j in range(len(flat)):
        step = np.zeros(len(flat))
        step[j] = 1e-6
        ends = [bound_gradient(layers(flat + sign * step), lower, upper, rule)[0] for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(gradient[j], rel=1e-5, abs=1e-6)


def test_training_lowers_the_loss():
    widths = (2, 8, 1)
    fresh, direction, points, labels = read_sample(ClassifierEnsemble(2, 8, 1).sample(np.random.default_rng(2)), widths)
    assert len(direction) == len(fresh.flat()) == 33

    def loss(classifier):
        (first, second), (shift, offset) = classifier.weights, classifier.biases
        return np.log1p(np.exp(-labels * (np.maximum(points @ first.T + shift, 0) @ second[0] + offset))).mean()

    # One small step goes down by the squared length of the gradient, which it reveals.
    rate = 1e-2
    step = (fresh.trained(points, labels, 1, rate).flat() - fresh.flat()) / rate
    small = Classifier.of(fresh.flat() + 0.01 * step, widths)
    assert loss(fresh) - loss(small) == pytest.approx(0.01 * step @ step, rel=0.1)
    assert loss(fresh.trained(points, labels, 200, 0.5)) < 0.5 * loss(fresh)


DESIGN = {"widths": [4], "depths": [2], "radii": [0.2], "steps": [0, 20], "lines": 5, "reach": 1.0, "seed": 4}


@pytest.fixture(scope="module")
def study():
    names = ["box", "hbox", "deepz", "crown", "crown-ibp", "ramp:2", "zonotope:1/2"]
    return study_relaxations(names, **DESIGN, workers=1, progress=False)


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


def test_the_executor_does_not_matter(study):
    with ThreadPoolExecutor(2) as threads:
        other = study_relaxations(["crown"], **DESIGN, executor=threads, progress=False)
    assert other.rows == tuple(row for row in study.rows if row.relaxation == "crown")


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


def test_profiles_are_drawn_with_gaps_at_jumps():
    layers = [NetworkLayer([[1.0]], [bias], "relu") for bias in (-0.5, 0.5)]
    ends = [Network((layer, NetworkLayer([[1.0]], None, None)), "one neuron") for layer in layers]
    profile = relaxation_profile(*ends, [-0.25], [0.25], "crown")
    (axes,) = plot_relaxation_profiles([profile], exact=([0, 1], [0, 0.25])).axes
    curve = axes.lines[1].get_ydata()
    assert np.isnan(curve).sum() == 1
    assert axes.get_legend().get_texts()[1].get_text() == "crown (1 jump)"
    assert profile.plot().axes


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


def test_shell(monkeypatch, capsys, tmp_path):
    design = "--relaxations box,crown --width 3 --depth 1 --radius 0.2 --steps 0 --lines 2 --seed 3 --workers 1"
    monkeypatch.setattr(sys, "argv", ["polyinj", "relax", *design.split(), "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capsys.readouterr()
    assert not stop.value.code
    assert "tightness" in printed.out
    run = study_relaxations(
        ["box", "crown"], widths=[3], depths=[1], radii=[0.2], steps=[0], lines=2, seed=3, workers=1, progress=False
    )
    assert RelaxationStudy.load(tmp_path) == run
    monkeypatch.setattr(sys, "argv", ["polyinj", "relax", "--relaxations", "tight", "--out", str(tmp_path / "no")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "relaxation is 'tight'" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_labels_are_quadrants():
    row = ClassifierEnsemble(2, 3, 1).sample(np.random.default_rng(0))
    _, _, points, labels = read_sample(row, (2, 3, 1))
    assert ((points[:, 0] * points[:, 1] > 0) == (labels > 0)).all()
    assert Fraction(float(labels[0])) in (1, -1)

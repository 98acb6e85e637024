"""Small classifiers that are trained for the study: gradients of their bounds, training, and their data."""

from fractions import Fraction

import numpy as np
import pytest

from polyinj.relaxation.classifiers import Classifier, ClassifierEnsemble, read_sample
from polyinj.relaxation.gradient import bound_gradient
from polyinj.relaxation.layer_bounds import AffineLayer, Bounds, bound_layers
from polyinj.relaxation.rules import Relaxation


@pytest.mark.slow
@pytest.mark.parametrize("name", ["box", "hbox", "deepz", "symbolic", "crown", "crown-ibp", "ramp:2", "blend:1/2"])
def test_gradients_are_difference_quotients(name):
    rng = np.random.default_rng(1)
    widths, rule = (2, 4, 3, 1), Relaxation.parse(name)
    flat = rng.standard_normal(31)

    def layers(parameters):
        made = Classifier.of(parameters, widths)
        return [
            AffineLayer(w, b, np.full(w.shape[-2], k < 2))
            for k, (w, b) in enumerate(zip(made.weights, made.biases, strict=True))
        ]

    lower, upper = np.array([-0.3, 0.2]), np.array([0.1, 0.5])
    value, gradient = bound_gradient(layers(flat), lower, upper, rule)
    assert value == pytest.approx(bound_layers(layers(flat), Bounds(lower, upper), rule)[-1].lower[0], abs=1e-12)
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


def test_labels_are_quadrants():
    row = ClassifierEnsemble(2, 3, 1).sample(np.random.default_rng(0))
    _, _, points, labels = read_sample(row, (2, 3, 1))
    assert ((points[:, 0] * points[:, 1] > 0) == (labels > 0)).all()
    assert Fraction(float(labels[0])) in (1, -1)

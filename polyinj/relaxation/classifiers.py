"""Random small classifiers for the study of relaxations: weights, a direction, a data set, and training."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.networks.network import Network, NetworkLayer

Floats = NDArray[np.float64]
POINTS = 64
_GRID = 1024


@dataclass(frozen=True, slots=True)
class ClassifierEnsemble:
    """Networks n -> width -> ... -> width -> 1, as one row: weights, a direction of the same size, 64 inputs.

    Weights and direction have He scaling: deviation sqrt(2 / fan-in), biases 0.1; inputs are standard normal.

    Examples
    --------
    >>> ClassifierEnsemble(2, 4, 1).sample(np.random.default_rng(0)).shape
    (1, 162)
    """

    inputs: int
    width: int
    depth: int

    def __post_init__(self) -> None:
        if not (self.inputs >= 1 and self.width >= 1 and self.depth >= 1):
            raise InputError(f"ensemble has inputs, width, depth {self.inputs, self.width, self.depth}; expected >= 1")

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, the one output."""
        return (self.inputs, *[self.width] * self.depth, 1)

    @property
    def shape(self) -> tuple[int, int]:
        """(width, inputs), of the first layer."""
        return self.width, self.inputs

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Of the row."""
        weights = sum(m * (n + 1) for n, m in pairwise(self.widths))
        return 1, 2 * weights + POINTS * self.inputs

    def sample(self, rng: np.random.Generator) -> Floats:
        parts = [rng.standard_normal((POINTS, self.inputs)).ravel()]
        for _ in range(2):
            for n, m in pairwise(self.widths):
                parts += [np.sqrt(2 / n) * rng.standard_normal(m * n), 0.1 * rng.standard_normal(m)]
        return np.concatenate([*parts[1:], parts[0]])[None]


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A network of float64 layers, ReLU between them; labels are +1 and -1."""

    weights: list[Floats]
    biases: list[Floats]

    def flat(self) -> Floats:
        """All parameters, layer by layer."""
        return np.concatenate([part.ravel() for pair in zip(self.weights, self.biases, strict=True) for part in pair])

    @classmethod
    def of(cls, flat: Floats, widths: tuple[int, ...]) -> Classifier:
        """From all parameters."""
        weights, biases, start = [], [], 0
        for n, m in pairwise(widths):
            weights.append(flat[start : start + m * n].reshape(m, n))
            biases.append(flat[start + m * n : start + m * (n + 1)])
            start += m * (n + 1)
        return cls(weights, biases)

    def network(self, sign: float = 1.0) -> Network:
        """sign * f, with weights rounded to multiples of 1/1024, which keeps exact polynomials short."""
        last = len(self.weights) - 1
        layers = (
            NetworkLayer(
                np.round(_GRID * w) / _GRID * (sign if k == last else 1),
                np.round(_GRID * b) / _GRID * (sign if k == last else 1),
                None if k == last else "relu",
            )
            for k, (w, b) in enumerate(zip(self.weights, self.biases, strict=True))
        )
        return Network(tuple(layers), "classifier")

    def trained(self, points: Floats, labels: Floats, steps: int, rate: float) -> Classifier:
        """After full-batch gradient descent on the mean logistic loss log(1 + exp(-y f(x)))."""
        weights, biases = [w.copy() for w in self.weights], [b.copy() for b in self.biases]
        for _ in range(steps):
            outputs = [points]
            for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
                z = outputs[-1] @ w.T + b
                outputs.append(np.maximum(z, 0) if k < len(weights) - 1 else z)
            margin = labels * outputs[-1][:, 0]
            back = (-labels / (1 + np.exp(np.minimum(margin, 500))) / len(points))[:, None]
            for k in range(len(weights) - 1, -1, -1):
                below = (back @ weights[k]) * (outputs[k] > 0)
                weights[k] -= rate * back.T @ outputs[k]
                biases[k] -= rate * back.sum(axis=0)
                back = below
        return Classifier(weights, biases)


def read_sample(row: Floats, widths: tuple[int, ...]) -> tuple[Classifier, Floats, Floats, Floats]:
    """A row of the ensemble: the classifier, its direction (flat), the inputs and their labels.

    The label is the sign of x_1 x_2 (of x_1 for one input): classes that no linear function tells apart.
    """
    size = sum(m * (n + 1) for n, m in pairwise(widths))
    flat = row.ravel()
    points = flat[2 * size :].reshape(POINTS, widths[0])
    labels = np.where(points[:, :2].prod(axis=1) > 0, 1.0, -1.0)
    return Classifier.of(flat[:size], widths), flat[size : 2 * size], points, labels


def box_around(centre: Floats, radius: Fraction) -> tuple[NDArray[Any], NDArray[Any]]:
    """The sides of the box of that radius around a point rounded to multiples of 1/1024."""
    middle = np.array([Fraction(round(_GRID * float(entry)), _GRID) for entry in centre], dtype=object)
    return middle - radius, middle + radius

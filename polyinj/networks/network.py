"""A network as it was read: a chain of affine layers, some with a ReLU behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.exact.arrays import read_matrix, read_vector

Activation = Literal["relu"] | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkLayer:
    """The layer x -> Wx + b, or x -> ReLU(Wx + b).

    Attributes
    ----------
    weights : ndarray, shape (m, n)
        One row a neuron, exact: float64, or an object array of Fractions where float64 does not hold the values.
    bias : ndarray, shape (m,), or None
    activation : 'relu' or None
    name : str
        What the source calls it.
    rounding : str
        Empty when every entry is the exact value that the source defines; else what was rounded, and how.

    Raises
    ------
    InputError
        Entries that are not finite numbers, shapes that do not fit, another activation.
    """

    weights: NDArray[Any]
    bias: NDArray[Any] | None
    activation: Activation
    name: str = ""
    rounding: str = ""

    def __post_init__(self) -> None:
        weights = read_matrix(self.weights, f"the weights of {self.name or 'the layer'}")
        object.__setattr__(self, "weights", weights)
        if self.bias is not None:
            bias = read_vector(self.bias, len(weights), f"the bias of {self.name or 'the layer'}")
            object.__setattr__(self, "bias", bias)
        if self.activation not in ("relu", None):
            raise InputError(f"activation is {self.activation!r}; expected 'relu' or None")

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n): neurons and inputs."""
        rows, columns = self.weights.shape
        return rows, columns

    def __repr__(self) -> str:
        bias = "no bias" if self.bias is None else "bias"
        return f"NetworkLayer({self.name!r}, {self.shape[0]} x {self.shape[1]}, {bias}, {self.activation})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Network:
    """A chain of layers, as returned by `read_network`.

    Attributes
    ----------
    layers : tuple of NetworkLayer
        First to last; layer l + 1 has as many columns as layer l has rows.
    source : str
        The file, or the class of the module, that it was read from.
    input_shape : tuple of int
        The shape of one input, such as (1, 28, 28); the first layer takes its entries in C order.

    Raises
    ------
    InputError
        No layer, or shapes that do not fit.

    Examples
    --------
    >>> square = NetworkLayer([[1, 0], [0, 1], [-1, -1]], None, "relu")
    >>> Network((square, NetworkLayer([[1.0, 1.0, 1.0]], [0.5], None)), "by hand")
    Network('by hand', 2 -> 3 relu -> 1)
    """

    layers: tuple[NetworkLayer, ...]
    source: str
    input_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        layers = tuple(self.layers)
        if not layers:
            raise InputError(f"{self.source} has no layer with weights; expected at least one")
        for before, layer in pairwise(layers):
            if layer.shape[1] != before.shape[0]:
                raise InputError(
                    f"{self.source}: layer {layer.name!r} has {layer.shape[1]} columns, but layer {before.name!r} "
                    f"before it has {before.shape[0]} rows; expected as many"
                )
        shape = tuple(self.input_shape) or (layers[0].shape[1],)
        if np.prod(shape) != layers[0].shape[1]:
            raise InputError(f"the input shape {shape} does not have the {layers[0].shape[1]} entries of layer 1")
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "input_shape", shape)

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of inputs, then the rows of each layer."""
        return (self.layers[0].shape[1], *(layer.shape[0] for layer in self.layers))

    def apply(self, points: ArrayLike) -> NDArray[np.float64]:
        """The outputs in float64, shape (k, outputs), of k inputs, shape (k, inputs) or (k, *input_shape)."""
        values = np.asarray(points, dtype=np.float64)
        values = values.reshape(len(values), self.widths[0])
        for layer in self.layers:
            values = values @ layer.weights.astype(np.float64).T
            if layer.bias is not None:
                values = values + layer.bias.astype(np.float64)
            if layer.activation == "relu":
                values = np.maximum(values, 0)
        return values

    def apply_exactly(self, point: Sequence[Fraction]) -> list[Fraction]:
        """The output for one input in rationals."""
        values = list(point)
        for layer in self.layers:
            values = affine(layer, values)
            if layer.activation == "relu":
                values = [max(value, Fraction(0)) for value in values]
        return values

    def as_relu_layers(self) -> tuple[list[NDArray[Any]], list[NDArray[Any] | None]]:
        """Weights and biases of a network of ReLU layers only that is injective exactly if this one is.

        A layer y = Wx + b without ReLU becomes the layer ReLU((y, -y)): y can be read off it and the other way round,
        so the same inputs collide. The next layer reads y as the difference of the halves: W' becomes (W', -W').
        Nothing is rounded.
        """
        weights: list[NDArray[Any]] = []
        biases: list[NDArray[Any] | None] = []
        doubled = False
        for layer in self.layers:
            matrix, bias = layer.weights, layer.bias
            if doubled:
                matrix = np.concatenate([matrix, -matrix], axis=1)
            doubled = layer.activation is None
            if doubled:
                matrix = np.concatenate([matrix, -matrix])
                bias = None if bias is None else np.concatenate([bias, -bias])
            weights.append(matrix)
            biases.append(bias)
        return weights, biases

    def __repr__(self) -> str:
        return f"Network({self.source!r}, {self.describe()})"

    def describe(self) -> str:
        """The widths in one line, such as '4 -> 20 relu -> 3'."""
        steps = (f"{layer.shape[0]}{' relu' if layer.activation else ''}" for layer in self.layers)
        return " -> ".join([str(self.widths[0]), *steps])


def affine(layer: NetworkLayer, values: Sequence[Fraction]) -> list[Fraction]:
    """Wx + b in rationals."""
    image = [
        sum((Fraction(w) * x for w, x in zip(row, values, strict=True) if w and x), Fraction(0))
        for row in layer.weights.tolist()
    ]
    if layer.bias is None:
        return image
    return [value + Fraction(shift) for value, shift in zip(image, layer.bias.tolist(), strict=True)]

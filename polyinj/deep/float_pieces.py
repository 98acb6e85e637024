"""The affine maps of a network around many points at once, in doubles: what exact arithmetic checks afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyinj.exact.arrays import nearest_doubles
from polyinj.networks.network import Network

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FloatPieces:
    """Around k points.

    Attributes
    ----------
    outputs : ndarray, shape (k, m)
    slopes : ndarray, shape (k, m, n)
        The Jacobians.
    patterns : ndarray of bool, shape (k, neurons)
        Which neurons pass their value on, of all layers but the last; rows without ReLU always do.
    """

    outputs: Floats
    slopes: Floats
    patterns: NDArray[np.bool_]


class FloatNetwork:
    """The layers in doubles, each entry rounded; InputError where one is beyond their range."""

    def __init__(self, network: Network) -> None:
        self.inputs = network.widths[0]
        self.layers: list[tuple[Any, Floats, NDArray[np.bool_]]] = []
        for layer in network.layers:
            weights = layer.weights
            matrix = weights if sparse.issparse(weights) else nearest_doubles(np.asarray(weights), "weights")
            bias = np.zeros(layer.shape[0]) if layer.bias is None else nearest_doubles(layer.bias, "bias")
            self.layers.append((matrix, bias, layer.relu_rows))

    def values(self, points: Floats) -> list[Floats]:
        """Of each layer the values before its ReLUs, shape (k, m)."""
        found, inputs = [], points
        for weights, bias, relu in self.layers:
            values = np.asarray((weights @ inputs.T).T) + bias
            found.append(values)
            inputs = np.where(relu, np.maximum(values, 0), values)
        return found

    def pieces(self, points: Floats) -> FloatPieces:
        """The maps to the values of the last layer, before its ReLUs."""
        k, n = points.shape
        slopes, inputs = np.broadcast_to(np.eye(n), (k, n, n)), points
        passing: list[NDArray[np.bool_]] = []
        values = points
        for place, (weights, bias, _) in enumerate(self.layers):
            if place:
                active = (values > 0) | ~self.layers[place - 1][2]
                passing.append(active)
                inputs, slopes = np.where(active, values, 0), np.where(active[:, :, None], slopes, 0)
            values = np.asarray((weights @ inputs.T).T) + bias
            slopes = times(weights, slopes)
        patterns = np.concatenate(passing, axis=1) if passing else np.zeros((k, 0), dtype=bool)
        return FloatPieces(values, slopes, patterns)


def times(weights: Any, slopes: Floats) -> Floats:
    """The weights times each of k matrices, shape (k, columns, n)."""
    if not sparse.issparse(weights):
        product: Floats = weights @ slopes
        return product
    k, rows, n = slopes.shape
    flat = weights @ slopes.transpose(1, 0, 2).reshape(rows, k * n)
    return np.asarray(flat).reshape(-1, k, n).transpose(1, 0, 2)

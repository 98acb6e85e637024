"""Neurons that are dead or always active on a box, proven by bounds of a convex relaxation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.networks.network import Network
from polyinj.relaxation.network_bounds import bound_network


@dataclass(frozen=True, slots=True, eq=False)
class NeuronCounts:
    """Of one layer which rows with a ReLU pass nothing on, or their value, at every point of the box; shape (m,)."""

    is_dead: NDArray[np.bool_]
    is_always_active: NDArray[np.bool_]

    @property
    def dead(self) -> int:
        """How many are dead."""
        return int(self.is_dead.sum())

    @property
    def always_active(self) -> int:
        """How many are always active."""
        return int(self.is_always_active.sum())


def bound_neurons(
    network: Network, lower: ArrayLike, upper: ArrayLike, relaxation: str = "crown"
) -> list[NeuronCounts]:
    """Bound every neuron on the box lower <= x <= upper, each of shape (n,); see `bound_network`.

    Examples
    --------
    >>> from polyinj.networks.network import NetworkLayer
    >>> star = NetworkLayer([[1, 0], [0, 1], [-1, -1]], [1, 0, -2], "relu")
    >>> (counts,) = bound_neurons(Network((star,), "here"), [0.0, -1], [1.0, 1])
    >>> counts.is_dead.tolist(), counts.is_always_active.tolist()
    ([False, False, True], [True, False, False])
    """
    found = bound_network(network, lower, upper, relaxation)
    return [
        NeuronCounts(layer.relu_rows & (high <= 0), layer.relu_rows & (low >= 0) & (high > 0))
        for layer, (low, high) in zip(network.layers, found.hidden, strict=True)
    ]

"""A network that was read, as the chain of ReLU layers that certificates speak of."""

from __future__ import annotations

from polyinj.certificates.relu_chain import ReluChain
from polyinj.networks.network import Network


def as_chain(network: Network) -> ReluChain:
    """The layers of `Network.as_relu_layers`: a Network has checked its entries and shapes, so no one does again."""
    weights, biases = network.as_relu_layers()
    return ReluChain(tuple(weights), tuple(biases))

"""A network that was read, as the chain of ReLU layers that certificates speak of, and the other way round."""

from __future__ import annotations

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import read_domain
from polyinj.certificates.relu_chain import ReluChain
from polyinj.networks.network import Network, NetworkLayer


def as_chain(network: Network, domain: Box | Ball | None = None) -> ReluChain:
    """The layers of `Network.as_relu_layers`: a Network has checked its entries and shapes, so no one does again."""
    weights, biases = network.as_relu_layers()
    return ReluChain(tuple(weights), tuple(biases), read_domain(domain, network.widths[0]))


def as_network(chain: ReluChain) -> Network:
    """The same map, with a ReLU behind every layer."""
    layers = zip(chain.weights, chain.biases, strict=True)
    return Network(tuple(NetworkLayer(weights, bias, "relu") for weights, bias in layers), "weights")

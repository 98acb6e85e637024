"""The first layers of a network, as a network."""

from __future__ import annotations

from dataclasses import replace

from polyinj.networks.network import Network


def head(network: Network, layers: int, *, with_relu: bool) -> Network:
    """The first layers, the last of them with its ReLUs or without."""
    chosen = network.layers[:layers]
    if not with_relu:
        chosen = (*chosen[:-1], replace(chosen[-1], activation=None))
    return Network(chosen, network.source)

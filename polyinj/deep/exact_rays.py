"""Rays of linear regions in integers, worked out only when one is asked for."""

from __future__ import annotations

from polyinj.exact import algebra

Rays = tuple[int, ...]


class ExactRays:
    """Rays by number: each is given, or lies on the edge between two earlier ones, where some neuron vanishes."""

    def __init__(self, layers: list[algebra.IntegerRows]) -> None:
        self._layers = layers
        self._inputs: dict[int, list[int]] = {}
        self._values: dict[int, list[list[int]]] = {}
        self._parents: list[tuple[int, int, int, int] | None] = []

    def give(self, ray: list[int]) -> None:
        """The next ray, in coprime integers, length N."""
        self._inputs[len(self._parents)] = ray
        self._parents.append(None)

    def cross(self, u: int, v: int, neuron: int, layer: int) -> None:
        """The next ray, between the rays u and v, at which a neuron of a layer, from 1, has opposite signs."""
        self._parents.append((u, v, neuron, layer))

    def input(self, ray: int) -> list[int]:
        """The ray in coprime integers, length N."""
        known, waiting = self._inputs, [ray]
        while waiting:
            parents = self._parents[waiting[-1]]
            if waiting[-1] in known or parents is None:
                waiting.pop()
                continue
            u, v, neuron, layer = parents
            if missing := [end for end in (u, v) if end not in known]:
                waiting.extend(missing)
                continue
            a, b = (abs(self.values(end, layer)[neuron]) for end in (v, u))
            known[waiting.pop()] = algebra.coprime([a * x + b * y for x, y in zip(known[u], known[v], strict=True)])
        return known[ray]

    def values(self, ray: int, layer: int) -> list[int]:
        """Values of a layer, from 1, before the ReLU, at `input`."""
        known = self._values.setdefault(ray, [])
        while len(known) < layer:
            before = [max(value, 0) for value in known[-1]] if known else self.input(ray)
            known.append(algebra.product(self._layers[len(known)], before))
        return known[layer - 1]

    def outputs(self, ray: int, layer: int) -> list[int]:
        """Outputs of a layer at `input`."""
        return [max(value, 0) for value in self.values(ray, layer)]

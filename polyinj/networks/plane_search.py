"""Search for a collision of a network too large to enumerate: planes through a point that moves to few positives.

A plane through the origin, or with biases a line, is the input of a network of its own, with homogeneous dimension 2: its
regions are arcs, enumerated in no time, and a collision there is one of the network. If there is none, go to the arc
where some layer has the fewest positive neurons, and take another plane through it. Where a layer's map from all of R^N
has rank below N at a point, points beside it collide.
"""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj.geometry import exact
from polyinj.networks.collisions import Point, compare_regions
from polyinj.networks.network import Network
from polyinj.networks.regions import OutOfBudget, Regions

_BITS = 20
_PLANES_A_START = 60
_ARCS = 100_000


def search_planes(network: Network, seed: int, deadline: float) -> tuple[tuple[Point, Point], int] | None:
    """Two points in homogeneous coordinates and the layer that merges them; None when none was found in time."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    layers = network.homogeneous_layers()
    while time.monotonic() < deadline:
        point, fewest = _random_input(rng, network), None
        for _ in range(_PLANES_A_START):
            try:
                found = _search_plane(layers, [point, _random_direction(rng, network)], network, deadline)
            except OutOfBudget:
                return None
            if found is None:
                continue
            if found.collision is not None:
                return found.collision, found.layer
            if fewest is None or found.positives < fewest:
                point, fewest = found.point, found.positives
            collapsed = _collapse(layers, point, network.is_linear)
            if collapsed is not None:
                return collapsed
    return None


class _Plane:
    """What a plane shows: a collision in a layer, or the point with the fewest positives and their number."""

    def __init__(self, collision: tuple[Point, Point] | None, layer: int, point: list[int], positives: int) -> None:
        self.collision, self.layer, self.point, self.positives = collision, layer, point, positives


def _search_plane(
    layers: list[exact.IntegerRows], basis: list[list[int]], network: Network, deadline: float
) -> _Plane | None:
    """None where the first layer does not see the whole plane, which is a matter of chance."""
    restricted = [[sum(a * b for a, b in zip(row, v, strict=True)) for v in basis] for row in layers[0]]
    if exact.rank(restricted) < 2:
        return None
    regions = Regions([restricted, *layers[1:]], affine=not network.is_linear)
    for layer in range(1, network.depth + 1):
        regions.refine(_ARCS, deadline)
        collision = compare_regions(regions, deadline).collision
        if collision is not None:
            x, y = ([_lift(c, line) for line in zip(*basis, strict=True)] for c in collision)
            return _Plane((x, y), layer, [], 0)
    positives, number = min(
        (min(positive.bit_count() for positive, _ in pattern), k) for k, pattern in enumerate(regions.patterns)
    )
    inside = sum(regions.points[ray] for ray in regions.cells[number])
    point = np.array(basis, dtype=np.float64).T @ np.asarray(inside)
    return _Plane(None, 0, _integers(point, network), positives)


def _lift(shares: Point, line: tuple[int, ...]) -> Fraction:
    return sum((c * entry for c, entry in zip(shares, line, strict=True)), Fraction(0))


def _collapse(layers: list[exact.IntegerRows], point: list[int], linear: bool) -> tuple[tuple[Point, Point], int] | None:
    """The pair beside a point at which a layer's map has rank below N; the neurons that are zero there count as on."""
    size = len(point)
    matrix = [[int(i == j) for j in range(size)] for i in range(size)]
    image = list(point)
    for layer, rows in enumerate(layers, start=1):
        values = exact.product(rows, image)
        columns = list(zip(*matrix, strict=True))
        active = [exact.product([list(c) for c in columns], row) if value >= 0 else [0] * size for row, value in zip(rows, values, strict=True)]
        matrix, image = active, [max(value, 0) for value in values]
        directions = exact.kernel([row for row in matrix if any(row)], size)
        if directions:
            return _beside(layers[:layer], point, directions[0], linear), layer
    return None


def _beside(
    layers: list[exact.IntegerRows], point: list[int], direction: list[int], linear: bool
) -> tuple[Point, Point]:
    x = [Fraction(entry) for entry in point]
    step = Fraction(1)
    while True:
        y = [a + step * b for a, b in zip(x, direction, strict=True)]
        scale = max(entry.denominator for entry in y)
        pair = [[int(entry * scale) for entry in end] for end in (x, y)]
        for rows in layers:
            pair = [[max(value, 0) for value in exact.product(rows, end)] for end in pair]
        if pair[0] == pair[1]:
            t = Fraction(1) if linear else x[-1]
            return [entry / t for entry in x], [entry / t for entry in y]
        step /= 2


def _random_input(rng: np.random.Generator, network: Network) -> list[int]:
    point = rng.standard_normal(network.dimension)
    if not network.is_linear:
        point[-1] = 1.0
    return _integers(point, network)


def _random_direction(rng: np.random.Generator, network: Network) -> list[int]:
    point = rng.standard_normal(network.dimension)
    if not network.is_linear:
        point[-1] = 0.0
    return [int(entry) for entry in np.rint(point * 2.0**_BITS)]


def _integers(point: NDArray[np.float64], network: Network) -> list[int]:
    """Rounded; with biases t stays positive."""
    scaled = [int(entry) for entry in np.rint(point / np.abs(point).max() * 2.0**_BITS)]
    if not network.is_linear:
        scaled[-1] = max(scaled[-1], 1)
    return scaled

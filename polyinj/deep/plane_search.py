"""Search for a collision of a network too large to enumerate: planes through a point that moves to few positives.

A plane through the origin, or with biases a line, is the input of a network of its own, of homogeneous dimension 2: its
regions are arcs, enumerated in no time, and a collision there is one of the network. If there is none, go to the arc
where some later layer has the fewest positive neurons, and take another plane through it. Where a layer's map from all
of R^N has rank below N at a point, points beside it collide.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.domain import Cover
from polyinj.certificates.relu_chain import ReluChain
from polyinj.deep.collisions import Point, compare_regions
from polyinj.deep.linear_regions import OutOfBudget, Regions
from polyinj.deep.probes import draw_points
from polyinj.exact import algebra

_BITS = 20
_PLANES_A_START = 60
_ARCS = 100_000
_HALVINGS = 200

Found = tuple[tuple[Point, Point], int]


@dataclass(frozen=True, slots=True)
class _Arc:
    """A point in homogeneous coordinates, and how many neurons are positive there in the layer with the fewest."""

    point: list[int]
    positives: int


def search_planes(network: ReluChain, seed: int, deadline: float) -> Found | None:
    """Two points in homogeneous coordinates, t = 1 with biases, and the layer that merges them; None: none in time."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    layers = network.homogeneous_layers()
    while time.monotonic() < deadline:
        incumbent: _Arc | None = None
        point = _random_input(rng, network)
        if point is None:
            continue
        for _ in range(_PLANES_A_START):
            try:
                found = _search_plane(network, layers, [_random_direction(rng, network), point], deadline)
            except OutOfBudget:
                return None
            if isinstance(found, tuple):
                return found
            better = found is not None and (incumbent is None or found.positives <= incumbent.positives)
            if found is not None and better and _lies_inside(network, found.point):
                incumbent, point = found, found.point
            collapsed = _collapse(network, layers, point)
            if collapsed is not None:
                return collapsed
    return None


def _search_plane(
    network: ReluChain, layers: list[algebra.IntegerRows], basis: list[list[int]], deadline: float
) -> Found | _Arc | None:
    """A collision in the plane, else its best arc; None where the first layer does not see all of it (by chance)."""
    linear = network.is_linear
    restricted = [algebra.product(basis, row) for row in layers[0]]
    if algebra.rank(restricted) < 2:
        return None
    sides = dict.fromkeys(tuple(algebra.coprime(algebra.product(basis, side))) for side in network.sides())
    regions = Regions([restricted, *layers[1:]], affine=not linear, sides=[list(side) for side in sides if any(side)])
    for layer in range(1, len(layers) + 1):
        regions.refine(_ARCS, deadline)
        collision = compare_regions(regions, deadline).collision
        if collision is not None:
            x, y = ([algebra.dot(shares, line) for line in zip(*basis, strict=True)] for shares in collision)
            pair = _finite(x, linear), _finite(y, linear)
            return (pair, layer) if _lie_in_domain(network, pair) else None
    # The first layer has been searched on its own; it counts only where it is the whole network.
    skipped = min(1, len(layers) - 1)
    positives, number = min(
        (min(positive.bit_count() for positive, _ in pattern[skipped:]), k)
        for k, pattern in enumerate(regions.patterns)
    )
    inside = np.sum([regions.points[ray] for ray in regions.cells[number]], axis=0)
    return _Arc(_integers(np.array(basis, dtype=np.float64).T @ inside, linear), positives)


def _finite(point: Point, linear: bool) -> Point:
    return point if linear else [entry / point[-1] for entry in point]


def _collapse(network: ReluChain, layers: list[algebra.IntegerRows], point: list[int]) -> Found | None:
    """A pair beside a point at which a layer's map has rank below N; neurons that are zero there count as positive."""
    size, image = len(point), list(point)
    matrix = [[int(i == j) for j in range(size)] for i in range(size)]
    for layer, rows in enumerate(layers, start=1):
        values = algebra.product(rows, image)
        columns = [list(column) for column in zip(*matrix, strict=True)]
        matrix = [
            algebra.product(columns, row) if value >= 0 else [0] * size for row, value in zip(rows, values, strict=True)
        ]
        image = [max(value, 0) for value in values]
        directions = algebra.kernel(matrix, size)
        if directions:
            pair = _beside(network, layers[:layer], point, directions[0])
            return None if pair is None else (pair, layer)
    return None


def _beside(
    network: ReluChain, layers: list[algebra.IntegerRows], point: list[int], direction: list[int]
) -> tuple[Point, Point] | None:
    """point and point + eps direction, if a small eps gives them one image: always, where no neuron is zero."""
    linear = network.is_linear
    size = max(map(abs, direction)).bit_length()
    for halvings in range(size, size + _HALVINGS):
        x = [entry << halvings for entry in point]
        y = [a + b for a, b in zip(x, direction, strict=True)]
        images = [x, y]
        for rows in layers:
            images = [[max(value, 0) for value in algebra.product(rows, image)] for image in images]
        if images[0] == images[1]:
            scale = 1 << halvings if linear else x[-1]
            pair = [Fraction(entry, scale) for entry in x], [Fraction(entry, scale) for entry in y]
            if _lie_in_domain(network, pair):
                return pair
    return None


def _lie_in_domain(network: ReluChain, pair: tuple[Point, Point]) -> bool:
    """Whether points with t = 1 lie in the domain, of a linear network in the cone of its multiples."""
    if network.is_linear:
        return all(algebra.dot(side, end) >= 0 for side in network.sides() for end in pair)
    return all(network.contains(end[:-1]) for end in pair)


def _lies_inside(network: ReluChain, point: list[int]) -> bool:
    """Whether homogeneous coordinates are those of a point in the interior of the domain."""
    if network.domain is None:
        return True
    if network.is_linear:
        return all(value > 0 for value in algebra.product(network.sides(), point))
    return network.domain.surrounds([Fraction(entry, point[-1]) for entry in point[:-1]])


def _random_input(rng: np.random.Generator, network: ReluChain) -> list[int] | None:
    """A point of the domain; None where rounding led out of it."""
    assert not isinstance(network.domain, Cover)
    point = draw_points(network.domain, network.widths[0], 1, 1.0, rng)[0]
    integers = _integers(point if network.is_linear else np.append(point, 1.0), network.is_linear)
    return integers if _lies_inside(network, integers) else None


def _random_direction(rng: np.random.Generator, network: ReluChain) -> list[int]:
    direction = rng.standard_normal(network.dimension)
    if not network.is_linear:
        direction[-1] = 0.0
    return [int(entry) for entry in np.rint(direction * 2.0**_BITS)]


def _integers(point: NDArray[np.float64], linear: bool) -> list[int]:
    """Rounded; with biases t stays positive."""
    scaled = [int(entry) for entry in np.rint(point / np.abs(point).max() * 2.0**_BITS)]
    return scaled if linear else [*scaled[:-1], max(scaled[-1], 1)]

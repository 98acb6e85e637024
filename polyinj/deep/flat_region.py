"""Collisions of a network inside one of its linear regions, certified in rationals.

Around a point at which no ReLU sits on its threshold the network is affine. Where the matrix of that map has rank r,
below the number of inputs, some r + 1 inputs can move so that no output changes, as long as no neuron changes its sign.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm

import numpy as np

from polyinj.certificates.domain import Ball, Box
from polyinj.deep.exact_piece import LARGEST_EXACT, ExactPiece, Moved, common_denominator, exact_layers
from polyinj.deep.float_pieces import FloatNetwork, Floats
from polyinj.deep.heads import head
from polyinj.deep.probes import SCALES, draw_points
from polyinj.errors import InputError
from polyinj.exact import algebra
from polyinj.exact.arrays import Point
from polyinj.networks.network import Network

_PROBES = 64
# Steps of the grid that probes are rounded to in a unit: fine, since a ReLU at its threshold tells nothing.
_GRID = 1 << 20
# Products of doubles that the Jacobian of one probe may take, and products of long integers that a pair may take.
_FLOAT_PRODUCTS, _EXACT_PRODUCTS = 1 << 34, 1 << 28


@dataclass(frozen=True, slots=True)
class FlatPoint:
    """A point, a layer, and the rank that the map to this layer seems to have around it: less than the inputs.

    `counted`: the first layer of which fewer neurons are active there than there are inputs, which shows a loss by
    signs alone; None if there is none.
    """

    point: list[Fraction]
    layer: int
    rank: int
    counted: int | None


def find_flat_region(
    network: Network, *, domain: Box | Ball | None = None, seed: int = 0, time_limit: float | None = None
) -> tuple[Point, Point] | None:
    """Look at random points for a region on which the network is not injective.

    Parameters
    ----------
    network : Network
    domain : Box or Ball, optional
        Where the points lie; by default anywhere.
    seed : int
        Seed of the points: 64; in directions without end Gaussian, of four sizes.
    time_limit : float, optional
        Seconds, after which no further point is looked at.

    Returns
    -------
    (x, y) or None
        Two different points with the same image, in rationals; None proves nothing.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    for found in flat_points(network, domain, seed, deadline):
        if (pair := pair_beside(network, found, domain)) is not None:
            return pair
    return None


def flat_points(
    network: Network, domain: Box | Ball | None, seed: int, deadline: float | None = None
) -> Iterator[FlatPoint]:
    """Points at which the map seems to have too small a rank, in floating point."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    try:
        floats = FloatNetwork(network)
    except InputError:
        return
    for probe in range(_PROBES):
        if deadline is not None and time.monotonic() > deadline:
            return
        point = draw_points(domain, floats.inputs, 1, SCALES[probe % len(SCALES)], rng)[0]
        rounded = [Fraction(round(entry * _GRID), _GRID) for entry in point.tolist()]
        if domain is not None and not domain.contains(rounded):
            continue
        found = flat_point(floats, rounded)
        if found is not None:
            yield found


def flat_point(network: FloatNetwork, point: list[Fraction]) -> FlatPoint | None:
    """The layer with the least rank around a point, in doubles; None for full rank, and where doubles do not tell."""
    n = network.inputs
    place = np.array([[float(entry) for entry in point]])
    with np.errstate(all="ignore"):
        values = network.values(place)
        if not all(np.isfinite(value).all() for value in values):
            return None
        active = [
            int(np.count_nonzero((value[0] >= 0) | ~relu))
            for value, (_, _, relu) in zip(values, network.layers, strict=True)
        ]
        least = int(np.argmin(active))
        if active[least] < n:
            first = next(k for k, count in enumerate(active, start=1) if count < n)
            return FlatPoint(point, least + 1, active[least], first)
        widths = [n, *(len(bias) for _, bias, _ in network.layers)]
        if sum(a * b for a, b in pairwise(widths)) * n > _FLOAT_PRODUCTS:
            return None
        ranks = _ranks(network, place)
    least = int(np.argmin(ranks))
    return FlatPoint(point, least + 1, ranks[least], None) if ranks[least] < n else None


def _ranks(network: FloatNetwork, place: Floats) -> list[int]:
    """Of the map to each layer's outputs."""
    slopes = np.eye(network.inputs)
    found = []
    for value, (weights, _, relu) in zip(network.values(place), network.layers, strict=True):
        slopes = np.asarray(weights @ slopes)
        slopes = np.where(((value[0] > 0) | ~relu)[:, None], slopes, 0)
        rank = network.inputs
        if np.isfinite(slopes).all():
            with suppress(np.linalg.LinAlgError):
                rank = int(np.linalg.matrix_rank(slopes))
        found.append(rank)
    return found


def collision_at(
    network: Network, point: Sequence[Fraction], domain: Box | Ball | None = None
) -> tuple[Point, Point] | None:
    """Two points of the linear region around a point that have the same image; the first is the point.

    None where the map has full rank on the region, or where a ReLU that is not constant sits on its threshold.
    """
    found = flat_point(FloatNetwork(network), list(point))
    return None if found is None else pair_beside(network, found, domain)


def pair_beside(network: Network, found: FlatPoint, domain: Box | Ball | None = None) -> tuple[Point, Point] | None:
    """The pair that `collision_at` gives; None also where it would take too long."""
    n = len(found.point)
    size = sum(a * b for a, b in pairwise(network.widths[: found.layer + 1]))
    if size > LARGEST_EXACT or size * (found.rank + 2) > _EXACT_PRODUCTS:
        return None
    layers = exact_layers(head(network, found.layer, with_relu=True))
    # Any inputs will do; the first ones of an image are often idle.
    columns = range(min(n, found.rank + 1))
    piece = ExactPiece(found.point, columns, common_denominator(found.point))
    moved: Moved = []
    for layer in layers:
        piece.affine(layer)
        signs = piece.rectify(layer)
        if signs is None:
            return None
        moved += signs
    active = [row[:-1] for row in piece.rows if any(row[:-1])]
    basis = algebra.kernel(active, len(columns))
    if not basis:
        return None
    direction = [Fraction(0)] * n
    size = max(map(abs, basis[0])).bit_length()
    for j, entry in zip(columns, basis[0], strict=True):
        direction[j] = Fraction(entry, 1 << size)
    return _step(found.point, moved, direction, list(columns), domain)


def _step(
    point: list[Fraction], moved: Moved, direction: list[Fraction], columns: list[int], domain: Box | Ball | None
) -> tuple[Point, Point]:
    """The point, and the point moved about half as far as some neuron or the domain allows, by its own size at most."""
    length = max(Fraction(1), *map(abs, point))
    scale = lcm(*(direction[j].denominator for j in columns))
    along = [int(direction[j] * scale) for j in columns]
    for value, slopes in moved:
        speed = abs(algebra.dot(slopes, along))
        if value and speed:
            length = min(length, Fraction(abs(value) * scale, 2 * speed))
    if isinstance(domain, Ball):
        length = min(length, domain.step_inside(point, direction))
    elif domain is not None:
        for entry, step, low, high in zip(point, direction, domain.lower, domain.upper, strict=True):
            for side in (low, high):
                if side is not None and step:
                    length = min(length, abs(side - entry) / (2 * abs(step)))
    bits = length.numerator.bit_length() - length.denominator.bit_length() - 1
    step = Fraction(2) ** bits
    return tuple(point), tuple(entry + step * move for entry, move in zip(point, direction, strict=True))

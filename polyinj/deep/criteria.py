"""Why a network loses information, found without going through its linear regions.

1. A layer whose rows have a rank below the n inputs: on every linear region there is a kernel.
2. A point around which the map has a rank below n: a kernel on that region (flat_region.py).
3. A layer of n rows whose Jacobian determinant takes both signs: two points beside a facet (sign_change.py).
4. A layer of fewer than 2n rows: two regions whose images meet there (near_outputs.py).

What 2 to 4 find in doubles becomes a pair in rationals, or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import flint
import numpy as np

from polyinj.certificates.domain import Ball, Box
from polyinj.deep.exact_pair import exact_pair
from polyinj.deep.exact_piece import LARGEST_EXACT, exact_layers
from polyinj.deep.flat_region import flat_points, pair_beside
from polyinj.deep.float_pieces import FloatNetwork, Floats
from polyinj.deep.heads import head
from polyinj.deep.near_outputs import meeting_outputs
from polyinj.deep.sign_change import sign_changes
from polyinj.errors import InputError
from polyinj.exact import algebra, arrays
from polyinj.exact.arrays import Point
from polyinj.networks.network import Network, NetworkLayer

# Products of long integers that a pair may take.
_EXACT_PRODUCTS = 1 << 28
# Entries of a matrix whose rank is taken, by singular values at first.
_RANK_ENTRIES = 1 << 18
# Layers that are looked at, the narrowest first, and pairs tried in each.
_LAYERS, _PAIRS = 3, 24
_PRIME = (1 << 61) - 1

_Finder = Callable[[FloatNetwork, Box | Ball | None, int, float | None], Iterator[tuple[Floats, Floats]]]


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a network is not injective.

    Attributes
    ----------
    reason : str
    pair : (x, y) or None
        Two points with one image; None where that would be costly, or doubles lead to none. Then
    layer : int
        the rows of this layer, from 1, have a rank below the number of inputs: all of them, or
    point : point or None
        those with value >= 0 at a point.
    """

    reason: str
    pair: tuple[Point, Point] | None
    layer: int
    point: Point | None = None


def find_narrow_layer(network: Network) -> int | None:
    """The first layer, from 1, with fewer rows than inputs, else the first whose rank is below them; or None."""
    n = network.widths[0]
    for number, width in enumerate(network.widths[1:], start=1):
        if width < n:
            return number
    for number, layer in enumerate(network.layers, start=1):
        if _seems_narrow(layer, n) and rank_of(layer) < n:
            return number
    return None


def _seems_narrow(layer: NetworkLayer, n: int) -> bool:
    """Whether the rank is below n in doubles; no for layers whose exact rank would take long."""
    if layer.shape[0] * layer.shape[1] > _RANK_ENTRIES or not layer.fits_dense:
        return False
    try:
        doubles = arrays.nearest_doubles(layer.dense_weights(), "weights")
        return int(np.linalg.matrix_rank(doubles)) < n
    except (InputError, np.linalg.LinAlgError):
        return True


def rank_of(layer: NetworkLayer) -> int:
    """The rank of the weights: modulo a prime where that is full, else exactly."""
    rows = arrays.integer_rows(layer.dense_weights())
    m, n = layer.shape
    residues = flint.nmod_mat(m, n, [entry % _PRIME for row in rows for entry in row], _PRIME)
    found = int(residues.rank())
    return found if found == min(m, n) else algebra.rank(rows)


def look_for_loss(
    network: Network, domain: Box | Ball | None = None, *, seed: int = 0, deadline: float | None = None
) -> Loss | None:
    """Try the criteria in their order; `deadline` is one of time.monotonic()."""
    narrow = find_narrow_layer(network)
    flat = _look_for_flat_region(network, domain, seed, deadline)
    if narrow is not None:
        rows, n = network.layers[narrow - 1].shape[0], network.widths[0]
        what = f"has {rows} rows, the network {n} inputs" if rows < n else f"has a rank below the {n} inputs"
        pair = None if flat is None else flat.pair
        return Loss(f"layer {narrow} {what}: no map into fewer dimensions is injective", pair, narrow)
    return flat or _look_for_meeting_regions(network, domain, seed, deadline)


def _look_for_flat_region(
    network: Network, domain: Box | Ball | None, seed: int, deadline: float | None
) -> Loss | None:
    counted: Loss | None = None
    for found in flat_points(network, domain, seed, deadline):
        pair = pair_beside(network, found, domain)
        if pair is not None:
            reason = "on a linear region the network has a kernel: two points there have the same output"
            return Loss(reason, pair, found.layer)
        if found.counted is not None and counted is None:
            reason = f"at a point fewer rows of layer {found.counted} are active than the network has inputs"
            counted = Loss(reason, None, found.counted, tuple(found.point))
            if sum(a * b for a, b in pairwise(network.widths)) > LARGEST_EXACT:
                break
    return counted


def _look_for_meeting_regions(
    network: Network, domain: Box | Ball | None, seed: int, deadline: float | None
) -> Loss | None:
    n = network.widths[0]
    candidates = [(width, k) for k, width in enumerate(network.widths[1:], start=1) if n <= width < 2 * n]
    for width, number in sorted(candidates)[:_LAYERS]:
        size = sum(a * b for a, b in pairwise(network.widths[: number + 1]))
        if size > LARGEST_EXACT or size * (n + 2) > _EXACT_PRODUCTS:
            continue
        first = head(network, number, with_relu=False)
        tries: list[tuple[_Finder, str]] = [
            (meeting_outputs, f"in layer {number}, of {width} < 2 * {n} rows, the images of two linear regions meet")
        ]
        if width == n:
            reason = f"the Jacobian determinant of layer {number} takes both signs: two points beside a facet merge"
            tries.insert(0, (sign_changes, reason))
        for finder, reason in tries:
            pair = _first_pair(first, finder, domain, seed, deadline)
            if pair is not None:
                return Loss(reason, pair, number)
    return None


def _first_pair(
    network: Network, finder: _Finder, domain: Box | Ball | None, seed: int, deadline: float | None
) -> tuple[Point, Point] | None:
    try:
        floats = FloatNetwork(network)
    except InputError:
        return None
    layers = exact_layers(network)
    # What doubles do not hold shows as an SVD that does not converge.
    with np.errstate(all="ignore"), suppress(np.linalg.LinAlgError):
        for tried, (x, y) in enumerate(finder(floats, domain, seed, deadline)):
            if tried == _PAIRS or (deadline is not None and time.monotonic() > deadline):
                return None
            if (pair := exact_pair(layers, x, y, domain)) is not None:
                return pair
    return None

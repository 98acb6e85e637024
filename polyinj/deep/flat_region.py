"""Collisions of a network inside one of its linear regions, certified in rationals.

Around a point at which no neuron sits on its threshold the network is affine. Where the matrix of that map has rank
below the number of inputs, moving along its kernel changes no output, as long as no neuron changes its sign.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj.exact import algebra
from polyinj.networks.network import Network

_PROBES = 64
_SCALES = (1.0, 8.0, 64.0, 0.125)


def find_flat_region(
    network: Network, *, seed: int = 0, time_limit: float | None = None
) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]] | None:
    """Look at random points for a region on which the network is not injective.

    Parameters
    ----------
    network : Network
    seed : int
        Seed of the points: 64, Gaussian, of four sizes.
    time_limit : float, optional
        Seconds, after which no further point is looked at.

    Returns
    -------
    (x, y) or None
        Two different points with the same image, in rationals; None proves nothing.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    for point in _flat_points(network, seed, deadline):
        if (pair := collision_at(network, point)) is not None:
            return pair
    return None


def _flat_points(network: Network, seed: int, deadline: float | None) -> Iterator[list[Fraction]]:
    """Points at which the map seems to have too small a rank, in floating point."""
    n = network.widths[0]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    for probe in range(_PROBES):
        if deadline is not None and time.monotonic() > deadline:
            return
        # Few bits make short rationals.
        point = np.round(rng.standard_normal(n) * _SCALES[probe % len(_SCALES)] * 1024) / 1024
        if _float_rank(network, point) < n:
            yield [Fraction(entry) for entry in point.tolist()]


def _float_rank(network: Network, point: NDArray[np.float64]) -> int:
    """The rank of the map around a point; as if it were full where doubles do not hold the map."""
    slope, value = np.eye(len(point)), point
    try:
        with np.errstate(over="raise", invalid="raise", under="ignore"):
            for layer in network.layers:
                weights = layer.weights.astype(np.float64)
                slope, value = weights @ slope, weights @ value
                if layer.bias is not None:
                    value = value + layer.bias.astype(np.float64)
                active = (value > 0) | ~layer.relu_rows
                slope, value = slope * active[:, None], value * active
            return int(np.linalg.matrix_rank(slope)) if np.isfinite(slope).all() else len(point)
    except (FloatingPointError, OverflowError, np.linalg.LinAlgError):
        return len(point)


def collision_at(
    network: Network, point: Sequence[Fraction]
) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]] | None:
    """Two points of the linear region around a point that have the same image; the first is the point.

    None where the map has full rank on the region, or where a neuron that is not constant sits on its threshold.
    """
    n = len(point)
    scale = lcm(*(entry.denominator for entry in point))
    start = flint.fmpz_mat(n + 1, 1, [*(int(entry * scale) for entry in point), scale])
    # Homogeneous inputs (x, 1), everything times a positive integer: signs and kernels stay.
    route = flint.fmpz_mat(n + 1, n + 1, [int(i == j) for i in range(n + 1) for j in range(n + 1)])
    moved: list[tuple[int, list[int]]] = []
    kept = list(range(n))
    for layer in network.layers:
        rows = _homogeneous(layer.dense_weights(), layer.bias, kept)
        route = flint.fmpz_mat(rows) * route
        table = route.tolist()
        values = (route * start).tolist()
        kept = []
        relus = layer.relu_rows.tolist()
        for neuron, (row, (value,)) in enumerate(zip(table[:-1], values[:-1], strict=True)):
            if not relus[neuron]:
                kept.append(neuron)
                continue
            if value > 0:
                kept.append(neuron)
            elif value == 0 and any(row):
                return None
            moved.append((int(value), [int(entry) for entry in row[:n]]))
        active = [[int(entry) for entry in table[neuron][:n]] for neuron in kept]
        direction = _kernel_vector(active, n)
        if direction is not None:
            return _step(point, scale, moved, direction)
        route = flint.fmpz_mat([table[neuron] for neuron in kept] + [table[-1]])
    return None


def _homogeneous(weights: NDArray[Any], bias: NDArray[Any] | None, kept: list[int]) -> list[list[int]]:
    """[[W, b], [0, 1]] times a positive integer, with the columns of the neurons that are active."""
    shifts = np.zeros(len(weights)) if bias is None else bias
    entries = [[*row, shift] for row, shift in zip(weights[:, kept].tolist(), shifts.tolist(), strict=True)]
    ratios = [[entry.as_integer_ratio() for entry in row] for row in entries]
    common = lcm(*{q for row in ratios for _, q in row})
    return [[p * (common // q) for p, q in row] for row in ratios] + [[0] * len(kept) + [common]]


def _kernel_vector(rows: list[list[int]], columns: int) -> list[int] | None:
    """A nonzero vector that all rows map to 0, with as few nonzero entries as their number allows."""
    used = min(columns, len(rows) + 1)
    basis = algebra.kernel([row[:used] for row in rows], used)
    return basis[0] + [0] * (columns - used) if basis else None


def _step(
    point: Sequence[Fraction], scale: int, moved: list[tuple[int, list[int]]], direction: list[int]
) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """The point, and the point moved half as far as some neuron allows (by 1 where none does)."""
    length: Fraction | None = None
    for value, row in moved:
        speed = abs(sum(entry * step for entry, step in zip(row, direction, strict=True) if step))
        if value and speed and (length is None or Fraction(abs(value), 2 * speed) < length):
            length = Fraction(abs(value), 2 * speed)
    length = Fraction(1) if length is None else length / scale
    return tuple(point), tuple(entry + length * step for entry, step in zip(point, direction, strict=True))

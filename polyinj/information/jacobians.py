"""The Jacobians of a network up to each layer, at many points, in doubles: singular values and ranks.

With W_1 = L Q, where Q has orthonormal rows, the singular values of A W_1 are those of A L: inputs that are more than
the rows of the first layer cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import qr

from polyinj.deep.float_pieces import FloatNetwork, times
from polyinj.errors import InputError
from polyinj.networks.network import Network

Floats = NDArray[np.float64]

# Bytes of the Jacobians of one chunk of points, and of one point at most.
_CHUNK, _LARGEST = 1 << 27, 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class LayerJacobians:
    """What a network does up to one layer, at each of k points.

    Attributes
    ----------
    active : ndarray of int64, shape (k,)
        Rows that pass their value on: positive ones, and those without ReLU.
    passing : ndarray of bool, shape (k, rows)
        Which.
    singular_values : ndarray, shape (k, r)
        Of the Jacobian from the inputs to the layer's outputs, the greatest first; the others are 0.
    rank : ndarray of int64, shape (k,)
        How many of them are above the rounding of the greatest, max(rows, inputs) 2^-52 of it.
    """

    active: NDArray[np.int64]
    passing: NDArray[np.bool_]
    singular_values: Floats
    rank: NDArray[np.int64]


def layer_jacobians(network: Network, points: Floats) -> list[LayerJacobians]:
    """All layers at all points, shape (k, n); InputError where a Jacobian takes more than a gigabyte."""
    floats = FloatNetwork(network)
    first, _, _ = floats.layers[0]
    dense = first.toarray() if sparse.issparse(first) else first
    widest = max(len(bias) for _, bias, _ in floats.layers)
    bytes_a_point = 8 * widest * min(dense.shape)
    if bytes_a_point > _LARGEST:
        raise InputError(
            f"the Jacobian of one point has {widest} x {min(dense.shape)} entries, more than 2^27; try an earlier end "
            "(--until), or a smaller input"
        )
    factor = qr(dense.T, mode="economic")[1].T if dense.shape[0] < dense.shape[1] else dense
    count = max(1, _CHUNK // bytes_a_point)
    parts = [list(_chunk(floats, factor, points[start : start + count])) for start in range(0, len(points), count)]
    return [_joined([part[layer] for part in parts]) for layer in range(len(floats.layers))]


def _chunk(network: FloatNetwork, factor: Floats, points: Floats) -> Iterator[LayerJacobians]:
    slopes = np.broadcast_to(factor, (len(points), *factor.shape))
    for place, (values, (weights, _, relu)) in enumerate(zip(network.values(points), network.layers, strict=True)):
        if place:
            slopes = times(weights, slopes)
        passing = (values > 0) | ~relu
        slopes = np.where(passing[:, :, None], slopes, 0)
        if not np.isfinite(slopes).all():
            raise InputError(f"the Jacobian of layer {place + 1} overflows float64; scale the network down")
        found = np.asarray(np.linalg.svd(slopes, compute_uv=False), dtype=np.float64)
        least = max(slopes.shape[1], network.inputs) * 2.0**-52 * found[:, :1]
        yield LayerJacobians(passing.sum(axis=1), passing, found, (found > least).sum(axis=1))


def _joined(parts: list[LayerJacobians]) -> LayerJacobians:
    return LayerJacobians(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("active", "passing", "singular_values", "rank")
        )
    )

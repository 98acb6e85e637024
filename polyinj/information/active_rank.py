"""How much of each point the layers of a network keep: the exact rank of the Jacobian up to each layer.

The signs of all neurons are certain: in doubles where a bound of every rounding settles them, else in rationals. Ranks
modulo a prime are lower bounds. Where one is as large as the rows that pass a value on and the rank before allow, it is
the rank; else the rank is that of the integer matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.deep.exact_piece import ExactLayer, ExactPiece, common_denominator, exact_layers
from polyinj.deep.float_pieces import FloatNetwork
from polyinj.errors import InputError
from polyinj.exact import algebra
from polyinj.exact.lossless import read_tensor
from polyinj.exact.modular import PRIME, multiply_residues, ranks
from polyinj.networks.network import Network

Floats = NDArray[np.float64]

# Entries of the Jacobians of one chunk of points.
_ENTRIES = 1 << 22
_TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class NetworkActiveRank:
    """How much of each point a network keeps, up to each layer.

    Attributes
    ----------
    active_count : ndarray of int64, shape (layers, k)
        Rows of the layer that pass a value on: positive ones, and those without ReLU.
    active_rank : ndarray of int64, shape (layers, k)
        Rank of the Jacobian from the inputs to the layer's outputs, exact.
    columns : int
        The inputs n: the rank that determines a point among its neighbours.
    """

    active_count: NDArray[np.int64]
    active_rank: NDArray[np.int64]
    columns: int

    @property
    def loses_information(self) -> NDArray[np.bool_]:
        """Shape (layers, k): whether the rank is below the number of inputs."""
        return self.active_rank < self.columns


def network_active_rank(network: Network, points: ArrayLike) -> NetworkActiveRank:
    """Exact ranks of the Jacobian of a network at each point, layer by layer: where does it lose information?

    At a point where some ReLU is exactly 0 the Jacobian is taken as if it passed nothing on.

    Parameters
    ----------
    network : Network
    points : array_like, shape (k, n) or (k, *input_shape)

    Raises
    ------
    InputError
        Unreadable points, or shapes that do not fit.

    Examples
    --------
    >>> from polyinj.networks.network import NetworkLayer
    >>> star = NetworkLayer([[1, 0], [0, 1], [-1, -1]], None, "relu")
    >>> found = network_active_rank(Network((star, NetworkLayer([[1, 1, 1]], None, None)), "here"), [[1, 2], [-1, 2]])
    >>> found.active_rank.tolist(), found.loses_information[0].tolist()
    ([[2, 1], [1, 1]], [False, True])
    """
    places = read_points(network, points)
    layers = exact_layers(network)
    passing = exact_patterns(network, layers, places)
    found = _exact_ranks(layers, places, passing)
    return NetworkActiveRank(np.array([part.sum(axis=1) for part in passing]), found, network.widths[0])


def read_points(network: Network, points: ArrayLike, name: str = "points") -> Floats:
    """Points as doubles, shape (k, n), k >= 1; InputError for others."""
    n, shape = network.widths[0], tuple(network.input_shape)
    try:
        array = np.asarray(points)
    except ValueError as error:
        raise InputError(f"{name} is not a rectangular array of numbers ({error})") from None
    images = f" or (k, {', '.join(map(str, shape))})" if len(shape) > 1 else ""
    if array.ndim < 2 or len(array) == 0 or array.shape[1:] not in ((n,), shape):
        raise InputError(f"{name} has shape {array.shape}; expected (k, {n}){images}, one row a point")
    read = read_tensor(array.reshape(len(array), n), name)
    if read.dtype != np.float64:
        raise InputError(f"{name} holds integers beyond 2^53, which float64 does not hold")
    return read


def exact_patterns(network: Network, layers: list[ExactLayer], points: Floats) -> list[NDArray[np.bool_]]:
    """Of each layer which rows pass a value on, shape (k, rows): values > 0, exactly, and rows without ReLU."""
    try:
        passing, doubtful = _patterns(FloatNetwork(network), points)
    except InputError:
        # Nothing is certain in doubles.
        passing = [np.zeros((len(points), layer.shape[0]), dtype=bool) for layer in network.layers]
        doubtful = np.ones(len(points), dtype=bool)
    for k in np.flatnonzero(doubtful).tolist():
        point = [Fraction(entry) for entry in points[k].tolist()]
        piece = ExactPiece(point, (), common_denominator(point))
        for part, layer in zip(passing, layers, strict=True):
            piece.affine(layer)
            part[k] = [value > 0 or not relu for (value,), relu in zip(piece.rows, layer.relu, strict=True)]
            piece.rectify(layer)
    return passing


def _patterns(network: FloatNetwork, points: Floats) -> tuple[list[NDArray[np.bool_]], NDArray[np.bool_]]:
    """The same in doubles, and at which points a sign is in doubt."""
    inputs, radii = points, np.zeros_like(points)
    doubtful = np.zeros(len(points), dtype=bool)
    passing = []
    for weights, bias, relu in network.layers:
        # Entries rounded once, products and their sum, with a factor 2 to spare.
        gamma = 2 * (weights.shape[1] + 8) * 2.0**-52
        absolute = abs(weights)
        with np.errstate(all="ignore"):
            values = np.asarray((weights @ inputs.T).T) + bias
            sizes = np.asarray((absolute @ (np.abs(inputs) + radii).T).T) + np.abs(bias)
            bounds = np.asarray((absolute @ radii.T).T) * (1 + gamma) + gamma * sizes + _TINY * (1 + sizes)
            doubtful |= ((~(np.abs(values) > bounds)) & relu).any(axis=1) | ~np.isfinite(bounds).all(axis=1)
        active = (values > 0) | ~relu
        passing.append(active)
        inputs, radii = np.where(active, values, 0), np.where(active, bounds, 0)
    return passing, doubtful


def _exact_ranks(layers: list[ExactLayer], points: Floats, passing: list[NDArray[np.bool_]]) -> NDArray[np.int64]:
    n = points.shape[1]
    residues = [layer.residues(PRIME) for layer in layers]
    # Columns mixed at random, as many as the first layer has rows: that keeps ranks, but for a chance of 1/PRIME, and
    # never raises one.
    width = min(n, len(residues[0]))
    first = residues[0]
    if width < n:
        first = multiply_residues(first, np.random.default_rng(0).integers(1, PRIME, (n, width)))
    widest = max(len(matrix) for matrix in residues)
    count = max(1, _ENTRIES // (widest * width))
    found = np.zeros((len(layers), len(points)), dtype=np.int64)
    for start in range(0, len(points), count):
        chunk = slice(start, start + count)
        slopes = np.broadcast_to(first, (len(points[chunk]), *first.shape))
        for place, (matrix, part) in enumerate(zip(residues, passing, strict=True)):
            if place:
                k, rows, _ = slopes.shape
                flat = multiply_residues(matrix, slopes.transpose(1, 0, 2).reshape(rows, k * width))
                slopes = flat.reshape(-1, k, width).transpose(1, 0, 2)
            slopes = np.where(part[chunk][:, :, None], slopes, 0)
            found[place, chunk] = ranks(slopes)
    _settle(layers, points, passing, found)
    return found


def _settle(
    layers: list[ExactLayer], points: Floats, passing: list[NDArray[np.bool_]], found: NDArray[np.int64]
) -> None:
    """Turn lower bounds that no count confirms into ranks of integer matrices."""
    n = points.shape[1]
    most = np.full(len(points), n)
    for place in range(len(layers)):
        most = np.minimum(most, passing[place].sum(axis=1))
        for k in np.flatnonzero(found[place] < most).tolist():
            found[place, k] = _integer_rank(layers[: place + 1], points[k], [part[k] for part in passing])
        most = found[place].copy()


def _integer_rank(layers: list[ExactLayer], point: Floats, passing: list[NDArray[np.bool_]]) -> int:
    exact = [Fraction(entry) for entry in point.tolist()]
    piece = ExactPiece(exact, range(len(exact)), common_denominator(exact))
    for layer, active in zip(layers, passing, strict=False):
        piece.affine(layer)
        piece.rows = [row if passes else [0] * len(row) for row, passes in zip(piece.rows, active, strict=True)]
    return algebra.rank([row[:-1] for row in piece.rows])

"""A network as it was read: a chain of affine layers with a ReLU behind all, some or none of their rows.

Every network of affine maps and ReLUs whose nodes form no cycle is such a chain: a value that a later layer reads is
carried there by rows of the identity, without ReLU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from polyinj.errors import InputError
from polyinj.exact.arrays import read_matrix, read_vector

Activation = Literal["relu"] | NDArray[np.bool_] | None
Weights: TypeAlias = NDArray[Any] | sparse.csr_array

# Of a matrix that is held entry by entry: 128 MB in float64; exact decisions are out of reach long before.
LARGEST_MATRIX = 1 << 24


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkLayer:
    """The layer x -> Wx + b, with a ReLU behind all, some or none of its rows.

    Attributes
    ----------
    weights : ndarray or scipy.sparse.csr_array, shape (m, n)
        One row a neuron, exact: float64, or an object array of Fractions where float64 does not hold the values; a
        csr_array holds float64, each entry once.
    bias : ndarray, shape (m,), or None
    activation : 'relu', None, or ndarray of bool, shape (m,)
        Which rows a ReLU follows: all, none, or those marked True. Marks that are all alike become 'relu' or None.
    name : str
        What the source calls it.
    rounding : str
        Empty when every entry is the exact value that the source defines; else what was rounded, and how.

    Raises
    ------
    InputError
        Entries that are not finite numbers, shapes that do not fit, another activation.

    Examples
    --------
    >>> absolute = NetworkLayer([[1.0], [-1.0], [1.0]], None, [True, True, False], "|x| and x")
    >>> absolute, absolute.relu_rows.tolist()
    (NetworkLayer('|x| and x', 3 x 1, no bias, relu on 2 rows), [True, True, False])
    """

    weights: Weights
    bias: NDArray[Any] | None
    activation: Activation
    name: str = ""
    rounding: str = ""

    def __post_init__(self) -> None:
        name = f"the weights of {self.name or 'the layer'}"
        read = _read_sparse(self.weights, name) if sparse.issparse(self.weights) else read_matrix(self.weights, name)
        object.__setattr__(self, "weights", read)
        if self.bias is not None:
            bias = read_vector(self.bias, self.shape[0], f"the bias of {self.name or 'the layer'}")
            object.__setattr__(self, "bias", bias)
        object.__setattr__(self, "activation", _read_activation(self.activation, self.shape[0]))

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n): neurons and inputs."""
        rows, columns = self.weights.shape
        return rows, columns

    @property
    def relu_rows(self) -> NDArray[np.bool_]:
        """Which rows a ReLU follows, shape (m,)."""
        if isinstance(self.activation, np.ndarray):
            return self.activation
        return np.full(self.shape[0], self.activation == "relu")

    @property
    def fits_dense(self) -> bool:
        """Whether `dense_weights` gives the matrix."""
        return isinstance(self.weights, np.ndarray) or self.shape[0] * self.shape[1] <= LARGEST_MATRIX

    def dense_weights(self) -> NDArray[Any]:
        """The weights as an ndarray, shape (m, n); InputError for a csr_array of more than 2^24 entries."""
        if isinstance(self.weights, np.ndarray):
            return self.weights
        if not self.fits_dense:
            rows, columns = self.shape
            raise InputError(
                f"the layer {self.name!r} is a sparse matrix of shape {rows} x {columns}, which is used here entry by "
                f"entry; allowed are {LARGEST_MATRIX} entries; try a smaller input or an earlier end (--until)"
            )
        return np.asarray(self.weights.toarray())

    def pass_relu(self, values: NDArray[Any]) -> NDArray[Any]:
        """What the ReLUs make of Wx + b, shape (..., m)."""
        if self.activation is None:
            return values
        positive = np.maximum(values, 0)
        return positive if isinstance(self.activation, str) else np.where(self.activation, positive, values)

    def describe_activation(self) -> str:
        """'', 'relu' or 'relu on k rows'."""
        if isinstance(self.activation, np.ndarray):
            return f"relu on {np.count_nonzero(self.activation)} rows"
        return self.activation or ""

    def __repr__(self) -> str:
        bias = "no bias" if self.bias is None else "bias"
        activation = self.describe_activation() or None
        return f"NetworkLayer({self.name!r}, {self.shape[0]} x {self.shape[1]}, {bias}, {activation})"


def _read_sparse(weights: Any, name: str) -> sparse.csr_array:
    """A csr_array of finite float64, each entry once and none of them 0."""
    rows, columns = weights.shape if weights.ndim == 2 else (0, 0)
    if not (rows and columns):
        raise InputError(f"{name} has shape {weights.shape}; expected (rows, columns) with at least one of each")
    if weights.dtype not in (np.float64, np.float32):
        raise InputError(f"{name} is a sparse matrix of {weights.dtype}; expected float64 or float32")
    read = sparse.csr_array(weights, dtype=np.float64, copy=True)
    stored = read.nnz
    read.sum_duplicates()
    if read.nnz < stored:
        raise InputError(f"{name} is a sparse matrix that holds an entry twice; expected each once")
    read.eliminate_zeros()
    if not np.isfinite(read.data).all():
        raise InputError(f"{name} holds {read.data[~np.isfinite(read.data)][0]}; every entry must be finite")
    return read


def _read_activation(activation: Any, rows: int) -> Activation:
    if activation is None or (isinstance(activation, str) and activation == "relu"):
        return "relu" if activation else None
    marks = np.asarray(activation)
    if isinstance(activation, str) or marks.dtype != np.bool_ or marks.shape != (rows,):
        shown = f"{marks.dtype} of shape {marks.shape}" if marks.ndim else repr(activation)
        raise InputError(f"activation is {shown}; expected 'relu', None, or {rows} marks, True for rows with a ReLU")
    if marks.all():
        return "relu"
    return marks.copy() if marks.any() else None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Network:
    """A chain of layers, as returned by `read_network`.

    Attributes
    ----------
    layers : tuple of NetworkLayer
        First to last; layer l + 1 has as many columns as layer l has rows.
    source : str
        The file, or the class of the module, that it was read from.
    input_shape : tuple of int
        The shape of one input, such as (1, 28, 28); the first layer takes its entries in C order.
    note : str
        What the source does beside this map, if anything: how its inputs or outputs are joined, and a strictly
        monotone function at its end, which is left out since it merges no two outputs and parts none.

    Raises
    ------
    InputError
        No layer, or shapes that do not fit.

    Examples
    --------
    >>> square = NetworkLayer([[1, 0], [0, 1], [-1, -1]], None, "relu")
    >>> Network((square, NetworkLayer([[1.0, 1.0, 1.0]], [0.5], None)), "by hand")
    Network('by hand', 2 -> 3 relu -> 1)
    """

    layers: tuple[NetworkLayer, ...]
    source: str
    input_shape: tuple[int, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        layers = tuple(self.layers)
        if not layers:
            raise InputError(f"{self.source} has no layer with weights; expected at least one")
        for before, layer in pairwise(layers):
            if layer.shape[1] != before.shape[0]:
                raise InputError(
                    f"{self.source}: layer {layer.name!r} has {layer.shape[1]} columns, but layer {before.name!r} "
                    f"before it has {before.shape[0]} rows; expected as many"
                )
        shape = tuple(self.input_shape) or (layers[0].shape[1],)
        if np.prod(shape) != layers[0].shape[1]:
            raise InputError(f"the input shape {shape} does not have the {layers[0].shape[1]} entries of layer 1")
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "input_shape", shape)

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of inputs, then the rows of each layer."""
        return (self.layers[0].shape[1], *(layer.shape[0] for layer in self.layers))

    def apply(self, points: ArrayLike) -> NDArray[np.float64]:
        """The outputs in float64, shape (k, outputs), of k inputs, shape (k, inputs) or (k, *input_shape)."""
        values = np.asarray(points, dtype=np.float64)
        values = values.reshape(len(values), self.widths[0])
        for layer in self.layers:
            values = values @ layer.weights.astype(np.float64).T
            if layer.bias is not None:
                values = values + layer.bias.astype(np.float64)
            values = layer.pass_relu(values)
        return values

    def apply_exactly(self, point: Sequence[Fraction]) -> list[Fraction]:
        """The output for one input in rationals."""
        values = list(point)
        for layer in self.layers:
            image = affine(layer, values)
            values = [
                max(value, Fraction(0)) if relu else value
                for value, relu in zip(image, layer.relu_rows.tolist(), strict=True)
            ]
        return values

    def as_relu_layers(self) -> tuple[list[NDArray[Any]], list[NDArray[Any] | None]]:
        """Weights and biases of a network of ReLU layers only that is injective exactly if this one is.

        A layer y = Wx + b without ReLU becomes the layer ReLU((y, -y)): y can be read off it and the other way round,
        so the same inputs collide. The next layer reads y as the difference of the halves: W' becomes (W', -W').
        Where some rows have a ReLU, those that have none are doubled so, behind all others; but not where they cannot
        be negative, since they add nonnegative multiples of what comes out of ReLUs. Nothing is rounded.

        Raises
        ------
        InputError
            A layer that does not fit as a dense matrix.
        """
        weights: list[NDArray[Any]] = []
        biases: list[NDArray[Any] | None] = []
        doubled = np.zeros(self.widths[0], dtype=bool)
        nonnegative = np.zeros(self.widths[0], dtype=bool)
        for layer in self.layers:
            matrix, bias = layer.dense_weights(), layer.bias
            if isinstance(layer.activation, np.ndarray):
                kept = _stays_nonnegative(matrix, bias, nonnegative)
            else:
                kept = np.zeros(len(matrix), dtype=bool)
            matrix = np.concatenate([matrix, -matrix[:, doubled]], axis=1)
            nonnegative = layer.relu_rows | kept
            doubled = ~nonnegative
            weights.append(np.concatenate([matrix, -matrix[doubled]]))
            biases.append(None if bias is None else np.concatenate([bias, -bias[doubled]]))
        return weights, biases

    def __repr__(self) -> str:
        return f"Network({self.source!r}, {self.describe()})"

    def describe(self) -> str:
        """The widths in one line, such as '4 -> 20 relu -> 3'."""
        steps = (f"{layer.shape[0]} {layer.describe_activation()}".strip() for layer in self.layers)
        return " -> ".join([str(self.widths[0]), *steps])


def _stays_nonnegative(
    matrix: NDArray[Any], bias: NDArray[Any] | None, nonnegative: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which rows add nonnegative multiples of nonnegative inputs, and no negative bias."""
    kept = np.asarray((matrix >= 0).all(axis=1) & ~(matrix[:, ~nonnegative] != 0).any(axis=1), dtype=bool)
    return kept if bias is None else kept & (bias >= 0).astype(bool)


def affine(layer: NetworkLayer, values: Sequence[Fraction]) -> list[Fraction]:
    """Wx + b in rationals."""
    image = [sum((Fraction(w) * values[j] for j, w in row if w and values[j]), Fraction(0)) for row in _entries(layer)]
    if layer.bias is None:
        return image
    return [value + Fraction(shift) for value, shift in zip(image, layer.bias.tolist(), strict=True)]


def _entries(layer: NetworkLayer) -> Iterator[Iterable[tuple[int, Any]]]:
    """Of each row its columns and entries."""
    weights = layer.weights
    if isinstance(weights, np.ndarray):
        yield from (enumerate(row) for row in weights.tolist())
        return
    indices, data = weights.indices.tolist(), weights.data.tolist()
    for start, end in pairwise(weights.indptr.tolist()):
        yield zip(indices[start:end], data[start:end], strict=True)

"""Build a network step by step, in the order in which a source names its operations.

The tensor between two operations is kept as a view: an array of indices into the outputs of the last layer, in the
shape that the source gives it. Reshaping and transposing then move indices and cost nothing, and the next matrix has
its columns put in the order of the outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.exact import lossless
from polyinj.networks.convolution import output_shape, unroll_convolution
from polyinj.networks.network import LARGEST_MATRIX, Activation, Network, NetworkLayer


@dataclass(slots=True)
class _Draft:
    """A layer under way."""

    weights: NDArray[Any]
    bias: NDArray[Any] | None
    name: str
    activation: Activation = None
    rounding: str = ""


class Chain:
    """A network under way.

    Parameters
    ----------
    source : str
        For error messages and the network's repr.
    input_shape : tuple of int, optional
        The tensor that goes in, with its batch axis of length 1 where it has one. None: a batch of vectors, as long
        as the first matrix has columns.
    """

    def __init__(self, source: str, input_shape: tuple[int, ...] | None) -> None:
        self.source = source
        self._input_shape = input_shape
        self._view = None if input_shape is None else np.arange(prod(input_shape)).reshape(input_shape)
        self._layers: list[_Draft] = []

    def finish(self) -> Network:
        """The network; InputError when nothing with weights was met."""
        if self._layers:
            last, order = self._layers[-1], self.view.ravel()
            last.weights = last.weights[order]
            last.bias = None if last.bias is None else last.bias[order]
        layers = (NetworkLayer(d.weights, d.bias, d.activation, d.name, d.rounding) for d in self._layers)
        shape = self._input_shape or ()
        return Network(tuple(layers), self.source, shape[1:] if len(shape) > 1 else shape)

    @property
    def view(self) -> NDArray[Any]:
        """Which output of the last layer stands where in the tensor."""
        if self._view is None:
            raise InputError("the shape of the input is not stored; give it, such as --input-shape 1,28,28")
        return self._view

    @view.setter
    def view(self, view: NDArray[Any]) -> None:
        self._view = view

    def multiply(self, matrix: NDArray[Any], bias: NDArray[Any] | None, name: str) -> None:
        """Each vector v along the last axis becomes matrix @ v + bias; bias has shape (m,) or (vectors, m)."""
        if matrix.ndim != 2:
            raise InputError(f"the weights have shape {matrix.shape}; expected a matrix")
        rows, columns = matrix.shape
        if self._view is None:
            self._input_shape = (1, columns)
            self._view = np.arange(columns).reshape(1, columns)
        if self.view.ndim == 0 or self.view.shape[-1] != columns:
            raise InputError(
                f"the weights take vectors of length {columns}, but what comes in has shape {self.view.shape}; flatten "
                "it first, or transpose the weights"
            )
        vectors = prod(self.view.shape[:-1])
        self._check_size(vectors * rows, vectors * columns)
        weights = matrix if vectors == 1 else np.kron(np.eye(vectors, dtype=np.int64), matrix)
        if bias is not None:
            bias = np.broadcast_to(bias, (vectors, rows)).ravel()
        self._append(weights, bias, (*self.view.shape[:-1], rows), name)

    def convolve(
        self,
        kernel: NDArray[Any],
        bias: NDArray[Any] | None,
        name: str,
        *,
        stride: list[int],
        padding: list[tuple[int, int]],
        dilation: list[int],
        groups: int,
    ) -> None:
        """A convolution over the axes behind the batch and the channels, unrolled to a matrix."""
        if kernel.ndim < 3 or self.view.ndim != kernel.ndim or self.view.shape[0] != 1:
            raise InputError(
                f"a kernel of shape {kernel.shape} does not fit a tensor of shape {self.view.shape}; expected "
                "(batch, channels, *spatial)"
            )
        if kernel.dtype == object:
            raise InputError("the kernel holds integers beyond 2^53; expected floats")
        shape = self.view.shape[1:]
        out = output_shape(kernel.shape, shape, stride=stride, padding=padding, dilation=dilation, groups=groups)
        self._check_size(prod(out), prod(shape))
        matrix = unroll_convolution(kernel, shape, stride=stride, padding=padding, dilation=dilation, groups=groups)
        if bias is not None:
            bias = np.repeat(bias, prod(out[1:]))
        self._append(matrix.toarray(), bias, (1, *out), name)

    def scale(self, factor: NDArray[Any], name: str, *, divide: bool = False) -> None:
        """Multiply (divide) the tensor by an array of a shape that broadcasts to it, exactly."""
        if divide and not factor.all():
            raise InputError("a division by zero")
        last = self._affine(name)
        factor = self._spread(factor)
        by = lossless.divide if divide else lossless.multiply
        last.weights = by(last.weights, factor[:, None])
        last.bias = None if last.bias is None else by(last.bias, factor)

    def shift(self, offset: NDArray[Any], name: str) -> None:
        """Add an array of a shape that broadcasts to the tensor, exactly."""
        last = self._affine(name)
        offset = self._spread(offset)
        last.bias = offset if last.bias is None else lossless.add(last.bias, offset)

    def normalise(
        self, mean: NDArray[Any], variance: NDArray[Any], epsilon: float, gain: Any, offset: Any, name: str
    ) -> None:
        """Fold (x - mean) / sqrt(variance + epsilon) * gain + offset into the last layer; one entry a channel (axis 1).

        The root is irrational as a rule: this is computed in float64 and said in `NetworkLayer.rounding`. Zeros stay
        zero and equal entries of a row stay equal.
        """
        channels = (len(mean), *[1] * (self.view.ndim - 2))
        if self.view.ndim < 2 or self.view.shape[1] != len(mean):
            raise InputError(f"{len(mean)} channels are normalised, but the tensor has shape {self.view.shape}")
        if not np.isfinite(epsilon) or (variance + epsilon <= 0).any():
            raise InputError("variance + epsilon is not a positive number")
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            factor = np.asarray(gain / np.sqrt(variance + epsilon), dtype=np.float64)
            last = self._affine(name)
            scale, centre, add = (self._spread(np.reshape(a, channels)) for a in (factor, mean, offset))
            bias = np.zeros(len(last.weights)) if last.bias is None else last.bias.astype(np.float64)
            weights = last.weights.astype(np.float64)
            last.weights, last.bias = weights * scale[:, None], (bias - centre) * scale + add
        # Below the normal numbers the relative error grows, and weights become 0 that are not.
        kept = np.abs(last.weights) >= np.finfo(np.float64).tiny
        if not (kept | (weights == 0) | (self._spread(np.reshape(gain, channels)) == 0)[:, None]).all():
            raise InputError("the folded weights are too small for float64")
        if not (np.isfinite(last.weights).all() and np.isfinite(last.bias).all()):
            raise InputError("the folded weights are too large for float64")
        note = f"{name} folded in float64: each weight has a relative error below 2^-50"
        last.rounding = "; ".join(filter(None, [last.rounding, note]))

    def relu(self, name: str) -> None:
        """A ReLU of every entry."""
        if self._layers and self._layers[-1].activation is not None:
            return  # ReLU twice is ReLU once
        self._affine(name).activation = "relu"

    def reshape(self, shape: tuple[int, ...]) -> None:
        """Another shape for the same entries; one length may be -1."""
        try:
            self.view = self.view.reshape(shape)
        except ValueError:
            raise InputError(f"a tensor of shape {self.view.shape} cannot become one of shape {shape}") from None

    def _affine(self, name: str) -> _Draft:
        """The last layer if it has no ReLU yet, else a new identity layer, whose outputs stand in another order."""
        if not self._layers or self._layers[-1].activation is not None:
            size = self.view.size
            self._check_size(size, size)
            self._append(np.eye(size), None, self.view.shape, name)
        return self._layers[-1]

    def _append(self, weights: NDArray[Any], bias: NDArray[Any] | None, shape: tuple[int, ...], name: str) -> None:
        if weights.dtype == object:
            weights = lossless.shorten(weights)
        columns = np.empty_like(weights)
        columns[:, self.view.ravel()] = weights
        self._layers.append(_Draft(columns, bias, name))
        self.view = np.arange(len(weights)).reshape(shape)

    def _spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """One value for each output of the last layer."""
        try:
            wide = np.broadcast_to(values, self.view.shape)
        except ValueError:
            raise InputError(
                f"an array of shape {values.shape} does not broadcast to the tensor of shape {self.view.shape}"
            ) from None
        spread = np.empty(self.view.size, dtype=values.dtype)
        spread[self.view.ravel()] = wide.ravel()
        return spread

    def _check_size(self, rows: int, columns: int) -> None:
        if rows * columns > LARGEST_MATRIX:
            raise InputError(
                f"as a matrix this is {rows} x {columns}; allowed are {LARGEST_MATRIX} entries; try a smaller input or "
                "an earlier end (--until)"
            )

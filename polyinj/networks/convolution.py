"""A convolution as the matrix that it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyinj.errors import InputError


def output_shape(
    kernel_shape: Sequence[int],
    input_shape: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> tuple[int, ...]:
    """(channels, *spatial) of the output of a convolution; the arguments are those of `unroll_convolution`.

    Raises
    ------
    InputError
        Shapes, strides or groups that do not fit, or an output without entries.
    """
    kernel_shape, input_shape = tuple(kernel_shape), tuple(input_shape)
    axes = len(kernel_shape) - 2
    if axes < 1 or len(input_shape) != axes + 1 or not all(len(part) == axes for part in (stride, padding, dilation)):
        raise InputError(
            f"a kernel of shape {kernel_shape} does not fit inputs of shape {input_shape}; expected kernels (outputs, "
            "inputs / groups, *window) and inputs (channels, *spatial) with as many spatial axes"
        )
    if min((groups, *stride, *dilation, *kernel_shape)) < 1 or min(min(pair) for pair in padding) < 0:
        raise InputError(
            f"groups {groups}, stride {tuple(stride)}, dilation {tuple(dilation)}, padding {tuple(padding)}, window "
            f"{kernel_shape[2:]}; expected positive numbers, and padding of at least 0"
        )
    if input_shape[0] != kernel_shape[1] * groups or kernel_shape[0] % groups:
        raise InputError(
            f"a kernel of shape {kernel_shape} in {groups} group(s) takes {kernel_shape[1] * groups} channels and a "
            f"multiple of {groups} outputs; the inputs have {input_shape[0]} channels"
        )
    spatial = tuple(
        (size + sum(pads) - step * (window - 1) - 1) // jump + 1
        for size, pads, step, window, jump in zip(
            input_shape[1:], padding, dilation, kernel_shape[2:], stride, strict=True
        )
    )
    if min(spatial) < 1:
        raise InputError(f"a window of shape {kernel_shape[2:]} does not fit into inputs of shape {input_shape}")
    return (kernel_shape[0], *spatial)


def unroll_convolution(
    kernel: NDArray[Any],
    input_shape: Sequence[int],
    *,
    stride: Sequence[int] | None = None,
    padding: Sequence[tuple[int, int]] | None = None,
    dilation: Sequence[int] | None = None,
    groups: int = 1,
) -> sparse.csr_array:
    """The matrix W for which W x.ravel() is the convolution of x, as machine learning defines it (a correlation).

    Every output reads an input through at most one tap of the window, so each entry of W is an entry of the kernel:
    nothing is added, nothing is rounded.

    Parameters
    ----------
    kernel : ndarray of float64, shape (outputs, channels / groups, *window)
    input_shape : tuple, (channels, *spatial)
        One to any number of spatial axes.
    stride, dilation : sequences of int, one a spatial axis
        1 by default.
    padding : sequence of pairs, one a spatial axis
        Zeros before and behind; none by default.
    groups : int

    Returns
    -------
    scipy.sparse.csr_array, shape (product of the output shape, product of input_shape)
        Rows and columns in C order; `output_shape` gives the shape of the output.

    Raises
    ------
    InputError
        See `output_shape`.

    Examples
    --------
    >>> unroll_convolution(np.array([[[1.0, -1.0]]]), (1, 4), stride=[2]).toarray()
    array([[ 1., -1.,  0.,  0.],
           [ 0.,  0.,  1., -1.]])
    """
    axes = kernel.ndim - 2
    stride = [1] * axes if stride is None else stride
    dilation = [1] * axes if dilation is None else dilation
    padding = [(0, 0)] * axes if padding is None else padding
    out = output_shape(kernel.shape, input_shape, stride=stride, padding=padding, dilation=dilation, groups=groups)
    channels, *sizes = input_shape
    # Where tap k of output position o reads, axis by axis: o * stride + k * dilation - padding.
    reads = [
        np.arange(positions)[:, None] * jump + np.arange(window) * step - before
        for positions, window, jump, step, (before, _) in zip(
            out[1:], kernel.shape[2:], stride, dilation, padding, strict=True
        )
    ]
    position, tap, place = _taps_inside(reads, sizes)
    spatial_in, spatial_out = prod(sizes), prod(out[1:])
    taken = kernel.shape[1]
    # (output channel, channel of its group) pairs, each with every tap that lies inside.
    output = np.repeat(np.arange(out[0]), taken)
    channel = output // (out[0] // groups) * taken + np.tile(np.arange(taken), out[0])
    rows = output[:, None] * spatial_out + position
    columns = channel[:, None] * spatial_in + place
    values = kernel.reshape(out[0] * taken, -1)[:, tap]
    shape = (out[0] * spatial_out, channels * spatial_in)
    return sparse.csr_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=shape)


def _taps_inside(
    reads: list[NDArray[np.int64]], sizes: Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    """Output position, tap and input place of every tap that reads inside the input; reads[axis][position, tap]."""
    place = np.zeros((1, 1), dtype=np.int64)
    inside = np.ones((1, 1), dtype=bool)
    for read, size in zip(reads, sizes, strict=True):
        valid = (read >= 0) & (read < size)
        rows, taps = place.shape[0] * read.shape[0], place.shape[1] * read.shape[1]
        place = (place[:, None, :, None] * size + np.where(valid, read, 0)[None, :, None, :]).reshape(rows, taps)
        inside = (inside[:, None, :, None] & valid[None, :, None, :]).reshape(rows, taps)
    position, tap = np.nonzero(inside)
    return position, tap, place[position, tap]

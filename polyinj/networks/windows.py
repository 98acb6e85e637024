"""Windows that slide over the axes behind the batch and the channels: convolutions and pooling, as exact maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.networks.builder import Builder, Tensor, check_entries, check_size
from polyinj.networks.convolution import output_shape, unroll_convolution
from polyinj.networks.piecewise import maximum


@dataclass(frozen=True, slots=True)
class Windows:
    """How a window slides, one number (of padding: a pair) for each spatial axis."""

    window: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(
        cls,
        window: Sequence[int],
        stride: Sequence[int] | None = None,
        padding: Sequence[tuple[int, int]] | None = None,
        dilation: Sequence[int] | None = None,
    ) -> Windows:
        """With stride 1, no padding and no dilation where they are left out."""
        axes = len(window)
        return cls(
            tuple(window),
            tuple(stride or [1] * axes),
            tuple(padding or [(0, 0)] * axes),
            tuple(dilation or [1] * axes),
        )

    @property
    def reach(self) -> tuple[int, ...]:
        """How many places a window spans."""
        return tuple(step * (width - 1) + 1 for width, step in zip(self.window, self.dilation, strict=True))

    def same(self, sizes: Sequence[int], *, odd_behind: bool) -> Windows:
        """With the padding that gives ceil(size / stride) outputs; an odd zero stands behind or before."""
        if min(self.stride, default=1) < 1:
            raise InputError(f"strides are {list(self.stride)}; expected positive numbers")
        padding = []
        for size, reach, jump in zip(sizes, self.reach, self.stride, strict=True):
            missing = max((-(-size // jump) - 1) * jump + reach - size, 0)
            small, large = missing // 2, missing - missing // 2
            padding.append((small, large) if odd_behind else (large, small))
        return replace(self, padding=tuple(padding))

    def covering(self, sizes: Sequence[int]) -> Windows:
        """With so much padding behind that a last window, begun inside the input or before it, is whole."""
        padding = []
        for size, reach, jump, (before, behind) in zip(sizes, self.reach, self.stride, self.padding, strict=True):
            positions = -(-(size + before + behind - reach) // max(jump, 1)) + 1
            positions -= (positions - 1) * jump >= size + before
            padding.append((before, max(behind, (positions - 1) * jump + reach - size - before)))
        return replace(self, padding=tuple(padding))

    def shape(self, channels: int, sizes: Sequence[int]) -> tuple[int, ...]:
        """(channels, *spatial) behind the window; InputError where it does not fit."""
        return output_shape(
            (channels, 1, *self.window),
            (channels, *sizes),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=channels,
        )


def convolve(
    builder: Builder, tensor: Tensor, kernel: NDArray[Any], windows: Windows, groups: int, name: str
) -> Tensor:
    """A convolution, as the sparse matrix that it is."""
    _check_kernel(tensor, kernel)
    settings = _settings(windows, groups)
    inside = tensor.shape[1:]
    out = output_shape(kernel.shape, inside, **settings)
    check_entries(prod(out), prod(inside), prod(out) * (kernel.size // kernel.shape[0]))
    return builder.transform(tensor, unroll_convolution(kernel, inside, **settings), (1, *out), name)


def convolve_transposed(
    builder: Builder,
    tensor: Tensor,
    kernel: NDArray[Any],
    windows: Windows,
    extra: Sequence[int],
    groups: int,
    name: str,
) -> Tensor:
    """A transposed convolution: the transpose of the matrix of a convolution from its outputs to its inputs.

    The kernel has shape (inputs, outputs / groups, *window); `extra` rows of outputs stand behind on each axis.
    """
    _check_kernel(tensor, kernel)
    sizes = tensor.shape[2:]
    spatial = tuple(
        jump * (size - 1) + more + reach - sum(pads)
        for size, jump, more, reach, pads in zip(
            sizes, windows.stride, extra, windows.reach, windows.padding, strict=True
        )
    )
    out = (kernel.shape[1] * groups, *spatial)
    check_size(out if min(out) > 0 else (0,))
    settings = _settings(windows, groups)
    if tensor.shape[1] != kernel.shape[0] or output_shape(kernel.shape, out, **settings) != tensor.shape[1:]:
        raise InputError(
            f"a kernel of shape {kernel.shape} in {groups} group(s), strides {windows.stride}, padding "
            f"{windows.padding} and output padding {tuple(extra)} do not fit a tensor of shape {tensor.shape}"
        )
    check_entries(prod(out), prod(tensor.shape), prod(tensor.shape) * (kernel.size // kernel.shape[0]))
    matrix = unroll_convolution(kernel, out, **settings).T.tocsr()
    return builder.transform(tensor, matrix, (1, *out), name)


def average(builder: Builder, tensor: Tensor, windows: Windows, name: str, *, ceil: bool, padded: bool) -> Tensor:
    """The mean over each window; `padded`: of the padding too, else of the entries of the tensor alone."""
    _check_axes(tensor, windows)
    sizes = tensor.shape[2:]
    wide = windows.covering(sizes) if ceil else windows
    channels = tensor.shape[1]
    out = wide.shape(channels, sizes)
    check_entries(prod(out), prod(tensor.shape), prod(out) * prod(windows.window))
    ones = np.ones((channels, 1, *windows.window))
    matrix = unroll_convolution(ones, (channels, *sizes), **_settings(wide, channels))
    count = np.ones(out[1:])
    for axis, size in enumerate(sizes):
        before, behind = windows.padding[axis] if padded else (0, 0)
        reads = _reads(wide, axis, out[axis + 1])
        taken = ((reads >= -before) & (reads < size + behind)).sum(axis=1)
        count *= taken.reshape(-1, *[1] * (len(sizes) - axis - 1))
    if not count.all():
        raise InputError("a window reads nothing but padding")
    return builder.scale(builder.transform(tensor, matrix, (1, *out), name), count, name, divide=True)


def largest(builder: Builder, tensor: Tensor, windows: Windows, name: str, *, ceil: bool) -> Tensor:
    """The largest entry of each window, axis by axis; padding counts for nothing."""
    _check_axes(tensor, windows)
    sizes = tensor.shape[2:]
    windows = windows.covering(sizes) if ceil else windows
    out = windows.shape(tensor.shape[1], sizes)
    check_size((1, *out))
    for axis, size in enumerate(sizes):
        check_size((out[axis + 1], windows.window[axis]))
        reads = _reads(windows, axis, out[axis + 1])
        inside = (reads >= 0) & (reads < size)
        if not inside.any(axis=1).all():
            raise InputError("a window reads nothing but padding")
        # Instead of padding the first entry inside once more.
        reads = np.where(inside, reads, reads[np.arange(len(reads)), inside.argmax(axis=1)][:, None])
        check_size((*tensor.shape[: axis + 2], *reads.shape, *tensor.shape[axis + 3 :]))
        tensor = maximum(builder, [tensor.moved(np.take(tensor.view, taps, axis + 2)) for taps in reads.T], name)
    return tensor


def _reads(windows: Windows, axis: int, positions: int) -> NDArray[np.int64]:
    """Where each tap of each position reads on an axis, shape (positions, taps)."""
    start = np.arange(positions)[:, None] * windows.stride[axis] - windows.padding[axis][0]
    return np.asarray(start + np.arange(windows.window[axis]) * windows.dilation[axis])


def _settings(windows: Windows, groups: int) -> dict[str, Any]:
    return {
        "stride": windows.stride,
        "padding": windows.padding,
        "dilation": windows.dilation,
        "groups": groups,
    }


def _check_axes(tensor: Tensor, windows: Windows) -> None:
    if len(tensor.shape) != len(windows.window) + 2 or tensor.shape[0] != 1:
        raise InputError(
            f"windows of shape {windows.window} do not fit a tensor of shape {tensor.shape}; expected (batch, "
            "channels, *spatial)"
        )


def _check_kernel(tensor: Tensor, kernel: NDArray[Any]) -> None:
    if kernel.ndim < 3 or len(tensor.shape) != kernel.ndim or tensor.shape[0] != 1:
        raise InputError(
            f"a kernel of shape {kernel.shape} does not fit a tensor of shape {tensor.shape}; expected "
            "(batch, channels, *spatial)"
        )
    if kernel.dtype == object:
        raise InputError("the kernel holds integers beyond 2^53; expected floats")

"""Piecewise linear functions as sums of ReLUs: exactly, as maps of real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.networks.builder import Builder, Tensor

_MINUS = np.array(-1.0)


def negate(builder: Builder, tensor: Tensor, name: str) -> Tensor:
    """-x."""
    return builder.scale(tensor, _MINUS, name)


def subtract(builder: Builder, first: Tensor, second: Tensor, name: str) -> Tensor:
    """first - second."""
    return builder.add(first, negate(builder, second, name), name)


def leaky_relu(builder: Builder, tensor: Tensor, slope: NDArray[Any], name: str) -> Tensor:
    """x where x >= 0, else slope x, as ReLU(x) - slope ReLU(-x); the slopes broadcast to the tensor."""
    if not slope.any():
        return builder.relu(tensor, name)
    plus = builder.relu(tensor, name)
    minus = builder.relu(negate(builder, tensor, name), name)
    return builder.add(plus, builder.scale(minus, -slope, name), name)


def absolute(builder: Builder, tensor: Tensor, name: str) -> Tensor:
    """|x| = ReLU(x) + ReLU(-x)."""
    return leaky_relu(builder, tensor, _MINUS, name)


def clip(builder: Builder, tensor: Tensor, lower: NDArray[Any] | None, upper: NDArray[Any] | None, name: str) -> Tensor:
    """x cut to [lower, upper], as lower + ReLU(x - lower) - ReLU(x - upper); None: no bound on that side."""
    if lower is not None and upper is not None and not np.all(lower <= upper):
        raise InputError(f"it cuts to [{np.ravel(lower)[0]}, {np.ravel(upper)[0]}]; expected the smaller bound first")
    if lower is None:
        if upper is None:
            return tensor
        flipped = clip(builder, negate(builder, tensor, name), -upper, None, name)
        return negate(builder, flipped, name)
    above = builder.relu(_shifted(builder, tensor, -lower, name), name)
    if upper is not None:
        beyond = builder.relu(_shifted(builder, tensor, -upper, name), name)
        above = subtract(builder, above, beyond, name)
    return _shifted(builder, above, lower, name)


def maximum(builder: Builder, tensors: Sequence[Tensor], name: str) -> Tensor:
    """The largest of tensors, entry by entry, in pairs: max(a, b) = b + ReLU(a - b)."""
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    joined = builder.join(tensors)
    left = joined[0].moved(np.stack([np.broadcast_to(tensor.view, shape) for tensor in joined]))
    while (number := left.shape[0]) > 1:
        pairs, odd = left.view[: number - number % 2], left.view[number - number % 2 :]
        larger = _larger(builder, left.moved(pairs[::2]), left.moved(pairs[1::2]), name)
        if len(odd):
            larger, rest = builder.join([larger, left.moved(odd)])
            larger = larger.moved(np.concatenate([larger.view, rest.view]))
        left = larger
    return left.moved(left.view[0])


def minimum(builder: Builder, tensors: Sequence[Tensor], name: str) -> Tensor:
    """The smallest of tensors, entry by entry."""
    return negate(builder, maximum(builder, [negate(builder, tensor, name) for tensor in tensors], name), name)


def _larger(builder: Builder, first: Tensor, second: Tensor, name: str) -> Tensor:
    """Of two tensors of one shape; the forms they share where one stands twice take no ReLU."""
    first, second = builder.join([first, second])
    apart = first.view != second.view
    if not apart.any():
        return first
    a, b = first.moved(first.view[apart]), second.moved(second.view[apart])
    step = builder.relu(subtract(builder, a, b, name), name)
    # A sum of several neurons becomes one, which stands in the layer of the step.
    base = builder.place(b, name) if b.compact().forms.counts.max() > 1 else b
    larger, same = builder.join([builder.add(base, step, name), first])
    view = same.view.copy()
    view[apart] = larger.view
    return replace(larger, view=view)


def _shifted(builder: Builder, tensor: Tensor, offset: NDArray[Any], name: str) -> Tensor:
    return builder.shift(tensor, offset, name) if offset.any() else tensor

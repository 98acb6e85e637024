"""The input of a ReLU layer from its output."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.domain import Ball, Box
from polyinj.errors import InputError
from polyinj.exact.arrays import near_one, nearest_doubles, read_matrix, read_vector

_UNIT = 2.0**-53


def reconstruct(
    weights: ArrayLike,
    outputs: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    tolerance: float = 1e-9,
    domain: Box | Ball | None = None,
) -> NDArray[np.float64]:
    """The input x that a layer maps to y = ReLU(W x + b): least squares on the rows where y is positive.

    Parameters
    ----------
    weights : array_like, shape (m, n)
    outputs : array_like, shape (m,) or (k, m)
        One output, or one a row.
    bias : array_like, shape (m,), optional
    tolerance : float
        Largest error accepted in entry i of ReLU(W x + b) - y, as a multiple of sum_j |w_ij x_j| + |b_i| + |y_i|.
    domain : Box or Ball, optional
        Where the input is known to lie. Least squares is the reconstruction by the canonical dual of the active rows
        (Haider, Ehler, Balazs 2024, arXiv:2406.15856); a layer that is injective on the domain has enough of them at
        each of its inner points.

    Returns
    -------
    ndarray of float64, shape (n,) or (k, n)

    Raises
    ------
    InputError
        An output that is not in the range of the layer on the domain to the tolerance, or whose positive rows do not
        determine x: their smallest singular value is at most max(m, n) 2^-52 times the largest one of W. In an
        injective layer this happens only where some w_i.x + b_i vanishes.

    Examples
    --------
    >>> reconstruct([[1, 0], [0, 1], [-1, 0], [0, -1]], [3, 0, 0, 2])
    array([ 3., -2.])
    """
    matrix = nearest_doubles(read_matrix(weights), "weights")
    if domain is not None and domain.columns != matrix.shape[1]:
        raise InputError(f"domain is {domain!r}; expected {matrix.shape[1]} columns")
    rows, columns = matrix.shape
    shift = np.zeros(rows) if bias is None else nearest_doubles(read_vector(bias, rows), "bias")
    single = np.ndim(outputs) == 1
    batch = nearest_doubles(read_matrix(np.atleast_2d(np.asarray(outputs)), "outputs"), "outputs")
    if batch.shape[1] != rows:
        raise InputError(
            f"outputs has shape {np.shape(outputs)}; expected ({rows},) or (k, {rows}), one entry a neuron"
        )
    # Powers of two make the largest weight, and the largest output or bias, about 1: no product overflows.
    matrix, down = near_one(matrix)
    threshold = max(rows, columns) * 2 * _UNIT * np.linalg.norm(matrix, 2)
    inputs = np.empty((len(batch), columns))
    for t, y in enumerate(batch):
        scaled, up = near_one(np.stack([y, shift]))
        x = _least_squares(matrix, y > 0, scaled[0] - scaled[1], threshold, f"outputs[{t}]")
        image = np.maximum(matrix @ x + scaled[1], 0.0)
        scale = np.abs(matrix) @ np.abs(x) + np.abs(scaled[1]) + np.abs(scaled[0])
        if (wrong := np.abs(image - scaled[0]) > tolerance * scale).any():
            i = int(np.argmax(wrong))
            with np.errstate(over="ignore"):
                found = np.ldexp(image[i], up)
            raise InputError(
                f"outputs[{t}, {i}] is {y[i]!r}, and the layer gives {found!r} at the x found: "
                f"no input has this output to the tolerance {tolerance}"
            )
        with np.errstate(over="ignore"):
            inputs[t] = np.ldexp(x, up - down)
        if domain is not None and not _is_near(inputs[t], domain, tolerance):
            raise InputError(f"outputs[{t}] is the image of {inputs[t].tolist()}, which is not in {domain!r}")
        if not np.isfinite(inputs[t]).all():
            raise InputError(f"the input of outputs[{t}] is beyond the range of doubles; try smaller outputs")
    return inputs[0] if single else inputs


def _is_near(x: NDArray[np.float64], domain: Box | Ball, tolerance: float) -> bool:
    """Whether a point is in the domain, or as near to it as the tolerance lets inputs be off."""
    if isinstance(domain, Ball):
        centre, radius = np.array([float(entry) for entry in domain.centre]), float(domain.radius)
        return bool(np.linalg.norm(x - centre) <= radius + tolerance * (radius + np.linalg.norm(centre)))
    sides = [
        (-np.inf if a is None else float(a), np.inf if b is None else float(b))
        for a, b in zip(domain.lower, domain.upper, strict=True)
    ]
    off = tolerance * (1 + np.abs(x))
    return all(low - e <= entry <= high + e for (low, high), entry, e in zip(sides, x, off, strict=True))


def _least_squares(
    matrix: NDArray[np.float64], active: NDArray[np.bool_], values: NDArray[np.float64], threshold: float, name: str
) -> NDArray[np.float64]:
    """x from the values of the active rows; InputError if too few singular values are above the threshold."""
    columns = matrix.shape[1]
    known = 0
    if active.any():
        left, singular, right = np.linalg.svd(matrix[active], full_matrices=False)
        known = int(np.count_nonzero(singular > threshold))
    if known < columns:
        raise InputError(
            f"{name} has {int(active.sum())} positive entries, whose rows have rank {known}; "
            f"x in R^{columns} is determined only by rank {columns}"
        )
    return np.asarray(right.T @ ((left.T @ values[active]) / singular))

"""What else is said of Lipschitz constants: the product of norms above, sampled gradients below. Both in floats."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.domain import Ball, Box
from polyinj.errors import InputError
from polyinj.exact.arrays import near_one, nearest_doubles, read_matrix, read_vector
from polyinj.injectivity.domain_lines import draw_inputs

Floats = NDArray[np.float64]


def norm_product(weights: ArrayLike, output: ArrayLike) -> float:
    """|A|_2 |W|_2, the product of the largest singular values: a bound of the constant for norm 2, to float accuracy.

    inf where that is beyond the range of doubles.

    Raises
    ------
    InputError
        Entries that are no numbers, or beyond the range of doubles.

    Examples
    --------
    >>> norm_product([[3, 0], [0, 4]], [3, 4])
    20.0
    """
    (rows, up), (matrix, more) = (
        near_one(_read_output(output)),
        near_one(nearest_doubles(read_matrix(weights), "weights")),
    )
    return _scaled(float(np.linalg.norm(rows, 2) * np.linalg.norm(matrix, 2)), up + more)


def sampled_lipschitz(
    weights: ArrayLike,
    bias: ArrayLike | None,
    output: ArrayLike,
    *,
    samples: int,
    seed: int,
    domain: Box | Ball | None = None,
) -> float:
    """The largest norm (2) of a Jacobian at `samples` random inputs: what a sampler would report. No bound is proven.

    Inputs are drawn as by `polyinj.injectivity.domain_lines.draw_inputs`.

    Examples
    --------
    >>> sampled_lipschitz([[1.0], [-1.0]], [0.0, 0.0], [3, 1], samples=100, seed=0)
    3.0
    """
    if samples < 1:
        raise InputError(f"samples is {samples}; expected an integer >= 1")
    rows, columns = nearest_doubles(read_matrix(weights), "weights"), _read_output(output)
    if columns.shape[1] != len(rows):
        raise InputError(f"output has shape {columns.shape}; expected (outputs, {len(rows)}), one column a neuron")
    offsets = np.zeros(len(rows)) if bias is None else nearest_doubles(read_vector(bias, len(rows)), "bias")
    points, _ = draw_inputs(np.random.default_rng(seed), samples, domain, rows, offsets)
    (scaled, up), (factors, more) = near_one(rows), near_one(columns)
    best = 0.0
    for part in np.array_split(points, max(1, samples // 1024)):
        # An input whose values overflow is as good as any other: nothing is proven by it.
        with np.errstate(over="ignore", invalid="ignore"):
            active = part @ rows.T + offsets > 0
        jacobians = (factors[None] * active[:, None, :]) @ scaled
        best = max(best, float(np.linalg.norm(jacobians, 2, axis=(1, 2)).max()))
    return _scaled(best, up + more)


def _read_output(output: ArrayLike) -> Floats:
    return nearest_doubles(read_matrix(np.atleast_2d(np.asarray(output)), "output"), "output")


def _scaled(value: float, exponent: int) -> float:
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.inf

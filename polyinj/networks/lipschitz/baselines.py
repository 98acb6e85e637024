"""What else is said of Lipschitz constants: the product of norms above, sampled gradients below. Both in floats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from polyinj.errors import InputError
from polyinj.injectivity.domain import Ball, Box
from polyinj.networks.lipschitz.ascent import draw_inputs


def norm_product(weights: ArrayLike, output: ArrayLike) -> float:
    """|A|_2 |W|_2, the product of the largest singular values: a bound of the constant for norm 2, to float accuracy.

    Examples
    --------
    >>> norm_product([[3, 0], [0, 4]], [3, 4])
    20.0
    """
    rows = np.atleast_2d(np.asarray(output, dtype=np.float64))
    return float(np.linalg.norm(rows, 2) * np.linalg.norm(np.asarray(weights, dtype=np.float64), 2))


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

    Inputs are drawn as by `polyinj.networks.lipschitz.ascent.draw_inputs`.

    Examples
    --------
    >>> sampled_lipschitz([[1.0], [-1.0]], [0.0, 0.0], [3, 1], samples=100, seed=0)
    3.0
    """
    if samples < 1:
        raise InputError(f"samples is {samples}; expected an integer >= 1")
    rows = np.asarray(weights, dtype=np.float64)
    offsets = np.zeros(len(rows)) if bias is None else np.asarray(bias, dtype=np.float64)
    columns = np.atleast_2d(np.asarray(output, dtype=np.float64))
    points, _ = draw_inputs(np.random.default_rng(seed), samples, domain, rows, offsets)
    best = 0.0
    for part in np.array_split(points, max(1, samples // 1024)):
        active = part @ rows.T + offsets > 0
        jacobians = (columns[None] * active[:, None, :]) @ rows
        best = max(best, float(np.linalg.norm(jacobians, 2, axis=(1, 2)).max()))
    return best

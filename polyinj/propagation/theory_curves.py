"""Which predictions of theory speak of which random network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polyinj.propagation.random_network import RandomNetwork
from polyinj.theory.finite_width import expected_log_sin2, log_length_step
from polyinj.theory.propagation import batch_norm_cosine, equal_cosine_observables, mean_field

Floats = NDArray[np.float64]


def predict(network: RandomNetwork, cosine: float, batch: int, layers: Sequence[int]) -> dict[str, Floats]:
    """Predictions for observables, shape (len(layers),) each: what infinite width says, and what is known beyond it.

    Inputs have mean square 1 and one cosine between any two. The infinitely wide ones (`equal_cosine_observables` of
    `mean_field`) hold for Gaussian and orthogonal weights; with batch normalisation only the limit in depth is known
    (`batch_norm_cosine`), and only without a residual branch. `finite_log_sin2`, `finite_log_sin2_std` (of one
    pair, over networks) and `finite_log_length` are those of the stated width, for plain Gaussian networks (the length
    for orthogonal ones too). Layer 0 is the input itself.

    Returns
    -------
    dict of str to ndarray
        Empty for the identity.
    """
    if network.initialisation == "identity":
        return {}
    at = np.array(layers)
    if network.normalisation == "batch":
        if network.residual or network.centred:
            return {}
        limit = batch_norm_cosine(batch)
        return equal_cosine_observables(np.log1p(-np.where(at > 0, limit, cosine)), batch)
    field = mean_field(
        network.depth,
        cosine,
        weight_std=network.weight_std,
        bias_std=network.bias_std,
        centred=network.centred,
        layer_norm=network.normalisation == "layer",
        residual=network.residual,
    )
    found = equal_cosine_observables(np.append(math.log1p(-cosine), field.log_gap)[at], batch)
    found["log_length"] = np.append(0.0, field.log_length)[at]
    plain = not (network.bias_std or network.normalisation or network.centred or network.residual)
    if plain and network.width >= 3:
        step = log_length_step(network.width, orthogonal=network.initialisation == "orthogonal").mean
        found["finite_log_length"] = at * (step + 2 * math.log(network.weight_std) - math.log(2))
        if network.initialisation == "gaussian":
            mean, deviation = expected_log_sin2(cosine, network.width, network.depth)
            found["finite_log_sin2"] = np.append(math.log1p(-cosine * cosine), mean)[at]
            found["finite_log_sin2_std"] = np.append(0.0, deviation)[at]
    return found

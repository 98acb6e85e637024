"""Which predictions of theory speak of which random network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polyinj.propagation.random_network import RandomNetwork
from polyinj.theory.finite_width import expected_log_sin2, log_length_step
from polyinj.theory.propagation import batch_norm_cosine, equal_cosine_observables, mean_field
from polyinj.theory.wide_gram import wide_gram

Floats = NDArray[np.float64]


def predict_given(network: RandomNetwork, gram: Floats, layers: Sequence[int]) -> dict[str, Floats]:
    """Predictions for given inputs: `WideGram.observables`, infinitely wide, and the lengths of this width.

    Returns
    -------
    dict of str to ndarray
        Empty for the identity and for batch normalisation; for centred weights, which take the mean off the inputs;
        and where an input is 0.
    """
    if network.initialisation == "identity" or network.normalisation == "batch" or network.centred:
        return {}
    if not (np.diagonal(gram) > 0).all():
        return {}
    found = wide_gram(
        gram,
        layers,
        weight_std=network.weight_std,
        bias_std=network.bias_std,
        layer_norm=network.normalisation == "layer",
        residual=network.residual,
    ).observables()
    if _is_plain(network):
        found["finite_log_length"] = float(np.log(np.diagonal(gram)).mean()) + _finite_log_length(network, layers)
    return found


def _is_plain(network: RandomNetwork) -> bool:
    return network.width >= 3 and not (network.bias_std or network.normalisation or network.centred or network.residual)


def _finite_log_length(network: RandomNetwork, layers: Sequence[int]) -> Floats:
    step = log_length_step(network.width, orthogonal=network.initialisation == "orthogonal").mean
    return np.array(layers) * (step + 2 * math.log(network.weight_std) - math.log(2))


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
    if _is_plain(network):
        found["finite_log_length"] = _finite_log_length(network, layers)
        if network.initialisation == "gaussian":
            mean, deviation = expected_log_sin2(cosine, network.width, network.depth)
            found["finite_log_sin2"] = np.append(math.log1p(-cosine * cosine), mean)[at]
            found["finite_log_sin2_std"] = np.append(0.0, deviation)[at]
    return found

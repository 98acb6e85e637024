"""Power law or exponential? Local exponents of an observable against depth.

Labatie (2019, arXiv:1811.03087): the ratio of the second moments of noise and signal grows exponentially with depth in
feedforward networks with batch normalisation, and like a power of depth in residual ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import t as student

from polyinj.errors import InputError
from polyinj.propagation.result import Propagation


@dataclass(frozen=True, slots=True)
class LocalExponent:
    """The mean over networks of d observable / d ln(layer) between two layers, with its 95 % interval (Student).

    Of an observable that is a logarithm, such as `log_sensitivity`: where that behaves like layer^p the exponent is p
    everywhere, where it behaves like exp(r layer) the exponent is r layer and grows.
    """

    first: int
    last: int
    exponent: float
    low: float
    high: float


def local_exponents(run: Propagation, observable: str, *, first: int, parts: int = 2) -> tuple[LocalExponent, ...]:
    """Slopes of an observable against ln(layer), by least squares in each network, in ranges of equal ratio of layers.

    Parameters
    ----------
    run : Propagation
        Of at least two networks.
    observable : str
        Defined at all layers from `first` on.
    first : int
        Layer from which on, at least 1.
    parts : int
        How many ranges; each needs three recorded layers.

    Raises
    ------
    InputError
        A single network, too few layers, an observable that is unknown or undefined somewhere.

    Examples
    --------
    >>> from polyinj import RandomNetwork, propagate
    >>> law = RandomNetwork(width=32, depth=64, normalisation="batch")
    >>> run = propagate(law, batch=16, networks=3, seed=0)
    >>> early, late = local_exponents(run, "log_sensitivity", first=4)
    >>> early.exponent < late.low  # no power law
    True
    """
    values, layers = run.observable(observable), np.array(run.layers)
    if len(values) < 2 or first < 1 or parts < 1:
        raise InputError(
            f"{len(values)} networks, first is {first}, parts is {parts}; expected two networks, first >= 1, parts >= 1"
        )
    edges = np.geomspace(first, max(layers[-1], first), parts + 1)
    found = []
    for low, high in pairwise(edges):
        # Edges are powers of a ratio, rounded: a layer on one belongs to both ranges.
        inside = (layers >= low * (1 - 1e-9)) & (layers <= high * (1 + 1e-9))
        if inside.sum() < 3:
            raise InputError(
                f"{inside.sum()} layers were recorded from {low:.4g} to {high:.4g}; expected 3 or more: try "
                "more depth, or fewer parts"
            )
        if not np.isfinite(values[:, inside]).all():
            raise InputError(
                f"{observable} is undefined or infinite in some network; expected an observable with values everywhere"
            )
        slopes = np.polyfit(np.log(layers[inside]), values[:, inside].T, 1)[0]
        half = float(student.ppf(0.975, len(slopes) - 1) * slopes.std(ddof=1) / math.sqrt(len(slopes)))
        mean = float(slopes.mean())
        ends = layers[inside][[0, -1]]
        found.append(LocalExponent(int(ends[0]), int(ends[1]), mean, mean - half, mean + half))
    return tuple(found)

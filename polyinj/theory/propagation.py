"""Mean-field theory of signal propagation: lengths and cosines of inputs behind random ReLU layers of infinite width.

Weights have independent entries of mean 0 and variance sigma_w^2 / fan-in, biases of variance sigma_b^2 (Poole et al.
2016, arXiv 1606.05340; Schoenholz et al. 2017, arXiv 1611.01232). Orthogonal weights have the same limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.theory.cosine_map import arc_cosine_map, read_cosines
from polyinj.theory.wide_gram import MEAN_SHARE, WideLayers

Floats = NDArray[np.float64]

# Gain of mean-centred weights that keeps lengths, squared: 2 / (1 - 1/pi) (Brock et al. 2021, arXiv 2101.08692).
CENTRED_VARIANCE = 2 / (1 - MEAN_SHARE)


def cosine_sequence(cosine: float, depth: int) -> Floats:
    """The cosines behind layers 1..depth of infinitely wide ReLU layers without bias, shape (depth,).

    Examples
    --------
    >>> print(cosine_sequence(0, 5).round(6))
    [0.31831  0.493731 0.604826 0.680954 0.735946]
    """
    return mean_field(depth, cosine).cosine


@dataclass(frozen=True, slots=True, eq=False)
class MeanField:
    """What an infinitely wide random network does to two inputs of equal length.

    Attributes
    ----------
    log_length : ndarray, shape (depth,)
        Natural logarithm of the mean square of the entries behind layers 1..depth.
    log_gap : ndarray, shape (depth,)
        ln(1 - cosine of the two).
    """

    log_length: Floats
    log_gap: Floats

    @property
    def cosine(self) -> Floats:
        """Of the two."""
        return -np.expm1(self.log_gap)


def mean_field(
    depth: int,
    cosine: float,
    *,
    length: float = 1.0,
    weight_std: float = math.sqrt(2),
    bias_std: float = 0.0,
    centred: bool = False,
    layer_norm: bool = False,
    residual: float = 0.0,
) -> MeanField:
    """Mean-field length and correlation maps, iterated.

    Behind z = Wx + b the two inputs have mean square Q = sigma_w^2 q + sigma_b^2 and cosine
    (sigma_w^2 q c + sigma_b^2) / Q. A ReLU halves the mean square and maps the cosine by `arc_cosine_map`.

    Parameters
    ----------
    depth : int
        Layers, at least 1.
    cosine : float
        Of the two inputs, in [-1, 1].
    length : float
        Mean square q of the entries of either input, positive.
    weight_std, bias_std : float
        sigma_w and sigma_b.
    centred : bool
        Rows of weights sum to 0, so that they see a rectified Gaussian without its mean: of its mean square the share
        1 - 1/pi is left, and 1 - c grows by the factor 1 / (1 - 1/pi). Inputs have mean 0.
    layer_norm : bool
        Each z is normalised before the ReLU: Q = 1, and the cosine stays.
    residual : float
        If positive, layers are x -> x + residual * V ReLU(Wx + b), V with entries of variance 1 / fan-in.

    Raises
    ------
    InputError
        depth < 1, cosine outside [-1, 1], length not positive, a negative number elsewhere, no variance at all.

    Examples
    --------
    >>> field = mean_field(2, 0.5, weight_std=1.0)
    >>> print(np.exp(field.log_length), field.cosine.round(4))
    [0.5  0.25] [0.609  0.6839]
    """
    if depth < 1:
        raise InputError(f"depth is {depth}; expected an integer >= 1")
    if not 0 < length < math.inf:
        raise InputError(f"length is {length}; expected a positive number")
    law = WideLayers(weight_std, bias_std, centred, layer_norm, residual)
    with np.errstate(divide="ignore"):
        gap = np.log1p(-read_cosines([cosine]))
    pair = np.array([0]), np.array([1])
    states = islice(law.iterate(np.full(2, math.log(length)), gap, pair), depth)
    lengths, gaps = zip(*((state.log_lengths[0], state.log_gaps[0]) for state in states), strict=True)
    return MeanField(np.array(lengths), np.array(gaps))


def length_fixed_point(weight_std: float, bias_std: float) -> float:
    """The mean square of z = Wx + b that stays: sigma_b^2 / (1 - sigma_w^2 / 2); inf where lengths grow for ever.

    Examples
    --------
    >>> round(length_fixed_point(1.0, 0.5), 6)
    0.5
    """
    slope = weight_std * weight_std / 2
    return bias_std * bias_std / (1 - slope) if slope < 1 else math.inf if bias_std or slope > 1 else math.nan


def correlation_depth(weight_std: float) -> float:
    """Layers over which 1 - c falls by the factor e near c = 1: -1 / ln(sigma_w^2 / 2) (Schoenholz et al. 2017).

    inf for sigma_w^2 >= 2, where the fall is a power law.

    Examples
    --------
    >>> round(correlation_depth(1.0), 4)
    1.4427
    """
    slope = weight_std * weight_std / 2
    return -1 / math.log(slope) if 0 < slope < 1 else 0.0 if slope == 0 else math.inf


def batch_norm_cosine(batch: int) -> float:
    """Cosine behind a ReLU where batch normalisation has made all inputs of the batch alike, at infinite width.

    Normalised entries of one channel sum to 0 over the batch, so if all pairs have one cosine it is -1 / (batch - 1),
    and a radius does not change a cosine: behind the ReLU it is arc_cosine_map(-1 / (batch - 1)). That this symmetric
    point is where batch-normalised networks go is a result of Yang et al. 2019, arXiv 1902.08129.

    Examples
    --------
    >>> round(batch_norm_cosine(33), 4)
    0.3028
    """
    if batch < 2:
        raise InputError(f"batch is {batch}; expected at least 2 inputs")
    return float(arc_cosine_map(-1 / (batch - 1)))


def equal_cosine_observables(log_gap: ArrayLike, batch: int) -> dict[str, Floats]:
    """The observables of a batch of equally long inputs with one cosine c between any two.

    The Gram matrix has the eigenvalue 1 + (B - 1) c once and 1 - c otherwise, so that all but the last are functions of
    c: stable rank B / (1 + (B - 1) c); (tr G)^2 / |G|_F^2 = B / (1 + (B - 1) c^2); orthogonality gap
    c ((B - 1) / B)^(1/2); mean shift (1 + (B - 1) c) / B, one over the stable rank. The covariance is isotropic, for
    any c: from differences of B/2 disjoint pairs, its effective rank is B/2.

    Parameters
    ----------
    log_gap : array_like of float
        ln(1 - c), at most 0.
    batch : int
        Inputs B, at least 2.

    Examples
    --------
    >>> seen = equal_cosine_observables(math.log(0.5), 3)
    >>> print(seen["stable_rank"].round(9), seen["rank_bound"].round(9))
    1.5 2.0
    """
    if batch < 2:
        raise InputError(f"batch is {batch}; expected at least 2 inputs")
    logarithm = np.asarray(log_gap, dtype=np.float64)
    gap = np.exp(logarithm)
    c = 1 - gap
    top = 1 + (batch - 1) * c
    return {
        "cosine": c,
        "gap": gap,
        "log_sin2": logarithm + np.log1p(c),
        "stable_rank": batch / top,
        "rank_bound": batch / (1 + (batch - 1) * c * c),
        "orthogonality_gap": c * math.sqrt((batch - 1) / batch),
        "mean_shift": top / batch,
        "effective_rank": np.full_like(gap, batch // 2),
    }

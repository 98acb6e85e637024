"""Mean-field theory of signal propagation: lengths and cosines of inputs behind random ReLU layers of infinite width.

Weights have independent entries of mean 0 and variance sigma_w^2 / fan-in, biases of variance sigma_b^2 (Poole et al.
2016, arXiv 1606.05340; Schoenholz et al. 2017, arXiv 1611.01232). Orthogonal weights have the same limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError

Floats = NDArray[np.float64]

# Share of a rectified Gaussian's second moment that is its squared mean: (1 / (2 pi)) / (1 / 2).
MEAN_SHARE = 1 / math.pi
# Gain of mean-centred weights that keeps lengths, squared: 2 / (1 - 1/pi) (Brock et al. 2021, arXiv 2101.08692).
CENTRED_VARIANCE = 2 / (1 - MEAN_SHARE)


def arc_cosine_map(cosine: ArrayLike) -> Floats:
    """The cosine of two inputs behind one infinitely wide ReLU layer without bias, from that before it.

    [sqrt(1 - c^2) + (pi - arccos c) c] / pi, the normalised arc-cosine kernel of degree 1 (Cho and Saul 2009). Its only
    fixed point is 1, which is approached like 1 - c_l ~ 9 pi^2 / (2 l^2).

    Parameters
    ----------
    cosine : array_like of float
        In [-1, 1]. A number up to 2^-50 outside, as rounding leaves the cosine of two parallel vectors, is read as the
        end that it passed.

    Returns
    -------
    ndarray of float64
        Of the shape of the argument; relative errors are a few 2^-53, also where c is near -1 and the cosine near 0.

    Raises
    ------
    InputError
        A number further outside, or none.

    Examples
    --------
    >>> print(arc_cosine_map([-1, 0, 1]).round(6))
    [0.      0.31831 1.     ]
    >>> print(arc_cosine_map(-1 + 2.0**-40))
    2.6029997490712676e-19
    """
    c = read_cosines(cosine)
    # Near 1 the gap to 1 is known best, near -1 the cosine itself: s = pi - arccos c has pi k = sin s - s cos s.
    behind = _sine_beyond(2 * np.arcsin(np.sqrt((1 + np.minimum(c, 0)) / 2))) / np.pi
    return np.asarray(np.where(c < 0, behind, 1 - _gap_behind_relu(1 - np.maximum(c, 0))))


def read_cosines(cosine: ArrayLike) -> Floats:
    """Cosines as doubles in [-1, 1]; what rounding put outside, by at most 2^-50, is moved to the end it passed."""
    try:
        c = np.asarray(cosine, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"cosine is no array of real numbers ({error}); expected cosines of angles") from None
    if not (np.abs(c) <= 1 + 2.0**-50).all():
        raise InputError(f"cosine has an entry outside [-1, 1], {c.min()} to {c.max()}; expected cosines of angles")
    return np.clip(c, -1.0, 1.0)


def _sine_beyond(angle: Floats) -> Floats:
    """sin t - t cos t, which is t^3/3 near 0, to full relative precision."""
    square = angle * angle
    series = np.zeros_like(angle)
    for k in range(10, 0, -1):
        series = 2 * k / math.factorial(2 * k + 1) - square * series
    return np.where(angle < 1, angle * square * series, np.sin(angle) - angle * np.cos(angle))


def _gap_behind_relu(gap: ArrayLike) -> Floats:
    """1 - c behind a ReLU from 1 - c before it, both to full relative precision.

    With c = cos t: 1 - k = (1 - cos t) - (sin t - t cos t) / pi.
    """
    before = np.asarray(gap, dtype=np.float64)
    angle = 2 * np.arcsin(np.sqrt(before / 2))
    return np.asarray(before - _sine_beyond(angle) / np.pi)


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
    _check(depth, length, weight_std, bias_std, residual)
    seen = 1 - MEAN_SHARE if centred else 1.0
    log_weight, log_bias = 2 * _log(weight_std), 2 * _log(bias_std)
    log_q, log_gap = math.log(length), _log(1.0 - float(read_cosines(cosine)))
    # Of what the next weights see: the input, or a rectified Gaussian less its mean.
    log_input, log_input_gap = log_q, log_gap
    lengths, gaps = np.empty(depth), np.empty(depth)
    for layer in range(depth):
        log_pre = np.logaddexp(log_weight + log_input, log_bias)
        log_before = log_input_gap + log_weight + log_input - log_pre
        log_relu = (0.0 if layer_norm else log_pre) - math.log(2)
        # Below e^-600 the map is the identity to the last bit, and its argument is kept from vanishing.
        seen_gap = math.exp(max(log_before, -600.0))
        log_relu_gap = log_before + math.log(_gap_behind_relu(seen_gap) / seen_gap)
        if residual:
            log_branch = 2 * math.log(residual) + log_relu + math.log(seen)
            log_total = np.logaddexp(log_q, log_branch)
            parts = log_q + log_gap, log_branch + log_relu_gap - math.log(seen)
            log_q, log_gap = log_total, np.logaddexp(*parts) - log_total
            log_input, log_input_gap = log_q, log_gap
        else:
            log_q, log_gap = log_relu, log_relu_gap
            log_input, log_input_gap = log_q + math.log(seen), log_gap - math.log(seen)
        lengths[layer], gaps[layer] = log_q, log_gap
    return MeanField(lengths, gaps)


def _check(depth: int, length: float, weight_std: float, bias_std: float, residual: float) -> None:
    if depth < 1:
        raise InputError(f"depth is {depth}; expected an integer >= 1")
    if not 0 < length < math.inf:
        raise InputError(f"length is {length}; expected a positive number")
    for name, value in (("weight_std", weight_std), ("bias_std", bias_std), ("residual", residual)):
        if not 0 <= value < math.inf:
            raise InputError(f"{name} is {value}; expected a number >= 0")
    if not weight_std and not bias_std:
        raise InputError(
            "weight_std and bias_std are 0; expected one of them to be positive, as vectors 0 have no angle"
        )


def _log(value: float) -> float:
    return math.log(value) if value else -math.inf


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

"""What is recorded of the activations behind a layer: each published observable in its own terms.

The batch is B inputs in P = B/2 pairs; A is the (B, m) matrix of their activations, G = A A^T its Gram matrix. Probes
are pairs at an angle of 10^-100, for derivatives. All but `log_length` and `dead` do not depend on the scale of A.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from polyinj.propagation.vector_pairs import Pairs, Scaled

OBSERVABLES: dict[str, str] = {
    "log_length": "mean over inputs of ln(|x|^2 / m) (Poole et al. 2016: length map)",
    "cosine": "mean cosine of all pairs (Cho and Saul 2009; Schoenholz et al. 2017: correlation map)",
    "gap": "mean of 1 - cosine over the P given pairs, to full relative precision",
    "log_sin2": "mean of ln sin^2(angle) over the P given pairs (Jakub and Nica 2023)",
    "log_sin2_pair": "ln sin^2(angle) of the first pair alone",
    "stable_rank": "|A|_F^2 / |A|_2^2",
    "numerical_rank": "singular values of A above max(B, m) eps |A|_2, eps of the type of A (Daneshmand et al. 2020)",
    "rank_bound": "(tr G)^2 / |G|_F^2, at most the rank (Daneshmand et al. 2020)",
    "orthogonality_gap": "|G / tr G - I / B|_F (Daneshmand et al. 2021)",
    "mean_shift": "sum over channels of mean^2, over that of mean^2 + variance (Brock et al. 2021)",
    "effective_rank": "tr C / |C|_2, C = sum of (y - x)(y - x)^T over the P pairs: a covariance (Labatie 2019)",
    "log_sensitivity": "ln of the growth of noise over that of signal since the input, both rms (Labatie 2019)",
    "dead": "share of inputs whose activations are all zero",
}


class Observer:
    """Reads the observables off the activations, layer by layer; the first call is for the inputs."""

    def __init__(self, pairs: int) -> None:
        self._pairs = pairs
        self._start = math.nan

    def observe(self, state: Pairs) -> dict[str, float]:
        """The observables, in the order of OBSERVABLES; nan where all inputs are dead."""
        batch, probes = state.take(slice(0, self._pairs)), state.take(slice(self._pairs, None))
        x, y = batch.first, batch.second()
        both = Scaled(np.concatenate([x.values, y.values]), np.concatenate([x.logs, y.logs]))
        alive = np.isfinite(both.logs)
        values = {name: math.nan for name in OBSERVABLES}
        values["dead"] = float(1 - alive.mean())
        if not alive.any():
            return values
        gap, log_sin2 = batch.angles()
        spread = _rms(batch.difference())
        values |= {
            "log_length": float(2 * both.logs[alive].mean() - math.log(both.values.shape[1])),
            "cosine": _mean_cosine(both.values[alive]),
            "gap": _mean(gap),
            "log_sin2": _mean(log_sin2),
            "log_sin2_pair": float(log_sin2[0]),
            "effective_rank": _effective_rank(batch.difference()),
        }
        if len(probes.log_ratio):
            excess = _rms(probes.difference()) - spread
            if math.isnan(self._start):
                self._start = excess
            values["log_sensitivity"] = excess - self._start
        return values | _of_matrix(both)


def _mean(numbers: NDArray[np.float64]) -> float:
    known = numbers[~np.isnan(numbers)]
    return float(known.mean()) if len(known) else math.nan


def _rms(rows: Scaled) -> float:
    """ln of the root mean square length."""
    return 0.5 * float(np.logaddexp.reduce(2 * rows.logs) - math.log(len(rows.logs)))


def _mean_cosine(units: NDArray[np.floating]) -> float:
    count = len(units)
    if count < 2:
        return math.nan
    total = np.square(units.sum(axis=0, dtype=np.float64)).sum() - np.square(units, dtype=np.float64).sum()
    return float(total / (count * (count - 1)))


def _common(rows: Scaled) -> NDArray[np.floating]:
    """The rows on the scale of the longest one."""
    return rows.on_scale(np.full(len(rows.logs), rows.logs.max()))


def _effective_rank(differences: Scaled) -> float:
    if not np.isfinite(differences.logs.max()):
        return math.nan
    singular = np.linalg.svd(_common(differences), compute_uv=False)
    return float(np.square(singular).sum() / np.square(singular[0]))


def _of_matrix(rows: Scaled) -> dict[str, float]:
    matrix = _common(rows)
    singular = np.linalg.svd(matrix, compute_uv=False).astype(np.float64)
    eigenvalues = np.square(singular)
    trace, square = float(eigenvalues.sum()), float(np.square(eigenvalues).sum())
    threshold = max(matrix.shape) * float(np.finfo(matrix.dtype).eps) * singular[0]
    # Squared channel means and channel variances, both added over the channels; together they are tr G / B.
    means = float(np.square(matrix.mean(axis=0, dtype=np.float64)).sum()) * len(matrix)
    return {
        "stable_rank": trace / float(eigenvalues[0]),
        "numerical_rank": float((singular > threshold).sum()),
        "rank_bound": trace * trace / square,
        # |G / tr G - I / B|_F^2 = |G|_F^2 / (tr G)^2 - 1 / B.
        "orthogonality_gap": math.sqrt(max(0.0, square / (trace * trace) - 1 / len(matrix))),
        "mean_shift": means / trace,
    }

"""Distribution functions F for models P = F(predictor) of an increasing probability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, log_ndtr, ndtri

Array = NDArray[np.float64]

# Beyond this no term of a likelihood is a number that matters, and none may overflow.
_CLIP = 36.0


@dataclass(frozen=True, slots=True)
class Link:
    """A distribution function F by its logarithms; named after the link function of generalised linear models.

    Attributes
    ----------
    name : str
        "logit" (logistic F), "probit" (normal), "cloglog" (F = 1 - exp(-e^x)) or "loglog" (F = exp(-e^-x), Gumbel).
    log_rises, log_falls, log_density : callable
        ln F, ln (1 - F) and ln F'.
    quantile : callable
        The inverse of F.
    """

    name: str
    log_rises: Callable[[Array], Array]
    log_falls: Callable[[Array], Array]
    log_density: Callable[[Array], Array]
    quantile: Callable[[float], float]

    def log_probabilities(self, x: Array) -> tuple[Array, Array]:
        """ln F and ln (1 - F)."""
        clipped = np.clip(x, -_CLIP, _CLIP)
        return self.log_rises(clipped), self.log_falls(clipped)

    def information(self, x: Array) -> Array:
        """Fisher information about x in one trial: F'^2 / (F (1 - F))."""
        clipped = np.clip(x, -_CLIP, _CLIP)
        log_weight = 2 * self.log_density(clipped) - self.log_rises(clipped) - self.log_falls(clipped)
        return np.asarray(np.exp(log_weight))

    def score_factor(self, x: Array) -> Array:
        """F' / (F (1 - F)): the derivative of a log-likelihood in x is this times (successes - trials F)."""
        clipped = np.clip(x, -_CLIP, _CLIP)
        return np.asarray(np.exp(self.log_density(clipped) - self.log_rises(clipped) - self.log_falls(clipped)))


def _log_one_minus_exp(x: Array) -> Array:
    """ln(1 - exp(-x)) for x > 0, accurate at both ends."""
    return np.where(x < 0.7, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))


LINKS = {
    link.name: link
    for link in (
        Link(
            "logit",
            log_expit,
            lambda x: log_expit(-x),
            lambda x: log_expit(x) + log_expit(-x),
            lambda p: float(np.log(p / (1 - p))),
        ),
        Link(
            "probit",
            log_ndtr,
            lambda x: log_ndtr(-x),
            lambda x: -(x**2) / 2 - np.log(2 * np.pi) / 2,
            lambda p: float(ndtri(p)),
        ),
        Link(
            "cloglog",
            lambda x: _log_one_minus_exp(np.exp(x)),
            lambda x: -np.exp(x),
            lambda x: x - np.exp(x),
            lambda p: float(np.log(-np.log1p(-p))),
        ),
        Link(
            "loglog",
            lambda x: -np.exp(-x),
            lambda x: _log_one_minus_exp(np.exp(-x)),
            lambda x: -x - np.exp(-x),
            lambda p: float(-np.log(-np.log(p))),
        ),
    )
}

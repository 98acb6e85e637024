"""Fitting a curve to counts: P(success at m) = F(b0 + b1 z + b2 z^2), z the position scaled to [-1/2, 1/2].

The quadratic is taken as far as it rises and flat beyond its vertex, so that P never decreases. The fit maximises the
likelihood times Jeffreys' prior |I(b)|^(1/2), as Firth (1993) proposed against bias: the maximum is finite for
separated counts too (Kosmidis and Firth 2021). Intervals are those of the profile of the same function (Heinze and
Schemper 2002): the least and the greatest value that a quantity takes where the function lies less than half a
chi-square quantile below its maximum (Neale and Miller 1997).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import chdtri, xlogy

from polyinj.fitting.counts import Counts
from polyinj.fitting.links import Link

Array = NDArray[np.float64]
# One level asks for its crossing, two for the distance between theirs.
Levels = tuple[float] | tuple[float, float]

# In standard errors: an interval that reaches farther is no interval.
_FAR = 40.0
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Response:
    """A fitted curve; in its counts nothing is undecided.

    Attributes
    ----------
    coefficients : ndarray, shape (3,)
        (b0, b1, b2).
    maximum : float
        Log-likelihood plus half the log-determinant of the information.
    """

    counts: Counts
    link: Link
    coefficients: Array
    maximum: float = field(repr=False)

    def scaled(self, positions: NDArray[np.floating] | NDArray[np.int64]) -> Array:
        """Positions as z."""
        low, high = self.counts.positions[[0, -1]]
        return np.asarray((positions - (low + high) / 2) / (high - low))

    def probabilities(self) -> Array:
        """The fitted P at the positions, shape (k,)."""
        predictor = design(self.scaled(self.counts.positions), self.coefficients) @ self.coefficients
        return np.asarray(np.exp(self.link.log_probabilities(predictor)[0]))

    def deviance(self) -> float:
        """Twice the log-likelihood that the curve loses against one free probability a position."""
        z = self.scaled(self.counts.positions)
        return float(_deviances(self, self.counts.successes[None], z, self.coefficients[None])[0])

    def value(self, levels: Levels) -> float:
        """The crossing of one level, or the distance from that of the first to that of the second."""
        return _restored(self._measure(self.coefficients, levels), levels)

    def interval(self, levels: Levels, level: float = 0.95) -> tuple[float, float]:
        """Profile likelihood interval of `value`, of nominal coverage `level`; infinite where nothing sets a limit."""
        limit = chdtri(1, 1 - level) / 2
        z = self.scaled(self.counts.positions)
        # In coordinates t that make the information the unit matrix, the region is close to a ball.
        whitening = np.linalg.inv(np.linalg.cholesky(self.information())).T
        gradient = whitening.T @ self.gradient(levels)
        steepness = float(np.linalg.norm(gradient))

        def at(t: Array) -> Array:
            return np.asarray(self.coefficients + whitening @ t)

        def end(sign: int) -> float:
            found = minimize(
                lambda t: -sign * self._measure(at(t), levels) / steepness,
                sign * np.sqrt(2 * limit) * gradient / steepness,
                method="SLSQP",
                bounds=[(-_FAR, _FAR)] * 3,
                constraints={
                    "type": "ineq",
                    "fun": lambda t: limit - self.maximum + _objective(self.counts, self.link, z, at(t)),
                },
                options={"ftol": 1e-7, "maxiter": 200},
            )
            if not found.success or abs(found.x).max() > 0.99 * _FAR:
                return _restored(sign * float("inf"), levels)
            return _restored(self._measure(at(found.x), levels), levels)

        return end(-1), end(1)

    def raised_by(self, levels: Levels) -> NDArray[np.bool_]:
        """At which positions one more success raises `value`, to first order."""
        rows = design(self.scaled(self.counts.positions), self.coefficients)
        return np.asarray(rows @ np.linalg.solve(self.information(), self.gradient(levels)) > 0)

    def _measure(self, b: Array, levels: Levels) -> float:
        """`value`, a distance by its logarithm, in which likelihoods are closer to normal ones."""
        places = [self._place(b, probability) for probability in levels]
        return places[0] if len(places) == 1 else float(np.log(max(places[-1] - places[0], _TINY)))

    def _place(self, b: Array, probability: float) -> float:
        low, high = self.counts.positions[[0, -1]]
        rise = self.link.quantile(probability) - b[0]
        root = np.sqrt(max(b[1] ** 2 + 4 * b[2] * rise, 0.0))
        return float((low + high) / 2 + (high - low) * 2 * rise / max(b[1] + root, _TINY))

    def gradient(self, levels: Levels) -> Array:
        """Derivative in b of a crossing or, for two levels, of the logarithm of their distance; shape (3,)."""
        b, step = self.coefficients, 1e-5 * np.eye(3)
        return np.array([self._measure(b + e, levels) - self._measure(b - e, levels) for e in step]) / 2e-5

    def information(self) -> Array:
        """Fisher information about b in the trials, shape (3, 3)."""
        rows = design(self.scaled(self.counts.positions), self.coefficients)
        weight = self.counts.trials * self.link.information(rows @ self.coefficients)
        return np.asarray((rows.T * weight) @ rows)


def _restored(measure: float, levels: Levels) -> float:
    return measure if len(levels) == 1 else float(np.exp(measure))


def design(z: Array, b: Array) -> Array:
    """Rows (1, z, z^2) of the predictor, z held at the vertex of the quadratic beyond it; any leading axes of b."""
    held = z
    if b.shape[-1] == 3:
        bend = b[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            vertex = np.asarray(-b[..., 1:2] / (2 * bend))
        held = np.where(bend > 0, np.fmax(z, vertex), np.where(bend < 0, np.fmin(z, vertex), z))
    return np.stack([np.ones_like(held), held, held**2], axis=-1)


def fit_response(counts: Counts, link: Link, *, curved: bool = True) -> Response:
    """Fit the curve, or a straight one (b2 = 0), to counts of at least two positions in which nothing is undecided."""
    low, high = counts.positions[[0, -1]]
    z = (counts.positions - (low + high) / 2) / (high - low)

    def loss(b: Array) -> float:
        return -_objective(counts, link, z, b)

    # A straight curve that rises, by construction; the curved one starts there.
    straight = minimize(
        lambda b: loss(np.array([b[0], np.exp(b[1])])), [0.0, 1.5], method="Nelder-Mead", bounds=[(-99, 99), (-7, 9)]
    )
    start = np.array([straight.x[0], np.exp(straight.x[1]), 0.0])
    if not curved:
        return Response(counts, link, start, -float(straight.fun))
    simplex = start + np.vstack([np.zeros(3), np.eye(3) * [0.3, 0.1 * start[1], 0.1 * start[1]]])
    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000, "initial_simplex": simplex}
    found = minimize(loss, start, method="Nelder-Mead", options=options)
    return Response(counts, link, found.x, -float(found.fun))


def check_fit(fit: Response, *, seed: int, resamples: int = 999) -> float:
    """P-value of the deviance: how rarely a true curve of this kind fits as badly, by parametric bootstrap.

    Parameters
    ----------
    fit : Response
    seed : int
        Seed of the bootstrap.
    resamples : int
        Binomial resamples of the fitted probabilities.

    Returns
    -------
    float
        Multiples of 1/(resamples + 1); nan for fewer than four positions, which three coefficients always fit.

    Notes
    -----
    Each resample needs its own fit. Two steps of Fisher scoring from the coefficients that made it come closer to its
    maximum than the noise of the bootstrap, and run on all resamples at once; the observed counts are treated alike.
    """
    counts = fit.counts
    if len(counts.positions) < 4:
        return float("nan")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(counts.positions),)))
    drawn = rng.binomial(counts.trials, fit.probabilities(), size=(resamples, len(counts.trials)))
    deviances = scored_deviances(fit, np.vstack([counts.successes, drawn]))
    # Equal tables have deviances equal up to rounding.
    as_bad = int((deviances[1:] >= deviances[0] * (1 - 1e-9)).sum())
    return (as_bad + 1) / (resamples + 1)


def scored_deviances(fit: Response, successes: NDArray[np.int64]) -> Array:
    """Deviances of tables of successes, shape (tables, k), after two scoring steps from the coefficients of a fit."""
    z = fit.scaled(fit.counts.positions)
    b = np.tile(fit.coefficients, (len(successes), 1))
    best = _deviances(fit, successes, z, b)
    for _ in range(2):
        rows = design(z, b)
        predictor = np.einsum("tki,ti->tk", rows, b)
        weight = fit.counts.trials * fit.link.information(predictor)
        residual = successes / fit.counts.trials - np.exp(fit.link.log_probabilities(predictor)[0])
        score = fit.counts.trials * residual * fit.link.score_factor(predictor)
        matrix = np.einsum("tk,tki,tkj->tij", weight, rows, rows) + 1e-9 * np.eye(3)
        step = np.linalg.solve(matrix, np.einsum("tk,tki->ti", score, rows)[..., None])[..., 0]
        deviances = _deviances(fit, successes, z, b + step)
        # Where the likelihood has no maximum a step may overshoot; then the coefficients stay.
        better = deviances < best
        b, best = np.where(better[:, None], b + step, b), np.where(better, deviances, best)
    return best


def _deviances(fit: Response, successes: NDArray[np.int64], z: Array, b: Array) -> Array:
    trials = fit.counts.trials
    rises, falls = fit.link.log_probabilities(np.einsum("tki,ti->tk", design(z, b), b))
    share = successes / trials
    saturated = xlogy(share, share) + xlogy(1 - share, 1 - share)
    return np.asarray(2 * (trials * (saturated - share * rises - (1 - share) * falls)).sum(-1))


def _objective(counts: Counts, link: Link, z: Array, b: Array) -> float:
    """Log-likelihood plus half the log-determinant of the information about the coefficients that b has, 2 or 3."""
    rows = design(z, b)[:, : len(b)]
    predictor = rows @ b
    rises, falls = link.log_probabilities(predictor)
    weight = counts.trials * link.information(predictor)
    determinant = np.linalg.det((rows.T * weight) @ rows)
    likelihood = counts.successes @ rises + (counts.trials - counts.successes) @ falls
    return float(likelihood + np.log(max(determinant, _TINY)) / 2)

"""Where to spend the next trials so that they narrow a crossing most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.fitting.counts import Counts
from polyinj.fitting.intervals import isotonic_shares
from polyinj.fitting.links import LINKS
from polyinj.fitting.response import Response, design, fit_response

_PROBE = 16
_CHUNK = 8
_POSITIONS = 4
_LINK = LINKS["loglog"]
# The part of the curve on which trials may be spent, and the share of them that goes evenly over all of it: without
# these a model that is wrong would never be caught, and the window would go unmeasured.
_WINDOW = (0.05, 0.95)
_EVEN_SHARE = 0.25
_SETTLED = 0.1
_NEAR = 0.3


@dataclass(frozen=True, slots=True)
class Placement:
    """Trials to run at a position."""

    position: int
    trials: int


def place_trials(
    counts: Counts | None, costs: NDArray[np.float64], trials: int, *, floor: int, guess: int
) -> list[Placement]:
    """The next trials, a function of nothing but the trials done: the same on any machine.

    Parameters
    ----------
    counts : Counts or None
        What is known, at integer positions; None at the start.
    costs : ndarray, shape (k,)
        Mean cost of a trial at each of them, in any unit.
    trials : int
        How many trials to place, at least 1.
    floor : int
        Successes are impossible at this position and before it.
    guess : int
        Where to look first, above `floor`.

    Returns
    -------
    list of Placement
        By position. Until positions on both sides of 1/2, and four in all, are known: one probe of at most 16
        trials. Then three quarters of the trials by greedy descent of Var(crossing of 1/2) per cost in the fitted
        model, eight at a time, and one quarter evenly over the part of the curve from 0.05 to 0.95.

    Notes
    -----
    In a straight model with V the inverse information about its coefficients and g the gradient of the crossing in
    them, k trials at z, of information w each about the predictor, lower the variance g V g by
    k w (g V u)^2 / (1 + k w u V u), u = (1, z).

    Examples
    --------
    >>> place_trials(None, np.array([]), 100, floor=4, guess=10)
    [Placement(position=10, trials=16)]
    """
    probe = _probe(counts, floor, guess)
    if probe is not None:
        return [Placement(probe, min(trials, _PROBE))]
    assert counts is not None
    known = counts.decided()
    # The curve is straight here: a bend that few trials suggest would lead far away.
    fit = fit_response(counts if known is None else known, _LINK, curved=False)
    candidates = _candidates(fit, counts, floor)
    price = np.interp(candidates, counts.positions, costs)
    even = int(trials * _EVEN_SHARE)
    placed = np.full(len(candidates), even // len(candidates))
    placed[: even % len(candidates)] += 1
    placed += _greedy(fit, candidates, price, placed, trials - even)
    return [Placement(int(m), int(k)) for m, k in zip(candidates, placed, strict=True) if k]


def expected_width(counts: Counts) -> float:
    """About how wide the 95% interval of the crossing of 1/2 is: 3.92 standard errors of a straight fit.

    At least three positions in which something is decided; cheap, to see whether the interval is worth computing.
    """
    known = counts.decided()
    fit = fit_response(counts if known is None else known, _LINK, curved=False)
    aim = _aim(fit)
    return float(3.92 * np.sqrt(aim @ np.linalg.solve(_information(fit), aim)))


def _probe(counts: Counts | None, floor: int, guess: int) -> int | None:
    """A position that brackets the crossing of 1/2 or halves a wide bracket; None when a fit can take over."""
    if counts is None:
        return max(guess, floor + 1)
    share = (counts.successes + counts.undecided / 2) / counts.trials
    above = np.flatnonzero(share >= 0.5)
    last = int(counts.positions[-1])
    if not len(above):
        return last + max(1, (last - floor + 1) // 2)
    high = int(counts.positions[above[0]])
    low = int(counts.positions[above[0] - 1]) if above[0] else floor
    wide = high - low > 1 + (low - floor) // 4
    if high - low > 1 and (not above[0] or wide or len(share) < _POSITIONS):
        return (low + high) // 2
    # Neighbours leave nothing between: look outside, where the slope shows as well.
    if len(share) < _POSITIONS:
        return low - 1 if above[0] == 1 and low - 1 > floor else last + 1
    return None


def _candidates(fit: Response, counts: Counts, floor: int) -> NDArray[np.int64]:
    """Integer positions on the rising part of the curve, at most about sixteen: more would not tell more.

    A poor first fit may rise far outside of what was seen; positions with shares below 0.1 and above 0.9 bound it.
    """
    share = isotonic_shares(counts)
    told = counts.trials >= _PROBE
    none, all_ = np.flatnonzero(told & (share < _SETTLED)), np.flatnonzero(told & (share > 1 - _SETTLED))
    low = max(floor + 1, fit.value((_WINDOW[0],)), counts.positions[none[-1]] if len(none) else 0)
    high = min(fit.value((_WINDOW[1],)), counts.positions[all_[0]] if len(all_) else 2 * counts.positions[-1])
    stride = 1 << max(0, int(np.log2(max((high - low) / 8, 1))))
    inside = stride * np.arange(np.ceil(low / stride), np.floor(high / stride) + 1, dtype=np.int64)
    return inside if len(inside) else np.array([max(floor + 1, round((low + high) / 2))])


def _greedy(
    fit: Response, candidates: NDArray[np.int64], price: NDArray[np.float64], placed: NDArray[np.int64], trials: int
) -> NDArray[np.int64]:
    rows = _straight(fit, candidates)
    predictor = rows @ fit.coefficients[:2]
    each = fit.link.information(predictor)
    # Far from the crossing a trial is only worth what the model promises.
    distance = abs(np.exp(fit.link.log_probabilities(predictor)[0]) - 0.5)
    near = distance <= max(_NEAR, distance.min())
    variance = np.linalg.inv(_information(fit) + (rows.T * (placed * each)) @ rows)
    aim = _aim(fit)
    added = np.zeros(len(candidates), dtype=np.int64)
    while (left := trials - int(added.sum())) > 0:
        size = min(left, _CHUNK)
        along = rows @ variance
        gain = size * each * (along @ aim) ** 2 / (1 + size * each * (along * rows).sum(axis=1)) / price
        best = int(np.argmax(np.where(near, gain, -1)))
        added[best] += size
        u = along[best]
        variance = variance - np.outer(u, u) * size * each[best] / (1 + size * each[best] * (u @ rows[best]))
    return added


def _straight(fit: Response, positions: NDArray[Any]) -> NDArray[np.float64]:
    return design(fit.scaled(positions), fit.coefficients)[:, :2]


def _information(fit: Response) -> NDArray[np.float64]:
    rows = _straight(fit, fit.counts.positions)
    weight = fit.counts.trials * fit.link.information(rows @ fit.coefficients[:2])
    return np.asarray((rows.T * weight) @ rows)


def _aim(fit: Response) -> NDArray[np.float64]:
    """Derivative in (b0, b1) of the crossing of 1/2."""
    return fit.gradient((0.5,))[:2]

"""What a simulation says about an increasing probability: outcomes counted at the places of a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Outcomes at increasing positions.

    Attributes
    ----------
    positions : ndarray of float64, shape (k,)
        Strictly increasing; the number of rows m, say.
    trials, successes, undecided : ndarray of int64, shape (k,)
        Undecided trials are neither successes nor failures; every estimate takes them for whatever is worst.

    Raises
    ------
    InputError
        Shapes that differ, no position, positions that do not increase, or counts that do not fit together.

    Examples
    --------
    >>> from polyinj.fitting.counts import Counts
    >>> Counts([4, 5], [10, 10], [2, 5], [0, 1])
    Counts(20 trials at 2 positions 4..5, 7 successes, 1 undecided)
    """

    positions: NDArray[np.float64]
    trials: NDArray[np.int64]
    successes: NDArray[np.int64]
    undecided: NDArray[np.int64]

    def __init__(self, positions: ArrayLike, trials: ArrayLike, successes: ArrayLike, undecided: ArrayLike) -> None:
        place = np.asarray(positions, dtype=np.float64)
        counted = [np.asarray(count, dtype=np.int64) for count in (trials, successes, undecided)]
        if place.ndim != 1 or not len(place) or any(count.shape != place.shape for count in counted):
            shapes = [place.shape, *(count.shape for count in counted)]
            raise InputError(f"positions and counts have shapes {shapes}; expected four equal ones (k,) with k >= 1")
        if not (np.isfinite(place).all() and (np.diff(place) > 0).all()):
            raise InputError(f"positions are {place.tolist()}; expected finite numbers that increase")
        total, success, doubt = counted
        if (total < 1).any() or (success < 0).any() or (doubt < 0).any() or (success + doubt > total).any():
            raise InputError(
                f"trials {total.tolist()}, successes {success.tolist()} and undecided {doubt.tolist()} do not fit "
                "together; expected at least one trial a position and no more outcomes than trials"
            )
        for name, value in zip(("positions", "trials", "successes", "undecided"), (place, *counted), strict=True):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        low, high = self.positions[0], self.positions[-1]
        return (
            f"Counts({self.trials.sum()} trials at {len(self.positions)} positions {low:g}..{high:g}, "
            f"{self.successes.sum()} successes, {self.undecided.sum()} undecided)"
        )

    def settled(self, success: ArrayLike) -> Counts:
        """The undecided trials of the marked positions as successes, all others as failures."""
        extra = np.where(success, self.undecided, 0)
        return replace(self, successes=self.successes + extra, undecided=np.zeros_like(self.undecided))

    def decided(self) -> Counts | None:
        """Without the undecided trials and the positions that have no others; None where nothing is left."""
        trials = self.trials - self.undecided
        kept = trials > 0
        if not kept.any():
            return None
        return Counts(self.positions[kept], trials[kept], self.successes[kept], np.zeros(kept.sum(), dtype=np.int64))

"""The crossing of P(injective) = 1/2 as a run goes on, below its progress bar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polyinj.fitting.counts import Counts
from polyinj.fitting.intervals import clopper_pearson, cross, isotonic_shares
from polyinj.simulation.estimate import Job
from polyinj.simulation.trials import Batch

_OUTCOMES = ("injective", "undecided")


class LiveCrossing:
    """Says after each batch of decisions where, for its n, P(injective) = 1/2 lies by all trials done so far.

    Parameters
    ----------
    jobs : sequence of Job
        In the order in which `simulate_jobs` gets them.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._shapes = [job.ensemble.shape for job in jobs]
        # By shape: trials, injective, undecided.
        self._counts = {shape: np.zeros(3, dtype=np.int64) for shape in self._shapes}

    def __call__(self, index: int, batch: Batch) -> str:
        """The text after more trials of a job; empty before outcomes lie on both sides of 1/2.

        Trials of other statistics are passed over.
        """
        columns, values = batch.columns, batch.values
        if _OUTCOMES[0] in columns:
            totals = [values[:, columns.index(name)].sum() if name in columns else 0 for name in _OUTCOMES]
            self._counts[self._shapes[index]] += np.array([len(values), *totals], dtype=np.int64)
        n = self._shapes[index][1]
        rows = sorted((m, *count) for (m, k), count in self._counts.items() if k == n and count[0])
        if not rows:
            return ""
        found = crossing_so_far(Counts(*zip(*rows, strict=True)))
        if found is None:
            return ""
        value, low, high = (f"{place / n:.2f}" if np.isfinite(place) else "?" for place in found)
        return f"n={n}: P(injective) = 1/2 at m/n {value} [{low}, {high}]"


def crossing_so_far(counts: Counts) -> tuple[float, float, float] | None:
    """(value, low, high): where the isotonic fit is 1/2, and where pointwise 95% bounds of P are; cheap.

    Undecided trials count for the bounds as whatever is worst. None where the fit does not pass 1/2; infinite ends
    where the bounds do not. `crossing.estimate_crossings` is the estimate to report.
    """
    known = counts.decided()
    if known is None:
        return None
    (value,) = cross(known.positions, isotonic_shares(known), (0.5,))
    least = [clopper_pearson(int(k), int(n))[0] for k, n in zip(counts.successes, counts.trials, strict=True)]
    most = [
        clopper_pearson(int(k), int(n))[1]
        for k, n in zip(counts.successes + counts.undecided, counts.trials, strict=True)
    ]
    # P rises with m: a bound at one m holds on one side of it.
    lower, upper = np.maximum.accumulate(least), np.minimum.accumulate(most[::-1])[::-1]
    (low,), (high,) = cross(counts.positions, upper, (0.5,)), cross(counts.positions, lower, (0.5,))
    return (float(value), float(low), float(high)) if np.isfinite(value) else None

"""The algorithmic threshold: up to which m/n a search of stated length finds witnesses of random layers.

One-sided evidence: a witness proves that its layer is not injective, in exact arithmetic; a search that ends without
one proves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from polyinj._version import __version__
from polyinj.errors import InputError
from polyinj.fitting.counts import Counts
from polyinj.fitting.intervals import isotonic_crossings, share_interval
from polyinj.results.table import TableResult
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import Job, Simulation
from polyinj.simulation.statistics import WitnessFound
from polyinj.simulation.store.store import Store
from polyinj.studies.runner import check_integers, run_study, shapes
from polyinj.theory.replica import replica_energy
from polyinj.theory.thresholds import known_thresholds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ENERGIES = 6
LADDER = ("mean-direction", "full-rsb", "lifted-gordon")


@dataclass(frozen=True, slots=True)
class WitnessRow:
    """One cell of the design: `trials` Gaussian matrices of shape (m, n); mean_active is the mean over all of them of
    the fewest active rows at a point of its search, divided by n."""

    n: int
    m: int
    aspect_ratio: float
    trials: int
    found: int
    p_found: float
    p_low: float
    p_high: float
    mean_active: float


@dataclass(frozen=True, slots=True)
class AlgorithmicThreshold:
    """For one n: the aspect ratio where P(found) = 1/2, with an interval, and the largest one where one was found.

    half is nan where the grid does not show the crossing, largest_found where none was found.
    """

    n: int
    half: float
    half_low: float
    half_high: float
    largest_found: float


@dataclass(frozen=True, slots=True)
class CrossingBound:
    """For one n: at m/n up to `aspect_ratio`, with confidence 0.975, at least half of the layers are not injective."""

    n: int
    aspect_ratio: float


@dataclass(frozen=True, slots=True)
class WitnessSweep(TableResult):
    """Result of `estimate_witnesses`.

    Attributes
    ----------
    rows : tuple of WitnessRow
        One row a pair (n, m), ordered. p_low..p_high are Clopper-Pearson intervals of level 0.95 of the probability
        that this search finds a witness: a lower bound of P(not injective), and nothing about the other side.
    thresholds : tuple of AlgorithmicThreshold
        One row an n.
    steps : int
        Budget of each search.
    seed : int
        Repeats the run.
    version : str
        The version of polyinj that made it.
    """

    NAME: ClassVar[str] = "witnesses"
    KIND: ClassVar[str] = "sweep"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": WitnessRow, "thresholds": AlgorithmicThreshold}
    HEAD: ClassVar[Mapping[str, str]] = {"evidence": "one-sided: found witnesses are exact, absence proves nothing"}

    rows: tuple[WitnessRow, ...]
    thresholds: tuple[AlgorithmicThreshold, ...]
    steps: int
    seed: int
    version: str

    def __repr__(self) -> str:
        ns = sorted({row.n for row in self.rows})
        trials = sum(row.trials for row in self.rows)
        return f"WitnessSweep(n={ns}, {len(self.rows)} shapes, {trials} matrices; steps={self.steps}, seed={self.seed})"

    def crossing_bounds(self) -> tuple[CrossingBound, ...]:
        """Lower bounds of the m/n at which half of the layers are injective, for each n where there is one.

        A layer with a witness is not injective, so P(not injective) >= P(found). From the fewest rows on, the shapes
        are taken for as long as the interval of P(found) stays at 1/2 or above; the last of them is the bound. More
        rows only add injective layers, so the bound is wrong only if the first shape beyond the crossing is taken,
        which has probability at most 0.025, however many shapes there are.
        """
        bounds = []
        for n in sorted({row.n for row in self.rows}):
            ratio = None
            for row in sorted((row for row in self.rows if row.n == n), key=lambda row: row.m):
                if row.p_low < 0.5:
                    break
                ratio = row.aspect_ratio
            if ratio is not None:
                bounds.append(CrossingBound(n, ratio))
        return tuple(bounds)

    def plot(self) -> Figure:
        """P(found) and the fewest active rows against m/n, beside theory, as a matplotlib figure."""
        from polyinj.plots.witnesses import plot_witnesses

        ratios = self.column("aspect_ratio")
        grid = np.linspace(ratios.min(), ratios.max(), _ENERGIES)
        # Two steps of symmetry breaking: within 0.001 of the limit, the width of the line.
        energies = [replica_energy(alpha, 2).value for alpha in grid]
        return plot_witnesses(self, [row for row in known_thresholds() if row.name in LADDER], grid, energies)


def estimate_witnesses(
    n: Sequence[int],
    aspect_ratios: Sequence[float],
    trials: int,
    *,
    steps: int,
    seed: int | None,
    workers: int | None = None,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> WitnessSweep:
    """Estimate up to which aspect ratio a search of `steps` steps finds witnesses of Gaussian layers.

    Parameters
    ----------
    n : sequence of int
        Input dimensions, each at least 2.
    aspect_ratios : sequence of float
        Values of m/n, above 1; duplicates after rounding m are dropped.
    trials : int
        Matrices for each shape, at least 1: the same as `estimate_transition` draws from this seed.
    steps : int
        Steps of each search; see `polyinj.find_witness`.
    seed : int or None
        Same seed, same table, whatever the workers; None draws one and stores it.
    workers : int, optional
        Processes on this machine; by default one a core.
    executor : concurrent.futures.Executor, optional
        Runs the trials instead.
    store : path or Store, optional
        File that keeps every trial as it is done: a run that was stopped goes on.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        An empty or invalid list, trials < 1, steps < 1, a negative seed.

    Examples
    --------
    >>> run = estimate_witnesses([16], [4, 9], 5, steps=500, seed=0, workers=1, progress=False)
    >>> run
    WitnessSweep(n=[16], 2 shapes, 10 matrices; steps=500, seed=0)
    >>> [row.found for row in run.rows]
    [5, 0]
    """
    check_integers("n", n, 2)
    if steps < 1:
        raise InputError(f"steps is {steps}; expected an integer >= 1")
    design = {(k, m): Job(GaussianEnsemble(m, k), WitnessFound(steps), trials) for k, m in shapes(n, aspect_ratios)}
    seed, found = run_study(design, seed=seed, workers=workers, executor=executor, store=store, progress=progress)
    rows = tuple(_row(k, m, simulation) for (k, m), simulation in found.items())
    thresholds = tuple(_threshold(k, [row for row in rows if row.n == k], seed) for k in sorted({k for k, _ in design}))
    return WitnessSweep(rows, thresholds, steps, seed, __version__)


def _row(n: int, m: int, simulation: Simulation) -> WitnessRow:
    trials, found = len(simulation.values), int(simulation.column("found").sum())
    share, active = share_interval(found, trials), float(simulation.column("active").mean())
    return WitnessRow(n, m, m / n, trials, found, share.value, share.low, share.high, active)


def _threshold(n: int, rows: list[WitnessRow], seed: int) -> AlgorithmicThreshold:
    ratios = np.array([row.aspect_ratio for row in rows])
    trials = np.array([row.trials for row in rows])
    missed = trials - np.array([row.found for row in rows])
    (crossing,) = isotonic_crossings(Counts(ratios, trials, missed, np.zeros_like(missed)), [0.5], seed=seed).at
    seen = ratios[missed < trials]
    largest = float(seen.max()) if len(seen) else float("nan")
    return AlgorithmicThreshold(n, crossing.value, crossing.low, crossing.high, largest)

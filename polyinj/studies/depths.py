"""Exact Tukey depths of random layers: the ground state energy at small n, beside what replica theory says of n -> oo.

The depth over n is the least share (1/n) #{i : w_i.x >= 0}, exactly. Its mean over Gaussian layers at fixed m/n tends
to e(alpha), if the replica prediction is right.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from polyinj._version import __version__
from polyinj.fitting.intervals import TWO_SIDED_95
from polyinj.fitting.scaling import Scaling, extrapolate
from polyinj.results.table import TableResult
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import Job
from polyinj.simulation.statistics import depth
from polyinj.simulation.store.store import Store
from polyinj.studies.runner import run_study, shapes
from polyinj.theory.replica import full_rsb_energy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Levels of symmetry breaking that are extrapolated: enough for six digits.
RSB_LEVELS = 6


@dataclass(frozen=True, slots=True)
class DepthRow:
    """Of the Gaussian layers of shape (m, n), `layers` have this Tukey depth."""

    n: int
    m: int
    depth: int
    layers: int


@dataclass(frozen=True, slots=True)
class MeanDepth:
    """Of one shape: the mean of depth / n over its layers, its standard error and the interval of level 0.95."""

    n: int
    m: int
    aspect_ratio: float
    layers: int
    energy: float
    stderr: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DepthStudy(TableResult):
    """Result of `estimate_depths`: how many layers of each shape have which depth."""

    NAME: ClassVar[str] = "depths"
    KIND: ClassVar[str] = "depth study"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": DepthRow}
    ORIGIN: ClassVar[tuple[str, ...]] = ("seed", "version")

    rows: tuple[DepthRow, ...]
    seed: int
    version: str

    def __repr__(self) -> str:
        ns, layers = sorted({row.n for row in self.rows}), sum(row.layers for row in self.rows)
        return f"DepthStudy(n={ns}, {len(self.means())} shapes, {layers} layers; seed={self.seed})"

    def means(self) -> tuple[MeanDepth, ...]:
        """The mean of depth / n of each shape, ordered by n and m."""
        found = []
        for n, m in sorted({(row.n, row.m) for row in self.rows}):
            rows = [row for row in self.rows if (row.n, row.m) == (n, m)]
            values = np.repeat([row.depth / n for row in rows], [row.layers for row in rows])
            mean, stderr = float(values.mean()), float("nan")
            if len(values) > 1:
                stderr = float(values.std(ddof=1)) / len(values) ** 0.5
            ends = mean - TWO_SIDED_95 * stderr, mean + TWO_SIDED_95 * stderr
            found.append(MeanDepth(n, m, m / n, len(values), mean, stderr, *ends))
        return tuple(found)

    def extrapolate(self, aspect_ratio: float, smallest_n: int = 2) -> Scaling:
        """What several ansatz make of the means at one m/n as n grows.

        Raises
        ------
        InputError
            Fewer than four n from smallest_n on, or a mean without an error.
        """
        means = [mean for mean in self.means() if mean.aspect_ratio == aspect_ratio and mean.n >= smallest_n]
        return extrapolate(*([getattr(mean, name) for mean in means] for name in ("n", "energy", "stderr")))

    def plot(self) -> Figure:
        """Mean depth over n against n for each m/n, beside the full replica limit, as a matplotlib figure."""
        from polyinj.plots.energies import plot_depths

        means = self.means()
        ratios = sorted({mean.aspect_ratio for mean in means})
        return plot_depths(means, {ratio: full_rsb_energy(ratio, levels=RSB_LEVELS).value for ratio in ratios})


def estimate_depths(
    n: Sequence[int],
    aspect_ratios: Sequence[float],
    trials: int,
    *,
    seed: int | None,
    workers: int | None = None,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> DepthStudy:
    """Compute the exact Tukey depth of the origin among the rows of Gaussian layers.

    Parameters
    ----------
    n : sequence of int
        Input dimensions, each at least 1; a layer of (14, 98) takes about a second, twice that for each n more.
    aspect_ratios : sequence of float
        Values of m/n, at least 1; duplicates after rounding m are dropped.
    trials : int
        Layers of each shape, at least 1: the same as `estimate_transition` draws from this seed.
    seed : int or None
        Same seed, same table, whatever the workers; None draws one and stores it.
    workers : int, optional
        Processes on this machine; by default one a core.
    executor : concurrent.futures.Executor, optional
        Runs the trials instead.
    store : path or Store, optional
        File that keeps every trial as it is done; `polyinj sweep run --statistic depth` writes the same.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        An empty or invalid list, trials < 1, a negative seed.

    Examples
    --------
    >>> study = estimate_depths([2, 3], [4, 6], 20, seed=0, workers=1, progress=False)
    >>> study
    DepthStudy(n=[2, 3], 4 shapes, 80 layers; seed=0)
    >>> [round(mean.energy, 3) for mean in study.means()]
    [0.85, 1.65, 0.667, 1.3]
    """
    design = {(k, m): Job(GaussianEnsemble(m, k), depth, trials) for k, m in shapes(n, aspect_ratios)}
    seed, found = run_study(design, seed=seed, workers=workers, executor=executor, store=store, progress=progress)
    rows = [
        DepthRow(k, m, int(value), int(layers))
        for (k, m), simulation in found.items()
        for value, layers in zip(*np.unique(simulation.column("value"), return_counts=True), strict=True)
    ]
    return DepthStudy(tuple(rows), seed, __version__)

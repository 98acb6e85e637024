"""The injectivity phase transition as a table: exact simulation beside what theory predicts, on one axis."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from polyinj.fitting.counts import Counts
from polyinj.fitting.crossing import estimate_crossings
from polyinj.fitting.intervals import TWO_SIDED_95
from polyinj.fitting.scaling import Scaling, extrapolate
from polyinj.results.table import TableResult
from polyinj.studies.algorithmic_threshold import WitnessSweep
from polyinj.studies.transition_file import read_counts, read_store, write_counts
from polyinj.studies.transition_row import Row
from polyinj.theory.crossing import euler_crossing
from polyinj.theory.thresholds import known_thresholds

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Crossing:
    """For one n: where P(injective) passes 1/10, 1/2 and 9/10, each with an interval of level 0.95.

    Attributes
    ----------
    model : str
        What half, tenth, nine_tenths and width come from: "loglog" (P = exp(-exp(quadratic in m)), maximum likelihood,
        profile likelihood intervals) or, where that does not fit, "isotonic".
    fit_p_value : float
        Of the model's deviance, by parametric bootstrap.
    half, tenth, nine_tenths : float
        Aspect ratios m/n; nan where the grid does not show them.
    width : float
        Rows m from P = 1/10 to P = 9/10.
    isotonic_half : float
        As half, by isotonic regression with bootstrap intervals.
    unit_chi : float
        The aspect ratio where E chi last crosses 1.
    """

    n: int
    model: str
    fit_p_value: float
    half: float
    half_low: float
    half_high: float
    tenth: float
    tenth_low: float
    tenth_high: float
    nine_tenths: float
    nine_tenths_low: float
    nine_tenths_high: float
    width: float
    width_low: float
    width_high: float
    isotonic_half: float
    isotonic_low: float
    isotonic_high: float
    unit_chi: float


@dataclass(frozen=True, slots=True)
class Transition(TableResult):
    """Result of `estimate_transition` and `locate_transition`.

    Attributes
    ----------
    rows : tuple of Row
        One row a pair (n, m), ordered. Intervals p_low..p_high are Clopper-Pearson ones of level 0.95, widened by
        undecided matrices both ways; `bound` is a rigorous upper bound of P(not injective).
    crossings : tuple of Crossing
        One row an n.
    seed : int
        Repeats the run.
    version : str
        The version of polyinj that made it.
    """

    NAME: ClassVar[str] = "transition"
    KIND: ClassVar[str] = "transition"
    TABLES: ClassVar[Mapping[str, type]] = {"rows": Row, "crossings": Crossing}
    FIELDS: ClassVar[tuple[str, ...]] = ("version", "seed", "rows", "crossings")
    ORIGIN: ClassVar[tuple[str, ...]] = ("seed", "version")

    rows: tuple[Row, ...]
    crossings: tuple[Crossing, ...]
    seed: int
    version: str

    @classmethod
    def of_rows(cls, rows: Sequence[Row], seed: int, version: str) -> Transition:
        """Order the rows and estimate the crossing of each n."""
        ordered = tuple(sorted(rows, key=lambda row: (row.n, row.m)))
        crossings = tuple(
            _crossing(n, [row for row in ordered if row.n == n], seed) for n in sorted({row.n for row in ordered})
        )
        return cls(ordered, crossings, seed, version)

    def __repr__(self) -> str:
        ns = sorted({row.n for row in self.rows})
        trials = sum(row.trials for row in self.rows)
        return f"Transition(n={ns}, {len(self.rows)} shapes, {trials} matrices; seed={self.seed})"

    def extrapolate(self, smallest_n: int = 2) -> Scaling:
        """What several ansatz make of the ratios m/n at P = 1/2 as n grows.

        Parameters
        ----------
        smallest_n : int
            Smaller n, and those whose crossing or interval the data do not show, are left out.

        Raises
        ------
        InputError
            Fewer than four crossings are left.
        """
        shown = [
            crossing
            for crossing in self.crossings
            if crossing.n >= smallest_n and np.isfinite([crossing.half, crossing.half_low, crossing.half_high]).all()
        ]
        return extrapolate(
            [crossing.n for crossing in shown],
            [crossing.half for crossing in shown],
            [(crossing.half_high - crossing.half_low) / (2 * TWO_SIDED_95) for crossing in shown],
        )

    def plot(self) -> Figure:
        """P(injective) and mean chi against m/n, beside theory, as a matplotlib figure."""
        from polyinj.plots.transition import plot_transition

        return plot_transition(self, known_thresholds())

    def plot_scaling(self, witnesses: Sequence[WitnessSweep] = ()) -> Figure:
        """Crossings against n with their extrapolations, beside the thresholds, and widths of the window.

        Parameters
        ----------
        witnesses : sequence of WitnessSweep
            Their lower bounds of the crossing are drawn where it is not known, marked as one-sided; of several for one
            n the highest.

        Raises
        ------
        InputError
            Fewer than four crossings are known.
        """
        from polyinj.plots.scaling import plot_scaling

        known = {crossing.n for crossing in self.crossings if np.isfinite(crossing.half)}
        found = sorted((bound.aspect_ratio, bound.n) for sweep in witnesses for bound in sweep.crossing_bounds())
        highest = {n: ratio for ratio, n in found if n not in known}
        return plot_scaling(self, self.extrapolate(), known_thresholds(), bounds=highest)

    def save_counts(self, path: str | os.PathLike[str]) -> Path:
        """Write the counts alone to a .csv file, with seed and version in each line: the smallest form that loads."""
        return write_counts(Path(path), self.rows, self.seed, self.version)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Transition:
        """Read what `save` wrote, from its directory, a table of counts from a .csv file, or the store of a sweep.

        A .csv file needs the columns n, m, trials, injective, not_injective, undecided, seed and version, and may have
        mean_chi and stderr_chi; all else is computed again.

        Raises
        ------
        InputError
            No readable transition.json in the directory, no such table, or a store of other trials than decisions about
            Gaussian matrices.
        StoreError
            The store is damaged.
        """
        source = Path(path)
        if source.suffix.lower() == ".csv":
            return cls.of_rows(*read_counts(source))
        if source.is_file():
            return cls.of_rows(*read_store(source))
        # A dataclass with slots is made anew, so that super() without arguments would not find its base.
        return super(Transition, cls).load(source)


def _crossing(n: int, rows: list[Row], seed: int) -> Crossing:
    columns = ([getattr(row, name) for row in rows] for name in ("m", "trials", "injective", "undecided"))
    estimate = estimate_crossings(Counts(*columns), seed=seed)
    tenth, half, nine_tenths = (interval.scaled(1 / n) for interval in estimate.reported.at)
    width, isotonic = estimate.reported.width, estimate.isotonic.at[1].scaled(1 / n)
    return Crossing(
        n,
        estimate.model,
        estimate.fit_p_value,
        *(half.value, half.low, half.high),
        *(tenth.value, tenth.low, tenth.high),
        *(nine_tenths.value, nine_tenths.low, nine_tenths.high),
        *(width.value, width.low, width.high),
        *(isotonic.value, isotonic.low, isotonic.high),
        unit_chi=euler_crossing(n),
    )

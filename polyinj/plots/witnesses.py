"""The figure of the algorithmic threshold, drawn from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from polyinj.plots.theory import ThresholdRow


class WitnessRow(Protocol):
    """One shape: the share of layers with a witness found, and the fewest active rows over n."""

    @property
    def n(self) -> int: ...
    @property
    def aspect_ratio(self) -> float: ...
    @property
    def p_found(self) -> float: ...
    @property
    def p_low(self) -> float: ...
    @property
    def p_high(self) -> float: ...
    @property
    def mean_active(self) -> float: ...


class WitnessTable(Protocol):
    """What is drawn."""

    @property
    def rows(self) -> Sequence[WitnessRow]: ...
    @property
    def steps(self) -> int: ...


_NAMES = {"mean-direction": "mean direction", "full-rsb": "full RSB", "lifted-gordon": "lifted Gordon"}


def plot_witnesses(
    sweep: WitnessTable, thresholds: Sequence[ThresholdRow], ratios: ArrayLike, energies: ArrayLike
) -> Figure:
    """The share of layers with a witness found and, below it, the fewest active rows found, against m/n; a colour an n.

    Vertical lines at the thresholds; beside the fewest active rows, the ground state energies at some ratios.
    """
    figure = Figure(figsize=(7.2, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    ns = sorted({row.n for row in sweep.rows})
    for n, colour in zip(ns, colormaps["viridis"](np.linspace(0, 0.88, len(ns))), strict=True):
        rows = [row for row in sweep.rows if row.n == n]
        positions = [row.aspect_ratio for row in rows]
        top.fill_between(
            positions, [row.p_low for row in rows], [row.p_high for row in rows], color=colour, alpha=0.15, lw=0
        )
        top.plot(positions, [row.p_found for row in rows], color=colour, lw=1.3, marker="o", ms=3.5, label=f"n = {n}")
        bottom.plot(positions, [row.mean_active for row in rows], color=colour, lw=1.1, marker="o", ms=3.5)
    bottom.plot(ratios, energies, color="0.3", lw=1, ls="--", label="ground state, replica theory, n → ∞")
    bottom.axhline(1, color="0.75", lw=0.8, zorder=0)
    for threshold in thresholds:
        x = (threshold.lower + threshold.upper) / 2
        for axes in (top, bottom):
            axes.axvline(x, color="0.45", lw=0.8, ls="-" if threshold.status.startswith("rigorous") else ":", zorder=0)
        top.annotate(
            f"{_NAMES[threshold.name]} {x:.4g}",
            (x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    top.set(ylabel="P(witness found)", ylim=(-0.03, 1.03))
    top.legend(loc="lower left", frameon=False, fontsize=9)
    top.set_title(f"searches of {sweep.steps} steps; absence of a witness proves nothing", fontsize=9, pad=18)
    bottom.set(xlabel="aspect ratio m/n", ylabel="fewest active rows / n")
    bottom.legend(loc="upper left", frameon=False, fontsize=8)
    return figure

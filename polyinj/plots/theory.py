"""Figures of the theory: the ladder of thresholds and the order parameter. Draws result objects, computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure


class ThresholdRow(Protocol):
    """One threshold: it lies in [lower, upper]."""

    @property
    def name(self) -> str: ...
    @property
    def lower(self) -> float: ...
    @property
    def upper(self) -> float: ...
    @property
    def status(self) -> str: ...


class _Curves(Protocol):
    @property
    def aspect_ratios(self) -> tuple[float, ...]: ...
    @property
    def symmetric(self) -> tuple[float, ...]: ...
    @property
    def one_step(self) -> tuple[float, ...]: ...
    @property
    def full(self) -> tuple[float, ...]: ...


class _Solution(Protocol):
    @property
    def q(self) -> tuple[float, ...]: ...
    @property
    def c(self) -> tuple[float, ...]: ...
    @property
    def levels(self) -> int: ...


_COLOURS = {"rigorous": "#1b7837", "nonrigorous": "#b35806", "conjectured": "#b35806", "refuted": "#7f7f7f"}


def plot_threshold_ladder(rows: Sequence[ThresholdRow], curves: _Curves) -> Figure:
    """The ladder of thresholds above the energy curves that cross the level 1 on its replica rungs.

    Parameters
    ----------
    rows : sequence of Threshold
        As `polyinj.theory.thresholds.known_thresholds` returns them.
    curves : EnergyCurves
        From `polyinj.theory.replica.energy_curves`.

    Returns
    -------
    matplotlib Figure
        Not attached to pyplot; call its savefig.

    Examples
    --------
    >>> from polyinj.theory.replica import energy_curves
    >>> from polyinj.theory.thresholds import known_thresholds
    >>> figure = plot_threshold_ladder(known_thresholds(), energy_curves([5.0, 8.0], levels=4))
    >>> len(figure.axes)
    2
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    ladder, energy = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.3])
    for height, row in enumerate(rows):
        colour = _COLOURS[row.status.replace(":", "").split()[0]]
        middle = (row.lower + row.upper) / 2
        ladder.plot([middle], [height], "o", color=colour)
        # An arrow points to the side about which the row is a theorem.
        if row.status.startswith("rigorous"):
            ahead = 0.5 if row.status.endswith("above") else -0.5
            ladder.annotate(
                "", (middle + ahead, height), (middle, height), arrowprops={"arrowstyle": "->", "color": colour}
            )
        left = middle > 6
        ladder.annotate(
            f"{row.name}  {middle:.4f}",
            (middle, height),
            xytext=(-8 if left else 8, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            color=colour,
        )
        energy.axvline(middle, color=colour, linewidth=0.5, alpha=0.6)
    ladder.set_yticks([])
    ladder.margins(y=0.12)
    ladder.set_title("Thresholds: rigorous (green), replica (orange), refuted (grey)", fontsize="medium")
    for values, label, style in (
        (curves.symmetric, "replica symmetric", ":"),
        (curves.one_step, "one step", "--"),
        (curves.full, "full symmetry breaking", "-"),
    ):
        energy.plot(curves.aspect_ratios, values, style, color="black", label=label)
    energy.axhline(1, color="black", linewidth=0.8)
    energy.set_xlabel("aspect ratio m/n")
    energy.set_ylabel("least share of active rows, e = (active rows)/n")
    energy.legend(loc="upper left", frameon=False)
    return figure


def plot_order_parameter(solutions: Sequence[_Solution]) -> Figure:
    """c(q) of several solutions against 1 - q, both logarithmic: the slope tends to -1/2 near q = 1.

    Examples
    --------
    >>> from polyinj.theory.replica import replica_threshold
    >>> len(plot_order_parameter([replica_threshold(1), replica_threshold(2)]).axes)
    1
    """
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    last = max(solutions, key=lambda solution: solution.levels)
    for solution in solutions:
        edges = 1 - np.append(solution.q, 1.0)
        edges[-1] = (1 - last.q[-1]) / 4
        axes.stairs(solution.c[::-1], edges[::-1], baseline=None, label=f"k = {solution.levels}")
    remainder = np.geomspace((1 - last.q[-1]) / 4, 1 - last.q[0], 50)
    reference = last.c[-1] * np.sqrt((1 - last.q[-1]) / 2)
    axes.plot(remainder, reference / np.sqrt(remainder), ":", color="black", label="slope -1/2")
    axes.set(xscale="log", yscale="log", xlabel="1 - q", ylabel="c(q)")
    axes.legend(frameon=False)
    return figure

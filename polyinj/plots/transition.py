"""The figure of a phase transition, drawn from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from polyinj.plots.theory import ThresholdRow


class TransitionRow(Protocol):
    """One shape; of each row also p_injective, p_low, p_high, mean_chi, stderr_chi, expected_chi."""

    @property
    def n(self) -> int: ...
    @property
    def aspect_ratio(self) -> float: ...


class TransitionTable(Protocol):
    """What is drawn."""

    @property
    def rows(self) -> Sequence[TransitionRow]: ...
    def column(self, name: str) -> NDArray[Any]: ...


# A legend with this number of lines is split into columns.
_LEGEND_ROWS = 14


def plot_transition(transition: TransitionTable, thresholds: Sequence[ThresholdRow]) -> Figure:
    """P(injective) and, below it, chi against m/n, one colour an n; vertical lines at the known thresholds."""
    figure = Figure(figsize=(7.2, 7.6), layout="constrained")
    strip, top, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(0.95, 2.2, 2))
    ns = sorted({row.n for row in transition.rows})
    colours = dict(zip(ns, colormaps["viridis"](np.linspace(0, 0.88, len(ns))), strict=True))
    for n in ns:
        _draw_probability(top, transition, n, colours[n])
        _draw_chi(bottom, transition, n, colours[n])
    top.axhline(0.5, color="0.75", lw=0.8, zorder=0)
    top.set(ylabel="P(injective)", ylim=(-0.03, 1.03))
    top.legend(
        loc="upper left", frameon=False, fontsize=8, ncols=1 + len(top.get_lines()) // _LEGEND_ROWS, columnspacing=1
    )
    bottom.set_yscale("symlog", linthresh=0.1, linscale=0.6)
    bottom.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bottom.axhline(1, color="0.75", lw=0.8, zorder=0)
    bottom.set(xlabel="aspect ratio m/n", ylabel="Euler characteristic χ")
    bottom.plot([], [], color="0.3", lw=1, label="E χ (exact)")
    if np.isfinite(transition.column("mean_chi")).any():
        bottom.plot([], [], color="0.3", ls="", marker="o", ms=3.5, label="mean χ ± 2 standard errors")
    bottom.legend(loc="best", facecolor="white", edgecolor="none", framealpha=1, fontsize=8)
    ratios = transition.column("aspect_ratio")
    _mark_thresholds(strip, [top, bottom], thresholds, float(ratios.max()))
    top.set_xlim(ratios.min() - 0.2, ratios.max() + 0.2)
    return figure


def _rows(transition: TransitionTable, n: int, *names: str) -> list[Any]:
    rows = [row for row in transition.rows if row.n == n]
    return [np.array([getattr(row, name) for row in rows]) for name in names]


def _draw_probability(axes: Axes, transition: TransitionTable, n: int, colour: Any) -> None:
    ratio, p, low, high = _rows(transition, n, "aspect_ratio", "p_injective", "p_low", "p_high")
    axes.fill_between(ratio, low, high, color=colour, alpha=0.18, lw=0)
    axes.plot(ratio, p, color=colour, lw=1.2, marker="o", ms=3, label=f"n = {n}")


def _draw_chi(axes: Axes, transition: TransitionTable, n: int, colour: Any) -> None:
    ratio, mean, error, expected = _rows(transition, n, "aspect_ratio", "mean_chi", "stderr_chi", "expected_chi")
    axes.plot(ratio, expected, color=colour, lw=1)
    if np.isfinite(mean).any():
        axes.errorbar(ratio, mean, 2 * error, color=colour, ls="", marker="o", ms=3.5, elinewidth=0.9, capsize=1.5)


def _mark_thresholds(strip: Axes, panels: Sequence[Axes], thresholds: Sequence[ThresholdRow], right: float) -> None:
    """A line each through the panels; its label in the strip above, moved aside where two would overlap."""
    strip.set_axis_off()
    strip.set_ylim(0, 1)
    place = -np.inf
    for threshold in sorted(thresholds, key=lambda t: t.lower):
        x = (threshold.lower + threshold.upper) / 2
        if x > right + 0.2:
            continue
        style = "-" if threshold.status.startswith("rigorous") else ":"
        for axes in panels:
            axes.axvline(x, color="0.45", lw=0.8, ls=style, zorder=0)
        place = max(x, place + 0.027 * right)
        strip.plot([x, place], [0, 0.06], color="0.45", lw=0.8, ls=style)
        strip.text(place, 0.08, f"{_label(threshold.name)} {x:.4g}", rotation=90, ha="center", va="bottom", fontsize=7)


def _label(name: str) -> str:
    return name[:1].upper() + name[1:].replace("rsb", "RSB").replace("gordon", "Gordon").replace(
        "-", " " if name[0].isalpha() else "-"
    )

"""The figure of a study of depth, drawn from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


class DepthRow(Protocol):
    """P(injective through layer `layer`), with an interval, at one expansivity."""

    @property
    def n(self) -> int: ...
    @property
    def layer(self) -> int: ...
    @property
    def expansivity(self) -> float: ...
    @property
    def p_injective(self) -> float: ...
    @property
    def p_low(self) -> float: ...
    @property
    def p_high(self) -> float: ...


class HalfPoint(Protocol):
    """Where P(injective through layer `layer`) is 1/2, and where theory says that it is more."""

    @property
    def n(self) -> int: ...
    @property
    def layer(self) -> int: ...
    @property
    def half(self) -> float: ...
    @property
    def half_low(self) -> float: ...
    @property
    def half_high(self) -> float: ...
    @property
    def sufficient(self) -> float: ...
    @property
    def limit(self) -> float: ...


class KeptRow(Protocol):
    """The share of networks, injective before it, that a layer of width `m` leaves injective, with an interval."""

    @property
    def widths(self) -> str: ...
    @property
    def m(self) -> int: ...
    @property
    def kept(self) -> float: ...
    @property
    def kept_low(self) -> float: ...
    @property
    def kept_high(self) -> float: ...


class Scan(Protocol):
    """Behind layers of widths `before`, the width of layer `layer` was varied."""

    @property
    def n(self) -> int: ...
    @property
    def before(self) -> str: ...
    @property
    def layer(self) -> int: ...


class KeptTable(Protocol):
    """What is drawn."""

    @property
    def rows(self) -> Sequence[KeptRow]: ...
    @property
    def kept_points(self) -> Sequence[Scan]: ...


class DepthTable(Protocol):
    """What is drawn."""

    @property
    def rows(self) -> Sequence[DepthRow]: ...
    @property
    def half_points(self) -> Sequence[HalfPoint]: ...


def plot_deep_transition(study: DepthTable) -> Figure:
    """P(injective through layer l) against C, a panel an n and a colour a layer; below, C_1/2 against l."""
    ns = sorted({row.n for row in study.rows})
    layers = sorted({row.layer for row in study.rows})
    figure = Figure(figsize=(3.4 + 2.4 * len(ns), 6.6), layout="constrained")
    grid = figure.add_gridspec(2, len(ns), height_ratios=(1.1, 1))
    colours = dict(zip(layers, colormaps["viridis"](np.linspace(0, 0.9, len(layers))), strict=True))
    first: Axes | None = None
    for place, n in enumerate(ns):
        axes = figure.add_subplot(grid[0, place], sharey=first)
        _draw_probabilities(axes, study, n, colours)
        if first is None:
            first = axes
            axes.set(ylabel="P(injective through layer l)", ylim=(-0.03, 1.03))
            axes.legend(title="layer l", frameon=False, fontsize=7, title_fontsize=8, loc="lower right")
        else:
            axes.tick_params(labelleft=False)
    _draw_half_points(figure.add_subplot(grid[1, :]), study, ns)
    return figure


def plot_kept(study: KeptTable) -> Figure:
    """The share that a layer keeps against its width over n, a panel an n and a colour for what lies before it."""
    ns = sorted({scan.n for scan in study.kept_points})
    figure = Figure(figsize=(1.4 + 3.4 * len(ns), 3.8), layout="constrained")
    for axes, n in zip(np.atleast_1d(figure.subplots(1, len(ns), sharey=True)), ns, strict=True):
        scans = [scan for scan in study.kept_points if scan.n == n]
        for scan, colour in zip(scans, colormaps["viridis"](np.linspace(0, 0.85, len(scans))), strict=True):
            rows = sorted((row for row in study.rows if row.widths.rpartition("-")[0] == scan.before), key=_width)
            ratio, share = [row.m / n for row in rows], [row.kept for row in rows]
            low, high = ([getattr(row, name) for row in rows] for name in ("kept_low", "kept_high"))
            axes.fill_between(ratio, low, high, color=colour, alpha=0.15, lw=0)
            label = f"layer {scan.layer}, behind {scan.before}"
            axes.plot(ratio, share, color=colour, lw=1.1, marker="o", ms=2.5, label=label)
        axes.axhline(0.5, color="0.75", lw=0.8, zorder=0)
        axes.set(xlabel="width of the layer over n", title=f"n = {n}", ylim=(-0.03, 1.03))
        axes.legend(frameon=False, fontsize=7, loc="lower right")
    figure.axes[0].set_ylabel("kept, of those injective before")
    return figure


def _width(row: KeptRow) -> int:
    return row.m


def _draw_probabilities(axes: Axes, study: DepthTable, n: int, colours: dict[int, Any]) -> None:
    for layer, colour in colours.items():
        rows = [row for row in study.rows if (row.n, row.layer) == (n, layer)]
        ratio = [row.expansivity for row in rows]
        low, high = [row.p_low for row in rows], [row.p_high for row in rows]
        axes.fill_between(ratio, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(ratio, [row.p_injective for row in rows], color=colour, lw=1.1, marker="o", ms=2.5, label=str(layer))
    axes.axhline(0.5, color="0.75", lw=0.8, zorder=0)
    axes.set(xlabel="expansivity C = m/n", title=f"n = {n}")


def _draw_half_points(axes: Axes, study: DepthTable, ns: list[int]) -> None:
    colours = dict(zip(ns, colormaps["tab10"].colors, strict=False))  # type: ignore[attr-defined]
    for n in ns:
        points = [point for point in study.half_points if point.n == n]
        seen = [point for point in points if np.isfinite(point.half)]
        _draw_interval(axes, seen, colours[n], f"n = {n}: P = 1/2, simulated")
        layer, sufficient = [point.layer for point in points], [point.sufficient for point in points]
        axes.plot(layer, sufficient, color=colours[n], lw=1, ls="--", label=f"n = {n}: P > 1/2 proven")
    limits = {point.layer: point.limit for point in study.half_points}
    axes.plot(list(limits), list(limits.values()), color="0.4", lw=1, ls=":", label="n → ∞: suffices, proven")
    axes.set(xlabel="layers l", ylabel="expansivity C", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=7, ncols=2, loc="upper left")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])


def _draw_interval(axes: Axes, points: list[HalfPoint], colour: Any, label: str) -> None:
    half = np.array([point.half for point in points])
    ends = np.array([[point.half_low for point in points], [point.half_high for point in points]])
    # An end of an interval beyond the grid is infinite: draw no bar there.
    bars = np.where(np.isfinite(ends), np.abs(ends - half), 0)
    axes.errorbar([p.layer for p in points], half, bars, color=colour, marker="o", ms=3.5, lw=1, capsize=2, label=label)

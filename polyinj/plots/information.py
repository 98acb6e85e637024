"""The figure of an information report: what is kept up to each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


class LayerRow(Protocol):
    """One layer, over all points and on the box."""

    @property
    def layer(self) -> int: ...
    @property
    def neurons(self) -> int: ...
    @property
    def relu(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def always_active(self) -> int: ...
    @property
    def flat(self) -> float: ...


class PointRow(Protocol):
    """One point up to one layer."""

    @property
    def layer(self) -> int: ...
    @property
    def active(self) -> int: ...
    @property
    def rank(self) -> int: ...
    @property
    def largest(self) -> float: ...
    @property
    def least(self) -> float: ...


class Report(Protocol):
    """What is drawn."""

    @property
    def rows(self) -> Sequence[LayerRow]: ...
    @property
    def points(self) -> Sequence[PointRow]: ...
    @property
    def network(self) -> str: ...
    @property
    def inputs(self) -> int: ...
    @property
    def box(self) -> str: ...


_COLOURS = {"dead": "#b2182b", "in between": "#d9d9d9", "always active": "#2166ac", "no ReLU": "#f7f0d8"}


def plot_information(report: Report) -> Figure:
    """Ranks and active rows, the share of flat points, singular values, and neurons by kind, against the layer."""
    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True)
    layers = [row.layer for row in report.rows]
    if report.points:
        _draw_ranks(grid[0, 0], report)
        _draw_flat(grid[0, 1], report)
        _draw_singular_values(grid[1, 0], report)
    else:
        for axes in (grid[0, 0], grid[0, 1], grid[1, 0]):
            axes.text(0.5, 0.5, "no data", ha="center", va="center", transform=axes.transAxes, color="0.5")
    _draw_neurons(grid[1, 1], report)
    for axes in grid[1]:
        axes.set(xlabel="layer", xlim=(min(layers) - 0.6, max(layers) + 0.6))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(report.network if len(report.network) < 90 else f"{report.network[:87]}...", fontsize=10)
    return figure


def _by_layer(report: Report, name: str) -> list[list[float]]:
    return [[getattr(p, name) for p in report.points if p.layer == row.layer] for row in report.rows]


def _draw_ranks(axes: Axes, report: Report) -> None:
    layers = [row.layer for row in report.rows]
    for name, colour, label, shift in (
        ("active", "0.55", "active rows", -0.12),
        ("rank", "#2166ac", "rank of the Jacobian", 0.12),
    ):
        parts = _by_layer(report, name)
        places = [layer + shift for layer in layers]
        _draw_spread(axes, places, parts, colour, label)
    axes.axhline(report.inputs, color="0.2", lw=0.9, ls="--", label=f"inputs, n = {report.inputs}")
    axes.set(ylabel="at the points of the data", ylim=(0, None))
    axes.legend(frameon=False, fontsize=8)


def _draw_spread(axes: Axes, places: list[float], parts: list[list[float]], colour: str, label: str) -> None:
    """Least to greatest thin, quarters thick, the median a point."""
    for place, part in zip(places, parts, strict=True):
        low, first, third, high = np.quantile(part, [0, 0.25, 0.75, 1])
        axes.plot([place, place], [low, high], color=colour, lw=1.0)
        axes.plot([place, place], [first, third], color=colour, lw=4.5, solid_capstyle="butt")
    medians = [float(np.median(part)) for part in parts]
    axes.plot(places, medians, color=colour, marker="o", ms=4, mec="white", mew=0.8, lw=0.8, label=label)


def _draw_flat(axes: Axes, report: Report) -> None:
    axes.bar([row.layer for row in report.rows], [row.flat for row in report.rows], width=0.5, color="#b2182b")
    axes.set(ylabel="share of points where the rank\nis less than full", ylim=(0, 1.05))


def _draw_singular_values(axes: Axes, report: Report) -> None:
    layers: list[float] = [row.layer for row in report.rows]
    for name, colour, label in (("largest", "0.35", "greatest"), ("least", "#2166ac", "least that is not 0")):
        parts = [[value for value in part if value > 0] for part in _by_layer(report, name)]
        kept = [(place, part) for place, part in zip(layers, parts, strict=True) if part]
        if kept:
            _draw_spread(axes, [place for place, _ in kept], [part for _, part in kept], colour, label)
    axes.set(yscale="log", ylabel="singular values of the Jacobian")
    axes.legend(frameon=False, fontsize=8)


def _draw_neurons(axes: Axes, report: Report) -> None:
    layers = [row.layer for row in report.rows]
    kinds: dict[str, list[Any]] = {
        "dead": [row.dead / row.neurons for row in report.rows],
        "in between": [(row.relu - row.dead - row.always_active) / row.neurons for row in report.rows],
        "always active": [row.always_active / row.neurons for row in report.rows],
        "no ReLU": [(row.neurons - row.relu) / row.neurons for row in report.rows],
    }
    bottom = np.zeros(len(layers))
    for kind, shares in kinds.items():
        axes.bar(layers, shares, bottom=bottom, width=0.5, color=_COLOURS[kind], label=kind)
        bottom += np.array(shares)
    where = report.box if len(report.box) < 30 else "the box"
    axes.set(ylabel=f"neurons, proven on {where}", ylim=(0, 1.0))
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))

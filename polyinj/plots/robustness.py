"""The figure of a study of robustness, drawn from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator


class RobustnessRow(Protocol):
    """Medians over the data sets of one (d, n), for networks of k neurons found by one method."""

    @property
    def d(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def k(self) -> int: ...
    @property
    def method(self) -> str: ...
    @property
    def trials(self) -> int: ...
    @property
    def fitted(self) -> int: ...
    @property
    def slope(self) -> float: ...


class RobustnessTable(Protocol):
    """What is drawn; of each row also lipschitz and ratio, with _low and _high."""

    @property
    def rows(self) -> Sequence[RobustnessRow]: ...


_MARKERS = {"trained": "o", "regularised": "s", "random_features": "^"}


def plot_robustness(study: RobustnessTable) -> Figure:
    """Above Lip, below Lip / sqrt(n / k), against k; a column a dimension d, a colour an n, a marker a method."""
    dimensions = sorted({row.d for row in study.rows})
    points = sorted({row.n for row in study.rows})
    methods = list(dict.fromkeys(row.method for row in study.rows))
    colours = dict(zip(points, colormaps["viridis"](np.linspace(0, 0.85, len(points))), strict=True))
    figure = Figure(figsize=(2.4 + 3.0 * len(dimensions), 6.8), layout="constrained")
    grid = figure.subplots(2, len(dimensions), sharex=True, sharey="row", squeeze=False)
    for place, d in enumerate(dimensions):
        rows = [row for row in study.rows if row.d == d and row.fitted]
        _draw(grid[0, place], rows, colours, methods, "lipschitz")
        for n in points:
            slopes = [row.slope for row in rows if row.n == n]
            if slopes:
                grid[0, place].axhline(np.median(slopes), color=colours[n], lw=0.8, ls=":", zorder=0)
        grid[0, place].set(title=f"d = {d}")
        _draw(grid[1, place], rows, colours, methods, "ratio")
        grid[1, place].set(xlabel="neurons k")
    grid[0, 0].set(ylabel="Lipschitz constant Lip")
    grid[1, 0].set(ylabel="Lip / $\\sqrt{n/k}$")
    ks = sorted({row.k for row in study.rows})
    for axes in grid.flat:
        axes.set(xscale="log", yscale="log")
        axes.xaxis.set_major_locator(FixedLocator(ks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which(FuncFormatter(_tick))
    handles: list[Any] = [Line2D([], [], color=colour, label=f"n = {n}") for n, colour in colours.items()]
    for method in methods:
        handles.append(
            Line2D([], [], color="0.3", marker=_MARKERS[method], ms=4, ls=_line(method), label=method.replace("_", " "))
        )
    handles.append(Line2D([], [], color="0.3", lw=0.8, ls=":", label="steepest pair of points"))
    if any(2 * row.fitted < row.trials for row in study.rows):
        text = "open: less than half fit"
        handles.append(Line2D([], [], color="0.3", marker="o", ms=4.5, markerfacecolor="white", ls="", label=text))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False, fontsize=8)
    return figure


def _draw(axes: Axes, rows: list[RobustnessRow], colours: dict[int, Any], methods: list[str], name: str) -> None:
    for place, method in enumerate(methods):
        # Methods stand side by side, not on top of each other.
        shift = 1.04 ** (place - (len(methods) - 1) / 2)
        for n, colour in colours.items():
            chosen = [row for row in rows if (row.n, row.method) == (n, method)]
            k = np.array([row.k for row in chosen]) * shift
            value, low, high = (np.array([getattr(row, name + end) for row in chosen]) for end in ("", "_low", "_high"))
            # With too few networks an end of the interval is infinite: draw no bar there.
            bars = [np.where(np.isfinite(low), value - low, 0), np.where(np.isfinite(high), high - value, 0)]
            usual = np.array([2 * row.fitted >= row.trials for row in chosen], dtype=bool)
            axes.errorbar(k, value, bars, color=colour, ls=_line(method), lw=1, capsize=2, elinewidth=0.8)
            for filled in (True, False):
                face = colour if filled else "white"
                at = usual == filled
                axes.plot(k[at], value[at], color=colour, ls="", marker=_MARKERS[method], ms=4.5, markerfacecolor=face)


def _line(method: str) -> str:
    return {"trained": "-", "regularised": "--"}.get(method, "-.")


def _tick(value: float, _: int) -> str:
    """1, 2, 5, 10, ...: few enough to be read."""
    first = f"{value:.0e}"[0]
    return f"{value:g}" if first in "125" else ""

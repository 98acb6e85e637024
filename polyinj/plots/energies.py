"""Figures of ground state energies: exact ones at small n, and what anneals find at large n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray


class Mean(Protocol):
    """Of one shape, the mean energy and its interval."""

    @property
    def n(self) -> int: ...
    @property
    def aspect_ratio(self) -> float: ...
    @property
    def energy(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class Curve(Protocol):
    """Of one n, energies at some lengths with standard errors."""

    @property
    def n(self) -> int: ...
    @property
    def lengths(self) -> Sequence[int]: ...
    @property
    def values(self) -> Sequence[float]: ...
    @property
    def stderrs(self) -> Sequence[float]: ...


class Fit(Protocol):
    """A form fitted to curves."""

    @property
    def form(self) -> str: ...
    @property
    def limit(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    def at(self, n: ArrayLike, length: ArrayLike) -> NDArray[np.float64]: ...


_DOTS: Mapping[str, Any] = {"marker": "o", "ms": 3.5, "ls": "", "capsize": 2, "elinewidth": 0.9}


def plot_depths(means: Sequence[Mean], limits: Mapping[float, float]) -> Figure:
    """Mean energies against n^(-2/3), a colour an aspect ratio, with their limits at n = oo as diamonds."""
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.subplots()
    for ratio, colour in zip(limits, colormaps["viridis"](np.linspace(0, 0.88, len(limits))), strict=True):
        own = [mean for mean in means if mean.aspect_ratio == ratio]
        x = np.array([mean.n for mean in own]) ** (-2 / 3)
        errors = [[mean.energy - mean.low for mean in own], [mean.high - mean.energy for mean in own]]
        axes.errorbar(
            x, [mean.energy for mean in own], errors, color=colour, marker="o", ms=3.5, lw=0.8, capsize=2,
            label=f"m/n = {ratio:g}",
        )  # fmt: skip
        axes.plot(0, limits[ratio], color=colour, marker="D", ms=6, mfc="none", ls="", clip_on=False, zorder=3)
    ns = sorted({mean.n for mean in means})
    axes.set_xticks([0, *np.array(ns) ** (-2 / 3)], ["∞", *map(str, ns)])
    axes.set_xlim(0, None)
    axes.tick_params(axis="x", labelsize=8)
    axes.set(xlabel="n, on the scale $n^{-2/3}$", ylabel="mean depth / n")
    axes.set_title("dots: exact depths, 95 % intervals; diamonds: full replica symmetry breaking", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    return figure


def plot_anneals(
    curves: Mapping[float, Sequence[Curve]],
    fits: Mapping[float, Fit],
    limits: Mapping[float, float],
    *,
    least_length: int,
) -> Figure:
    """Energies against the length of anneals, a panel an aspect ratio and a colour an n, with 95 % intervals.

    Lines: the form fitted to lengths from the least on, at each n and, black, at n = oo; at the right its limit with
    its interval, and the replica limit as a diamond.
    """
    columns = min(2, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4.9 * columns, 3.6 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    ns = sorted({curve.n for some in curves.values() for curve in some})
    colours = dict(zip(ns, colormaps["viridis"](np.linspace(0, 0.88, len(ns))), strict=True))
    for axes in panels[len(curves) :]:
        axes.remove()
    for axes, (ratio, some) in zip(panels, curves.items(), strict=False):
        for place, curve in enumerate(some):
            # Beside each other, so that intervals can be told apart.
            x = np.array(curve.lengths) * 1.07 ** (place - len(some) / 2)
            errors = 1.96 * np.array(curve.stderrs)
            axes.errorbar(x, curve.values, errors, color=colours[curve.n], label=f"n = {curve.n}", **_DOTS)
        longest = max(length for curve in some for length in curve.lengths)
        if ratio in fits:
            _draw_fit(axes, fits[ratio], {curve.n: colours[curve.n] for curve in some}, least_length, longest)
        axes.plot(40 * longest, limits[ratio], color="#d1495b", marker="D", ms=6, mfc="none", ls="", label="full RSB")
        axes.axhline(limits[ratio], color="#d1495b", lw=0.6, ls=":")
        axes.set(xscale="log", xlabel="steps T of an anneal", ylabel="fewest active rows / n")
        axes.set_title(f"m/n = {ratio:g}", fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def _draw_fit(axes: Axes, fit: Fit, colours: Mapping[int, Any], shortest: int, longest: int) -> None:
    grid = np.geomspace(shortest, 12 * longest, 200)
    for n, colour in colours.items():
        axes.plot(grid, fit.at(n, grid), color=colour, lw=0.9)
    axes.plot(grid, fit.at(np.inf, grid), color="black", lw=0.9, ls="--", label="fit, n = ∞")
    # An estimate may lie outside of its bootstrap interval.
    errors = np.maximum([[fit.limit - fit.low], [fit.high - fit.limit]], 0)
    axes.errorbar(20 * longest, fit.limit, errors, color="black", label="its limit", **_DOTS)

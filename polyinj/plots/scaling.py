"""The figure of finite-size scaling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from polyinj.plots.theory import ThresholdRow


class Crossing(Protocol):
    """Of one n; also half, tenth and nine_tenths with _low and _high."""

    @property
    def n(self) -> int: ...
    @property
    def half(self) -> float: ...
    @property
    def width(self) -> float: ...
    @property
    def width_low(self) -> float: ...
    @property
    def width_high(self) -> float: ...
    @property
    def unit_chi(self) -> float: ...


class CrossingTable(Protocol):
    """The crossings that are drawn."""

    @property
    def crossings(self) -> Sequence[Crossing]: ...


class Fit(Protocol):
    """An ansatz fitted to the crossings from smallest_n on."""

    @property
    def ansatz(self) -> str: ...
    @property
    def smallest_n(self) -> int: ...
    @property
    def limit(self) -> float: ...
    @property
    def stderr(self) -> float: ...
    def at(self, n: ArrayLike) -> NDArray[np.float64]: ...


class Fits(Protocol):
    """Several ansatz fitted to the same crossings."""

    def accepted(self) -> Sequence[Fit]: ...


_COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#7fb3d5", "#e8a0a8", "#9ccb9f")
# Least distance of labelled n, on the scale n^(-2/3) and of log10(n).
_LABEL_GAP, _LOG_LABEL_GAP = 0.022, 0.036
# Thresholds that the crossings are compared with; the others lie outside of the figure.
_LADDER = {"full-rsb": "full RSB", "lifted-gordon": "lifted Gordon", "euler": "Euler"}


def plot_scaling(
    transition: CrossingTable, scaling: Fits, thresholds: Sequence[ThresholdRow], *, bounds: Mapping[int, float]
) -> Figure:
    """Crossings against n^(-2/3) with what each ansatz makes of them, beside the thresholds; below, the window's width.

    Parameters
    ----------
    transition : CrossingTable
    scaling : Fits
        Its extrapolation; the accepted fits are drawn, from the first point that they use on, with bars of two
        standard errors beside the limit.
    thresholds : sequence of Threshold
        Lines at full replica symmetry breaking, the lifted Gordon bound and the Euler threshold.
    bounds : mapping of int to float
        For some n, a value that the crossing of 1/2 does not fall below: triangles with arrows that point up.

    Returns
    -------
    matplotlib Figure
        Not attached to pyplot; call its savefig.
    """
    figure = Figure(figsize=(7.2, 9.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(2.6, 1))
    _draw_fits(top, scaling)
    _draw_crossings(top, transition)
    _draw_bounds(top, bounds)
    for row in thresholds:
        if row.name in _LADDER:
            value = (row.lower + row.upper) / 2
            top.axhline(value, color="0.45", lw=0.8, ls="-" if row.status.startswith("rigorous") else ":", zorder=0)
            top.annotate(
                f"{_LADDER[row.name]} {value:.3f}",
                (1, value),
                xycoords=("axes fraction", "data"),
                xytext=(-3, 2),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color="0.3",
            )
    _label_n(top, sorted({crossing.n for crossing in transition.crossings} | bounds.keys()))
    halves = [crossing.half for crossing in transition.crossings if np.isfinite(crossing.half)]
    top.set(ylabel="aspect ratio m/n", xlabel="n, on the scale $n^{-2/3}$", ylim=(min(3.3, min(halves) - 0.3), 9))
    _draw_width(bottom, transition)
    figure.legend(*top.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def _place(n: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(np.asarray(n, dtype=np.float64) ** (-2 / 3))


def _draw_fits(axes: Axes, scaling: Fits) -> None:
    accepted = scaling.accepted()
    for place, fit in enumerate(accepted):
        colour = _COLOURS[place % len(_COLOURS)]
        x = np.linspace(1e-4, float(_place(fit.smallest_n)), 200)
        axes.plot(x, fit.at(x**-1.5), color=colour, lw=1.1, zorder=2)
        # Bars side by side left of the axis, so that they can be told apart.
        axes.errorbar(
            -0.012 * (place + 1),
            fit.limit,
            2 * fit.stderr,
            color=colour,
            marker="s",
            ms=3.5,
            ls="",
            capsize=2,
            elinewidth=1,
            label=f"{fit.ansatz}, n ≥ {fit.smallest_n}: {fit.limit:.2f} ± {2 * fit.stderr:.2f}",
        )
    axes.axvline(0, color="0.6", lw=0.8)


def _draw_crossings(axes: Axes, transition: CrossingTable) -> None:
    for name, colour, label in (
        ("nine_tenths", "0.72", "P(injective) = 9/10"),
        ("half", "black", "P(injective) = 1/2"),
        ("tenth", "0.72", "P(injective) = 1/10"),
    ):
        points = np.array(
            [
                [_place(crossing.n), *(getattr(crossing, name + end) for end in ("", "_low", "_high"))]
                for crossing in transition.crossings
            ]
        )
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            x, value, low, high = points.T
            axes.errorbar(
                x,
                value,
                [value - low, high - value],
                color=colour,
                marker="o" if name == "half" else "v" if name == "tenth" else "^",
                ms=3.5,
                ls="",
                capsize=1.5,
                elinewidth=0.9,
                label=label,
                zorder=4 if name == "half" else 3,
            )
    chi = [(_place(crossing.n), crossing.unit_chi) for crossing in transition.crossings]
    axes.plot(*zip(*chi, strict=True), color="0.45", marker="x", ms=4, lw=0.6, label="E χ = 1 (exact)", zorder=1)


def _draw_bounds(axes: Axes, bounds: Mapping[int, float]) -> None:
    """One-sided: nothing is known above them."""
    if bounds:
        axes.errorbar(
            _place(list(bounds)),
            list(bounds.values()),
            0.12,
            lolims=True,
            color="#7a3e9d",
            marker="_",
            ms=6,
            ls="",
            elinewidth=0.9,
            capsize=2.5,
            label="P = 1/2 lies above, by witnesses",
            zorder=3,
        )


def _draw_width(axes: Axes, transition: CrossingTable) -> None:
    points = np.array([[c.n, c.width, c.width_low, c.width_high] for c in transition.crossings])
    points = points[np.isfinite(points).all(axis=1)]
    if len(points):
        n, value, low, high = points.T
        axes.errorbar(
            n, value, [value - low, high - value], color="black", marker="o", ms=3.5, ls="", capsize=1.5, elinewidth=0.9
        )
    axes.set(xscale="log", yscale="log", xlabel="n", ylabel="rows from P = 1/10 to 9/10")
    ns = [crossing.n for crossing in transition.crossings]
    labelled = _spaced(ns, np.log10(ns), _LOG_LABEL_GAP)
    axes.set_xticks(labelled, list(map(str, labelled)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(FixedLocator([5, 6, 8, 10, 12, 15, 20, 25, 30]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.grid(color="0.92", lw=0.6)
    axes.set_axisbelow(True)


def _label_n(axes: Axes, ns: Sequence[int]) -> None:
    """Ticks at every n and at the limit, labels as far as there is room."""
    axes.xaxis.set_minor_locator(FixedLocator(list(_place(ns))))
    # That of the limit stands at 0.
    labelled = [n for n in _spaced(ns, _place(ns), _LABEL_GAP) if _place(n) > _LABEL_GAP]
    axes.set_xticks([0, *_place(labelled)], ["∞", *map(str, labelled)])
    axes.set_xlim(-0.012 * (len(_COLOURS) + 1), float(_place(min(ns))) + 0.02)


def _spaced(ns: Sequence[int], places: ArrayLike, gap: float) -> list[int]:
    """Those of increasing n, from the first on, whose places are further apart than the gap."""
    chosen: list[int] = []
    last = np.inf
    for n, place in zip(ns, np.asarray(places, dtype=np.float64).tolist(), strict=True):
        if abs(place - last) > gap:
            chosen.append(n)
            last = place
    return chosen

"""Figures of relaxations: bounds along lines of weights, and a study of many lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure


class Jump(Protocol):
    """A discontinuity of a bound: its place, also as a rational `low` just before it, and the limits on both sides."""

    @property
    def low(self) -> Any: ...
    @property
    def position(self) -> float: ...
    @property
    def left(self) -> float: ...
    @property
    def right(self) -> float: ...


class Profile(Protocol):
    """A bound along a line of weights, in pieces."""

    @property
    def relaxation(self) -> object: ...
    @property
    def pieces(self) -> Sequence[Any]: ...
    @property
    def jumps(self) -> Sequence[Jump]: ...
    def curve(self, piece: Any, samples: int) -> list[tuple[float, float]]: ...


class RelaxationRow(Protocol):
    """Means of one relaxation over lines of one kind."""

    @property
    def relaxation(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def lines(self) -> int: ...
    @property
    def jumping(self) -> int: ...
    @property
    def jumps(self) -> float: ...
    @property
    def largest(self) -> float: ...
    @property
    def tightness(self) -> float: ...
    @property
    def gradient_change(self) -> float: ...


class RelaxationTable(Protocol):
    """What is drawn of a study."""

    @property
    def rows(self) -> Sequence[RelaxationRow]: ...


_MARKERS = "osD^vP*X<>hd"
# Where parameters of a family run from one named rule to another.
_PATHS = (("crown", "ramp:4", "ramp:2", "deepz"), ("crown", "blend:1/2", "deepz"))


def plot_relaxation_profiles(
    profiles: Sequence[Profile], *, samples: int = 24, exact: tuple[Any, Any] | None = None
) -> Figure:
    """Lower bounds along a line of weights: a curve broken at every jump, rings at its limits.

    Parameters
    ----------
    profiles : sequence of Profile
        On one line.
    samples : int
        Points in each piece.
    exact : pair of arrays, optional
        t and the true minimum there.
    """
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    if exact is not None:
        axes.plot(*exact, color="0.2", lw=1.2, ls="--", label="exact minimum")
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    for place, (profile, colour) in enumerate(zip(profiles, colours, strict=False)):
        # Bounds often coincide: the first one is drawn wide, so that it shows below the others.
        width = 3.2 if place == 0 and len(profiles) > 1 else 1.2
        ends = {float(jump.low) for jump in profile.jumps}
        curve: list[tuple[float, float]] = []
        for piece in profile.pieces:
            curve += profile.curve(piece, samples)
            if any(abs(end - curve[-1][0]) < 1e-12 for end in ends):
                curve.append((np.nan, np.nan))
        count = f"{len(profile.jumps)} jump{'s' * (len(profile.jumps) != 1)}"
        axes.plot(*zip(*curve, strict=True), color=colour, lw=width, label=f"{profile.relaxation} ({count})")
        for jump in profile.jumps:
            at = [jump.position] * 2
            axes.plot(at, [jump.left, jump.right], color=colour, lw=0.8, ls=":")
            axes.plot(at, [jump.left, jump.right], color=colour, ls="", marker="o", ms=3.5, mfc="white", mew=0.9)
    axes.set(xlabel="t, weights (1 − t) A + t B", ylabel="lower bound of the output")
    axes.legend(frameon=False, fontsize=8)
    return figure


def plot_relaxation_study(study: RelaxationTable) -> Figure:
    """A column for each number of training steps: jumps and gradients against tightness, a marker a relaxation."""
    steps = sorted({row.steps for row in study.rows})
    names = list(dict.fromkeys(row.relaxation for row in study.rows))
    figure = Figure(figsize=(3.9 * len(steps) + 1.7, 9.0), layout="constrained")
    grid = figure.subplots(3, len(steps), sharey="row", squeeze=False)
    for row in grid[1:]:
        for axes in row[1:]:
            axes.sharex(row[0])
    for column, count in enumerate(steps):
        rows = [row for row in study.rows if row.steps == count]
        means = {name: _means([row for row in rows if row.relaxation == name]) for name in names}
        when = "at initialisation" if count == 0 else f"after {count} steps of training"
        grid[0, column].set_title(when)
        _draw_shares(grid[0, column], rows, names)
        _draw_against_tightness(grid[1, column], means, "largest", names)
        _draw_against_tightness(grid[2, column], means, "gradient_change", names)
    grid[0, 0].set_ylabel("relaxation")
    grid[1, 0].set_ylabel("largest jump of a line / exact width")
    grid[2, 0].set_ylabel("change of the gradient / its norm,\na quarter of the line apart")
    handles, labels = grid[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    return figure


def _means(rows: list[RelaxationRow]) -> dict[str, float]:
    return {
        name: float(np.mean([getattr(row, name) for row in rows]))
        for name in ("tightness", "largest", "gradient_change", "jumps")
    }


def _style(name: str, names: list[str]) -> dict[str, Any]:
    place = names.index(name)
    colours = colormaps["tab20"].colors  # type: ignore[attr-defined]
    return {"color": colours[(2 * place) % 20 + (place >= 10)], "marker": _MARKERS[place % len(_MARKERS)]}


def _draw_shares(axes: Axes, rows: list[RelaxationRow], names: list[str]) -> None:
    """The share of lines with a jump: pale dots are the kinds of line, the large marker their mean."""
    for place, name in enumerate(names):
        shares = [row.jumping / row.lines for row in rows if row.relaxation == name]
        style = _style(name, names)
        axes.plot(shares, [place] * len(shares), ls="", marker="|", ms=7, color=style["color"], alpha=0.6)
        axes.plot([np.mean(shares)], [place], ls="", ms=6, **style)
    axes.set(xlabel="share of lines with a jump", yticks=range(len(names)), xlim=(-0.04, 1.04))
    axes.set_yticklabels(names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", color="0.93", lw=0.7)


def _draw_against_tightness(axes: Axes, means: dict[str, dict[str, float]], what: str, names: list[str]) -> None:
    for path in _PATHS:
        known = [means[name] for name in path if name in means]
        axes.plot([m["tightness"] for m in known], [m[what] for m in known], color="0.75", lw=0.9, zorder=0)
    for name, mean in means.items():
        axes.plot([mean["tightness"]], [mean[what]], ls="", ms=6, label=name, **_style(name, names))
    axes.set(xlabel="tightness: exact width / width of the bounds")
    axes.set_xlim(right=1.0)
    axes.grid(color="0.93", lw=0.7)
    axes.set_axisbelow(True)

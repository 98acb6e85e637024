"""Figures of signal propagation. Imports no strand: what is drawn is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

if TYPE_CHECKING:
    from polyinj.networks.propagation import Propagation

_COLOURS = colormaps["tab10"].colors  # type: ignore[attr-defined]
_PANELS = (
    ("cosine", "mean cosine of two inputs"),
    ("log_sin2", r"mean of ln sin$^2$(angle)"),
    ("stable_rank", "stable rank of the batch"),
    ("mean_shift", "mean shift: mean² / (mean² + var)"),
    ("effective_rank", "effective rank of the covariance"),
    ("log_sensitivity", "ln(noise / signal), growth"),
)
_LENGTH = ("log_length", "mean of ln(|x|² / width)")


def plot_propagation(run: Propagation) -> Figure:
    """All lenses on the same networks against depth, with 95 % intervals and theory; the last panel: lens against lens.

    Solid: mean over networks. Dashed: infinite width. Dotted: theory of the stated width.
    """
    figure = Figure(figsize=(10.5, 9.5), layout="constrained")
    grid = figure.subplots(3, 3)
    theory = run.theory()
    for axes, (lens, label) in zip(grid.flat, (*_PANELS, _LENGTH), strict=False):
        _draw(axes, run, lens, theory, _COLOURS[0])
        axes.set_ylabel(label)
    gap = grid[2, 1]
    _draw(gap, run, "gap", theory, _COLOURS[0])
    gap.set(yscale="log", ylabel="mean of 1 - cosine")
    gap.set_ylim(bottom=max(1e-16, gap.get_ylim()[0]))
    for axes in grid.flat[:-1]:
        _depth_axis(axes, run)
    _draw_lens_against_cosine(grid[2, 2], run)
    handles = [Line2D([], [], color=_COLOURS[0], label=f"mean of {len(run.values)} networks, 95 % interval")]
    if theory:
        handles.append(Line2D([], [], color="black", ls="--", lw=1, label="theory, infinite width"))
    if any(name.startswith("finite_") for name in theory):
        handles.append(Line2D([], [], color="black", ls=":", label="theory of this width"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def plot_comparison(runs: Mapping[str, Propagation]) -> Figure:
    """The same lenses for several laws of networks, one colour each; dashed: infinite width, where it is known."""
    figure = Figure(figsize=(10.5, 9), layout="constrained")
    grid = figure.subplots(3, 2)
    colours = dict(zip(runs, _COLOURS, strict=False))
    for axes, (lens, label) in zip(grid.flat, _PANELS, strict=True):
        for name, run in runs.items():
            _draw(
                axes, run, lens, {k: v for k, v in run.theory().items() if k == lens}, colours[name], line=colours[name]
            )
        axes.set_ylabel(label)
        _depth_axis(axes, next(iter(runs.values())))
    bottom = np.nanmin([run.summary("log_sin2")[0][-1] for run in runs.values()])
    grid[0, 1].set_ylim(bottom=1.1 * max(bottom, -60))
    handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    handles.append(Line2D([], [], color="0.4", ls="--", lw=1, label="infinite width"))
    figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, run: Propagation, lens: str, theory: Mapping[str, Any], colour: Any, line: Any = "black") -> None:
    layers = np.array(run.layers)
    mean, low, high = run.summary(lens)
    # On a logarithmic axis the input stands at layer 1/2.
    at = np.where(layers == 0, 0.5, layers)
    axes.fill_between(at, low, high, color=colour, alpha=0.2, lw=0)
    axes.plot(at, mean, color=colour, lw=1.3)
    if lens in theory:
        axes.plot(at, theory[lens], color=line, lw=0.9, ls="--")
    if f"finite_{lens}" in theory:
        axes.plot(at, theory[f"finite_{lens}"], color=line, lw=1.2, ls=":")


def _depth_axis(axes: Axes, run: Propagation) -> None:
    axes.set(xscale="log", xlabel="layer (input at the left end)")
    axes.set_xlim(0.5, run.layers[-1])


def _draw_lens_against_cosine(axes: Axes, run: Propagation) -> None:
    """Every lens, as a share of its greatest value, against the mean cosine: what is no function of it scatters."""
    batch = run.batch
    cosine = run.lens("cosine")
    for colour, (lens, scale, label) in zip(
        _COLOURS,
        (
            ("stable_rank", batch, "stable rank / B"),
            ("rank_bound", batch, "(tr G)² / |G|² / B"),
            ("mean_shift", 1, "mean shift"),
            ("orthogonality_gap", 1, "orthogonality gap"),
            ("effective_rank", batch // 2, "effective rank / P"),
        ),
        strict=False,
    ):
        points = (1 - cosine).ravel(), (run.lens(lens) / scale).ravel()
        axes.plot(*points, ".", ms=2, color=colour, alpha=0.5, label=label, rasterized=True)
    axes.set(xlabel="1 - cosine, reversed", ylabel="lens, as a share of its maximum", xscale="log", ylim=(-0.03, 1.03))
    seen = 1 - cosine[np.isfinite(cosine)]
    axes.set_xlim(1.1 * float(seen.max()), max(1e-9, 0.9 * float(seen[seen > 0].min())))
    legend = axes.legend(frameon=True, framealpha=0.8, fontsize=7, markerscale=4, loc="center left")
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)

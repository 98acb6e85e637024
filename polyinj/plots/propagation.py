"""Figures of signal propagation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray


class Run(Protocol):
    """Observables of networks, layer by layer."""

    @property
    def batch(self) -> int: ...
    @property
    def layers(self) -> Sequence[int]: ...
    @property
    def values(self) -> NDArray[np.float64]: ...
    def observable(self, name: str) -> NDArray[np.float64]: ...
    def summary(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
    def theory(self) -> Mapping[str, NDArray[np.float64]]: ...


class AngleRow(Protocol):
    """One layer: of each also least, typical and condition, singular values of regions."""

    @property
    def layer(self) -> int: ...
    @property
    def cosine(self) -> float: ...
    @property
    def log_sin2(self) -> float: ...
    @property
    def p_injective(self) -> float: ...
    @property
    def p_low(self) -> float: ...
    @property
    def p_high(self) -> float: ...


class AngleTable(Protocol):
    """What is drawn of a study of angles."""

    @property
    def rows(self) -> Sequence[AngleRow]: ...


_COLOURS = colormaps["tab10"].colors  # type: ignore[attr-defined]
_PANELS = (
    ("cosine", "mean cosine of two inputs"),
    ("log_sin2", r"mean of ln sin$^2$(angle)"),
    ("stable_rank", "stable rank of the batch"),
    ("mean_shift", "mean shift: mean² / (mean² + var)"),
    ("effective_rank", "effective rank of differences"),
    ("log_sensitivity", "ln(noise / signal), growth"),
)
_LENGTH = ("log_length", "mean of ln(|x|² / width)")


def plot_propagation(run: Run) -> Figure:
    """All observables on the same networks against depth, with 95 % intervals and theory; last, one against another.

    Solid: mean over networks. Dashed: infinite width. Dotted: theory of the stated width.
    """
    figure = Figure(figsize=(10.5, 9.5), layout="constrained")
    grid = figure.subplots(3, 3)
    theory = run.theory()
    for axes, (observable, label) in zip(grid.flat, (*_PANELS, _LENGTH), strict=False):
        _draw(axes, run, observable, theory, _COLOURS[0])
        axes.set_ylabel(label)
    _draw_spread(grid[2, 1], run, theory)
    for axes in grid.flat[:-1]:
        _depth_axis(axes, run)
    _draw_against_cosine(grid[2, 2], run)
    handles = [Line2D([], [], color=_COLOURS[0], label=f"mean of {len(run.values)} networks, 95 % interval")]
    if theory:
        handles.append(Line2D([], [], color="black", ls="--", lw=1, label="theory, infinite width"))
    if any(name.startswith("finite_") for name in theory):
        handles.append(Line2D([], [], color="black", ls=":", label="theory of this width"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def plot_comparison(runs: Mapping[str, Run]) -> Figure:
    """The same observables for several laws of networks, one colour each; dashed: infinite width, where it is known."""
    figure = Figure(figsize=(10.5, 9), layout="constrained")
    grid = figure.subplots(3, 2)
    colours = dict(zip(runs, _COLOURS, strict=False))
    for axes, (observable, label) in zip(grid.flat, _PANELS, strict=True):
        # Curves that coincide stay visible: the first are the widest.
        for name, width in zip(runs, np.linspace(3.2, 1.0, len(runs)), strict=True):
            run = runs[name]
            theory = {key: curve for key, curve in run.theory().items() if key == observable}
            _draw(axes, run, observable, theory, colours[name], line=colours[name], width=width)
        axes.set_ylabel(label)
        _depth_axis(axes, next(iter(runs.values())))
    bottom = np.nanmin([run.summary("log_sin2")[0][-1] for run in runs.values()])
    grid[0, 1].set_ylim(bottom=1.1 * max(bottom, -60))
    grid[2, 1].set_yscale("symlog", linthresh=1)
    grid[2, 1].set_ylim(bottom=-0.1)
    handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    handles.append(Line2D([], [], color="0.4", ls="--", lw=1, label="infinite width"))
    figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    return figure


def _draw(
    axes: Axes,
    run: Run,
    observable: str,
    theory: Mapping[str, Any],
    colour: Any,
    line: Any = "black",
    width: float = 1.3,
) -> None:
    layers = np.array(run.layers)
    mean, low, high = run.summary(observable)
    # On a logarithmic axis the input stands at layer 1/2.
    at = np.where(layers == 0, 0.5, layers)
    axes.fill_between(at, low, high, color=colour, alpha=0.2, lw=0)
    axes.plot(at, mean, color=colour, lw=width)
    if observable in theory:
        axes.plot(at, theory[observable], color=line, lw=0.9, ls="--")
    if f"finite_{observable}" in theory:
        axes.plot(at, theory[f"finite_{observable}"], color=line, lw=1.2, ls=":")


def _depth_axis(axes: Axes, run: Run) -> None:
    axes.set(xscale="log", xlabel="layer (input at the left end)")
    axes.set_xlim(0.5, run.layers[-1])


def _draw_spread(axes: Axes, run: Run, theory: Mapping[str, Any]) -> None:
    """The standard deviation over networks of ln sin^2 of one pair."""
    layers = np.array(run.layers)
    if len(run.values) > 1:
        axes.plot(layers, run.observable("log_sin2_pair").std(axis=0, ddof=1), color=_COLOURS[0], lw=1.3)
    if "finite_log_sin2_std" in theory:
        axes.plot(layers, theory["finite_log_sin2_std"], color="black", lw=1.2, ls=":")
    axes.set_ylabel(r"std of ln sin$^2$, one pair")


def _draw_against_cosine(axes: Axes, run: Run) -> None:
    """Observables, as shares of their greatest values, against the mean cosine: what is no function of it scatters."""
    batch = run.batch
    cosine = run.observable("cosine").ravel()
    for colour, (observable, scale, label) in zip(
        _COLOURS[1:],
        (
            ("stable_rank", batch, "stable rank / B"),
            ("rank_bound", batch, "(tr G)² / |G|² / B"),
            ("mean_shift", 1, "mean shift"),
            ("orthogonality_gap", 1, "orthogonality gap"),
            ("effective_rank", batch // 2, "effective rank / P"),
        ),
        strict=False,
    ):
        points = run.observable(observable).ravel() / scale
        axes.plot(cosine, points, ".", ms=2, color=colour, alpha=0.4, label=label, rasterized=True)
    axes.set(xlabel="mean cosine of two inputs", ylabel="observable, as a share of its maximum", ylim=(-0.03, 1.03))
    legend = axes.legend(frameon=False, fontsize=7, markerscale=4, loc="upper left", bbox_to_anchor=(0.04, 0.97))
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)


def plot_angle_injectivity(study: AngleTable) -> Figure:
    """P(injective through layer l) against the mean cosine, layers as labels; singular values of regions against l."""
    rows = study.rows
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    cosine, share = np.array([row.cosine for row in rows]), np.array([row.p_injective for row in rows])
    bars = np.abs(np.array([[row.p_low for row in rows], [row.p_high for row in rows]]) - share)
    left.errorbar(cosine, share, bars, marker="o", ms=4, lw=1, capsize=2, color=_COLOURS[0])
    for row in rows:
        left.annotate(
            f"l = {row.layer}" if row.layer == 1 else str(row.layer),
            (row.cosine, row.p_injective),
            xytext=(6, 3),
            textcoords="offset points",
            fontsize=8,
        )
    left.set(xlabel="mean cosine of the images of two orthogonal inputs", ylabel="P(injective through layer l)")
    left.set_ylim(max(-0.03, min(row.p_low for row in rows) - 0.1), 1.03)
    layers = [row.layer for row in rows]
    for colour, name, label in (
        (_COLOURS[2], "typical", "least singular value, median region"),
        (_COLOURS[1], "condition", "least / greatest, median region"),
        (_COLOURS[3], "least", "least singular value, smallest region"),
    ):
        values = np.array([getattr(row, name) for row in rows])
        right.plot(layers, np.where(values > 0, values, np.nan), marker="o", ms=4, lw=1, color=colour, label=label)
    right.plot(
        layers,
        [np.exp(row.log_sin2 / 2) for row in rows],
        color="black",
        lw=1,
        ls=":",
        label="sine of the angle of two inputs",
    )
    right.set(xlabel="layer l", ylabel="median over networks", yscale="log")
    right.legend(frameon=False, fontsize=7, loc="lower left")
    return figure

"""The shell command `polyinj propagate`."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from polyinj.cli.output import output_console, print_written
from polyinj.cli.tables import interval, make_table
from polyinj.errors import InputError
from polyinj.plots.propagation import plot_comparison
from polyinj.propagation.initialisation import gaussian_inputs
from polyinj.propagation.propagate import propagate
from polyinj.propagation.random_network import RandomNetwork
from polyinj.propagation.result import Propagation
from polyinj.results.files import write_whole
from polyinj.studies.angle_injectivity import AngleInjectivity, relate_angles_to_injectivity
from polyinj.theory.propagation import CENTRED_VARIANCE

_HE, _BROCK = math.sqrt(2), math.sqrt(CENTRED_VARIANCE)
_SHOWN = ("cosine", "log_sin2", "stable_rank", "mean_shift", "effective_rank", "log_sensitivity", "log_length")


def comparison(width: int, depth: int) -> dict[str, RandomNetwork]:
    """The laws that `polyinj propagate --compare` puts side by side; each keeps lengths at infinite width."""
    return {
        "Gaussian, He": RandomNetwork(width, depth),
        "orthogonal": RandomNetwork(width, depth, "orthogonal"),
        "identity": RandomNetwork(width, depth, "identity"),
        "layer norm": RandomNetwork(width, depth, normalisation="layer"),
        "batch norm": RandomNetwork(width, depth, normalisation="batch"),
        "centred weights": RandomNetwork(width, depth, weight_std=_BROCK, centred=True),
        "residual": RandomNetwork(width, depth, residual=0.5),
        "residual, batch norm": RandomNetwork(width, depth, normalisation="batch", residual=0.5),
    }


def propagation(
    width: Annotated[int, typer.Option(help="Neurons of each layer, up to some 4096.")] = 256,
    depth: Annotated[int, typer.Option(help="Layers.")] = 200,
    init: Annotated[str, typer.Option(help="gaussian, orthogonal or identity.")] = "gaussian",
    sigma_w: Annotated[
        float | None, typer.Option(help="Weights; by default 2^(1/2), or 1.713 if centred: lengths stay.")
    ] = None,
    sigma_b: Annotated[float, typer.Option(help="Biases; 0 for none.")] = 0.0,
    normalisation: Annotated[str, typer.Option(help="none, batch or layer: before the ReLU.")] = "none",
    centred: Annotated[bool, typer.Option("--centred", help="Rows of weights sum to 0.")] = False,
    residual: Annotated[float, typer.Option(help="r of x + r V ReLU(Wx); 0 for none.")] = 0.0,
    batch: Annotated[int, typer.Option(help="Inputs, an even number.")] = 32,
    cosine: Annotated[float, typer.Option(help="Between any two inputs, in [0, 1).")] = 0.0,
    inputs: Annotated[
        str, typer.Option(help="equiangular, drawn anew for each network, or gaussian, one batch for all.")
    ] = "equiangular",
    networks: Annotated[int, typer.Option(help="Random networks.")] = 20,
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    seed: Annotated[int, typer.Option(help="Same seed, same table.")] = 0,
    compare: Annotated[
        bool, typer.Option("--compare", help="Eight laws of networks of this width and depth, side by side.")
    ] = False,
    injectivity: Annotated[
        bool, typer.Option("--injectivity", help="Two inputs, He weights: angles beside exact injectivity.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for propagation.png, .csv and .json.")] = Path("results"),
) -> None:
    """Send inputs through random deep ReLU networks: angles, ranks, means and lengths behind every layer."""
    console = output_console()
    given = _inputs(inputs, batch, width, cosine, seed)
    run = partial(
        propagate, inputs=given, batch=batch, cosine=cosine, networks=networks, seed=seed, dtype=dtype, progress=True
    )
    if injectivity:
        study = relate_angles_to_injectivity(width, depth, networks, seed=seed)
        paths, table = study.save(out), _injectivity_table(study)
    elif compare:
        paths, table = _compare(comparison(width, depth), run, console, out)
    else:
        law = RandomNetwork(
            width=width,
            depth=depth,
            initialisation=init,
            weight_std=(_BROCK if centred else _HE) if sigma_w is None else sigma_w,
            bias_std=sigma_b,
            normalisation=None if normalisation == "none" else normalisation,
            centred=centred,
            residual=residual,
        )
        found = run(law)
        paths, table = found.save(out), _table(found)
    console.print(table)
    print_written(paths)


def _inputs(kind: str, batch: int, width: int, cosine: float, seed: int) -> NDArray[np.float64] | None:
    """The batch for all networks, or None where each draws its own."""
    if kind not in ("equiangular", "gaussian"):
        raise InputError(f"inputs is {kind!r}; expected equiangular or gaussian")
    if kind == "gaussian" and cosine:
        raise InputError(f"cosine is {cosine}, which is about equiangular inputs; leave it out with gaussian ones")
    return gaussian_inputs(batch, width, seed) if kind == "gaussian" else None


def _compare(
    laws: dict[str, RandomNetwork], run: Callable[[RandomNetwork], Propagation], console: Console, out: Path
) -> tuple[list[Path], Table]:
    """Run and save each law, and draw all together."""
    runs: dict[str, Propagation] = {}
    for name, law in laws.items():
        console.print(f"{name} ...", highlight=False)
        runs[name] = run(law)
    paths = []
    for name, found in runs.items():
        paths += found.save(out / name.replace(",", "").replace(" ", "-").lower())
    figure = plot_comparison(runs)
    paths += write_whole({out / "comparison.png": lambda path: figure.savefig(path, dpi=200, format="png")})
    return paths, _comparison_table(runs)


def _table(run: Propagation) -> Table:
    theory = run.theory()
    title = f"{len(run.values)} networks, seed {run.seed}: mean, 95% interval; below, theory of infinite width"
    last = len(run.layers) - 1
    places = sorted({min(1, last), min(5, last), last // 2, last})
    table = make_table(title, "observable", *(f"layer {run.layers[place]}" for place in places), left=1)
    for name in _SHOWN:
        cells = []
        for place in places:
            found = _mean(run, name, place)
            cells.append(f"{found}\n{theory[name][place]:.3f}" if name in theory else found)
        table.add_row(name, *cells)
    return table


def _mean(run: Propagation, name: str, place: int) -> str:
    mean, low, _ = (float(part[place]) for part in run.summary(name))
    error = mean - low
    if not error > 0:
        return f"{mean:.3f}"
    digits = min(max(1 - math.floor(math.log10(error)), 0), 3)
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def _comparison_table(runs: dict[str, Propagation]) -> Table:
    first = next(iter(runs.values()))
    observables = ("cosine", "log_sin2", "stable_rank", "effective_rank", "log_sensitivity")
    title = f"Behind layer {first.layers[-1]}, seed {first.seed}"
    table = make_table(title, "network", *observables, left=1, wrap=True)
    for name, run in runs.items():
        table.add_row(name, *(_mean(run, observable, -1) for observable in observables))
    return table


def _injectivity_table(study: AngleInjectivity) -> Table:
    title = f"Widths (2, {study.width}, ...), {study.rows[0].networks} networks, seed {study.seed}"
    table = make_table(title, "layer", "cosine", "P(injective)", "95% interval", "least", "typical", "condition")
    for row in study.rows:
        table.add_row(
            str(row.layer),
            f"{row.cosine:.3f}",
            f"{row.p_injective:.3f}",
            interval(row.p_low, row.p_high),
            *(f"{value:.2g}" for value in (row.least, row.typical, row.condition)),
        )
    return table

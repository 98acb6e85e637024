"""The shell: `polyinj transition`, `polyinj check`, ..."""

from __future__ import annotations

import json
import math
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from polyinj import __version__
from polyinj.cli_crossings import crossings_table
from polyinj.cli_options import parse_integers, parse_list
from polyinj.cli_sweep import sweep
from polyinj.errors import CertificateError, InputError, PolyinjError, StoreError
from polyinj.geometry import exact
from polyinj.injectivity.certificate import Collision, load_certificate
from polyinj.injectivity.decide import Decision, Verdict, decide_injectivity
from polyinj.injectivity.layer import Box, Layer
from polyinj.networks.weights import read_array
from polyinj.plots.theory import plot_threshold_ladder
from polyinj.simulation.transition import Transition
from polyinj.simulation.transition_runs import estimate_transition
from polyinj.theory.bounds import gordon_bound
from polyinj.theory.crossing import euler_crossing
from polyinj.theory.euler import (
    count_cells,
    exact_noninjectivity_probability,
    log_expected_euler_characteristic,
    noninjectivity_bound,
    wendel_probability,
)
from polyinj.theory.replica import energy_curves
from polyinj.theory.thresholds import ENCLOSED, enclose_threshold, known_thresholds

INJECTIVE, NOT_INJECTIVE, REFUSED, BAD_INPUT, UNDECIDED, INTERNAL_ERROR, INTERRUPTED = 0, 1, 1, 2, 3, 70, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Injectivity of ReLU layers, decided exactly, beside what theory predicts for random ones.",
)
app.add_typer(sweep, name="sweep")


def main() -> None:
    """Entry point of the `polyinj` command; maps errors to the exit codes that the documentation states."""
    try:
        status = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        status = INTERRUPTED
    except (InputError, StoreError) as error:
        print(f"polyinj: {error}", file=sys.stderr)
        status = BAD_INPUT
    except Exception as error:
        # Usage errors of the command line are click's; typer ships click under names that changed between versions.
        if hasattr(error, "format_message"):
            print(f"polyinj: {error.format_message()}; try --help", file=sys.stderr)
            status = BAD_INPUT
        else:
            if not isinstance(error, PolyinjError):
                traceback.print_exc()
            print(f"polyinj: {error}", file=sys.stderr)
            status = INTERNAL_ERROR
    sys.exit(status)


def _show_version(value: bool) -> None:
    if value:
        print(f"polyinj {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def transition(
    n: Annotated[str, typer.Option(help="Input dimensions: 2,3,5 or 2..5.")] = "2..8",
    aspect_ratios: Annotated[str, typer.Option(help="Values of m/n: 2,3.5 or 2:10:0.5.")] = "2:10:0.5",
    trials: Annotated[int, typer.Option(help="Random matrices for each shape.")] = 400,
    seed: Annotated[int, typer.Option(help="Same seed, same table, whatever --workers is.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one a core.")] = None,
    chi_max_n: Annotated[int, typer.Option(help="Largest n for which the Euler characteristic is computed.")] = 5,
    out: Annotated[Path, typer.Option(help="Folder for transition.png, .csv and .json.")] = Path("results"),
) -> None:
    """Estimate where random Gaussian layers become injective, beside what theory predicts."""
    result = estimate_transition(
        parse_integers(n, "--n"),
        parse_list(aspect_ratios, "--aspect-ratios"),
        trials,
        seed=seed,
        chi_max_n=chi_max_n,
        workers=workers,
    )
    paths = result.save(out)
    console = Console()
    console.print(_cells_table(result))
    console.print(crossings_table(result))
    console.print(f"wrote {', '.join(str(path) for path in paths)}")


def _cells_table(result: Transition) -> Table:
    trials = " or ".join(sorted({str(row.trials) for row in result.rows}))
    title = f"Gaussian layers, {trials} matrices a shape, seed {result.seed} (95% intervals; chi with standard error)"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    undecided = any(row.undecided for row in result.rows)
    headers = ("n", "m", "m/n", "P(injective)", "mean chi", "E chi", "P(not) <=")
    for header in (*headers, *(["undecided"] if undecided else [])):
        table.add_column(header, justify="right", no_wrap=True)
    for row in result.rows:
        chi = f"{row.mean_chi:.3f} ± {row.stderr_chi:.3f}" if row.mean_chi == row.mean_chi else "-"
        cells = [
            str(row.n),
            str(row.m),
            f"{row.aspect_ratio:.2f}",
            f"{row.p_injective:.3f} [{row.p_low:.3f}, {row.p_high:.3f}]",
            chi,
            f"{row.expected_chi:.3f}",
            f"{row.bound:.2g}",
        ]
        table.add_row(*map(escape, cells), *([str(row.undecided)] if undecided else []))
        if row is not result.rows[-1] and result.rows[result.rows.index(row) + 1].n != row.n:
            table.add_section()
    return table


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Weights, one row a neuron: .npy, .npz or .csv.")],
    key: Annotated[str | None, typer.Option(help="Name of the weights in an .npz file.")] = None,
    bias: Annotated[Path | None, typer.Option(help="File with the bias; by default there is none.")] = None,
    bias_key: Annotated[str | None, typer.Option(help="Name of the bias in its .npz file, or in FILE.")] = None,
    transpose: Annotated[bool, typer.Option("--transpose", help="FILE stores one column a neuron.")] = False,
    nonnegative: Annotated[bool, typer.Option("--nonnegative", help="Inputs are >= 0, as behind a ReLU.")] = False,
    certificate: Annotated[Path | None, typer.Option(help="Save the proof of the verdict: .json or .json.gz.")] = None,
    rank_proof: Annotated[bool, typer.Option("--rank-proof", help="Do not assume general position.")] = False,
    time_limit: Annotated[float | None, typer.Option(help="Seconds, then undecided.")] = None,
    workers: Annotated[int, typer.Option(help="Threads.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Decide whether one layer is injective. Exit code 0: injective, 1: not injective, 3: undecided."""
    weights = read_array(file, key)
    weights = weights.T if transpose else weights
    shift = read_array(bias or file, bias_key) if bias is not None or bias_key is not None else None
    box = None
    if nonnegative:
        box = Box.nonnegative(exact.read_matrix(weights).shape[1])
    decision = decide_injectivity(
        weights,
        shift,
        domain=box,
        rank_proof=True if rank_proof else None,
        time_limit=time_limit,
        workers=workers,
    )
    if certificate is not None and decision.certificate is not None:
        decision.certificate.save(certificate)
    if weights.shape[0] < weights.shape[1]:
        print("polyinj: fewer rows than columns; if FILE stores one column a neuron, add --transpose", file=sys.stderr)
    if as_json:
        print(json.dumps(_decision_json(decision), indent=1))
    else:
        _print_decision(decision)
        if certificate is not None and decision.certificate is not None:
            print(f"wrote {certificate}")
    raise typer.Exit(_EXIT_CODES[decision.verdict])


@app.command()
def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate: .json or .json.gz.")],
    file: Annotated[Path, typer.Argument(help="The weights it speaks of: .npy, .npz or .csv.")],
    key: Annotated[str | None, typer.Option(help="Name of the weights in an .npz file.")] = None,
    bias: Annotated[Path | None, typer.Option(help="File with the bias.")] = None,
    bias_key: Annotated[str | None, typer.Option(help="Name of the bias in its .npz file, or in FILE.")] = None,
    transpose: Annotated[bool, typer.Option("--transpose", help="FILE stores one column a neuron.")] = False,
) -> None:
    """Check a certificate in exact arithmetic. Exit code 0: valid, 1: refused."""
    weights = read_array(file, key)
    shift = read_array(bias or file, bias_key) if bias is not None or bias_key is not None else None
    try:
        found = load_certificate(certificate)
        found.verify(weights.T if transpose else weights, shift)
    except OSError as error:
        raise InputError(f"{certificate} cannot be read: {error.strerror}") from None
    except CertificateError as error:
        print(f"refused: {error}")
        raise typer.Exit(REFUSED) from None
    if isinstance(found, Collision):
        print("valid: the layer is not injective")
    elif found.assumes_general_position:
        print(f"valid: at least {found.budget + 1} rows are active everywhere; injective if in general position")
    else:
        print("valid: the layer is injective")


_EXIT_CODES = {
    Verdict.INJECTIVE: INJECTIVE,
    Verdict.NOT_INJECTIVE: NOT_INJECTIVE,
    Verdict.UNDECIDED: UNDECIDED,
}


def _decision_json(decision: Decision) -> dict[str, object]:
    m, n = decision.layer.weights.shape
    document: dict[str, object] = {
        "verdict": decision.verdict.value,
        "assumes_general_position": decision.assumes_general_position,
        "rows": m,
        "columns": n,
        "depth_lower_bound": decision.depth_lower_bound,
        "fewest_active_found": decision.best_witness.active if decision.best_witness else None,
        "nodes": decision.stats.nodes,
        "seconds": decision.stats.seconds,
    }
    if isinstance(decision.certificate, Collision):
        pair = decision.certificate.as_float64(decision.layer.weights, decision.layer.bias)
        document["collision"] = {
            "x": [str(entry) for entry in decision.certificate.x],
            "y": [str(entry) for entry in decision.certificate.y],
            "x_float64": pair.x.tolist(),
            "y_float64": pair.y.tolist(),
            "distance": pair.distance,
            "image_difference": pair.image_difference,
        }
    return document


def _print_decision(decision: Decision) -> None:
    m, n = decision.layer.weights.shape
    console = Console(highlight=False, soft_wrap=True)
    assumed = " if the rows are in general position" if decision.assumes_general_position else ""
    console.print(f"{decision.verdict.value}{assumed}: {m} rows, {n} columns")
    if decision.assumes_general_position:
        console.print(f"proven: at least {n} rows are active everywhere; --rank-proof tries to prove that they span")
    if decision.verdict is Verdict.UNDECIDED:
        console.print(f"proven: at least {decision.depth_lower_bound} rows are active everywhere; {n} are needed")
    if decision.best_witness is not None:
        console.print(f"fewest active rows found at a point: {decision.best_witness.active}")
    if isinstance(decision.certificate, Collision):
        _print_collision(console, decision.certificate, decision.layer)


def _print_collision(console: Console, collision: Collision, layer: Layer) -> None:
    console.print("collision, exact: x and y have the same image")
    for name, point in (("x", collision.x), ("y", collision.y)):
        console.print(f"  {name} = ({', '.join(map(str, point))})")
    pair = collision.as_float64(layer.weights, layer.bias)
    if pair.distance < 1e-3 * max(abs(pair.x).max(), abs(pair.y).max()):
        console.print("the nearest float64 pair is too close together to be worth showing")
        return
    console.print("nearest float64 pair")
    for name, rounded in (("x", pair.x), ("y", pair.y)):
        console.print(f"  {name} = {rounded.tolist()}", markup=False)
    console.print(f"  |x - y| = {pair.distance:.6g}, largest difference of the images {pair.image_difference:.3g}")


@app.command()
def thresholds(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also draw the ladder with e(alpha) to this .png.")] = None,
) -> None:
    """Print every known threshold of m/n for random layers: value, proven or not, source."""
    rows = known_thresholds()
    if out is not None:
        figure = plot_threshold_ladder(rows, energy_curves([3 + k / 4 for k in range(29)]))
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=200)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    table = Table(title="Aspect ratios m/n as n grows", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("m/n", justify="right", no_wrap=True)
    table.add_column("status and source", overflow="fold")
    for row in rows:
        if row.name in ENCLOSED:
            value = enclose_threshold(row.name).str(25, radius=False) + " proven"
        else:
            value = f"{row.lower:.8g}" if row.lower == row.upper else f"[{row.lower:.12g}, {row.upper:.12g}]"
        table.add_row(row.name, escape(value), escape(f"{row.status}; {row.source}"))
    Console().print(table)
    if out is not None:
        print(f"wrote {out}")


@app.command()
def expected(
    n: Annotated[int, typer.Option(help="Inputs.")],
    m: Annotated[int, typer.Option(help="Neurons.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print what theory says of a random Gaussian layer with m neurons and n inputs."""
    sign, logarithm = log_expected_euler_characteristic(m, n)
    values: dict[str, object] = {
        "cells of the arrangement": count_cells(m, n),
        "E chi": sign * math.exp(min(logarithm, 700.0)),
        "ln |E chi|": logarithm,
        "P(not injective) <= (minimal cells)": noninjectivity_bound(m, n),
    }
    if n >= 2:
        values["P(not injective) <= (Gordon)"] = gordon_bound(m, n)
    if n <= 2:
        values["P(not injective)"] = float(exact_noninjectivity_probability(m, n))
    values["P(some input has no active neuron)"] = float(wendel_probability(m, n))
    values["m/n where E chi last crosses 1"] = euler_crossing(n)
    if as_json:
        print(json.dumps({"m": m, "n": n, **values}, indent=1))
        return
    for name, value in values.items():
        print(f"{name:36} {value if isinstance(value, int) else format(value, '.10g')}")

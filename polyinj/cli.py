"""The shell: `polyinj transition`, `polyinj check`, ..."""

from __future__ import annotations

import json
import math
import sys
import traceback
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from polyinj import __version__
from polyinj.cli_crossings import crossings_table
from polyinj.cli_deep import deep
from polyinj.cli_network import (
    NetworkOptions,
    check_network_file,
    is_network_file,
    read_network_file,
    verify_network_file,
)
from polyinj.cli_options import Seed, Workers, parse_integers, parse_list
from polyinj.cli_propagate import propagation
from polyinj.cli_relax import relax
from polyinj.cli_robustness import robustness
from polyinj.cli_sweep import sweep
from polyinj.errors import CertificateError, InputError, PolyinjError, StoreError
from polyinj.geometry import exact
from polyinj.injectivity.certificate import Collision, load_certificate
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict
from polyinj.injectivity.domain import Ball, Box
from polyinj.injectivity.layer import Layer
from polyinj.networks.weights import read_array
from polyinj.plots.theory import plot_threshold_ladder
from polyinj.simulation.transition import Transition
from polyinj.simulation.transition_runs import estimate_transition
from polyinj.simulation.witnesses import LADDER, WitnessSweep, estimate_witnesses
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

_UNTIL = typer.Option(help="Network: the tensor of an .onnx at which to stop.")
_INPUT_SHAPE = typer.Option(help="Network: shape of one input, such as 1,28,28.")
_FINAL_RELU = typer.Option("--final-relu", help="Network of arrays: a ReLU follows the last matrix too.")

app.command()(deep)
app.command()(robustness)
app.command("propagate")(propagation)
app.command()(relax)


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
    seed: Seed = 0,
    workers: Workers = None,
    chi_max_n: Annotated[int, typer.Option(help="Largest n for which the Euler characteristic is computed.")] = 5,
    witness_only: Annotated[
        bool, typer.Option("--witness-only", help="Look for witnesses only: n up to 1000.")
    ] = False,
    steps: Annotated[int, typer.Option(help="With --witness-only: steps of each search.")] = 4000,
    out: Annotated[Path, typer.Option(help="Folder for transition.png, .csv and .json.")] = Path("results"),
) -> None:
    """Estimate where random Gaussian layers become injective, beside what theory predicts."""
    if witness_only:
        _transition_of_witnesses(
            estimate_witnesses(
                parse_integers(n, "--n"),
                parse_list(aspect_ratios, "--aspect-ratios"),
                trials,
                steps=steps,
                seed=seed,
                workers=workers,
            ),
            out,
        )
        return
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


def _transition_of_witnesses(result: WitnessSweep, out: Path) -> None:
    paths = result.save(out)
    trials = " or ".join(sorted({str(row.trials) for row in result.rows}))
    cells = Table(
        title=f"Gaussian layers, {trials} a shape, searches of {result.steps} steps, seed {result.seed}",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for header in ("n", "m", "m/n", "P(witness found)", "95% interval", "fewest active / n"):
        cells.add_column(header, justify="right", no_wrap=True)
    for row, after in zip(result.rows, (*result.rows[1:], None), strict=True):
        cells.add_row(
            *(str(row.n), str(row.m), f"{row.aspect_ratio:.2f}", f"{row.p_found:.3f}"),
            f"{row.p_low:.3f} .. {row.p_high:.3f}",
            f"{row.mean_active:.3f}",
            end_section=after is not None and after.n != row.n,
        )
    reached = Table(title="Algorithmic threshold: m/n where ...", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in ("n", "P(found) = 1/2", "95% interval (bootstrap)", "largest found"):
        reached.add_column(header, justify="right", no_wrap=True)
    for point in result.thresholds:
        seen = point.half == point.half
        reached.add_row(
            str(point.n),
            f"{point.half:.3f}" if seen else "outside the grid",
            f"{point.half_low:.3f} .. {point.half_high:.3f}" if seen else "-",
            f"{point.largest_found:.2f}" if point.largest_found == point.largest_found else "none",
        )
    console = Console(soft_wrap=True)
    console.print(cells)
    console.print(reached)
    ladder = {row.name: row.lower for row in known_thresholds() if row.name in LADDER}
    console.print("beside it: " + ", ".join(f"{name} {value:.3f}" for name, value in ladder.items()), highlight=False)
    console.print("one-sided evidence: each witness is exact; where none was found, nothing is proved")
    console.print(f"wrote {', '.join(str(path) for path in paths)}")


@app.command()
def check(
    file: Annotated[
        Path,
        typer.Argument(help="Weights, one row a neuron: .npy, .npz, .csv. Or a network: .onnx, .safetensors, .npz."),
    ],
    key: Annotated[str | None, typer.Option(help="One array of an .npz or .safetensors: one layer.")] = None,
    bias: Annotated[Path | None, typer.Option(help="File with the bias; by default there is none.")] = None,
    bias_key: Annotated[str | None, typer.Option(help="Name of the bias in its .npz file, or in FILE.")] = None,
    transpose: Annotated[bool, typer.Option("--transpose", help="FILE stores one column a neuron.")] = False,
    nonnegative: Annotated[bool, typer.Option("--nonnegative", help="Inputs are >= 0, as behind a ReLU.")] = False,
    ball: Annotated[float | None, typer.Option(help="Inputs lie in this radius around --ball-centre.")] = None,
    ball_centre: Annotated[str | None, typer.Option(help="One number a column: 0,1.5,-2; by default 0.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="Save the proof of the verdict: .json or .json.gz.")] = None,
    rank_proof: Annotated[bool, typer.Option("--rank-proof", help="Do not assume general position.")] = False,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds, then undecided; networks: each layer, 10 by default.")
    ] = None,
    node_limit: Annotated[int | None, typer.Option(help="Nodes of a branch and bound, then undecided.")] = None,
    memory_limit: Annotated[int, typer.Option(help="MiB for the circuits and the proof, then undecided.")] = 4096,
    workers: Annotated[int, typer.Option(help="Threads.")] = 1,
    until: Annotated[str | None, _UNTIL] = None,
    input_shape: Annotated[str | None, _INPUT_SHAPE] = None,
    final_relu: Annotated[bool, _FINAL_RELU] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Decide whether a layer or a network is injective. Exit code 0: injective, 1: not injective, 3: undecided."""
    graph = _network_options(until, input_shape, final_relu)
    if is_network_file(file, key):
        for name, given in (
            ("--key", key),
            ("--bias", bias),
            ("--bias-key", bias_key),
            ("--nonnegative", nonnegative),
            ("--ball", ball),
            ("--node-limit", node_limit),
        ):
            if given:
                raise InputError(f"{file} is a network; {name} is for one layer, such as an array of an .npz")
        verdict = check_network_file(
            file,
            graph,
            transpose=transpose,
            rank_proof=True if rank_proof else None,
            time_limit=time_limit,
            workers=workers,
            as_json=as_json,
            certificate=certificate,
        )
        raise typer.Exit(_EXIT_CODES[verdict])
    if graph != NetworkOptions():
        raise InputError(f"{file} is read as one layer; --until, --input-shape and --final-relu are for networks")
    weights = read_array(file, key)
    weights = weights.T if transpose else weights
    shift = read_array(bias or file, bias_key) if bias is not None or bias_key is not None else None
    decision = decide_injectivity(
        weights,
        shift,
        domain=_domain(exact.read_matrix(weights).shape[1], nonnegative, ball, ball_centre),
        rank_proof=True if rank_proof else None,
        node_limit=node_limit,
        time_limit=time_limit,
        memory_limit=memory_limit << 20,
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


def _network_options(until: str | None, input_shape: str | None, final_relu: bool) -> NetworkOptions:
    return NetworkOptions(until, parse_integers(input_shape, "--input-shape") if input_shape else None, final_relu)


def _domain(columns: int, nonnegative: bool, ball: float | None, centre: str | None) -> Box | Ball | None:
    if ball is None:
        if centre is not None:
            raise InputError(f"--ball-centre is {centre!r} without a radius; add --ball RADIUS")
        return Box.nonnegative(columns) if nonnegative else None
    if nonnegative:
        raise InputError("--nonnegative and --ball are two domains; expected one of them")
    radius = exact.read_number(ball, "--ball")
    if centre is None:
        return Ball.at_origin(columns, radius)
    return Ball(tuple(exact.read_number(x, "--ball-centre") for x in parse_list(centre, "--ball-centre")), radius)


@app.command()
def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate: .json or .json.gz.")],
    file: Annotated[Path, typer.Argument(help="The weights or the network it speaks of, as `check` read them.")],
    key: Annotated[str | None, typer.Option(help="Name of the weights in an .npz file.")] = None,
    bias: Annotated[Path | None, typer.Option(help="File with the bias.")] = None,
    bias_key: Annotated[str | None, typer.Option(help="Name of the bias in its .npz file, or in FILE.")] = None,
    transpose: Annotated[bool, typer.Option("--transpose", help="FILE stores one column a neuron.")] = False,
    until: Annotated[str | None, _UNTIL] = None,
    input_shape: Annotated[str | None, _INPUT_SHAPE] = None,
    final_relu: Annotated[bool, _FINAL_RELU] = False,
) -> None:
    """Check a certificate in exact arithmetic. Exit code 0: valid, 1: refused."""
    if is_network_file(file, key):
        graph = _network_options(until, input_shape, final_relu)
        proves = partial(verify_network_file, certificate, read_network_file(file, graph, transpose=transpose))
    else:
        weights = read_array(file, key)
        shift = read_array(bias or file, bias_key) if bias is not None or bias_key is not None else None
        proves = partial(_verify_layer, certificate, weights.T if transpose else weights, shift)
    try:
        print(f"valid: {proves()}")
    except OSError as error:
        raise InputError(f"{certificate} cannot be read: {error.strerror}") from None
    except CertificateError as error:
        print(f"refused: {error}")
        raise typer.Exit(REFUSED) from None


def _verify_layer(certificate: Path, weights: NDArray[Any], bias: NDArray[Any] | None) -> str:
    """What a certificate of one layer proves; CertificateError if it does not hold."""
    found = load_certificate(certificate)
    found.verify(weights, bias)
    if isinstance(found, Collision):
        return "the layer is not injective"
    if found.assumes_general_position:
        return f"at least {found.budget + 1} rows are active everywhere; injective if in general position"
    return "the layer is injective"


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
        "stopped_by": decision.stopped_by,
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
        console.print(decision.advice)
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

"""The shell: `polyinj transition`, `polyinj check`, ..."""

from __future__ import annotations

import io
import json
import math
import sys
import traceback
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from polyinj._version import __version__
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import AnotherDomain, Layer, LayerName
from polyinj.certificates.layer_certificate import verify_certificate
from polyinj.certificates.layer_collision import Collision
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.cli.deep import deep
from polyinj.cli.domain import BoxSides, Centre, Nonnegative, Radius, domain_options, read_domain
from polyinj.cli.network import (
    NetworkOptions,
    check_network_file,
    is_network_file,
    read_network_file,
    verify_network_file,
)
from polyinj.cli.options import Seed, Workers, parse_integers, parse_list
from polyinj.cli.propagate import propagation
from polyinj.cli.relax import relax
from polyinj.cli.robustness import robustness
from polyinj.cli.sweep import sweep
from polyinj.cli.tables import crossings_table
from polyinj.errors import CertificateError, InputError, PolyinjError, StoreError, printable
from polyinj.exact import arrays
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict
from polyinj.networks.files import read_array, read_arrays
from polyinj.networks.network import Network
from polyinj.plots.theory import plot_threshold_ladder
from polyinj.studies.algorithmic_threshold import LADDER, WitnessSweep, estimate_witnesses
from polyinj.studies.transition import Transition
from polyinj.studies.transition_runs import estimate_transition
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

# Characters of a message of one line; a report of an internal error repeats a whole layer.
_MESSAGE = 1_000_000

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
_NO_BIAS = typer.Option("--no-bias", help="There is no bias, though FILE holds an array that could be one.")
_FINAL_RELU = typer.Option("--final-relu", help="Network of arrays: a ReLU follows the last matrix too.")

app.command()(deep)
app.command()(robustness)
app.command("propagate")(propagation)
app.command()(relax)


def main() -> None:
    """Entry point of the `polyinj` command; maps errors to the exit codes that the documentation states."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot write a character shows its code.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        status = INTERRUPTED
    except (InputError, StoreError) as error:
        print(f"polyinj: {printable(str(error), _MESSAGE)}", file=sys.stderr)
        status = BAD_INPUT
    except Exception as error:
        # Usage errors of the command line are click's; typer ships click under names that changed between versions.
        if hasattr(error, "format_message"):
            print(f"polyinj: {printable(error.format_message(), _MESSAGE)}; try --help", file=sys.stderr)
            status = BAD_INPUT
        else:
            if not isinstance(error, PolyinjError):
                traceback.print_exc()
            print(f"polyinj: {printable(str(error), _MESSAGE)}", file=sys.stderr)
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
    print(f"wrote {', '.join(map(_path, paths))}")


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
    print(f"wrote {', '.join(map(_path, paths))}")


@app.command()
def check(
    file: Annotated[
        Path,
        typer.Argument(help="Weights, one row a neuron: .npy, .npz, .csv. Or a network: .onnx, .safetensors, .npz."),
    ],
    key: Annotated[str | None, typer.Option(help="One array of an .npz or .safetensors: one layer.")] = None,
    bias: Annotated[Path | None, typer.Option(help="File with the bias; by default there is none.")] = None,
    bias_key: Annotated[str | None, typer.Option(help="Name of the bias in its .npz file, or in FILE.")] = None,
    no_bias: Annotated[bool, _NO_BIAS] = False,
    transpose: Annotated[bool, typer.Option("--transpose", help="FILE stores one column a neuron.")] = False,
    nonnegative: Nonnegative = False,
    sides: BoxSides = None,
    ball: Radius = None,
    ball_centre: Centre = None,
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
        _refuse_options_of_a_layer(
            file,
            **{"--key": key, "--bias": bias, "--bias-key": bias_key, "--no-bias": no_bias},
            **{"--nonnegative": nonnegative, "--box": sides, "--ball": ball, "--ball-centre": ball_centre},
            **{"--node-limit": node_limit},
        )
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
    weights, shift = _read_layer(file, key, bias, bias_key, transpose=transpose, no_bias=no_bias)
    columns = arrays.read_matrix(weights).shape[1]
    decision = decide_injectivity(
        weights,
        shift,
        domain=read_domain(columns, nonnegative=nonnegative, sides=sides, radius=ball, centre=ball_centre),
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
            print(f"wrote {_path(certificate)}")
    raise typer.Exit(_EXIT_CODES[decision.verdict])


def _network_options(until: str | None, input_shape: str | None, final_relu: bool) -> NetworkOptions:
    return NetworkOptions(until, parse_integers(input_shape, "--input-shape") if input_shape else None, final_relu)


def _refuse_options_of_a_layer(file: Path, **options: object) -> None:
    for name, given in options.items():
        if given not in (None, False):
            raise InputError(f"{file} is a network; {name} is for one layer, such as an array of an .npz")


def _read_layer(
    file: Path, key: str | None, bias: Path | None, bias_key: str | None, *, transpose: bool, no_bias: bool
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Weights and bias of one layer; InputError where FILE holds what could be its bias and nobody says if it is."""
    weights = read_array(file, key)
    weights = weights.T if transpose else weights
    if bias is not None or bias_key is not None:
        if no_bias:
            raise InputError("--no-bias and a bias are given; expected one of --no-bias, --bias and --bias-key")
        return weights, read_array(bias or file, bias_key)
    if not no_bias and file.suffix.lower() in (".npz", ".safetensors"):
        could_be = [name for name, array in read_arrays(file).items() if array.shape == weights.shape[:1]]
        if could_be:
            raise InputError(
                f"{file} holds {', '.join(could_be)} with an entry for each of the {len(weights)} rows; if that is the "
                f"bias, add --bias-key {could_be[0]}, else --no-bias"
            )
    return weights, None


def _path(path: Path) -> str:
    return printable(str(path), _MESSAGE)


@app.command()
def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate: .json or .json.gz.")],
    file: Annotated[Path, typer.Argument(help="The weights or the network it speaks of, as `check` read them.")],
    key: Annotated[str | None, typer.Option(help="Name of the weights in an .npz file.")] = None,
    bias: Annotated[Path | None, typer.Option(help="File with the bias.")] = None,
    bias_key: Annotated[str | None, typer.Option(help="Name of the bias in its .npz file, or in FILE.")] = None,
    no_bias: Annotated[bool, _NO_BIAS] = False,
    transpose: Annotated[bool, typer.Option("--transpose", help="FILE stores one column a neuron.")] = False,
    nonnegative: Nonnegative = False,
    sides: BoxSides = None,
    ball: Radius = None,
    ball_centre: Centre = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds, then refused; by default there is none.")] = None,
    until: Annotated[str | None, _UNTIL] = None,
    input_shape: Annotated[str | None, _INPUT_SHAPE] = None,
    final_relu: Annotated[bool, _FINAL_RELU] = False,
) -> None:
    """Check a certificate in exact arithmetic and print what it proves. Exit code 0: valid, 1: refused.

    It has to be about all inputs, R^n, unless --nonnegative, --box or --ball asks for another domain.
    """
    graph = _network_options(until, input_shape, final_relu)
    if is_network_file(file, key):
        _refuse_options_of_a_layer(
            file,
            **{"--bias": bias, "--bias-key": bias_key, "--no-bias": no_bias},
            **{"--nonnegative": nonnegative, "--box": sides, "--ball": ball, "--ball-centre": ball_centre},
        )
        network = read_network_file(file, graph, transpose=transpose)
        proves = partial(_verify_network, certificate, network, time_limit)
    else:
        if graph != NetworkOptions():
            raise InputError(f"{file} is read as one layer; --until, --input-shape and --final-relu are for networks")
        weights, shift = _read_layer(file, key, bias, bias_key, transpose=transpose, no_bias=no_bias)
        columns = arrays.read_matrix(weights).shape[1]
        domain = read_domain(columns, nonnegative=nonnegative, sides=sides, radius=ball, centre=ball_centre)
        proves = partial(_verify_layer, certificate, weights, shift, domain, time_limit)
    try:
        print(f"valid{proves()}")
    except OSError as error:
        raise InputError(f"{certificate} cannot be read: {error.strerror}") from None
    except CertificateError as error:
        print(f"refused: {printable(str(error), _MESSAGE)}")
        raise typer.Exit(REFUSED) from None


def _verify_network(certificate: Path, network: Network, time_limit: float | None) -> str:
    return f": {verify_network_file(certificate, network, time_limit=time_limit)}"


def _verify_layer(
    certificate: Path,
    weights: NDArray[Any],
    bias: NDArray[Any] | None,
    domain: Box | Ball | None,
    time_limit: float | None,
) -> str:
    """What a certificate of one layer proves; CertificateError if it does not hold."""
    try:
        found = verify_certificate(certificate, weights, bias, domain, time_limit=time_limit)
    except AnotherDomain as error:
        raise CertificateError(f"{error.fault}; if that is meant, give {domain_options(error.domain)}") from None
    if isinstance(found, InjectivityProof) and not found.counts_enough:
        return f" as a count only, which proves no injectivity: {found.statement}"
    return f": {found.statement}"


_EXIT_CODES = {
    Verdict.INJECTIVE: INJECTIVE,
    Verdict.NOT_INJECTIVE: NOT_INJECTIVE,
    Verdict.UNDECIDED: UNDECIDED,
}


def _decision_json(decision: Decision) -> dict[str, object]:
    m, n = decision.layer.weights.shape
    document: dict[str, object] = {
        "verdict": decision.verdict.value,
        "statement": decision.statement,
        "assumes_general_position": decision.assumes_general_position,
        "rows": m,
        "columns": n,
        "bias": decision.layer.bias is not None,
        "domain": LayerName.of(decision.layer).place,
        "depth_lower_bound": decision.depth_lower_bound,
        "fewest_active_found": decision.best_witness.active if decision.best_witness else None,
        "nodes": decision.stats.nodes,
        "seconds": decision.stats.seconds,
        "stopped_by": decision.stopped_by,
    }
    if isinstance(decision.certificate, Collision):
        pair = decision.certificate.as_float64(decision.layer.weights, decision.layer.bias)
        document["collision"] = {
            "x": [_number(entry) for entry in decision.certificate.x],
            "y": [_number(entry) for entry in decision.certificate.y],
            "x_float64": pair.x.tolist(),
            "y_float64": pair.y.tolist(),
            "distance": pair.distance,
            "image_difference": pair.image_difference,
        }
    return document


def _print_decision(decision: Decision) -> None:
    m, n = decision.layer.weights.shape
    assumed = " if the rows are in general position" if decision.assumes_general_position else ""
    bias = "with bias" if decision.layer.bias is not None else "without bias"
    print(f"{decision.verdict.value}{assumed}: {m} rows, {n} columns, {bias}, on {LayerName.of(decision.layer).place}")
    if decision.assumes_general_position:
        print(f"proven: at least {n} rows are active everywhere; --rank-proof tries to prove that they span")
    if decision.verdict is Verdict.UNDECIDED:
        print(decision.advice)
        print(f"proven: at least {decision.depth_lower_bound} rows are active everywhere; {n} are needed")
    if decision.best_witness is not None:
        print(f"fewest active rows found at a point: {decision.best_witness.active}")
    if isinstance(decision.certificate, Collision):
        _print_collision(decision.certificate, decision.layer)


def _print_collision(collision: Collision, layer: Layer) -> None:
    print("collision, exact: x and y have the same image")
    for name, point in (("x", collision.x), ("y", collision.y)):
        print(f"  {name} = ({', '.join(map(_number, point))})")
    pair = collision.as_float64(layer.weights, layer.bias)
    if pair.distance < 1e-3 * max(abs(pair.x).max(), abs(pair.y).max()):
        print("the nearest float64 pair is too close together to be worth showing")
        return
    print("nearest float64 pair")
    for name, rounded in (("x", pair.x), ("y", pair.y)):
        print(f"  {name} = {rounded.tolist()}")
    print(f"  |x - y| = {pair.distance:.6g}, largest difference of the images {pair.image_difference:.3g}")


def _number(value: Fraction) -> str:
    """A rational in full; Python prints no integer of more than 4300 digits."""
    return arrays.format_ratio(value).removesuffix("/1")


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
        print(f"wrote {_path(out)}")


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

"""The shell: `polyinj transition`, `polyinj check`, ..."""

from __future__ import annotations

import json
import sys
import traceback
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from polyinj import __version__
from polyinj.errors import InputError, PolyinjError
from polyinj.geometry.exact import read_vector
from polyinj.injectivity.decide import Decision, Verdict, decide_injectivity
from polyinj.networks.weights import read_array
from polyinj.simulation.transition import Transition, estimate_transition

INJECTIVE, NOT_INJECTIVE, BAD_INPUT, UNDECIDED, INTERNAL_ERROR, INTERRUPTED = 0, 1, 2, 3, 70, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Injectivity of ReLU layers, decided exactly, beside what theory predicts for random ones.",
)


def main() -> None:
    """Entry point of the `polyinj` command; maps errors to the exit codes that the documentation states."""
    try:
        status = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        status = INTERRUPTED
    except InputError as error:
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


def parse_list(text: str, name: str) -> list[float]:
    """The numbers of a list option: `2,3,5`, `2..8` (integers) or `2:10:0.5` (start:stop:step, stop included)."""
    try:
        if ".." in text:
            low, high = (int(end) for end in text.split(".."))
            values = [float(value) for value in range(low, high + 1)]
        elif ":" in text:
            start, stop, step = (Fraction(part.strip()) for part in text.split(":"))
            if step <= 0:
                raise ValueError
            values = [float(start + k * step) for k in range(int((stop - start) / step) + 1)]
        else:
            values = [float(part) for part in text.split(",")]
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{name} is {text!r}; expected a list such as 2,3,5 or 2..8 or 2:10:0.5") from None
    if not values:
        raise InputError(f"{name} is {text!r}, an empty range; expected the smaller end first")
    return values


def parse_integers(text: str, name: str) -> list[int]:
    """As `parse_list`, integers only."""
    values = parse_list(text, name)
    for value in values:
        if value != round(value):
            raise InputError(f"{name} is {text!r}; expected integers, such as 2,3,5 or 2..8")
    return [int(value) for value in values]


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
    n: Annotated[str, typer.Option(help="Input dimensions: 2,3,5 or 2..5.")] = "2..5",
    aspect_ratios: Annotated[str, typer.Option(help="Values of m/n: 2,3.5 or 2:10:0.5.")] = "2:10:0.5",
    trials: Annotated[int, typer.Option(help="Random matrices for each shape.")] = 1000,
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
    console.print(_half_table(result))
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Decide whether one layer is injective. Exit code 0: injective, 1: not injective, 3: undecided."""
    weights = read_array(file, key)
    weights = weights.T if transpose else weights
    if bias is not None or bias_key is not None:
        read_vector(read_array(bias or file, bias_key), len(weights))
        print("polyinj: the bias is read and ignored: the verdict is on x -> ReLU(Wx)", file=sys.stderr)
    decision = decide_injectivity(weights)
    if weights.shape[0] < weights.shape[1]:
        print("polyinj: fewer rows than columns; if FILE stores one column a neuron, add --transpose", file=sys.stderr)
    if as_json:
        print(json.dumps(_decision_json(decision), indent=1))
    else:
        _print_decision(decision)
    raise typer.Exit(_EXIT_CODES[decision.verdict])


_EXIT_CODES = {
    Verdict.INJECTIVE: INJECTIVE,
    Verdict.NOT_INJECTIVE: NOT_INJECTIVE,
    Verdict.UNDECIDED: UNDECIDED,
}


def _decision_json(decision: Decision) -> dict[str, object]:
    m, n = decision.layer.weights.shape
    document: dict[str, object] = {
        "verdict": decision.verdict.value,
        "rows": m,
        "columns": n,
        "depth_lower_bound": decision.depth_lower_bound,
        "fewest_active_found": decision.best_witness.active if decision.best_witness else None,
    }
    if decision.certificate is not None:
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
    console.print(f"{decision.verdict.value}: {m} rows, {n} columns")
    if decision.best_witness is not None:
        console.print(
            f"fewest active rows found {decision.best_witness.active}, proven at least {decision.depth_lower_bound}, "
            f"needed everywhere {n}"
        )
    if decision.certificate is None:
        return
    pair = decision.certificate.as_float64(decision.layer.weights, decision.layer.bias)
    console.print("collision, exact: x and y have the same image")
    for name, point in (("x", decision.certificate.x), ("y", decision.certificate.y)):
        console.print(f"  {name} = ({', '.join(map(str, point))})")
    if pair.distance < 1e-3 * max(abs(pair.x).max(), abs(pair.y).max()):
        console.print("  its nearest float64 pair is too close together to be told apart by eye")
        return
    console.print("nearest float64 pair")
    for name, rounded in (("x", pair.x), ("y", pair.y)):
        console.print(f"  {name} = {rounded.tolist()}")
    console.print(f"  |x - y| = {pair.distance:.6g}, largest difference of the images {pair.image_difference:.3g}")


def _half_table(result: Transition) -> Table:
    table = Table(title="Aspect ratio m/n where ...", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in ("n", "P(injective) = 1/2", "95% interval (bootstrap)", "E chi last crosses 1"):
        table.add_column(header, justify="right", no_wrap=True)
    for point in result.half_points:
        seen = point.half == point.half
        table.add_row(
            str(point.n),
            f"{point.half:.3f}" if seen else "outside the grid",
            f"{point.half_low:.3f} .. {point.half_high:.3f}" if seen else "-",
            f"{point.unit_chi:.3f}",
        )
    return table

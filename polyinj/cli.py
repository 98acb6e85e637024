"""The shell: `polyinj transition`, `polyinj check`, ..."""

from __future__ import annotations

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

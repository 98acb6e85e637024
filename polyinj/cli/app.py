"""The shell: `polyinj transition`, `polyinj check`, ..."""

from __future__ import annotations

import io
import sys
import traceback
from typing import Annotated

import typer

from polyinj._version import __version__
from polyinj.cli.check import check
from polyinj.cli.deep import deep
from polyinj.cli.expected import expected
from polyinj.cli.inspect import inspect
from polyinj.cli.output import BAD_INPUT, INTERNAL_ERROR, INTERRUPTED, one_line
from polyinj.cli.propagate import propagation
from polyinj.cli.relax import relax
from polyinj.cli.robustness import robustness
from polyinj.cli.sweep.app import sweep
from polyinj.cli.thresholds import thresholds
from polyinj.cli.transition import transition
from polyinj.cli.verify import verify
from polyinj.errors import InputError, PolyinjError, StoreError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Injectivity of ReLU layers, decided exactly, beside what theory predicts for random ones.",
)
app.command()(deep)
app.command()(robustness)
app.command("propagate")(propagation)
for command in (relax, transition, check, inspect, verify, thresholds, expected):
    app.command()(command)
app.add_typer(sweep, name="sweep")


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
        print(f"polyinj: {one_line(error)}", file=sys.stderr)
        status = BAD_INPUT
    except Exception as error:
        # Usage errors of the command line are click's; typer ships click under names that changed between versions.
        if hasattr(error, "format_message"):
            print(f"polyinj: {one_line(error.format_message())}; try --help", file=sys.stderr)
            status = BAD_INPUT
        else:
            if not isinstance(error, PolyinjError):
                traceback.print_exc()
            print(f"polyinj: {one_line(error)}", file=sys.stderr)
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

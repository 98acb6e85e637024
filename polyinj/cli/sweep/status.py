"""The shell command `polyinj sweep status`."""

from __future__ import annotations

from typing import Annotated

import typer

from polyinj.cli.output import output_console
from polyinj.cli.sweep.options import StoreFile
from polyinj.cli.tables import make_table
from polyinj.simulation.store.fingerprint import readable
from polyinj.simulation.store.reader import StoreReader


def status(
    store: StoreFile,
    failures: Annotated[bool, typer.Option("--failures", help="Print the tracebacks of failed trials.")] = False,
) -> None:
    """Print what a sweep is and how far it got; a run may go on meanwhile."""
    with StoreReader(store) as reader:
        cells, design, sessions, failed = reader.cells(), reader.design, reader.sessions(), reader.failures()
    print(f"{readable(design.ensemble)}, {readable(design.statistic)}, seed {design.seed}, polyinj {design.version}")
    for session in sessions:
        print(f"run {session['started']}: numpy {session['numpy']}, python {session['python']}, {session['platform']}")
    table = make_table(None, "n", "m", "m/n", "wanted", "done", "undecided", "failed", "ms a trial")
    for cell in cells:
        cost = f"{1e3 * cell.seconds / cell.done:.3g}" if cell.done else "-"
        counts = (cell.wanted, cell.done, cell.undecided, cell.failed)
        table.add_row(*map(str, (cell.n, cell.m)), f"{cell.m / cell.n:.3g}", *map(str, counts), cost)
    output_console().print(table)
    done, wanted = sum(cell.done for cell in cells), sum(cell.wanted for cell in cells)
    print(f"{done} of {wanted} trials done, {sum(cell.seconds for cell in cells):.1f} s in the statistic")
    for one in failed if failures else ():
        print(f"\ntrial {one.trial} of shape ({one.m}, {one.n}):\n{one.traceback.rstrip()}")

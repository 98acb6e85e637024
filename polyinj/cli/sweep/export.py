"""The shell command `polyinj sweep export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from polyinj.cli.sweep.options import StoreFile
from polyinj.simulation.store import export as exporting
from polyinj.simulation.store.reader import StoreReader


def export(
    store: StoreFile,
    to: Annotated[Path, typer.Option(help="The table to write, one row a trial: .csv or .parquet.")],
    salvage: Annotated[bool, typer.Option("--salvage", help="Of a damaged file: every batch that is intact.")] = False,
) -> None:
    """Write the trials of a sweep as a table."""
    with StoreReader(store, salvage=salvage) as reader:
        rows = exporting.export(reader, to)
        if reader.lost:
            print("polyinj: some batches were damaged and are left out", file=sys.stderr)
    print(f"wrote {to}: {rows} trials")

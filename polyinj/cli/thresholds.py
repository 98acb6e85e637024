"""The shell command `polyinj thresholds`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from polyinj.cli.output import output_console, print_written
from polyinj.cli.tables import make_table
from polyinj.errors import InputError
from polyinj.plots.theory import plot_threshold_ladder
from polyinj.theory.replica import energy_curves
from polyinj.theory.thresholds import ENCLOSED, enclose_threshold, known_thresholds


def thresholds(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also draw the ladder with e(alpha) to this .png.")] = None,
    budget: Annotated[float, typer.Option(help="Active rows allowed, over n; 1 is injectivity.")] = 1.0,
) -> None:
    """Print every known threshold of m/n for random layers: value, proven or not, source.

    --budget B asks for directions with at most B n active rows: there are some below a threshold, none above.
    """
    rows = known_thresholds(budget)
    if out is not None:
        if budget != 1:
            raise InputError(f"--budget is {budget:g}; the figure shows injectivity, budget 1; leave out --out")
        figure = plot_threshold_ladder(rows, energy_curves([3 + k / 4 for k in range(29)]))
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=200)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    title = "Aspect ratios m/n as n grows" + ("" if budget == 1 else f", budget {budget:g} n")
    table = make_table(title, "name", "m/n", left=1)
    table.add_column("status and source", overflow="fold")
    for row in rows:
        if row.name in ENCLOSED:
            value = enclose_threshold(row.name, budget).str(25, radius=False) + " proven"
        else:
            value = f"{row.lower:.8g}" if row.lower == row.upper else f"[{row.lower:.12g}, {row.upper:.12g}]"
        table.add_row(row.name, escape(value), escape(f"{row.status}; {row.source}"))
    output_console().print(table)
    if out is not None:
        print_written([out])

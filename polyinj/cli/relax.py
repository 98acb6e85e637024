"""The shell command `polyinj relax`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from polyinj.cli.options import Seed, Workers, parse_integers, parse_list
from polyinj.cli.output import output_console, print_written
from polyinj.cli.tables import make_table
from polyinj.studies.relaxation import DEFAULT, RelaxationRow, RelaxationStudy, study_relaxations


def relax(
    relaxations: Annotated[str, typer.Option(help="Names, such as box,crown,ramp:2.")] = ",".join(DEFAULT),
    inputs: Annotated[int, typer.Option(help="Inputs of the classifiers.")] = 2,
    width: Annotated[str, typer.Option(help="Neurons of a hidden layer: 4,6 or 4..8.")] = "4,6",
    depth: Annotated[str, typer.Option(help="Hidden layers: 1,2.")] = "1,2",
    radius: Annotated[str, typer.Option(help="Radii of the boxes: 0.1,0.3.")] = "0.1,0.3",
    steps: Annotated[str, typer.Option(help="Steps of training before the line starts: 0,50.")] = "0,50",
    lines: Annotated[int, typer.Option(help="Random lines for each kind.")] = 12,
    reach: Annotated[float, typer.Option(help="Length of a line over the length of the weights.")] = 0.5,
    seed: Seed = 0,
    workers: Workers = None,
    out: Annotated[Path, typer.Option(help="Folder for relaxations.png, .csv and .json.")] = Path("results"),
) -> None:
    """Find every jump of certified bounds along random lines of weights, exactly, beside how tight they are."""
    study = study_relaxations(
        relaxations.split(","),
        inputs=inputs,
        widths=parse_integers(width, "--width"),
        depths=parse_integers(depth, "--depth"),
        radii=parse_list(radius, "--radius"),
        steps=parse_integers(steps, "--steps"),
        lines=lines,
        reach=reach,
        seed=seed,
        workers=workers,
    )
    paths = study.save(out)
    console = output_console()
    for count in sorted({row.steps for row in study.rows}):
        console.print(_table(study, count))
    if lines > 1:
        console.print(_contrasts(study))
    print_written(paths)


def _table(study: RelaxationStudy, steps: int) -> Table:
    lines = study.rows[0].lines
    title = f"{steps} steps of training, {lines} lines a kind, means over kinds, seed {study.seed}"
    headers = ("lines with jump", "jumps", "largest / width", "loss jump", "tightness", "degree", "gradient change")
    table = make_table(title, "relaxation", *headers, left=1, wrap=True)
    for name in dict.fromkeys(row.relaxation for row in study.rows):
        rows = [row for row in study.rows if (row.relaxation, row.steps) == (name, steps)]
        table.add_row(
            escape(name),
            f"{sum(row.jumping for row in rows)} of {sum(row.lines for row in rows)}",
            f"{_mean(rows, 'jumps'):.2f}",
            f"{_mean(rows, 'largest'):.3f}",
            f"{_mean(rows, 'loss_jump'):.3f}",
            f"{_mean(rows, 'tightness'):.3f}",
            f"{_mean(rows, 'degree'):.1f}",
            f"{_mean(rows, 'gradient_change'):.3f}",
        )
    return table


def _contrasts(study: RelaxationStudy) -> Table:
    """The gradient's change against that under the first relaxation, on the same classifiers."""
    reference, *others = dict.fromkeys(row.relaxation for row in study.rows)
    counts = sorted({row.steps for row in study.rows})
    title = f"Gradient change less that of {reference}, on the same classifiers: mean, 95% interval"
    table = make_table(title, "relaxation", *(f"{count} steps" for count in counts), left=1)
    for name in others:
        found = [study.sensitivity_contrast(name, reference, count) for count in counts]
        cells = (f"{one.difference:+.3f} ± {one.high - one.difference:.3f}" for one in found)
        table.add_row(escape(name), *cells)
    return table


def _mean(rows: list[RelaxationRow], what: str) -> float:
    return float(sum(getattr(row, what) for row in rows) / len(rows))

"""The shell command `polyinj deep`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from polyinj.cli.options import Seed, Workers, parse_integers, parse_list, parse_widths
from polyinj.cli.output import output_console, print_written
from polyinj.cli.tables import interval, make_table
from polyinj.studies.deep_transition import DeepTransition, estimate_deep_transition


def deep(
    n: Annotated[str, typer.Option(help="Input dimensions: 2,3 or 2..3.")] = "2",
    depth: Annotated[str, typer.Option(help="Layers l: 1..8 or 1,2,4; networks have the greatest.")] = "1..8",
    expansivity: Annotated[str, typer.Option(help="Values of C = m/n: 2:12:1 or 3,4.5.")] = "2:12:1",
    widths: Annotated[
        str | None,
        typer.Option(help="Instead: n and the width of each layer, as 2-8-8; the last may be a range, 2-8-4..12."),
    ] = None,
    trials: Annotated[int, typer.Option(help="Random networks for each shape.")] = 400,
    seed: Seed = 0,
    max_regions: Annotated[int, typer.Option(help="Linear regions beyond which a network is undecided.")] = 400_000,
    workers: Workers = None,
    out: Annotated[Path, typer.Option(help="Folder for deep.png, .csv and .json.")] = Path("results"),
) -> None:
    """Estimate P(injective through layer l) of Gaussian networks of widths (n, Cn, ..., Cn), beside a proven bound.

    With --widths, of networks of any widths, and which share of the networks a layer leaves injective.
    """
    profiles = [] if widths is None else parse_widths(widths, "--widths")
    study = estimate_deep_transition(
        [] if profiles else parse_integers(n, "--n"),
        [] if profiles else parse_integers(depth, "--depth"),
        [] if profiles else parse_list(expansivity, "--expansivity"),
        trials,
        widths=profiles,
        seed=seed,
        max_regions=max_regions,
        workers=workers,
    )
    paths = study.save(out)
    console = output_console()
    for table in (_kept_table, _point_table) if profiles else (_probability_table, _half_table):
        console.print(table(study))
    print_written(paths)


def _probability_table(study: DeepTransition) -> Table:
    layers = sorted({row.layer for row in study.rows})
    title = f"P(injective through layer l), {study.rows[0].trials} networks a shape, seed {study.seed}"
    undecided = any(row.undecided for row in study.rows)
    headers = ("n", "m", "C", *(f"l = {layer}" for layer in layers), *["undecided"] * undecided)
    table = make_table(title, *headers)
    for shape in sorted({(row.n, row.m) for row in study.rows}):
        rows = {row.layer: row for row in study.rows if (row.n, row.m) == shape}
        cells = [str(shape[0]), str(shape[1]), f"{rows[layers[0]].expansivity:.2f}"]
        cells += [f"{rows[layer].p_injective:.3f}" for layer in layers]
        cells += [str(max(row.undecided for row in rows.values()))] * undecided
        table.add_row(*map(escape, cells))
    return table


def _half_table(study: DeepTransition) -> Table:
    headers = ("n", "l", "P = 1/2", "95% interval", "P > 1/2 proven", "n → ∞ proven")
    table = make_table("Expansivity C where ...", *headers)
    for point in study.half_points:
        table.add_row(
            str(point.n),
            str(point.layer),
            f"{point.half:.3f}" if point.half == point.half else "outside the grid",
            interval(point.half_low, point.half_high),
            f"{point.sufficient:.3f}",
            f"{point.limit:.3f}",
        )
    return table


def _kept_table(study: DeepTransition) -> Table:
    headers = ("widths", "P", "95% interval", "kept", "95% interval", "P proven")
    table = make_table(f"P(injective), {study.rows[0].trials} networks a shape, seed {study.seed}", *headers)
    for row in study.rows:
        table.add_row(
            row.widths,
            f"{row.p_injective:.3f}",
            interval(row.p_low, row.p_high),
            f"{row.kept:.3f}",
            interval(row.kept_low, row.kept_high),
            f"{1 - row.bound:.3f}",
        )
    return table


def _point_table(study: DeepTransition) -> Table:
    headers = ("behind", "l", "least width", "95% interval", "over m_(l-1)")
    table = make_table("Where layer l keeps half of the networks injective before it", *headers)
    for point in study.kept_points:
        found = point.width == point.width
        table.add_row(
            point.before,
            str(point.layer),
            f"{point.width:.0f}" if found else "outside the range",
            interval(point.width_low, point.width_high, ".0f"),
            f"{point.expansion:.2f}" if found else "",
        )
    return table

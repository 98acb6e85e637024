"""The shell command `polyinj transition`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from polyinj.cli.options import Seed, Workers, parse_integers, parse_list
from polyinj.cli.output import output_console, print_written
from polyinj.cli.tables import crossings_table, interval, make_table
from polyinj.studies.algorithmic_threshold import LADDER, WitnessSweep, estimate_witnesses
from polyinj.studies.transition import Transition
from polyinj.studies.transition_runs import estimate_transition
from polyinj.theory.thresholds import known_thresholds


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
    store: Annotated[Path | None, typer.Option(help="File that keeps every trial: a stopped run goes on.")] = None,
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
                store=store,
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
        store=store,
    )
    paths = result.save(out)
    console = output_console()
    console.print(_cells_table(result))
    console.print(crossings_table(result))
    print_written(paths)


def _cells_table(result: Transition) -> Table:
    trials = " or ".join(sorted({str(row.trials) for row in result.rows}))
    title = f"Gaussian layers, {trials} matrices a shape, seed {result.seed} (95% intervals; chi with standard error)"
    undecided = any(row.undecided for row in result.rows)
    headers = ("n", "m", "m/n", "P(injective)", "mean chi", "E chi", "P(not) <=")
    table = make_table(title, *headers, *(["undecided"] if undecided else []))
    for row, after in zip(result.rows, (*result.rows[1:], None), strict=True):
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
        cells += [str(row.undecided)] * undecided
        table.add_row(*map(escape, cells), end_section=after is not None and after.n != row.n)
    return table


def _transition_of_witnesses(result: WitnessSweep, out: Path) -> None:
    paths = result.save(out)
    trials = " or ".join(sorted({str(row.trials) for row in result.rows}))
    cells = make_table(
        f"Gaussian layers, {trials} a shape, searches of {result.steps} steps, seed {result.seed}",
        *("n", "m", "m/n", "P(witness found)", "95% interval", "fewest active / n"),
    )
    for row, after in zip(result.rows, (*result.rows[1:], None), strict=True):
        cells.add_row(
            *(str(row.n), str(row.m), f"{row.aspect_ratio:.2f}", f"{row.p_found:.3f}"),
            interval(row.p_low, row.p_high),
            f"{row.mean_active:.3f}",
            end_section=after is not None and after.n != row.n,
        )
    reached = make_table(
        "Algorithmic threshold: m/n where ...",
        *("n", "P(found) = 1/2", "95% interval (bootstrap)", "largest found"),
    )
    for point in result.thresholds:
        reached.add_row(
            str(point.n),
            f"{point.half:.3f}" if point.half == point.half else "outside the grid",
            interval(point.half_low, point.half_high),
            f"{point.largest_found:.2f}" if point.largest_found == point.largest_found else "none",
        )
    console = output_console()
    console.print(cells)
    console.print(reached)
    ladder = {row.name: row.lower for row in known_thresholds() if row.name in LADDER}
    console.print("beside it: " + ", ".join(f"{name} {value:.3f}" for name, value in ladder.items()), highlight=False)
    console.print("one-sided evidence: each witness is exact; where none was found, nothing is proved")
    print_written(paths)

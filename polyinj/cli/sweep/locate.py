"""The shell command `polyinj sweep locate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyinj.cli.options import Workers, parse_integers
from polyinj.cli.output import output_console
from polyinj.cli.sweep.options import Scheduler, executor_of
from polyinj.cli.tables import crossings_table
from polyinj.studies.transition_runs import locate_transition


def locate(
    n: Annotated[str, typer.Option(help="Inputs: 4,6 or 4..8.")],
    width: Annotated[float, typer.Option(help="Wished width of the 95% interval of the crossing, in m/n.")],
    max_trials: Annotated[int, typer.Option(help="Random matrices for each n, at most.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Same seed, same table, wherever it is computed.")] = 0,
    time_limit: Annotated[float | None, typer.Option(help="Seconds after which no round of trials starts.")] = None,
    node_limit: Annotated[int | None, typer.Option(help="Nodes of a decision, then undecided.")] = None,
    store: Annotated[Path | None, typer.Option(help="File that keeps every trial as it is done.")] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    out: Annotated[Path, typer.Option(help="Folder for transition.png, .csv and .json.")] = Path("results"),
) -> None:
    """Find where P(injective) = 1/2 for Gaussian layers, with trials where they narrow that crossing most."""
    with executor_of(workers, scheduler) as executor:
        result = locate_transition(
            parse_integers(n, "--n"),
            width=width,
            max_trials=max_trials,
            seed=seed,
            time_limit=time_limit,
            node_limit=node_limit,
            executor=executor,
            store=store,
        )
    paths = result.save(out)
    output_console().print(crossings_table(result))
    print(f"wrote {', '.join(str(path) for path in paths)}: {sum(row.trials for row in result.rows)} matrices")

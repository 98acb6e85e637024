"""The shell command `polyinj sweep plot`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from polyinj.cli.output import output_console, print_written
from polyinj.cli.tables import crossings_table, scaling_table
from polyinj.studies.algorithmic_threshold import WitnessSweep
from polyinj.studies.transition import Transition

_FEWEST_CROSSINGS = 4


def plot(
    source: Annotated[
        Path, typer.Argument(help="A sweep of Gaussian layers, a folder of `polyinj transition`, or a .csv of counts.")
    ],
    witnesses: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of `polyinj transition --witness-only`: lower bounds for the figure; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for transition.png and finite_size.png.")] = Path("results"),
) -> None:
    """Draw P(injective) and the crossings of 1/2 with their extrapolations; nothing is run."""
    result = Transition.load(source)
    figures = {"transition.png": result.plot()}
    known = sum(crossing.half == crossing.half for crossing in result.crossings)
    console = output_console()
    console.print(crossings_table(result))
    if known >= _FEWEST_CROSSINGS:
        console.print(scaling_table(result.extrapolate()))
        figures["finite_size.png"] = result.plot_scaling([WitnessSweep.load(folder) for folder in witnesses or []])
    else:
        print(f"crossings of {known} n are shown; {_FEWEST_CROSSINGS} are needed to extrapolate", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(out / name, dpi=200)
    print_written(out / name for name in figures)

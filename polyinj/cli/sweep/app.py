"""The shell commands of sweeps: `polyinj sweep run`, `locate`, `status`, `resume`, `export`, `plot`."""

from __future__ import annotations

import typer

from polyinj.cli.sweep.export import export
from polyinj.cli.sweep.locate import locate
from polyinj.cli.sweep.plot import plot
from polyinj.cli.sweep.resume import resume
from polyinj.cli.sweep.run import run
from polyinj.cli.sweep.status import status

sweep = typer.Typer(no_args_is_help=True, help="Simulations that survive: every trial is kept in a file as it is done.")
for command in (run, locate, status, resume, export, plot):
    sweep.command()(command)

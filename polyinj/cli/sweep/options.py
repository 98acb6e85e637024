"""Options of the sweeps: their file, and where trials run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from polyinj.errors import InputError
from polyinj.simulation.executors import local_processes

Scheduler = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler, such as tcp://host:8786, to run there instead.")
]
StoreFile = Annotated[Path, typer.Argument(help="The file of a sweep.")]


@contextmanager
def executor_of(workers: int | None, scheduler: str | None) -> Iterator[Executor]:
    """The executor that --workers or --scheduler asks for."""
    if scheduler is None:
        with local_processes(workers) as executor:
            yield executor
        return
    if workers is not None:
        raise InputError("--workers and --scheduler were both given; a scheduler has its own workers: expected one")
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--scheduler needs Dask: pip install 'polyinj[dask]'") from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler is {scheduler}: {error}; expected an address such as tcp://host:8786") from None
    with client, client.getexecutor_of() as executor:
        yield executor

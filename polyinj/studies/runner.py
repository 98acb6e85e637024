"""How a study runs: a design of labelled jobs, all at once on one executor, and what each of them found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from typing import TypeVar

import numpy as np

from polyinj.errors import InputError
from polyinj.simulation.estimate import Job, Simulation, simulate_jobs
from polyinj.simulation.executors import local_processes
from polyinj.simulation.progress import Note
from polyinj.simulation.store.store import Store

Label = TypeVar("Label")


def run_study(
    design: Mapping[Label, Job],
    *,
    seed: int | None,
    workers: int | None = None,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
    note: Note | None = None,
) -> tuple[int, dict[Label, Simulation]]:
    """Run the jobs of a design; the seed, drawn if None, and the simulation of each label.

    Parameters
    ----------
    design : mapping of label to Job
        Not empty.
    workers : int, optional
        Processes on this machine, by default one a core; not looked at where there is an executor.
    seed, executor, store, progress, note
        As in `polyinj.simulation.estimate.simulate_jobs`.
    """
    with nullcontext(executor) if executor is not None else local_processes(workers) as where:
        done = simulate_jobs(
            list(design.values()), seed=seed, executor=where, store=store, progress=progress, note=note
        )
    return done[0].seed, dict(zip(design, done, strict=True))


def check_integers(name: str, values: Sequence[int], least: int = 1) -> None:
    """InputError for an empty list or a value below the least."""
    if not len(values):
        raise InputError(f"{name} is empty; expected at least one value")
    for value in values:
        if value < least:
            raise InputError(f"{name} has {value}; expected integers >= {least}")


def shapes(ns: Sequence[int], ratios: Sequence[float], *, ratio: str = "aspect ratio") -> list[tuple[int, int]]:
    """The pairs (n, m) with m = round(ratio * n), ordered, without duplicates; InputError for bad lists."""
    check_integers("n", ns)
    if not len(ratios):
        raise InputError(f"the list of values of {ratio} is empty; expected at least one value")
    for value in ratios:
        if not (np.isfinite(value) and value >= 1):
            raise InputError(
                f"{ratio} is {value}; expected finite numbers >= 1 (fewer rows than columns never are injective)"
            )
    return sorted({(int(n), round(value * n)) for n in ns for value in ratios})

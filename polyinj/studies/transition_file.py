"""Rows of a transition in other files than its own: tables of counts, and the stores of sweeps."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from polyinj.errors import InputError
from polyinj.results.files import write_table, write_whole
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.store.fingerprint import describe_ensemble, readable
from polyinj.simulation.store.reader import DesignCell, StoreReader
from polyinj.studies.transition_row import Row

COUNTS = ("n", "m", "trials", "injective", "not_injective", "undecided")
_COLUMNS = (*COUNTS, "seed", "version")


def write_counts(path: Path, rows: Sequence[Row], seed: int, version: str) -> Path:
    """Write the counts of the rows as CSV, with seed and version in each line; the path."""
    table = [[*(getattr(row, name) for name in COUNTS), seed, version] for row in rows]
    (target,) = write_whole({path: lambda temporary: write_table(temporary, _COLUMNS, table)})
    return target


def read_counts(path: Path) -> tuple[list[Row], int, str]:
    """Rows, seed and version of a table of counts; InputError where it is none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as .csv: {error}") from None
    if not table or not set(_COLUMNS) <= set(table[0]):
        raise InputError(f"{path} has no rows or not all columns; expected {', '.join(_COLUMNS)}")
    origins = {(line["seed"], line["version"]) for line in table}
    if len(origins) > 1:
        raise InputError(f"{path} mixes seeds or versions ({', '.join(map(str, sorted(origins)))}); expected one run")
    try:
        rows = [_row(line) for line in table]
        seed, version = int(table[0]["seed"]), table[0]["version"]
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is no table of counts ({error}); expected integers") from None
    shapes = [(row.n, row.m) for row in rows]
    if len(set(shapes)) < len(shapes):
        raise InputError(f"{path} has a shape (n, m) twice; expected one row each")
    return rows, seed, version


def read_store(path: Path) -> tuple[list[Row], int, str]:
    """Rows, seed and version of the store of a sweep; InputError where it holds anything but Gaussian decisions."""
    with StoreReader(path) as store:
        design = store.design
        if design.ensemble != describe_ensemble(GaussianEnsemble(1, 1)).text:
            raise InputError(f"{path} holds {readable(design.ensemble)}; expected a sweep of Gaussian matrices")
        rows = [_stored_row(path, store, cell) for cell in store.cells() if cell.done]
    return rows, design.seed, design.version


def _stored_row(path: Path, store: StoreReader, cell: DesignCell) -> Row:
    found = store.trials(cell.n, cell.m, 0, cell.wanted)
    if not {"injective", "undecided"} <= set(found.columns):
        raise InputError(f"{path} holds {', '.join(found.columns)}; expected decisions (injective, undecided)")
    return Row.of_trials(cell.n, cell.m, found.columns, found.values[found.known])


def _row(line: dict[str, str]) -> Row:
    n, m, trials, injective, not_injective, undecided = (int(line[name]) for name in COUNTS)
    if injective + not_injective + undecided != trials or min(n, m, injective, not_injective, undecided) < 0:
        raise ValueError(f"the counts of n={n}, m={m} do not add up to its trials")
    mean, stderr = (float(line.get(name) or "nan") for name in ("mean_chi", "stderr_chi"))
    return Row.of_counts(n, m, trials, injective, undecided, None if math.isnan(mean) else (mean, stderr))

"""Files of a transition: saved whole or not at all, and read back; tables of counts as well."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from polyinj.errors import InputError
from polyinj.results.files import load_result, numbers, save_result, write_table, write_whole
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.store.fingerprint import describe_ensemble, readable
from polyinj.simulation.store.reader import Cell, StoreReader
from polyinj.studies.transition import Crossing, Row, Transition

COUNT_COLUMNS = ("n", "m", "trials", "injective", "not_injective", "undecided")
_ORIGIN = ("seed", "version")


def save_transition(transition: Transition, directory: str | os.PathLike[str]) -> list[Path]:
    """Write transition.csv, .json and .png into a directory; the paths."""
    names = [field.name for field in fields(Row)]
    document = {
        "format": "polyinj transition",
        "version": transition.version,
        "seed": transition.seed,
        "rows": transition.rows,
        "crossings": transition.crossings,
    }
    table = _table(transition, names)
    return save_result(directory, "transition", [*names, *_ORIGIN], table, document, transition.plot())


def save_counts(transition: Transition, path: str | os.PathLike[str]) -> Path:
    """Write the counts alone to a .csv file, with seed and version in each row: the smallest form that loads."""
    table = _table(transition, COUNT_COLUMNS)
    (target,) = write_whole({Path(path): lambda temporary: write_table(temporary, [*COUNT_COLUMNS, *_ORIGIN], table)})
    return target


def load_transition(path: str | os.PathLike[str]) -> Transition:
    """As `Transition.load`."""
    source = Path(path)
    if source.suffix.lower() == ".csv":
        return _load_counts(source)
    if source.is_file():
        return _load_store(source)
    return load_result(source / "transition.json", "transition", _of_document)


def _of_document(data: dict[str, Any]) -> Transition:
    rows = tuple(Row(**numbers(row)) for row in data["rows"])
    crossings = tuple(Crossing(**numbers(crossing)) for crossing in data["crossings"])
    return Transition(rows, crossings, int(data["seed"]), str(data["version"]))


def _table(transition: Transition, names: Sequence[str]) -> list[list[Any]]:
    origin = [transition.seed, transition.version]
    return [[*(getattr(row, name) for name in names), *origin] for row in transition.rows]


def _load_counts(path: Path) -> Transition:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as .csv: {error}") from None
    expected = [*COUNT_COLUMNS, *_ORIGIN]
    if not table or not set(expected) <= set(table[0]):
        raise InputError(f"{path} has no rows or not all columns; expected {', '.join(expected)}")
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
    return Transition.of_rows(rows, seed, version)


def _load_store(path: Path) -> Transition:
    with StoreReader(path) as store:
        design = store.design
        if design.ensemble != describe_ensemble(GaussianEnsemble(1, 1)).text:
            raise InputError(f"{path} holds {readable(design.ensemble)}; expected a sweep of Gaussian matrices")
        rows = [_stored_row(path, store, cell) for cell in store.cells() if cell.done]
    return Transition.of_rows(rows, design.seed, design.version)


def _stored_row(path: Path, store: StoreReader, cell: Cell) -> Row:
    found = store.trials(cell.n, cell.m, 0, cell.wanted)
    if not {"injective", "undecided"} <= set(found.columns):
        raise InputError(f"{path} holds {', '.join(found.columns)}; expected decisions (injective, undecided)")
    return Row.of_trials(cell.n, cell.m, found.columns, found.values[found.known])


def _row(line: dict[str, str]) -> Row:
    n, m, trials, injective, not_injective, undecided = (int(line[name]) for name in COUNT_COLUMNS)
    if injective + not_injective + undecided != trials or min(n, m, injective, not_injective, undecided) < 0:
        raise ValueError(f"the counts of n={n}, m={m} do not add up to its trials")
    mean, stderr = (float(line.get(name) or "nan") for name in ("mean_chi", "stderr_chi"))
    return Row.of_counts(n, m, trials, injective, undecided, None if math.isnan(mean) else (mean, stderr))

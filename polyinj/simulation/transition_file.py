"""Files of a transition: saved whole or not at all, and read back; tables of counts as well."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from polyinj.errors import InputError
from polyinj.simulation.describe import describe_ensemble, readable
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.store_reader import Cell, StoreReader
from polyinj.simulation.transition import Crossing, Row, Transition

COUNT_COLUMNS = ("n", "m", "trials", "injective", "not_injective", "undecided")
_ORIGIN = ("seed", "version")


def save_transition(transition: Transition, directory: str | os.PathLike[str]) -> list[Path]:
    """Write transition.csv, .json and .png into a directory; the paths."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    figure = transition.plot()
    names = [field.name for field in fields(Row)]
    writers: dict[str, Callable[[Path], Any]] = {
        "csv": lambda path: _write_table(transition, path, names),
        "json": lambda path: path.write_text(json.dumps(_as_json(transition), indent=1) + "\n", encoding="utf-8"),
        "png": lambda path: figure.savefig(path, dpi=200, format="png"),
    }
    return _write({folder / f"transition.{kind}": write for kind, write in writers.items()})


def save_counts(transition: Transition, path: str | os.PathLike[str]) -> Path:
    """Write the counts alone to a .csv file, with seed and version in each row: the smallest form that loads."""
    (target,) = _write({Path(path): lambda temporary: _write_table(transition, temporary, list(COUNT_COLUMNS))})
    return target


def load_transition(path: str | os.PathLike[str]) -> Transition:
    """As `Transition.load`."""
    source = Path(path)
    if source.suffix.lower() == ".csv":
        return _load_counts(source)
    if source.is_file():
        return _load_store(source)
    file = source / "transition.json"
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["format"] != "polyinj transition":
            raise KeyError("format")
        rows = tuple(Row(**_numbers(row)) for row in data["rows"])
        crossings = tuple(Crossing(**_numbers(crossing)) for crossing in data["crossings"])
        return Transition(rows, crossings, int(data["seed"]), str(data["version"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no saved transition ({error}); expected a file that save() wrote") from None


def _write(writers: dict[Path, Callable[[Path], Any]]) -> list[Path]:
    temporary = {target: target.with_name(f".{os.getpid()}-{target.name}") for target in writers}
    try:
        for target, write in writers.items():
            write(temporary[target])
        for target, source in temporary.items():
            source.replace(target)
    finally:
        for source in temporary.values():
            source.unlink(missing_ok=True)
    return list(writers)


def _write_table(transition: Transition, path: Path, names: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*names, *_ORIGIN])
        for row in transition.rows:
            writer.writerow([*(getattr(row, name) for name in names), transition.seed, transition.version])


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


def _as_json(transition: Transition) -> dict[str, Any]:
    return {
        "format": "polyinj transition",
        "version": transition.version,
        "seed": transition.seed,
        "rows": [_plain(asdict(row)) for row in transition.rows],
        "crossings": [_plain(asdict(crossing)) for crossing in transition.crossings],
    }


# JSON has neither nan nor infinities.
_NAMES = {math.inf: "inf", -math.inf: "-inf"}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: None if value != value else _NAMES.get(value, value) for key, value in row.items()}


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    back: dict[Any, float] = {None: math.nan, "inf": math.inf, "-inf": -math.inf}
    return {key: back.get(value, value) for key, value in row.items()}

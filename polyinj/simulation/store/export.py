"""A store as a table: one row a trial, with its shape, its cost and the statistic's numbers."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj._version import __version__
from polyinj.errors import InputError, StoreError
from polyinj.simulation.store.reader import StoreReader

_KEYS = ("n", "m", "trial", "seconds")
# Rows that are in memory at once.
_CHUNK = 100_000


def to_pandas(store: StoreReader) -> Any:
    """The table as a pandas.DataFrame with columns n, m, trial, seconds and the statistic's, by n, m and trial.

    A number that a shape does not have, or whose budget was spent, is nan; `attrs` says what the store holds.

    Raises
    ------
    InputError
        pandas is missing.
    StoreError
        The store is damaged.
    """
    pandas = _import("pandas")
    chunks = list(_chunks(store))
    frame = pandas.DataFrame({name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]})
    frame.attrs.update(_metadata(store))
    return frame


def export(store: StoreReader, path: str | os.PathLike[str]) -> int:
    """Write the table to a .csv or .parquet file, which appears whole or not at all; the number of rows.

    Raises
    ------
    InputError
        Another suffix; pyarrow is missing (for .parquet).
    StoreError
        The store is damaged, or the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from polyinj import GaussianEnsemble, simulate
    >>> from polyinj.simulation.executors import local_processes
    >>> from polyinj.simulation.statistics import depth
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/depth.db"
    ...     run = simulate(
    ...         GaussianEnsemble(8, 2), depth, 50, seed=1, executor=local_processes(1), store=path, progress=False
    ...     )
    ...     with StoreReader(path) as store:
    ...         export(store, f"{folder}/depth.csv")
    50
    """
    target = Path(path)
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    if target.suffix.lower() not in writers:
        raise InputError(f"{target} has the suffix {target.suffix!r}; expected .csv or .parquet")
    temporary = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        rows = writers[target.suffix.lower()](store, temporary)
        temporary.replace(target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def _chunks(store: StoreReader) -> Iterator[dict[str, NDArray[Any]]]:
    """The columns of some rows at a time; at least one chunk, be it empty."""
    names = list(dict.fromkeys(name for segment in store.segments() for name in segment.columns))
    parts: list[dict[str, NDArray[Any]]] = [_empty(names)]
    size = 0
    for segment in store.segments():
        count = len(segment.values)
        part: dict[str, NDArray[Any]] = {
            "n": np.full(count, segment.n, dtype=np.int64),
            "m": np.full(count, segment.m, dtype=np.int64),
            "trial": np.arange(segment.start, segment.stop, dtype=np.int64),
            "seconds": segment.seconds,
        }
        for name in names:
            has = name in segment.columns
            part[name] = segment.values[:, segment.columns.index(name)] if has else np.full(count, np.nan)
        parts.append(part)
        size += count
        if size >= _CHUNK:
            yield _joined(parts)
            parts, size = [_empty(names)], 0
    yield _joined(parts)


def _empty(names: list[str]) -> dict[str, NDArray[Any]]:
    kinds = {"n": np.int64, "m": np.int64, "trial": np.int64}
    return {name: np.zeros(0, dtype=kinds.get(name, np.float64)) for name in (*_KEYS, *names)}


def _joined(parts: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _write_csv(store: StoreReader, path: Path) -> int:
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, chunk in enumerate(_chunks(store)):
            if not number:
                writer.writerow(chunk)
            columns = [[_text(entry) for entry in column.tolist()] for column in chunk.values()]
            writer.writerows(zip(*columns, strict=True))
            rows += len(columns[0])
    return rows


def _text(number: float) -> str:
    """The shortest text that reads back as the same number; nothing for nan."""
    if number != number:
        return ""
    return str(int(number)) if abs(number) < 2**53 and number == int(number) else repr(number)


def _write_parquet(store: StoreReader, path: Path) -> int:
    arrow, parquet = _import("pyarrow"), _import("pyarrow.parquet")
    metadata = {name.encode(): text.encode() for name, text in _metadata(store).items()}
    rows, writer = 0, None
    try:
        for chunk in _chunks(store):
            table = arrow.table(chunk).replace_schema_metadata(metadata)
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


def _metadata(store: StoreReader) -> dict[str, str]:
    design = store.design
    return {
        "polyinj": design.version,
        "ensemble": design.ensemble,
        "statistic": design.statistic,
        "seed": str(design.seed),
        "exported by polyinj": __version__,
    }


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise InputError(
            f"{name} is not installed; expected it for this export: pip install 'polyinj[export]'"
        ) from None

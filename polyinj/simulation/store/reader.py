"""Reading a store: what it holds, each row checked, and what can be saved of a damaged one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import StoreError
from polyinj.simulation.store import records
from polyinj.simulation.store.records import Row, Segment, damaged
from polyinj.simulation.store.sqlite import check_integrity, clear_errors, open_reading
from polyinj.simulation.trials import undecided


@dataclass(frozen=True, slots=True)
class Design:
    """What the trials of a store have in common: descriptions of ensemble family and the statistic, seed, version."""

    ensemble: str
    statistic: str
    seed: int
    version: str


@dataclass(frozen=True, slots=True)
class DesignCell:
    """One shape of a store: trials asked for, done, failed and undecided, and the seconds that the done ones took."""

    n: int
    m: int
    wanted: int
    done: int
    failed: int
    undecided: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FailedTrial:
    """A trial whose statistic raised, and the traceback; running it again may succeed."""

    n: int
    m: int
    trial: int
    traceback: str


@dataclass(frozen=True, slots=True)
class Trials:
    """What a store knows of trials start..stop-1 of a shape: rows of `values` and `seconds` where `known`."""

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    seconds: NDArray[np.float64]
    known: NDArray[np.bool_]


class StoreReader:
    """A store to look at, while a run may go on writing it.

    Parameters
    ----------
    path : path
        The file.
    salvage : bool
        Accept a damaged file, and give the batches that are intact; `lost` counts the others.

    Raises
    ------
    StoreError
        The file is missing, no store, or damaged.

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
    ...         (cell,) = store.cells()
    >>> cell.n, cell.m, cell.done, cell.wanted
    (2, 8, 50, 50)
    """

    def __init__(self, path: str | os.PathLike[str], *, salvage: bool = False) -> None:
        self.path = Path(path)
        self.lost = 0
        self._salvage = salvage
        if not self.path.is_file():
            raise StoreError(f"{self.path} does not exist; expected a store, as `polyinj sweep run` makes it")
        self._open: sqlite3.Connection | None = None
        try:
            with clear_errors(self.path):
                self._open = open_reading(self.path)
                self._check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            raise StoreError(f"{self.path} is closed, or holds nothing yet")
        return self._open

    def _check(self) -> None:
        """Read the design; refuse a file that is damaged or no store."""
        schema = [row[0] for row in self._connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
        if sorted(map(str, schema)) != sorted(records.SCHEMA):
            raise StoreError(f"{self.path} is damaged or no store of this version of polyinj: its tables are others")
        if not self._salvage:
            check_integrity(self._connection, self.path)
        rows = self._connection.execute("SELECT * FROM design").fetchall()
        if len(rows) != 1 or not records.is_intact("design", rows[0], b""):
            raise damaged(self.path, "the record of the design")
        number, ensemble, statistic, seed, version, self._key = rows[0]
        if number != records.FORMAT:
            raise StoreError(f"{self.path} has format {number}; this version of polyinj reads format {records.FORMAT}")
        self.design = Design(ensemble, statistic, int(seed), version)

    def _rows(self, table: str, where: str = "", *values: int) -> Iterator[Row]:
        """The rows of a table, each checked; when salvaging, those that are intact."""
        with clear_errors(self.path):
            rows = (
                self._one_by_one(table)
                if self._salvage
                else self._connection.execute(f"SELECT * FROM {table} {where}", values)
            )
            for row in rows:
                if records.is_intact(table, row, self._key):
                    yield row
                elif self._salvage:
                    self.lost += 1
                else:
                    raise damaged(self.path, f"a record of the table {table}")

    def _one_by_one(self, table: str) -> Iterator[Row]:
        """Each row that can be read, by its number: only broken pages are lost."""
        # A row with its digest takes 40 bytes or more; a damaged row may claim any number.
        last = self.path.stat().st_size // 40
        with suppress(sqlite3.DatabaseError):
            last = min(last, self._connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0] or 0)
        for number in range(1, last + 1):
            try:
                row = self._connection.execute(f"SELECT * FROM {table} WHERE rowid = ?", (number,)).fetchone()
            except sqlite3.DatabaseError:
                self.lost += 1
                continue
            if row is not None:
                yield row

    def segments(self, n: int | None = None, m: int | None = None) -> Iterator[Segment]:
        """The trials of one shape, or of all, as runs of consecutive trials in order.

        Raises
        ------
        StoreError
            One of them is damaged.
        """
        if n is None:
            rows = self._rows("batch", "ORDER BY n, m, start")
        else:
            rows = self._rows("batch", "WHERE n = ? AND m = ? ORDER BY start", n, cast(int, m))
        found: Iterator[Segment] = map(Segment.of, rows)
        if self._salvage:
            found = iter(sorted((s for s in found if n in (None, s.n)), key=lambda s: (s.n, s.m, s.start)))
        last: Segment | None = None
        for segment in found:
            if last is not None and (segment.n, segment.m) == (last.n, last.m) and segment.start < last.stop:
                if self._salvage:
                    continue
                raise damaged(self.path, "the order of trials")
            last = segment
            yield segment

    def failures(self) -> list[FailedTrial]:
        """Trials that raised, in order."""
        rows = self._rows("failure", "ORDER BY n, m, trial")
        return [FailedTrial(n, m, trial, text) for n, m, trial, _, text, _ in rows]

    def cells(self) -> list[DesignCell]:
        """The shapes, ordered by n and m."""
        counts: dict[tuple[int, int], list[float]] = {}
        for n, m, wanted, _, _ in self._rows("cell"):
            counts[n, m] = [wanted, 0, 0, 0, 0.0]
        for segment in self.segments():
            row = counts.setdefault((segment.n, segment.m), [0, 0, 0, 0, 0.0])
            row[1] += len(segment.values)
            row[3] += int(undecided(segment.columns, segment.values).sum())
            row[4] += float(segment.seconds.sum())
        for failed in self.failures():
            counts.setdefault((failed.n, failed.m), [0, 0, 0, 0, 0.0])[2] += 1
        return [
            DesignCell(n, m, int(wanted), int(done), int(failed), int(open_), seconds)
            for (n, m), (wanted, done, failed, open_, seconds) in sorted(counts.items())
        ]

    def sessions(self) -> list[dict[str, str]]:
        """The runs that wrote: when, by which versions, on what."""
        names = ("started", "polyinj", "numpy", "python", "platform")
        return [dict(zip(names, row[1:-1], strict=True)) for row in self._rows("session", "ORDER BY id")]

    def array(self, sha256: str) -> NDArray[Any]:
        """An array that the description of the design names."""
        for name, data, _ in self._rows("array"):
            if name == sha256:
                return records.unpack_array(data)
        raise damaged(self.path, f"array {sha256}")

    def trials(self, n: int, m: int, start: int, stop: int) -> Trials:
        """What is known of trials start..stop-1 of a shape."""
        columns: tuple[str, ...] = ()
        values = np.full((stop - start, 0), np.nan)
        seconds = np.full(stop - start, np.nan)
        known = np.zeros(stop - start, dtype=bool)
        for segment in self.segments(n, m):
            if not columns:
                columns = segment.columns
                values = np.full((stop - start, len(columns)), np.nan)
            elif columns != segment.columns:
                raise damaged(self.path, f"the columns of shape {m, n}")
            low, high = max(start, segment.start), min(stop, segment.stop)
            if low < high:
                here, there = slice(low - start, high - start), slice(low - segment.start, high - segment.start)
                values[here], seconds[here], known[here] = segment.values[there], segment.seconds[there], True
        return Trials(columns, values, seconds, known)

"""The file that a sweep lives in: every trial's numbers and cost, kept through kill -9, full disks and Ctrl-C.

A store holds trials of one ensemble family, one statistic and one seed, for any shapes; it may be asked for more shapes
and more trials at any time. It is one SQLite file (write-ahead log, one writer, any number of readers).
"""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from polyinj import __version__
from polyinj.errors import InputError, StoreError
from polyinj.simulation import records
from polyinj.simulation.describe import Description, readable
from polyinj.simulation.records import Row, Segment, damaged
from polyinj.simulation.sqlite_file import (
    WriterLock,
    check_integrity,
    clear_errors,
    close_writing,
    open_reading,
    open_writing,
    start_writing,
    warn_if_remote,
)
from polyinj.simulation.trials import Batch, undecided

# Finished batches wait so long for a commit.
_COMMIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Design:
    """What the trials of a store have in common: descriptions of ensemble family and the statistic, seed, version."""

    ensemble: str
    statistic: str
    seed: int
    version: str


@dataclass(frozen=True, slots=True)
class Cell:
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
        Accept a damaged file, and give the batches that are intact; `lost` counts the others met.

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

    def cells(self) -> list[Cell]:
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
            Cell(n, m, int(wanted), int(done), int(failed), int(open_), seconds)
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


class Store(StoreReader):
    """A store that this process writes; it is created when the first run says what it holds.

    Parameters
    ----------
    path : path
        The file; its folder must exist.
    wait : float
        Seconds to wait for another process to let go of it.

    Raises
    ------
    StoreError
        Another process writes it, it is damaged, or it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, wait: float = 2.0) -> None:
        self.path = Path(path)
        self.lost = 0
        self._salvage = False
        self._pending: list[tuple[int, int, Batch]] = []
        self._session: int | None = None
        self._writing = False
        self._open: sqlite3.Connection | None = None
        self._committed = time.monotonic()
        # Two names of one file share one lock.
        self._target = self.path.resolve()
        self._lock = WriterLock(self._target, wait)
        try:
            warn_if_remote(self._target)
            if self._target.exists():
                self._attach()
        except BaseException:
            self.close()
            raise

    @property
    def is_new(self) -> bool:
        """Nothing was stored yet, and the file does not exist."""
        return self._open is None

    def close(self) -> None:
        """Write what is pending and let others write."""
        try:
            if self._open is not None:
                self.flush()
        finally:
            if self._open is not None:
                close_writing(self._open)
                self._open = None
            self._lock.release()

    def _attach(self) -> None:
        with clear_errors(self.path):
            if not self._target.stat().st_size:
                raise StoreError(f"{self.path} is empty, hence no store; delete it to start a new one")
            self._open = open_writing(self._target)
            self._check()

    def begin(self, ensemble: Description, statistic: Description, seed: int) -> None:
        """Say what the trials to come are; refuse if those in the store are others.

        Raises
        ------
        InputError
            The store holds another family, statistic or seed, or is of another version.
        """
        if self._open is None:
            self._create(
                Design(ensemble.text, statistic.text, seed, __version__), {**ensemble.arrays, **statistic.arrays}
            )
        design = self.design
        for what, here, asked in (
            ("ensemble", design.ensemble, ensemble.text),
            ("statistic", design.statistic, statistic.text),
        ):
            if here != asked:
                old, new = readable(here), readable(asked)
                new += " with other source code" if old == new else ""
                raise InputError(f"{self.path} holds trials of the {what} {old}, not {new}; use another file")
        if design.seed != seed:
            raise InputError(f"{self.path} holds trials with seed {design.seed}, not {seed}; use that or another file")
        # Before 1.0 a minor version may change what a statistic answers.
        if design.version.split(".")[:2] != __version__.split(".")[:2]:
            raise InputError(
                f"{self.path} was made by polyinj {design.version}; trials of {__version__} may differ; use a new file"
            )

    def _create(self, design: Design, arrays: dict[str, NDArray[Any]]) -> None:
        """The file with its tables and the design, whole or not at all."""
        temporary = self._target.with_name(f".{os.getpid()}-{self._target.name}")
        try:
            with clear_errors(self.path):
                connection = sqlite3.connect(temporary, isolation_level=None)
                try:
                    connection.execute("BEGIN")
                    for statement in records.SCHEMA:
                        connection.execute(statement)
                    row = (records.FORMAT, design.ensemble, design.statistic, str(design.seed), design.version)
                    key = records.digest("design", row, b"")
                    _insert(connection, "design", (*row, key))
                    for sha256, array in arrays.items():
                        entry = (sha256, records.pack_array(array))
                        _insert(connection, "array", (*entry, records.digest("array", entry, key)))
                    connection.execute("COMMIT")
                finally:
                    connection.close()
            temporary.replace(self._target)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}") from None
        finally:
            for name in (temporary, temporary.with_name(temporary.name + "-journal")):
                name.unlink(missing_ok=True)
        self._attach()

    def request(self, cells: Iterable[tuple[int, int, int, str]]) -> None:
        """Ask for trials of shapes: for each n, m, how many, and the SHA-256 of the matrix of trial 0.

        Raises
        ------
        InputError
            A matrix is another than before: a random generator or an ensemble has changed.
        """
        known = {(n, m): (wanted, sample) for n, m, wanted, sample, _ in self._rows("cell")}
        rows = []
        for n, m, trials, sample in cells:
            wanted, before = known.get((n, m), (0, sample))
            if before != sample:
                numpys = ", ".join(sorted({session["numpy"] for session in self.sessions()}))
                raise InputError(
                    f"{self.path} has another matrix for trial 0 of shape {m, n} than is drawn now, with numpy "
                    f"{np.__version__} (before: {numpys}); use the versions it was made with, or another file"
                )
            if trials > wanted:
                row = (n, m, trials, sample)
                rows.append((row, records.digest("cell", row, self._key)))
        if rows:
            with self._transaction():
                for row, key in rows:
                    _insert(self._connection, "cell", (*row, key))

    def add(self, n: int, m: int, batch: Batch) -> None:
        """Keep a batch: on the disk with the next commit, within about a second."""
        self._pending.append((n, m, batch))
        if time.monotonic() - self._committed >= _COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Commit what is pending.

        Raises
        ------
        StoreError
            It cannot be written; what was committed before is safe.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        session = self._session
        with self._transaction():
            if session is None:
                session = self._start_session()
            for n, m, batch in pending:
                self._write(n, m, batch, session)
        self._session, self._committed = session, time.monotonic()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it on the disk, or nothing."""
        with clear_errors(self.path):
            if not self._writing:
                start_writing(self._connection)
                self._writing = True
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _start_session(self) -> int:
        (number,) = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM session").fetchone()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = (number, now, __version__, np.__version__, platform.python_version(), platform.platform())
        _insert(self._connection, "session", (*row, records.digest("session", row, self._key)))
        return int(number)

    def _write(self, n: int, m: int, batch: Batch, session: int) -> None:
        self._connection.execute(
            "DELETE FROM failure WHERE n = ? AND m = ? AND trial >= ? AND trial < ?", (n, m, batch.start, batch.stop)
        )
        for failure in batch.failures:
            row = (n, m, failure.trial, session, failure.traceback)
            _insert(self._connection, "failure", (*row, records.digest("failure", row, self._key)))
        if not len(batch.trials):
            return
        # Failed trials leave gaps.
        breaks = np.flatnonzero(np.diff(batch.trials) != 1) + 1
        for part in np.split(np.arange(len(batch.trials)), breaks):
            segment = Segment(n, m, int(batch.trials[part[0]]), batch.columns, batch.values[part], batch.seconds[part])
            _insert(self._connection, "batch", segment.row(session, self._key))


def _insert(connection: sqlite3.Connection, table: str, row: Row) -> None:
    # Only a cell is ever written again, when more trials are asked for.
    verb = "REPLACE" if table == "cell" else "INSERT"
    connection.execute(f"{verb} INTO {table} VALUES ({', '.join('?' * len(row))})", row)

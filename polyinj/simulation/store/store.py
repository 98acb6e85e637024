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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj._version import __version__
from polyinj.errors import InputError, StoreError
from polyinj.simulation.store import records
from polyinj.simulation.store.fingerprint import Description, readable
from polyinj.simulation.store.reader import Design, StoreReader
from polyinj.simulation.store.records import Row, Segment
from polyinj.simulation.store.sqlite import (
    WriterLock,
    clear_errors,
    close_writing,
    open_writing,
    start_writing,
    warn_if_remote,
)
from polyinj.simulation.trials import Batch

# Finished batches wait so long for a commit.
_COMMIT_SECONDS = 1.0


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

"""One SQLite file: who may write it, how it is opened, and what its errors mean."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polyinj.errors import StoreError

# File systems over which SQLite's locks or its shared memory do not hold.
_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "lustre", "gpfs", "beegfs", "ceph", "fuse.", "ncpfs", "panfs", "wekafs")
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE")
_DENIED = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_IOERR_SHMOPEN")


class WriterLock:
    """The right to write a file, for one process at a time: a lock on FILE-lock, which the system drops at any death.

    SQLite's own locks last for a transaction; this one lasts for a run. It is no lock on the file itself, since closing
    any descriptor of that would drop SQLite's.
    """

    def __init__(self, path: Path, wait: float) -> None:
        self._path = path.with_name(path.name + "-lock")
        deadline = time.monotonic() + wait
        while not self._try():
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"{path} is being written by {self._holder()}; wait until it is done, or use another file (reading "
                    "is possible meanwhile)"
                )
            time.sleep(0.05)

    def _try(self) -> bool:
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be created: {error.strerror}; expected a folder to write in"
            ) from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before may have removed the name in between: then this is a lock on nothing.
            if os.path.samestat(os.fstat(self._handle), os.stat(self._path)):
                self._sign()
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(self._handle)
        return False

    def _sign(self) -> None:
        # On a full disk the lock holds without a name on it.
        with suppress(OSError):
            os.truncate(self._handle, 0)
            os.write(self._handle, f"process {os.getpid()} on {os.uname().nodename}".encode())

    def _holder(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8", errors="replace") or "another process"
        except OSError:
            return "another process"

    def release(self) -> None:
        """Let others write; once is enough."""
        if self._handle >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = -1


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as a StoreError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        if name.startswith(_FULL):
            message = (
                f"{path} cannot be written ({error}): is the disk full? What was stored before is kept; make room and "
                "resume"
            )
        elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            message = f"{path} is in use by another program ({error}); wait until it is done"
        elif name.startswith(_DENIED):
            message = f"{path} cannot be opened ({error}); check the path and that its folder can be written"
        else:
            message = (
                f"{path} is damaged or no store ({error}); `polyinj sweep export --salvage` saves what is intact of a "
                "damaged one"
            )
        raise StoreError(message) from error


def open_writing(path: Path) -> sqlite3.Connection:
    """A connection that may write; nothing is changed yet."""
    return sqlite3.connect(path, timeout=10, isolation_level=None)


def start_writing(connection: sqlite3.Connection) -> None:
    """Write ahead to FILE-wal from now on: readers go on, and no death of the process can damage the file."""
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit is on the disk when it returns: one a second is no burden.
    connection.execute("PRAGMA synchronous = FULL")


def close_writing(connection: sqlite3.Connection) -> None:
    """Leave one file without a log beside it, that also a read-only folder serves, unless somebody reads just now."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def open_reading(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing and disturbs no writer."""
    uri = path.resolve().as_uri()
    try:
        connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=10, isolation_level=None)
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        return connection
    except sqlite3.OperationalError as error:
        wal = path.with_name(path.name + "-wal")
        if not (getattr(error, "sqlite_errorname", None) or "").startswith(_DENIED) or _size(wal):
            raise
    # Nobody writes, and the folder is read-only or the disk full: the file alone holds everything.
    return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)


def check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    """StoreError if the structure of the file is damaged."""
    (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if answer != "ok":
        raise StoreError(
            f"{path} is damaged ({' '.join(str(answer).split())}); `polyinj sweep export --salvage` saves what is "
            "intact"
        )


def warn_if_remote(path: Path) -> None:
    """Warn where the file is on a network file system."""
    kind = file_system(path)
    if kind.startswith(_NETWORK):
        warnings.warn(
            f"{path} is on a network file system ({kind}), where the locks of SQLite may fail: let one machine alone "
            "use it, or keep it on a local disk",
            stacklevel=3,
        )


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the file system that holds a path; "" where that is unknown."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place, found, longest = str(path.resolve()), "", -1
    for line in lines:
        _, where, kind, *_ = line.split(" ")
        # Spaces in the names of mount points are written as \040.
        where = where.replace("\\040", " ").rstrip("/")
        if (place == where or place.startswith(where + "/")) and len(where) >= longest:
            found, longest = kind, len(where)
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

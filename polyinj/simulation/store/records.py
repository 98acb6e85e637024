"""The tables of a store, and how a row says by itself whether it is intact.

Each row carries a SHA-256 of all its other columns, chained to that of the design: a flipped bit, or a row of another
store, does not pass. A batch holds the numbers of consecutive trials as one compressed block.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import StoreError

FORMAT = 1
TABLES = {
    # One row: what all trials have in common. The seed is text since it may exceed 64 bits.
    "design": "format INTEGER, ensemble TEXT, statistic TEXT, seed TEXT, version TEXT, digest BLOB",
    # Arrays that the descriptions name by hash.
    "array": "sha256 TEXT PRIMARY KEY, data BLOB, digest BLOB",
    # One row a run that wrote.
    "session": (
        "id INTEGER PRIMARY KEY, started TEXT, polyinj TEXT, numpy TEXT, python TEXT, platform TEXT, digest BLOB"
    ),
    # One row a shape: trials asked for, and the SHA-256 of the matrix of trial 0.
    "cell": "n INTEGER, m INTEGER, wanted INTEGER, sample TEXT, digest BLOB, PRIMARY KEY (n, m)",
    "batch": (
        "n INTEGER, m INTEGER, start INTEGER, stop INTEGER, session INTEGER, columns TEXT, data BLOB, digest BLOB, "
        "PRIMARY KEY (n, m, start)"
    ),
    "failure": (
        "n INTEGER, m INTEGER, trial INTEGER, session INTEGER, traceback TEXT, digest BLOB, PRIMARY KEY (n, m, trial)"
    ),
}
SCHEMA = [f"CREATE TABLE {name} ({columns})" for name, columns in TABLES.items()]

Row = tuple[Any, ...]


def digest(table: str, row: Sequence[Any], design: bytes) -> bytes:
    """SHA-256 of a row's columns but the last, beneath the digest of the design."""
    total = hashlib.sha256(design + table.encode())
    for entry in row:
        # Types count: a damaged file may hold 1 where b"1" was. Lengths keep entries apart.
        part = entry if isinstance(entry, bytes) else repr(entry).encode(errors="surrogatepass")
        total.update(f"{type(entry).__name__} {len(part)} ".encode())
        total.update(part)
    return total.digest()


def is_intact(table: str, row: Row, design: bytes) -> bool:
    """Whether a row is as it was written."""
    return bool(row[-1] == digest(table, row[:-1], design))


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive trials of one shape: what a row of the table `batch` holds."""

    n: int
    m: int
    start: int
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    seconds: NDArray[np.float64]

    @property
    def stop(self) -> int:
        """One behind the last trial."""
        return self.start + len(self.values)

    def row(self, session: int, design: bytes) -> Row:
        """As a row of the table, digest included."""
        row = (self.n, self.m, self.start, self.stop, session, json.dumps(self.columns), self._packed())
        return *row, digest("batch", row, design)

    @classmethod
    def of(cls, row: Row) -> Segment:
        """From an intact row."""
        n, m, start, stop, _, columns, data, _ = row
        names = tuple(json.loads(columns))
        trials = stop - start
        flat = zlib.decompress(data)
        split = 8 * trials * len(names)
        values = _unshuffled(flat[:split], "<f8").reshape(len(names), trials).T
        return cls(n, m, start, names, values, _unshuffled(flat[split:], "<u8") / 1e6)

    def _packed(self) -> bytes:
        # A column at a time, and of it the first bytes of all numbers, then the second ones: most are alike.
        microseconds = np.rint(self.seconds * 1e6).astype("<u8")
        return zlib.compress(_shuffled(self.values.T.astype("<f8")) + _shuffled(microseconds))


def _shuffled(numbers: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(numbers).reshape(-1, 1).view(np.uint8).T.tobytes()


def _unshuffled(data: bytes, kind: Any) -> NDArray[Any]:
    return np.ascontiguousarray(np.frombuffer(data, dtype=np.uint8).reshape(8, -1).T).reshape(-1).view(kind)


def pack_array(array: NDArray[Any]) -> bytes:
    """An array as the bytes of a .npy file, compressed."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return zlib.compress(buffer.getvalue())


def unpack_array(data: bytes) -> NDArray[Any]:
    """The inverse of `pack_array`."""
    return np.asarray(np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False))


def damaged(path: object, what: str) -> StoreError:
    """The error for a row that is not as it was written."""
    return StoreError(
        f"{path} is damaged: {what} is not as it was written; `polyinj sweep export --salvage` saves what is intact"
    )

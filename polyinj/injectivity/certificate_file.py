"""JSON files of certificates: atomic writing, and strict reading field by field."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import CertificateError, InputError
from polyinj.geometry.exact import format_ratio, parse_ratio
from polyinj.injectivity.domain import Ball, Box

COLLISION = "polyinj collision"
PROOF = "polyinj injectivity proof"
NETWORK_COLLISION = "polyinj network collision"
NETWORK_PROOF = "polyinj network injectivity proof"
_KINDS = (COLLISION, PROOF, NETWORK_COLLISION, NETWORK_PROOF)
VERSION = 1


def write_document(path: str | os.PathLike[str], kind: str, fields: dict[str, object]) -> None:
    """Write the fields as JSON to a temporary file beside the path, then rename it; compress when it ends in .gz."""
    target = _target(path)
    text = json.dumps({"format": kind, "version": VERSION} | fields, separators=(",", ":")).encode("ascii")
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(gzip.compress(text, compresslevel=6, mtime=0) if target.suffix == ".gz" else text)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def ratios(entries: Iterable[Fraction | None]) -> list[str | None]:
    """Rationals as strings p/q, None as it is."""
    return [None if entry is None else format_ratio(entry) for entry in entries]


def domain_document(domain: Box | Ball | None) -> dict[str, object] | None:
    """The field `domain`, as `Fields.domain` reads it."""
    if isinstance(domain, Ball):
        return {"centre": ratios(domain.centre), "radius": format_ratio(domain.radius)}
    return None if domain is None else {"lower": ratios(domain.lower), "upper": ratios(domain.upper)}


def format_integer(value: int) -> str:
    """An integer of any length in decimal."""
    return format_ratio(value).removesuffix("/1")


def read_document(path: str | os.PathLike[str]) -> Fields:
    """Read a file written by `write_document`; CertificateError when it is not one."""
    target = _target(path)
    raw = target.read_bytes()
    try:
        text = gzip.decompress(raw) if target.suffix == ".gz" else raw
        document = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repetition)
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile, RecursionError) as error:
        raise CertificateError(f"{target} is not a certificate: {type(error).__name__}, {error}") from None
    if not isinstance(document, dict) or document.get("format") not in _KINDS:
        known = ", ".join(map(repr, _KINDS))
        raise CertificateError(f'{target} is not a certificate: expected "format" to be one of {known}')
    fields = Fields(target, document)
    fields.kind = fields.text("format")
    if fields.integer("version") != VERSION:
        raise CertificateError(f"{target} has another version of the format; this checker reads version {VERSION}")
    return fields


def _target(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if not target.name.endswith((".json", ".json.gz")):
        raise InputError(f"a certificate is a .json or .json.gz file, not {target.name!r}")
    return target


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


class Fields:
    """The fields of a document. Each is taken once; `finish` refuses what nobody asked for."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.document = document
        self.kind = ""

    def text(self, key: str) -> str:
        value = self._take(key)
        if not isinstance(value, str):
            raise self._fault(key, value, "a string")
        return value

    def integer(self, key: str) -> int:
        value = self._take(key)
        if type(value) is not int:
            raise self._fault(key, value, "an integer")
        return value

    def flag(self, key: str) -> bool:
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._fault(key, value, "true or false")
        return value

    def point(self, key: str) -> tuple[Fraction, ...]:
        return tuple(self._ratio(key, entry) for entry in self._list(key, self._take(key)))

    def points(self, key: str) -> tuple[tuple[Fraction, ...], ...]:
        cuts = self._list(key, self._take(key))
        return tuple(tuple(self._ratio(key, entry) for entry in self._list(key, cut)) for cut in cuts)

    def domain(self, key: str) -> Box | Ball | None:
        value = self._take(key)
        if value is None:
            return None
        names = set(value) if isinstance(value, dict) else set()
        try:
            if names == {"centre", "radius"}:
                centre = tuple(self._ratio(key, entry) for entry in self._list(key, value["centre"]))
                return Ball(centre, self._ratio(key, value["radius"]))
            if names == {"lower", "upper"}:
                lower, upper = (
                    tuple(None if entry is None else self._ratio(key, entry) for entry in self._list(key, value[side]))
                    for side in ("lower", "upper")
                )
                return Box(lower, upper)
        except InputError as error:
            raise CertificateError(f"{self.path}: {error}") from None
        raise self._fault(key, value, 'null, {"lower": [...], "upper": [...]} or {"centre": [...], "radius": ...}')

    def integers(self, key: str) -> list[int]:
        """A list of integers."""
        return self._entries(key, int, "a list of integers")

    def flags(self, key: str) -> list[bool]:
        """A list of booleans."""
        return self._entries(key, bool, "a list of true and false")

    def digits(self, key: str) -> tuple[int, ...]:
        """A list of integers of any length, each written as a string."""
        return tuple(self._integer(key, entry) for entry in self._list(key, self._take(key)))

    def digit_lists(self, key: str) -> list[tuple[int, ...]]:
        """A list of such lists."""
        value = self._list(key, self._take(key))
        return [tuple(self._integer(key, entry) for entry in self._list(key, part)) for part in value]

    def documents(self, key: str) -> list[Fields]:
        """A list of objects."""
        value = self._list(key, self._take(key))
        for part in value:
            if not isinstance(part, dict):
                raise self._fault(key, part, "a list of objects")
        return [Fields(self.path, part) for part in value]

    def lists(self, key: str) -> list[list[int]]:
        """A list of lists of integers."""
        value = self._list(key, self._take(key))
        for part in value:
            if not isinstance(part, list) or not set(map(type, part)) <= {int}:
                raise self._fault(key, part, "a list of lists of integers")
        return value

    def finish(self) -> None:
        if self.document:
            raise CertificateError(f"{self.path}: unknown fields {sorted(self.document)}")

    def _take(self, key: str) -> Any:
        if key not in self.document:
            raise CertificateError(f"{self.path}: the field {key!r} is missing")
        return self.document.pop(key)

    def _list(self, key: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self._fault(key, value, "a list")
        return value

    def _entries(self, key: str, kind: type, expected: str) -> list[Any]:
        value = self._list(key, self._take(key))
        if not set(map(type, value)) <= {kind}:
            raise self._fault(key, value, expected)
        return value

    def _integer(self, key: str, entry: object) -> int:
        try:
            return int(parse_ratio(f"{entry}/1" if isinstance(entry, str) else None, key))
        except InputError:
            raise self._fault(key, entry, "an integer in decimal, as a string") from None

    def _ratio(self, key: str, entry: object) -> Fraction:
        try:
            return parse_ratio(entry, key)
        except InputError as error:
            raise CertificateError(f"{self.path}: {error}") from None

    def _fault(self, key: str, value: object, expected: str) -> CertificateError:
        return CertificateError(f"{self.path}: {key} is {str(value)[:60]}; expected {expected}")


def padded(clauses: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Lists of literals as the rows of a table, padded by zeros at the end; CertificateError for a literal 0."""
    lengths = np.array([len(clause) for clause in clauses], dtype=np.int64)
    table = np.zeros((len(clauses), int(lengths.max(initial=0))), dtype=np.int32)
    literals = integers(list(chain.from_iterable(clauses)), 1, "circuits")
    if not literals.all():
        raise CertificateError(
            "circuits has a literal 0; expected i+1, -(i+1) or -(m+k+1) for row i and side k of m rows"
        )
    table[np.arange(table.shape[1]) < lengths[:, None]] = literals
    return table


def integers(values: ArrayLike, dimensions: int, name: str) -> NDArray[np.int32]:
    """A read-only int32 array of the given number of dimensions; CertificateError for anything else."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise CertificateError(f"{name} must be rectangular") from None
    if array.ndim != dimensions or (array.size and array.dtype.kind not in "iu"):
        raise CertificateError(
            f"{name} has dtype {array.dtype} and {array.ndim} dimensions; expected integers below 2^31 in {dimensions}"
        )
    if array.dtype != np.int32 and array.size and not (int(array.min()) > -(2**31) and int(array.max()) < 2**31):
        raise CertificateError(f"{name} has an integer of 2^31 or more")
    result = array.astype(np.int32)
    result.setflags(write=False)
    return result

"""JSON files of certificates: atomic writing, and strict reading field by field."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from polyinj.certificates.domain import Ball, Box
from polyinj.errors import CertificateError, InputError, printable
from polyinj.exact.arrays import format_ratio, parse_ratio

COLLISION = "polyinj collision"
POINT = "polyinj nonspanning point"
PROOF = "polyinj injectivity proof"
SPECTRAL = "polyinj spectral proof"
NETWORK_COLLISION = "polyinj network collision"
NETWORK_NARROWING = "polyinj network narrowing"
NETWORK_PROOF = "polyinj network injectivity proof"
_KINDS = (COLLISION, POINT, PROOF, SPECTRAL, NETWORK_COLLISION, NETWORK_NARROWING, NETWORK_PROOF)
VERSION = 1

# The most bytes of text in a file; in a compressed one, _SMALL_TEXT and _EXPANSION times its own bytes together.
LARGEST_TEXT = 1 << 30
_SMALL_TEXT, _EXPANSION = 1 << 20, 32
_READ = 1 << 16
# Decimal digits of a numerator or a denominator, in a file without a layer at hand.
LARGEST_NUMBER = 100_000


def write_document(path: str | os.PathLike[str], kind: str, fields: dict[str, object]) -> None:
    """Write the fields as JSON to a temporary file beside the path, then rename it; compress when it ends in .gz.

    Raises
    ------
    InputError
        Another suffix, or more than `read_document` would read.
    """
    target = _target(path)
    text = json.dumps({"format": kind, "version": VERSION} | fields, separators=(",", ":")).encode("ascii")
    if len(text) > LARGEST_TEXT:
        raise InputError(f"the certificate has {len(text)} bytes; a file holds at most {LARGEST_TEXT}")
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(_compressed(text) if target.suffix == ".gz" else text)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _compressed(text: bytes) -> bytes:
    """One gzip member; stored as it is where compression would make what a reader takes for a bomb."""
    short = gzip.compress(text, compresslevel=6, mtime=0)
    return short if len(text) <= _allowed(len(short)) else gzip.compress(text, compresslevel=0, mtime=0)


def _allowed(size: int) -> int:
    """How much text a compressed file of this size may hold."""
    return min(LARGEST_TEXT, _SMALL_TEXT + _EXPANSION * size)


def ratios(entries: Iterable[Fraction | None]) -> list[str | None]:
    """Rationals as strings p/q, None as it is; InputError for numbers that are too long for a file."""
    return [None if entry is None else _ratio(entry) for entry in entries]


def _ratio(entry: Fraction) -> str:
    text = format_ratio(entry)
    if max(map(len, text.removeprefix("-").split("/"))) > LARGEST_NUMBER:
        raise InputError(
            f"a number has more than {LARGEST_NUMBER} digits; a certificate that is saved has none so long"
        )
    return text


def domain_document(domain: Box | Ball | None) -> dict[str, object] | None:
    """The field `domain`, as `Fields.domain` reads it."""
    if isinstance(domain, Ball):
        return {"centre": ratios(domain.centre), "radius": _ratio(domain.radius)}
    return None if domain is None else {"lower": ratios(domain.lower), "upper": ratios(domain.upper)}


def format_integer(value: int) -> str:
    """An integer of any length in decimal."""
    return format_ratio(value).removesuffix("/1")


def read_document(path: str | os.PathLike[str]) -> Fields:
    """Read a file written by `write_document`.

    Time and memory are in proportion to the size of the file: a gzip bomb is refused when its text gets too long.

    Raises
    ------
    CertificateError
        It is no such file. What it says is in the message in one line, escaped and cut.
    InputError
        The name has another suffix, or is that of a device.
    OSError
        The file cannot be read.
    """
    target = _target(path)
    name = printable(str(target))
    if target.exists() and not target.is_file() and not target.is_dir():
        raise InputError(f"{name} is a device; expected a regular file")
    try:
        document = json.loads(
            _text(target).decode("utf-8"),
            object_pairs_hook=_without_repetition,
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
        )
    except (ValueError, EOFError, zlib.error, RecursionError) as error:
        raise CertificateError(f"{name} is not a certificate: {printable(str(error))}") from None
    if not isinstance(document, dict) or document.get("format") not in _KINDS:
        known = ", ".join(map(repr, _KINDS))
        raise CertificateError(f'{name} is not a certificate: expected "format" to be one of {known}')
    fields = Fields(target, document)
    fields.kind = fields.text("format")
    if fields.integer("version") != VERSION:
        raise CertificateError(f"{name} has another version of the format; this checker reads version {VERSION}")
    return fields


def _text(target: Path) -> bytes:
    """The text of a file; ValueError, EOFError or zlib.error where it is too long or not one gzip member."""
    with target.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if target.suffix != ".gz":
            if size > LARGEST_TEXT:
                raise ValueError(f"it has {size} bytes; allowed are {LARGEST_TEXT}")
            return stream.read(size)
        allowed = _allowed(size)
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        parts, total = [], 0
        while not member.eof:
            # Of what one read holds, a bomb would make a thousand times as much.
            more = member.unconsumed_tail or stream.read(_READ)
            parts.append(member.decompress(more, _READ))
            if not (more or parts[-1] or member.eof):
                raise EOFError("the gzip member is cut off")
            total += len(parts[-1])
            if total > allowed:
                raise ValueError(
                    f"more than {allowed} bytes of text are compressed in it; allowed are {_SMALL_TEXT} and "
                    f"{_EXPANSION} times the size of the file, at most {LARGEST_TEXT}"
                )
        if member.unused_data or stream.read(1):
            raise ValueError("something follows the gzip member; expected one alone")
        return b"".join(parts)


def _target(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if not target.name.endswith((".json", ".json.gz")):
        raise InputError(f"a certificate is a .json or .json.gz file, not {printable(target.name)!r}")
    return target


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _refuse_float(text: str) -> object:
    raise ValueError(f"it holds the number {printable(text, 40)}; expected integers, and other numbers as strings")


class Fields:
    """The fields of a document. Each is taken once; `finish` refuses what nobody asked for.

    Attributes
    ----------
    path : str
        The file, as messages name it.
    document : dict
        What was not taken yet.
    kind : str
        The field `format`.
    largest : int
        Decimal digits that a numerator, a denominator or an integer in decimal may have.
    """

    def __init__(self, path: Path | str, document: dict[str, Any]) -> None:
        self.path = printable(str(path))
        self.document = document
        self.kind = ""
        self.largest = LARGEST_NUMBER

    def expect(self, kind: str) -> None:
        if self.kind != kind:
            raise CertificateError(f"{self.path} holds another kind of certificate, a {self.kind}; expected a {kind}")

    def text(self, key: str) -> str:
        value = self._take(key)
        if not isinstance(value, str):
            raise self._fault(key, value, "a string")
        return value

    def integer(self, key: str) -> int:
        value = self._take(key)
        if type(value) is not int or abs(value) >= 2**31:
            raise self._fault(key, value, "an integer below 2^31")
        return value

    def flag(self, key: str) -> bool:
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._fault(key, value, "true or false")
        return value

    def point(self, key: str, length: int | None = None) -> tuple[Fraction, ...]:
        """A list of ratios, of the given length if there is one."""
        return self._ratios(key, self._take(key), length)

    def optional_point(self, key: str, length: int | None = None) -> tuple[Fraction, ...] | None:
        """The same, or null for none."""
        value = self._take(key)
        return None if value is None else self._ratios(key, value, length)

    def points(self, key: str, length: int | None = None) -> tuple[tuple[Fraction, ...], ...]:
        """A list of such lists."""
        return tuple(self._ratios(key, part, length) for part in self._list(key, self._take(key)))

    def _ratios(self, key: str, value: object, length: int | None) -> tuple[Fraction, ...]:
        return tuple(self._ratio(key, entry) for entry in self._list(key, value, length))

    def _sides(self, key: str, value: object, length: int) -> tuple[Fraction | None, ...]:
        return tuple(None if entry is None else self._ratio(key, entry) for entry in self._list(key, value, length))

    def domain(self, key: str, columns: int) -> Box | Ball | None:
        """A domain in R^columns."""
        value = self._take(key)
        if value is None:
            return None
        names = set(value) if isinstance(value, dict) else set()
        try:
            if names == {"centre", "radius"}:
                return Ball(self._ratios(key, value["centre"], columns), self._ratio(key, value["radius"]))
            if names == {"lower", "upper"}:
                return Box(*(self._sides(key, value[side], columns) for side in ("lower", "upper")))
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
        parts = [Fields(self.path, part) for part in value]
        for part in parts:
            part.largest = self.largest
        return parts

    def lists(self, key: str) -> list[list[int]]:
        """A list of lists of integers."""
        value = self._list(key, self._take(key))
        for part in value:
            if not isinstance(part, list) or not set(map(type, part)) <= {int}:
                raise self._fault(key, part, "a list of lists of integers")
        return value

    def finish(self) -> None:
        if self.document:
            raise CertificateError(f"{self.path}: unknown fields {printable(', '.join(sorted(self.document)))}")

    def _take(self, key: str) -> Any:
        if key not in self.document:
            raise CertificateError(f"{self.path}: the field {key!r} is missing")
        return self.document.pop(key)

    def _list(self, key: str, value: Any, length: int | None = None) -> list[Any]:
        if not isinstance(value, list):
            raise self._fault(key, value, "a list")
        if length is not None and len(value) != length:
            raise CertificateError(f"{self.path}: {key} has a list of {len(value)} entries; expected {length}")
        return value

    def _entries(self, key: str, kind: type, expected: str) -> list[Any]:
        value = self._list(key, self._take(key))
        if not set(map(type, value)) <= {kind}:
            raise self._fault(key, value, expected)
        return value

    def _integer(self, key: str, entry: object) -> int:
        self._check_length(key, entry)
        try:
            return int(parse_ratio(f"{entry}/1" if isinstance(entry, str) else None, key))
        except InputError:
            raise self._fault(key, entry, "an integer in decimal, as a string") from None

    def _ratio(self, key: str, entry: object) -> Fraction:
        self._check_length(key, entry)
        try:
            return parse_ratio(entry, key)
        except InputError:
            raise self._fault(key, entry, 'a string "p/q" in lowest terms with q > 0') from None

    def _check_length(self, key: str, entry: object) -> None:
        if isinstance(entry, str) and len(entry) > self.largest:
            longest = max(map(len, entry.removeprefix("-").split("/")))
            if longest > self.largest:
                raise CertificateError(
                    f"{self.path}: {key} has a number of {longest} digits; allowed are {self.largest} here"
                )

    def _fault(self, key: str, value: object, expected: str) -> CertificateError:
        return CertificateError(f"{self.path}: {key} is {printable(value, 60)}; expected {expected}")

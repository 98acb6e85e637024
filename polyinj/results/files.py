"""Files of a result: saved whole or not at all, tables as CSV, numbers that JSON does not know as words."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from polyinj.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")

# JSON has neither nan nor infinities.
_NAMES = {math.inf: "inf", -math.inf: "-inf"}


def save_result(
    directory: str | os.PathLike[str],
    name: str,
    columns: Sequence[str],
    table: Iterable[Sequence[Any]],
    document: dict[str, Any],
    figure: Figure,
) -> list[Path]:
    """Write name.csv, .json and .png into a directory; the paths. Dataclasses in the document become objects."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_plain(document), indent=1, allow_nan=False) + "\n"
    writers: dict[str, Callable[[Path], Any]] = {
        "csv": lambda path: write_table(path, columns, table),
        "json": lambda path: path.write_text(text, encoding="utf-8"),
        "png": lambda path: figure.savefig(path, dpi=200, format="png"),
    }
    return write_whole({folder / f"{name}.{kind}": write for kind, write in writers.items()})


def write_whole(writers: dict[Path, Callable[[Path], Any]]) -> list[Path]:
    """Let each function write a temporary file, then put all in their places; the paths."""
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


def write_table(path: Path, columns: Sequence[str], table: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(table)


def load_result(path: Path, kind: str, build: Callable[[dict[str, Any]], T]) -> T:
    """Build a result from the document in a .json file of `save_result`; InputError where there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != f"polyinj {kind}":
            raise KeyError("format")
        return build(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no saved {kind} ({error}); expected a file that save() wrote") from None


def numbers(row: dict[str, Any]) -> dict[str, Any]:
    """The entries of one object of the document, with nan and infinities again."""
    back: dict[Any, float] = {None: math.nan, "inf": math.inf, "-inf": -math.inf}
    return {key: back.get(value, value) for key, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    if isinstance(value, float):
        return None if value != value else _NAMES.get(value, value)
    return value

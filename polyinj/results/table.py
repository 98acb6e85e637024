"""Results that are tables of dataclasses, saved and read back field by field, given to pandas."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.results.files import numbers
from polyinj.results.saved import SavedResult


class TableResult(SavedResult):
    """Base of a frozen dataclass whose field `rows`, and perhaps others, are tuples of dataclasses.

    Attributes
    ----------
    TABLES : mapping of str to type
        The dataclass of each field that is a table.
    HEAD : mapping of str to str
        What else the JSON file tells its reader.
    FIELDS : tuple of str
        Order of the fields in the JSON file; by default as declared, tables last, so that a reader of the file finds
        what they are before them.
    ORIGIN : tuple of str
        Fields that stand in every line of the CSV file too, so that a table alone can be read back.
    """

    __slots__ = ()
    TABLES: ClassVar[Mapping[str, type]]
    HEAD: ClassVar[Mapping[str, str]] = {}
    FIELDS: ClassVar[tuple[str, ...]] = ()
    ORIGIN: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        rows: tuple[Any, ...]

    def column(self, name: str) -> NDArray[Any]:
        """One column of the table, shape (rows,)."""
        names = [field.name for field in fields(self.TABLES["rows"])]
        if name not in names:
            raise InputError(f"column is {name!r}; allowed are {', '.join(names)}")
        return np.array([getattr(row, name) for row in self.rows])

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame; needs pandas."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def _document(self) -> dict[str, Any]:
        names = self.FIELDS or sorted((field.name for field in fields(self)), key=self.TABLES.__contains__)  # type: ignore[arg-type]
        return {**self.HEAD, **{name: getattr(self, name) for name in names}}

    def _table(self) -> tuple[list[str], list[tuple[Any, ...]]]:
        origin = tuple(getattr(self, name) for name in self.ORIGIN)
        names = [field.name for field in fields(self.TABLES["rows"])]
        return [*names, *self.ORIGIN], [astuple(row) + origin for row in self.rows]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote, from its directory; or, where each line of it says all, the .csv file alone.

        Raises
        ------
        InputError
            No readable NAME.json in the directory, or no such table.
        """
        source = Path(path)
        return cls._of_csv(source) if source.suffix.lower() == ".csv" else super().load(source)

    @classmethod
    def _of_csv(cls, path: Path) -> Self:
        kinds = {field.name: field.type for field in fields(cls.TABLES["rows"])}
        if {field.name for field in fields(cls)} - {"rows"} != set(cls.ORIGIN):  # type: ignore[arg-type]
            raise InputError(f"{path} does not hold all of a {cls.__name__}; load the folder that save() wrote")
        try:
            with path.open(newline="", encoding="utf-8") as file:
                table = list(csv.DictReader(file))
            rows = tuple(cls.TABLES["rows"](**{k: _read(kind, line[k]) for k, kind in kinds.items()}) for line in table)
            (origin,) = {tuple(line[name] for name in cls.ORIGIN) for line in table}
        except (OSError, UnicodeDecodeError, csv.Error, ValueError, TypeError, KeyError) as error:
            columns = ", ".join([*kinds, *cls.ORIGIN])
            raise InputError(
                f"{path} is no table of one {cls.KIND} ({error}); expected the columns {columns}"
            ) from None
        types = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
        return cls(rows=rows, **{k: _read(types[k], text) for k, text in zip(cls.ORIGIN, origin, strict=True)})  # type: ignore[call-arg]

    @classmethod
    def _of_document(cls, data: dict[str, Any]) -> Self:
        parts = {}
        for field in fields(cls):  # type: ignore[arg-type]
            if field.name not in data and field.default is not MISSING:
                # The file was written before there was such a field.
                continue
            part = data[field.name]
            kind = cls.TABLES.get(field.name)
            parts[field.name] = part if kind is None else tuple(kind(**numbers(row)) for row in part)
        return cls(**parts)


def _read(annotation: Any, text: str) -> int | float | str:
    """A cell of a CSV file by the annotation of its field, which may be its name."""
    kind = {"int": int, "float": float, "str": str}.get(annotation, annotation)
    value: int | float | str = kind(text)
    return value

"""Results that are tables of dataclasses, saved and read back field by field, given to pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, fields
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
    def _of_document(cls, data: dict[str, Any]) -> Self:
        parts = {}
        for field in fields(cls):  # type: ignore[arg-type]
            part = data[field.name]
            kind = cls.TABLES.get(field.name)
            parts[field.name] = part if kind is None else tuple(kind(**numbers(row)) for row in part)
        return cls(**parts)

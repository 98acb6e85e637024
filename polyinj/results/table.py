"""Results that are tables: saved as CSV, JSON and a figure, read back, given to pandas."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.results.files import load_result, numbers, save_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TableResult(ABC):
    """Base of a frozen dataclass whose field `rows`, and perhaps others, are tuples of dataclasses.

    Attributes
    ----------
    NAME, KIND : str
        Of the files, and what the JSON file says that it is.
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
    NAME: ClassVar[str]
    KIND: ClassVar[str]
    TABLES: ClassVar[Mapping[str, type]]
    HEAD: ClassVar[Mapping[str, str]] = {}
    FIELDS: ClassVar[tuple[str, ...]] = ()
    ORIGIN: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        rows: tuple[Any, ...]

    @abstractmethod
    def plot(self) -> Figure:
        """The result as a matplotlib figure."""

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

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write NAME.csv, .json and .png; each appears whole or not at all. Returns the paths."""
        names = self.FIELDS or sorted((field.name for field in fields(self)), key=self.TABLES.__contains__)  # type: ignore[arg-type]
        document = {"format": f"polyinj {self.KIND}", **self.HEAD, **{name: getattr(self, name) for name in names}}
        columns = [*(field.name for field in fields(self.TABLES["rows"])), *self.ORIGIN]
        origin = tuple(getattr(self, name) for name in self.ORIGIN)
        table = [astuple(row) + origin for row in self.rows]
        return save_result(directory, self.NAME, columns, table, document, self.plot())

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            No readable NAME.json there.
        """
        return load_result(Path(directory) / f"{cls.NAME}.json", cls.KIND, cls._of_document)

    @classmethod
    def _of_document(cls, data: dict[str, Any]) -> Self:
        parts = {}
        for field in fields(cls):  # type: ignore[arg-type]
            part = data[field.name]
            kind = cls.TABLES.get(field.name)
            parts[field.name] = part if kind is None else tuple(kind(**numbers(row)) for row in part)
        return cls(**parts)

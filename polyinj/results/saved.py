"""Results that are saved as a table (CSV), a document (JSON) and a figure (PNG), and read back from the document."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from polyinj.results.files import load_result, save_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SavedResult(ABC):
    """Base of a result.

    Attributes
    ----------
    NAME, KIND : str
        Of the files, and what the JSON file says that it is.
    """

    __slots__ = ()
    NAME: ClassVar[str]
    KIND: ClassVar[str]

    @abstractmethod
    def plot(self) -> Figure:
        """The result as a matplotlib figure."""

    @abstractmethod
    def _document(self) -> dict[str, Any]:
        """What the JSON file holds beside its format."""

    @abstractmethod
    def _table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Columns and lines of the CSV file."""

    @classmethod
    @abstractmethod
    def _of_document(cls, data: dict[str, Any]) -> Self:
        """The result of a document."""

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write NAME.csv, .json and .png; each appears whole or not at all. Returns the paths."""
        columns, table = self._table()
        document = {"format": f"polyinj {self.KIND}", **self._document()}
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

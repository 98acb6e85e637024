"""What a cone is made from: inequalities and equations, or rays and lines, in coprime integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.exact import arrays
from polyinj.exact.algebra import IntegerRows, Vectors, coprime

Kind = Literal["inequalities", "rays"]


@dataclass(frozen=True, slots=True)
class ConeDefinition:
    """{x : rows x >= 0, equalities x = 0} or {sum of rows with weights >= 0 and of equalities with any weights}.

    Attributes
    ----------
    kind : "inequalities" or "rays"
    dimension : int
        Of the space.
    rows, equalities : tuple of tuples of int
        Inequalities and equations, or rays and lines: the rows given by the user, each times the positive rational
        that makes it coprime.
    """

    kind: Kind
    dimension: int
    rows: Vectors
    equalities: Vectors

    @property
    def dual(self) -> ConeDefinition:
        """The same rows read the other way: the definition of the dual cone."""
        kind: Kind = "rays" if self.kind == "inequalities" else "inequalities"
        return ConeDefinition(kind, self.dimension, self.rows, self.equalities)

    @property
    def generators(self) -> Vectors:
        """The rows, the equalities and their negatives."""
        return self.rows + self.equalities + tuple(tuple(-v for v in row) for row in self.equalities)


def read_definition(kind: Kind, rows: ArrayLike, equalities: ArrayLike | None) -> tuple[ConeDefinition, bool]:
    """Read the definition of a cone, and whether all entries are int or Fraction.

    Parameters
    ----------
    kind : "inequalities" or "rays"
    rows : array_like, shape (k, n)
        As for `arrays.read_matrix`; arrays of shape (0, n) are allowed.
    equalities : array_like, shape (l, n), optional

    Raises
    ------
    InputError
        Unreadable entries, or shapes that do not match.
    """
    second = "equations" if kind == "inequalities" else "lines"
    parts = [_read_rows(rows, kind)]
    n = int(parts[0].shape[1])
    if equalities is not None:
        parts.append(_read_rows(equalities, second))
        if parts[1].shape[1] != n:
            raise InputError(f"{second} has shape {parts[1].shape}; expected {n} columns, as {kind} has")
    integers = [tuple(map(tuple, _integer_rows(part))) for part in parts]
    definition = ConeDefinition(kind, n, integers[0], integers[1] if equalities is not None else ())
    return definition, all(part.dtype != np.float64 for part in parts)


def orthant_definition(signs: Sequence[int] | NDArray[np.integer[Any]]) -> ConeDefinition:
    """The closed orthant face of a sign vector: x_i >= 0 where it is +1, <= 0 where -1, = 0 where 0."""
    vector = [int(sign) for sign in signs]
    if not vector or any(sign not in (-1, 0, 1) for sign in vector):
        raise InputError(f"signs is {signs!r}; expected at least one entry, each -1, 0 or +1")
    n = len(vector)
    rows = tuple(tuple(sign * (i == j) for j in range(n)) for i, sign in enumerate(vector) if sign)
    zeros = tuple(tuple(int(i == j) for j in range(n)) for i, sign in enumerate(vector) if not sign)
    return ConeDefinition("inequalities", n, rows, zeros)


def _read_rows(values: ArrayLike, name: str) -> NDArray[Any]:
    """As `arrays.read_matrix`, but an array of integers as it is."""
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] > 0:
        if values.shape[0] == 0:
            return np.empty(values.shape, dtype=object)
        if values.dtype.kind in "iu":
            return values
    return arrays.read_matrix(values, name)


def _integer_rows(matrix: NDArray[Any]) -> IntegerRows:
    return [coprime(row) for row in matrix.tolist()] if matrix.dtype.kind in "iu" else arrays.integer_rows(matrix)

"""One cell or face of an arrangement, from its sign vector."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.exact import algebra, arrays
from polyinj.exact.farkas import solve_strictly
from polyinj.geometry.cone import Cone


class Cell:
    """The set of points on which w_i.x + b_i has the sign s_i for all i; a face where some s_i = 0.

    Made by `Arrangement.cell`. Everything is exact.

    Raises
    ------
    InputError
        Signs of another shape or with entries other than -1, 0, +1; no point has these signs (on first use of a point).

    Examples
    --------
    >>> from polyinj import Arrangement
    >>> cell = Arrangement([[1, 0], [0, 1], [1, 1]]).cell([1, 1, 1])
    >>> cell.facets()
    [0, 1]
    >>> cell.interior_point()
    [Fraction(1, 1), Fraction(1, 1)]
    """

    def __init__(self, matrix: NDArray[Any], offsets: NDArray[Any] | None, signs: NDArray[Any]) -> None:
        m = matrix.shape[0]
        if signs.shape != (m,) or not np.isin(signs, (-1, 0, 1)).all():
            raise InputError(f"signs is {signs.tolist()!r}; expected {m} entries -1, 0 or +1, one a row")
        self._matrix, self._offsets = matrix, offsets
        self._signs = signs.astype(np.int8)
        rows = matrix if offsets is None else np.concatenate([_objects(matrix), _objects(offsets[:, None])], axis=1)
        self._rows = arrays.integer_rows(rows)

    def __repr__(self) -> str:
        return f"Cell({''.join('-0+'[sign + 1] for sign in self._signs.tolist())})"

    @property
    def signs(self) -> NDArray[np.int8]:
        """The sign vector, shape (m,)."""
        return self._signs.copy()

    @property
    def _columns(self) -> int:
        return len(self._rows[0])

    @property
    def _infinity(self) -> algebra.IntegerRows:
        """Affine: the homogenising coordinate, which is positive."""
        return [] if self._offsets is None else [[0] * (self._columns - 1) + [1]]

    @cached_property
    def _point(self) -> list[int]:
        strict = [[s * c for c in row] for s, row in zip(self._signs.tolist(), self._rows, strict=True) if s]
        zero = [row for s, row in zip(self._signs, self._rows, strict=True) if not s]
        point = solve_strictly([*strict, *self._infinity], zero, self._columns)
        if point is None:
            raise InputError(f"no point has the signs of {self!r}; expected a sign vector of this arrangement")
        return point

    def integer_point(self) -> list[int]:
        """A point of the relative interior of a cell of a central arrangement, in coprime integers; shape (n,)."""
        if self._offsets is not None:
            raise InputError("a cell with offsets need not hold integers; try interior_point()")
        return list(self._point)

    def interior_point(self) -> list[Fraction]:
        """A point of the relative interior, shape (n,); `numpy.array(point, float)` rounds it."""
        if self._offsets is None:
            return [Fraction(entry) for entry in self._point]
        return [Fraction(entry, self._point[-1]) for entry in self._point[:-1]]

    def facets(self) -> list[int]:
        """The rows that vanish on a facet of the closure; parallel rows that share a facet are all named."""
        signs = self._signs.tolist()
        zero = [row for s, row in zip(signs, self._rows, strict=True) if not s]
        flat = algebra.rank(zero)
        found = []
        for i in (i for i, s in enumerate(signs) if s):
            tight = [*zero, self._rows[i]]
            if algebra.rank(tight) == flat:
                continue
            directions = algebra.kernel(tight, self._columns)
            strict = [
                [s * c for c in row]
                for s, row in zip(signs, self._rows, strict=True)
                if s and any(any(algebra.product([row], x)) for x in directions)
            ]
            if solve_strictly([*strict, *self._infinity], tight, self._columns) is not None:
                found.append(i)
        return found

    def inequalities(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The closure as {x : A x + c >= 0 in every row}, with equality where the sign is 0.

        Returns
        -------
        (A, c) : object arrays of Fraction, shapes (m, n) and (m,)
            Rows s_i w_i and entries s_i b_i; a row of sign 0 stands as it is. c = 0 in a central arrangement.
        """
        factors = np.where(self._signs == 0, 1, self._signs).astype(object)
        offsets = np.zeros(len(factors), dtype=np.int64).astype(object) if self._offsets is None else self._offsets
        return _objects(self._matrix) * factors[:, None], _objects(offsets[:, None])[:, 0] * factors

    def cone(self) -> Cone:
        """The closure of a face of a central arrangement, as an exact cone.

        Raises
        ------
        InputError
            The arrangement is affine: its cells are polyhedra, see `inequalities`.
        """
        if self._offsets is not None:
            raise InputError("a cell of an affine arrangement is no cone; use inequalities()")
        rows, _ = self.inequalities()
        tight = self._signs == 0
        return Cone.from_inequalities(rows[~tight], rows[tight])


def _objects(matrix: NDArray[Any]) -> NDArray[Any]:
    return np.array(arrays.fractions(matrix), dtype=object)

"""Central hyperplane arrangements: cells, faces, and the Euler characteristic of the part with few positives."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.geometry import exact
from polyinj.geometry.sweep import Sweep, direction_beside_ray, sweep


class Arrangement:
    """The hyperplanes orthogonal to the rows of a matrix, in general position.

    A face is a nonempty set of points that share one sign vector (sign(w_i.x))_i; cells are the faces of full
    dimension. Counts are exact: floating point signs are certain or settled in rationals.

    Parameters
    ----------
    rows : array_like, shape (m, n), m >= n
        float64, float32, int or Fraction; any n rows linearly independent.

    Raises
    ------
    InputError
        Bad input; rows not in general position (found when the first count is asked for).

    Examples
    --------
    >>> from polyinj import Arrangement
    >>> lines = Arrangement([[1, 0], [0, 1], [1, 1]])
    >>> lines.count_cells()
    6
    >>> lines.face_counts().tolist()
    [[1, 0, 0, 0], [2, 2, 2, 0], [1, 2, 2, 1]]
    """

    def __init__(self, rows: ArrayLike) -> None:
        self._matrix = exact.read_matrix(rows, "rows")
        m, n = self._matrix.shape
        if m < n:
            raise InputError(f"rows has shape {m, n}; expected at least as many rows as columns")

    def __repr__(self) -> str:
        return f"Arrangement({self.row_count} hyperplanes in R^{self.dimension})"

    @property
    def row_count(self) -> int:
        """m, the number of hyperplanes."""
        return int(self._matrix.shape[0])

    @property
    def dimension(self) -> int:
        """n, the dimension of the space."""
        return int(self._matrix.shape[1])

    @cached_property
    def _sweep(self) -> Sweep:
        return sweep(self._matrix)

    def face_counts(self, max_positive: int | None = None) -> NDArray[np.int64]:
        """Table F[d, p]: faces of linear dimension d with p positives; the origin is F[0, 0] = 1.

        Returns
        -------
        ndarray of int64, shape (n + 1, m + 1)
            Columns beyond max_positive are zero.
        """
        counts = self._sweep.face_counts.copy()
        if max_positive is not None:
            counts[:, max_positive + 1 :] = 0
        return counts

    def count_cells(self, max_positive: int | None = None) -> int:
        """Number of cells (with at most max_positive positives)."""
        return int(self.face_counts(max_positive)[-1].sum())

    def euler_characteristic(self, max_positive: int | None = None) -> int:
        """Euler characteristic of the spherical complex of faces with at most max_positive positives.

        The complex is closed: a face of a face has no more positives. By default max_positive = n - 1, the directions
        along which a ReLU layer with these weights loses information (THEORY: the witness set).
        """
        limit = self.dimension - 1 if max_positive is None else max_positive
        faces = self.face_counts(limit).sum(axis=1)[1:]
        return int(faces[::2].sum() - faces[1::2].sum())

    @property
    def depth(self) -> int:
        """Tukey depth of the origin among the rows: min over x != 0 of #{i : w_i.x >= 0}."""
        return self._sweep.depth

    def shallowest_direction(self) -> list[int]:
        """An integer direction x, in an open cell, along which just `depth` rows are active."""
        return direction_beside_ray(exact.integer_rows(self._matrix), self._sweep.tight, self.depth)

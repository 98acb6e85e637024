"""A layer as the searches see it: its homogeneous system in doubles, and the exact answers where these fall short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.layer import Layer
from polyinj.exact import algebra, arrays
from polyinj.injectivity._conditioning import factored, least_singular_value
from polyinj.injectivity.collide import active_rows

_BALANCED_BITS = 30
_MOVES, _MOVE_SIZE = 8, 2.0**-20


@dataclass(frozen=True, slots=True)
class Problem:
    """The homogeneous system of a layer in doubles, each row scaled; its exact form is at hand where these fall short.

    Where columns are of very different size they are scaled too: column j by 2^-exponents[j].
    """

    layer: Layer
    rows: NDArray[np.float64]
    sides: NDArray[np.float64] | None
    error: float
    exponents: NDArray[np.int64]

    @classmethod
    def of(cls, layer: Layer) -> Problem:
        lifted, exponents = _balanced(layer.lifted())
        rows, row_error = arrays.float_rows(lifted)
        sides, side_error = None, 0.0
        if integers := layer.sides():
            sides, side_error = _float_sides(integers, exponents)
        return cls(layer, rows, sides, max(row_error, side_error), exponents)

    @property
    def columns(self) -> int:
        """n, the number of inputs."""
        return int(self.layer.weights.shape[1])

    def point(self, direction: NDArray[Any] | None) -> list[Fraction] | None:
        """The input that a direction of the homogeneous system stands for, exactly; None outside the open domain."""
        if direction is None:
            return None
        z = [Fraction(entry) for entry in direction.tolist()]
        if self.exponents.any():
            z = [entry * Fraction(2) ** -e for entry, e in zip(z, self.exponents.tolist(), strict=True)]
        return self.input(z)

    def direction(self, z: Sequence[int]) -> NDArray[Any]:
        """An integer direction of the homogeneous system in the coordinates of `rows`, largest entry 1, as Fractions.

        Rounded to doubles it may leave its cell, where that is narrow.
        """
        scaled = [entry * Fraction(2) ** exponent for entry, exponent in zip(z, self.exponents.tolist(), strict=True)]
        size = max(map(abs, scaled))
        return np.array([entry / size for entry in scaled], dtype=object)

    def input(self, z: list[Fraction]) -> list[Fraction] | None:
        """The same for an exact direction."""
        if any(algebra.dot(side, z) <= 0 for side in self.layer.sides()):
            return None
        return self.layer.input(z)

    def witness(self, direction: NDArray[Any] | None) -> NDArray[Any] | None:
        """The direction, or one beside it, if it is admissible and its active rows do not span R^n: exactly; else None.

        In doubles a direction may lie on a hyperplane that it was meant to avoid. A small move only loses active rows.
        One of Fractions is taken as it is.
        """
        if direction is not None and direction.dtype == object:
            return direction if self._is_short_of_rank(direction) else None
        if direction is None or not np.isfinite(direction).all() or not direction.any():
            return None
        if (found := self._loses_information(direction)) is not None:
            return direction if found else None
        for move in np.random.default_rng(0).standard_normal((_MOVES, len(direction))):
            beside = direction + _MOVE_SIZE * np.abs(direction).max() * move
            if self._loses_information(beside):
                return np.asarray(beside)
        return None

    def count_active(self, direction: NDArray[np.float64]) -> int | None:
        """How many rows are active at the point of a direction, exactly; None outside the open domain."""
        values, certain = self._values(direction)
        if certain and self.sides is None:
            return int((values > 0).sum())
        point = self.point(direction)
        return None if point is None else len(active_rows(self.layer, point))

    def _values(self, direction: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
        """The values of rows and sides there, and whether the sign of every one of them is certain."""
        vectors = self._vectors
        values = vectors @ direction
        size = np.abs(vectors) @ np.abs(direction)
        bound = 4 * len(direction) * (2.0**-53 + self.error) * size + 1e-300
        return values, bool((np.abs(values) > bound).all())

    def _loses_information(self, direction: NDArray[np.float64]) -> bool | None:
        """True is exact; None: exactly false, but the direction is near a hyperplane and one beside it may do."""
        values, certain = self._values(direction)
        if certain:
            m = len(self.rows)
            if self.sides is not None and not (values[m:] > 0).all():
                return False
            # Beside a large bias the weights may be lost in doubles: whether they are zero the layer itself says.
            spanning = self.layer.weights.any(axis=1).astype(bool)
            active = self.rows[(values[:m] > 0) & spanning, : self.columns]
            if len(active) < self.columns:
                return True
            singular = np.linalg.svd(active, compute_uv=False)
            if singular[-1] > max(1e-9 * singular[0], 1e-290):
                return False
        return self._is_short_of_rank(direction) or (False if certain else None)

    def _is_short_of_rank(self, direction: NDArray[Any]) -> bool:
        """Whether the direction is admissible and its active rows do not span R^n, exactly."""
        point = self.point(direction)
        if point is None:
            return False
        rows = arrays.integer_rows(self.layer.weights)
        return algebra.rank([rows[i] for i in active_rows(self.layer, point)]) < self.columns

    @property
    def _vectors(self) -> NDArray[np.float64]:
        return self.rows if self.sides is None else np.vstack([self.rows, self.sides])

    @property
    def well_conditioned(self) -> bool:
        """Whether doubles can tell that the vectors span: else only the search in rationals applies.

        The scale of rows and columns does not matter: unit rows U = Q R, and R has the singular values of U also
        after its columns are scaled to length 1, as those of U are thereby. The least one is at least 1/|R^-1| in the
        Frobenius norm; the backward error of that is a small multiple of m n u, far below the 1e-9 asked for.
        """
        return least_singular_value(factored(self._vectors)[2]) > 1e-9

    @property
    def may_have_parallel_weights(self) -> bool:
        """False is certain: then no two rows have parallel nonzero weights."""
        weights = self.rows if self.layer.is_linear else self.rows[:, : self.columns]
        unit, _, _ = factored(weights)
        # Parallel rows project alike on every line.
        place = np.abs(unit @ np.sqrt(np.arange(2.0, 2.0 + self.columns)))
        place.sort()
        return len(place) > 1 and float((place[1:] - place[:-1]).min()) < 1e-9

    def corner(self) -> list[Fraction] | None:
        """Where rows and sides are as many as their dimension, hence independent: a direction without active row.

        Such a system has no circuit, so no search is needed (nor possible).
        """
        if len(self.rows) + (0 if self.sides is None else len(self.sides)) > self.rows.shape[1]:
            return None
        system = self.layer.system()
        vectors = [*system.rows, *system.sides]
        right = [-1] * len(system.rows) + [1] * len(system.sides)
        solved = flint.fmpq_mat(flint.fmpz_mat(vectors)).solve(flint.fmpq_mat(len(vectors), 1, right))
        return [Fraction(int(solved[i, 0].p), int(solved[i, 0].q)) for i in range(len(vectors))]


def _float_sides(integers: algebra.IntegerRows, exponents: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Side rows as `float_rows` has them, columns scaled; most of their entries are 0, and are passed over."""
    floats, error = np.zeros((len(integers), len(exponents))), 0.0
    down = exponents.tolist()
    for k, row in enumerate(integers):
        entries = {j: entry * Fraction(2) ** -down[j] for j, entry in enumerate(row) if entry}
        size = max(map(abs, entries.values()))
        for j, entry in entries.items():
            floats[k, j] = entry / size
            if Fraction(floats[k, j]) != entry / size:
                error = 2.0**-53
    return floats, error


def _balanced(matrix: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The matrix with columns of like size and the powers of two taken out; as it is where that would not be exact."""
    none = np.zeros(matrix.shape[1], dtype=np.int64)
    if matrix.dtype != np.float64:
        return matrix, none
    _, exponents = np.frexp(np.abs(matrix).max(axis=0))
    if int(exponents.max()) - int(exponents.min()) < _BALANCED_BITS:
        return matrix, none
    scaled = np.ldexp(matrix, -exponents)
    exact_scaling = np.isfinite(scaled).all() and np.array_equal(np.ldexp(scaled, exponents), matrix)
    return (scaled, exponents.astype(np.int64)) if exact_scaling else (matrix, none)

"""From any real rows to a simple, essential, central arrangement with the same faces.

- An affine arrangement {w_i.x + b_i} is the part x_0 > 0 of the central one with rows (w_i, b_i) and the row at
  infinity (0, 1), which comes first.
- Zero rows are dropped: their sign is 0 everywhere. Of rows that are multiples of each other one stays; the others have
  its sign or the opposite one.
- Where the rank r is below the number of columns, r independent columns are kept: the rows keep their linear relations,
  hence their sign vectors, and every face is a face of the smaller space times the lineality space.
- A basis of the rows comes first, so that the flats w_0 = ... = w_{i-1} = 0, i < r, reach down to the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.exact import algebra, arrays

# Of more rows the comparison of each with each would not be short.
_MOST_COMPARED = 500


@dataclass(frozen=True, slots=True)
class SimpleArrangement:
    """A central arrangement without zero or parallel rows, of full rank, and how its signs make those of the input.

    Attributes
    ----------
    matrix : ndarray, shape (k, r)
        As read by `arrays.read_matrix`; the first r rows are independent; r = 0 where all rows of the input are zero.
    rows : list of list of int
        The same rows as coprime integers.
    row_of : ndarray of int64, shape (m,)
        The row of `matrix` of which input row j is a multiple; -1 for a zero row.
    sign_of : ndarray of int8, shape (m,)
        The sign of that multiple.
    columns : tuple of int
        The columns of the input (for an affine one, of (w, b)) that are kept.
    lineality : int
        Dimension of the largest subspace in which all (homogenised) rows vanish.
    affine : bool
        Row 0 of `matrix` is the row at infinity; only faces where it is positive are meant.
    """

    matrix: NDArray[Any]
    rows: algebra.IntegerRows
    row_of: NDArray[np.int64]
    sign_of: NDArray[np.int8]
    columns: tuple[int, ...]
    lineality: int
    affine: bool

    @property
    def rank(self) -> int:
        """r, the dimension of the reduced space."""
        return len(self.columns)

    @property
    def is_merged(self) -> bool:
        """Some positive of the reduced arrangement is not one positive of the input: counting needs sign vectors."""
        first = int(self.affine)
        nonzero = sorted(self.row_of[self.row_of >= 0].tolist())
        return nonzero != list(range(first, len(self.rows))) or bool((self.sign_of < 0).any())

    def expand(self, signs: NDArray[np.int8]) -> NDArray[np.int8]:
        """Sign vectors of the input, shape (k, m), from reduced ones."""
        if not self.affine and np.array_equal(self.row_of, np.arange(signs.shape[1])) and (self.sign_of > 0).all():
            return signs
        padded = np.concatenate([signs, np.zeros((len(signs), 1), dtype=np.int8)], axis=1)
        return np.take(padded, self.row_of, axis=1) * self.sign_of


def simplify(matrix: NDArray[Any], offsets: NDArray[Any] | None) -> SimpleArrangement:
    """Reduce the arrangement of a matrix, shape (m, n), and offsets, shape (m,) or None for a central one."""
    affine = offsets is not None
    if offsets is not None:
        matrix = _homogenise(matrix, offsets)
    integers = arrays.integer_rows(matrix)
    if not affine and _is_plainly_simple(matrix):
        m, n = matrix.shape
        return SimpleArrangement(
            matrix, integers, np.arange(m), np.ones(m, dtype=np.int8), tuple(range(n)), lineality=0, affine=False
        )
    classes, row_of, sign_of = _merge_parallel(integers)
    basis_rows, columns = _pivots([integers[j] for j in classes], matrix.shape[1])
    order = [*basis_rows, *(i for i in range(len(classes)) if i not in basis_rows)]
    place = np.append(np.argsort(order), -1).astype(np.int64)
    kept = [classes[i] for i in order]
    reduced = matrix[np.ix_(kept, columns)]
    drop = int(affine)
    return SimpleArrangement(
        matrix=reduced,
        rows=[integers[j] for j in kept] if len(columns) == matrix.shape[1] else arrays.integer_rows(reduced),
        row_of=place[row_of[drop:]],
        sign_of=sign_of[drop:],
        columns=tuple(columns),
        lineality=matrix.shape[1] - len(columns),
        affine=affine,
    )


def _is_plainly_simple(matrix: NDArray[Any]) -> bool:
    """Whether doubles prove that no row is 0, no two are parallel, and the first ones are a basis.

    Cosines and singular values of unit rows are wrong by a small multiple of n u, far below 1e-9.
    """
    m, n = matrix.shape
    if matrix.dtype != np.float64 or not n <= m <= _MOST_COMPARED:
        return False
    floats, _ = arrays.float_rows(matrix)
    lengths = np.sqrt(np.einsum("ij,ij->i", floats, floats))
    if not lengths.min() > 0:
        return False
    unit = floats / lengths[:, None]
    cosines = np.abs(unit @ unit.T)
    cosines.flat[:: m + 1] = 0
    return bool(cosines.max() < 1 - 1e-9 and np.linalg.svd(unit[:n], compute_uv=False)[-1] > 1e-9)


def _homogenise(matrix: NDArray[Any], offsets: NDArray[Any]) -> NDArray[Any]:
    """Rows (w, b) below the row at infinity (0, 1)."""
    if matrix.dtype != offsets.dtype:
        matrix = np.array(arrays.fractions(matrix), dtype=object)
        offsets = np.array(arrays.fractions(offsets[:, None]), dtype=object)[:, 0]
    infinity = np.array([[0] * matrix.shape[1] + [1]], dtype=matrix.dtype)
    if matrix.dtype == object:
        infinity = np.array(arrays.fractions(infinity), dtype=object)
    return np.concatenate([infinity, np.concatenate([matrix, offsets[:, None]], axis=1)])


def _merge_parallel(rows: algebra.IntegerRows) -> tuple[list[int], NDArray[np.int64], NDArray[np.int8]]:
    """The first row of each class of parallel rows; for each row its class (-1: zero row) and sign in it."""
    classes: list[int] = []
    known: dict[tuple[int, ...], int] = {}
    row_of = np.full(len(rows), -1, dtype=np.int64)
    sign_of = np.ones(len(rows), dtype=np.int8)
    for j, row in enumerate(rows):
        if not any(row):
            continue
        opposite = tuple(-entry for entry in row)
        if tuple(row) in known:
            row_of[j] = known[tuple(row)]
        elif opposite in known:
            row_of[j], sign_of[j] = known[opposite], -1
        else:
            row_of[j] = known[tuple(row)] = len(classes)
            classes.append(j)
    return classes, row_of, sign_of


def _pivots(rows: algebra.IntegerRows, columns: int) -> tuple[list[int], list[int]]:
    """The lexicographically first basis of the rows, and of the columns."""
    if not rows:
        return [], []
    return algebra.pivot_columns(list(zip(*rows, strict=True))), algebra.pivot_columns(rows)

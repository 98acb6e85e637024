"""Hyperplane arrangements: cells, faces, and the topology of the part with few positives."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.exact import algebra, arrays
from polyinj.geometry.cell import Cell
from polyinj.geometry.faces import face_chunks
from polyinj.geometry.pruned import is_worthwhile, pruned_chunks
from polyinj.geometry.simplify import SimpleArrangement, simplify
from polyinj.geometry.sweep import RayCount, RunSettings, count_faces, direction_beside_ray
from polyinj.geometry.topology import Component, betti_numbers, components


class Arrangement:
    """The hyperplanes {x : w_i.x + b_i = 0} of any real rows w_i and offsets b_i.

    A face is a nonempty set of points that share one sign vector (sign(w_i.x + b_i))_i; cells are the faces of
    dimension n. Faces partition R^n. Repeated, parallel and zero rows are allowed and keep their entry in the sign
    vector; a zero row without offset is 0 everywhere and is no hyperplane. Where the rows have rank r < n, every face
    is a face in R^r times the lineality space R^(n-r): dimensions are those in R^n, and F[d, p] = 0 for d < n - r.

    Counts are exact: floating point signs are certain or settled in rationals, and a degenerate vertex has its own
    faces, not those of a perturbation. In general position (any n rows independent; affine: any n + 1 of the rows
    (w_i, b_i) and (0, 1)) compiled kernels do all the work; elsewhere they do as much of it as is in general position.

    Parameters
    ----------
    rows : array_like, shape (m, n)
        float64, float32, int or Fraction, read exactly.
    offsets : array_like, shape (m,), optional
        The b_i; without them the arrangement is central.
    threads : int
        Threads of each ray sweep; the kernels run without the GIL. An enumeration of few positives takes one.
    max_cells : int, optional
        Methods that count or give more faces of one dimension raise BudgetExceeded, with `.counted`.
    progress : callable, optional
        Called with the number of cells or faces found so far after each slice of work (some 0.05 s).

    Raises
    ------
    InputError
        Bad input.

    Examples
    --------
    >>> from polyinj import Arrangement
    >>> lines = Arrangement([[1, 0], [0, 1], [-1, -1]])
    >>> lines.count_cells()
    6
    >>> lines.face_counts().tolist()
    [[1, 0, 0, 0], [0, 6, 0, 0], [0, 3, 3, 0]]
    >>> Arrangement([[1, 0], [0, 1], [1, 1]], [0, 0, -1]).count_cells()
    7
    """

    def __init__(
        self,
        rows: ArrayLike,
        offsets: ArrayLike | None = None,
        *,
        threads: int = 1,
        max_cells: int | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self._matrix = arrays.read_matrix(rows, "rows")
        m = self._matrix.shape[0]
        self._offsets = None if offsets is None else arrays.read_vector(offsets, m, "offsets")
        if operator.index(threads) < 1:
            raise InputError(f"threads is {threads}; expected an integer >= 1")
        if max_cells is not None and operator.index(max_cells) < 0:
            raise InputError(f"max_cells is {max_cells}; expected an integer >= 0, or None for no budget")
        self._settings = RunSettings(threads, max_cells, progress)

    def __repr__(self) -> str:
        kind = "affine" if self.is_affine else "central"
        return f"Arrangement({self.row_count} hyperplanes in R^{self.dimension}, {kind})"

    @property
    def row_count(self) -> int:
        """m, the number of rows."""
        return int(self._matrix.shape[0])

    @property
    def dimension(self) -> int:
        """n, the dimension of the space."""
        return int(self._matrix.shape[1])

    @property
    def is_affine(self) -> bool:
        """Offsets were given (be they zero)."""
        return self._offsets is not None

    @property
    def lineality(self) -> int:
        """Dimension of the largest space of translations that keep every face: n minus the rank of the rows."""
        return self._simple.lineality

    def lineality_space(self) -> list[list[int]]:
        """A basis, in coprime integers, of the translations that keep every face; shape (lineality, n)."""
        return algebra.kernel(arrays.integer_rows(self._matrix), self.dimension)

    @cached_property
    def in_general_position(self) -> bool:
        """Whether any n rows are independent; affine: any n + 1 of the rows (w_i, b_i) and (0, 1). m >= n."""
        simple = self._simple
        if self.dimension == 1 and not self.is_affine:
            return bool((simple.row_of >= 0).all())
        if simple.lineality or simple.is_merged or len(simple.rows) != self.row_count + simple.affine:
            return False
        return not self._count.degenerate

    @cached_property
    def _simple(self) -> SimpleArrangement:
        return simplify(self._matrix, self._offsets)

    @cached_property
    def _count(self) -> RayCount:
        return count_faces(self._simple, self._settings)

    def _limit(self, max_positive: int | None) -> int | None:
        """max_positive as an int in -1..m."""
        if max_positive is None:
            return None
        return max(-1, min(self.row_count, operator.index(max_positive)))

    def face_counts(self, max_positive: int | None = None) -> NDArray[np.int64]:
        """Table F[d, p]: faces of dimension d with p positives; in a central arrangement the origin is F[0, 0] = 1.

        Returns
        -------
        ndarray of int64, shape (n + 1, m + 1)
            Columns beyond max_positive are zero.

        Raises
        ------
        BudgetExceeded
            More than max_cells cells.
        """
        limit = self._limit(max_positive)
        simple, first = self._simple, int(self.is_affine)
        counts = np.zeros((self.dimension + 1, self.row_count + 1), dtype=np.int64)
        if simple.rank and not simple.is_merged and ("_count" in self.__dict__ or not is_worthwhile(simple, limit)):
            found = self._count.face_counts[first:, first:]
            counts[simple.lineality :, : found.shape[1]] = found
        else:
            for d in range(simple.lineality, self.dimension + 1):
                for signs in self.iter_faces(d, limit):
                    counts[d] += np.bincount((signs > 0).sum(axis=1), minlength=self.row_count + 1)
        if limit is not None:
            counts[:, limit + 1 :] = 0
        return counts

    def count_cells(self, max_positive: int | None = None) -> int:
        """Number of cells (with at most max_positive positives).

        Raises
        ------
        BudgetExceeded
            More than max_cells cells.
        """
        limit = self._limit(max_positive)
        if "_count" not in self.__dict__ and (self._simple.is_merged or is_worthwhile(self._simple, limit)):
            return sum(len(signs) for signs in self.iter_cells(limit))
        return int(self.face_counts(limit)[-1].sum())

    def iter_cells(self, max_positive: int | None = None) -> Iterator[NDArray[np.int8]]:
        """The cells (with at most max_positive positives), each once, as sign vectors in chunks.

        Returns
        -------
        iterator of ndarray of int8, shape (k, m)
            Entries -1, +1, and 0 for zero rows; k varies. The order is fixed by the input and the number of threads.

        Raises
        ------
        BudgetExceeded
            After max_cells cells, when there are more.

        Examples
        --------
        >>> quadrants = Arrangement([[1, 0], [0, 1]])
        >>> sorted(cell for chunk in quadrants.iter_cells() for cell in chunk.tolist())
        [[-1, -1], [-1, 1], [1, -1], [1, 1]]
        """
        return self.iter_faces(self.dimension, max_positive)

    def iter_faces(self, dimension: int, max_positive: int | None = None) -> Iterator[NDArray[np.int8]]:
        """The faces of one dimension, 0..n, as `iter_cells` gives the cells.

        Examples
        --------
        >>> [chunk.tolist() for chunk in Arrangement([[1, 0], [0, 1]]).iter_faces(1, max_positive=0)]
        [[[-1, 0], [0, -1]]]
        """
        if not 0 <= operator.index(dimension) <= self.dimension:
            raise InputError(f"dimension is {dimension}; expected 0 to {self.dimension}")
        simple, limit = self._simple, self._limit(max_positive)
        reduced = dimension - simple.lineality + simple.affine
        if limit is not None and reduced > 0 and is_worthwhile(simple, limit):
            return pruned_chunks(simple, reduced, limit, self._settings)
        return face_chunks(simple, reduced, limit, self._settings)

    def iter_packed_cells(self, max_positive: int | None = None) -> Iterator[NDArray[np.uint8]]:
        """As `iter_cells`, one bit an entry: an eighth of the memory.

        Returns
        -------
        iterator of ndarray of uint8, shape (k, ceil(m / 8))
            numpy.packbits(signs > 0, axis=1, bitorder="little"): bit i mod 8 of byte i // 8 is set where row i is
            positive; spare bits of the last byte are 0.

        Examples
        --------
        >>> [chunk.tolist() for chunk in Arrangement([[1, 0], [0, 1]]).iter_packed_cells(0)]
        [[[0]]]
        """
        return (np.packbits(signs > 0, axis=1, bitorder="little") for signs in self.iter_cells(max_positive))

    def cell(self, signs: ArrayLike) -> Cell:
        """The cell, or face, with a sign vector of length m: its points, facets and inequalities."""
        return Cell(self._matrix, self._offsets, np.asarray(signs))

    def euler_characteristic(self, max_positive: int | None = None) -> int:
        """Euler characteristic of {x on the unit sphere : at most max_positive rows positive}.

        The set is closed: a face of a face has no more positives. By default max_positive = n - 1: the directions along
        which a ReLU layer with these weights loses information, if they are in general position (the witness set).
        Computed by alternating face counts; `topology.euler_characteristic_from_rays` is the other way.

        Raises
        ------
        InputError
            Affine arrangement.
        """
        limit = self._topology_limit(max_positive)
        lineality = self._simple.lineality
        if limit < 0:
            return 0
        faces = self.face_counts(limit).sum(axis=1)[lineality + 1 :]
        rest = int(faces[::2].sum() - faces[1::2].sum())
        # Faces of dimension d > lineality are open balls of dimension d - 1 on the sphere; what is left is a sphere.
        sign = -1 if lineality % 2 else 1
        return rest * sign + (1 - sign)

    def betti_numbers(self, max_positive: int | None = None) -> list[int]:
        """Betti numbers b_0, ..., b_{n-1} over GF(2) of the set of `euler_characteristic`.

        Raises
        ------
        InputError
            Affine arrangement.

        Examples
        --------
        >>> Arrangement([[1, 0, 0], [0, 1, 0], [0, 0, 1]]).betti_numbers(3)
        [1, 0, 1]
        >>> Arrangement([[1, 0, 0], [-1, 0, 0]]).betti_numbers(0)
        [1, 1, 0]
        """
        limit = self._topology_limit(max_positive)
        return [0] * self.dimension if limit < 0 else betti_numbers(self._faces(limit), self.lineality)

    def components(self, max_positive: int | None = None) -> list[Component]:
        """The connected components of the set of `euler_characteristic`, each with a representative.

        Raises
        ------
        InputError
            Affine arrangement.
        """
        limit = self._topology_limit(max_positive)
        if limit < 0:
            return []
        return components(self._faces(limit), self.lineality_space(), lambda signs: self.cell(signs).integer_point())

    def _faces(self, limit: int) -> list[NDArray[np.int8]]:
        """The faces with at most `limit` positives of dimension lineality, where it is one, to n."""
        origin = np.zeros((1, self.row_count), dtype=np.int8)
        higher = range(self.lineality + 1, self.dimension + 1)
        return [origin, *(np.concatenate([origin[:0], *self.iter_faces(d, limit)]) for d in higher)]

    def _topology_limit(self, max_positive: int | None) -> int:
        if self.is_affine:
            raise InputError("topology is that of a set on the unit sphere; expected an arrangement without offsets")
        limit = self._limit(max_positive)
        return self.dimension - 1 if limit is None else limit

    @property
    def depth(self) -> int:
        """Tukey depth of the origin among the rows: min over x != 0 of #{i : w_i.x >= 0}.

        Of an affine arrangement, min over all x of #{i : w_i.x + b_i >= 0}.
        """
        zero_rows = int((self._simple.row_of < 0).sum())
        return int(np.flatnonzero(self.face_counts()[-1])[0]) + zero_rows

    def shallowest_direction(self) -> list[int]:
        """An integer direction x, in an open cell, along which just `depth` rows are active.

        Raises
        ------
        InputError
            Affine arrangement.
        """
        if self.is_affine:
            raise InputError("a direction is that of a central arrangement; expected an arrangement without offsets")
        if self.in_general_position and self.dimension > 1:
            return direction_beside_ray(arrays.integer_rows(self._matrix), self._count.fewest[1], self.depth)
        fewest = int(np.flatnonzero(self.face_counts()[-1])[0])
        signs = next(self.iter_cells(fewest))[0]
        return self.cell(signs).integer_point()

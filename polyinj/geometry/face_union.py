"""Any union of closed orthants and of their faces, given by sign vectors: volumes and random sections, exactly.

The union is the disjoint union of the relatively open orthant faces in it, so everything depends on how many of them
there are of each dimension d, f_d. An open face of dimension d has the volumes (-1)^(d-j) C(d, j) 2^-d, whence

    v_j = sum_{d >= j} f_d (-1)^(d-j) C(d, j) 2^-d.

Counting. A sign vector t is in the union when some given s has t_i in {0, s_i} for all i. The entries of t are chosen
one after the other; what matters of the choices so far is the set of the given vectors that still agree, and of these
only the entries to come. So sets of remainders are the states, each with the number of choices that lead to it by their
nonzeros: a decision diagram. A union with structure has few states (at most k positives: k + 1 after each entry), any
has at most 3^m.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
from flint import fmpz_poly
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import BudgetExceeded, InputError
from polyinj.exact import arrays
from polyinj.geometry.arrangement import Arrangement
from polyinj.geometry.kinematic import section_euler_characteristic

# Remainders in all states after one entry: some 10^6 fill a GiB.
_MOST_REMAINDERS = 2_000_000


@dataclass(frozen=True, slots=True)
class FaceUnion:
    """The union of the closed orthant faces {y : sign(y_i) in {0, s_i}} of given sign vectors s; in general not convex.

    Attributes
    ----------
    vectors : array_like of int, shape (k, m)
        At least one row and one column, entries -1, 0 and +1: a row without zeros is an orthant, one with zeros a face.
        Kept as sorted tuples, without repeats.

    Raises
    ------
    InputError
        Another shape, or other entries.

    Examples
    --------
    Two opposite quadrants of the plane, and one half of an axis in space:

    >>> quadrants = FaceUnion([[1, 1], [-1, -1]])
    >>> quadrants.face_counts()
    (1, 4, 2)
    >>> [str(v) for v in quadrants.conic_intrinsic_volumes()]
    ['-1/2', '1', '1/2']
    >>> quadrants.expected_euler_characteristic(1)
    Fraction(1, 1)
    >>> FaceUnion([[1, 0, 0]]).expected_euler_characteristic(2)
    Fraction(0, 1)
    """

    vectors: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        try:
            found = np.asarray(self.vectors)
        except ValueError:
            raise InputError("vectors are of different lengths; expected sign vectors in one space R^m") from None
        if found.ndim != 2 or 0 in found.shape or found.dtype.kind not in "iu" or not np.isin(found, (-1, 0, 1)).all():
            raise InputError(
                f"vectors has shape {found.shape} and dtype {found.dtype}; expected integers of shape (k, m), k and m "
                "at least 1, each -1, 0 or +1"
            )
        object.__setattr__(self, "vectors", tuple(sorted(set(map(tuple, found.tolist())))))

    def __repr__(self) -> str:
        return f"FaceUnion({len(self.vectors)} sign vectors in R^{self.m})"

    @property
    def m(self) -> int:
        """Dimension of the space."""
        return len(self.vectors[0])

    def contains(self, point: ArrayLike) -> bool:
        """Whether a point, shape (m,), lies in the union."""
        vector = arrays.read_vector(point, self.m, "point")
        signs = np.array([[(entry > 0) - (entry < 0) for entry in vector.tolist()]], dtype=np.int8)
        return bool(self.contains_faces(signs)[0])

    def contains_faces(self, signs: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether the orthant faces of sign vectors, shape (k, m), lie in the union; shape (k,)."""
        wide = np.asarray(signs, dtype=np.int64)
        if wide.ndim != 2 or wide.shape[1] != self.m:
            raise InputError(f"signs has shape {wide.shape}; expected (k, {self.m}), one entry a coordinate")
        agreeing = wide @ np.array(self.vectors, dtype=np.int64).T
        return np.asarray((agreeing == np.abs(wide).sum(axis=1)[:, None]).any(axis=1))

    def face_counts(self) -> tuple[int, ...]:
        """f_0, ..., f_m: the orthant faces in the union, by dimension.

        Raises
        ------
        BudgetExceeded
            Vectors without structure in a space of more than some 12 dimensions: the states take too much memory.
        """
        # A remainder is kept as its place among all remainders of its length.
        rests = list(self.vectors)
        states = {frozenset(range(len(rests))): fmpz_poly([1])}
        for place in range(self.m):
            number = {rest: k for k, rest in enumerate({rest[1:] for rest in rests})}
            shorter = [number[rest[1:]] for rest in rests]
            allowed = {sign: {k for k, rest in enumerate(rests) if not sign or rest[0] == sign} for sign in (0, 1, -1)}
            rests = list(number)
            after: defaultdict[frozenset[int], fmpz_poly] = defaultdict(fmpz_poly)
            for remainders, ways in states.items():
                for sign, factor in ((0, 1), (1, fmpz_poly([0, 1])), (-1, fmpz_poly([0, 1]))):
                    left = frozenset([shorter[k] for k in remainders & allowed[sign]])
                    if left:
                        after[left] += factor * ways
            states = dict(after)
            if sum(map(len, states)) > _MOST_REMAINDERS:
                raise BudgetExceeded(
                    f"{len(self.vectors)} sign vectors in R^{self.m} need more than {_MOST_REMAINDERS} remainders "
                    f"after {place + 1} entries; expected fewer vectors, or more structure; try coordinates in another "
                    "order"
                )
        (counts,) = states.values()
        return tuple(int(counts[d]) for d in range(self.m + 1))

    def conic_intrinsic_volumes(self) -> list[Fraction]:
        """Conic intrinsic volumes v_0, ..., v_m of the valuation, exactly: they sum to 1 and may be negative."""
        counts = self.face_counts()
        return [
            sum((Fraction((-1) ** (d - j) * counts[d] * comb(d, j), 1 << d) for d in range(j, self.m + 1)), Fraction(0))
            for j in range(self.m + 1)
        ]

    def expected_euler_characteristic(self, n: int) -> Fraction:
        """E chi of the union, cut by a uniformly random n-dimensional subspace and the unit sphere, exactly.

        Raises
        ------
        InputError
            n is no integer from 1 to m.
        BudgetExceeded
            As for `face_counts`.

        Notes
        -----
        The formula of Crofton for valuations (`polyinj.geometry.kinematic`). `estimate_section_euler_characteristic`
        is the same by simulation.
        """
        return section_euler_characteristic(self.conic_intrinsic_volumes(), n)

    def section_euler_characteristic(self, subspace: ArrayLike) -> int:
        """chi of {x on the unit sphere of R^n : W x in the union} for one matrix W, shape (m, n), exactly.

        Where W has rank n that is the union, cut by the range of W and a sphere.

        Raises
        ------
        InputError
            Unreadable matrix, or not m rows.

        Examples
        --------
        >>> FaceUnion([[1, 1], [-1, -1]]).section_euler_characteristic([[1], [2]])
        2
        """
        arrangement = Arrangement(subspace)
        if arrangement.row_count != self.m:
            raise InputError(f"subspace has {arrangement.row_count} rows; expected m = {self.m}, one a coordinate")
        lineality, n = arrangement.lineality, arrangement.dimension
        total = 0
        for d in range(lineality + 1, n + 1):
            faces = sum(int(self.contains_faces(signs).sum()) for signs in arrangement.iter_faces(d))
            total += (-1) ** (d - 1) * faces
        # Beside the faces, open balls of dimension d - 1, the sphere of the kernel.
        return total + (2 if lineality % 2 else 0)

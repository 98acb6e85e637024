"""Certificates that a subspace meets a union of orthants outside the origin, or does not; checked in rationals.

The subspace is the range of a matrix W with rows w_i, the union is {y : at most k entries > 0}. A point y = W x of both
is a witness. The proof that there is none is a tree over *positive sets*: sets S of rows of the same rank as W, with
positive multipliers such that sum_S c_i w_i = 0. If no row of S is positive at x then all are zero there, so W x = 0:
each point of the subspace outside the origin has a positive row in every positive set. At a node of the tree some rows
P are positive and some rows N are not; a positive set S without rows of P then has a positive row in S - N.

- A branch names such an S and has a child for each row of S - N: that row joins P, those before it join N.
- A leaf names such sets with S - N disjoint, more than k - |P| of them, or one with S - N empty: too many positives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from numpy.typing import ArrayLike

from polyinj.errors import require
from polyinj.exact import algebra, arrays


@dataclass(frozen=True, slots=True)
class OrthantWitness:
    """A point of the subspace, not 0, with at most max_positive positive coordinates.

    Attributes
    ----------
    rows : tuple of tuples of int
        The matrix whose range is the subspace, each row times a positive rational: that changes no sign.
    max_positive : int
    x : tuple of int
        The coordinates rows x are not all 0 and at most max_positive of them are > 0.
    """

    rows: algebra.Vectors
    max_positive: int
    x: tuple[int, ...]

    def verify(self, subspace: ArrayLike, max_positive: int) -> None:
        """Check the claim for the range of a matrix, shape (m, n).

        Raises
        ------
        CertificateError
            The point is no witness, or the certificate is for another subspace or union.
        InputError
            Unreadable matrix.
        """
        rows = rows_of(subspace)
        require((self.rows, self.max_positive) == (rows, max_positive), "the certificate is for another problem")
        require(len(self.x) == len(rows[0]), f"x has {len(self.x)} entries; the matrix has {len(rows[0])} columns")
        values = [algebra.dot(row, self.x) for row in rows]
        require(any(values), "the point is the origin")
        positives = sum(value > 0 for value in values)
        require(positives <= max_positive, f"{positives} coordinates are positive; at most {max_positive} are allowed")


@dataclass(frozen=True, slots=True)
class PositiveSet:
    """Rows, by index, and positive multipliers: sum of multipliers[j] rows[indices[j]] = 0."""

    indices: tuple[int, ...]
    multipliers: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A node that is refuted by positive sets, by index."""

    sets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """A node split on a positive set, by index; one child for each of its rows in `order` that is not yet decided."""

    set: int
    order: tuple[int, ...]
    children: tuple[Branch | Leaf, ...]


@dataclass(frozen=True, slots=True)
class OrthantProof:
    """The subspace meets the union of orthants only in the origin.

    Attributes
    ----------
    rows, max_positive
        As for `OrthantWitness`.
    sets : tuple of PositiveSet
    tree : Branch, Leaf or None
        None where the subspace is {0}.
    """

    rows: algebra.Vectors
    max_positive: int
    sets: tuple[PositiveSet, ...]
    tree: Branch | Leaf | None

    @property
    def node_count(self) -> int:
        """Nodes of the tree."""
        count, todo = 0, [self.tree] if self.tree else []
        while todo:
            node = todo.pop()
            count += 1
            if isinstance(node, Branch):
                todo.extend(node.children)
        return count

    def verify(self, subspace: ArrayLike, max_positive: int) -> None:
        """Check the claim for the range of a matrix, shape (m, n).

        Raises
        ------
        CertificateError
            Something is not shown, or the certificate is for another subspace or union.
        InputError
            Unreadable matrix.
        """
        rows = rows_of(subspace)
        require((self.rows, self.max_positive) == (rows, max_positive), "the certificate is for another problem")
        rank = algebra.rank(rows)
        if rank == 0:
            return
        for number, positive_set in enumerate(self.sets):
            self._check_set(positive_set, rank, number)
        require(self.tree is not None, "there is no tree, and the subspace is not {0}")
        todo: list[tuple[Branch | Leaf | None, frozenset[int], frozenset[int]]] = [
            (self.tree, frozenset(), frozenset())
        ]
        while todo:
            node, positive, negative = todo.pop()
            if isinstance(node, Leaf):
                self._check_leaf(node, positive, negative)
            elif isinstance(node, Branch):
                left = self._undecided([node.set], positive, negative)[0]
                require(set(node.order) == left and len(node.order) == len(left), "a branch does not list its rows")
                require(len(node.children) == len(left), "a branch lacks a child")
                for i, (row, child) in enumerate(zip(node.order, node.children, strict=True)):
                    todo.append((child, positive | {row}, negative.union(node.order[:i])))

    def _check_set(self, positive_set: PositiveSet, rank: int, number: int) -> None:
        indices, multipliers = positive_set.indices, positive_set.multipliers
        inside = all(0 <= i < len(self.rows) for i in indices) and len(set(indices)) == len(indices)
        require(inside and len(multipliers) == len(indices), f"positive set {number} is malformed")
        require(all(value > 0 for value in multipliers), f"positive set {number} has a multiplier that is not positive")
        rows = [self.rows[i] for i in indices]
        sums = [algebra.dot(multipliers, column) for column in zip(*rows, strict=True)]
        require(not any(sums), f"the combination of positive set {number} is not 0")
        require(algebra.rank(rows) == rank, f"positive set {number} has a smaller rank than the matrix")

    def _check_leaf(self, leaf: Leaf, positive: frozenset[int], negative: frozenset[int]) -> None:
        left = self._undecided(leaf.sets, positive, negative)
        if not all(left):
            return
        require(len(left) > self.max_positive - len(positive), "a leaf names too few positive sets")
        require(sum(map(len, left)) == len(frozenset().union(*left)), "the positive sets of a leaf are not disjoint")

    def _undecided(
        self, numbers: Iterable[int], positive: frozenset[int], negative: frozenset[int]
    ) -> list[frozenset[int]]:
        require(
            all(0 <= number < len(self.sets) for number in numbers), "the tree names a positive set that is missing"
        )
        chosen = [frozenset(self.sets[number].indices) for number in numbers]
        require(not any(rows & positive for rows in chosen), "a positive set has a row that is positive already")
        return [rows - negative for rows in chosen]


def rows_of(subspace: ArrayLike) -> algebra.Vectors:
    """The rows of a matrix, shape (m, n), each times the positive rational that makes it coprime integers."""
    return tuple(map(tuple, arrays.integer_rows(arrays.read_matrix(subspace, "subspace"))))

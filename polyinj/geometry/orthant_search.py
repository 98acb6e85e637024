"""Does the range of a matrix meet {at most k coordinates > 0} outside the origin? Search for a point or a proof.

    solve(P positive, N not positive):
        pack disjoint positive sets (orthant_certificate.py) that avoid P, rows of N not counted: from the pool, then by
            exact linear programs on the rows that are left
        a linear program on all rows outside P fails: its separating direction has no positive row outside P: a witness
        more than k - |P| sets, or one whose rows are all in N: no witness here
        else branch on the set with the fewest rows outside N: one of them is positive, those before it are not

Every point has its positive rows among the children exactly once, so the tree covers all.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from polyinj.errors import BudgetExceeded
from polyinj.exact import algebra
from polyinj.exact.farkas import Combination, SeparatingRow, farkas
from polyinj.geometry.orthant_certificate import Branch, Leaf, PositiveSet


class MeetingPoint(Exception):
    """A direction was found that ends the search."""

    def __init__(self, x: list[int]) -> None:
        super().__init__(x)
        self.x = x


class OrthantSearch:
    """One matrix, with columns linearly independent, and one limit of positives, less than the number of rows.

    Attributes
    ----------
    sets : list of PositiveSet
        All that were found so far; the tree names them by index.
    """

    def __init__(self, rows: algebra.IntegerRows, max_positive: int, node_limit: int | None) -> None:
        self._rows = rows
        self._columns = len(rows[0])
        self._limit = max_positive
        self._nodes_left = node_limit
        self._all = (1 << len(rows)) - 1
        self.sets: list[PositiveSet] = []
        self._masks: list[int] = []

    def solve(self, positive: int = 0, negative: int = 0) -> Branch | Leaf:
        """The proof below a node; row sets are bit masks.

        Raises
        ------
        MeetingPoint
            There is a point.
        BudgetExceeded
            The node limit is spent.
        """
        if self._nodes_left is not None:
            if self._nodes_left == 0:
                raise BudgetExceeded(f"the node limit is spent with {len(self.sets)} positive sets found; raise it")
            self._nodes_left -= 1
        budget = self._limit - positive.bit_count()
        packing = self._pack(positive, negative, budget)
        left = [self._masks[number] & ~negative for number in packing]
        if not left[0]:
            return Leaf((packing[0],))
        if len(packing) > budget:
            return Leaf(tuple(packing))
        order = self._by_multiplier(packing[0], left[0])
        children = []
        for row in order:
            children.append(self.solve(positive | 1 << row, negative))
            negative |= 1 << row
        return Branch(packing[0], tuple(order), tuple(children))

    def _pack(self, positive: int, negative: int, budget: int) -> list[int]:
        """Positive sets without rows of P, disjoint outside N, the one with fewest rows outside N first."""
        usable = [number for number, mask in enumerate(self._masks) if not mask & positive]
        usable.sort(key=lambda number: (self._masks[number] & ~negative).bit_count())
        packing, taken = [], positive
        for number in usable:
            left = self._masks[number] & ~negative
            if not left:
                return [number]
            if not left & taken:
                packing.append(number)
                taken |= left
        while len(packing) <= budget:
            found = self._positive_set(self._all & ~taken)
            if not isinstance(found, PositiveSet):
                if not packing:
                    raise MeetingPoint(found)
                break
            self.sets.append(found)
            self._masks.append(mask := sum(1 << i for i in found.indices))
            packing.append(len(self.sets) - 1)
            if not mask & ~negative:
                return packing[-1:]
            taken |= mask & ~negative
        return sorted(packing, key=lambda number: (self._masks[number] & ~negative).bit_count())

    def _by_multiplier(self, number: int, left: int) -> list[int]:
        """The rows of a set that are left, the one with the largest multiple first."""
        pairs = zip(self.sets[number].multipliers, self.sets[number].indices, strict=True)
        sized = sorted(((c * max(map(abs, self._rows[i])), i) for c, i in pairs), reverse=True)
        return [i for _, i in sized if left >> i & 1]

    def _positive_set(self, allowed: int) -> PositiveSet | list[int]:
        """A positive set among the allowed rows, or a direction where none of them is positive and some row not 0.

        A vertex of {c >= 0 : sum c_i w_i = 0, sum c_i |w_i| = 1}, |.| the largest entry, is a circuit. Where its rank
        is too small, circuits modulo its span follow, read on the orthogonal complement of the span:
        x = sum t_j basis[j].
        """
        rows = [i for i in range(len(self._rows)) if allowed >> i & 1]
        chosen: list[int] = []
        multipliers: Iterable[Fraction] = ()
        while basis := algebra.kernel([self._rows[i] for i in chosen], self._columns):
            seen = [(i, algebra.product(basis, self._rows[i])) for i in rows]
            outside = [(i, values) for i, values in seen if any(values)]
            if not outside:
                return basis[0]
            sized = [[*values, max(map(abs, values))] for _, values in outside]
            solution = farkas(sized, [0] * len(basis) + [1])
            if isinstance(solution, SeparatingRow):
                return [
                    -sum(t * vector[j] for t, vector in zip(solution.row[:-1], basis, strict=True))
                    for j in range(self._columns)
                ]
            circuit = [(i, c) for (i, _), c in zip(outside, solution.multipliers, strict=True) if c]
            multipliers = () if chosen else [c for _, c in circuit]
            chosen += [i for i, _ in circuit]
        return PositiveSet(tuple(chosen), tuple(multipliers) or self._balance(chosen))

    def _balance(self, chosen: list[int]) -> tuple[Fraction, ...]:
        """Multipliers of circuits chosen modulo each other's spans: 1 plus those of minus the sum of the rows."""
        rows = [self._rows[i] for i in chosen]
        solution = farkas(rows, [-sum(column) for column in zip(*rows, strict=True)])
        assert isinstance(solution, Combination)
        return tuple(1 + value for value in solution.multipliers)

"""Does a tree of clauses cover every case? Walks over the trees of an `InjectivityProof`.

Every row is FREE, POS or NEG; a state is two sets of rows, kept as bits of integers. A tree is a list of integers in
preorder: each node is a run of steps, which fix rows, and one terminal, which branches or shows a contradiction. Each
step keeps every case that is left, so a tree that is walked to its end has refuted all of them. The codes and
why each is sound: docs/certificate-format.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import CertificateError
from polyinj.geometry.exact import IntegerRows
from polyinj.injectivity.circuit_check import Circuits
from polyinj.injectivity.layer import System

UNIT, FILL, BRANCH, PACKING, CONTRADICTION, SPANNING, FLAT = range(1, 8)

TRANSVERSAL_LIMIT = 10**6

_PRIMES = (2**31 - 1, 2**31 - 19, 2**31 - 61)
_CHUNK = 4096

Budget = tuple[int, int]


def check_count_trees(
    system: System, budget: int, blocks: Sequence[Sequence[int]], circuits: Circuits, trees: Sequence[NDArray[np.int32]]
) -> None:
    """Check that in every open cell more than `budget` of the rows are positive; CertificateError if not shown.

    One tree for each rotation of the blocks: by the cycle lemma, if at most K rows are positive then for some rotation
    every run of j blocks from its start on holds at most floor(K j / B) of them.
    """
    count = len(blocks)
    rows = [row for block in blocks for row in block]
    if not count or len(trees) != count:
        raise CertificateError(
            f"a count proof has {len(trees)} trees for {count} blocks; expected one a block, one or more"
        )
    if len(set(rows)) != len(rows) or not set(rows) <= set(system.spanning_rows):
        raise CertificateError("the blocks must be disjoint and name rows whose weights are not all zero")
    clauses = _Clauses(circuits, len(system.rows))
    for rotation, tree in enumerate(trees):
        turned = [*blocks[rotation:], *blocks[:rotation]]
        budgets = [
            (_bits(row for block in turned[:j] for row in block), budget * j // count) for j in range(1, count + 1)
        ]
        if count == 2 and rotation == 1:
            # Rotation 0 has shown that its first block holds more than floor(K / 2), so the other holds fewer.
            budgets[0] = (budgets[0][0], (budget - 1) // 2)
        _CountWalk(clauses, system, budgets).check(tree, f"tree {rotation}")


def check_rank_tree(system: System, circuits: Circuits, trees: Sequence[NDArray[np.int32]]) -> None:
    """Check that in every open cell the weights of the positive rows span; CertificateError if not shown.

    Ranks are taken modulo a prime. Rows that are independent modulo a prime are independent, so nothing false passes; a
    prime that divides a minor can only make the walk fail, and then another prime has its turn.
    """
    if len(trees) != 1:
        raise CertificateError(f"a rank proof has {len(trees)} trees; expected one")
    clauses = _Clauses(circuits, len(system.rows))
    for prime in _PRIMES:
        try:
            _RankWalk(clauses, system, prime).check(trees[0], "tree 0")
        except CertificateError:
            if prime == _PRIMES[-1]:
                raise
        else:
            return


class _Clauses:
    """The rows of every clause as bits, positive and negative literals apart; sides are left out."""

    def __init__(self, circuits: Circuits, rows: int) -> None:
        self.positive: list[int] = []
        self.negative: list[int] = []
        for start in range(0, len(circuits), _CHUNK):
            chunk = circuits[start : start + _CHUNK]
            self.positive += _pack(np.where(chunk <= rows, chunk, 0), rows)
            self.negative += _pack(np.where(chunk >= -rows, -chunk, 0), rows)


def _pack(literals: NDArray[np.int32], rows: int) -> list[int]:
    # Column 0 takes the padding and the literals of the other sign; it is dropped.
    table = np.zeros((len(literals), rows + 1), dtype=bool)
    np.put_along_axis(table, np.maximum(literals, 0).astype(np.int64), True, axis=1)
    packed = np.packbits(table[:, 1:], axis=1, bitorder="little")
    width, text = packed.shape[1], packed.tobytes()
    return [int.from_bytes(text[at : at + width], "little") for at in range(0, len(text), width)]


def _bits(rows: Iterable[int]) -> int:
    return sum(1 << row for row in rows)


class _Walk:
    """One walk over one tree; the subclasses add the codes of counting or of rank."""

    def __init__(self, clauses: _Clauses, system: System) -> None:
        self.clauses = clauses
        self.branchable = _bits(system.spanning_rows)
        self.rows = len(system.rows)
        self.positive = 0
        self.negative = 0
        self.waiting: list[tuple[int, int]] = []
        self.entries: list[int] = []
        self.at = 0

    def check(self, tree: NDArray[np.int32], name: str) -> None:
        self.entries = tree.tolist()
        try:
            while True:
                if self.ends_node(self.take()):
                    if not self.waiting:
                        break
                    self.positive, self.negative = self.waiting.pop()
            self.require(self.at == len(self.entries), "the tree goes on after its last node")
        except CertificateError as error:
            raise CertificateError(f"{name}, before entry {self.at}: {error}") from None

    def ends_node(self, code: int) -> bool:
        """Carry out one code; True when it shows that no case is left in this node."""
        if code == UNIT:
            self.fix_unit()
            return False
        if code == BRANCH:
            bit = self.take_free_row()
            self.waiting.append((self.positive, self.negative | bit))
            self.positive |= bit
            return False
        self.require(code == CONTRADICTION, f"code {code} is not allowed in this kind of proof")
        self.require(not any(self.open_literals(self.take_clause())), "a literal of the clause is not false")
        return True

    def require(self, condition: bool, fault: str) -> None:
        if not condition:
            raise CertificateError(fault)

    def take(self) -> int:
        self.require(self.at < len(self.entries), "the tree ends inside a node")
        self.at += 1
        return self.entries[self.at - 1]

    def take_clause(self) -> int:
        clause = self.take()
        self.require(0 <= clause < len(self.clauses.positive), f"there is no clause {clause}")
        return clause

    def take_usable(self) -> list[int]:
        """The live rows of each clause of a list; each holds a positive row in every case that is left."""
        count = self.take()
        self.require(count >= 0, f"a list of {count} clauses")
        return [self.usable(self.take_clause()) for _ in range(count)]

    def take_free_row(self) -> int:
        row = self.take()
        self.require(0 <= row < self.rows, f"there is no row {row}")
        bit = 1 << row
        self.require(bit & self.branchable & ~self.positive & ~self.negative != 0, f"row {row} is not free")
        return bit

    def open_literals(self, clause: int) -> tuple[int, int]:
        """The rows of the positive and of the negative literals that are not false."""
        return self.clauses.positive[clause] & ~self.negative, self.clauses.negative[clause] & ~self.positive

    def usable(self, clause: int) -> int:
        live, negative = self.open_literals(clause)
        self.require(not negative and not live & self.positive, f"clause {clause} is not usable")
        return live

    def fix_unit(self) -> None:
        clause = self.take_clause()
        live, negative = self.open_literals(clause)
        self.require(
            (live | negative).bit_count() == 1 and not live & self.positive and not negative & self.negative,
            f"clause {clause} does not have one live literal and no true one",
        )
        self.positive |= live
        self.negative |= negative


class _CountWalk(_Walk):
    def __init__(self, clauses: _Clauses, system: System, budgets: list[Budget]) -> None:
        super().__init__(clauses, system)
        self.budgets = budgets

    def ends_node(self, code: int) -> bool:
        if code not in (FILL, PACKING):
            return super().ends_node(code)
        number = self.take()
        self.require(1 <= number <= len(self.budgets), f"there is no budget {number}")
        rows, bound = self.budgets[number - 1]
        packed, packing = 0, self.take_usable()
        for live in packing:
            self.require(not live & packed, "the clauses of a packing share a live row")
            packed |= live
        self.require(not packed & ~rows, f"a live row of the packing is not counted by budget {number}")
        least = (self.positive & rows).bit_count() + len(packing)
        self.require(
            least > bound - (code == FILL), f"the packing shows {least} positive rows; budget {number} is {bound}"
        )
        if code == FILL:
            self.negative |= rows & ~packed & ~self.positive
        return code == PACKING


class _RankWalk(_Walk):
    def __init__(self, clauses: _Clauses, system: System, prime: int) -> None:
        super().__init__(clauses, system)
        self.flats = _Flats([row[: system.columns] for row in system.rows], prime)

    def ends_node(self, code: int) -> bool:
        if code == SPANNING:
            self.check_transversals([_rows(live) for live in self.take_usable()])
            return True
        if code == FLAT:
            quotient = self.flats.quotient(self.positive)
            missing = quotient.shape[1]
            self.require(missing == 1, f"the rank lacks {missing}, not 1")
            self.negative |= _bits(np.flatnonzero(quotient[:, 0]).tolist()) & ~self.positive
            return False
        return super().ends_node(code)

    def check_transversals(self, packing: list[list[int]]) -> None:
        count = prod(map(len, packing))
        self.require(count <= TRANSVERSAL_LIMIT, f"a node has more than {TRANSVERSAL_LIMIT} transversals")
        quotient = self.flats.quotient(self.positive)
        missing = quotient.shape[1]
        self.require(len(packing) == missing, f"{len(packing)} clauses where the rank lacks {missing}")
        if count:
            groups = [quotient[None, live] for live in packing]
            self.require(_transversals_span(groups, self.flats.prime), "a transversal does not span")


def _rows(bits: int) -> list[int]:
    rows = []
    while bits:
        lowest = bits & -bits
        rows.append(lowest.bit_length() - 1)
        bits ^= lowest
    return rows


class _Flats:
    """Rows modulo the flat that a set of rows spans, in arithmetic modulo a prime.

    Coordinates are random, so that the first entry of a vector that is not zero is hardly ever zero and can serve as
    pivot. Where it is zero the maps below still have the flat in their kernel: rows that come out independent are so.
    The walk is depth first, so the flats of its ancestors are kept on a stack and extended.
    """

    def __init__(self, rows: IntegerRows, prime: int) -> None:
        self.prime = prime
        exact = np.array([[entry % prime for entry in row] for row in rows], dtype=object)
        turn = np.random.default_rng(prime).integers(prime, size=(exact.shape[1],) * 2).astype(object)
        self.stack: list[tuple[int, NDArray[np.int64]]] = [(0, (exact @ turn % prime).astype(np.int64))]

    def quotient(self, flat: int) -> NDArray[np.int64]:
        """All rows in coordinates of R^n modulo the flat: shape (m, n - rank); rows in the flat are zero."""
        while self.stack[-1][0] & ~flat:
            self.stack.pop()
        done, residues = self.stack[-1]
        for row in _rows(flat & ~done):
            done |= 1 << row
            if residues[row].any():
                residues = _eliminate(residues, residues[row], self.prime)
            self.stack.append((done, residues))
        return residues


def _eliminate(rows: NDArray[np.int64], vectors: NDArray[np.int64], prime: int) -> NDArray[np.int64]:
    """The rows modulo the vectors, by the first entry; the last axis gets shorter by one, the others broadcast."""
    # Products of residues stay below 2^62, and so does their difference.
    reduced: NDArray[np.int64] = (rows[..., 1:] * vectors[..., :1] - rows[..., :1] * vectors[..., 1:]) % prime
    return reduced


def _transversals_span(groups: list[NDArray[np.int64]], prime: int) -> bool:
    """Whether any choice of one vector from each of k groups is a basis of F_p^k; a group has shape (batch, size, k).

    All choices from the first group are eliminated from the others at once, each in its own entry of the batch.
    """
    while groups:
        vectors, *rest = groups
        if not vectors[..., 0].all():
            return False
        groups = []
        for others in rest:
            reduced = _eliminate(others[:, None], vectors[:, :, None], prime)
            groups.append(reduced.reshape(-1, *reduced.shape[2:]))
    return True

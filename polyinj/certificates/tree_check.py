"""Does a tree of clauses cover every case? The check of the trees of an `InjectivityProof`.

Every row is FREE, POS or NEG; a state is two sets of rows, kept as bits of integers. A tree is a list of integers in
preorder: each node is a run of steps, which fix rows, and one terminal, which branches or shows a contradiction. Each
step keeps every case that is left, so a tree that is read to its end has refuted all of them. The codes and
why each is sound: docs/certificate-format.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.bits import bits_of, members
from polyinj.certificates.circuit_check import Circuits
from polyinj.certificates.clock import Clock
from polyinj.certificates.flats import Flats, transversals_are_bases, transversals_span
from polyinj.certificates.layer import System
from polyinj.certificates.opcodes import BRANCH, CONTRADICTION, FILL, FLAT, PACKING, SPANNING, UNIT
from polyinj.errors import CertificateError, printable

# The most transversals of one node; all nodes together may have this many and some more for each integer of the tree.
TRANSVERSAL_LIMIT = 10**6
_TRANSVERSALS_AN_ENTRY = 20

_PRIMES = (2**31 - 1, 2**31 - 19, 2**31 - 61)
# Clauses at a time, and entries of their table.
_CHUNK, _ENTRIES = 4096, 1 << 24

Budget = tuple[int, int]


def check_count_trees(
    system: System,
    budget: int,
    blocks: Sequence[Sequence[int]],
    circuits: Circuits,
    trees: Sequence[NDArray[np.int32]],
    clock: Clock,
) -> None:
    """Check that in every open cell more than `budget` of the rows are positive; CertificateError if not shown.

    One tree for each rotation of the blocks: by the cycle lemma, if at most K rows are positive then for some rotation
    every run of j blocks from its start on holds at most floor(K j / B) of them.
    """
    if len(trees) != len(blocks):
        raise CertificateError(f"a count proof has {len(trees)} trees for {len(blocks)} blocks; expected one a block")
    check_blocks(blocks, budget, len(system.rows))
    if not {row for block in blocks for row in block} <= set(system.spanning_rows):
        raise CertificateError("the blocks name a row that is none of the layer's, or whose weights are all zero")
    clauses = _Clauses(circuits, len(system.rows), clock)
    runs = _Runs(blocks, budget)
    for rotation, tree in enumerate(trees):
        _CountTreeCheck(clauses, system, clock, runs, rotation).check(tree, f"tree {rotation}")


def check_blocks(blocks: Sequence[Sequence[int]], budget: int, rows: int) -> None:
    """Sizes that blocks of a count may have: 1 to K + 1 blocks, none empty, and disjoint with more than K rows.

    Raises
    ------
    CertificateError
        Blocks of other sizes, or a row in two of them or twice in one.
    """
    total = sum(map(len, blocks))
    if not 1 <= len(blocks) <= budget + 1 or not all(map(len, blocks)):
        raise CertificateError(
            f"there are {len(blocks)} blocks, the shortest of {min(map(len, blocks), default=0)} rows; expected 1 to "
            f"{printable(budget)} + 1 blocks, one more than the budget, and none empty"
        )
    if not budget < total <= rows:
        raise CertificateError(
            f"the blocks hold {total} rows; expected more than the budget {printable(budget)}, and at most the "
            f"{printable(rows)} rows of the layer"
        )
    if len({row for block in blocks for row in block}) != total:
        raise CertificateError("a row stands twice in the blocks; expected disjoint blocks, without repetition")


def check_rank_tree(system: System, circuits: Circuits, trees: Sequence[NDArray[np.int32]], clock: Clock) -> None:
    """Check that in every open cell the weights of the positive rows span; CertificateError if not shown.

    Ranks are taken modulo a prime. Rows that are independent modulo a prime are independent, so nothing false passes; a
    prime that divides a minor can only make the check fail, and then another prime has its turn.
    """
    if len(trees) != 1:
        raise CertificateError(f"a rank proof has {len(trees)} trees; expected one")
    clauses = _Clauses(circuits, len(system.rows), clock)
    for prime in _PRIMES:
        try:
            _RankTreeCheck(clauses, system, clock, prime).check(trees[0], "tree 0")
        except _RankFault:
            if prime == _PRIMES[-1]:
                raise
        else:
            return


class _RankFault(CertificateError):
    """Modulo this prime a rank is too small; modulo another it may not be."""


class _Clauses:
    """The rows of every clause as bits, positive and negative literals apart; sides are left out."""

    def __init__(self, circuits: Circuits, rows: int, clock: Clock) -> None:
        self.positive: list[int] = []
        self.negative: list[int] = []
        step = max(1, min(_CHUNK, _ENTRIES // (rows + 1)))
        for start in range(0, len(circuits), step):
            clock.check()
            chunk = circuits[start : start + step]
            self.positive += _pack(np.where(chunk <= rows, chunk, 0), rows)
            self.negative += _pack(np.where(chunk >= -rows, -chunk, 0), rows)


def _pack(literals: NDArray[np.int32], rows: int) -> list[int]:
    # Column 0 takes the padding and the literals of the other sign; it is dropped.
    table = np.zeros((len(literals), rows + 1), dtype=bool)
    np.put_along_axis(table, np.maximum(literals, 0).astype(np.int64), True, axis=1)
    packed = np.packbits(table[:, 1:], axis=1, bitorder="little")
    width, text = packed.shape[1], packed.tobytes()
    return [int.from_bytes(text[at : at + width], "little") for at in range(0, len(text), width)]


class _Runs:
    """The budgets of every tree: rows of blocks that follow each other, and how many of them are positive at most."""

    def __init__(self, blocks: Sequence[Sequence[int]], budget: int) -> None:
        self.count, self.budget = len(blocks), budget
        # The rows of the first i blocks; twice around.
        self.first = [0]
        for block in blocks:
            self.first.append(self.first[-1] | bits_of(block))

    def of(self, rotation: int, length: int) -> Budget:
        end, everything = rotation + length, self.first[-1]
        if end <= self.count:
            rows = self.first[end] & ~self.first[rotation]
        else:
            rows = everything & ~self.first[rotation] | self.first[end - self.count]
        if self.count == 2 and rotation == length == 1:
            # Rotation 0 has shown that its first block holds more than floor(K / 2), so the other holds fewer.
            return rows, (self.budget - 1) // 2
        return rows, self.budget * length // self.count


class _TreeCheck:
    """The state in which one tree is read; the subclasses add the codes of counting or of rank."""

    def __init__(self, clauses: _Clauses, system: System, clock: Clock) -> None:
        self.clauses = clauses
        self.clock = clock
        self.branchable = bits_of(system.spanning_rows)
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
                self.clock.check()
                if self.ends_node(self.take()):
                    if not self.waiting:
                        break
                    self.positive, self.negative = self.waiting.pop()
            self.require(self.at == len(self.entries), "the tree goes on after its last node")
        except CertificateError as error:
            raise type(error)(f"{name}, before entry {self.at}: {error}") from None

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

    def take_usable(self, most: int) -> list[int]:
        """The live rows of each clause of a list; each holds a positive row in every case that is left."""
        count = self.take()
        self.require(0 <= count <= most, f"a list of {count} clauses; expected 0 to {most}")
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


class _CountTreeCheck(_TreeCheck):
    def __init__(self, clauses: _Clauses, system: System, clock: Clock, runs: _Runs, rotation: int) -> None:
        super().__init__(clauses, system, clock)
        self.runs, self.rotation = runs, rotation

    def ends_node(self, code: int) -> bool:
        if code not in (FILL, PACKING):
            return super().ends_node(code)
        number = self.take()
        self.require(1 <= number <= self.runs.count, f"there is no budget {number}")
        rows, bound = self.runs.of(self.rotation, number)
        packed, packing = 0, self.take_usable(len(self.entries))
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


class _RankTreeCheck(_TreeCheck):
    def __init__(self, clauses: _Clauses, system: System, clock: Clock, prime: int) -> None:
        super().__init__(clauses, system, clock)
        self.transversals = 0
        self.columns = system.columns
        self.flats = Flats([row[: system.columns] for row in system.rows], prime)

    def ends_node(self, code: int) -> bool:
        if code == SPANNING:
            self.check_transversals(self.take_usable(self.columns))
            return True
        if code == FLAT:
            quotient = self.flats.quotient(self.positive)
            missing = quotient.shape[1]
            self.require_rank(missing == 1, f"the rank lacks {missing}, not 1")
            self.negative |= bits_of(np.flatnonzero(quotient[:, 0]).tolist()) & ~self.positive
            return False
        return super().ends_node(code)

    def check_transversals(self, packing: list[int]) -> None:
        quotient = self.flats.quotient(self.positive)
        missing = quotient.shape[1]
        self.require_rank(len(packing) >= missing, f"{len(packing)} clauses where the rank lacks {missing}")
        count = prod(live.bit_count() for live in packing)
        self.require(count <= TRANSVERSAL_LIMIT, f"a node has more than {TRANSVERSAL_LIMIT} transversals")
        self.transversals += count
        together = TRANSVERSAL_LIMIT + _TRANSVERSALS_AN_ENTRY * len(self.entries)
        self.require(self.transversals <= together, f"the nodes have more than {together} transversals together")
        if count:
            groups = [quotient[members(live)] for live in packing]
            spans = transversals_are_bases if len(packing) == missing else transversals_span
            self.require_rank(spans(groups, self.flats.prime), "a transversal does not span")

    def require_rank(self, condition: bool, fault: str) -> None:
        if not condition:
            raise _RankFault(fault)

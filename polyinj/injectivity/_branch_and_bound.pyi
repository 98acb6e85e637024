"""Compiled search. Rows are doubles (float_rows of exact.py), each true entry within `error` of its double.

One thing here is exact: a proof names only circuits that rigorous error bounds certify or that the
caller settled exactly. Witnesses are candidates; the caller checks them in rationals.

A caller's loop, for both searches:

    while True:
        status = search.run(1000)                 # a slice: poll signals, limits and progress between slices
        if status == Status.UNCERTAIN:            # doubles cannot tell: settle in exact arithmetic
            search.settle(signs or None)
        elif status == Status.WITNESS and not is_witness(search.best_direction):
            continue                              # rejected: the search goes on by itself
        elif status != Status.RUNNING:
            break

Objects share nothing and release the interpreter's lock while they run: one thread each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

LARGEST_DIMENSION: int

class _Search:
    blocks: Ints
    """The block of each row for the cycle lemma, -1 for rows that take no part."""
    status: Status
    """RUNNING: the slice is over. DONE: proved. WITNESS: see best_direction. UNCERTAIN: see pending. OUT_OF_MEMORY:
    memory_limit is used up. STUCK: doubles do not suffice (numerically dependent rows, or rejected witnesses all
    the way down)."""

    def run(self, max_nodes: int) -> Status:
        """Work for at most max_nodes nodes more and say how it stands; RuntimeError while a circuit is pending."""

    @property
    def pending(self) -> tuple[int, ...]:
        """The N + 1 columns of a doubtful circuit, +(c + 1) or -(c + 1); column m + k is side row k. () if none."""

    def settle(self, signs: Sequence[int] | None) -> None:
        """The truth about `pending`, with v_c = +-(row c) by its sign: if their relations are the multiples of one
        vector x (chosen such that some entry is positive, none negative if possible), the signs of x in {-1, 0,
        +1}; if there are more relations, None."""

    @property
    def decided(self) -> list[int]:
        """The rows decided at this node: +(i + 1) POS, -(i + 1) NEG."""

    def admit(self, literals: Sequence[int]) -> None:
        """After STUCK: a circuit, surely one, all of whose literals are false at this node. Then run on."""

    @property
    def degenerate(self) -> bool:
        """Some circuit was doubtful: the rows may be dependent, so take the rank route."""

    @property
    def best_count(self) -> int:
        """Fewest active rows of a direction seen (of the witness itself after WITNESS); more than the number of rows
        if none was seen."""

    @property
    def best_direction(self) -> Floats: ...
    @property
    def nodes(self) -> int: ...
    @property
    def solves(self) -> int: ...
    @property
    def pivots(self) -> int: ...
    @property
    def circuits(self) -> int:
        """How many circuits were certified by error bounds."""

    def proof(self) -> tuple[Ints, list[Ints]]:
        """(circuits, trees): circuits has shape (k, N + 1), signed literals in ascending order of rows, padded by 0,
        side row k as -(m + k + 1); a tree is the flat preorder code of the proof format. One tree for each
        rotation of the blocks."""

    def give_away(self, number: int) -> tuple[int, list[int]] | None:
        """Between runs: the largest open part of the search as (rotation, signed rows), for `assume` of another search;
        its place in the tree is marked 9 number. None if there is nothing to give."""

    def assume(self, rotation: int, literals: Sequence[int]) -> None:
        """Before run: search only that subtree; its proof is trees[rotation]. All other arguments have to be those
        of the search that gave it away."""

class CountSearch(_Search):
    """Is some admissible direction active on at most `budget` rows? DONE proves that none is.

    rows (m, N); side (s, N) rows that are positive at every admissible direction. linear: how many leading
    entries of a row are its linear part (default all); rows without one take no part. blocks: the block of each
    row, or a number of blocks, among which the search arranges the rows, or None for budget + 1. ValueError if the
    rows do not span numerically or there are fewer than N + 1 of them, or N > LARGEST_DIMENSION.
    """

    def __init__(
        self,
        rows: Floats,
        error: float = 0.0,
        side: Floats | None = None,
        *,
        budget: int,
        linear: int | None = None,
        blocks: int | Any | None = None,
        record: bool = True,
        memory_limit: int = ...,
    ) -> None: ...

class RankSearch(_Search):
    """Do the linear parts of the active rows fail to span at some admissible direction? DONE proves that they
    never do.

    WITNESS: at best_direction the active rows have rank below `linear`, as far as doubles can tell.
    """

    def __init__(
        self,
        rows: Floats,
        error: float = 0.0,
        side: Floats | None = None,
        *,
        linear: int | None = None,
        record: bool = True,
        memory_limit: int = ...,
    ) -> None: ...

class WitnessSearch:
    """The walk on rays towards few active rows; side rows are respected. The same seed walks the same way."""

    def __init__(self, rows: Floats, side: Floats | None = None, *, seed: int, linear: int | None = None) -> None: ...
    def run(self, max_steps: int, target: int) -> bool:
        """Walk on; True as soon as best_count <= target."""

    @property
    def steps(self) -> int: ...
    @property
    def best_count(self) -> int:
        """Fewest active rows of an admissible direction so far; more than m if none was admissible."""

    @property
    def best_direction(self) -> Floats: ...

def splice(circuits: Ints, trees: Sequence[Ints], parts: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, list[Ints]]:
    """Put the proofs (circuits, tree) of the subtrees given away, parts[number], into the proof that they belong to or
    into each other. Circuits that several parts use appear once."""

def conditioned(rows: Floats) -> tuple[Floats, Floats]:
    """(vectors, R): unit vectors with the same circuits as the rows; z is a direction for them iff R^-1 z is one for
    the rows."""

def factored(rows: Floats) -> tuple[Floats, Floats | None, Floats]:
    """(U, Q, R): unit rows U = Q' R and the unit rows Q of Q'; None for Q where R is singular, nearly or by its
    shape."""

def least_singular_value(r: Floats) -> float:
    """A lower bound, within a factor sqrt(n), of the least singular value of an upper triangular matrix whose columns
    are scaled to length 1; 0 where it is singular."""

"""The search in rationals, for small systems that doubles cannot condition.

    refute(POS, NEG):
        if the POS rows span: done
        with a budget: fix the rows whose sign the decided ones imply, so that every case that is left has an open cell
            and there are at most as many leaves as cells; done where more than `budget` rows are POS
        ask Gordan: can all other rows that matter be negative at once, with these signs?
        a direction: it is a witness
        a circuit:   one of its live rows is positive; if any of them is one too many: done
                     else branch on one of them: POS, then NEG

Every case is visited once, since the two children differ in the row branched on. The steps are recorded in the codes of
the proof format (docs/certificate-format.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from polyinj._status import Status
from polyinj.certificates.layer import Layer, System
from polyinj.certificates.opcodes import BRANCH, CONTRADICTION, PACKING, SPANNING, UNIT
from polyinj.exact import algebra
from polyinj.exact.gordan import alternative
from polyinj.injectivity.driver import Outcome, signed_vector
from polyinj.injectivity.limits import Limits


def search_exactly(layer: Layer, limits: Limits, *, budget: int | None) -> tuple[Outcome, list[Fraction] | None]:
    """Refute that at some admissible direction the active rows do not span, or that at most `budget` rows are active.

    Returns
    -------
    (outcome, direction)
        As of `polyinj.injectivity.driver`; the direction of the homogeneous system comes in rationals beside it.
    """
    search = _RationalSearch(layer, limits, budget)
    status = search.refute({})
    outcome = Outcome(status, nodes=search.nodes, degenerate=True)
    if status == Status.DONE:
        width = max((len(circuit) for circuit in search.circuits), default=1)
        padded = [[*circuit, *[0] * (width - len(circuit))] for circuit in search.circuits]
        outcome.circuits = np.array(padded, dtype=np.int32).reshape(-1, width)
        outcome.trees = [np.array(search.tree, dtype=np.int32)]
        outcome.blocks = [] if budget is None else [search.named]
    return outcome, search.direction


@dataclass(slots=True)
class _RationalSearch:
    layer: Layer
    limits: Limits
    budget: int | None
    nodes: int = 0
    circuits: list[list[int]] = field(default_factory=list)
    tree: list[int] = field(default_factory=list)
    direction: list[Fraction] | None = None
    named: list[int] = field(init=False)
    system: System = field(init=False)

    def __post_init__(self) -> None:
        self.system = self.layer.system()
        self.named = self.system.spanning_rows

    def refute(self, decided: dict[int, bool]) -> Status:
        if not self.limits.leave(self.nodes):
            return Status.RUNNING
        self.nodes += 1
        if self.budget is not None:
            decided = self._propagated(decided)
            if sum(decided.values()) > self.budget:
                self.tree += [PACKING, 1, 0]
                return Status.DONE
        positive = [i for i, sign in decided.items() if sign]
        free = [i for i in self.named if i not in decided]
        rank = 0
        if self.budget is None:
            rank = self._rank(positive)
            if rank == self.system.columns:
                self.tree += [SPANNING, 0]
                return Status.DONE
            free = [i for i in free if self._rank([*positive, i]) > rank]
        literals = [i + 1 for i in free] + self._literals(decided)
        found = alternative([signed_vector(self.system, literal) for literal in literals])
        if found.circuit is None:
            assert found.direction is not None
            self.direction = [Fraction(entry) for entry in found.direction]
            return Status.WITNESS
        clause = [literals[place] for place in found.circuit]
        live = [literal - 1 for literal in clause if literal > 0 and literal - 1 not in decided]
        self.circuits.append(clause)
        name = len(self.circuits) - 1
        if self._closes(name, live, free, literals, positive, rank):
            return Status.DONE
        self.tree += [BRANCH, live[0]]
        for sign in (True, False):
            status = self.refute({**decided, live[0]: sign})
            if status != Status.DONE:
                return status
        return Status.DONE

    def _closes(
        self, name: int, live: list[int], free: list[int], literals: list[int], positive: list[int], rank: int
    ) -> bool:
        """Whether the circuit leaves nothing to search; the step that says so joins the tree."""
        if not live:
            self.tree += [CONTRADICTION, name]
            return True
        if self.budget is None:
            if rank == self.system.columns - 1:
                self.tree += [SPANNING, 1, name]
            return rank == self.system.columns - 1
        packing = self._packed(name, live, free, literals, self.budget - len(positive))
        if len(positive) + len(packing) > self.budget:
            self.tree += [PACKING, 1, len(packing), *packing]
            return True
        return False

    def _literals(self, decided: dict[int, bool]) -> list[int]:
        """The literals that a clause may have by the decided rows and the sides: all of them false."""
        literals = [-(i + 1) if sign else i + 1 for i, sign in decided.items()]
        return literals + [-(len(self.system.rows) + k + 1) for k in range(len(self.system.sides))]

    def _propagated(self, decided: dict[int, bool]) -> dict[int, bool]:
        """The decided rows and those whose sign they imply; each is a unit step of the tree."""
        decided = dict(decided)
        for i in self.named:
            for literal in (i + 1, -(i + 1)) if i not in decided else ():
                literals = [literal, *self._literals(decided)]
                found = alternative([signed_vector(self.system, entry) for entry in literals])
                if found.circuit is not None:
                    self.circuits.append([literals[place] for place in found.circuit])
                    self.tree += [UNIT, len(self.circuits) - 1]
                    decided[i] = literal > 0
                    break
        return decided

    def _packed(self, name: int, live: list[int], free: list[int], literals: list[int], room: int) -> list[int]:
        """The circuit and others whose live rows are disjoint, as far as they are found and one more than fit."""
        packing, left = [name], set(free) - set(live)
        while left and len(packing) <= room:
            chosen = [literal for literal in literals if literal - 1 in left or literal - 1 not in free]
            found = alternative([signed_vector(self.system, literal) for literal in chosen])
            if found.circuit is None:
                break
            self.circuits.append([chosen[place] for place in found.circuit])
            packing.append(len(self.circuits) - 1)
            left -= {literal - 1 for literal in self.circuits[-1]}
        return packing

    def _rank(self, rows: list[int]) -> int:
        return algebra.rank([self.system.rows[i][: self.system.columns] for i in rows])

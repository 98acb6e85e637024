"""One decision under way: the layer, what may be used and what has been, the incumbent, and how it ends."""

from __future__ import annotations

import time
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Cover
from polyinj.certificates.layer import Layer
from polyinj.certificates.layer_collision import Collision
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.certificates.layer_proof import Claim, InjectivityProof
from polyinj.certificates.signs import row_signs, spanning_rows
from polyinj.errors import CertificateError, InternalError
from polyinj.injectivity._branch_and_bound import LARGEST_DIMENSION
from polyinj.injectivity.branch_and_bound import search_count, search_rank
from polyinj.injectivity.collide import active_rows, collision_at, nonspanning_point
from polyinj.injectivity.decision import Decision, Stats, Stop, Verdict
from polyinj.injectivity.driver import Outcome
from polyinj.injectivity.heuristics import Schedule
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.problem import Problem
from polyinj.injectivity.tall import spectral_proof
from polyinj.injectivity.witness import Witness

# Nodes of each count for the bound on the depth that comes with UNDECIDED.
_BOUND_NODES = 200
# With more inputs an exact collision takes longer than the verdict, and its entries have more than 2,000 bits.
_COLLISION_COLUMNS = 32
# Multiplications of a proof by second moments over m n^2, with those in integers.
_MOMENT_OPERATIONS = 150


@dataclass(slots=True)
class Case:
    """A layer, and what the stages of its decision know of it.

    Attributes
    ----------
    layer, limits, rank_proof, certificate, memory_limit, workers
        What is asked; the limits are for all searches together.
    started : float
        time.monotonic() of the call.
    executor : Executor or None
        Where parts of long searches run.
    nodes, pivots : int
        Used so far.
    incumbent : Witness or None
        The point with the fewest active rows so far, where these span.
    degenerate : bool
        The rows are not in general position: only the rank decides.
    schedule : Schedule
        Heuristics that are left.
    counted, ranked : Outcome or None
        Of the searches, once they have run.
    """

    layer: Layer
    limits: Limits
    rank_proof: bool | None
    certificate: bool
    memory_limit: int
    workers: int
    started: float
    executor: Executor | None = None
    nodes: int = 0
    pivots: int = 0
    incumbent: Witness | None = None
    degenerate: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    counted: Outcome | None = None
    ranked: Outcome | None = None
    _problem: Problem | None = None
    _well_conditioned: bool | None = None

    @property
    def is_large(self) -> bool:
        """Whether there are more inputs, one more with a bias, than branch and bound takes."""
        return len(self.layer.weights[0]) + (not self.layer.is_linear) > LARGEST_DIMENSION

    @property
    def problem(self) -> Problem:
        """The layer in doubles, read on first use."""
        if self._problem is None:
            self._problem = Problem.of(self.layer)
        return self._problem

    @property
    def well_conditioned(self) -> bool:
        """Whether doubles can tell that the rows span."""
        if self._well_conditioned is None:
            self._well_conditioned = self.problem.well_conditioned
        return self._well_conditioned

    def limits_left(self) -> Limits:
        """The limits, less the nodes that searches have used."""
        return self.limits if self.limits.nodes is None else replace(self.limits, nodes=self.limits.leave(self.nodes))

    def count(self) -> Outcome:
        """Search for a direction with fewer than n active rows."""
        problem = self.problem
        counted = search_count(
            problem,
            problem.columns - 1,
            self.limits,
            problem.witness,
            record=self.certificate,
            memory_limit=self.memory_limit,
            workers=self.workers,
            schedule=self.schedule,
            executor=self.executor,
        )
        self.add(counted)
        if counted.nearest is not None and (self.incumbent is None or counted.fewest < self.incumbent.active):
            self.offer(counted.nearest)
        return counted

    def rank(self, limits: Limits) -> Outcome:
        """Search for a direction whose active rows do not span."""
        ranked = search_rank(
            self.problem,
            limits,
            record=self.certificate,
            memory_limit=self.memory_limit,
            workers=self.workers,
            schedule=self.schedule,
            executor=self.executor,
        )
        self.add(ranked)
        return ranked

    def add(self, outcome: Outcome) -> None:
        """Add what a search has used, and what its heuristics have found."""
        self.nodes += outcome.nodes
        self.pivots += outcome.pivots
        for direction in outcome.tried:
            self.offer(direction)

    def offer(self, direction: NDArray[np.float64]) -> None:
        """Make the point of a direction the incumbent if fewer rows are active there."""
        witness = Witness.along(self.problem, direction)
        if witness is not None and (self.incumbent is None or witness.active < self.incumbent.active):
            self.incumbent = witness

    def loses_along(self, direction: NDArray[np.float64] | None) -> Decision | None:
        """NOT_INJECTIVE if the active rows do not span at the direction of a heuristic, or beside it, exactly."""
        witness = self.problem.witness(direction)
        if witness is not None:
            return self.not_injective(self.problem.point(witness))
        if direction is not None:
            self.offer(direction)
        return None

    def loses_at(self, point: list[Fraction]) -> Decision | None:
        """NOT_INJECTIVE if signs show that the active rows do not span at a point of the open domain.

        Otherwise the point, if it lies there, may become the incumbent. The weights are not copied.
        """
        domain = self.layer.domain
        if isinstance(domain, Cover) or (domain is not None and not domain.surrounds(point)):
            return None
        active = row_signs(self.layer, point) >= 0
        witness = Witness(tuple(point), int(active.sum()))
        if (active & spanning_rows(self.layer)).sum() < len(point):
            proof = NonspanningPoint.of(self.layer, point) if self.certificate else None
            return Decision(Verdict.NOT_INJECTIVE, proof, False, 0, witness, self.stats(), None, self.layer)
        if self.incumbent is None or witness.active < self.incumbent.active:
            self.incumbent = witness
        return None

    def not_injective(self, point: list[Fraction] | None) -> Decision:
        """The verdict at a witness, with its proof: a collision, or the point alone where a collision is dear."""
        assert point is not None, "a witness is in the open domain"
        proof: Collision | NonspanningPoint | None = None
        active = active_rows(self.layer, point)
        if self.certificate and not isinstance(self.layer.domain, Cover):
            few = len(point) <= _COLLISION_COLUMNS
            proof = collision_at(self.layer, point, None, active) if few else nonspanning_point(self.layer, point)
            assert proof is not None, "the active rows were checked not to span"
        witness = Witness(tuple(point), len(active))
        return Decision(Verdict.NOT_INJECTIVE, proof, False, 0, witness, self.stats(), None, self.layer)

    def injective(self, claim: Claim, outcome: Outcome) -> Decision:
        """The verdict of a search that is done, with its proof."""
        n = self.layer.weights.shape[1]
        proof = None
        if self.certificate:
            proof = InjectivityProof.of(
                self.layer,
                claim=claim,
                budget=n - 1,
                blocks=outcome.blocks,
                circuits=outcome.circuits,
                trees=outcome.trees,
            )
        assumed = claim == "depth"
        fast = assumed and not self.layer.sides() and not outcome.degenerate
        if proof is not None and not fast and not isinstance(self.layer.domain, Cover):
            self.check(proof)
        return Decision(Verdict.INJECTIVE, proof, assumed, n, self.incumbent, self.stats(), None, self.layer)

    def tall(self) -> Decision | None:
        """INJECTIVE in general position where second moments of the rows show n active ones; None where they do not."""
        m, n = self.layer.weights.shape
        if isinstance(self.layer.domain, Cover) or not self.limits.allow(_MOMENT_OPERATIONS * m * n * n):
            return None
        proof = spectral_proof(self.layer, n - 1)
        if proof is None:
            return None
        try:
            proof.check(self.layer, Clock(None))
        except CertificateError:
            # Rounding to short multipliers has lost it.
            return None
        kept = proof if self.certificate else None
        return Decision(Verdict.INJECTIVE, kept, True, n, self.incumbent, self.stats(), None, self.layer)

    def check(self, proof: InjectivityProof) -> None:
        """No proof leaves that its checker refuses; only counts in doubles without sides are not checked again here."""
        try:
            proof.verify(self.layer.weights, self.layer.bias, self.layer.domain)
        except CertificateError as error:
            layer = f"weights={self.layer.weights.tolist()}, bias={self.layer.bias}, domain={self.layer.domain!r}"
            raise InternalError(
                f"a proof was refused by the checker ({error}), so there is no verdict; please report {layer}"
            ) from error

    def undecided(self, stop: Stop) -> Decision:
        """No verdict, why, and how many rows are at least active everywhere."""
        bound = 0
        searchable = not self.is_large and self.well_conditioned
        while searchable and bound < self.problem.columns:
            limits = Limits(_BOUND_NODES, time.monotonic() + 1, self.limits.stop)
            found = search_count(
                self.problem, bound, limits, lambda direction: direction, record=False, memory_limit=self.memory_limit
            )
            if found.status != Status.DONE:
                break
            bound += 1
        return Decision(Verdict.UNDECIDED, None, False, bound, self.incumbent, self.stats(), stop, self.layer)

    def limit_reached(self, outcome: Outcome) -> Decision:
        """UNDECIDED by the limit that ended a search."""
        if outcome.status == Status.OUT_OF_MEMORY:
            return self.undecided("memory_limit")
        late = self.limits.deadline is not None and time.monotonic() >= self.limits.deadline
        return self.undecided("time_limit" if late else "node_limit")

    def stats(self) -> Stats:
        """Used so far."""
        return Stats(self.nodes, self.pivots, time.monotonic() - self.started)

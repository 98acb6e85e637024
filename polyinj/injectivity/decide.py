"""Is one ReLU layer injective? The verdict, with its certificate.

1. Weights of rank below n: not injective, along the kernel. One input: closed form.
2. The count: branch and bound proves that at least n rows are active everywhere, or finds a point where fewer are. In
   general position that is injectivity.
3. Where its first nodes do not decide, a local search looks for a point whose active rows do not span: short at first,
   then longer the more nodes the count takes.
4. The rank: branch and bound proves that the active rows span everywhere, general position or not. Rows with parallel
   weights, or a dependency met while counting, rule out general position: then only this decides.

Systems that doubles cannot condition are searched in rationals instead.

Every point is checked in exact arithmetic before it counts, and every circuit that a proof uses is certain.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import chain, count

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj._status import Status
from polyinj.certificates.domain import Ball, Box, Cover
from polyinj.certificates.layer import Layer, read_layer
from polyinj.certificates.layer_proof import Claim, InjectivityProof
from polyinj.certificates.opcodes import SPANNING
from polyinj.errors import CertificateError, InputError, InternalError
from polyinj.exact import algebra, arrays
from polyinj.injectivity._branch_and_bound import LARGEST_DIMENSION
from polyinj.injectivity.annealing import can_descend, descend
from polyinj.injectivity.ball import BallCover
from polyinj.injectivity.branch_and_bound import search_count, search_rank
from polyinj.injectivity.collide import collision_at
from polyinj.injectivity.decision import Decision, Stats, Stop, Verdict
from polyinj.injectivity.driver import Outcome
from polyinj.injectivity.exact_search import search_exactly
from polyinj.injectivity.heuristics import Look, Looks
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.line import covering_circuit, uncovered_point
from polyinj.injectivity.local_search import Witness, fewest_active
from polyinj.injectivity.problem import Problem

# By default the rank is tried for so many nodes: proofs up to about (m, n) = (63, 9), a few tenths of a second beyond.
_RANK_NODES = 4_000
# The search in rationals solves a linear program a node: for matrices of so many entries in a second or less.
_EXACT_ENTRIES = 400
# Looks for a witness. The first is a walk of n steps, after so many nodes; then come descents, the k-th of 250 2^k
# steps after 100 4^k nodes: a tenth of the first 100 nodes' time, and ever less of more nodes.
_WALK_AFTER = 20
_DESCENT_AFTER, _DESCENT_STEPS = 100, 250
# Steps of all descents beyond the size of the search: a quarter of a second at (700, 100), 14 s at (5500, 784).
_STEPS_ALONE = 3_750
# The bound on the depth that comes with UNDECIDED: so many nodes for each count.
_BOUND_NODES = 200


def decide_injectivity(
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    domain: Box | Ball | None = None,
    rank_proof: bool | None = None,
    certificate: bool = True,
    node_limit: int | None = None,
    time_limit: float | None = None,
    memory_limit: int = 1 << 32,
    workers: int = 1,
) -> Decision:
    """Decide exactly whether x -> ReLU(Wx + b) is injective.

    Parameters
    ----------
    weights : array_like, shape (m, n)
        Rows are neurons; float64, float32, int or Fraction, read exactly. Any real matrix.
    bias : array_like, shape (m,), optional
        None is no bias.
    domain : Box or Ball, optional
        Where the inputs lie: a box whose sides may be infinite, or a ball; by default all of R^n.
    rank_proof : bool, optional
        True: INJECTIVE only with a proof that the active rows span everywhere. False: counting suffices, where nothing
        contradicts general position. None: the proof is tried for 4000 nodes, then counting suffices.
    certificate : bool
        Record the proof; False saves memory.
    node_limit : int, optional
        Nodes of a branch and bound, at least 1; beyond it the verdict is UNDECIDED.
    time_limit : float, optional
        Seconds, positive.
    memory_limit : int
        Bytes for the circuits and the recorded proof of one search; beyond it the verdict is UNDECIDED.
    workers : int
        Threads. What is decided does not depend on them; nodes and proof vary from run to run.

    Returns
    -------
    Decision
        UNDECIDED when a limit is reached; without a witness, also for more than 60 inputs (59 with bias) and for large
        numerically singular systems. `stopped_by` says which, `advice` what to try.

    Raises
    ------
    InputError
        Bad input: shapes, dtypes, NaN or infinity, limits that are not positive.

    Notes
    -----
    The layer is injective iff at every point of the domain's interior the rows active there span R^n (Puthawala et al.
    2020, arXiv:2006.08464, Theorem 2; docs/certificate-format.md proves it). Deciding it is coNP-complete (Froese,
    Grillo, Skutella 2024, arXiv:2405.19805).

    Examples
    --------
    >>> decision = decide_injectivity([[1, 0], [0, 1], [-1, 0], [0, -1]])
    >>> decision.verdict, decision.assumes_general_position
    (<Verdict.INJECTIVE: 'injective'>, False)
    >>> decision.verify()
    >>> decision = decide_injectivity([[1, 0], [0, 1], [-1, -1]])
    >>> decision.verdict, decision.certificate.x != decision.certificate.y
    (<Verdict.NOT_INJECTIVE: 'not injective'>, True)
    """
    for name, value in (("node_limit", node_limit), ("time_limit", time_limit)):
        if value is not None and not value > 0:
            raise InputError(f"{name} is {value}; expected a positive number or None")
    for name, number in (("memory_limit", memory_limit), ("workers", workers)):
        if not number > 0:
            raise InputError(f"{name} is {number}; expected a positive number")
    layer = read_layer(weights, bias, domain)
    started = time.monotonic()
    limits = Limits(node_limit, None if time_limit is None else started + time_limit)
    run = _Run(layer, limits, certificate, memory_limit, workers, started)
    on_ball = isinstance(layer.domain, Ball) and not layer.is_linear
    return run.decide_on_ball(rank_proof) if on_ball else run.decide(rank_proof)


@dataclass(slots=True)
class _Run:
    """One decision under way."""

    layer: Layer
    limits: Limits
    certificate: bool
    memory_limit: int
    workers: int
    started: float
    nodes: int = 0
    pivots: int = 0
    witness: Witness | None = None
    found: NDArray[np.float64] | None = None

    def decide(self, rank_proof: bool | None) -> Decision:
        n = self.layer.weights.shape[1]
        if n == 1:
            return self._decide_on_a_line()
        problem = Problem.of(self.layer)
        plain = problem.sides is None
        well_conditioned = problem.well_conditioned
        if not (plain and well_conditioned) and _rank_is_short(self.layer):
            domain = self.layer.domain
            return self.not_injective([Fraction(0)] * n if domain is None else domain.interior_point())
        corner = problem.corner() if len(self.layer.weights) <= n + 1 else None
        if corner is not None:
            return self.not_injective(problem.input(corner))
        if not well_conditioned:
            return self._decide_exactly(problem)
        if problem.rows.shape[1] > LARGEST_DIMENSION:
            return self._by_look(problem) if self._look_alone(problem) else self._undecided(problem, "size")
        degenerate = problem.may_have_parallel_weights and _has_parallel_rows(problem)
        counted: Outcome | None = None
        if degenerate or rank_proof is True:
            if self._walk(problem, self.limits):
                return self._by_look(problem)
            looks = Looks(self._descents(problem))
        else:
            looks = Looks(chain([(_WALK_AFTER, partial(self._walk, problem))], self._descents(problem)))
            counted = self._count(problem, looks)
            if self.found is not None:
                return self._by_look(problem)
            if counted.status == Status.WITNESS:
                return self.not_injective(problem.point(counted.direction))
            degenerate = counted.degenerate or counted.status == Status.STUCK
            if counted.status != Status.DONE and not degenerate:
                return self._undecided(problem, self._limit_of(counted))
            if counted.status == Status.DONE:
                # No look finds fewer than n active rows any more.
                looks = Looks()
        if rank_proof is False and counted is not None and not degenerate:
            return self._injective("depth", counted)
        tries = self._limits_left()
        if not degenerate and rank_proof is None:
            tries = replace(tries, nodes=min(_RANK_NODES, tries.leave(0)))
        ranked = self._rank(problem, tries, looks)
        if self.found is not None:
            return self._by_look(problem)
        if ranked.status == Status.WITNESS:
            return self.not_injective(problem.point(ranked.direction))
        if ranked.status == Status.DONE:
            return self._injective("spanning", ranked)
        if counted is not None and counted.status == Status.DONE and not degenerate and rank_proof is None:
            return self._injective("depth", counted)
        if ranked.status == Status.STUCK:
            return self._decide_exactly(problem)
        return self._undecided(problem, self._limit_of(ranked))

    def decide_on_ball(self, rank_proof: bool | None) -> Decision:
        """Decide on polyhedra that contain the ball, until one decides; `limits` are for all of them together."""
        cover = BallCover(self.layer)
        while True:
            inner = _Run(
                cover.layer, self._limits_left(), self.certificate, self.memory_limit, self.workers, self.started
            )
            found = inner.decide(rank_proof)
            self.nodes += inner.nodes
            self.pivots += inner.pivots
            if found.verdict is not Verdict.NOT_INJECTIVE:
                proof = found.certificate
                if isinstance(proof, InjectivityProof):
                    proof = cover.proof(proof)
                    self._check(proof)
                return replace(found, certificate=proof, best_witness=None, stats=self._stats(), layer=self.layer)
            assert found.best_witness is not None
            if (point := cover.exclude(found.best_witness.point)) is not None:
                return self.not_injective(point)

    def _decide_exactly(self, problem: Problem) -> Decision:
        if problem.rows.size > _EXACT_ENTRIES:
            return self._undecided(problem, "size")
        outcome, direction = search_exactly(self.layer, self._limits_left(), budget=None)
        self._add(outcome)
        if direction is not None:
            return self.not_injective(problem.input(direction))
        if outcome.status == Status.DONE:
            return self._injective("spanning", outcome)
        return self._undecided(problem, self._limit_of(outcome))

    def _limits_left(self) -> Limits:
        """The limits, less the nodes that earlier searches have used."""
        return replace(self.limits, nodes=None if self.limits.nodes is None else self.limits.leave(self.nodes))

    def _decide_on_a_line(self) -> Decision:
        point = uncovered_point(self.layer)
        if point is not None:
            return self.not_injective(point)
        # One circuit, outside the zero flat: terminal 6 of the proof format.
        tree = np.array([SPANNING, 1, 0], dtype=np.int32)
        return self._injective("spanning", Outcome(Status.DONE, circuits=covering_circuit(self.layer), trees=[tree]))

    def _walk(self, problem: Problem, limits: Limits) -> bool:
        """A short walk; it leaves the witness with the fewest active rows."""
        n = problem.columns
        return self._look_along(problem, fewest_active(problem, limits, stop_at=n - 1, steps=n))

    def _look_alone(self, problem: Problem) -> bool:
        """All that is done for a layer too large to search: descents, or a walk where they do not apply."""
        if not can_descend(problem):
            return self._walk(problem, self.limits)
        return self._look_along(
            problem, descend(problem, self.limits, seed=0, steps=_STEPS_ALONE, workers=self.workers)
        )

    def _descents(self, problem: Problem) -> Iterator[tuple[int, Look]]:
        """Descents ever longer, and at how many nodes."""
        if can_descend(problem):
            for k in count():
                yield _DESCENT_AFTER * 4**k, partial(self._descend, problem, k)

    def _descend(self, problem: Problem, k: int, limits: Limits) -> bool:
        return self._look_along(problem, descend(problem, limits, seed=k, steps=_DESCENT_STEPS * 2**k, workers=1))

    def _look_along(self, problem: Problem, direction: NDArray[np.float64] | None) -> bool:
        """Does the direction, or one beside it, lose information? Then `found` keeps it."""
        self.found = problem.witness(direction)
        if self.found is None:
            self._met(problem, direction)
        return self.found is not None

    def _by_look(self, problem: Problem) -> Decision:
        return self.not_injective(problem.point(self.found))

    def _met(self, problem: Problem, direction: NDArray[np.float64] | None) -> None:
        """Keep the witness at a direction, if there is none with fewer active rows."""
        witness = None if direction is None else Witness.along(problem, direction)
        if witness is not None and (self.witness is None or witness.active < self.witness.active):
            self.witness = witness

    def _count(self, problem: Problem, looks: Looks) -> Outcome:
        counted = search_count(
            problem,
            problem.columns - 1,
            self.limits,
            problem.witness,
            record=self.certificate,
            memory_limit=self.memory_limit,
            workers=self.workers,
            looks=looks,
        )
        self._add(counted)
        if self.witness is None or counted.fewest < self.witness.active:
            self._met(problem, counted.nearest)
        return counted

    def _rank(self, problem: Problem, limits: Limits, looks: Looks) -> Outcome:
        return self._add(
            search_rank(
                problem,
                limits,
                record=self.certificate,
                memory_limit=self.memory_limit,
                workers=self.workers,
                looks=looks,
            )
        )

    def _add(self, outcome: Outcome) -> Outcome:
        self.nodes += outcome.nodes
        self.pivots += outcome.pivots
        return outcome

    def _stats(self) -> Stats:
        return Stats(self.nodes, self.pivots, time.monotonic() - self.started)

    def not_injective(self, point: list[Fraction] | None) -> Decision:
        assert point is not None
        collision = None
        if self.certificate and not isinstance(self.layer.domain, Cover):
            collision = collision_at(self.layer, point)
            assert collision is not None, "the active rows were checked not to span"
        witness = Witness.at(self.layer, point)
        return Decision(Verdict.NOT_INJECTIVE, collision, False, 0, witness, self._stats(), None, self.layer)

    def _injective(self, claim: Claim, outcome: Outcome) -> Decision:
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
            self._check(proof)
        return Decision(Verdict.INJECTIVE, proof, assumed, n, self.witness, self._stats(), None, self.layer)

    def _check(self, proof: InjectivityProof) -> None:
        """No proof leaves that its checker refuses; only counts in doubles without sides are not checked again here."""
        try:
            proof.verify(self.layer.weights, self.layer.bias, self.layer.domain)
        except CertificateError as error:
            case = f"weights={self.layer.weights.tolist()}, bias={self.layer.bias}, domain={self.layer.domain!r}"
            raise InternalError(
                f"a proof was refused by the checker ({error}), so there is no verdict; please report {case}"
            ) from error

    def _limit_of(self, outcome: Outcome) -> Stop:
        if outcome.status == Status.OUT_OF_MEMORY:
            return "memory_limit"
        late = self.limits.deadline is not None and time.monotonic() >= self.limits.deadline
        return "time_limit" if late else "node_limit"

    def _undecided(self, problem: Problem, stop: Stop) -> Decision:
        bound = 0
        searchable = problem.well_conditioned and problem.rows.shape[1] <= LARGEST_DIMENSION
        while searchable and bound < problem.columns:
            limits = Limits(_BOUND_NODES, time.monotonic() + 1, self.limits.stop)
            found = search_count(
                problem, bound, limits, lambda direction: direction, record=False, memory_limit=self.memory_limit
            )
            if found.status != Status.DONE:
                break
            bound += 1
        return Decision(Verdict.UNDECIDED, None, False, bound, self.witness, self._stats(), stop, self.layer)


def _rank_is_short(layer: Layer) -> bool:
    """Whether the weights have rank below n: by singular values far from zero, else exactly."""
    m, n = layer.weights.shape
    if m < n:
        return True
    rows, _ = arrays.float_rows(layer.weights)
    singular = np.linalg.svd(rows, compute_uv=False)
    # The backward error of the values is a small multiple of m n u: 1e-8 is far above it.
    far_from_zero = bool(singular[-1] > 1e-8 * singular[0])
    return not far_from_zero and algebra.rank(arrays.integer_rows(layer.weights)) < n


def _has_parallel_rows(problem: Problem) -> bool:
    """Whether two rows have parallel nonzero weights, exactly."""
    rows = [row for row in arrays.integer_rows(problem.layer.weights) if any(row)]
    lines = set()
    for row in rows:
        sign = 1 if next(entry for entry in row if entry) > 0 else -1
        lines.add(tuple(sign * entry for entry in row))
    return len(lines) < len(rows)

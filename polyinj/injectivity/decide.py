"""Is one ReLU layer injective? The verdict, with its certificate.

`_STAGES` lists the stages of a decision in their order; each gives the verdict or passes the layer on:

1. One input: closed form. Tall layers, m of order n^2: injective in general position, by second moments (tall.py). More
   inputs than branch and bound takes: heuristics (large_layer.py). Weights of rank below
   n: not injective, along the kernel. No more rows than dimensions: not injective either. Systems that doubles cannot
   condition: search in rationals.
2. The count: branch and bound proves that at least n rows are active everywhere, or finds a point where fewer are. In
   general position that is injectivity.
3. The rank: branch and bound proves that the active rows span everywhere, general position or not. Rows with parallel
   weights, or a dependency found while counting, rule out general position: then only this decides.
4. Where the rank takes too long, the count suffices. Where it is stuck, the search in rationals.

Where the first nodes of a search do not decide, heuristics look for a point whose active rows do not span: short at
first, then longer the more nodes the search takes (heuristics.py). Every point is checked in exact arithmetic before it
counts, and every circuit that a proof uses is certain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from polyinj._status import Status
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import Layer, read_layer
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.certificates.opcodes import SPANNING
from polyinj.errors import InputError
from polyinj.exact import algebra, arrays
from polyinj.injectivity.ball import BallCover
from polyinj.injectivity.case import Case
from polyinj.injectivity.decision import Decision, Verdict
from polyinj.injectivity.driver import Outcome
from polyinj.injectivity.exact_search import search_exactly
from polyinj.injectivity.heuristics import (
    Schedule,
    annealing_only,
    local_search_then_annealing,
    short_local_search,
)
from polyinj.injectivity.large_layer import any_point, decide_large, descend
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.line import covering_circuit, uncovered_point
from polyinj.injectivity.tall import is_tall, may_have_parallel_rows

# Nodes for the rank by default: proofs up to about (m, n) = (63, 9), a few tenths of a second beyond.
_RANK_NODES = 4_000
# The search in rationals solves a linear program a node: for matrices of this many entries in a second or less.
_EXACT_ENTRIES = 400
# With fewer inputs a tall layer is searched in milliseconds, mostly with a proof of the rank.
_TALL_COLUMNS = 20


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
    executor: Executor | None = None,
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
        contradicts general position. None: the proof is tried for 4000 nodes, then counting suffices; for layers of 20
        inputs or more that are so tall that second moments prove the count, it is not tried.
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
    executor : Executor, optional
        Where subtrees of a long search run, instead of threads: processes, or Dask by `Client.get_executor()`. Nodes of
        INJECTIVE do not depend on the workers. Subtrees whose worker died are searched again.

    Returns
    -------
    Decision
        UNDECIDED when a limit is reached; without a witness, also for more than 60 inputs (59 with bias) and for large
        numerically singular systems. `stopped_by` says which, `advice` what to try.

    Raises
    ------
    InputError
        Bad input: shapes, dtypes, NaN or infinity, limits that are not positive.
    PolyinjError
        The workers of the executor died under one subtree again and again.

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
    case = Case(layer, limits, rank_proof, certificate, memory_limit, workers, started, executor)
    on_ball = isinstance(layer.domain, Ball) and not layer.is_linear
    return _decide_on_ball(case) if on_ball else _decide(case)


def _decide(case: Case) -> Decision:
    """Go through the stages, to the first that gives a verdict."""
    for stage in _STAGES:
        decision = stage(case)
        if decision is not None:
            return decision
    raise AssertionError("the last stage always gives a verdict")


def _decide_on_ball(case: Case) -> Decision:
    """Decide on polyhedra that contain the ball, until one decides; the limits are for all of them together."""
    decision = _tall_layer(case) or (descend(case) if case.is_large else None)
    if decision is not None:
        return decision
    cover = BallCover(case.layer)
    while True:
        inner = Case(
            cover.layer,
            case.limits_left(),
            case.rank_proof,
            case.certificate,
            case.memory_limit,
            case.workers,
            case.started,
            case.executor,
        )
        found = _decide(inner)
        case.nodes += inner.nodes
        case.pivots += inner.pivots
        if found.verdict is not Verdict.NOT_INJECTIVE:
            proof = found.certificate
            if isinstance(proof, InjectivityProof):
                proof = cover.proof(proof)
                case.check(proof)
            return replace(found, certificate=proof, best_witness=None, stats=case.stats(), layer=case.layer)
        assert found.best_witness is not None
        if (point := cover.exclude(found.best_witness.point)) is not None:
            return case.not_injective(point)


def _one_input(case: Case) -> Decision | None:
    """A layer of one input, in closed form."""
    if case.layer.weights.shape[1] > 1:
        return None
    point = uncovered_point(case.layer)
    if point is not None:
        return case.not_injective(point)
    # One circuit, outside the zero flat.
    tree = np.array([SPANNING, 1, 0], dtype=np.int32)
    return case.injective("spanning", Outcome(Status.DONE, circuits=covering_circuit(case.layer), trees=[tree]))


def _tall_layer(case: Case) -> Decision | None:
    """So many rows that their second moments show n active ones; with few inputs the search proves more, and fast."""
    columns = case.layer.weights.shape[1]
    if columns < _TALL_COLUMNS or case.rank_proof is True or not is_tall(case.layer, columns - 1):
        return None
    if may_have_parallel_rows(case.layer) and _has_parallel_rows(case.layer):
        return None
    return case.tall()


def _large_layer(case: Case) -> Decision | None:
    """More inputs than branch and bound takes."""
    return decide_large(case) if case.is_large else None


def _rank_of_weights(case: Case) -> Decision | None:
    """Weights of rank below n: information is lost along their kernel, at every point."""
    m, n = case.layer.weights.shape
    if m < n:
        return case.not_injective(any_point(case.layer))
    if case.problem.sides is None and case.well_conditioned:
        return None
    return case.not_injective(any_point(case.layer)) if _rank_is_short(case.layer) else None


def _no_more_rows_than_dimensions(case: Case) -> Decision | None:
    """Independent rows: some direction has no active row, and there is nothing to search."""
    if len(case.layer.weights) > case.problem.columns + 1:
        return None
    corner = case.problem.corner()
    return None if corner is None else case.not_injective(case.problem.input(corner))


def _beyond_doubles(case: Case) -> Decision | None:
    """A system that doubles cannot condition."""
    return None if case.well_conditioned else _search_in_rationals(case)


def _local_search(case: Case) -> Decision | None:
    """A short local search at once, where no count comes first; otherwise the count has it on its schedule."""
    problem = case.problem
    case.degenerate = problem.may_have_parallel_weights and _has_parallel_rows(problem.layer)
    if not case.degenerate and case.rank_proof is not True:
        case.schedule = local_search_then_annealing(problem)
        return None
    case.schedule = annealing_only(problem)
    return case.loses_along(short_local_search(problem, case.limits))


def _count(case: Case) -> Decision | None:
    """Whether at least n rows are active everywhere: injective if the rows are in general position."""
    if case.degenerate or case.rank_proof is True:
        return None
    counted = case.counted = case.count()
    if counted.status == Status.WITNESS:
        return case.not_injective(case.problem.point(counted.direction))
    case.degenerate = counted.degenerate or counted.status == Status.STUCK
    if counted.status == Status.DONE:
        # No heuristic finds fewer than n active rows any more.
        case.schedule = Schedule()
    elif not case.degenerate:
        return case.limit_reached(counted)
    return case.injective("depth", counted) if case.rank_proof is False and not case.degenerate else None


def _rank(case: Case) -> Decision | None:
    """Whether the active rows span everywhere."""
    limits = case.limits_left()
    if not case.degenerate and case.rank_proof is None:
        limits = replace(limits, nodes=min(_RANK_NODES, limits.leave(0)))
    ranked = case.ranked = case.rank(limits)
    if ranked.status == Status.WITNESS:
        return case.not_injective(case.problem.point(ranked.direction))
    return case.injective("spanning", ranked) if ranked.status == Status.DONE else None


def _count_suffices(case: Case) -> Decision | None:
    """The verdict of the count, where the rank was not reached and nothing contradicts general position."""
    counted = case.counted
    if counted is None or counted.status != Status.DONE or case.degenerate:
        return None
    return case.injective("depth", counted)


def _rank_in_rationals(case: Case) -> Decision | None:
    """The rank again, where doubles were stuck."""
    assert case.ranked is not None
    return _search_in_rationals(case) if case.ranked.status == Status.STUCK else None


def _limit_reached(case: Case) -> Decision | None:
    """No verdict: the search for the rank came to a limit."""
    assert case.ranked is not None
    return case.limit_reached(case.ranked)


_STAGES: tuple[Callable[[Case], Decision | None], ...] = (
    _one_input,
    _tall_layer,
    _large_layer,
    _rank_of_weights,
    _no_more_rows_than_dimensions,
    _beyond_doubles,
    _local_search,
    _count,
    _rank,
    _count_suffices,
    _rank_in_rationals,
    _limit_reached,
)


def _search_in_rationals(case: Case) -> Decision:
    if case.problem.rows.size > _EXACT_ENTRIES:
        return case.undecided("size")
    outcome, direction = search_exactly(case.layer, case.limits_left(), budget=None)
    case.add(outcome)
    if direction is not None:
        return case.not_injective(case.problem.input(direction))
    return case.injective("spanning", outcome) if outcome.status == Status.DONE else case.limit_reached(outcome)


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


def _has_parallel_rows(layer: Layer) -> bool:
    """Whether two rows have parallel nonzero weights, exactly."""
    rows = [row for row in arrays.integer_rows(layer.weights) if any(row)]
    lines = set()
    for row in rows:
        sign = 1 if next(entry for entry in row if entry) > 0 else -1
        lines.add(tuple(sign * entry for entry in row))
    return len(lines) < len(rows)

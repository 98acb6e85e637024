"""Tukey depth of the origin, exactly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj._status import Status
from polyinj.certificates.layer import Layer, read_layer
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.errors import BudgetExceeded, CertificateError, InputError, InternalError
from polyinj.exact import algebra, arrays
from polyinj.injectivity._branch_and_bound import LARGEST_DIMENSION
from polyinj.injectivity.branch_and_bound import search_count
from polyinj.injectivity.collide import active_rows
from polyinj.injectivity.depth_sweep import sweep_depth, sweep_seconds
from polyinj.injectivity.driver import Outcome
from polyinj.injectivity.exact_search import search_exactly
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.local_search import fewest_active
from polyinj.injectivity.problem import Problem

# Steps of the local search, times n: its bound is mostly the depth itself.
_FIRST_STEPS = 20
# Rows in nearly opposite pairs have no short proof by packings: where cells are few, one by cells follows these nodes.
_FEW_CELLS, _NODES_BEFORE_CELLS = 500, 200
# Seconds: sweeps of four and of more columns that need not wait for branch and bound; that has half the time of a sweep
# at first.
_SHORT_SWEEPS, _SECONDS_A_NODE = (0.2, 0.003), 3e-5


@dataclass(frozen=True, slots=True)
class DepthResult:
    """The Tukey depth of the origin among rows, with both halves of its proof.

    Attributes
    ----------
    depth : int
        min over x != 0 of #{i : w_i.x >= 0}.
    direction : tuple of Fraction
        A direction x along which just `depth` rows are active.
    certificate : InjectivityProof or None
        The proof that no direction has fewer (claim "depth"; zero rows, always active, come on top of its count).
        None where none was asked for, and where that is evident: depth equal to the number of zero rows.
    """

    depth: int
    direction: tuple[Fraction, ...]
    certificate: InjectivityProof | None
    layer: Layer = field(repr=False)

    def verify(self) -> None:
        """Check direction and lower bound in exact arithmetic; CertificateError when one of them fails."""
        if not any(self.direction):
            raise CertificateError("the direction is zero")
        found = len(active_rows(self.layer, self.direction))
        if found != self.depth:
            raise CertificateError(f"{found} rows are active along the direction; the depth claimed is {self.depth}")
        zeros = sum(not any(row) for row in self.layer.weights.tolist())
        if self.certificate is None:
            if self.depth > zeros:
                raise CertificateError(
                    f"no proof that {self.depth} rows are active everywhere; certificate=True of tukey_depth keeps one"
                )
            return
        if self.certificate.budget + 1 + zeros < self.depth:
            raise CertificateError(f"the proof shows {self.certificate.budget + 1} active rows and {zeros} are zero")
        self.certificate.verify_depth(self.layer.weights)


def tukey_depth(
    rows: ArrayLike, *, certificate: bool = True, time_limit: float | None = None, workers: int = 1
) -> DepthResult:
    """Exact Tukey (halfspace) depth of the origin: min over x != 0 of #{i : w_i.x >= 0}.

    Parameters
    ----------
    rows : array_like, shape (m, n)
        float64, float32, int or Fraction; any real matrix.
    certificate : bool
        Keep a proof. Without one the depth is as exact, and of polynomial cost in few dimensions.
    time_limit : float, optional
        Seconds, positive.
    workers : int
        Threads.

    Returns
    -------
    DepthResult

    Raises
    ------
    InputError
        Bad input.
    BudgetExceeded
        The time limit was reached, or there are more than 60 columns; the message gives what is known.

    Notes
    -----
    The depth is attained in an open cell (Rousseeuw, Ruts 1996). A local search gives an upper bound; branch and bound
    then proves that no direction does better, or finds one, and so on until the two agree. Without a certificate,
    O(m^(n-1) log m) steps over the planes that n - 2 rows leave, where that is less (`injectivity/depth_sweep.py`).

    Examples
    --------
    >>> import numpy as np
    >>> tukey_depth(np.random.default_rng(0).standard_normal((35, 5))).depth
    7
    """
    if time_limit is not None and not time_limit > 0:
        raise InputError(f"time_limit is {time_limit}; expected a positive number or None")
    limits = Limits(deadline=None if time_limit is None else time.monotonic() + time_limit)
    return _depth(read_layer(_in_doubles(rows)), certificate, limits, workers)


def _in_doubles(rows: ArrayLike) -> ArrayLike:
    """An array of integers as the same numbers in doubles, which are read and searched the faster."""
    if isinstance(rows, np.ndarray) and rows.dtype.kind in "iu" and rows.size:
        doubles = rows.astype(np.float64)
        if np.abs(doubles).max() < 2.0**53:
            return doubles
    return rows


def _depth(layer: Layer, certificate: bool, limits: Limits, workers: int) -> DepthResult:
    sweep = _Sweep(layer, limits)
    if not certificate and sweep.is_short and (swept := sweep.result()) is not None:
        return swept
    integers = arrays.integer_rows(layer.weights)
    zeros = sum(not any(row) for row in integers)
    if zeros == len(integers):
        x = tuple(Fraction(int(j == 0)) for j in range(layer.weights.shape[1]))
        return DepthResult(zeros, x, None, layer)
    columns = _independent_columns(integers)
    if not certificate and len(columns) == 1:
        return _on_a_line(layer, columns, zeros)
    if not certificate and len(columns) < layer.weights.shape[1]:
        return _without(layer, columns, limits, workers)
    search = _DepthSearch(layer, columns, Problem.of(read_layer(layer.weights[:, columns])), zeros, limits, workers)
    corner = search.problem.corner()
    if corner is not None:
        return DepthResult(zeros, search.direction(corner), None, layer)
    direction = search.first_direction()
    depth = len(active_rows(layer, direction))
    nodes = None if certificate else sweep.nodes
    while depth > zeros:
        outcome, better = search.look_below(depth, nodes)
        if better is not None:
            direction, depth = better, len(active_rows(layer, better))
        elif outcome.status == Status.DONE or nodes is None:
            return search.proved(depth, direction, outcome)
        elif (swept := sweep.result()) is not None:
            return swept
        else:
            nodes = None
    return DepthResult(depth, direction, None, layer)


def _on_a_line(layer: Layer, columns: list[int], zeros: int) -> DepthResult:
    """Of rows that are all multiples of one: the fewer of the two sides."""
    signs = [(entry > 0) - (entry < 0) for entry in layer.weights[:, columns[0]].tolist()]
    side = 1 if signs.count(1) < signs.count(-1) else -1
    return DepthResult(signs.count(side) + zeros, _with_zeros(layer, columns, [side]), None, layer)


def _without(layer: Layer, columns: list[int], limits: Limits, workers: int) -> DepthResult:
    """By these columns alone, which are a basis of all, and without a proof."""
    found = _depth(read_layer(layer.weights[:, columns]), False, limits, workers)
    return DepthResult(found.depth, _with_zeros(layer, columns, found.direction), None, layer)


def _with_zeros(layer: Layer, columns: list[int], entries: Sequence[float | Fraction]) -> tuple[Fraction, ...]:
    """A direction of some columns, with zeros for the others."""
    known = dict(zip(columns, entries, strict=True))
    return tuple(Fraction(known.get(j, 0)) for j in range(layer.weights.shape[1]))


class _Sweep:
    """A sweep of the planes, where no proof is asked for."""

    def __init__(self, layer: Layer, limits: Limits) -> None:
        self.layer, self.limits = layer, limits
        self.seconds = sweep_seconds(*layer.weights.shape)

    @property
    def is_short(self) -> bool:
        """Whether it comes before branch and bound, which may take anything from less to very much more."""
        columns = self.layer.weights.shape[1]
        return self.seconds < (float("inf") if columns <= 3 else _SHORT_SWEEPS[columns > 4])

    @property
    def nodes(self) -> int | None:
        """As many as branch and bound enters in half the time of the sweep."""
        return None if self.seconds == float("inf") else int(self.seconds / _SECONDS_A_NODE)

    def result(self) -> DepthResult | None:
        """None where there is no sweep, or it is not the way: `sweep_depth` says when."""
        swept = None if self.seconds == float("inf") else sweep_depth(self.layer.weights, self.limits, self.local)
        return None if swept is None else DepthResult(swept[0], tuple(swept[1]), None, self.layer)

    def local(self, rows: algebra.IntegerRows) -> tuple[int, tuple[Fraction, ...]]:
        """The depth of fewer dimensions, of rows orthogonal to a ray."""
        found = _depth(read_layer(np.array(rows, dtype=object)), False, self.limits, 1)
        return found.depth, found.direction


@dataclass(frozen=True, slots=True)
class _DepthSearch:
    """The parts of a search for the depth; `problem` has independent columns of the layer, and no kernel."""

    layer: Layer
    columns: list[int]
    problem: Problem
    zeros: int
    limits: Limits
    workers: int

    def direction(self, entries: Sequence[float | Fraction]) -> tuple[Fraction, ...]:
        """A direction of the problem with zeros for the columns left out."""
        return _with_zeros(self.layer, self.columns, entries)

    def first_direction(self) -> tuple[Fraction, ...]:
        """By local search, where doubles can tell that the rows span; otherwise any."""
        if self.problem.well_conditioned:
            found = fewest_active(self.problem, self.limits, stop_at=0, steps=_FIRST_STEPS * len(self.columns))
            if (point := self.problem.point(found)) is not None:
                return self.direction(point)
        return self.direction([1.0] * len(self.columns))

    def look_below(self, depth: int, nodes: int | None) -> tuple[Outcome, tuple[Fraction, ...] | None]:
        """How a search for a direction with fewer active rows ended, of at most `nodes` nodes, and that direction."""
        if self.problem.rows.shape[1] > LARGEST_DIMENSION:
            raise BudgetExceeded(f"the depth is at most {depth}; the search stops at {LARGEST_DIMENSION} columns")
        budget = depth - self.zeros - 1
        if self.problem.well_conditioned:
            outcome, point = self._search_in_doubles(depth, budget, nodes)
            if outcome is not None:
                return outcome, None if point is None else self.direction(point)
        outcome, exact = search_exactly(self.problem.layer, self.limits, budget=budget)
        return outcome, None if exact is None else self.direction(exact)

    def _search_in_doubles(
        self, depth: int, budget: int, nodes: int | None
    ) -> tuple[Outcome | None, list[Fraction] | None]:
        """None where it is stuck, or where the cells are few and its nodes have run out."""
        cells = 2 * sum(comb(len(self.layer.weights) - 1, k) for k in range(len(self.columns)))
        allowed = _NODES_BEFORE_CELLS if cells <= _FEW_CELLS else nodes
        limits = self.limits if allowed is None else replace(self.limits, nodes=allowed)

        def improves(found: NDArray[Any]) -> NDArray[Any] | None:
            point = self.problem.point(found)
            return found if point is not None and len(active_rows(self.layer, self.direction(point))) < depth else None

        outcome = search_count(
            self.problem, budget, limits, improves, record=True, memory_limit=1 << 30, workers=self.workers
        )
        stuck = outcome.status == Status.STUCK or (cells <= _FEW_CELLS and outcome.status == Status.RUNNING)
        return None if stuck else outcome, self.problem.point(outcome.direction)

    def proved(self, depth: int, direction: tuple[Fraction, ...], outcome: Outcome) -> DepthResult:
        """The result of a search that found no direction with fewer active rows; BudgetExceeded if it is not done."""
        if outcome.status != Status.DONE:
            raise BudgetExceeded(f"the depth is at most {depth}; time ran out before less was excluded")
        proof = InjectivityProof.of(
            self.layer,
            claim="depth",
            budget=depth - self.zeros - 1,
            blocks=outcome.blocks,
            circuits=outcome.circuits,
            trees=outcome.trees,
        )
        result = DepthResult(depth, direction, proof, self.layer)
        if outcome.degenerate:
            _check(result)
        return result


def _check(result: DepthResult) -> None:
    """No proof leaves that its checker refuses; only those in doubles, without dependencies, are not checked here."""
    try:
        result.verify()
    except CertificateError as error:
        raise InternalError(
            f"a proof was refused by the checker ({error}), so there is no depth; please report "
            f"rows={result.layer.weights.tolist()}"
        ) from error


def _independent_columns(rows: algebra.IntegerRows) -> list[int]:
    """Columns that form a basis of the column space: the same relations among the rows, no kernel."""
    chosen: list[int] = []
    for j in range(len(rows[0])):
        if algebra.rank([[row[k] for k in (*chosen, j)] for row in rows]) > len(chosen):
            chosen.append(j)
    return chosen

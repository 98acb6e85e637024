"""The largest bias below which a ReLU layer is injective on a box or a ball.

The layer x -> ReLU(W x - (o + t d)) has fewer active rows the larger t is, so it is injective up to some t* and not
beyond it. From above, as by Newton's method:

    t = where no row is active at some point
    repeat: decide the layer at t
        injective:      t* = t
        a witness z:    its active rows leave a direction v; the rows N with w_i.v != 0 are inactive at z
                        t = the least t for which some x of the closed domain has w_i.x - o_i <= t d_i on N

For each t above that the rows N are inactive at x, and so they are near x in the open domain: the layer is not
injective there. At that t itself it may be; if not, another witness has a smaller one. There are finitely many N, so
this ends. Linear programs in floats propose x; it is then the rational solution of the constraints that are tight
there, and what it shows is checked. On a ball x is irrational: the end is an interval.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.errors import CertificateError, InputError
from polyinj.exact import algebra, arrays
from polyinj.injectivity.cell_finder import least_distance
from polyinj.injectivity.collide import active_rows, lost_direction
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict

_ROUNDS = 500
# On a ball the ends are this far apart, as a share of the largest value of a row in it.
_GAP = Fraction(1, 10**9)
_HALVINGS = 60

Floats = NDArray[np.float64]
Exact = list[Fraction]


@dataclass(frozen=True, slots=True)
class InjectiveBias:
    """x -> ReLU(W x - (offset + t direction)) is injective on the domain for t <= lower, and for no t > upper.

    Attributes
    ----------
    lower, upper : Fraction
        Equal where `exact`. lower is None where no proof was found within the limits.
    exact : bool
    offset, direction : tuples of Fraction
    point : tuple of Fraction
        A point of the closed domain where the rows that are active for some t > upper do not span.
    proof : InjectivityProof or None
        That the layer is injective at t = lower.
    decisions : int
        How many layers were decided.
    """

    lower: Fraction | None
    upper: Fraction
    exact: bool
    offset: tuple[Fraction, ...] = field(repr=False)
    direction: tuple[Fraction, ...] = field(repr=False)
    point: tuple[Fraction, ...] = field(repr=False)
    proof: InjectivityProof | None = field(repr=False)
    decisions: int

    def __repr__(self) -> str:
        low = "unknown" if self.lower is None else f"{float(self.lower):.10g}"
        ends = f"{float(self.upper):.10g}, exact" if self.exact else f"[{low}, {float(self.upper):.10g}]"
        return f"InjectiveBias({ends}; {self.decisions} decisions)"

    def bias(self, t: Fraction | int | None = None) -> list[Fraction]:
        """The bias b of ReLU(W x + b) at t, by default at `lower`."""
        value = self.lower if t is None else Fraction(t)
        if value is None:
            raise InputError("no lower end is known; raise node_limit or time_limit, or name t")
        return [-(o + value * d) for o, d in zip(self.offset, self.direction, strict=True)]

    def verify(self, weights: ArrayLike, domain: Box | Ball) -> None:
        """Check both ends in rationals: the proof of injectivity at `lower`, and the point for every t > `upper`.

        Raises
        ------
        CertificateError
            Any of this is not so.
        """
        matrix = arrays.read_matrix(weights)
        if not domain.contains(self.point):
            raise CertificateError("the point is not in the domain")
        values = _values(arrays.fractions(matrix), self.offset, self.direction, self.point)
        rows = arrays.integer_rows(matrix)
        active = [row for row, value in zip(rows, values, strict=True) if value > self.upper]
        if algebra.rank(active) == matrix.shape[1]:
            raise CertificateError("the rows that are active at the point beyond the upper end span")
        if self.exact != (self.lower == self.upper):
            raise CertificateError(f"the ends are {self.lower} and {self.upper}; stated is exact={self.exact}")
        if self.lower is not None:
            if self.proof is None:
                raise CertificateError("there is no proof that the layer is injective at the lower end")
            self.proof.verify(matrix, np.array(self.bias(), dtype=object), domain)


def largest_injective_bias(
    weights: ArrayLike,
    domain: Box | Ball,
    *,
    offset: ArrayLike | None = None,
    direction: ArrayLike | None = None,
    node_limit: int | None = None,
    time_limit: float | None = None,
) -> InjectiveBias:
    """The largest t for which x -> ReLU(W x - (offset + t direction)) is injective on a box or a ball.

    Haider, Ehler, Balazs (2024, arXiv:2406.15856) call rows alpha-rectifying on a domain when ReLU(W x - alpha) is
    injective there, and bound such alpha from a polytope. With their estimate as `offset`, t >= 0 says that it is
    right, and t > 0 how much larger it may be.

    Parameters
    ----------
    weights : array_like, shape (m, n)
        Of rank n.
    domain : Box or Ball
        With finite sides.
    offset : array_like, shape (m,), optional
        Zeros when None.
    direction : array_like, shape (m,), optional
        Positive. The lengths |w_i|, rounded to doubles, when None: one threshold for unit rows.
    node_limit, time_limit : int, float (seconds), optional
        Of each decision, and of all of them.

    Returns
    -------
    InjectiveBias
        Exact on a box, but for limits; on a ball where it is rational, else the ends are 10^-9 of its size apart.

    Raises
    ------
    InputError
        Weights of lower rank, a domain without finite sides, a direction that is not positive, limits that are not.

    Examples
    --------
    >>> from polyinj import Box
    >>> found = largest_injective_bias([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1]], Box([-1, -1], [1, 1]))
    >>> found.upper, found.exact
    (Fraction(0, 1), True)
    """
    for name, value in (("node_limit", node_limit), ("time_limit", time_limit)):
        if value is not None and not value > 0:
            raise InputError(f"{name} is {value}; expected a positive number or None")
    search = _Search(weights, domain, offset, direction, node_limit, time_limit)
    return search.run()


class _Search:
    """The layer, and what it takes to go from one t to a smaller one."""

    def __init__(
        self,
        weights: ArrayLike,
        domain: Box | Ball,
        offset: ArrayLike | None,
        direction: ArrayLike | None,
        node_limit: int | None,
        time_limit: float | None,
    ) -> None:
        self.matrix = arrays.read_matrix(weights)
        m, n = self.matrix.shape
        if not isinstance(domain, Box | Ball) or domain.columns != n:
            raise InputError(f"domain is {domain!r}; expected a Box or a Ball of {n} columns")
        if isinstance(domain, Box) and None in (*domain.lower, *domain.upper):
            raise InputError(f"domain is {domain!r}; expected finite sides")
        if algebra.rank(arrays.integer_rows(self.matrix)) < n:
            raise InputError(f"weights have rank below {n}; no bias makes such a layer injective")
        self.rows = arrays.fractions(self.matrix)
        lengths = np.linalg.norm(arrays.nearest_doubles(self.matrix, "weights"), axis=1)
        read = [
            arrays.read_vector(np.zeros(m) if offset is None else offset, m, "offset"),
            arrays.read_vector(np.where(lengths > 0, lengths, 1.0) if direction is None else direction, m, "direction"),
        ]
        self.offset, self.direction = ([Fraction(entry) for entry in vector.tolist()] for vector in read)
        if min(self.direction) <= 0:
            raise InputError(f"direction has the entry {float(min(self.direction))}; expected positive ones")
        self.domain, self.node_limit = domain, node_limit
        self.deadline = None if time_limit is None else time.monotonic() + time_limit
        self.decisions = 0

    def run(self) -> InjectiveBias:
        """From above, until the layer is injective, or a limit is reached."""
        point: Exact = list(self.domain.interior_point())
        t = max(self._values_at(point))
        gap = _GAP * max(abs(value) for value in [t, min(self._values_at(point)), Fraction(1)])
        lower, decision = None, None
        for _ in range(_ROUNDS):
            # On a ball the least t is irrational: its neighbour below is asked for.
            asked = t if isinstance(self.domain, Box) else t - gap
            decision = self._decide(asked)
            if decision is None or decision.verdict is not Verdict.NOT_INJECTIVE:
                break
            t, point = min((t, point), self._below(decision, asked), key=lambda found: found[0])
        if decision is not None and decision.verdict is Verdict.INJECTIVE:
            lower = asked
            # The end may be rational on a ball too.
            last = None if lower == t else self._decide(t)
            if last is not None and last.verdict is Verdict.INJECTIVE:
                lower, decision = t, last
        proof = None if decision is None else decision.certificate
        return InjectiveBias(
            lower,
            t,
            lower == t,
            tuple(self.offset),
            tuple(self.direction),
            tuple(point),
            proof if isinstance(proof, InjectivityProof) else None,
            self.decisions,
        )

    def _values_at(self, point: Sequence[Fraction]) -> Exact:
        return _values(self.rows, self.offset, self.direction, point)

    def _decide(self, t: Fraction) -> Decision | None:
        left = None if self.deadline is None else self.deadline - time.monotonic()
        if left is not None and left <= 0:
            return None
        self.decisions += 1
        bias = np.array([-(o + t * d) for o, d in zip(self.offset, self.direction, strict=True)], dtype=object)
        return decide_injectivity(
            self.matrix, bias, domain=self.domain, rank_proof=True, node_limit=self.node_limit, time_limit=left
        )

    def _below(self, decision: Decision, asked: Fraction) -> tuple[Fraction, Exact]:
        """A smaller t from which on the rows that a witness needs inactive are, and the point where."""
        assert decision.best_witness is not None
        witness = [Fraction(entry) for entry in decision.best_witness.point]
        lost = lost_direction(decision.layer, active_rows(decision.layer, witness), witness)
        assert lost is not None, "the active rows of a witness do not span"
        needed = [i for i, row in enumerate(self.rows) if algebra.dot(lost, row)]
        found = self._least_in_box(needed) if isinstance(self.domain, Box) else self._least_in_ball(needed, asked)
        points = [witness] if found is None or not self.domain.contains(found) else [witness, found]
        return min(((max(self._values_at(x)[i] for i in needed), x) for x in points), key=lambda pair: pair[0])

    def _least_in_box(self, needed: list[int]) -> Exact | None:
        """The x of the box with the least largest value of these rows: a vertex, in rationals."""
        assert isinstance(self.domain, Box)
        n = len(self.rows[0])
        lines = [[*self.rows[i], -self.direction[i], self.offset[i]] for i in needed]
        for j, (low, high) in enumerate(zip(self.domain.lower, self.domain.upper, strict=True)):
            unit = [Fraction(int(k == j)) for k in range(n)]
            assert low is not None, "the sides are finite"
            assert high is not None, "the sides are finite"
            lines += [[*unit, Fraction(0), high], [*(-entry for entry in unit), Fraction(0), -low]]
        floats = np.array([[float(entry) for entry in line] for line in lines])
        cost = np.zeros(n + 1)
        cost[-1] = 1.0
        solved = linprog(cost, A_ub=floats[:, :-1], b_ub=floats[:, -1], bounds=(None, None), method="highs-ds")
        if solved.x is None:
            return None
        sizes = np.abs(floats[:, :-1]).sum(axis=1)
        order = np.argsort((floats[:, -1] - floats[:, :-1] @ solved.x) / sizes, kind="stable").tolist()
        tight = [order[k] for k in _independent([lines[place][:-1] for place in order], n + 1)]
        left = flint.fmpq_mat([[flint.fmpq(e.numerator, e.denominator) for e in lines[k][:-1]] for k in tight])
        right = flint.fmpq_mat([[flint.fmpq(lines[k][-1].numerator, lines[k][-1].denominator)] for k in tight])
        found = left.solve(right)
        return [Fraction(int(found[j, 0].p), int(found[j, 0].q)) for j in range(n)]

    def _least_in_ball(self, needed: list[int], asked: Fraction) -> Exact | None:
        """The x of the ball with the least largest value of these rows, about, by halving."""
        assert isinstance(self.domain, Ball)
        rows = np.array([[float(entry) for entry in self.rows[i]] for i in needed])
        offset, direction = (np.array([float(part[i]) for i in needed]) for part in (self.offset, self.direction))
        centre, radius = np.array([float(entry) for entry in self.domain.centre]), float(self.domain.radius)
        lengths = np.linalg.norm(rows, axis=1)
        values = (rows @ centre - offset) / direction
        low, high = float(((rows @ centre - radius * lengths - offset) / direction).max()), float(asked)
        best = None if high < values.max() else centre
        for _ in range(_HALVINGS):
            t = (low + high) / 2
            near, _ = least_distance(-rows / lengths[:, None], (rows @ centre - offset - t * direction) / lengths)
            if near is not None and np.linalg.norm(near) < radius * (1 - 1e-13):
                best, high = centre + near, t
            else:
                low = t
        return None if best is None else [Fraction(entry) for entry in best.tolist()]


def _values(
    rows: Sequence[Sequence[Fraction]],
    offset: Sequence[Fraction],
    direction: Sequence[Fraction],
    point: Sequence[Fraction],
) -> Exact:
    """From which t on each row is inactive at a point."""
    return [(algebra.dot(row, point) - o) / d for row, o, d in zip(rows, offset, direction, strict=True)]


def _independent(rows: Sequence[Sequence[Fraction]], count: int) -> list[int]:
    """The first rows that are independent, in the order in which they come."""
    chosen: list[int] = []
    whole = arrays.integer_rows(np.array(rows, dtype=object))
    for place in range(len(whole)):
        if algebra.rank([whole[k] for k in (*chosen, place)]) > len(chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return chosen

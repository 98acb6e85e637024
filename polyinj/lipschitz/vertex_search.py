"""The largest Jacobian in a box for norm 1 or inf: one linear problem for each vertex of the dual ball.

|J| is the largest u.J over the vertices u: the signs of one row of J (norm inf) or of one column (norm 1). For one u

    u.J = u.J_0 + sum over positive neurons of c_i,   c_i = u.(a_i w_i'),

so each neuron has a sign that is wanted, that of c_i, and the other one costs |c_i|. Vertices come in the order of
their bound, where all signs are as wanted, and the kernel `_sign_search` looks for a cell that loses little of it. What
it knows of cells that do not exist serves all vertices. Its bounds are certain up to rounding, which a margin covers;
the signs of c_i, and whether the cell exists that closes a node, are settled in rationals.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.certificates.domain import Box
from polyinj.certificates.layer import Layer
from polyinj.exact import arrays
from polyinj.injectivity.cell_finder import is_inside, product_error
from polyinj.lipschitz._sign_search import SignSearch
from polyinj.lipschitz.branch_and_bound import SearchEnd
from polyinj.lipschitz.incumbent import Incumbent
from polyinj.lipschitz.operator_norm import float_norms, round_down

Floats = NDArray[np.float64]

_MOST_VERTICES = 1 << 22
# A box beyond this is none for doubles.
_FARTHEST = 1e100
# Nodes before a search that takes long narrows its upper end step by step, and nodes of a slice.
_AT_ONCE, _SLICE = 3_000, 500
_SHARES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)


@dataclass(frozen=True, slots=True)
class _Vertex:
    """A vertex of the dual ball: its bound, the line of the Jacobian, and the signs u there."""

    top: float
    line: int
    signs: Floats


def applies(incumbent: Incumbent) -> bool:
    """Whether norm and domain are of this kind, and the vertices few enough."""
    jacobians = incumbent.jacobians
    lines, length = jacobians.shape if incumbent.norm == math.inf else jacobians.shape[::-1]
    is_small = length < _MOST_VERTICES.bit_length() and lines << length <= _MOST_VERTICES
    return incumbent.norm != 2 and bool(jacobians.neurons) and is_small and _box(jacobians.layer) is not None


def search_vertices(incumbent: Incumbent, *, gap: float, node_limit: int | None, time_limit: float | None) -> SearchEnd:
    """Search until no cell is better, the upper bound is within (1 + gap) of the best, or a limit is reached."""
    search = _VertexSearch(incumbent, node_limit, None if time_limit is None else time.monotonic() + time_limit)
    known = search.highest()
    first = _AT_ONCE if node_limit is None else min(_AT_ONCE, node_limit)
    upper, stopped = search.run(gap, first)
    known = min(known, upper)
    if stopped == "node_limit" and first != node_limit:
        for share in [*(share for share in _SHARES if share > gap), gap]:
            upper, stopped = search.run(share, node_limit)
            known = min(known, upper)
            if stopped:
                break
    is_exact = not stopped and (gap == 0 or known <= incumbent.floor)
    return SearchEnd(search.nodes, None if is_exact else known, "" if is_exact else stopped or "gap")


class _VertexSearch:
    """The vertices, the kernel, and the cells it finds."""

    def __init__(self, incumbent: Incumbent, node_limit: int | None, deadline: float | None) -> None:
        self.incumbent, self.deadline = incumbent, deadline
        jacobians, finder = incumbent.jacobians, incumbent.finder
        box = _box(jacobians.layer)
        assert box is not None, "the search applies"
        n = jacobians.shape[1]
        rows = np.column_stack([finder.floats, np.zeros(len(finder.floats))])[:, : n + 1]
        self.kernel = SignSearch(rows, *box, product_error(n + 1))
        steps = jacobians.steps.reshape(-1, *jacobians.shape)
        base = jacobians.base_floats.reshape(jacobians.shape)
        columns = arrays.integer_rows(np.array(jacobians.columns, dtype=object))
        weights = [row[:n] for row in finder.rows]
        inner, outer = (weights, columns) if incumbent.norm == math.inf else (columns, weights)
        # (lines, k, length) and (lines, length); the exact c_i has the sign of outer[i][line] (inner[i].u).
        self.steps = steps.transpose(1, 0, 2) if incumbent.norm == math.inf else steps.transpose(2, 0, 1)
        self.base = base if incumbent.norm == math.inf else base.T
        self.inner, self.outer = np.array(inner, dtype=object), outer
        # Of a bound: sums of at most as many terms as `Jacobians.margin` counts, and as many steps of the search.
        self.margin = 4 * jacobians.margin
        self.tops = list(self._tables())

    @property
    def nodes(self) -> int:
        return int(self.kernel.nodes)

    def highest(self) -> float:
        """A bound of all."""
        return max(float(table.max()) for table in self.tops) + self.margin

    def run(self, share: float, node_limit: int | None) -> tuple[float, str]:
        """Look for cells better than (1 + share) times the best, for all vertices: an upper bound, and the limit."""
        for vertex in self._vertices(lambda: self._level(share)):
            self.kernel.ask(*self._question(vertex), vertex.top, self._level(share))
            while True:
                if stopped := self._limit_reached(node_limit):
                    return max(vertex.top + self.margin, (1 + share) * self.incumbent.floor), stopped
                left = _SLICE if node_limit is None else min(_SLICE, node_limit - self.nodes)
                status = self.kernel.run(left)
                if status == Status.OUT_OF_MEMORY:
                    raise MemoryError
                if status == Status.WITNESS:
                    self._show()
                    self.kernel.floor = self._level(share)
                elif status == Status.DONE:
                    break
        return (1 + share) * self.incumbent.floor, ""

    def _limit_reached(self, node_limit: int | None) -> str:
        if node_limit is not None and self.nodes >= node_limit:
            return "node_limit"
        return "time_limit" if self.deadline is not None and time.monotonic() > self.deadline else ""

    def _level(self, share: float) -> float:
        """What bounds in floats must exceed for a cell to be better than (1 + share) times the best."""
        floor = self.incumbent.floor
        return (floor if floor <= 0 else (1 + share) * floor) - self.margin

    def _tables(self) -> Iterator[Floats]:
        """For each line the bounds of its vertices, as a table of the signs of the first half and of the second."""
        for steps, base in zip(self.steps, self.base, strict=True):
            half = len(base) // 2
            parts = [
                (_signs(part.shape[1]) @ part.T, _signs(part.shape[1]) @ fixed)
                for part, fixed in ((steps[:, :half], base[:half]), (steps[:, half:], base[half:]))
            ]
            (costs, constants), (more, others) = parts
            rows = (
                constant + others + np.maximum(cost + more, 0).sum(axis=1)
                for cost, constant in zip(costs, constants, strict=True)
            )
            yield np.array(list(rows))

    def _vertices(self, level: Callable[[], float]) -> Iterator[_Vertex]:
        """Vertices with a bound above the level, the highest first."""
        flat = np.concatenate([table.ravel() for table in self.tops])
        places = np.flatnonzero(flat > level())
        for place in places[np.argsort(-flat[places], kind="stable")].tolist():
            if flat[place] <= level():
                return
            line, rest = divmod(place, self.tops[0].size)
            first, second = divmod(rest, self.tops[0].shape[1])
            half = self.base.shape[1] // 2
            signs = np.concatenate([_signs(half)[first], _signs(self.base.shape[1] - half)[second]])
            yield _Vertex(float(flat[place]), line, signs)

    def _question(self, vertex: _Vertex) -> tuple[NDArray[np.int8], Floats]:
        """The exact signs that are wanted, and what the others cost."""
        gains = self.steps[vertex.line] @ vertex.signs
        want = np.sign(gains).astype(np.int8)
        sizes = np.abs(self.steps[vertex.line]).sum(axis=1)
        # Rounding of the entries and of the sums; below the normal range nothing is certain.
        for i in np.flatnonzero(np.abs(gains) <= 2.0**-50 * len(vertex.signs) * sizes + 1e-300).tolist():
            exact = sum(int(u) * entry for u, entry in zip(vertex.signs.tolist(), self.inner[i], strict=True))
            factor = self.outer[i][vertex.line]
            want[i] = ((exact > 0) - (exact < 0)) * ((factor > 0) - (factor < 0))
        return want, np.where(want != 0, np.maximum(np.abs(gains), 2.0**-1000), 0.0)

    def _show(self) -> None:
        """Offer the cell that the kernel found; one that closes a node must be the best of it, or not exist."""
        layer, closing = self.incumbent.finder.layer, self.kernel.closing
        z = [Fraction(entry) for entry in self.kernel.point.tolist()]
        if not layer.is_linear:
            z.append(Fraction(1))
        values, point = self._values(z), layer.input(z)
        if all(values) and is_inside(layer.domain, point):
            is_best = all(sign * value >= 0 for sign, value in zip(self.kernel.pattern, values, strict=True))
            if is_best or not closing:
                self._offer([value > 0 for value in values], point)
                return
        if closing:
            self._settle(self.kernel.pattern)

    def _values(self, z: list[Fraction]) -> list[int]:
        """Positive multiples of the values of the rows."""
        scale = math.lcm(*(entry.denominator for entry in z))
        whole = [int(entry * scale) for entry in z]
        return [sum(a * x for a, x in zip(row, whole, strict=True)) for row in self.incumbent.finder.rows]

    def _offer(self, active: list[bool], point: list[Fraction]) -> None:
        jacobians = self.incumbent.jacobians
        matrix = jacobians.base_floats + np.array(active, dtype=np.float64) @ jacobians.steps
        if self.incumbent.may_improve(float_norms(matrix[None], jacobians.shape, self.incumbent.norm))[0]:
            self.incumbent.offer(active, point)

    def _settle(self, pattern: list[int]) -> None:
        """Offer a cell with these signs, 0 where any will do; or teach the kernel that there is none."""
        finder = self.incumbent.finder
        neurons = [i for i, sign in enumerate(pattern) if sign]
        signs = [pattern[i] for i in neurons]
        found = finder.find(neurons, signs)
        if found is None:
            self.kernel.learn(finder.refuted(neurons, signs))
            return
        for i in (i for i, sign in enumerate(pattern) if not sign):
            # The cell is open: some point of it is on either side, or all on one.
            either = ((sign, finder.find([*neurons, i], [*signs, sign])) for sign in (1, -1))
            sign, found = next((sign, at) for sign, at in either if at is not None)
            neurons, signs = [*neurons, i], [*signs, sign]
        active = [sign > 0 for _, sign in sorted(zip(neurons, signs, strict=True))]
        self._offer(active, finder.witness(neurons, signs, found.point))


def _box(layer: Layer) -> tuple[Floats, Floats] | None:
    """A box that meets the same cells as the domain, rounded outwards; None where that is none, or none for doubles."""
    n, domain = layer.weights.shape[1], layer.domain
    if layer.is_linear:
        # The cells are cones, and so is the domain, or it may as well be.
        lower, upper = (domain.lower, domain.upper) if isinstance(domain, Box) else ((None,) * n, (None,) * n)
        return np.array([-float(side is None) for side in lower]), np.array([float(side is None) for side in upper])
    if not isinstance(domain, Box):
        return None
    sides = [side for side in (*domain.lower, *domain.upper) if side is not None and abs(side) <= _FARTHEST]
    if len(sides) < 2 * n:
        return None
    return np.array([round_down(side) for side in sides[:n]]), np.array([-round_down(-side) for side in sides[n:]])


def _signs(length: int) -> Floats:
    """All vectors of signs, shape (2^length, length)."""
    bits = (np.arange(1 << length)[:, None] >> np.arange(length)) & 1
    return np.where(bits, -1.0, 1.0)

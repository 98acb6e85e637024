"""How stably a ReLU layer can be inverted: the least smallest singular value of the active rows over all cells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import Layer, read_layer
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.errors import CertificateError, InputError
from polyinj.exact.algebra import rank
from polyinj.exact.arrays import integer_rows
from polyinj.geometry.arrangement import Arrangement
from polyinj.injectivity.cell_finder import CellFinder, is_inside
from polyinj.injectivity.collide import active_rows
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Decision, Verdict
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.singular import LeastSingularValue
from polyinj.injectivity.spectral import bound_below
from polyinj.injectivity.spectral_descent import CellValue, Descent

_CHUNK = 1024
_RESTARTS = 60
# Cells of a layer on a ball that are enumerated: each that may be the least is looked for in the ball.
_MOST_ON_BALL = 20_000


@dataclass(frozen=True, slots=True)
class InverseLipschitz:
    """The smallest singular value of the active rows, at its least over all cells that meet the open domain.

    Attributes
    ----------
    lower, upper : float
        It lies between these; 0 twice if and only if the layer is not injective, where this is known.
    exact : bool
        Whether every cell was covered. After enumeration the ends are equal, and right to one part in 10^12, whatever
        the largest singular value; below the normal range, 2e-308, they are up to two doubles apart. After branch and
        bound they differ by a millionth.
    method : str
        How each end was got.
    active_rows : tuple of int
        The rows active in a cell where the upper end is attained.
    point : tuple of Fraction
        An input in that cell and in the domain: it shows the upper end.
    """

    lower: float
    upper: float
    exact: bool
    method: str
    active_rows: tuple[int, ...]
    point: tuple[Fraction, ...] = ()

    def verify(self, weights: ArrayLike, bias: ArrayLike | None = None, domain: Box | Ball | None = None) -> None:
        """Check the upper end in rationals: the input is in the open domain, and these rows are the active ones there.

        The lower end has no certificate that is kept; `inverse_lipschitz` repeats it.

        Raises
        ------
        CertificateError
            Any of this is not so, or the smallest singular value of the rows is above the upper end.
        """
        layer = _read(weights, bias, domain)
        if len(self.point) != layer.weights.shape[1] or not is_inside(layer.domain, self.point):
            raise CertificateError("the input is not in the interior of the domain")
        if tuple(active_rows(layer, list(self.point))) != self.active_rows:
            raise CertificateError("other rows are active at the input than the result states")
        if not 0 <= self.lower <= self.upper:
            raise CertificateError(f"the ends are {self.lower} and {self.upper}")
        found = _value(layer, self.active_rows)
        if found.ends()[0] > self.upper:
            raise CertificateError(f"the active rows have singular value {found.ends()[0]}; stated is {self.upper}")


def inverse_lipschitz(
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    domain: Box | Ball | None = None,
    cell_limit: int = 200_000,
    node_limit: int = 1_000_000,
    time_limit: float | None = None,
    seed: int = 0,
) -> InverseLipschitz:
    """The least smallest singular value s of the active rows over all cells of a layer x -> ReLU(W x + b).

    It is the best constant in a small neighbourhood of every point inside a cell, and everywhere on the domain
    |ReLU(W x + b) - ReLU(W y + b)| >= (s / 2) |x - y|: let z = (x + y) / 2, which a convex domain holds. Where entry i
    of W x + b and W y + b is positive in both, the images differ by |w_i.(x - y)|. Where it is >= 0 at z and positive
    in only one, that one is the larger in absolute value, so the images differ by at least half of |w_i.(x - y)|. The
    rows active at z are among these; and those of some cell beside z, in the domain, are among the rows active at z.
    (Freeman and Haider 2025, arXiv 2502.09898, prove that the best constant everywhere lies in [s / 2, s], with biases
    too. Puthawala et al. 2020, arXiv 2006.08464, have one that falls with the number of rows.)

    Parameters
    ----------
    weights : array_like, shape (m, n)
    bias : array_like, shape (m,), optional
    domain : Box or Ball, optional
        Where the inputs lie; all of R^n when None. Cells that meet its interior count.
    cell_limit : int
        Largest number of cells that are enumerated, for W alone 2 (C(m-1, 0) + ... + C(m-1, n-1)) in general position;
        sides of a box count as rows, and on a ball at most 20,000 are.
        Beyond it, the upper end comes from a descent over cells, and branch and bound over signs of rows proves the
        lower one, a share 1/16, 1/4, 0.51, 3/4, 9/10 or 1 of the upper one, as far as the limits allow; see
        `polyinj.injectivity.spectral`. A layer that is not injective has 0.
    node_limit : int
        Nodes of all branch and bounds together.
    time_limit : float, optional
        Seconds, positive, for all of it.
    seed : int
        Seed of the descent.

    Returns
    -------
    InverseLipschitz
        Floats leave the cells that could be least, by certain bounds, and rationals decide among them: see
        `polyinj.injectivity.singular`. Of branch and bound the lower end allows for rounding, as stated in
        `polyinj.injectivity.spectral`, and the upper one is the value of its cell.

    Raises
    ------
    InputError
        Unreadable weights, bias or domain, limits that are not positive.

    Examples
    --------
    >>> inverse_lipschitz([[1, 0], [0, 1], [-1, 0], [0, -2]]).upper
    1.0
    >>> from polyinj import Ball
    >>> inverse_lipschitz([[2, 0], [0, 2], [-1, 0], [0, -1]], [1, 1, 1, 1], domain=Ball([0, 0], Fraction(1, 4))).upper
    2.23606797749979
    """
    for name, value in (("node_limit", node_limit), ("time_limit", time_limit)):
        if value is not None and not value > 0:
            raise InputError(f"{name} is {value}; expected a positive number" + " or None" * (name == "time_limit"))
    layer = _read(weights, bias, domain)
    if rank(integer_rows(layer.weights)) < layer.weights.shape[1]:
        return _at(layer, _inner_point(layer), 0.0, True, "the weights have rank below the number of columns")
    least = LeastSingularValue(layer.weights)
    if most_cells(layer) <= cell_limit:
        return _enumerated(layer, least)
    limits = Limits(node_limit, None if time_limit is None else time.monotonic() + time_limit)
    return _interval(layer, least, limits, seed)


def _read(weights: ArrayLike, bias: ArrayLike | None, domain: Box | Ball | None) -> Layer:
    layer = read_layer(weights, bias, domain)
    return layer if layer.bias is None or any(layer.bias.tolist()) else read_layer(weights, None, domain)


def most_cells(layer: Layer) -> int:
    """How many cells the enumeration has at most."""
    n = layer.weights.shape[1]
    if layer.is_linear:
        rows = len(layer.weights) + len(layer.sides())
        return 2 * sum(comb(rows - 1, k) for k in range(n))
    rows = len(layer.weights) + len(layer.sides()) - 1
    cells = sum(comb(rows, k) for k in range(n + 1))
    return 2**62 if isinstance(layer.domain, Ball) and cells > _MOST_ON_BALL else cells


def _value(layer: Layer, rows: Sequence[int]) -> LeastSingularValue:
    """The exact value of a set of rows."""
    least = LeastSingularValue(layer.weights)
    chosen = np.zeros(len(layer.weights), dtype=bool)
    chosen[list(rows)] = True
    least.offer(chosen[None])
    return least


def _at(layer: Layer, point: Sequence[Fraction], lower: float, exact: bool, method: str) -> InverseLipschitz:
    """The result with the upper end of a point."""
    rows = tuple(active_rows(layer, list(point)))
    upper = _value(layer, rows).ends()[1]
    return InverseLipschitz(min(lower, upper), upper, exact or upper == 0, method, rows, tuple(point))


def _inner_point(layer: Layer) -> list[Fraction]:
    return [Fraction(0)] * layer.weights.shape[1] if layer.domain is None else list(layer.domain.interior_point())


def _enumerated(layer: Layer, least: LeastSingularValue) -> InverseLipschitz:
    finder = CellFinder(layer)
    neurons = [i for i, row in enumerate(layer.weights.tolist()) if any(row)]

    def signs(active: NDArray[np.bool_]) -> list[int]:
        return [1 if active[i] else -1 for i in neurons]

    def meets_ball(active: NDArray[np.bool_]) -> bool:
        return finder.find(neurons, signs(active)) is not None

    meets: Callable[[NDArray[np.bool_]], bool] | None = None if finder.ball is None else meets_ball
    for sets in active_sets(layer):
        least.offer(sets, meets)
        if least.is_zero:
            break
    found = finder.find(neurons, signs(least.active))
    assert found is not None, "the cell was enumerated"
    point = finder.witness(neurons, signs(least.active), found.point)
    lower, upper = least.ends()
    return InverseLipschitz(lower, upper, True, "every cell", tuple(active_rows(layer, point)), tuple(point))


def _interval(layer: Layer, least: LeastSingularValue, limits: Limits, seed: int) -> InverseLipschitz:
    left = None if limits.deadline is None else max(limits.deadline - time.monotonic(), 1e-3)
    decision = decide_injectivity(
        layer.weights, layer.bias, domain=_domain(layer), node_limit=limits.nodes, time_limit=left
    )
    if decision.verdict is Verdict.NOT_INJECTIVE:
        assert decision.best_witness is not None
        point = layer.input([*map(Fraction, decision.best_witness.point)] + [Fraction(1)] * (not layer.is_linear))
        return _at(layer, point, 0.0, True, "a point whose active rows do not span")
    finder = CellFinder(layer)
    random = np.random.default_rng(np.random.SeedSequence(seed))
    found = Descent(finder, least.scaled).descend(_starts(layer, decision), _RESTARTS, random, limits)
    if found is None:
        # No random point is surely in a cell: rows are beyond the range of doubles.
        found = _some_cell(finder, least.scaled)
    proof = decision.certificate
    circuits = proof.circuits if isinstance(proof, InjectivityProof) else np.zeros((0, 1), dtype=np.int32)
    bound = bound_below(finder, least.scaled, circuits, found, limits)
    share = f"; lower: branch and bound over signs of rows, {bound.nodes} nodes, {'all' if bound.closed else 'not all'}"
    method = f"upper: descent over cells from few active rows and {_RESTARTS} random points, seed {seed}{share} closed"
    lower = 0.0 if bound.lower <= 0 else float(np.nextafter(np.ldexp(bound.lower, least.exponent), 0))
    return _at(layer, bound.incumbent.point, lower, bound.closed, method)


def _domain(layer: Layer) -> Box | Ball | None:
    assert layer.domain is None or isinstance(layer.domain, Box | Ball)
    return layer.domain


def _starts(layer: Layer, decision: Decision) -> list[NDArray[np.float64]]:
    """The point of few active rows that the decision came to."""
    if decision.best_witness is None:
        return []
    point = [Fraction(entry) for entry in decision.best_witness.point]
    longest = max(map(abs, point)) if layer.is_linear else Fraction(1)
    return [np.array([float(entry / (longest or 1)) for entry in point])]


def _some_cell(finder: CellFinder, matrix: NDArray[np.float64]) -> CellValue:
    """A cell of the domain: signs that exist, one row after the other."""
    neurons: list[int] = []
    signs: list[int] = []
    found = finder.find(neurons, signs)
    for i, row in enumerate(finder.layer.weights.tolist()):
        if any(row):
            either = ((sign, finder.find([*neurons, i], [*signs, sign])) for sign in (-1, 1))
            sign, found = next((sign, at) for sign, at in either if at is not None)
            neurons, signs = [*neurons, i], [*signs, sign]
    assert found is not None, "an open domain meets some cell"
    point = finder.witness(neurons, signs, found.point)
    active = np.zeros(len(matrix), dtype=bool)
    active[[i for i, sign in zip(neurons, signs, strict=True) if sign > 0]] = True
    return CellValue.of(matrix, active & matrix.any(axis=1), tuple(point))


def active_sets(layer: Layer) -> Iterator[NDArray[np.bool_]]:
    """Active sets of all open cells in the domain, or, on a ball, in R^n: chunks of shape (k, m), k <= 1024.

    Rows without weights are left out.
    """
    m = len(layer.weights)
    neurons = np.flatnonzero([any(row) for row in layer.weights.tolist()])
    sides = layer.sides() if layer.is_linear else layer.sides()[1:]
    system = layer.lifted()[neurons]
    if sides:
        system = np.array([[Fraction(entry) for entry in row] for row in [*system.tolist(), *sides]], dtype=object)
    arrangement = Arrangement(system) if layer.is_linear else Arrangement(system[:, :-1], system[:, -1])
    for signs in arrangement.iter_cells():
        inside = signs[(signs[:, len(neurons) :] > 0).all(axis=1), : len(neurons)]
        for start in range(0, len(inside), _CHUNK):
            chunk = inside[start : start + _CHUNK] > 0
            sets = np.zeros((len(chunk), m), dtype=bool)
            sets[:, neurons] = chunk
            yield sets

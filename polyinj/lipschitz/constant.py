"""The Lipschitz constant of a ReLU network with one hidden layer: exactly, or as a certified interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import Layer, read_layer
from polyinj.errors import CertificateError, InputError
from polyinj.exact import arrays
from polyinj.exact.algebra import dot
from polyinj.injectivity.cell_finder import CellFinder, ever_smaller_steps, is_inside
from polyinj.lipschitz.ascent import ascend
from polyinj.lipschitz.branch_and_bound import SearchEnd, search_signs
from polyinj.lipschitz.enumeration import most_cells, search_cells
from polyinj.lipschitz.incumbent import Incumbent
from polyinj.lipschitz.jacobians import read_jacobians
from polyinj.lipschitz.operator_norm import NORMS, operator_norm, round_down
from polyinj.lipschitz.vertex_search import applies, search_vertices

_STARTS, _LINES, _OFFERS = 64, 60, 4
_FEW_STARTS, _FEW_LINES = 8, 15
# At most _FEW_CELLS cells are enumerated at once; of more, _FIRST_NODES nodes are searched first, which often suffices.
_FEW_CELLS, _FIRST_NODES = 2_000, 2_000


@dataclass(frozen=True, slots=True)
class LipschitzConstant:
    """The result of `lipschitz_constant`: lower <= Lip <= upper, both proven.

    Attributes
    ----------
    lower, upper : float
        If `exact`, they enclose the exact constant, that of the cell of `point`, and differ by a few roundings.
    exact : bool
        The cell of `point` has the largest Jacobian of all.
    norm : float
        1, 2 or inf: of inputs and outputs.
    power : Fraction or None
        The exact norm of the Jacobian at `point` (norms 1, inf) or its square (norm 2, one input or output).
    signs : tuple of int
        The cell: +1 where w_i.x + b_i > 0, -1 where it is < 0, and 0 for neurons that are 0 everywhere.
    point : tuple of Fraction
        An input inside the cell and the domain, where no other neuron vanishes.
    lower_by, upper_by : str
        How each end was got.
    cells, nodes : int
        Cells enumerated, nodes of the branch and bound.
    seed : int
        Of the random starts of the search.
    """

    lower: float
    upper: float
    exact: bool
    norm: float
    power: Fraction | None
    signs: tuple[int, ...]
    point: tuple[Fraction, ...]
    lower_by: str
    upper_by: str
    cells: int
    nodes: int
    seed: int

    def __repr__(self) -> str:
        ends = f"{self.lower:.10g}" if self.exact else f"[{self.lower:.10g}, {self.upper:.10g}]"
        kind = "exact" if self.exact else "interval"
        return f"LipschitzConstant({ends}, {kind}, norm {self.norm}; {self.upper_by}; seed={self.seed})"

    def verify(
        self,
        weights: ArrayLike,
        bias: ArrayLike | None,
        output: ArrayLike,
        domain: Box | Ball | None = None,
    ) -> None:
        """Check the lower end in rationals: the input is inside the domain, has these signs, and the Jacobian's norm.

        The upper end has no certificate that is kept; `lipschitz_constant` repeats it.

        Raises
        ------
        CertificateError
            Any of this is not so.
        """
        layer, rows = _read(weights, bias, output, domain)
        if len(self.point) != layer.weights.shape[1] or not is_inside(domain, self.point):
            raise CertificateError("the input of the constant is not in the interior of the domain")
        matrix = arrays.fractions(layer.weights)
        if _signs(layer, self.point) != self.signs:
            raise CertificateError("the input of the constant has other signs than the result states")
        if any(not sign and any(row) for sign, row in zip(self.signs, matrix, strict=True)):
            raise CertificateError("the input of the constant lies on the hyperplane of a neuron")
        active = [i for i, sign in enumerate(self.signs) if sign > 0]
        jacobian = [
            [sum((row[i] * matrix[i][j] for i in active), Fraction(0)) for j in range(len(self.point))] for row in rows
        ]
        found = operator_norm(jacobian, self.norm)
        if (found.lower, found.power) != (self.lower, self.power):
            raise CertificateError(f"the Jacobian at the input has norm {found.lower}; the result states {self.lower}")


def lipschitz_constant(
    weights: ArrayLike,
    bias: ArrayLike | None,
    output: ArrayLike,
    *,
    domain: Box | Ball | None = None,
    norm: float = 2,
    gap: float = 0.0,
    max_cells: int = 3_000_000,
    node_limit: int | None = 200_000,
    time_limit: float | None = None,
    seed: int = 0,
) -> LipschitzConstant:
    """The Lipschitz constant of x -> A ReLU(W x + b) on R^n, a box or a ball, exactly or as a certified interval.

    It is the largest norm of the Jacobian over the cells that exist in the interior of the domain. On each open cell
    the map is affine, so no smaller constant will do. It is enough: a segment between two points of the interior can be
    moved a little, so that it passes from cell to cell through facets only; the map is continuous and changes along
    each piece by at most the norm times its length; and the ends are limits of such segments. Faces of lower dimension
    do not matter, nor do sign vectors that no open cell has.

    Few cells are enumerated. Else branch and bound over sign vectors with convex bounds, whose infeasible branches are
    proven to be so, narrows an interval; if that takes long, cells are enumerated unless there may be more than
    max_cells, or too many miss the domain. For norms 1 and inf on a box with finite sides, or without bias, that is one
    linear problem for each vertex of the dual ball, of which up to 2^22 are compared (`lipschitz/vertex_search.py`).
    A sampled value only ever proposes the lower end, which is then exact at the cell of `point`. float64 entries are
    read as the rationals they are.

    Parameters
    ----------
    weights : array_like, shape (k, n)
        W, one row a neuron; zero, repeated and parallel rows are allowed.
    bias : array_like, shape (k,), or None
        b; None stands for zeros.
    output : array_like, shape (k,) or (outputs, k)
        A.
    domain : Box or Ball, optional
        All of R^n when None.
    norm : 1, 2 or inf
        Of inputs and outputs alike. With one output the constant is the largest dual norm of the gradient.
    gap : float
        The branch and bound may stop when upper <= (1 + gap) lower.
    max_cells : int
        Arrangements that may have more cells are searched by branch and bound alone.
    node_limit, time_limit : int, float (seconds), optional
        Of the branch and bound; then the result is an interval. Results depend on nothing but the arguments if
        time_limit is None.
    seed : int
        Of the random inputs from which the search starts.

    Raises
    ------
    InputError
        Shapes that do not fit, entries that are no numbers, another norm, negative limits.

    Notes
    -----
    Computing the constant is NP-hard (Virmaux, Scaman 2018, arXiv:1805.10965), and W[1]-hard in the dimension n, for
    p-norms of any p: in few dimensions too nothing essentially better than to enumerate the cells is to be expected
    (Froese, Grillo, Hertrich, Stargalla 2025, arXiv:2509.22849, under the exponential time hypothesis).

    Examples
    --------
    >>> from polyinj import lipschitz_constant
    >>> constant = lipschitz_constant([[1, 0], [0, 1], [-1, -1]], [0, 0, 1], [2, 1, 1])
    >>> constant
    LipschitzConstant(2.236067977, exact, norm 2; enumeration of 7 cells; seed=0)
    >>> constant.power
    Fraction(5, 1)
    >>> constant.signs
    (1, 1, -1)
    """
    layer, rows = _read(weights, bias, output, domain)
    if norm not in NORMS:
        raise InputError(f"norm is {norm!r}; expected 1, 2 or math.inf")
    for name, limit in (("gap", gap), ("max_cells", max_cells), ("node_limit", node_limit), ("time_limit", time_limit)):
        if limit is not None and not limit >= 0:
            raise InputError(f"{name} is {limit}; expected a number >= 0")
    if seed < 0:
        raise InputError(f"seed is {seed}; expected an integer >= 0")
    jacobians = read_jacobians(layer, rows)
    incumbent = Incumbent(jacobians, CellFinder(jacobians.layer), norm)
    if jacobians.neurons:
        rng = np.random.default_rng(seed)
        # A search that comes to good cells early needs no more than a first one.
        starts, lines = (_FEW_STARTS, _FEW_LINES) if applies(incumbent) else (_STARTS, _LINES)
        points = ascend(jacobians, incumbent.finder.floats, norm, rng, starts=starts, lines=lines)
        for point in points[:_OFFERS]:
            incumbent.offer_input(point)
    cells, end = _search(incumbent, gap=gap, max_cells=max_cells, node_limit=node_limit, time_limit=time_limit)
    if cells is not None:
        end = SearchEnd(end.nodes, None, "")
        upper_by = f"enumeration of {cells} cell{'s' if cells != 1 else ''}"
    else:
        stopped = f", stopped by {end.stopped_by}" if end.stopped_by else ""
        upper_by = f"branch and bound of {end.nodes} nodes{stopped}"
    return _result(layer, incumbent, cells or 0, end, upper_by, seed)


def _search(
    incumbent: Incumbent, *, gap: float, max_cells: int, node_limit: int | None, time_limit: float | None
) -> tuple[int | None, SearchEnd]:
    """Enumerate cells, or branch and bound, whichever promises to end sooner: the number of cells, if all were seen."""
    most = most_cells(incumbent) if incumbent.jacobians.neurons else 0
    cells, end = None, SearchEnd(0, None, "")
    if most <= min(_FEW_CELLS, max_cells):
        cells = search_cells(incumbent)
    if cells is None:
        by_vertices = applies(incumbent)
        search = search_vertices if by_vertices else search_signs
        first = node_limit
        if most <= max_cells and not by_vertices:
            first = min(_FIRST_NODES, _FIRST_NODES if node_limit is None else node_limit)
        end = search(incumbent, gap=gap, node_limit=first, time_limit=time_limit)
        if end.stopped_by == "node_limit" and most <= max_cells:
            cells = search_cells(incumbent)
            if cells is None and first != node_limit:
                end = search(incumbent, gap=gap, node_limit=node_limit, time_limit=time_limit)
    return cells, end


def _read(
    weights: ArrayLike, bias: ArrayLike | None, output: ArrayLike, domain: Box | Ball | None
) -> tuple[Layer, list[list[Fraction]]]:
    layer = read_layer(weights, bias, domain)
    if layer.bias is not None and not any(layer.bias.tolist()):
        layer = read_layer(weights, None, domain)
    if np.ndim(np.asarray(output)) == 1:
        rows = [arrays.read_vector(output, len(layer.weights), "output").tolist()]
    else:
        matrix = arrays.read_matrix(output, "output")
        if matrix.shape[1] != len(layer.weights):
            raise InputError(
                f"output has shape {matrix.shape}; expected (outputs, {len(layer.weights)}), one column a neuron"
            )
        rows = matrix.tolist()
    return layer, [[Fraction(entry) for entry in row] for row in rows]


def _result(
    layer: Layer, incumbent: Incumbent, cells: int, end: SearchEnd, upper_by: str, seed: int
) -> LipschitzConstant:
    if incumbent.best is None:
        # Limits stopped the search before any cell was found.
        incumbent.offer_point(_leave_hyperplanes(layer, _inner_point(layer)))
    best, jacobians = incumbent.best, incumbent.jacobians
    assert best is not None, "an open domain meets some cell"
    point = _leave_hyperplanes(layer, incumbent.point)
    upper = best.upper if end.upper is None else -round_down(-Fraction(end.upper) * jacobians.scale)
    return LipschitzConstant(
        lower=best.lower,
        upper=max(upper, best.upper),
        exact=end.upper is None,
        norm=incumbent.norm,
        power=best.power,
        signs=_signs(layer, point),
        point=tuple(point),
        lower_by="Jacobian of the cell of `point`",
        upper_by=upper_by,
        cells=cells,
        nodes=end.nodes,
        seed=seed,
    )


def _values(layer: Layer, point: Sequence[Fraction]) -> list[Fraction]:
    bias = [Fraction(0)] * len(layer.weights) if layer.bias is None else layer.bias.tolist()
    return [
        sum((w * x for w, x in zip(row, point, strict=True)), Fraction(b))
        for row, b in zip(arrays.fractions(layer.weights), bias, strict=True)
    ]


def _signs(layer: Layer, point: Sequence[Fraction]) -> tuple[int, ...]:
    return tuple((value > 0) - (value < 0) for value in _values(layer, point))


def _inner_point(layer: Layer) -> list[Fraction]:
    """A point of the interior of the domain."""
    if isinstance(layer.domain, Ball):
        return list(layer.domain.centre)
    if isinstance(layer.domain, Box):
        return layer.domain.interior_point()
    return [Fraction(0)] * layer.weights.shape[1]


def _leave_hyperplanes(layer: Layer, point: list[Fraction]) -> list[Fraction]:
    """An input moved a little if need be so that no neuron vanishes there but those that do everywhere.

    Neurons that no Jacobian depends on take no part in the search, so their hyperplanes may hold its input.
    """
    weights = arrays.fractions(layer.weights)
    values = _values(layer, point)
    flat = [row for row, value in zip(weights, values, strict=True) if not value and any(row)]
    if not flat:
        return point
    base = 1
    while True:
        direction = [Fraction(base) ** j for j in range(len(point))]
        if all(dot(row, direction) for row in flat):
            break
        base += 1
    signs = _signs(layer, point)

    def fits(moved: list[Fraction]) -> bool:
        kept = all(a in (0, b) for a, b in zip(signs, _signs(layer, moved), strict=True))
        return kept and is_inside(layer.domain, moved)

    nearer = ([x + step * u for x, u in zip(point, direction, strict=True)] for step in ever_smaller_steps())
    return next(moved for moved in nearer if fits(moved))

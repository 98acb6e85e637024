"""The smallest singular value of the active rows, bounded below over all cells by branch and bound on signs of rows.

A node fixes some rows POS and some NEG; it stands for the cells with these signs. In each of them the POS rows are
active, so the smallest singular value there is at least theirs: further rows only add to it. To prove that it is at
least tau in every cell:

    visit(POS, NEG):
        a clause with one live literal left fixes it; with none left: there is no such cell
        the POS rows have no singular value below tau: done
        a row with which they would have none is NEG in the cells that are left: the singular direction of the POS rows
            is known then, and rows that are not nearly orthogonal to it are excluded all at once
        take a clause whose live literals are all positive, and of these the one that leaves least work: rows along the
            directions in which the POS rows are small; for each of its live rows, that with the least work first:
            visit with that row POS and the ones before it NEG
        no such clause: least squares find one, checked in integers, or a point of the domain where all free rows are
            negative. The POS rows are then the active ones of a cell. If its value is below tau, no more can be proved
            than that value

Every cell of a node that has a value below tau has its first POS row in exactly one child. A clause is a set of signed
rows that no point of the domain has together: the circuits of a proof of injectivity to begin with.
That no singular value is below tau is proved by a Cholesky factorisation in doubles of the Gram matrix G minus
tau^2 + 2 (m + n + 4) 2^-53 trace(G) times the identity: if it runs to its end, G - tau^2 is positive semidefinite
(Rump 2006, Verification of positive definiteness, BIT 46, Theorem 2.3: n + 2 of the units are for the factorisation,
m + 1 for the sums of products in G).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.injectivity._spectral import SpectralTree
from polyinj.injectivity.cell_finder import CellFinder
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.spectral_descent import CellValue

# Shares of the incumbent that are proved one after the other: the more, the harder.
_SHARES = (1 / 16, 1 / 4, 0.51, 3 / 4, 9 / 10, 1 - 1e-6)
_SLICE = 500
_FIXED = 8


@dataclass(frozen=True, slots=True)
class SpectralBound:
    """In every cell the smallest singular value is at least `lower`, proved; `incumbent` has the least one known."""

    lower: float
    incumbent: CellValue
    nodes: int
    closed: bool


def bound_below(
    finder: CellFinder, matrix: NDArray[np.float64], circuits: NDArray[np.int32], incumbent: CellValue, limits: Limits
) -> SpectralBound:
    """The largest share of the incumbent that is proved within the limits, for a matrix with largest entry about 1.

    Parameters
    ----------
    finder : CellFinder
        Of the layer and its domain, whose weights round to a multiple of the matrix.
    circuits : ndarray of int32, shape (k, width)
        Certain circuits of the system, padded by zeros; sides of the domain, named beyond the rows, hold everywhere.
    incumbent : CellValue
        A cell with a small value.
    """
    m, n = matrix.shape
    tree = SpectralTree(matrix, 2 * (m + n + 4) * 2.0**-53)
    named = np.where(np.abs(circuits) <= m, circuits, 0)
    tree.learn(*(_bits(np.maximum(literals, 0), m) for literals in (named, -named)))
    _learn_constants(tree, finder)
    # Entries are rounded by at most 2^-53 of their size: the norm of all that, and again for the subtraction.
    rounding = 2.0**-52 * float(np.linalg.norm(matrix))
    proved, nodes = 0.0, 0
    for share in _SHARES:
        tree.restart()
        tau = share * incumbent.value
        while (allowed := limits.leave(nodes + tree.nodes)) and tau > rounding:
            status = tree.run(min(_SLICE, allowed), tau)
            if status == Status.DONE:
                break
            if status == Status.STUCK:
                cell = _branch_or_find(tree, finder, matrix)
                if cell is not None:
                    incumbent = min(incumbent, cell, key=lambda known: known.value)
                    # Where rounding alone keeps the bound from its own cell, less is proved.
                    tau = min(tau / 2 if cell.value > tau else tau, share * incumbent.value)
        else:
            return SpectralBound(proved, incumbent, nodes + tree.nodes, False)
        nodes += tree.nodes
        proved = max(proved, tau - rounding)
    return SpectralBound(proved, incumbent, nodes, True)


def _learn_constants(tree: SpectralTree, finder: CellFinder) -> None:
    """Rows without weights have the sign of their bias everywhere, and none of it matters."""
    for i, row in enumerate(finder.rows):
        if not any(row[: tree.n]):
            unit = np.array([[i + 1]], dtype=np.int32), np.zeros((1, 1), dtype=np.int32)
            is_positive = len(row) > tree.n and row[-1] > 0
            tree.learn(*(_bits(rows, tree.m) for rows in (unit if is_positive else unit[::-1])))


def _branch_or_find(tree: SpectralTree, finder: CellFinder, matrix: NDArray[np.float64]) -> CellValue | None:
    """Teach the tree a clause that its open node violates; or the cell whose active rows are the POS rows there."""
    m = len(matrix)
    positive, negative = (_rows(bits, m) for bits in tree.node)
    neurons = np.flatnonzero(matrix.any(axis=1) | positive | negative)
    neurons = neurons[[any(finder.rows[i][: tree.n]) for i in neurons]]
    signs = np.where(positive[neurons], 1, -1).tolist()
    found = finder.find(neurons.tolist(), signs)
    if found is not None:
        point = finder.witness(neurons.tolist(), signs, found.point)
        return CellValue.of(matrix, positive & matrix.any(axis=1), tuple(point))
    # Fixed rows are made longer, for least squares to prefer them: clauses with few live rows branch less.
    lengths = np.where((positive | negative)[neurons], float(_FIXED), 1.0)
    refused = np.array(finder.refuted(neurons.tolist(), signs, lengths))
    # In every cell a row that was refused as negative is positive, or one refused as positive is not.
    tree.learn(*(_bits(np.where(refused == sign, np.arange(1, m + 1), 0)[None], m) for sign in (-1, 1)))
    return None


def _bits(rows: NDArray[np.int32], count: int) -> NDArray[np.uint64]:
    """Rows i + 1, padded by zeros, as sets of bits of 64-bit words."""
    table = np.zeros((len(rows), 64 * ((count + 63) // 64) + 1), dtype=bool)
    np.put_along_axis(table, rows.astype(np.int64), True, axis=1)
    return np.packbits(table[:, 1:], axis=1, bitorder="little").view(np.uint64)


def _rows(bits: NDArray[np.uint64], count: int) -> NDArray[np.bool_]:
    return np.unpackbits(bits.view(np.uint8), bitorder="little")[:count].astype(bool)

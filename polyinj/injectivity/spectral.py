"""The smallest singular value of the active rows, bounded below over all cells by branch and bound on signs of rows.

A node fixes some rows POS and some NEG; it stands for the cells with these signs. In each of them the POS rows are
active, so the smallest singular value there is at least theirs: further rows only add to it. To prove that it is at
least tau in every cell:

    visit(POS, NEG):
        a circuit with one live literal left fixes it; with none left: there is no such cell
        the POS rows have no singular value below tau: done
        take the circuit with the fewest live literals, all positive; for each of its live rows, longest first:
            visit with that row POS and the ones before it NEG
        no such circuit: exact linear programming finds one, or a point where all free rows are negative. The POS rows
            are then the active ones of a cell. If its value is below tau, no more can be proved than that value

Every cell of a node has its first POS row in exactly one child. Circuits come from a proof of injectivity to begin
with, and hold for certain, as does every circuit that is found on the way.
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
from polyinj.certificates.layer import System
from polyinj.exact.gordan import alternative
from polyinj.injectivity._spectral import SpectralTree
from polyinj.injectivity.driver import signed_vector
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.spectral_descent import CellValue

# Shares of the incumbent that are proved one after the other: the more, the harder.
_SHARES = (1 / 16, 1 / 4, 1 / 2, 3 / 4, 9 / 10, 1 - 1e-6)
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
    system: System, matrix: NDArray[np.float64], circuits: NDArray[np.int32], incumbent: CellValue, limits: Limits
) -> SpectralBound:
    """The largest share of the incumbent that is proved within the limits, for a matrix with largest entry about 1.

    Parameters
    ----------
    system : System
        Of the layer, without sides, whose weights round to a multiple of the matrix.
    circuits : ndarray of int32, shape (k, width)
        Certain circuits of the system, padded by zeros.
    incumbent : CellValue
        A cell with a small value.
    """
    m, n = matrix.shape
    tree = SpectralTree(matrix, 2 * (m + n + 4) * 2.0**-53)
    tree.learn(*(_bits(np.maximum(literals, 0), m) for literals in (circuits, -circuits)))
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
                cell = _branch_or_find(tree, system, matrix)
                if cell is not None:
                    incumbent = min(incumbent, cell, key=lambda known: known.value)
                    # Where rounding alone keeps the bound from its own cell, less is proved.
                    tau = min(tau / 2 if cell.value > tau else tau, share * incumbent.value)
        else:
            return SpectralBound(proved, incumbent, nodes + tree.nodes, False)
        nodes += tree.nodes
        proved = max(proved, tau - rounding)
    return SpectralBound(proved, incumbent, nodes, True)


def _branch_or_find(tree: SpectralTree, system: System, matrix: NDArray[np.float64]) -> CellValue | None:
    """Teach the tree a circuit that branches its open node; or the cell whose active rows are the POS rows there."""
    m = len(matrix)
    positive, negative = (_rows(bits, m) for bits in tree.node)
    literals = [-(i + 1) if positive[i] else i + 1 for i in system.spanning_rows]
    # Fixed rows are made longer, for least squares to prefer them: circuits with few live rows branch less.
    fixed = positive | negative
    vectors = [(literal, _FIXED if fixed[abs(literal) - 1] else 1) for literal in literals]
    found = alternative([[scale * entry for entry in signed_vector(system, literal)] for literal, scale in vectors])
    if found.circuit is None:
        return CellValue.of(matrix, positive)
    circuit = np.array([[literals[place] for place in found.circuit]], dtype=np.int32)
    tree.learn(*(_bits(np.maximum(signed, 0), m) for signed in (circuit, -circuit)))
    return None


def _bits(rows: NDArray[np.int32], count: int) -> NDArray[np.uint64]:
    """Rows i + 1, padded by zeros, as sets of bits of 64-bit words."""
    table = np.zeros((len(rows), 64 * ((count + 63) // 64) + 1), dtype=bool)
    np.put_along_axis(table, rows.astype(np.int64), True, axis=1)
    return np.packbits(table[:, 1:], axis=1, bitorder="little").view(np.uint64)


def _rows(bits: NDArray[np.uint64], count: int) -> NDArray[np.bool_]:
    return np.unpackbits(bits.view(np.uint8), bitorder="little")[:count].astype(bool)

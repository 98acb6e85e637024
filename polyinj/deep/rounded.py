"""Matrices and values in doubles, with bounds of every rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyinj.exact import algebra

UNIT = 2.0**-53
TINY = 1e-300

Floats = NDArray[np.float64]


def carry(matrix: Floats, outputs: Floats, radii: Floats) -> tuple[Floats, Floats]:
    """matrix times each row of outputs, and what bounds the errors, where radii bound those of the outputs."""
    # Rounding of the weights, of the products and of their sum, with a factor 2 to spare.
    slack = 2 * (matrix.shape[1] + 4) * UNIT
    with np.errstate(all="ignore"):
        values = outputs @ matrix.T
        bounds = (radii + slack * (np.abs(outputs) + radii)) @ np.abs(matrix).T * (1 + slack)
        bounds += TINY * (1 + np.abs(outputs).sum(axis=1, keepdims=True))
    return values, bounds


def masks(flags: NDArray[np.bool_]) -> list[int]:
    """Each row as bits."""
    packed: NDArray[np.uint8] = np.packbits(flags, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def scaled(rows: algebra.IntegerRows) -> Floats:
    """The matrix over its largest entry, each quotient rounded once."""
    size = max(max(map(abs, row)) for row in rows) or 1
    return np.array([[entry / size for entry in row] for row in rows])

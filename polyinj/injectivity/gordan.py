"""Gordan's alternative, exactly: some of the vectors v_i have a positive relation, or v_i.z < 0 for all i at some z.

A linear program in doubles proposes the relation; where it fails, a simplex in rationals decides (it ends by Bland's
rule).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

from polyinj.geometry import exact

_SMALLEST_MULTIPLIERS = (1e-13, 1e-11, 1e-9, 1e-7, 1e-5)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Either `circuit`, the places of vectors with a unique and positive relation, or `direction` z."""

    circuit: tuple[int, ...] | None
    direction: tuple[Fraction, ...] | None


def alternative(vectors: Sequence[Sequence[int]]) -> Alternative:
    """Decide between a circuit and a separating direction.

    Parameters
    ----------
    vectors : sequence of k >= 1 integer vectors of one length
    """
    circuit = _circuit_by_floats(vectors)
    return Alternative(circuit, None) if circuit is not None else _simplex(vectors)


def is_circuit(vectors: Sequence[Sequence[int]]) -> bool:
    """Whether the vectors have one relation up to scale, and it is positive."""
    relations = exact.kernel(list(zip(*vectors, strict=True)), len(vectors))
    return len(relations) == 1 and {(x > 0) - (x < 0) for x in relations[0]} in ({1}, {-1})


def _circuit_by_floats(vectors: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    floats, _ = exact.float_rows(exact.read_matrix(np.array(vectors, dtype=object)))
    # A random objective makes the optimum a vertex, that is, a circuit.
    program = linprog(
        np.random.default_rng(0).random(len(vectors)),
        A_eq=np.vstack([floats.T, np.ones(len(vectors))]),
        b_eq=np.append(np.zeros(floats.shape[1]), 1),
        method="highs-ds",
    )
    if program.status != 0:
        return None
    for smallest in _SMALLEST_MULTIPLIERS:
        chosen = np.flatnonzero(program.x > smallest).tolist()
        if chosen and is_circuit([vectors[i] for i in chosen]):
            return tuple(chosen)
    return None


def _simplex(vectors: Sequence[Sequence[int]]) -> Alternative:
    """Phase one for sum x_i v_i = 0, sum x_i = 1, x >= 0, from an artificial basis.

    The columns are (v_i ; 1). At the optimum the artificial variables are 0, and the x_i > 0 belong to a basis, so that
    their vectors are a circuit; or they are not, and the prices (z, t), t > 0, give v_i.z + t <= 0 for all i.
    """
    k, rows = len(vectors), len(vectors[0]) + 1
    # Each line: the k columns, the artificial columns (they carry the prices), the right-hand side.
    table = [
        [Fraction(v[i]) for v in vectors] + [Fraction(i == j) for j in range(rows)] + [Fraction(0)]
        for i in range(rows - 1)
    ]
    table.append([Fraction(1)] * k + [Fraction(j == rows - 1) for j in range(rows)] + [Fraction(1)])
    basis = [k + i for i in range(rows)]
    gain = [sum(column, Fraction(0)) for column in zip(*table, strict=True)]
    while (enter := next((c for c in range(k) if gain[c] > 0 and c not in basis), None)) is not None:
        _, _, leave = min((table[i][-1] / table[i][enter], basis[i], i) for i in range(rows) if table[i][enter] > 0)
        pivot = [entry / table[leave][enter] for entry in table[leave]]
        table = [
            pivot if i == leave else [a - row[enter] * b for a, b in zip(row, pivot, strict=True)]
            for i, row in enumerate(table)
        ]
        gain = [a - gain[enter] * b for a, b in zip(gain, pivot, strict=True)]
        basis[leave] = enter
    if gain[-1] > 0:
        # Prices of the artificial columns: 1 - gain + ... with cost 1 each; gain[k + i] = price_i.
        return Alternative(None, tuple(gain[k : k + rows - 1]))
    return Alternative(tuple(b for b, row in zip(basis, table, strict=True) if b < k and row[-1] > 0), None)

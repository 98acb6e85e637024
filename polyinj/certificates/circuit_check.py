"""Are these clauses signed circuits? A rigorous test in doubles first, then integers for what it leaves open.

Literal +(i+1) stands for the vector R_i, -(i+1) for -R_i, and -(m+k+1) for -S_k. A clause is a signed circuit when the
linear relations among its vectors are the multiples of one relation whose coefficients are all positive.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.clock import Clock
from polyinj.certificates.layer import System
from polyinj.errors import CertificateError
from polyinj.exact.algebra import IntegerRows, kernel

Circuits = NDArray[np.int32]

_UNIT = 2.0**-53
# Clauses at a time, and entries of their matrices.
_CHUNK, _ENTRIES = 1024, 1 << 20


def check_circuits(system: System, circuits: Circuits, clock: Clock) -> None:
    """Check that every row of a table of literals, padded by zeros at its end, is a signed circuit of the system.

    More than N + 1 vectors of R^N are no circuit, so a longer clause is refused before anything is made of it.

    Raises
    ------
    CertificateError
        Names the first clause that is not.
    """
    _check_literals(system, circuits)
    vectors = system.rows + system.sides
    for index in np.flatnonzero(~_proved_in_doubles(vectors, circuits, clock)).tolist():
        clock.check()
        literals = [literal for literal in circuits[index].tolist() if literal]
        if not _is_circuit(vectors, literals):
            raise CertificateError(f"clause {index}, {literals}, is not a signed circuit of this layer")


def _check_literals(system: System, circuits: Circuits) -> None:
    rows, sides, most = len(system.rows), len(system.sides), system.dimension + 1
    if circuits.shape[1] > most and circuits[:, most:].any():
        clause = int(np.argmax(circuits[:, most:].any(axis=1)))
        raise CertificateError(
            f"clause {clause} has more than {most} literals; no circuit has more, with {most - 1} coordinates"
        )
    circuits = circuits[:, :most]
    name = np.abs(circuits.astype(np.int64))
    spans = np.zeros(rows + sides + 1, dtype=bool)
    spans[np.array(system.spanning_rows, dtype=np.int64) + 1] = True
    named = np.sort(name, axis=1)
    faults = {
        "has no literal": ~(name > 0).any(axis=1),
        "has a zero between its literals": ((circuits[:, :-1] == 0) & (circuits[:, 1:] != 0)).any(axis=1),
        f"has a literal outside -{rows + sides}..{rows}": ((name > rows + sides) | (circuits > rows)).any(axis=1),
        "has two literals of one row": ((named[:, 1:] == named[:, :-1]) & (named[:, 1:] > 0)).any(axis=1),
        "names a row whose weights are all zero": ~(
            spans[np.minimum(name, rows + sides)] | (name > rows) | (name == 0)
        ).all(axis=1),
    }
    for fault, where in faults.items():
        if where.any():
            raise CertificateError(f"clause {int(np.argmax(where))} {fault}")


def _is_circuit(vectors: IntegerRows, literals: list[int]) -> bool:
    chosen = [vectors[abs(literal) - 1] for literal in literals]
    relations = kernel([list(column) for column in zip(*chosen, strict=True)], len(literals))
    if len(relations) != 1:
        return False
    signed = [coefficient * literal for coefficient, literal in zip(relations[0], literals, strict=True)]
    return min(signed) > 0 or max(signed) < 0


def _proved_in_doubles(vectors: IntegerRows, circuits: Circuits, clock: Clock) -> NDArray[np.bool_]:
    """Which clauses of N + 1 literals are proved to be circuits by doubles; False says nothing."""
    size = len(vectors[0]) + 1
    proved = np.zeros(len(circuits), dtype=bool)
    if circuits.shape[1] < size:
        return proved
    doubles = np.array([_near_doubles(row) for row in vectors])
    full = np.flatnonzero(np.count_nonzero(circuits, axis=1) == size)
    step = max(1, min(_CHUNK, _ENTRIES // size**2))
    for start in range(0, len(full), step):
        clock.check()
        chosen = full[start : start + step]
        literals = circuits[chosen, :size]
        signed = np.sign(literals)[:, :, None] * doubles[np.abs(literals) - 1]
        proved[chosen] = _have_positive_relation(signed)
    return proved


def _near_doubles(row: list[int]) -> list[float]:
    # Division of integers rounds to nearest at any length, so entries of at most 1 are wrong by at most 2^-54.
    scale = 1 << max(map(abs, row)).bit_length()
    return [entry / scale for entry in row]


def _have_positive_relation(vectors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which stacks of N + 1 vectors have exactly one relation with sum 1, and a positive one, for certain.

    Let C have the vectors as columns and a further row of ones. If E = I - X C has norm below 1 for some matrix X, then
    C is invertible, so the relations form a line, and the one with sum 1 is l = C^-1 e = X e + E l with e the last unit
    vector. With r_i the sum of |E_ij| over j and r_i <= 1/2 for all i, l_i differs from (X e)_i by at most
    2 r_i max |X e|. The bound on r_i counts N + 2 roundings of the product, entries of C below 1 that are wrong by at
    most 2^-54, and underflow; the factor 1.01 covers the roundings of the bound itself.
    """
    count, size, _ = vectors.shape
    bordered = np.ones((count, size, size))
    bordered[:, :-1] = vectors.transpose(0, 2, 1)
    with np.errstate(all="ignore"):
        try:
            inverse = np.linalg.inv(bordered)
        except np.linalg.LinAlgError:  # One singular matrix in the stack: leave the whole stack to the integers.
            return np.zeros(count, dtype=bool)
        residual = np.abs(np.eye(size) - inverse @ bordered).sum(axis=2)
        norm = np.abs(inverse).sum(axis=2)
        gamma = (size + 1) * _UNIT / (1 - (size + 1) * _UNIT)
        error = 1.01 * (residual + size * (gamma + 2 * _UNIT) * norm + gamma)
        relation = inverse[:, :, -1]
        radius = 2.02 * error * np.abs(relation).max(axis=1, keepdims=True)
        certain: NDArray[np.bool_] = (error.max(axis=1) <= 0.5) & (relation > radius).all(axis=1)
    return certain

"""Extreme rays in integers of many limbs: how the kernel of double description takes cones of doubles, exactly.

It serves where no ray is tight at more rows than it needs; other cones go another way (`cone_conversion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj._double_description import LIMBS_OF_RAYS, LIMBS_OF_ROWS, extend_rays
from polyinj.exact import algebra

Limbs = tuple[NDArray[np.uint64], NDArray[np.int8]]


def wide_rays(rows: algebra.IntegerRows, columns: int) -> tuple[algebra.IntegerRows, NDArray[np.bool_]] | None:
    """All extreme rays of {t : rows t >= 0}, rows of full column rank, and at which rows each is tight, (rays, rows).

    None where rows are too long or no more than columns, or some ray is tight at more than columns - 1 of them.
    """
    bits = sorted(max(map(abs, row)).bit_length() + log2(columns) / 2 for row in rows)
    # Hadamard's bound of minors, and a sign.
    limbs = int(sum(bits[len(bits) - columns + 1 :]) + 2) // 64 + 1
    if len(rows) <= columns or limbs > LIMBS_OF_RAYS or bits[-1] >= 64 * LIMBS_OF_ROWS - 8:
        return None
    order = sorted(range(len(rows)), key=lambda i: _direction(rows[i]))
    start = _adjugate([rows[i] for i in order[:columns]])
    if start is None:
        basis = algebra.independent_rows([rows[i] for i in order])
        order = [order[k] for k in basis] + [i for k, i in enumerate(order) if k not in basis]
        start = _adjugate([rows[i] for i in order[:columns]])
        assert start is not None, "the rows have full column rank"
    found = extend_rays(*_to_limbs([rows[i] for i in order], LIMBS_OF_ROWS), *_to_limbs(start, limbs))
    if found is None:
        return None
    magnitudes, signs, words = found
    tight = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, : len(rows)].astype(bool)
    incidence = np.empty_like(tight)
    incidence[:, order] = tight
    return [algebra.coprime(ray) for ray in _from_limbs(magnitudes, signs)], incidence


def _direction(row: Sequence[int]) -> list[float]:
    size = max(map(abs, row))
    return [value / size for value in row]


def _adjugate(basis: algebra.IntegerRows) -> algebra.IntegerRows | None:
    """The rays of the cone of as many rows, in minors of these; None where the rows are dependent."""
    matrix = flint.fmpz_mat(basis)
    determinant = abs(int(matrix.det()))
    if determinant == 0:
        return None
    inverse = (flint.fmpq_mat(matrix).inv() * determinant).tolist()
    return [[int(entry.p) for entry in column] for column in zip(*inverse, strict=True)]


def _to_limbs(vectors: algebra.IntegerRows, limbs: int) -> Limbs:
    stored = b"".join(abs(entry).to_bytes(8 * limbs, "little") for vector in vectors for entry in vector)
    signs = np.array([[(entry > 0) - (entry < 0) for entry in vector] for vector in vectors], dtype=np.int8)
    return np.frombuffer(stored, dtype="<u8").astype(np.uint64).reshape(*signs.shape, limbs), signs


def _from_limbs(magnitudes: NDArray[np.uint64], signs: NDArray[np.int8]) -> algebra.IntegerRows:
    _, columns, limbs = magnitudes.shape
    stored, size = magnitudes.astype("<u8").tobytes(), 8 * limbs
    flat = [
        sign * int.from_bytes(stored[at : at + size], "little")
        for sign, at in zip(signs.ravel().tolist(), range(0, len(stored), size), strict=True)
    ]
    return [flat[at : at + columns] for at in range(0, len(flat), columns)]

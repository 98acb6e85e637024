"""Rows modulo the flat that some of them span, and whether vectors span, in arithmetic modulo a prime.

Rows that are independent modulo a prime are independent; those that are not may be so modulo another.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.bits import members
from polyinj.exact.algebra import IntegerRows

# Choices at a time.
_CHUNK = 4096


class Flats:
    """Rows modulo the flat that a set of rows spans, in arithmetic modulo a prime.

    Coordinates are random, so that the first entry of a vector that is not zero is hardly ever zero and can serve as
    pivot. Where it is zero the maps below still have the flat in their kernel: rows that come out independent are so.
    Flats are asked for in depth-first order, so those of the ancestors of a node are kept on a stack and extended.
    """

    def __init__(self, rows: IntegerRows, prime: int) -> None:
        self.prime = prime
        exact = np.array([[entry % prime for entry in row] for row in rows], dtype=object)
        turn = np.random.default_rng(prime).integers(prime, size=(exact.shape[1],) * 2).astype(object)
        self.stack: list[tuple[int, NDArray[np.int64]]] = [(0, (exact @ turn % prime).astype(np.int64))]

    def quotient(self, flat: int) -> NDArray[np.int64]:
        """All rows in coordinates of R^n modulo the flat: shape (m, n - rank); rows in the flat are zero."""
        while self.stack[-1][0] & ~flat:
            self.stack.pop()
        done, residues = self.stack[-1]
        for row in members(flat & ~done):
            done |= 1 << row
            if residues[row].any():
                residues = _eliminate(residues, residues[row], self.prime)
            self.stack.append((done, residues))
        return residues


def _eliminate(rows: NDArray[np.int64], vectors: NDArray[np.int64], prime: int) -> NDArray[np.int64]:
    """The rows modulo the vectors, by the first entry; the last axis gets shorter by one, the others broadcast."""
    # Products of residues stay below 2^62, and so does their difference.
    reduced: NDArray[np.int64] = (rows[..., 1:] * vectors[..., :1] - rows[..., :1] * vectors[..., 1:]) % prime
    return reduced


def transversals_are_bases(groups: list[NDArray[np.int64]], prime: int) -> bool:
    """Whether any choice of one vector from each of k groups is a basis of F_p^k; a group has shape (size, k).

    All choices from the first group are eliminated from the others at once, each in its own entry of a batch.
    """
    batches = [group[None] for group in groups]
    while batches:
        vectors, *rest = batches
        if not vectors[..., 0].all():
            return False
        batches = []
        for others in rest:
            reduced = _eliminate(others[:, None], vectors[:, :, None], prime)
            batches.append(reduced.reshape(-1, *reduced.shape[2:]))
    return True


def transversals_span(groups: list[NDArray[np.int64]], prime: int) -> bool:
    """Whether any choice of one vector from each of the groups, of shape (size, d), spans F_p^d: choice by choice."""
    sizes = tuple(map(len, groups))
    for start in range(0, prod(sizes), _CHUNK):
        choices = np.unravel_index(np.arange(start, min(start + _CHUNK, prod(sizes))), sizes)
        chosen = np.stack([group[choice] for group, choice in zip(groups, choices, strict=True)], axis=1)
        while chosen.shape[2]:
            pivots = np.take_along_axis(chosen, (chosen[..., :1] != 0).argmax(axis=1, keepdims=True), axis=1)
            if not pivots[..., 0].all():
                return False
            chosen = _eliminate(chosen, pivots, prime)
    return True

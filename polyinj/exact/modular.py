"""Ranks of many matrices at once modulo a prime: lower bounds of the ranks of the integer matrices behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRIME = 67_108_859
# Sums of this many products of two residues fit into 64 bits.
_TERMS = 1 << 11


def multiply_residues(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """The product of two matrices of residues."""
    product = np.zeros((len(left), right.shape[1]), dtype=np.int64)
    for start in range(0, len(right), _TERMS):
        block = slice(start, start + _TERMS)
        product = (product + left[:, block] @ right[block] % PRIME) % PRIME
    return product


def ranks(matrices: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ranks modulo PRIME of matrices, shape (k, r, c)."""
    a = matrices.copy()
    count, rows, columns = a.shape
    rank = np.zeros(count, dtype=np.int64)
    everyone, places = np.arange(count), np.arange(rows)
    for j in range(columns):
        usable = (a[:, :, j] != 0) & (places >= rank[:, None])
        found = usable.any(axis=1)
        top = np.minimum(rank, rows - 1)
        pivot = np.where(found, usable.argmax(axis=1), top)
        a[everyone, pivot], a[everyone, top] = a[everyone, top], a[everyone, pivot]
        line = a[everyone, top]
        # Without inverses: a row times the pivot minus a multiple of the pivot row.
        below = found[:, None] & (places > rank[:, None])
        scale = np.where(below, line[:, j, None], 1)
        share = np.where(below, a[:, :, j], 0)
        a = (a * scale[:, :, None] - share[:, :, None] * line[:, None, :]) % PRIME
        rank += found
    return rank

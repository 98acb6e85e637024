"""Which faces of dimension d - 1 bound which faces of dimension d, from their sign vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signs = NDArray[np.int8]
IndexPairs = NDArray[np.int64]


def incidences(lower: Signs, upper: Signs) -> IndexPairs:
    """Pairs (i, j), shape (k, 2): lower[i] is a facet of upper[j].

    Parameters
    ----------
    lower, upper : ndarray of int8, shapes (a, m) and (b, m)
        Faces of dimension d - 1 and d of one arrangement, each once. A face Y bounds X when X agrees with Y wherever
        Y is not zero.
    """
    if not len(lower) or not len(upper):
        return np.zeros((0, 2), dtype=np.int64)
    zeros_below, zeros_above = ((signs == 0).sum(axis=1) for signs in (lower, upper))
    if (zeros_below == zeros_above[0] + 1).all() and (zeros_above == zeros_above[0]).all():
        return _by_one_row(lower, upper)
    return _by_flats(lower, upper)


class _Index:
    """Finds sign vectors by a random linear form with 64-bit wrap-around; what it finds is compared in full."""

    def __init__(self, signs: Signs) -> None:
        rng = np.random.default_rng(0)
        keys = np.zeros(0, dtype=np.int64)
        while len(np.unique(keys)) < len(signs):
            self.weights: NDArray[np.int64] = np.array(rng.integers(-(2**63), 2**63, signs.shape[1]))
            keys = self.keys(signs)
        self._order = np.argsort(keys)
        self._keys = keys[self._order]
        self._signs = signs

    def keys(self, signs: Signs) -> NDArray[np.int64]:
        """The key of each sign vector; that of a sum is the sum of the keys."""
        return signs.astype(np.int64) @ self.weights

    def find(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of the keys that occur, and the indices of the sign vectors that have them."""
        spot = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        places = np.flatnonzero(self._keys[spot] == keys)
        return places, self._order[spot[places]]


def _by_one_row(lower: Signs, upper: Signs) -> IndexPairs:
    """Where dimension is a matter of the number of zeros: turn one zero of the lower face to either sign."""
    index = _Index(upper)
    base = index.keys(lower)
    zeros = np.nonzero(lower == 0)[1].reshape(len(lower), -1)
    found = []
    for sign in (-1, 1):
        for column in zeros.T:
            i, j = index.find(base + sign * index.weights[column])
            expected = lower[i]
            expected[np.arange(len(i)), column[i]] = sign
            same = (upper[j] == expected).all(axis=1)
            found.append(np.stack([i[same], j[same]], axis=1))
    return np.concatenate(found)


def _by_flats(lower: Signs, upper: Signs) -> IndexPairs:
    """In general: a facet of X lies in a flat that holds more zeros than X, and is X with these set to zero."""
    flats_below = np.unique(lower == 0, axis=0)
    flats_above, group = np.unique(upper == 0, axis=0, return_inverse=True)
    index = _Index(lower)
    found = [np.zeros((0, 2), dtype=np.int64)]
    for number, flat in enumerate(flats_above):
        members = np.flatnonzero(group == number)
        for below in flats_below[(flats_below >= flat).all(axis=1)]:
            masked = np.where(below, np.int8(0), upper[members])
            places, i = index.find(index.keys(masked))
            same = (lower[i] == masked[places]).all(axis=1)
            found.append(np.stack([i[same], members[places[same]]], axis=1))
    return np.concatenate(found)

"""The largest Jacobian over all cells of the neurons' arrangement, enumerated.

Norms in floats leave a few cells that may be the best. Those are compared exactly, the largest first, and each must be
shown to meet the domain before it counts. Where too many miss a small domain, branch and bound is the better way.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from polyinj.geometry.arrangement import Arrangement
from polyinj.lipschitz.incumbent import Record
from polyinj.lipschitz.operator_norm import float_norms

_MOST_MISSES = 2000


def most_cells(record: Record) -> int:
    """How many cells the enumeration has at most: those of an arrangement in general position."""
    k, n = len(record.jacobians.neurons), record.jacobians.shape[1]
    if record.jacobians.layer.is_linear:
        return 2 * sum(comb(k - 1, i) for i in range(min(n, k))) if k else 1
    return sum(comb(k, i) for i in range(min(n, k) + 1))


def search_cells(record: Record) -> int | None:
    """Offer every cell that may be the best to the record.

    Returns
    -------
    int or None
        The number of cells looked at; None if it was given up since too many missed the domain.
    """
    layer = record.jacobians.layer
    if not record.jacobians.neurons:
        _offer(record, np.zeros((1, 0), dtype=bool))
        return 1
    lifted = layer.lifted()
    arrangement = Arrangement(lifted) if layer.is_linear else Arrangement(lifted[:, :-1], lifted[:, -1])
    count = misses = 0
    for signs in arrangement.iter_cells():
        count += len(signs)
        misses += _offer(record, signs > 0)
        if misses > _MOST_MISSES:
            return None
    return count


def _offer(record: Record, active: NDArray[np.bool_]) -> int:
    """Offer cells given by their positive neurons, until they are used up or too many miss the domain; the misses."""
    jacobians = record.jacobians
    matrices = jacobians.base_floats + active.astype(np.float64) @ jacobians.steps
    if record.norm == 2 and 1 not in jacobians.shape:
        # The Frobenius norm is no less, and cheaper.
        left = np.flatnonzero(record.may_improve(np.sqrt((matrices**2).sum(axis=1))))
        active, matrices = active[left], matrices[left]
    norms = float_norms(matrices, jacobians.shape, record.norm)
    left = np.flatnonzero(record.may_improve(norms))
    neurons, misses = range(active.shape[1]), 0
    for i in left[np.argsort(-norms[left])]:
        signs = active[i].tolist()
        if misses > _MOST_MISSES or not record.may_improve(norms[i]):
            break
        if record.best is not None and not record.value(signs).exceeds(record.best):
            continue
        pattern = [1 if s else -1 for s in signs]
        found = record.finder.find(neurons, pattern)
        if found is None:
            misses += 1
        else:
            record.offer(signs, record.finder.witness(neurons, pattern, found.point))
    return misses

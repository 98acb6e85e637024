"""The largest Jacobian over all cells of the neurons' arrangement, enumerated.

Norms in floats leave a few cells that may be the best. Those are compared exactly, the largest first, and each must be
shown to meet the domain before it counts. Where too many miss a small domain, branch and bound is the better way.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from polyinj.geometry.arrangement import Arrangement
from polyinj.lipschitz.incumbent import Incumbent
from polyinj.lipschitz.operator_norm import float_norms

_MOST_MISSES = 2000


def most_cells(incumbent: Incumbent) -> int:
    """How many cells the enumeration has at most: those of an arrangement in general position."""
    k, n = len(incumbent.jacobians.neurons), incumbent.jacobians.shape[1]
    if incumbent.jacobians.layer.is_linear:
        return 2 * sum(comb(k - 1, i) for i in range(min(n, k))) if k else 1
    return sum(comb(k, i) for i in range(min(n, k) + 1))


def search_cells(incumbent: Incumbent) -> int | None:
    """Offer every cell that may be the best to the incumbent.

    Returns
    -------
    int or None
        The number of cells compared; None if it was given up since too many missed the domain.
    """
    layer = incumbent.jacobians.layer
    if not incumbent.jacobians.neurons:
        _offer(incumbent, np.zeros((1, 0), dtype=bool))
        return 1
    lifted = layer.lifted()
    arrangement = Arrangement(lifted) if layer.is_linear else Arrangement(lifted[:, :-1], lifted[:, -1])
    count = misses = 0
    for signs in arrangement.iter_cells():
        count += len(signs)
        misses += _offer(incumbent, signs > 0)
        if misses > _MOST_MISSES:
            return None
    return count


def _offer(incumbent: Incumbent, active: NDArray[np.bool_]) -> int:
    """Offer cells given by their positive neurons, until they are used up or too many miss the domain; the misses."""
    jacobians = incumbent.jacobians
    matrices = jacobians.base_floats + active.astype(np.float64) @ jacobians.steps
    if incumbent.norm == 2 and 1 not in jacobians.shape:
        # The Frobenius norm is no less, and cheaper.
        left = np.flatnonzero(incumbent.may_improve(np.sqrt((matrices**2).sum(axis=1))))
        active, matrices = active[left], matrices[left]
    norms = float_norms(matrices, jacobians.shape, incumbent.norm)
    left = np.flatnonzero(incumbent.may_improve(norms))
    neurons, misses = range(active.shape[1]), 0
    for i in left[np.argsort(-norms[left])]:
        signs = active[i].tolist()
        if misses > _MOST_MISSES or not incumbent.may_improve(norms[i]):
            break
        if incumbent.best is not None and not incumbent.value(signs).exceeds(incumbent.best):
            continue
        pattern = [1 if s else -1 for s in signs]
        found = incumbent.finder.find(neurons, pattern)
        if found is None:
            misses += 1
        else:
            incumbent.offer(signs, incumbent.finder.witness(neurons, pattern, found.point))
    return misses

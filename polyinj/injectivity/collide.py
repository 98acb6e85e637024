"""Two inputs with one image: from a direction along which the layer loses information to a collision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STARTS = 50
_STEPS = 2000


def find_direction(rows: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """A direction with few active rows #{i : w_i.x >= 0}, by descent; nothing is proven about it.

    From -mean of the normalised rows, then from random starts: step away from the active row with the smallest value,
    which is the cheapest to switch off, and keep the best direction met.

    Parameters
    ----------
    rows : ndarray, shape (m, n)
    seed : int
        Seed of the random starts.

    Returns
    -------
    ndarray, shape (n,)
    """
    rng = np.random.default_rng(seed)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(norms > 0, norms, 1)
    best, fewest = np.ones(rows.shape[1]), len(rows) + 1
    for start in range(_STARTS):
        x = np.asarray(rng.standard_normal(rows.shape[1]) if start else -unit.mean(axis=0))
        for _ in range(_STEPS // _STARTS):
            values = unit @ x
            active = values >= 0
            if (count := int(active.sum())) < fewest:
                best, fewest = x, count
            if not active.any():
                return x
            size = float(np.linalg.norm(x)) or 1.0
            nearest = np.flatnonzero(active)[np.argmin(values[active])]
            x = x / size - (values[nearest] / size + 0.01) * unit[nearest]
    return best

"""Are these all the extreme rays? An exact check of a list of rays that floating point proposed.

A proposal names each ray of a pointed cone {t : rows t >= 0} by rows that are tight on it. The check takes nothing else
from the proposal:

1. The tight rows have a kernel of dimension 1; one of its two directions satisfies every row. So it is an extreme ray,
   and all its tight rows are known exactly.
2. No ray comes twice.
3. Every edge is walked: at each ray the number of proposed rays adjacent to it (common tight rows of corank 2) equals
   the number of 2-faces that meet there. That number is columns - 1 where columns - 1 rows are tight; else it is the
   number of extreme rays of the cone of the tight rows modulo the ray, found by exact double description.

The graph of extreme rays and 2-faces of a pointed cone is connected, so a nonempty list that passes is the whole list.
An empty list is right where some combination of the rows with all weights positive is zero (Stiemke).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from polyinj.exact import algebra
from polyinj.exact.farkas import Combination, farkas
from polyinj.geometry.exact_cone import extreme_rays, signs

# Bounds the memory of one comparison of rays with rays.
_RAYS_AT_A_TIME = 512


def certified_rays(
    rows: algebra.IntegerRows, columns: int, tight_sets: Iterable[Iterable[int]]
) -> list[list[int]] | None:
    """All extreme rays of {t in R^columns : rows t >= 0} from proposed tight sets, or None if the check fails.

    Parameters
    ----------
    rows : list of lists of int
        Nonzero, of full column rank.
    columns : int
        At least 1.
    tight_sets : iterable of iterables of int
        For each proposed ray, indices of rows that are tight on it.

    Returns
    -------
    list of lists of int, or None
        Exact rays. None says that the proposal is incomplete, repeated or wrong.
    """
    proposals = [sorted(proposed) for proposed in tight_sets]
    kernels = [algebra.kernel([rows[i] for i in proposed], columns) for proposed in proposals]
    if not kernels:
        return [] if _only_origin(rows) else None
    if any(len(basis) != 1 for basis in kernels):
        return None
    zero = np.zeros((len(kernels), len(rows)), dtype=bool)
    for known, proposed in zip(zero, proposals, strict=True):
        known[proposed] = True
    values = signs([basis[0] for basis in kernels], rows, zero)
    turned = np.where(values.min(axis=1) < 0, -1, 1).tolist()
    if (values.min(axis=1) * values.max(axis=1) < 0).any():
        return None
    rays = [[sign * entry for entry in basis[0]] for sign, basis in zip(turned, kernels, strict=True)]
    if len(set(map(tuple, rays))) < len(rays):
        return None
    incidence = (values == 0).astype(np.float32)
    return rays if _is_complete(rows, columns, rays, incidence) else None


def _is_complete(
    rows: algebra.IntegerRows, columns: int, rays: algebra.IntegerRows, incidence: NDArray[np.float32]
) -> bool:
    """Whether every edge is walked; incidence[ray, row] is 1 where the row is tight."""
    if columns == 1:
        return len(rays) == 1
    simple = incidence.sum(axis=1) == columns - 1
    for start in range(0, len(rays), _RAYS_AT_A_TIME):
        block = incidence[start : start + _RAYS_AT_A_TIME]
        # A ray shares columns - 1 rows or more with itself, so it is not counted.
        neighbours = (block @ incidence.T == columns - 2).sum(axis=1)
        if (neighbours[simple[start : start + _RAYS_AT_A_TIME]] != columns - 1).any():
            return False
    return all(_all_edges_walked(rows, columns, rays[i], i, incidence) for i in np.flatnonzero(~simple).tolist())


def _only_origin(rows: algebra.IntegerRows) -> bool:
    return isinstance(farkas(rows, [-sum(column) for column in zip(*rows, strict=True)]), Combination)


def _all_edges_walked(
    rows: algebra.IntegerRows, columns: int, ray: Sequence[int], index: int, incidence: NDArray[np.float32]
) -> bool:
    """For a ray where more than columns - 1 >= 1 rows are tight."""
    tight = np.flatnonzero(incidence[index])
    shared = incidence @ incidence[index]
    shared[index] = -1
    neighbours = 0
    for other in np.flatnonzero(shared >= columns - 2):
        common = np.flatnonzero(incidence[index] * incidence[other])
        neighbours += algebra.rank([rows[i] for i in common]) == columns - 2
    # Modulo the ray: set the coordinate of its pivot to zero.
    at = algebra.pivot(ray)
    local = [[v for j, v in enumerate(rows[i]) if j != at] for i in tight]
    return neighbours == len(extreme_rays(local, columns - 1))

"""Topology of {x on the unit sphere : at most k rows positive}, a regular cell complex whose cells are faces.

Let l be the lineality. A face of linear dimension d > l is an open ball of dimension d - 1 on the sphere, and the
closed set is the l-fold suspension of the complex in the essential arrangement: its Betti numbers move up by l.

The set comes as the list of its faces of linear dimension l, l + 1, ..., n, each an array of sign vectors; the first
holds one, that of the lineality space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from polyinj.geometry import homology
from polyinj.geometry.incidence import IndexPairs, Signs, incidences


@dataclass(frozen=True, slots=True)
class Component:
    """A connected component of {x on the unit sphere : at most k rows positive}.

    Attributes
    ----------
    cells : int
        Number of n-dimensional cells in it (0 is possible without general position).
    faces : int
        Number of all its faces.
    fewest_positives : int
        The least number of positives in it.
    signs : ndarray of int8, shape (m,)
        A face of it of the largest dimension that occurs, with the fewest positives among those.
    point : tuple of int
        A point in the relative interior of that face.
    """

    cells: int
    faces: int
    fewest_positives: int
    signs: Signs = field(repr=False)
    point: tuple[int, ...]


def euler_characteristic_from_rays(histogram: NDArray[np.int64], max_positive: int) -> int:
    """Euler characteristic of {x on the unit sphere : at most max_positive rows positive} in general position.

    The faces whose lowest vertex is a ray with p positives and r tight rows, `a` of which turn positive upwards, add
    up to 0 unless a = r: a row that turns negative leads to a pair of faces with the same positives. If a = r, they
    give sum_{j <= s} (-1)^j C(r, j) = (-1)^s C(r - 1, s) with s = max_positive - p (1 if r = 0 <= s). A ray of slice k
    stands for faces of one dimension more for each slice: a factor (-1)^k. Antipodes: a = 0, and the
    m - (n - 1 - k) - p rows that were negative are positive.

    Parameters
    ----------
    histogram : ndarray of int64, shape (n, n, m + 1, n)
        Of `sweep.count_faces` of a central arrangement in general position whose rays were all certain in floating
        point (others are not in it).
    max_positive : int
    """
    n, _, width, _ = histogram.shape
    m = width - 1
    total = 0
    for flat in range(n):
        for k in range(n - flat):
            r = n - flat - k - 1
            nonzero = m - flat - r
            for p in range(m):
                # The histogram leaves out the row of the chart, which is positive.
                up, down = (int(histogram[flat, k, p, a]) for a in (r, 0))
                rising, falling = max_positive - p - 1, max_positive - (nonzero - p - 1)
                total += (-1) ** k * (up * _alternating(r, rising) + down * _alternating(r, falling))
    return total


def _alternating(r: int, top: int) -> int:
    """sum_{j <= top} (-1)^j C(r, j)."""
    if top < 0:
        return 0
    return (-1) ** top * comb(r - 1, top) if r else 1


def betti_numbers(faces: list[Signs], lineality: int) -> list[int]:
    """b_0, ..., b_{n-1} over GF(2) of the set with these faces."""
    essential = homology.betti_numbers([len(signs) for signs in faces[1:]], _boundaries(faces[1:]))
    # Reduced homology moves up by one with each suspension; that of the empty set is 1 in degree -1.
    reduced = [0] * lineality + [int(not any(essential)), *essential]
    if any(essential):
        reduced[lineality + 1] -= 1
    betti = reduced[1:]
    if reduced[0] == 0:
        betti[0] += 1
    return betti


def components(
    faces: list[Signs], lineality_space: list[list[int]], inner_point: Callable[[Signs], Sequence[int]]
) -> list[Component]:
    """The connected components of the set with these faces, those with the fewest positives first.

    Parameters
    ----------
    faces : list of ndarray of int8
    lineality_space : list of lists of int
        A basis of the lineality space.
    inner_point : callable
        An integer point in the relative interior of the face with these signs.
    """
    if lineality_space:
        return _suspended(faces, lineality_space, inner_point)
    faces = faces[1:]
    sizes = [len(signs) for signs in faces]
    starts = np.cumsum([0, *sizes])
    links = np.concatenate(
        [
            np.zeros((0, 2), dtype=np.int64),
            *(pairs + starts[d : d + 2] for d, pairs in enumerate(_boundaries(faces))),
        ]
    )
    graph = coo_array((np.ones(len(links), dtype=np.int8), (links[:, 0], links[:, 1])), shape=(starts[-1], starts[-1]))
    number, labels = connected_components(graph, directed=False)
    by_dimension = np.split(labels, starts[1:-1])
    found = [
        _component([signs[label == c] for signs, label in zip(faces, by_dimension, strict=True)], inner_point)
        for c in range(number)
    ]
    return sorted(found, key=lambda component: (component.fewest_positives, component.signs.tolist()))


def _boundaries(faces: list[Signs]) -> list[IndexPairs]:
    return [incidences(lower, upper) for lower, upper in pairwise(faces)]


def _component(faces: list[Signs], inner_point: Callable[[Signs], Sequence[int]]) -> Component:
    top = next(signs for signs in reversed(faces) if len(signs))
    signs = top[np.argmin((top > 0).sum(axis=1))]
    return Component(
        cells=len(faces[-1]),
        faces=sum(map(len, faces)),
        fewest_positives=min(int((part > 0).sum(axis=1).min()) for part in faces if len(part)),
        signs=signs,
        point=tuple(inner_point(signs)),
    )


def _suspended(
    faces: list[Signs], lineality_space: list[list[int]], inner_point: Callable[[Signs], Sequence[int]]
) -> list[Component]:
    """With a lineality space, every face is joined to it; it is itself connected on the sphere unless it is a line."""
    if any(map(len, faces[1:])):
        return [_component(faces, inner_point)]
    [signs] = faces[0]
    cells = int(len(faces) == 1)
    point = lineality_space[0]
    ends = [point] if len(lineality_space) > 1 else [point, [-entry for entry in point]]
    return [Component(cells, 1, 0, signs, tuple(end)) for end in ends]

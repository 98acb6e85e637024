"""The extreme rays and the faces of one linear region, from its walls. Sets of walls are kept as bits of integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from polyinj.certificates.bits import bits_of
from polyinj.exact.algebra import IntegerRows, coprime, kernel, pivot_columns, product

Ray = tuple[int, ...]

# Bound of the work on the extreme rays of one region: about a second.
_RAY_STEPS = 6_000_000


def rays_with_walls(
    walls: IntegerRows, dimension: int, check_time: Callable[[], None] = lambda: None
) -> dict[Ray, int]:
    """The extreme rays of {x : walls x >= 0}, in coprime integers, each with the mask of the walls it lies on.

    Double description: begin with as many independent walls as there are dimensions, then cut by one wall after the
    other. A cut leaves the rays that are not behind it, and adds where it meets the two-dimensional faces: those of
    two rays, one on either side, whose common walls hold no third.

    Parameters
    ----------
    walls : list of different nonzero rows of rank `dimension`
    dimension : int
    check_time : callable
        Called again and again; may raise.

    Raises
    ------
    OverflowError
        More than 6 million steps.

    Examples
    --------
    >>> rays_with_walls([[1, 0], [1, 1], [0, 1]], 2)
    {(0, 1): 1, (1, 0): 4}
    """
    first = pivot_columns([list(column) for column in zip(*walls, strict=True)])
    rays: dict[Ray, int] = {}
    for k in first:
        held = [j for j in first if j != k]
        (line,) = kernel([walls[j] for j in held], dimension)
        ahead = product([walls[k]], line)[0] > 0
        rays[tuple(line if ahead else [-entry for entry in line])] = bits_of(held)
    steps = 0
    for k in sorted(set(range(len(walls))) - set(first)):
        values = {ray: product([walls[k]], ray)[0] for ray in rays}
        behind = [ray for ray, value in values.items() if value < 0]
        ahead_of = [ray for ray, value in values.items() if value > 0]
        kept = {ray: held | (1 << k) * (not values[ray]) for ray, held in rays.items() if values[ray] >= 0}
        for low in behind:
            check_time()
            for high in ahead_of:
                common = rays[low] & rays[high]
                steps += 1
                if common.bit_count() >= dimension - 2:
                    steps += len(rays)
                    if sum(held & common == common for held in rays.values()) == 2:
                        cut = [values[high] * a - values[low] * b for a, b in zip(low, high, strict=True)]
                        kept[tuple(coprime(cut))] = common | 1 << k
                if steps > _RAY_STEPS:
                    raise OverflowError(f"finding the extreme rays takes more than {_RAY_STEPS} steps")
        rays = kept
    return rays


def faces(rays: Sequence[Ray], facets: Iterable[frozenset[Ray]]) -> set[frozenset[Ray]]:
    """The proper faces with at least one ray: intersections of facets, each given by its rays."""
    proper = {face for face in facets if 0 < len(face) < len(rays)}
    found: set[frozenset[Ray]] = set()
    fresh = set(proper)
    while fresh:
        found |= fresh
        fresh = {face & facet for face in fresh for facet in proper} - found - {frozenset()}
    return found

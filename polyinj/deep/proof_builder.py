"""From the regions that the search went through to a proof that stands alone: interior points, facets, neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from polyinj.certificates.bits import members
from polyinj.certificates.domain import Cover
from polyinj.certificates.network_certificate import NetworkProof
from polyinj.certificates.part_check import PartName, Separation
from polyinj.certificates.relu_chain import NetworkName, ReluChain
from polyinj.deep.collisions import Part, Verdicts
from polyinj.deep.exact_rays import Rays
from polyinj.deep.linear_regions import Regions
from polyinj.exact.algebra import coprime

# Digits of the interior points that are tried, in turn: most regions hold a short one.
_BITS = (10, 20, 40)

Facet = tuple[int, int, int]


def prove(network: ReluChain, regions: Regions, verdicts: Verdicts) -> NetworkProof:
    """The proof; not verified here."""
    separations = tuple(
        Separation((_name(regions, first), _name(regions, second)), tuple(row))
        for first, second, row in verdicts.separations
    )
    cuts = network.domain.cuts if isinstance(network.domain, Cover) else ()
    return NetworkProof(NetworkName.of(network), _interior_points(regions), _facets(regions), separations, cuts)


def _name(regions: Regions, part: Part) -> PartName:
    """The region and the neurons that are positive in it and vanish on the part."""
    positive = 0
    for ray in part.rays:
        positive |= regions.positive[ray]
    forced = regions.patterns[part.region][-1][0] & ~positive
    return part.region, tuple(members(forced))


def _interior_points(regions: Regions) -> tuple[tuple[int, ...], ...]:
    """A point of each region, in integers as short as the list above has them, at worst the sum of its rays."""
    points: list[tuple[int, ...]] = [()] * len(regions.cells)
    left = list(range(len(regions.cells)))
    for bits in _BITS:
        tries = [_rounded_centre(regions, regions.cells[k], bits) for k in left]
        inside = regions.lie_inside(left, tries)
        for k, point, good in zip(left, tries, inside, strict=True):
            if good:
                points[k] = point
        left = [k for k, good in zip(left, inside, strict=True) if not good]
        if not left:
            return tuple(points)
    for k in left:
        rays = [regions.exact.input(ray) for ray in regions.cells[k]]
        top = max(max(map(abs, ray)).bit_length() for ray in rays)
        leveled = [[entry << top - max(map(abs, ray)).bit_length() for entry in ray] for ray in rays]
        points[k] = tuple(coprime([sum(line) for line in zip(*leveled, strict=True)]))
    return tuple(points)


def _rounded_centre(regions: Regions, cell: Rays, bits: int) -> tuple[int, ...]:
    rays = np.array([regions.points[ray] for ray in cell])
    sizes = np.abs(rays).max(axis=1, keepdims=True)
    centre = (rays / np.where(sizes > 0, sizes, 1)).sum(axis=0)
    largest = np.abs(centre).max() or 1.0
    return tuple(int(entry) for entry in np.rint(centre / largest * 2.0**bits))


def _facets(regions: Regions) -> tuple[tuple[Facet, ...], ...]:
    """For each region the neurons on its facets, each with the region beyond."""
    if regions.dimension == 1 and not regions.sides:
        positive, negative = regions.patterns[0][0]
        neuron = ((positive | negative) & -(positive | negative)).bit_length() - 1
        return ((1, neuron, 1),), ((1, neuron, 0),)
    walls = [dict(_walls(cell, regions.zeros)) for cell in regions.cells]
    holders: dict[frozenset[int], list[int]] = defaultdict(list)
    for number, found in enumerate(walls):
        for face in found:
            holders[face].append(number)
    # Nothing is beyond a side of the domain.
    places = [(0, 0)] * len(regions.sides)
    places += [(k + 1, i) for k, rows in enumerate(regions.layers) for i in range(len(rows))]
    facets = []
    for number, found in enumerate(walls):
        beyond = ((bit, other) for face, bit in found.items() for other in holders[face] if other != number)
        facets.append(tuple((*places[bit], other) for bit, other in beyond))
    return tuple(facets)


def _walls(cell: Rays, zeros: list[int]) -> Iterator[tuple[frozenset[int], int]]:
    """The facets, as sets of rays, each with the first hyperplane that holds it."""
    held = 0
    for ray in cell:
        held |= zeros[ray]
    found: dict[frozenset[int], int] = {}
    while held:
        bit = (held & -held).bit_length() - 1
        held &= held - 1
        face = frozenset(ray for ray in cell if zeros[ray] >> bit & 1)
        if len(face) < len(cell):
            found.setdefault(face, bit)
    for face, bit in found.items():
        if not any(face < other for other in found):
            yield face, bit

"""Check that no two points share an image, given all linear regions of a network (docs/network-certificate.md).

A part is a region, or a face of one where neurons of the last layer vanish that are positive inside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

from flint import nmod_mat

from polyinj.certificates.bits import bits_where, members
from polyinj.certificates.clock import Clock
from polyinj.certificates.region_rays import Ray, faces
from polyinj.certificates.relu_chain import ReluChain, brief
from polyinj.errors import CertificateError
from polyinj.exact.algebra import rank

PartName = tuple[int, tuple[int, ...]]

# A prime other than the finder's.
_PRIME = 2_147_483_647
_MULTIPLIER = 48_271


@dataclass(frozen=True, slots=True)
class Separation:
    """Two parts, each (region, neurons of the last layer that are positive there and 0 on the part), and a row.

    The row has an entry for each neuron that is positive on both parts, in rising order. It is >= 0 on the outputs of
    the first and <= 0 on those of the second.
    """

    parts: tuple[PartName, PartName]
    row: tuple[int, ...]


@dataclass(slots=True)
class CheckedRegion:
    """A region: its interior point, masks of positive and of vanishing neurons, a layer each, and its extreme rays."""

    point: tuple[int, ...]
    positive: list[int] = field(default_factory=list)
    zero: list[int] = field(default_factory=list)
    rays: list[Ray] = field(default_factory=list)
    tight: list[frozenset[Ray]] = field(default_factory=list)


class PartCheck:
    """The parts of the regions, which come with the outputs of the network on their rays."""

    def __init__(
        self, network: ReluChain, regions: Sequence[CheckedRegion], outputs: dict[Ray, list[int]], clock: Clock
    ) -> None:
        self.regions, self.outputs, self.clock = regions, outputs, clock
        self.n, self.affine = network.dimension, not network.is_linear
        self.width = network.widths[-1] + self.affine
        # 2N combinations of the outputs modulo the prime: ranks of those are lower bounds of ranks.
        mixes = [[pow(_MULTIPLIER, (k + 1) * (i + 1), _PRIME) for i in range(self.width)] for k in range(2 * self.n)]
        self.short: dict[Ray, list[int]] = {}
        for ray, output in outputs.items():
            clock.check()
            self.short[ray] = [sum(a * b for a, b in zip(output, mix, strict=True)) % _PRIME for mix in mixes]
        self.bases: dict[int, list[Ray]] = {}

    def run(self, separations: Sequence[Separation]) -> None:
        """Every region's map has rank N, and no two parts with the same positive neurons have a common image."""
        groups: dict[int, list[tuple[PartName, frozenset[Ray]]]] = defaultdict(list)
        for number, region in enumerate(self.regions):
            if self.residue_rank(region.rays) < self.n and rank([self.outputs[ray] for ray in region.rays]) < self.n:
                raise CertificateError(f"the network collapses region {number}")
            groups[region.positive[-1]].append(((number, ()), frozenset(region.rays)))
        for positive, name, rays in list(self.folds(groups)):
            groups[positive].append((name, rays))
        separated = self.check_separations(separations, groups)
        for parts in groups.values():
            for (first, rays), (second, others) in combinations(parts, 2):
                self.clock.check()
                if frozenset((rays, others)) in separated:
                    continue
                if not (self.is_plain(first, second) or self.is_diagonal(rays, others)):
                    raise CertificateError(f"nothing separates the parts {first} and {second}")

    def check_separations(
        self, separations: Sequence[Separation], groups: dict[int, list[tuple[PartName, frozenset[Ray]]]]
    ) -> set[frozenset[frozenset[Ray]]]:
        """The pairs of cones that the proof separates: each of two parts with the same positive neurons, and once."""
        allowed = sum(comb(len(parts), 2) for parts in groups.values())
        if len(separations) > allowed:
            raise CertificateError(
                f"there are {len(separations)} separations; the network has {allowed} pairs of parts"
            )
        outputs = {rays: positive for positive, parts in groups.items() for _, rays in parts}
        separated: set[frozenset[frozenset[Ray]]] = set()
        for pair in separations:
            self.clock.check()
            rays, others = map(self.rays_of, pair.parts)
            shown = " and ".join(brief((number, *forced)) for number, forced in pair.parts)
            positive = outputs.get(rays)
            if rays == others or positive is None or outputs.get(others) != positive:
                raise CertificateError(f"{shown} are not two parts with the same positive neurons")
            if (cones := frozenset((rays, others))) in separated:
                raise CertificateError(f"the parts {shown} are separated twice")
            separated.add(cones)
            self.check_separation(pair, positive, rays, others)
        return separated

    def rays_of(self, name: PartName) -> frozenset[Ray]:
        """The rays of a part by its name: its region, and all neurons that are positive there and 0 on the part."""
        number, forced = name
        shown = brief((number, *forced))
        if not 0 <= number < len(self.regions) or forced != tuple(sorted(set(forced))):
            raise CertificateError(f"a separation names the part {shown}; there is no such region, or no rising list")
        region = self.regions[number]
        if not all(0 <= i < self.width and region.positive[-1] >> i & 1 for i in forced):
            raise CertificateError(f"a separation names the part {shown}; a neuron is not positive in the region")
        rays = self.rays_where(number, forced)
        if forced != tuple(i for i in members(region.positive[-1]) if not any(self.outputs[ray][i] for ray in rays)):
            raise CertificateError(f"a separation names the part {shown}; other neurons are 0 there too")
        return rays

    def rays_where(self, number: int, forced: Sequence[int]) -> frozenset[Ray]:
        """The rays of a region on which neurons of the last layer vanish."""
        return frozenset(ray for ray in self.regions[number].rays if not any(self.outputs[ray][i] for i in forced))

    def folds(
        self, groups: dict[int, list[tuple[PartName, frozenset[Ray]]]]
    ) -> Iterator[tuple[int, PartName, frozenset[Ray]]]:
        """The faces whose positive neurons are those of no region that holds them; of nested ones the largest."""
        seen: set[frozenset[Ray]] = set()
        for number, region in enumerate(self.regions):
            for face in faces(region.rays, region.tight):
                if face in seen or (self.affine and not any(ray[-1] for ray in face)):
                    continue
                positive = bits_where(any(column) for column in zip(*(self.outputs[ray] for ray in face), strict=True))
                if positive == region.positive[-1]:
                    continue
                seen.add(face)
                name = number, tuple(members(region.positive[-1] & ~positive))
                if self.rays_where(*name) == face and not any(face <= rays for _, rays in groups.get(positive, ())):
                    yield positive, name, face

    def is_plain(self, first: PartName, second: PartName) -> bool:
        """Two regions whose maps agree where d neurons vanish, and nowhere else: rank N + d of both maps together."""
        if first[1] or second[1]:
            return False
        here, there = (self.regions[part[0]] for part in (first, second))
        flips = sum((a ^ b).bit_count() for a, b in zip(here.positive[:-1], there.positive[:-1], strict=True))
        return self.residue_rank(self.basis(first[0]) + self.basis(second[0])) >= self.n + min(self.n, flips)

    def basis(self, number: int) -> list[Ray]:
        """Rays of a region with outputs of full rank modulo the prime, as few as rank alone shows."""
        if number not in self.bases:
            chosen: list[Ray] = []
            for ray in self.regions[number].rays:
                if self.residue_rank([*chosen, ray]) > len(chosen):
                    chosen.append(ray)
            self.bases[number] = chosen
        return self.bases[number]

    def residue_rank(self, rays: Sequence[Ray]) -> int:
        """A lower bound of the rank of the outputs of the rays."""
        rows = [self.short[ray] for ray in rays]
        return int(nmod_mat(len(rows), len(rows[0]), [e for row in rows for e in row], _PRIME).rank())

    def is_diagonal(self, rays: Iterable[Ray], others: Iterable[Ray]) -> bool:
        """Whether points of the two linear hulls with one image are the same point."""
        columns = [self.outputs[ray] for ray in rays] + [[-e for e in self.outputs[ray]] for ray in others]
        inputs = [list(ray) for ray in rays] + [[-entry for entry in ray] for ray in others]
        both = [[*column, *point] for column, point in zip(columns, inputs, strict=True)]
        return not columns or rank(columns) == rank(both)

    def check_separation(self, pair: Separation, positive: int, rays: frozenset[Ray], others: frozenset[Ray]) -> None:
        """The row separates the two parts, but for faces that have nothing in common but equal points."""
        neurons = members(positive)
        if len(pair.row) != len(neurons):
            raise CertificateError(f"the row that separates {pair.parts} has {len(pair.row)} of {len(neurons)} entries")

        def value(ray: Ray) -> int:
            return sum(c * self.outputs[ray][i] for c, i in zip(pair.row, neurons, strict=True))

        if min(map(value, rays)) < 0 or max(map(value, others)) > 0:
            raise CertificateError(f"the row given for {pair.parts} does not separate them")
        left, right = ([ray for ray in part if value(ray) == 0] for part in (rays, others))
        at_infinity = self.affine and not any(ray[-1] for ray in (*left, *right))
        if not (at_infinity or self.is_diagonal(left, right)):
            raise CertificateError(f"where the row given for {pair.parts} is 0 they are not separated")

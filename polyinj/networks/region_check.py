"""Check a `NetworkProof`: the regions are all, and no two points share an image (docs/network-certificate.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import gcd

from flint import fmpz_mat, nmod_mat

from polyinj.errors import CertificateError
from polyinj.geometry.exact import IntegerRows, kernel, product, rank
from polyinj.networks.relu_chain import ReluChain

Ray = tuple[int, ...]
PartName = tuple[int, tuple[int, ...]]
Facets = Sequence[Sequence[tuple[int, int, int]]]

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
class _Region:
    """A region: its interior point, masks of positive and of vanishing neurons, a layer each, and its extreme rays."""

    point: tuple[int, ...]
    positive: list[int] = field(default_factory=list)
    zero: list[int] = field(default_factory=list)
    rays: list[Ray] = field(default_factory=list)
    tight: list[frozenset[Ray]] = field(default_factory=list)


def check_proof(
    network: ReluChain, points: Sequence[tuple[int, ...]], facets: Facets, separations: Sequence[Separation]
) -> None:
    """Check everything; CertificateError names the first fault."""
    _Check(network, points).run(facets, separations)


class _Check:
    def __init__(self, network: ReluChain, points: Sequence[tuple[int, ...]]) -> None:
        self.layers = [fmpz_mat(rows) for rows in network.homogeneous_layers()]
        self.rows = network.homogeneous_layers()
        self.n = network.dimension
        self.affine = not network.is_linear
        self.regions = [_Region(point) for point in points]
        self.known: list[IntegerRows] = []
        self.path: list[tuple[int, int]] = []
        self.outputs: dict[Ray, list[int]] = {}
        # 2N combinations of the outputs modulo the prime: ranks of those are lower bounds of ranks.
        width = len(self.rows[-1])
        self.mixes = [[pow(_MULTIPLIER, (k + 1) * (i + 1), _PRIME) for i in range(width)] for k in range(2 * self.n)]
        self.short: dict[Ray, list[int]] = {}
        self.bases: dict[int, list[Ray]] = {}

    def run(self, facets: Facets, separations: Sequence[Separation]) -> None:
        self.read_signs()
        for number, bounds in enumerate(facets):
            self.check_region(number, bounds)
        self.check_pairs(separations)

    def read_signs(self) -> None:
        """The signs of all neurons at every point, all points at once."""
        for number, region in enumerate(self.regions):
            if len(region.point) != self.n or (self.affine and region.point[-1] <= 0):
                last = ", the last positive" if self.affine else ""
                raise CertificateError(f"point {number} is {region.point}; expected {self.n} integers{last}")
        images = fmpz_mat([list(region.point) for region in self.regions])
        for layer in self.layers:
            table = (images * layer.transpose()).tolist()
            for region, values in zip(self.regions, table, strict=True):
                region.positive.append(_mask(value > 0 for value in values))
                region.zero.append(_mask(value == 0 for value in values))
            images = fmpz_mat([[value if value > 0 else 0 for value in values] for values in table])

    def check_region(self, number: int, bounds: Sequence[tuple[int, int, int]]) -> None:
        """The facets bound the region, and beyond each lies the region that is named."""
        region = self.regions[number]
        layers = self.linear_maps(region)
        for matrix, zero in zip(layers, region.zero, strict=True):
            if any(any(matrix[i]) for i in _bits(zero)):
                raise CertificateError(f"point {number} lies on a hyperplane, not inside a region")
        walls: IntegerRows = [[0] * (self.n - 1) + [1]] if self.affine else []
        for layer, neuron, beyond in bounds:
            if not (1 <= layer <= len(layers) and 0 <= neuron < len(self.rows[layer - 1])):
                raise CertificateError(f"a facet of region {number} names neuron {neuron} of layer {layer}")
            row = layers[layer - 1][neuron]
            if region.zero[layer - 1] >> neuron & 1:
                raise CertificateError(f"a facet of region {number} names a neuron that vanishes there")
            wall = row if region.positive[layer - 1] >> neuron & 1 else [-entry for entry in row]
            self.check_neighbour(number, layers, wall, beyond)
            walls.append(_coprime(wall))
        self.find_rays(number, walls)
        for matrix, positive, zero in zip(layers, region.positive, region.zero, strict=True):
            values = (fmpz_mat(matrix) * fmpz_mat([list(ray) for ray in region.rays]).transpose()).tolist()
            for i, line in enumerate(values):
                if not zero >> i & 1 and (min(line) < 0 if positive >> i & 1 else max(line) > 0):
                    raise CertificateError(f"the facets of region {number} do not bound it")
        for ray, column in zip(region.rays, zip(*values, strict=True), strict=True):
            if ray not in self.outputs:
                output = [int(c) if region.positive[-1] >> i & 1 else 0 for i, c in enumerate(column)]
                self.outputs[ray] = output
                self.short[ray] = [sum(a * b for a, b in zip(output, mix, strict=True)) % _PRIME for mix in self.mixes]

    def linear_maps(self, region: _Region) -> list[IntegerRows]:
        """For each layer the matrix from the input to its values; what the region before had in common is reused."""
        path = list(zip(region.positive, region.zero, strict=True))
        shared = 0
        while shared < len(self.path) and self.path[shared] == path[shared]:
            shared += 1
        # The values of layer k + 1 depend on the signs of layers 1..k.
        maps = self.known[: shared + 1]
        while len(maps) < len(self.layers):
            if not maps:
                maps.append(self.rows[0])
                continue
            positive = region.positive[len(maps) - 1]
            passed = [row if positive >> i & 1 else [0] * self.n for i, row in enumerate(maps[-1])]
            matrix = (self.layers[len(maps)] * fmpz_mat(passed)).tolist()
            maps.append([[int(entry) for entry in row] for row in matrix])
        self.path, self.known = path, maps
        return maps

    def check_neighbour(self, number: int, layers: list[IntegerRows], wall: list[int], beyond: int) -> None:
        """`beyond` lies on the other side, and has other signs only where the neuron vanishes on the wall."""
        if not 0 <= beyond < len(self.regions):
            raise CertificateError(f"a facet of region {number} leads to region {beyond}, which is not listed")
        here, there = self.regions[number], self.regions[beyond]
        if product([wall], there.point)[0] >= 0:
            raise CertificateError(f"region {beyond} is not beyond the facet of region {number} that leads there")
        for k, matrix in enumerate(layers):
            changed = (here.positive[k] ^ there.positive[k]) | (here.zero[k] ^ there.zero[k])
            for i in _bits(changed):
                if not _parallel(matrix[i], wall):
                    raise CertificateError(
                        f"region {beyond} does not touch region {number}: neuron {i} of layer {k + 1} changes its sign"
                    )

    def find_rays(self, number: int, walls: IntegerRows) -> None:
        """The extreme rays of {x : walls x >= 0}, each subset of N - 1 walls in turn."""
        if rank(walls) < self.n:
            raise CertificateError(f"the facets of region {number} leave it a line")
        region, found = self.regions[number], dict[Ray, None]()
        for chosen in combinations(walls, self.n - 1):
            lines = kernel(list(chosen), self.n)
            if len(lines) != 1:
                continue
            values = product(walls, lines[0])
            if min(values) >= 0 or max(values) <= 0:
                found[tuple(lines[0] if max(values) > 0 else [-entry for entry in lines[0]])] = None
        region.rays = list(found)
        region.tight = [frozenset(ray for ray in region.rays if not product([wall], ray)[0]) for wall in walls]

    def check_pairs(self, separations: Sequence[Separation]) -> None:
        """Every region's map has rank N, and no two parts with the same positive neurons have a common image."""
        given = {frozenset(self.rays_of(name) for name in pair.parts): pair for pair in separations}
        groups: dict[int, list[tuple[PartName, frozenset[Ray]]]] = defaultdict(list)
        for number, region in enumerate(self.regions):
            if self.residue_rank(region.rays) < self.n and rank([self.outputs[ray] for ray in region.rays]) < self.n:
                raise CertificateError(f"the network collapses region {number}")
            groups[region.positive[-1]].append(((number, ()), frozenset(region.rays)))
        for positive, name, rays in list(self.folds(groups)):
            groups[positive].append((name, rays))
        for positive, parts in groups.items():
            for (first, rays), (second, others) in combinations(parts, 2):
                if self.is_plain(first, second) or self.is_diagonal(rays, others):
                    continue
                pair = given.get(frozenset((rays, others)))
                if pair is None:
                    raise CertificateError(f"nothing separates the parts {first} and {second}")
                self.check_separation(pair, positive)

    def rays_of(self, name: PartName) -> frozenset[Ray]:
        """The rays of a part by its name."""
        number, forced = name
        if not (0 <= number < len(self.regions) and all(0 <= i < len(self.rows[-1]) for i in forced)):
            raise CertificateError(f"a separation names the part {name}; there is no such region or neuron")
        return frozenset(ray for ray in self.regions[number].rays if not any(self.outputs[ray][i] for i in forced))

    def folds(
        self, groups: dict[int, list[tuple[PartName, frozenset[Ray]]]]
    ) -> Iterator[tuple[int, PartName, frozenset[Ray]]]:
        """The faces whose positive neurons are those of no region that holds them; of nested ones the largest."""
        seen: set[frozenset[Ray]] = set()
        for number, region in enumerate(self.regions):
            for face in _faces(region):
                if face in seen or (self.affine and not any(ray[-1] for ray in face)):
                    continue
                positive = _mask(any(column) for column in zip(*(self.outputs[ray] for ray in face), strict=True))
                if positive == region.positive[-1]:
                    continue
                seen.add(face)
                name = number, tuple(_bits(region.positive[-1] & ~positive))
                if self.rays_of(name) == face and not any(face <= rays for _, rays in groups.get(positive, ())):
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

    def check_separation(self, pair: Separation, positive: int) -> None:
        """The row separates the two parts, but for faces that have nothing in common but equal points."""
        neurons = list(_bits(positive))
        rays, others = (self.rays_of(name) for name in pair.parts)
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


def _faces(region: _Region) -> set[frozenset[Ray]]:
    """The proper faces with at least one ray: intersections of facets."""
    facets = {face for face in region.tight if 0 < len(face) < len(region.rays)}
    found: set[frozenset[Ray]] = set()
    fresh = set(facets)
    while fresh:
        found |= fresh
        fresh = {face & facet for face in fresh for facet in facets} - found - {frozenset()}
    return found


def _mask(flags: Iterator[bool] | Sequence[bool]) -> int:
    return sum(1 << i for i, flag in enumerate(flags) if flag)


def _bits(mask: int) -> Iterator[int]:
    i = 0
    while mask >> i:
        if mask >> i & 1:
            yield i
        i += 1


def _coprime(row: list[int]) -> list[int]:
    divisor = gcd(*row)
    return [entry // divisor for entry in row]


def _parallel(row: list[int], wall: list[int]) -> bool:
    """Whether the row is a multiple of the wall, 0 included."""
    at = next(j for j, entry in enumerate(wall) if entry)
    return all(a * wall[at] == row[at] * b for a, b in zip(row, wall, strict=True))

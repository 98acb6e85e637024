"""Check a `NetworkProof`: the regions are all, and no two points share an image (docs/network-certificate.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

from flint import fmpz_mat, nmod_mat

from polyinj.certificates.clock import Clock
from polyinj.certificates.relu_chain import ReluChain, brief
from polyinj.errors import CertificateError
from polyinj.exact.algebra import IntegerRows, coprime, kernel, pivot_columns, product, rank

Ray = tuple[int, ...]
PartName = tuple[int, tuple[int, ...]]
Facets = Sequence[Sequence[tuple[int, int, int]]]

# A prime other than the finder's.
_PRIME = 2_147_483_647
_MULTIPLIER = 48_271
# Bound of the work on the extreme rays of one region: about a second.
_RAY_STEPS = 6_000_000
# Points whose signs are read at once: a repeated one is met before much memory is taken.
_POINTS_AT_A_TIME = 512


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
    network: ReluChain,
    points: Sequence[tuple[int, ...]],
    facets: Facets,
    separations: Sequence[Separation],
    clock: Clock,
) -> None:
    """Check everything, sizes first; CertificateError names the first fault, or says that the time ran out."""
    lengths = [max(len(pair.row), *(len(forced) for _, forced in pair.parts)) for pair in separations]
    check_lengths(network, list(map(len, points)), list(map(len, facets)), lengths)
    bits = largest_bits(network)
    for number, point in enumerate(points):
        if not network.is_linear and point[-1] <= 0:
            raise CertificateError(
                f"point {number} has a last entry <= 0; expected {network.dimension} integers, the last positive"
            )
        _check_bits(point, bits, f"point {number}")
    for number, pair in enumerate(separations):
        _check_bits(pair.row, bits, f"separation {number}")
    _Check(network, points, clock).run(facets, separations)


def check_lengths(network: ReluChain, points: Sequence[int], facets: Sequence[int], separations: Sequence[int]) -> None:
    """Refuse what no proof about this network can be as large as; docs/network-certificate.md states the bounds.

    Given are the entries of each point, the facets of each region, and of each separation the longest list.
    """
    n = network.dimension
    rows = [width + (not network.is_linear) for width in network.widths[1:]]
    regions = 1
    for width in rows:
        regions *= 2 * sum(comb(width - 1, j) for j in range(n))
    if len(points) > regions:
        raise CertificateError(f"there are {len(points)} points; the network has at most {regions} regions")
    for number, length in enumerate(points):
        if length != n:
            raise CertificateError(f"point {number} has {length} entries; expected {n} integers")
    for number, length in enumerate(facets):
        if length > sum(rows):
            raise CertificateError(f"region {number} has {length} facets; the network has {sum(rows)} neurons")
    for number, length in enumerate(separations):
        if length > rows[-1]:
            raise CertificateError(f"separation {number} has a list of {length}; the last layer has {rows[-1]} neurons")
    # At most N - 1 of a region's walls, t >= 0 among them, make a face.
    parts = len(points) * (max(facets, default=0) + 2) ** (n - 1)
    if len(separations) > comb(parts, 2):
        raise CertificateError(
            f"there are {len(separations)} separations; {len(points)} regions have fewer pairs of parts"
        )


def largest_bits(network: ReluChain) -> int:
    """The length in bits that no number of a proof needs to exceed."""
    layers = network.homogeneous_layers()
    # Rows of R_k have entries below 2^depth, extreme rays are minors of N - 1 of them, rows that separate are minors
    # of outputs of rays.
    depth = sum(max(sum(map(abs, row)) for row in rows).bit_length() for rows in layers)
    n, width = network.dimension, max(map(len, layers))
    ray = n * (depth + n.bit_length() + width.bit_length())
    return 64 + (len(layers[-1]) + 1) * (ray + depth + width.bit_length())


def _check_bits(values: Iterable[int], bits: int, name: str) -> None:
    longest = max((value.bit_length() for value in values), default=0)
    if longest > bits:
        raise CertificateError(f"{name} has a number of {longest} bits; allowed are {bits}")


class _Check:
    def __init__(self, network: ReluChain, points: Sequence[tuple[int, ...]], clock: Clock) -> None:
        self.check_time = clock.check
        self.rows = network.homogeneous_layers()
        self.layers = [fmpz_mat(rows) for rows in self.rows]
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
        """The signs of all neurons at every point; no two points have the same."""
        seen: dict[tuple[int, ...], int] = {}
        for start in range(0, len(self.regions), _POINTS_AT_A_TIME):
            self.check_time()
            regions = self.regions[start : start + _POINTS_AT_A_TIME]
            images = fmpz_mat([list(region.point) for region in regions])
            for layer in self.layers:
                table = (images * layer.transpose()).tolist()
                for region, values in zip(regions, table, strict=True):
                    region.positive.append(_mask(value > 0 for value in values))
                    region.zero.append(_mask(value == 0 for value in values))
                images = fmpz_mat([[value if value > 0 else 0 for value in values] for values in table])
            for number, region in enumerate(regions, start=start):
                first = seen.setdefault((*region.positive, *region.zero), number)
                if first != number:
                    raise CertificateError(f"the points {first} and {number} lie in one region")

    def check_region(self, number: int, bounds: Sequence[tuple[int, int, int]]) -> None:
        """The facets bound the region, no two on one wall, and beyond each lies the region that is named."""
        self.check_time()
        region = self.regions[number]
        layers = self.linear_maps(region)
        for matrix, zero in zip(layers, region.zero, strict=True):
            if any(any(matrix[i]) for i in _bits(zero)):
                raise CertificateError(f"point {number} lies on a hyperplane, not inside a region")
        walls: IntegerRows = [[0] * (self.n - 1) + [1]] if self.affine else []
        known = set(map(tuple, walls))
        for layer, neuron, beyond in bounds:
            if not (1 <= layer <= len(layers) and 0 <= neuron < len(self.rows[layer - 1])):
                raise CertificateError(
                    f"a facet of region {number} names neuron i of layer k, (i, k) = {brief((neuron, layer))}"
                )
            row = layers[layer - 1][neuron]
            if region.zero[layer - 1] >> neuron & 1:
                raise CertificateError(f"a facet of region {number} names a neuron that vanishes there")
            wall = row if region.positive[layer - 1] >> neuron & 1 else [-entry for entry in row]
            self.check_neighbour(number, layers, wall, beyond)
            wall = coprime(wall)
            if tuple(wall) in known:
                raise CertificateError(f"two facets of region {number} have the same wall")
            known.add(tuple(wall))
            walls.append(wall)
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
            raise CertificateError(
                f"a facet of region {number} leads to region {brief((beyond,))}, which is not listed"
            )
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
        """The extreme rays of {x : walls x >= 0}, and those on each wall."""
        if rank(walls) < self.n:
            raise CertificateError(f"the facets of region {number} leave it a line")
        try:
            rays = extreme_rays(walls, self.n, self.check_time)
        except OverflowError as error:
            raise CertificateError(f"the facets of region {number}: {error}") from None
        region = self.regions[number]
        region.rays = list(rays)
        region.tight = [frozenset(ray for ray, held in rays.items() if held >> k & 1) for k in range(len(walls))]

    def check_pairs(self, separations: Sequence[Separation]) -> None:
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
                self.check_time()
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
            self.check_time()
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
        if not all(0 <= i < len(self.rows[-1]) and region.positive[-1] >> i & 1 for i in forced):
            raise CertificateError(f"a separation names the part {shown}; a neuron is not positive in the region")
        rays = self.rays_where(number, forced)
        if forced != tuple(i for i in _bits(region.positive[-1]) if not any(self.outputs[ray][i] for ray in rays)):
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
            for face in _faces(region):
                if face in seen or (self.affine and not any(ray[-1] for ray in face)):
                    continue
                positive = _mask(any(column) for column in zip(*(self.outputs[ray] for ray in face), strict=True))
                if positive == region.positive[-1]:
                    continue
                seen.add(face)
                name = number, tuple(_bits(region.positive[-1] & ~positive))
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
        neurons = list(_bits(positive))
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


def extreme_rays(walls: IntegerRows, dimension: int, check_time: Callable[[], None] = lambda: None) -> dict[Ray, int]:
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
    >>> extreme_rays([[1, 0], [1, 1], [0, 1]], 2)
    {(0, 1): 1, (1, 0): 4}
    """
    first = pivot_columns([list(column) for column in zip(*walls, strict=True)])
    rays: dict[Ray, int] = {}
    for k in first:
        held = [j for j in first if j != k]
        (line,) = kernel([walls[j] for j in held], dimension)
        ahead = product([walls[k]], line)[0] > 0
        rays[tuple(line if ahead else [-entry for entry in line])] = sum(1 << j for j in held)
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


def _parallel(row: list[int], wall: list[int]) -> bool:
    """Whether the row is a multiple of the wall, 0 included."""
    at = next(j for j, entry in enumerate(wall) if entry)
    return all(a * wall[at] == row[at] * b for a, b in zip(row, wall, strict=True))

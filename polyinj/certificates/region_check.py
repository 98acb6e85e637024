"""Check a `NetworkProof`: the regions are all of the network, and no two points share an image.

docs/network-certificate.md says why what is checked is enough; `part_check` has the second half.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import fmpz_mat

from polyinj.certificates.bits import bits_where, members
from polyinj.certificates.clock import Clock
from polyinj.certificates.network_sizes import check_bits, check_lengths, largest_bits
from polyinj.certificates.part_check import CheckedRegion, PartCheck, Separation
from polyinj.certificates.region_rays import Ray, rays_with_walls
from polyinj.certificates.relu_chain import ReluChain, brief
from polyinj.errors import CertificateError
from polyinj.exact.algebra import IntegerRows, coprime, product, rank

Facets = Sequence[Sequence[tuple[int, int, int]]]

# Points whose signs are read at once: a repeated one is found before much memory is taken.
_POINTS_AT_A_TIME = 512


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
    bits, sides = largest_bits(network), network.sides()
    for number, point in enumerate(points):
        if not network.is_linear and point[-1] <= 0:
            raise CertificateError(
                f"point {number} has a last entry <= 0; expected {network.dimension} integers, the last positive"
            )
        check_bits(point, bits, f"point {number}")
        if any(value <= 0 for value in product(sides, point)):
            raise CertificateError(f"point {number} lies outside the domain, or on its boundary")
    for number, pair in enumerate(separations):
        check_bits(pair.row, bits, f"separation {number}")
    check = _RegionCheck(network, points, clock)
    check.run(facets)
    PartCheck(network, check.regions, check.outputs, clock).run(separations)


class _RegionCheck:
    """The regions of a proof, as far as they are checked, and the outputs of the network on their rays."""

    def __init__(self, network: ReluChain, points: Sequence[tuple[int, ...]], clock: Clock) -> None:
        self.check_time = clock.check
        self.rows = network.homogeneous_layers()
        self.layers = [fmpz_mat(rows) for rows in self.rows]
        self.n = network.dimension
        self.walls = network.sides() + [[0] * (self.n - 1) + [1]] * (not network.is_linear)
        self.regions = [CheckedRegion(point) for point in points]
        self.known: list[IntegerRows] = []
        self.path: list[tuple[int, int]] = []
        self.outputs: dict[Ray, list[int]] = {}

    def run(self, facets: Facets) -> None:
        self.read_signs()
        for number, bounds in enumerate(facets):
            self.check_region(number, bounds)

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
                    region.positive.append(bits_where(value > 0 for value in values))
                    region.zero.append(bits_where(value == 0 for value in values))
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
            if any(any(matrix[i]) for i in members(zero)):
                raise CertificateError(f"point {number} lies on a hyperplane, not inside a region")
        walls = list(self.walls)
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
                self.outputs[ray] = [int(c) if region.positive[-1] >> i & 1 else 0 for i, c in enumerate(column)]

    def linear_maps(self, region: CheckedRegion) -> list[IntegerRows]:
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
            for i in members(changed):
                if not _parallel(matrix[i], wall):
                    raise CertificateError(
                        f"region {beyond} does not touch region {number}: neuron {i} of layer {k + 1} changes its sign"
                    )

    def find_rays(self, number: int, walls: IntegerRows) -> None:
        """The extreme rays of {x : walls x >= 0}, and those on each wall."""
        if rank(walls) < self.n:
            raise CertificateError(f"the facets of region {number} leave it a line")
        try:
            rays = rays_with_walls(walls, self.n, self.check_time)
        except OverflowError as error:
            raise CertificateError(f"the facets of region {number}: {error}") from None
        region = self.regions[number]
        region.rays = list(rays)
        region.tight = [frozenset(ray for ray, held in rays.items() if held >> k & 1) for k in range(len(walls))]


def _parallel(row: list[int], wall: list[int]) -> bool:
    """Whether the row is a multiple of the wall, 0 included."""
    at = next(j for j, entry in enumerate(wall) if entry)
    return all(a * wall[at] == row[at] * b for a, b in zip(row, wall, strict=True))

"""The linear regions of a network, layer by layer, as cones given by their extreme rays.

The inputs are those of `Network.homogeneous_layers`: R^N, with biases its half t >= 0. A region of the first k layers
is the closed cone on which every neuron of theirs has one weak sign; the network is linear there. It is pointed, since
the first layer's rows span, so its extreme rays say all: the values of layer k + 1 at the rays tell which neurons cut
it.

    regions of no layer: the orthants of a basis of the rows of W_1; on a domain its cone, cut by rows where not pointed
    for each layer: carry the rays through; cut every region by every neuron that takes both signs on its rays

A cut by neuron i adds one ray for each edge that it crosses. Rays u, v of a region span an edge iff no third ray lies
on all the hyperplanes that hold both (of neurons that do not cut the region). An edge belongs to several regions, and
all cut it by the same neurons in the same order, so its new rays are shared: the regions form a complex, face to face.

Values are float64 with radii that bound every rounding. A sign that they leave open is computed in integers
(exact_rays.py). Values are also kept modulo a prime, exactly, for ranks.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import product
from math import comb

import flint
import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.bits import bits_where
from polyinj.deep.exact_rays import ExactRays, Rays
from polyinj.deep.rounded import TINY, UNIT, Floats, carry, masks, scaled
from polyinj.exact import algebra
from polyinj.exact.modular import PRIME, multiply_residues
from polyinj.geometry.exact_cone import extreme_rays

_CELLS_A_CHECK = 256
_BYTES_A_RAY = 1000

Residues = NDArray[np.int64]


class OutOfBudget(Exception):
    """More regions or more time than allowed."""


class Regions:
    """The regions of the layers refined so far.

    Attributes
    ----------
    cells : list of tuples of int
        The rays of each region.
    patterns : list of tuples of (int, int)
        For each region and layer: bit masks of the neurons that are positive and of those that are negative inside.
    sides : list of lists of int
        Rows that are >= 0 on the domain, as `ReluChain.sides` gives them.
    zeros, positive, negative : lists of int
        For each ray: the hyperplanes that hold it, of the sides first, then of all layers (bit `offset` + i for neuron
        i of the last layer), and the neurons of the last layer with a strict sign.
    points : list of ndarray, shape (N,)
        The rays, rounded.
    exact : ExactRays
        The rays in integers.
    residues : ndarray of int64, shape (rays, neurons of the last layer)
        Outputs of the last layer modulo PRIME, for a positive integer multiple of each ray.
    """

    def __init__(
        self,
        layers: list[algebra.IntegerRows],
        *,
        affine: bool,
        sides: algebra.IntegerRows | None = None,
        memory_limit: int | None = None,
    ) -> None:
        self.dimension = len(layers[0][0])
        self.affine = affine
        self.sides = [] if sides is None else sides
        self.memory_limit = memory_limit
        self.depth = 0
        self.layers = layers
        self.exact = ExactRays(layers)
        self._floats = [scaled(rows) for rows in layers]
        self._residue_layers = [np.array([[e % PRIME for e in row] for row in rows], dtype=np.int64) for rows in layers]
        self._end = len(self.sides)
        self._crossings: dict[tuple[int, int, int], int] = {}
        self.zeros: list[int] = []
        self.positive: list[int] = []
        self.negative: list[int] = []
        self.points: list[Floats] = []
        self._values: list[Floats] = []
        self._radii: list[Floats] = []
        self._residues: list[Residues] = []
        self.cells: list[Rays] = []
        if self.sides:
            self._start_on_domain()
        else:
            self._start()
        self.patterns: list[tuple[tuple[int, int], ...]] = [()] * len(self.cells)

    def _start_on_domain(self) -> None:
        """The cone of the domain; where it holds lines, its parts by the signs of rows of the first layer."""
        rows = self.layers[0]
        given = [*([rows[-1]] if self.affine else []), *self.sides]
        free = [i - len(given) for i in algebra.independent_rows([*given, *rows]) if i >= len(given)]
        numbers: dict[tuple[int, ...], int] = {}
        for signs in product((1, -1), repeat=len(free)):
            parts = [[sign * entry for entry in rows[i]] for sign, i in zip(signs, free, strict=True)]
            rays = extreme_rays([*given, *parts], self.dimension)
            for ray in rays:
                if ray not in numbers:
                    numbers[ray] = self._add_input(list(ray))
                    self.zeros[-1] = bits_where(value == 0 for value in algebra.product(self.sides, ray))
            self.cells.append(tuple(numbers[ray] for ray in rays))

    def _start(self) -> None:
        """The orthants of a basis, of which with biases only those with t >= 0."""
        rows = self.layers[0]
        ordered = [rows[-1], *rows[:-1]] if self.affine else rows
        basis = flint.fmpz_mat([ordered[i] for i in algebra.independent_rows(ordered)])
        inverse, _ = flint.fmpq_mat(basis).inv().numer_denom()
        ends: list[list[int]] = []
        for j in range(self.dimension):
            # The denominator of the inverse is positive: basis row j is positive on column j, zero on the others.
            ray = algebra.coprime([int(inverse[i, j]) for i in range(self.dimension)])
            rays = [ray] if self.affine and j == 0 else [ray, [-entry for entry in ray]]
            ends.append([self._add_input(ray) for ray in rays])
        cells: list[Rays] = [()]
        for choices in ends:
            cells = [(*cell, ray) for cell in cells for ray in choices]
        self.cells = cells

    def _add_input(self, ray: list[int]) -> int:
        size = max(map(abs, ray))
        point = np.array([entry / size for entry in ray])
        self.exact.give(ray)
        self.points.append(point)
        self._values.append(point)
        self._radii.append(UNIT * np.abs(point))
        self._residues.append(np.array([entry % PRIME for entry in ray], dtype=np.int64))
        self.zeros.append(0)
        return len(self.points) - 1

    @property
    def offset(self) -> int:
        """The bit in `zeros` of the first neuron of the last layer."""
        return self._end - len(self.layers[self.depth - 1])

    @property
    def residues(self) -> Residues:
        """See the class."""
        return np.where(self._flags(self.positive, len(self.layers[self.depth - 1])), np.array(self._residues), 0)

    @staticmethod
    def _flags(masks: list[int], width: int) -> NDArray[np.bool_]:
        size = (width + 7) // 8
        raw = np.frombuffer(b"".join(mask.to_bytes(size, "little") for mask in masks), dtype=np.uint8)
        return np.unpackbits(raw.reshape(len(masks), size), axis=1, bitorder="little", count=width).astype(bool)

    def refine(self, limit: int, deadline: float | None) -> None:
        """Go on to the next layer: cut every region by its neurons.

        Raises
        ------
        OutOfBudget
            More than `limit` regions, or later than `deadline` (time.monotonic()).
        """
        self._advance()
        entries = 0
        cells: list[Rays] = []
        patterns: list[tuple[tuple[int, int], ...]] = []
        for number, (cell, pattern) in enumerate(zip(self.cells, self.patterns, strict=True)):
            for part, positive, negative in self._parts(cell):
                cells.append(part)
                patterns.append((*pattern, (positive, negative)))
                entries += len(part)
                if len(cells) > limit:
                    raise OutOfBudget(f"more than {limit} linear regions in the first {self.depth} layers")
            if number % _CELLS_A_CHECK == 0:
                self._check_budget(deadline, entries)
        self.cells, self.patterns = cells, patterns

    def _check_budget(self, deadline: float | None, entries: int) -> None:
        """OutOfBudget when time or memory is over; `entries` are those of all new cells."""
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfBudget(f"time ran out among the linear regions of the first {self.depth} layers")
        # Of a ray its values, radii and residues, as arrays of their own and joined; an entry of a tuple is 8 bytes.
        width = max(map(len, self.layers[: self.depth + 1]))
        needed = len(self.points) * (48 * width + 16 * self.dimension + _BYTES_A_RAY) + 8 * entries
        if self.memory_limit is not None and needed > self.memory_limit:
            raise OutOfBudget(f"the linear regions of the first {self.depth} layers take more memory than allowed")

    def _advance(self) -> None:
        """Values of the next layer at every ray, with certain signs."""
        outputs, radii, residues = np.array(self._values), np.array(self._radii), np.array(self._residues)
        if self.depth:
            width = len(self.layers[self.depth - 1])
            active = self._flags(self.positive, width)
            outputs, radii, residues = (np.where(active, a, 0) for a in (outputs, radii, residues))
        values, bounds = carry(self._floats[self.depth], outputs, radii)
        up, down = values > bounds, values < -bounds
        width = values.shape[1]
        self._values, self._radii = list(values), list(bounds)
        self._residues = list(multiply_residues(residues, self._residue_layers[self.depth].T))
        self.positive, self.negative = masks(up), masks(down)
        self.depth += 1
        self._end += width
        for ray, neuron in np.argwhere(~(up | down)).tolist():
            self._settle(ray, neuron)
        everything = (1 << width) - 1
        for ray, (up_mask, down_mask) in enumerate(zip(self.positive, self.negative, strict=True)):
            self.zeros[ray] |= (everything ^ (up_mask | down_mask)) << self.offset
        self._crossings = {}

    def _settle(self, ray: int, neuron: int) -> None:
        """The sign of one value in integers."""
        value = self.exact.values(ray, self.depth)[neuron]
        if value > 0:
            self.positive[ray] |= 1 << neuron
        elif value < 0:
            self.negative[ray] |= 1 << neuron
        else:
            self._values[ray][neuron] = self._radii[ray][neuron] = 0.0

    def _parts(self, cell: Rays) -> Iterable[tuple[Rays, int, int]]:
        """The regions of the last layer in a region of the one before, with their neurons of either sign."""
        waiting = [cell]
        while waiting:
            part = waiting.pop()
            positive = negative = 0
            for ray in part:
                positive |= self.positive[ray]
                negative |= self.negative[ray]
            cutting = positive & negative
            if not cutting:
                yield part, positive, negative
                continue
            neuron = (cutting & -cutting).bit_length() - 1
            waiting.extend(self._cut(part, neuron, ~(cutting << self.offset)))

    def _cut(self, cell: Rays, neuron: int, uncut: int) -> tuple[Rays, Rays]:
        above = [ray for ray in cell if self.positive[ray] >> neuron & 1]
        below = [ray for ray in cell if self.negative[ray] >> neuron & 1]
        on = [ray for ray in cell if not (self.positive[ray] | self.negative[ray]) >> neuron & 1]
        masks = [(ray, self.zeros[ray] & uncut) for ray in cell]
        for u in above:
            for v in below:
                common = self.zeros[u] & self.zeros[v] & uncut
                if common.bit_count() < self.dimension - 2:
                    continue
                if sum(mask & common == common for _, mask in masks) == 2:
                    on.append(self._crossing(min(u, v), max(u, v), neuron))
        return (*above, *on), (*below, *on)

    def _crossing(self, u: int, v: int, neuron: int) -> int:
        """The ray of the edge from u to v on which a neuron of opposite signs there vanishes."""
        key = (u, v, neuron)
        if key in self._crossings:
            return self._crossings[key]
        ray = self._crossings[key] = len(self.points)
        share, error = self._share(u, v, neuron)
        zu, zv, ru, rv = self._values[u], self._values[v], self._radii[u], self._radii[v]
        with np.errstate(all="ignore"):
            values = share * zu + (1 - share) * zv
            radii = np.maximum(ru, rv) + error * np.abs(zu - zv) + 8 * UNIT * (np.abs(zu) + np.abs(zv)) + TINY
        radii *= 1 + 8 * UNIT
        p, q = int(self._residues[v][neuron]), int(self._residues[u][neuron])
        p, q = (PRIME - p, q) if self.negative[v] >> neuron & 1 else (p, PRIME - q)
        self._residues.append((p * self._residues[u] + q * self._residues[v]) % PRIME)
        self.points.append(share * self.points[u] + (1 - share) * self.points[v])
        self.exact.cross(u, v, neuron, self.depth)
        self._values.append(values)
        self._radii.append(radii)
        up, down = self.positive[u] | self.positive[v], self.negative[u] | self.negative[v]
        self.positive.append(up & ~down)
        self.negative.append(down & ~up)
        self._settle_opposites(ray, up & down & ~(1 << neuron))
        self._vanish(ray, neuron)
        strict = self.positive[ray] | self.negative[ray]
        below = (1 << self.offset) - 1
        here = (1 << len(values)) - 1
        self.zeros.append((self.zeros[u] & self.zeros[v] & below) | ((here ^ strict) << self.offset))
        return ray

    def _share(self, u: int, v: int, neuron: int) -> tuple[float, float]:
        """t with zero = t u + (1 - t) v, and a bound of its error."""
        a, b = abs(float(self._values[v][neuron])), abs(float(self._values[u][neuron]))
        ra, rb = float(self._radii[v][neuron]), float(self._radii[u][neuron])
        least = a - ra + b - rb
        if not least > 0:
            return 0.5, 1.0
        # a/(a+b) - a*/(a*+b*) = (a (b* - b) - b (a* - a)) / ((a+b) (a*+b*)); factors in [0, 1] first, since the
        # product of the denominators may be too small for a double.
        share = a / (a + b)
        return share, (share * (rb / least) + b / (a + b) * (ra / least)) * (1 + 16 * UNIT) + 4 * UNIT

    def _settle_opposites(self, ray: int, opposite: int) -> None:
        """Signs, at a new ray, of the neurons with opposite signs at its parents."""
        values, radii = self._values[ray], self._radii[ray]
        while opposite:
            bit = opposite & -opposite
            neuron = bit.bit_length() - 1
            if values[neuron] > radii[neuron]:
                self.positive[ray] |= bit
            elif values[neuron] < -radii[neuron]:
                self.negative[ray] |= bit
            else:
                self._settle(ray, neuron)
            opposite ^= bit

    def _vanish(self, ray: int, neuron: int) -> None:
        self._values[ray][neuron] = self._radii[ray][neuron] = 0.0

    def lie_inside(self, cells: list[int], points: list[tuple[int, ...]]) -> list[bool]:
        """Whether each point lies in the interior of its region: strict signs in all layers, exactly."""
        outputs = np.array(points, dtype=np.float64)
        radii = UNIT * np.abs(outputs)
        inside, outside = np.ones(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
        for k, matrix in enumerate(self._floats[: self.depth]):
            values, bounds = carry(matrix, outputs, radii)
            up, down = (self._flags([self.patterns[cell][k][side] for cell in cells], len(matrix)) for side in (0, 1))
            above, below = values > bounds, values < -bounds
            inside &= ((above & up) | (below & down)).all(axis=1)
            outside |= ((above & ~up) | (below & ~down)).any(axis=1)
            outputs, radii = np.where(up, values, 0), np.where(up, bounds, 0)
        return [
            not no and self._lies_in_domain(point) and (bool(yes) or self._lies_inside(cell, point))
            for yes, no, cell, point in zip(inside, outside, cells, points, strict=True)
        ]

    def _lies_in_domain(self, point: tuple[int, ...]) -> bool:
        return all(value > 0 for value in algebra.product(self.sides, point))

    def _lies_inside(self, cell: int, point: tuple[int, ...]) -> bool:
        image: list[int] = list(point)
        for rows, (positive, negative) in zip(self.layers, self.patterns[cell], strict=False):
            values = algebra.product(rows, image)
            up, down = (bits_where(sign * value > 0 for value in values) for sign in (1, -1))
            if (up, down) != (positive, negative):
                return False
            image = [max(value, 0) for value in values]
        return True


def expected_cells(rows: int, inputs: int, *, affine: bool) -> int:
    """Regions of one layer in general position."""
    if affine:
        return sum(comb(rows, i) for i in range(inputs + 1))
    return 2 * sum(comb(rows - 1, i) for i in range(inputs))

"""Do two points of different regions, or of one, have the same image? Every pair that could, exactly.

A point lies in the relative interior of one face of one region, and the neurons S of the last layer that are positive
there are those of the face. Two points with one image have the same S. So collect for each S the *parts*: the regions
whose S it is, and the faces whose S it is and that lie in no such region (where a fold of the layer runs along a face;
there is none where every ray lies on N - 1 hyperplanes only). Every point with S lies in a part of S, and on a part the
map to the neurons S is linear: on its rays it is the matrix of their outputs.

1. A region whose map has rank below N is collapsed: not injective.
2. Regions E, F of one S, whose signs differ in d neurons of the layers before: where those vanish M_E = M_F, so the
   kernel of (x, y) -> M_E x - M_F y holds {(x, x)} for a space of dimension N - d or more. If the rank of [M_E, M_F] is
   N + d (or 2N, the most), it holds nothing else; a rank modulo a prime is a lower bound.
3. Else, for parts in general, if the kernel lies in {x = y}: ranks of integer matrices.
4. Else K = {coefficients >= 0 of the rays of E and F with M_E x = M_F y}. Farkas' lemma for every ray either puts it
   into the support of K or gives a row pi that excludes it; pi, their sum, leaves the support alone. There step 3
   decides: the kernel is spanned by differences of points of K. Affine: unless t = 0 on the support.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, combinations, islice
from math import comb, lcm

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.bits import members
from polyinj.deep.exact_rays import Rays
from polyinj.deep.linear_regions import OutOfBudget, Regions
from polyinj.deep.pairs import kernel_is_diagonal, largest_support, mix, off_diagonal
from polyinj.exact import algebra
from polyinj.exact.modular import PRIME, multiply_residues, ranks

Point = list[Fraction]
Pattern = tuple[tuple[int, int], ...]

_PAIRS_AT_A_TIME = 1 << 16


@dataclass(frozen=True, slots=True)
class Part:
    """A region, or a face of it, given by its rays; `region` is the number of the region, `whole` says which."""

    rays: Rays
    region: int
    whole: bool


@dataclass(slots=True)
class Verdicts:
    """What `compare_regions` found.

    Attributes
    ----------
    collision : pair of points, or None
        In homogeneous coordinates, t = 1 with biases.
    separations : list of (Part, Part, row)
        Pairs that needed step 4, with pi: entries for the neurons of S in rising order.
    pairs : int
        How many pairs were compared.
    """

    collision: tuple[Point, Point] | None = None
    separations: list[tuple[Part, Part, list[int]]] = field(default_factory=list)
    pairs: int = 0


class _Comparison:
    """Compare the parts of the regions of one layer."""

    def __init__(self, regions: Regions, deadline: float | None) -> None:
        self.regions, self.deadline = regions, deadline
        residues = regions.residues
        width, size = residues.shape[1], 2 * regions.dimension
        # A random map to 2N coordinates keeps ranks up to 2N, but for a chance of about 1/PRIME.
        self.short = multiply_residues(residues, np.random.default_rng(0).integers(1, PRIME, (width, size)))
        self.parts = [Part(cell, number, True) for number, cell in enumerate(regions.cells)]
        self.groups: dict[int, list[int]] = defaultdict(list)
        for number, pattern in enumerate(regions.patterns):
            self.groups[pattern[-1][0]].append(number)
        self.bases = self._bases()
        self.result = Verdicts()

    def run(self) -> Verdicts:
        regions, n = self.regions, self.regions.dimension
        poor = [part for part, basis in zip(self.parts, self.bases.tolist(), strict=True) if basis[0] < 0]
        self._check_time()
        for part in sorted(poor, key=lambda part: regions.patterns[part.region][-1][0].bit_count()):
            if self._collapses(part):
                return self.result
        if regions.depth == 1:
            # The layer is injective iff its active rows span everywhere, and open cells have the fewest.
            return self.result
        folds = list(self._folds())
        for number, (positive, part) in enumerate(folds, start=len(self.parts)):
            self.groups[positive].append(number)
            self.parts.append(part)
        self.bases = np.concatenate([self.bases, np.full((len(folds), n), -1)])
        self.result.pairs = sum(comb(len(numbers), 2) for numbers in self.groups.values())
        # Few positive neurons are the likely failures, and no determinant settles fewer than 2N.
        ordered = sorted(self.groups, key=int.bit_count)
        wide = bisect_left(ordered, 2 * n, key=int.bit_count)
        few, many = (
            chain.from_iterable(combinations(self.groups[positive], 2) for positive in chosen)
            for chosen in (ordered[:wide], ordered[wide:])
        )
        for first, second in chain(few, self._dependent(many)):
            self._check_time()
            if self._collide(self.parts[first], self.parts[second]):
                break
        return self.result

    def _check_time(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfBudget(f"time ran out in layer {self.regions.depth}, comparing pairs of regions")

    def _bases(self) -> NDArray[np.int64]:
        """For each region N rays with independent outputs, -1 where ranks modulo PRIME show no such."""
        n = self.regions.dimension
        bases = np.array([cell[:n] for cell in self.regions.cells], dtype=np.int64)
        for number in np.flatnonzero(ranks(self.short[bases]) < n).tolist():
            chosen: list[int] = []
            for ray in self.regions.cells[number]:
                if len(chosen) < n and ranks(self.short[[[*chosen, ray]]])[0] > len(chosen):
                    chosen.append(ray)
            bases[number] = chosen if len(chosen) == n else -1
        return bases

    def _collapses(self, part: Part) -> bool:
        regions, n = self.regions, self.regions.dimension
        columns = [regions.exact.outputs(ray, regions.depth) for ray in part.rays]
        if algebra.rank(columns) == n:
            return False
        inputs = [regions.exact.input(ray) for ray in part.rays]
        relations = algebra.kernel([list(line) for line in zip(*columns, strict=True)], len(columns))
        moved = next(move for k in relations if any(move := mix(k, inputs)))
        x = mix([1] * len(inputs), _leveled(inputs))
        # Behind the kernel nothing changes; half-way to where a coefficient would turn negative stays inside.
        self.result.collision = self._pair(x, self._inside(part, x, moved))
        return True

    def _inside(self, part: Part, x: Point, move: list[Fraction]) -> Point:
        """x + eps move, still in the part's region: eps halves until every neuron keeps its sign there."""
        step = max(map(abs, x)) / max(map(abs, move))
        while True:
            y = [a + step * b for a, b in zip(x, move, strict=True)]
            if self._keeps_signs(part, y):
                return y
            step /= 2

    def _keeps_signs(self, part: Part, y: Point) -> bool:
        scale = lcm(*(entry.denominator for entry in y))
        image = [int(entry * scale) for entry in y]
        if any(value < 0 for value in algebra.product(self.regions.sides, image)):
            return False
        for rows, (positive, negative) in zip(self.regions.layers, self.regions.patterns[part.region], strict=False):
            values = algebra.product(rows, image)
            if any(
                (value < 0 and positive >> i & 1) or (value > 0 and negative >> i & 1) for i, value in enumerate(values)
            ):
                return False
            image = [max(value, 0) for value in values]
        return True

    def _folds(self) -> Iterator[tuple[int, Part]]:
        """Faces on which a set of neurons is positive that is not the set of any region which holds them."""
        regions, n = self.regions, self.regions.dimension
        corners = {ray for ray in range(len(regions.zeros)) if regions.zeros[ray].bit_count() > n - 1}
        if not corners:
            return
        found: set[Rays] = set()
        sets = {positive: [set(regions.cells[k]) for k in numbers] for positive, numbers in self.groups.items()}
        for number, cell in enumerate(regions.cells):
            self._check_time()
            if not corners.intersection(cell):
                continue
            for face in _faces(cell, regions.zeros):
                rays = tuple(sorted(face))
                if rays in found or not corners.issuperset(rays) or self._is_at_infinity(rays):
                    continue
                found.add(rays)
                positive = 0
                for ray in rays:
                    positive |= regions.positive[ray]
                # Of the faces with these positive neurons the largest will do.
                forced = regions.patterns[number][-1][0] & ~positive
                whole = sum(not regions.positive[ray] & forced for ray in cell)
                if whole == len(rays) and not any(face <= rays_of for rays_of in sets.get(positive, ())):
                    yield positive, Part(rays, number, False)

    def _is_at_infinity(self, rays: Rays) -> bool:
        last = len(self.regions.layers[self.regions.depth - 1]) - 1
        return self.regions.affine and not any(self.regions.positive[ray] >> last & 1 for ray in rays)

    def _dependent(self, pairs: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Of pairs of parts, those that step 2 leaves open."""
        n, patterns = self.regions.dimension, self.regions.patterns
        while chunk := list(islice(pairs, _PAIRS_AT_A_TIME)):
            self._check_time()
            places = np.array(chunk)
            rays = self.bases[places].reshape(len(chunk), 2 * n)
            found = np.where(rays.min(axis=1) < 0, 0, ranks(self.short[rays]))
            for k in np.flatnonzero(found < 2 * n).tolist():
                first, second = chunk[k]
                whole = found[k] and self.parts[first].whole and self.parts[second].whole
                if not (whole and found[k] >= n + _flips(patterns[first], patterns[second])):
                    yield first, second

    def _collide(self, first: Part, second: Part) -> bool:
        """Steps 3 and 4 for one pair; keeps the row of step 4, or the collision."""
        regions = self.regions
        rays = (*first.rays, *second.rays)
        signs = [1] * len(first.rays) + [-1] * len(second.rays)
        positive = sorted({i for ray in rays for i in members(regions.positive[ray])})
        inputs = _signed([regions.exact.input(ray) for ray in rays], signs)
        outputs = [regions.exact.outputs(ray, regions.depth) for ray in rays]
        columns = _signed([[output[i] for i in positive] for output in outputs], signs)
        if kernel_is_diagonal(columns, inputs):
            return False
        point, row = largest_support(columns)
        support = [k for k, share in enumerate(point) if share]
        finite = not regions.affine or any(inputs[k][-1] for k in support)
        narrow = [columns[k] for k in support], [inputs[k] for k in support]
        if not support or not finite or kernel_is_diagonal(*narrow):
            self.result.separations.append((first, second, row))
            return False
        shares = off_diagonal(point, support, *narrow)
        x, y = (
            mix([shares[k] for k in range(len(rays)) if signs[k] == sign], [regions.exact.input(r) for r in part.rays])
            for sign, part in ((1, first), (-1, second))
        )
        self.result.collision = self._pair(x, y)
        return True

    def _pair(self, x: Point, y: Point) -> tuple[Point, Point]:
        """Without biases scaled to largest entry about 1, with them to t = 1."""
        size = x[-1] if self.regions.affine else max(map(abs, (*x, *y)))
        scale = size if self.regions.affine else Fraction(2) ** (int(size).bit_length() - 1 if size >= 1 else 0)
        return [entry / scale for entry in x], [entry / scale for entry in y]


def compare_regions(regions: Regions, deadline: float | None) -> Verdicts:
    """Whether the network is injective up to its last refined layer.

    Raises
    ------
    OutOfBudget
        Later than `deadline` (time.monotonic()).
    """
    return _Comparison(regions, deadline).run()


def _faces(cell: Rays, zeros: list[int]) -> set[frozenset[int]]:
    """The proper faces of a region other than the origin: the sets of rays that hyperplanes cut out of it."""
    held = 0
    for ray in cell:
        held |= zeros[ray]
    tight = {frozenset(ray for ray in cell if zeros[ray] >> bit & 1) for bit in members(held)} - {frozenset(cell)}
    found: set[frozenset[int]] = set()
    fresh = set(tight)
    while fresh:
        found |= fresh
        fresh = {face & facet for face in fresh for facet in tight} - found - {frozenset()}
    return found


def _signed(rows: algebra.IntegerRows, signs: list[int]) -> algebra.IntegerRows:
    return [[sign * entry for entry in row] for row, sign in zip(rows, signs, strict=True)]


def _leveled(rows: algebra.IntegerRows) -> list[list[Fraction]]:
    """The rows with largest entry between 1/2 and 1."""
    return [[Fraction(entry, 1 << max(map(abs, row)).bit_length()) for entry in row] for row in rows]


def _flips(first: Pattern, second: Pattern) -> int:
    """In how many neurons of all layers just one of two regions is positive."""
    return sum((a ^ b).bit_count() for (a, _), (b, _) in zip(first, second, strict=True))

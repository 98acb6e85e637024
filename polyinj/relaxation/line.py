"""A line of networks: the branches of a bound along it, and the jumps between them.

What `relaxation_profile` describes is done here, one interval, one sample and one event at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq, fmpq_poly
from numpy.typing import ArrayLike

from polyinj.errors import InputError
from polyinj.exact.precision import DOUBLE, precision
from polyinj.exact.real_roots import RealRoot, roots_between, squarefree
from polyinj.networks.network import Network
from polyinj.relaxation.layer_bounds import AffineLayer, Bounds, bound_layers
from polyinj.relaxation.network_bounds import read_box, read_layers
from polyinj.relaxation.rules import Relaxation
from polyinj.relaxation.traced import Trace, TracedNumber, as_fmpq, as_fraction


@dataclass(frozen=True, slots=True)
class Cause:
    """What vanishes at an event: `l`, `u` or `u + l` of one neuron (layer and neuron count from 0)."""

    layer: int
    neuron: int
    what: str


@dataclass(frozen=True, slots=True)
class Jump:
    """One discontinuity of the bound.

    Attributes
    ----------
    low, high : Fraction
        It lies at the only point of the open interval where the bound's branch changes, or at low = high.
    left, right, value : float
        The limits from both sides and the bound at the point itself.
    size : float
        |right - left|; where that is 0 the point stands alone, and it is |value - left|.
    size_low, size_high : float
        Enclose it, rigorously.
    causes : tuple of Cause
    """

    low: Fraction
    high: Fraction
    left: float
    right: float
    value: float
    size: float
    size_low: float
    size_high: float
    causes: tuple[Cause, ...]

    @property
    def position(self) -> float:
        """Where."""
        return float((self.low + self.high) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One branch: on the interval from `start` to `end` the bound is numerator / denominator, in lowest terms."""

    start: RealRoot
    end: RealRoot
    numerator: fmpq_poly
    denominator: fmpq_poly
    # l and u of every hidden neuron, the polynomials that were compared, and the sample that the piece was found from.
    hidden: tuple[tuple[tuple[TracedNumber, TracedNumber], ...], ...]
    compared: tuple[fmpq_poly, ...]
    sample: Fraction

    def at(self, t: Fraction) -> Fraction:
        """The bound at a rational t inside the piece."""
        place = as_fmpq(t)
        value = self.numerator(place) / self.denominator(place)
        return as_fraction(value)


class NetworkLine:
    """The networks (1 - t) start + t end, a box, and the lower bound of one output by a relaxation."""

    def __init__(
        self, start: Network, end: Network, lower: ArrayLike, upper: ArrayLike, relaxation: Relaxation, output: int
    ) -> None:
        if start.widths != end.widths or any(
            (a.relu_rows != b.relu_rows).any() for a, b in zip(start.layers, end.layers, strict=True)
        ):
            raise InputError(f"start is {start.describe()}, end {end.describe()}; expected the same layers")
        if start.layers[-1].relu_rows.any():
            raise InputError("the last layer has a ReLU; expected an affine one, whose bound is profiled")
        if not 0 <= output < start.widths[-1]:
            raise InputError(f"output is {output}; expected 0..{start.widths[-1] - 1}")
        self.box = read_box(lower, upper, start.widths[0], exact=True)
        if self.box.lower.ndim != 1:
            raise InputError(f"lower has shape {self.box.lower.shape}; expected ({start.widths[0]},): one box")
        self.relaxation = relaxation
        first, last = read_layers(start, exact=True), read_layers(end, exact=True)
        first[-1], last[-1] = _only(first[-1], output), _only(last[-1], output)
        self.ends = list(zip(first, last, strict=True))

    def bounds(self, trace: Trace) -> list[Bounds]:
        """Of every layer, on the branch of the trace's place."""
        between: Any = np.frompyfunc(trace.number, 2, 1)
        layers = [AffineLayer(between(a.weights, b.weights), between(a.bias, b.bias), a.relu) for a, b in self.ends]
        return bound_layers(layers, self.box, self.relaxation)

    def cover(self, start: RealRoot, end: RealRoot) -> Iterator[Piece]:
        """The pieces between two numbers, in order."""
        left: list[Piece | tuple[RealRoot, RealRoot]] = [(start, end)]
        while left:
            part = left.pop()
            if isinstance(part, Piece):
                yield part
                continue
            low, high = part
            piece = self._piece_between(low, high)
            if piece.end.compare(high) < 0:
                left.append((piece.end, high))
            left.append(piece)
            if low.compare(piece.start) < 0:
                left.append((low, piece.start))

    def _piece_between(self, low: RealRoot, high: RealRoot) -> Piece:
        while low.high >= high.low:
            low.refine()
            high.refine()
        for place in _samples(low.high, high.low):
            trace = Trace(RealRoot.rational(place))
            bounds = self.bounds(trace)
            asked = {**trace.bent, **trace.compared}
            if any(p(place) == 0 for p in asked.values()):
                continue  # on an event: another sample
            value = _number(bounds[-1].lower[0], trace)
            return Piece(
                _nearest(asked.values(), place, low, below=True),
                _nearest(asked.values(), place, high, below=False),
                value.numerator,
                value.denominator,
                tuple(
                    tuple(
                        (_number(low, trace), _number(high, trace)) for low, high in zip(b.lower, b.upper, strict=True)
                    )
                    for b in bounds[:-1]
                ),
                tuple(trace.compared.values()),
                as_fraction(place),
            )
        raise AssertionError("every sample lies on an event")

    def jump(self, left: Piece, right: Piece) -> Jump | None:
        """The discontinuity between two neighbouring pieces, if there is one."""
        place = left.end
        if all(place.sign_of(p) for p in (*left.compared, *right.compared)):
            return None
        trace = Trace(place)
        own = _number(self.bounds(trace)[-1].lower[0], trace)
        sides = [(piece.numerator, piece.denominator) for piece in (left, right)]
        point = (own.numerator, own.denominator)
        across, aside = (_difference(place, sides[0], other) for other in (sides[1], point))
        if across is None and aside is None:
            return None
        size = across if across is not None else aside
        assert size is not None
        before, after, alone = (float(place.value(*function).mid()) for function in (*sides, point))
        with precision(DOUBLE):
            least, middle, most = (float(end) for end in (abs(size).lower(), abs(size).mid(), abs(size).upper()))
        return Jump(
            low=as_fraction(place.low),
            high=as_fraction(place.high),
            left=before,
            right=after,
            value=alone,
            size=middle,
            size_low=math.nextafter(least, 0),
            size_high=math.nextafter(most, math.inf),
            causes=tuple(_causes(place, left, right)),
        )


def _only(layer: AffineLayer, output: int) -> AffineLayer:
    return AffineLayer(
        layer.weights[output : output + 1], layer.bias[output : output + 1], layer.relu[output : output + 1]
    )


def _number(value: Any, trace: Trace) -> TracedNumber:
    if isinstance(value, TracedNumber):
        return value
    return TracedNumber(fmpq_poly([as_fmpq(value)]), fmpq_poly([1]), trace)


def _samples(low: fmpq, high: fmpq) -> Iterator[fmpq]:
    """Rationals between, the short ones first, without end."""
    parts = 2
    while True:
        for k in range(1, parts, 2):
            ends = (low + (high - low) * fmpq(2 * k + side, 2 * parts) for side in (-1, 1))
            yield _short(*ends)
        parts *= 2


def _short(low: fmpq, high: fmpq) -> fmpq:
    """The dyadic number of the fewest bits in the closed interval."""
    scale = 1
    while True:
        top = (high * scale).floor()
        if fmpq(top, scale) >= low:
            return fmpq(top, scale)
        scale *= 2


def _nearest(polynomials: Any, place: fmpq, limit: RealRoot, *, below: bool) -> RealRoot:
    """Of all roots between the place and the limit the nearest to the place; the limit if there is none."""
    best = limit
    for p in polynomials:
        low, high = (best.low, place) if below else (place, best.high)
        roots = roots_between(squarefree(p), low, high)
        found = max(roots, key=lambda root: root.high, default=None) if below else next(roots, None)
        if found is not None and (found.compare(best) > 0 if below else found.compare(best) < 0):
            best = found
    return best


def _difference(place: RealRoot, first: tuple[fmpq_poly, fmpq_poly], second: tuple[fmpq_poly, fmpq_poly]) -> arb | None:
    """second - first at the place, None where it is exactly 0."""
    numerator = second[0] * first[1] - first[0] * second[1]
    denominator = first[1] * second[1]
    if numerator.degree() < 0 or place.sign_of(numerator) == 0:
        return None
    return place.value(numerator, denominator)


def _causes(place: RealRoot, left: Piece, right: Piece) -> Iterator[Cause]:
    for layer, sides in enumerate(zip(left.hidden, right.hidden, strict=True)):
        for neuron, pairs in enumerate(zip(*sides, strict=True)):
            for what, combine in (("l", 0), ("u", 1), ("u + l", 2)):
                for low, high in pairs:
                    number = (low, high, low + high)[combine]
                    if number.numerator.degree() > 0 and place.sign_of(number.numerator) == 0:
                        yield Cause(layer, neuron, what)
                        break

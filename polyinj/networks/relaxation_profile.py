"""A certified bound along a line of weights: every piece, every discontinuity, exactly.

On the weights (1 - t) A + t B the lower bound of an output by a relaxation is a piecewise rational function of t. The
pieces are found from samples, and none can be missed:

    cover (x, y): take a rational s between; run the relaxation on rational functions of t that compare as at s;
        the roots nearest to s of all polynomials whose sign was asked for bound the piece of s, its branch;
        cover what is left on either side.

Pieces are maximal, so neighbours meet in one algebraic number, a root isolated in a rational interval. The bound can
be discontinuous only where a comparison of the rule changes (l, u or u + l of a neuron, as a rule); at each such event
the two limits are compared exactly: their difference is a rational function, and whether it vanishes at the root is
decided by a greatest common divisor. The value at the event itself comes from a run at the algebraic number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import arb, fmpq, fmpq_poly
from numpy.typing import ArrayLike

from polyinj.errors import BudgetExceeded, InputError
from polyinj.geometry.exact import read_number
from polyinj.networks.model import Network
from polyinj.networks.real_roots import RealRoot, roots_between, squarefree
from polyinj.networks.relaxation import read_box, read_layers
from polyinj.networks.relaxation_bounds import AffineLayer, Interval, bound_layers
from polyinj.networks.relaxation_rules import Relaxation
from polyinj.networks.traced import Trace, TracedNumber, as_fmpq

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        return Fraction(int(value.p), int(value.q))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RelaxationProfile:
    """Result of `relaxation_profile`: the lower bound of one output along a line of weights.

    Attributes
    ----------
    relaxation : Relaxation
    pieces : tuple of Piece
        All branches, in order; they meet end to end.
    jumps : tuple of Jump
        All discontinuities inside the interval, in order.
    kinks : int
        Events where the branch changes and the bound does not jump.
    """

    relaxation: Relaxation
    pieces: tuple[Piece, ...]
    jumps: tuple[Jump, ...]
    kinks: int

    def piece_at(self, t: Fraction) -> Piece | None:
        """The piece with t in its interior; None at an event."""
        place = RealRoot.rational(as_fmpq(t))
        for piece in self.pieces:
            if piece.start.compare(place) < 0 < piece.end.compare(place):
                return piece
        return None

    @property
    def jump_total(self) -> float:
        """The sizes of all jumps together."""
        return math.fsum(jump.size for jump in self.jumps)

    def smooth_total(self, samples: int = 8) -> float:
        """The variation between the jumps: sums of |differences| on a grid in each piece, a lower bound."""
        total = 0.0
        for piece in self.pieces:
            values = [value for _, value in self.curve(piece, samples)]
            total += math.fsum(abs(b - a) for a, b in pairwise(values))
        return total

    @staticmethod
    def curve(piece: Piece, samples: int) -> list[tuple[float, float]]:
        """Points (t, bound) of one piece, its ends included as limits."""
        start, end = float(piece.start), float(piece.end)
        points = [(start, _middle(piece.start.value(piece.numerator, piece.denominator)))]
        low, high = _rational(piece.start.high), _rational(piece.end.low)
        for k in range(1, samples):
            t = low + (high - low) * Fraction(k, samples)
            points.append((float(t), float(piece.at(t))))
        points.append((end, _middle(piece.end.value(piece.numerator, piece.denominator))))
        return points

    def to_pandas(self) -> Any:
        """The jumps as a pandas DataFrame, with their positions in float64; needs pandas."""
        import pandas as pd

        names = ("position", "left", "right", "value", "size", "size_low", "size_high")
        columns = {name: [getattr(jump, name) for jump in self.jumps] for name in names}
        causes = ["; ".join(f"{c.what} of {c.layer}.{c.neuron}" for c in jump.causes) for jump in self.jumps]
        return pd.DataFrame({**columns, "causes": causes})

    def plot(self) -> Figure:
        """The bound against t, jumps marked, as a matplotlib figure."""
        from polyinj.plots.relaxation import plot_relaxation_profiles

        return plot_relaxation_profiles([self])

    def __repr__(self) -> str:
        return (
            f"RelaxationProfile({str(self.relaxation)!r}, {len(self.pieces)} pieces, {len(self.jumps)} jumps, "
            f"{self.kinks} kinks)"
        )


def relaxation_profile(
    start: Network,
    end: Network,
    lower: ArrayLike,
    upper: ArrayLike,
    relaxation: str | Relaxation = "crown",
    *,
    output: int = 0,
    interval: tuple[Any, Any] = (0, 1),
    max_pieces: int = 2000,
) -> RelaxationProfile:
    """The lower bound of one output on the weights (1 - t) start + t end: all its pieces and jumps, exactly.

    Parameters
    ----------
    start, end : Network
        Of the same layers; the last one has no ReLU. The upper bound is minus the lower one of the negated last layer.
    lower, upper : array_like, shape (n,)
        One box.
    relaxation : str or Relaxation
        See the table in `polyinj.networks.relaxation_rules`.
    output : int
        Which entry of the output.
    interval : pair of numbers
        Of t, the smaller first.
    max_pieces : int
        At most so many.

    Returns
    -------
    RelaxationProfile

    Raises
    ------
    InputError
        Networks of different shapes, a last layer with ReLU, an output or interval that does not exist.
    BudgetExceeded
        More pieces.

    Examples
    --------
    One neuron, bounds l = t - 1/2 - 1/4 and u = t - 1/2 + 1/4: crown passes x on from u = -l, t = 1/2, on.

    >>> from polyinj.networks.model import NetworkLayer
    >>> def network(bias):
    ...     return Network((NetworkLayer([[1.0]], [bias], "relu"), NetworkLayer([[1.0]], None, None)), "example")
    >>> profile = relaxation_profile(network(-0.5), network(0.5), [-0.25], [0.25], "crown")
    >>> profile
    RelaxationProfile('crown', 4 pieces, 1 jumps, 2 kinks)
    >>> profile.jumps[0].position, profile.jumps[0].left, profile.jumps[0].right, profile.jumps[0].causes
    (0.5, 0.0, -0.25, (Cause(layer=0, neuron=0, what='u + l'),))
    """
    line = _Line(start, end, lower, upper, Relaxation.parse(relaxation), output)
    first, last = (read_number(t, f"interval[{k}]") for k, t in enumerate(interval))
    if first >= last:
        raise InputError(f"interval is [{first}, {last}]; expected the smaller end first")
    ends = [RealRoot.rational(as_fmpq(t)) for t in (first, last)]
    pieces: list[Piece] = []
    for piece in line.cover(ends[0], ends[1]):
        pieces.append(piece)
        if len(pieces) > max_pieces:
            message = f"more than {max_pieces} pieces; raise max_pieces or shorten the interval"
            raise BudgetExceeded(message, len(pieces))
    jumps = [jump for a, b in pairwise(pieces) if (jump := line.jump(a, b)) is not None]
    return RelaxationProfile(line.relaxation, tuple(pieces), tuple(jumps), len(pieces) - 1 - len(jumps))


class _Line:
    """The line of networks."""

    def __init__(
        self, start: Network, end: Network, lower: ArrayLike, upper: ArrayLike, relaxation: Relaxation, output: int
    ) -> None:
        if start.widths != end.widths or any(
            a.activation != b.activation for a, b in zip(start.layers, end.layers, strict=True)
        ):
            raise InputError(f"start is {start.describe()}, end {end.describe()}; expected the same layers")
        if start.layers[-1].activation is not None:
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

    def bounds(self, trace: Trace) -> list[Interval]:
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
                Fraction(int(place.p), int(place.q)),
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
        before, after, alone = (_middle(place.value(*function)) for function in (*sides, point))
        enclosure = abs(size)
        return Jump(
            low=_rational(place.low),
            high=_rational(place.high),
            left=before,
            right=after,
            value=alone,
            size=_middle(enclosure),
            size_low=math.nextafter(float(enclosure.lower()), 0),
            size_high=math.nextafter(float(enclosure.upper()), math.inf),
            causes=tuple(_causes(place, left, right)),
        )


def _only(layer: AffineLayer, output: int) -> AffineLayer:
    return AffineLayer(layer.weights[output : output + 1], layer.bias[output : output + 1], layer.relu)


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


def _middle(ball: arb) -> float:
    return float(ball.mid())


def _rational(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))

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
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from polyinj.errors import BudgetExceeded, InputError
from polyinj.exact.arrays import read_number
from polyinj.exact.real_roots import RealRoot
from polyinj.networks.network import Network
from polyinj.relaxation.line import Jump, NetworkLine, Piece
from polyinj.relaxation.rules import Relaxation
from polyinj.relaxation.traced import as_fmpq, as_fraction

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        points = [(start, float(piece.start.value(piece.numerator, piece.denominator).mid()))]
        low, high = as_fraction(piece.start.high), as_fraction(piece.end.low)
        for k in range(1, samples):
            t = low + (high - low) * Fraction(k, samples)
            points.append((float(t), float(piece.at(t))))
        points.append((end, float(piece.end.value(piece.numerator, piece.denominator).mid())))
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
        See the table in `polyinj.relaxation.rules`.
    output : int
        Which entry of the output.
    interval : pair of numbers
        Of t, the smaller first.
    max_pieces : int
        The most pieces allowed.

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

    >>> from polyinj.networks.network import NetworkLayer
    >>> def network(bias):
    ...     return Network((NetworkLayer([[1.0]], [bias], "relu"), NetworkLayer([[1.0]], None, None)), "example")
    >>> profile = relaxation_profile(network(-0.5), network(0.5), [-0.25], [0.25], "crown")
    >>> profile
    RelaxationProfile('crown', 4 pieces, 1 jumps, 2 kinks)
    >>> profile.jumps[0].position, profile.jumps[0].left, profile.jumps[0].right, profile.jumps[0].causes
    (0.5, 0.0, -0.25, (Cause(layer=0, neuron=0, what='u + l'),))
    """
    line = NetworkLine(start, end, lower, upper, Relaxation.parse(relaxation), output)
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

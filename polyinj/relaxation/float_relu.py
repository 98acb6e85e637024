"""What a rule makes of the ReLUs of a layer in floating point: slopes as they are multiplied, intercepts rounded up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polyinj.relaxation.layer_bounds import Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Rounding
from polyinj.relaxation.rules import Array, Relaxation


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """below * x <= ReLU(x) <= above * x + intercept, each of shape (boxes, neurons) or another for all three."""

    below: Floats
    above: Floats
    intercept: Floats

    @classmethod
    def of(cls, bounds: Bounds, relu: Array, relaxation: Relaxation, rounding: Rounding) -> Lines:
        """Of neurons with these bounds, parallel for zonotopes; the slopes are numbers of the type of forms."""
        active, _, unstable = bounds.split(relu)
        below, intercept = active.astype(np.float64), np.zeros_like(bounds.lower)
        above = below.copy()
        low, high = bounds.lower[unstable], bounds.upper[unstable]
        lower = _in_forms(relaxation.slopes(low, high), rounding)
        upper = lower if relaxation.form == "zonotope" else _in_forms(high / (high - low), rounding)
        below[unstable], above[unstable] = lower, upper
        highest = np.maximum(-upper * low, (1 - upper) * high)
        # No number that underflows in the type of forms.
        intercept[unstable] = DOUBLE.grown(highest, 2) + rounding.tiny
        return cls(below, above, intercept)

    def map(self, change: Callable[[Floats], Floats]) -> Lines:
        """Other neurons or boxes, or another order of them."""
        return Lines(change(self.below), change(self.above), change(self.intercept))

    @property
    def dead(self) -> Array:
        """The neurons of which neither line depends on x."""
        dead: Array = (self.below == 0) & (self.above == 0)
        return dead

    @classmethod
    def flattened(cls, bounds: Bounds, relu: Array, least: Floats) -> Lines:
        """Of symbolic: 0 below; above x where the upper form is nowhere negative, else the number u."""
        active, dead, unstable = bounds.split(relu)
        flat = unstable & ~(least >= 0)
        return cls(
            active.astype(np.float64), (~(dead | flat)).astype(np.float64), np.where(flat, bounds.upper, np.float64(0))
        )


def _in_forms(slopes: Array, rounding: Rounding) -> Floats:
    # Rounding does not leave [0, 1], where every slope is sound.
    return slopes.astype(rounding.dtype).astype(np.float64)

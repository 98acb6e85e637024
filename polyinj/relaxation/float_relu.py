"""What a rule makes of the ReLUs of a layer in floating point: slopes as they are multiplied, intercepts rounded up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polyinj.relaxation.layer_bounds import Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Rounding
from polyinj.relaxation.rules import Array, Relaxation


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """ReLU(x) in slope * x + [0, height]; unstable marks the neurons whose height may be positive."""

    slope: Floats
    height: Floats
    unstable: Array

    @classmethod
    def of(cls, bounds: Bounds, relu: Array, relaxation: Relaxation, rounding: Rounding) -> Zones:
        """Of neurons with these bounds; the slopes are numbers of the type of forms."""
        active, _, unstable = bounds.split(relu)
        slope, height = active.astype(np.float64), np.zeros_like(bounds.lower)
        low, high = bounds.lower[unstable], bounds.upper[unstable]
        chosen = _in_forms(relaxation.slopes(low, high), rounding)
        slope[unstable] = chosen
        height[unstable] = _above_chord(chosen, low, high, rounding)
        return cls(slope, height, unstable)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """below * x <= ReLU(x) <= above * x + intercept."""

    below: Floats
    above: Floats
    intercept: Floats

    @classmethod
    def of(cls, bounds: Bounds, relu: Array, relaxation: Relaxation, rounding: Rounding) -> Lines:
        """Of neurons with these bounds; the slopes are numbers of the type of forms."""
        active, _, unstable = bounds.split(relu)
        below, intercept = active.astype(np.float64), np.zeros_like(bounds.lower)
        above = below.copy()
        low, high = bounds.lower[unstable], bounds.upper[unstable]
        below[unstable] = _in_forms(relaxation.slopes(low, high), rounding)
        chord = _in_forms(high / (high - low), rounding)
        above[unstable] = chord
        intercept[unstable] = _above_chord(chord, low, high, rounding)
        return cls(below, above, intercept)

    def of_boxes(self, boxes: slice) -> Lines:
        """For some of the boxes."""
        return Lines(self.below[boxes], self.above[boxes], self.intercept[boxes])

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


def _above_chord(slopes: Floats, low: Floats, high: Floats, rounding: Rounding) -> Floats:
    """The largest ReLU(x) - slope x, at an end of [l, u]; no number that underflows in the type of forms."""
    return DOUBLE.grown(np.maximum(-slopes * low, (1 - slopes) * high), 2) + rounding.tiny


def _in_forms(slopes: Array, rounding: Rounding) -> Floats:
    # Rounding does not leave [0, 1], where every slope is sound.
    return slopes.astype(rounding.dtype).astype(np.float64)

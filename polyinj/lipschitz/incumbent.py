"""The incumbent, the best cell so far: its exact Jacobian norm and the signs and input that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj.injectivity.cell_finder import CellFinder, is_inside
from polyinj.lipschitz.jacobians import Jacobians
from polyinj.lipschitz.operator_norm import NormValue, operator_norm

Floats = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Incumbent:
    """Cells of the neurons of `jacobians` that meet the open domain, compared exactly.

    `floor` is a double, in units of `jacobians.scale`, that the best norm is not below: cells whose norm in floats plus
    `jacobians.margin` is at most that are not better.
    """

    jacobians: Jacobians
    finder: CellFinder
    norm: float
    best: NormValue | None = None
    active: tuple[bool, ...] = ()
    point: list[Fraction] = field(default_factory=list)
    floor: float = -np.inf

    def offer_input(self, point: Floats) -> None:
        """As `offer_point`, of an input in floats."""
        if np.isfinite(point).all():
            self.offer_point([Fraction(entry) for entry in point.tolist()])

    def offer_point(self, exact: list[Fraction]) -> None:
        """Consider the cell around an input, if it is strictly inside one and the domain."""
        layer = self.jacobians.layer
        z = exact if layer.is_linear else [*exact, Fraction(1)]
        values = [sum((a * x for a, x in zip(row, z, strict=True)), Fraction(0)) for row in self.finder.rows]
        if all(values) and is_inside(layer.domain, exact):
            self.offer([value > 0 for value in values], exact)

    def offer(self, active: Sequence[bool], point: list[Fraction]) -> None:
        """Consider a cell that exists, with an input in it."""
        value = self.value(active)
        if self.best is None or value.exceeds(self.best):
            self.best, self.active, self.point = value, tuple(active), point
            # Two half-ulps below the quotient of the lower end.
            self.floor = float(Fraction(value.lower) / self.jacobians.scale) * (1 - 2.0**-51)

    def value(self, active: Sequence[bool]) -> NormValue:
        """The exact norm of the Jacobian of a cell."""
        return operator_norm(self.jacobians.at(active), self.norm)

    def may_improve(self, norm: Floats) -> NDArray[np.bool_]:
        """Whether norms in floats, in units of the scale, leave open that the exact ones are more than the best."""
        return norm + self.jacobians.margin > self.floor

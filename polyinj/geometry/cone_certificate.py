"""Certificates about a cone: what lies in it and what does not, and nearest points; checked without the finder.

A certificate speaks about definitions, the data that a cone was built from, never about a computed description. Each
`verify` computes in rationals and takes the definitions at hand, so that a certificate for another cone is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from polyinj.errors import require
from polyinj.exact.algebra import dot
from polyinj.exact.arrays import Point
from polyinj.geometry.cone_definition import ConeDefinition


@dataclass(frozen=True, slots=True)
class PointInside:
    """The point lies in the cone.

    Attributes
    ----------
    cone : ConeDefinition
    point : tuple of Fraction
    multipliers, line_multipliers : tuple of Fraction
        For a cone of rays: point = sum multipliers[i] rows[i] + sum line_multipliers[j] equalities[j], the former >= 0
        (Farkas). Empty for a cone of inequalities, where the point itself is the proof.
    """

    cone: ConeDefinition
    point: Point
    multipliers: Point = ()
    line_multipliers: Point = ()

    def verify(self, cone: ConeDefinition) -> None:
        """Check the claim for `cone`.

        Raises
        ------
        CertificateError
            The point is not shown to lie in the cone, or the certificate is for another cone.
        """
        _same(self.cone, cone)
        _length(self.point, cone.dimension, "point")
        if cone.kind == "inequalities":
            for i, row in enumerate(cone.rows):
                require(dot(row, self.point) >= 0, f"the point violates inequality {i}")
            for i, row in enumerate(cone.equalities):
                require(dot(row, self.point) == 0, f"the point violates equation {i}")
            return
        _length(self.multipliers, len(cone.rows), "multipliers")
        _length(self.line_multipliers, len(cone.equalities), "line_multipliers")
        require(all(value >= 0 for value in self.multipliers), "a multiplier of a ray is negative")
        combined = _combine(cone, self.multipliers, self.line_multipliers)
        require(combined == self.point, "the combination of the rays is not the point")


@dataclass(frozen=True, slots=True)
class PointOutside:
    """The point does not lie in the cone: row.x >= 0 on the cone and row.point < 0.

    Attributes
    ----------
    cone : ConeDefinition
    point : tuple of Fraction
    row : tuple of int
        For a cone of inequalities, one of them, an equation or the negative of one.
    """

    cone: ConeDefinition
    point: Point
    row: tuple[int, ...]

    def verify(self, cone: ConeDefinition) -> None:
        """Check the claim for `cone`.

        Raises
        ------
        CertificateError
            The row does not separate the point from the cone, or the certificate is for another cone.
        """
        _same(self.cone, cone)
        _length(self.point, cone.dimension, "point")
        _length(self.row, cone.dimension, "row")
        require(dot(self.row, self.point) < 0, "the row is not negative at the point")
        if cone.kind == "inequalities":
            require(self.row in cone.generators, "the row is not one of the inequalities and equations of the cone")
            return
        for i, ray in enumerate(cone.rows):
            require(dot(self.row, ray) >= 0, f"the row is negative at ray {i}")
        for i, line in enumerate(cone.equalities):
            require(dot(self.row, line) == 0, f"the row is not zero on line {i}")


@dataclass(frozen=True, slots=True)
class ConeInside:
    """The cone `inner` is contained in the cone `outer`.

    Attributes
    ----------
    inner, outer : ConeDefinition
    members : tuple of PointInside
        For an inner cone of rays: its generators, each in the outer cone. For two cones of inequalities: the generators
        of the dual of the outer cone, each in the dual of the inner one (Farkas multipliers of each inequality).
    """

    inner: ConeDefinition
    outer: ConeDefinition
    members: tuple[PointInside, ...]

    def verify(self, inner: ConeDefinition, outer: ConeDefinition) -> None:
        """Check the claim for two cones.

        Raises
        ------
        CertificateError
            The containment is not shown, or the certificate is for other cones.
        """
        _same(self.inner, inner)
        _same(self.outer, outer)
        require(inner.dimension == outer.dimension, "the cones lie in spaces of different dimension")
        if inner.kind == "rays":
            small, large = inner, outer
        else:
            require(outer.kind == "inequalities", "an inner cone of inequalities needs an outer cone of inequalities")
            small, large = outer.dual, inner.dual
        _length(self.members, len(small.generators), "members")
        for generator, member in zip(small.generators, self.members, strict=True):
            require(member.point == generator, "a member is not the generator that it stands for")
            member.verify(large)


@dataclass(frozen=True, slots=True)
class ConeOutside:
    """The cone `inner` is not contained in the cone `outer`: a point of the one that is not in the other."""

    inside: PointInside
    outside: PointOutside

    def verify(self, inner: ConeDefinition, outer: ConeDefinition) -> None:
        """Check the claim for two cones.

        Raises
        ------
        CertificateError
            The point is not shown to lie in one and not in the other, or the certificate is for other cones.
        """
        self.inside.verify(inner)
        self.outside.verify(outer)
        require(self.inside.point == self.outside.point, "the certificate speaks of two different points")


@dataclass(frozen=True, slots=True)
class ExactProjection:
    """The nearest point of a cone to a point, exactly.

    Attributes
    ----------
    cone : ConeDefinition
    point, projection : tuple of Fraction
    multipliers, line_multipliers : tuple of Fraction
        One for each row and equality of the cone, the former >= 0. For a cone of rays their combination is the
        projection; for inequalities it is projection - point.
    """

    cone: ConeDefinition
    point: Point
    projection: Point
    multipliers: Point
    line_multipliers: Point

    @property
    def squared_distance(self) -> Fraction:
        """Square of the Euclidean distance of the point from the cone."""
        return sum(((a - b) ** 2 for a, b in zip(self.point, self.projection, strict=True)), Fraction(0))

    def verify(self, cone: ConeDefinition) -> None:
        """Check the optimality conditions (Karush, Kuhn, Tucker) in rationals.

        Raises
        ------
        CertificateError
            The projection is not shown to be the nearest point, or is that to another cone.
        """
        _same(self.cone, cone)
        _length(self.point, cone.dimension, "point")
        _length(self.projection, cone.dimension, "projection")
        _length(self.multipliers, len(cone.rows), "multipliers")
        _length(self.line_multipliers, len(cone.equalities), "line_multipliers")
        require(all(value >= 0 for value in self.multipliers), "a multiplier is negative")
        combined = _combine(cone, self.multipliers, self.line_multipliers)
        step = tuple(b - a for a, b in zip(self.point, self.projection, strict=True))
        # The multipliers give one of the two; the other has to be >= 0 on the rows, and orthogonal to the first.
        expected, other = (self.projection, step) if cone.kind == "rays" else (step, self.projection)
        require(combined == expected, "the multipliers do not give the projection")
        satisfied = all(dot(row, other) >= 0 for row in cone.rows) and not any(dot(r, other) for r in cone.equalities)
        require(satisfied, "the projection is not in the cone, or point - projection not in its polar")
        require(dot(combined, other) == 0, "the projection and point - projection are not orthogonal")


def _same(ours: ConeDefinition, theirs: ConeDefinition) -> None:
    require(ours == theirs, "the certificate is for another cone")


def _length(values: Sequence[object], length: int, name: str) -> None:
    require(len(values) == length, f"{name} has {len(values)} entries; expected {length}")


def _combine(cone: ConeDefinition, multipliers: Point, line_multipliers: Point) -> Point:
    weights, vectors = multipliers + line_multipliers, cone.rows + cone.equalities
    return tuple(dot([vector[j] for vector in vectors], weights) for j in range(cone.dimension))

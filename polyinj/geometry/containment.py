"""Does a cone contain a point, or another cone? Decided in exact arithmetic, with a certificate either way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lcm

from polyinj.exact.algebra import dot
from polyinj.exact.arrays import Point
from polyinj.exact.farkas import SeparatingRow, farkas
from polyinj.geometry.cone_certificate import (
    ConeInside,
    ConeOutside,
    PointInside,
    PointOutside,
)
from polyinj.geometry.cone_definition import ConeDefinition


def decide_point(cone: ConeDefinition, point: Sequence[Fraction]) -> PointInside | PointOutside:
    """Decide whether a point, of the length of the space, lies in a cone.

    Inequalities are evaluated; for rays an exact linear program gives multipliers or a separating row, so no other
    description of the cone is computed.
    """
    exact_point = tuple(map(Fraction, point))
    if cone.kind == "inequalities":
        return _evaluate(cone, exact_point)
    scale = lcm(*(entry.denominator for entry in exact_point))
    solution = farkas(cone.generators, [int(entry * scale) for entry in exact_point])
    if isinstance(solution, SeparatingRow):
        return PointOutside(cone, exact_point, solution.row)
    weights = [value / scale for value in solution.multipliers]
    first, second = len(cone.rows), len(cone.rows) + len(cone.equalities)
    along = tuple(a - b for a, b in zip(weights[first:second], weights[second:], strict=True))
    return PointInside(cone, exact_point, tuple(weights[:first]), along)


def _evaluate(cone: ConeDefinition, point: Point) -> PointInside | PointOutside:
    for row in cone.generators:
        if dot(row, point) < 0:
            return PointOutside(cone, point, row)
    return PointInside(cone, point)


def decide_cone(
    inner: ConeDefinition, outer: ConeDefinition, as_rays: Callable[[], ConeDefinition]
) -> ConeInside | ConeOutside:
    """Decide whether one cone contains another, both in the same space.

    Two cones of inequalities are compared through their duals: inner lies in {x : b.x >= 0} iff b lies in the dual of
    inner (Farkas). For inequalities inside rays the question is coNP-complete (Freund and Orlin 1985): `as_rays` must
    then give the inner cone by rays, and a positive certificate speaks about those.
    """
    if inner.kind == "inequalities" and outer.kind == "inequalities":
        return _decide_by_duals(inner, outer)
    rays = inner if inner.kind == "rays" else as_rays()
    members = []
    for generator in rays.generators:
        point = tuple(map(Fraction, generator))
        found = decide_point(outer, point)
        if isinstance(found, PointOutside):
            return ConeOutside(_inside(inner, point), found)
        members.append(found)
    return ConeInside(rays, outer, tuple(members))


def _decide_by_duals(inner: ConeDefinition, outer: ConeDefinition) -> ConeInside | ConeOutside:
    members = []
    for row in outer.generators:
        found = decide_point(inner.dual, tuple(map(Fraction, row)))
        if isinstance(found, PointOutside):
            point = tuple(map(Fraction, found.row))
            outside = decide_point(outer, point)
            assert isinstance(outside, PointOutside)
            return ConeOutside(_inside(inner, point), outside)
        members.append(found)
    return ConeInside(inner, outer, tuple(members))


def _inside(cone: ConeDefinition, point: Point) -> PointInside:
    found = decide_point(cone, point)
    assert isinstance(found, PointInside)
    return found

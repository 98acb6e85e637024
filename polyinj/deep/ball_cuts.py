"""Half-spaces that contain a ball: the polyhedron on which a network is gone through, cut where a collision is outside.

A cut d, |d| >= radius, keeps the x with d.(x - centre) <= d.d, and in the ball d.(x - centre) <= |d| radius <= d.d.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from polyinj.certificates.domain import Ball, squared_length
from polyinj.certificates.relu_chain import ReluChain
from polyinj.deep.linear_regions import OutOfBudget
from polyinj.exact.algebra import dot
from polyinj.exact.arrays import Point

# Cuts beyond those of the cube around the ball; bits that directions and lengths are rounded to.
_MOST_CUTS, _DIRECTION_BITS, _LENGTH_BITS = 64, 24, 30


def first_cuts(chain: ReluChain) -> tuple[Point, ...]:
    """The sides of the cube around the ball; none where the domain is no ball, or the network is decided on R^n."""
    ball = chain.domain
    if not isinstance(ball, Ball) or chain.is_linear:
        return ()
    axes = [tuple(Fraction(int(i == j)) for i in range(ball.columns)) for j in range(ball.columns)]
    return tuple(tuple(sign * ball.radius * entry for entry in axis) for axis in axes for sign in (-1, 1))


def cut_off(chain: ReluChain, cuts: tuple[Point, ...], pair: tuple[Point, Point]) -> tuple[Point, ...]:
    """The cuts and one more, which excludes a point of the pair that lies outside the ball; OutOfBudget after many."""
    ball = chain.domain
    assert isinstance(ball, Ball)
    if len(cuts) >= 2 * ball.columns + _MOST_CUTS:
        raise OutOfBudget(f"more than {_MOST_CUTS} cuts of a ball")
    outside = max(pair, key=lambda point: squared_length(_offset(ball, point)))
    offset = _offset(ball, outside)
    unit = max(map(abs, offset)) / (1 << _DIRECTION_BITS)
    short = [Fraction(round(entry / unit)) * unit for entry in offset]
    for direction in (short, offset):
        # The share r / |d| of the direction, rounded up, is as long as the radius.
        share = ball.radius**2 / squared_length(direction)
        scaled = (share.numerator << 2 * _LENGTH_BITS) // share.denominator
        length = Fraction(isqrt(scaled) + 1, 1 << _LENGTH_BITS)
        cut = tuple(length * entry for entry in direction)
        if dot(cut, offset) > squared_length(cut) >= ball.radius**2:
            return (*cuts, cut)
    raise OutOfBudget("a collision lies too near to the ball to be cut off")


def _offset(ball: Ball, point: Point) -> list[Fraction]:
    return [a - b for a, b in zip(point, ball.centre, strict=True)]

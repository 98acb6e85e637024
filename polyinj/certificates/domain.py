"""Where the inputs of a layer lie: a box or a ball, read exactly; and the half-spaces that contain them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any, Self

import numpy as np

from polyinj.errors import InputError
from polyinj.exact.algebra import IntegerRows
from polyinj.exact.arrays import Point, format_ratio, read_number

Side = Fraction | None

# In a message: columns of a domain, and characters of a number.
_SHOWN, _DIGITS = 8, 60


@dataclass(frozen=True, slots=True)
class Box:
    """The closed box {x : lower_j <= x_j <= upper_j}; it must have interior.

    Parameters
    ----------
    lower, upper : sequences of n numbers
        Finite floats, int and Fraction are read exactly; None or an infinite float stands for no bound on that side.

    Raises
    ------
    InputError
        Different lengths, no entry, NaN, or lower_j >= upper_j.

    Examples
    --------
    >>> Box([0, -1.5], [float("inf"), 1.5])
    Box('[0/1, inf) x [-3/2, 3/2]')
    >>> Box.nonnegative(2).contains([Fraction(0), Fraction(1, 3)])
    True
    """

    lower: tuple[Side, ...]
    upper: tuple[Side, ...]

    def __post_init__(self) -> None:
        lower = tuple(_read_side(side, -np.inf, f"lower[{j}]") for j, side in enumerate(self.lower))
        upper = tuple(_read_side(side, np.inf, f"upper[{j}]") for j, side in enumerate(self.upper))
        if len(lower) != len(upper) or not lower:
            raise InputError(
                f"the box has {len(lower)} lower and {len(upper)} upper sides; expected one of each a column"
            )
        for j, (a, b) in enumerate(zip(lower, upper, strict=True)):
            if a is not None and b is not None and a >= b:
                raise InputError(
                    f"side {j} of the box is [{_number(a)}, {_number(b)}]; expected lower < upper; "
                    "to fix an input, drop its column and add the column times its value to the bias"
                )
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)

    @classmethod
    def nonnegative(cls, columns: int) -> Self:
        """The orthant {x : x >= 0}, where the output of every hidden ReLU layer lies."""
        return cls((Fraction(0),) * columns, (None,) * columns)

    @property
    def columns(self) -> int:
        """n, the number of inputs."""
        return len(self.lower)

    @property
    def is_everything(self) -> bool:
        """Whether no side is finite: the box is R^n, and goes by that name."""
        return all(side is None for side in (*self.lower, *self.upper))

    @property
    def acts_as_cone(self) -> bool:
        """Whether layers without bias may be decided on the cone of all its multiples: here every finite side is 0."""
        return all(not side for side in (*self.lower, *self.upper))

    def contains(self, point: Sequence[Fraction]) -> bool:
        """Whether the point lies in the closed box."""
        return all(
            (a is None or a <= entry) and (b is None or entry <= b)
            for a, entry, b in zip(self.lower, point, self.upper, strict=True)
        )

    def surrounds(self, point: Sequence[Fraction]) -> bool:
        """Whether the point lies in the open box."""
        return all(
            (a is None or a < entry) and (b is None or entry < b)
            for a, entry, b in zip(self.lower, point, self.upper, strict=True)
        )

    def interior_point(self) -> list[Fraction]:
        """A point in the interior."""
        point = []
        for low, high in zip(self.lower, self.upper, strict=True):
            if low is not None and high is not None:
                point.append((low + high) / 2)
            else:
                point.append(low + 1 if low is not None else high - 1 if high is not None else Fraction(0))
        return point

    def facets(self) -> IntegerRows:
        """Integer rows (a, t) with a.x + t > 0 in the interior: column by column, the lower side first."""
        facets = []
        for j, sides in enumerate(zip(self.lower, self.upper, strict=True)):
            for sign, side in zip((1, -1), sides, strict=True):
                if side is not None:
                    facet = [0] * (self.columns + 1)
                    facet[j], facet[-1] = sign * side.denominator, -sign * side.numerator
                    facets.append(facet)
        return facets

    def describe(self) -> str:
        """The text that is hashed: `box`, then `lower:upper` of each column, `-inf` and `inf` for no bound."""
        sides = zip(self.lower, self.upper, strict=True)
        return " ".join(["box", *(f"{_text(a, '-inf')}:{_text(b, 'inf')}" for a, b in sides)])

    def __repr__(self) -> str:
        return f"Box({' x '.join(self.intervals(format_ratio))!r})"

    def intervals(self, write: Callable[[Fraction], str]) -> list[str]:
        """The interval of each column, with the finite sides as written by a function."""
        return [
            f"{'(-inf' if a is None else f'[{write(a)}'}, {'inf)' if b is None else f'{write(b)}]'}"
            for a, b in zip(self.lower, self.upper, strict=True)
        ]


def _read_side(side: Any, infinity: float, name: str) -> Side:
    if side is None or (isinstance(side, float) and side == infinity):
        return None
    return read_number(side, name)


def _text(side: Side, infinity: str) -> str:
    return infinity if side is None else format_ratio(side)


@dataclass(frozen=True, slots=True)
class Ball:
    """The closed ball {x : |x - centre| <= radius} of the Euclidean norm.

    Parameters
    ----------
    centre : sequence of n numbers
    radius : number
        Positive. Finite floats, int and Fraction are read exactly.

    Raises
    ------
    InputError
        No entry, NaN or infinity, or a radius that is not positive.

    Examples
    --------
    >>> Ball([0, 0.5], 2)
    Ball(centre=(0, 1/2), radius=2)
    >>> Ball.at_origin(2, 1).contains([Fraction(3, 5), Fraction(-4, 5)])
    True
    """

    centre: Point
    radius: Fraction

    def __post_init__(self) -> None:
        centre = tuple(read_number(entry, f"centre[{j}]") for j, entry in enumerate(self.centre))
        radius = read_number(self.radius, "radius")
        if not centre:
            raise InputError("the centre has no entry; expected one a column of the weights")
        if radius <= 0:
            raise InputError(f"radius is {self.radius}; expected a positive number")
        object.__setattr__(self, "centre", centre)
        object.__setattr__(self, "radius", radius)

    @classmethod
    def at_origin(cls, columns: int, radius: Fraction) -> Self:
        """The ball {x : |x| <= radius}."""
        return cls((Fraction(0),) * columns, radius)

    @property
    def columns(self) -> int:
        """n, the number of inputs."""
        return len(self.centre)

    @property
    def acts_as_cone(self) -> bool:
        """Whether layers without bias may be decided on the cone of all its multiples: here 0 is in the interior."""
        return squared_length(self.centre) < self.radius**2

    def contains(self, point: Sequence[Fraction]) -> bool:
        """Whether the point lies in the closed ball."""
        return self._squared_distance(point) <= self.radius**2

    def surrounds(self, point: Sequence[Fraction]) -> bool:
        """Whether the point lies in the open ball."""
        return self._squared_distance(point) < self.radius**2

    def step_inside(self, point: Sequence[Fraction], direction: Sequence[Fraction]) -> Fraction:
        """A step t > 0, not much shorter than need be, for which point + t direction is in the open ball, as point is.

        With o = point - centre and g = radius^2 - |o|^2 > 0 that says 2 t o.d + t^2 |d|^2 < g.
        """
        offset = [a - b for a, b in zip(point, self.centre, strict=True)]
        gap = self.radius**2 - squared_length(offset)
        cross = abs(sum((a * b for a, b in zip(offset, direction, strict=True)), Fraction(0)))
        share = gap / (4 * squared_length(direction))
        # A power of two whose square is at most that share.
        bits = (share.numerator.bit_length() - share.denominator.bit_length() - 1) // 2
        step = Fraction(1 << bits) if bits >= 0 else Fraction(1, 1 << -bits)
        return min(step, gap / (4 * cross)) if cross else step

    def _squared_distance(self, point: Sequence[Fraction]) -> Fraction:
        return squared_length([a - b for a, b in zip(point, self.centre, strict=True)])

    def interior_point(self) -> list[Fraction]:
        """The centre."""
        return list(self.centre)

    def facets(self) -> IntegerRows:
        """None: the polyhedron that stands for a ball is R^n, until it is cut by a `Cover`."""
        return []

    def describe(self) -> str:
        """The text that is hashed: `ball`, then the radius, then the centre."""
        return " ".join(["ball", format_ratio(self.radius), *map(format_ratio, self.centre)])

    def __repr__(self) -> str:
        radius, *centre = (format_ratio(entry).removesuffix("/1") for entry in (self.radius, *self.centre))
        return f"Ball(centre=({', '.join(centre)}), radius={radius})"


@dataclass(frozen=True, slots=True)
class Cover:
    """The polyhedron {x : d.(x - centre) <= d.d for every cut d}, which contains the ball.

    In the ball d.(x - centre) <= |d| |x - centre| <= |d| radius, and this is at most d.d since every |d| >= radius.

    Raises
    ------
    InputError
        A cut that is shorter than the radius, or has not one entry a column.
    """

    ball: Ball
    cuts: tuple[Point, ...]

    def __post_init__(self) -> None:
        for k, cut in enumerate(self.cuts):
            if len(cut) != self.columns:
                raise InputError(f"cut {k} has {len(cut)} entries; expected {self.columns}")
            if squared_length(cut) < self.ball.radius**2:
                raise InputError(f"cut {k} is shorter than the radius {_number(self.ball.radius)}")

    @property
    def columns(self) -> int:
        """n, the number of inputs."""
        return self.ball.columns

    @property
    def acts_as_cone(self) -> bool:
        """Never: a ball for which that is true needs no cover."""
        return False

    def contains(self, point: Sequence[Fraction]) -> bool:
        """Whether the point lies in the closed polyhedron."""
        return all(
            sum(a * x for a, x in zip(facet, (*point, Fraction(1)), strict=True)) >= 0 for facet in self.facets()
        )

    def surrounds(self, point: Sequence[Fraction]) -> bool:
        """Whether the point lies in the open ball, as far as is asked of covers."""
        return self.ball.surrounds(point)

    def interior_point(self) -> list[Fraction]:
        """The centre of the ball."""
        return self.ball.interior_point()

    def facets(self) -> IntegerRows:
        """Integer rows (a, t) with a.x + t > 0 in the interior: one a cut, in their order."""
        facets = []
        for cut in self.cuts:
            reach = squared_length(cut) + sum((d * c for d, c in zip(cut, self.ball.centre, strict=True)), Fraction(0))
            scale = lcm(reach.denominator, *(entry.denominator for entry in cut))
            facets.append([int(-entry * scale) for entry in cut] + [int(reach * scale)])
        return facets

    def describe(self) -> str:
        """The text of the ball: a cover is no domain of its own."""
        return self.ball.describe()


Domain = Box | Ball | Cover


def describe_domain(domain: Domain | None, columns: int) -> str:
    """Where the inputs lie, in words.

    Examples
    --------
    >>> describe_domain(None, 3), describe_domain(Box.nonnegative(3), 3)
    ('R^3', 'the nonnegative orthant of R^3')
    >>> describe_domain(Box([0, None], [1.5, None]), 2), describe_domain(Ball([0, 1], Fraction(1, 3)), 2)
    ('the box [0, 3/2] x (-inf, inf) of R^2', 'the ball of radius 1/3 around (0, 1) in R^2')
    """
    if isinstance(domain, Cover):
        domain = domain.ball
    if domain is None or (isinstance(domain, Box) and domain.is_everything):
        return f"R^{columns}"
    if isinstance(domain, Ball):
        centre = join_numbers(domain.centre, ", ")
        return f"the ball of radius {_number(domain.radius)} around ({centre}) in R^{columns}"
    if not any(domain.lower) and None not in domain.lower and not any(side is not None for side in domain.upper):
        return f"the nonnegative orthant of R^{columns}"
    return f"the box {join_numbers(domain.intervals(_number), ' x ')} of R^{columns}"


def join_numbers(parts: Sequence[Any], separator: str) -> str:
    """Numbers, or text, in one line; of many only the first."""
    shown = [part if isinstance(part, str) else _number(part) for part in parts[:_SHOWN]]
    return separator.join([*shown, "..."] if len(parts) > _SHOWN else shown)


def _number(value: Fraction) -> str:
    """A rational in a message: exactly, or rounded where that takes many digits."""
    text = format_ratio(value).removesuffix("/1")
    if len(text) <= _DIGITS:
        return text
    try:
        return f"about {float(value):.6g}"
    except OverflowError:
        return f"{text[:_DIGITS]}..."


def squared_length(vector: Sequence[Fraction]) -> Fraction:
    """The exact squared Euclidean length."""
    return sum((entry * entry for entry in vector), Fraction(0))

"""Options of the shell that say where the inputs of a layer lie."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated

import typer

from polyinj.certificates.domain import Ball, Box
from polyinj.errors import InputError, printable
from polyinj.exact.arrays import format_ratio, read_number

Nonnegative = Annotated[bool, typer.Option("--nonnegative", help="Inputs are >= 0, as behind a ReLU.")]
BoxSides = Annotated[
    str | None,
    typer.Option(
        "--box",
        metavar="LOW:HIGH,...",
        help="Sides of a box of inputs, a pair a column: 0:1,-inf:2; one pair alone is that of every column.",
    ),
]
Radius = Annotated[
    str | None,
    typer.Option("--ball", help="Inputs lie in this radius around --ball-centre: 1.5 is a double, 3/2 exact."),
]
Centre = Annotated[str | None, typer.Option("--ball-centre", help="One number a column: 0,1.5,-2/3; by default 0.")]

_EXACT = re.compile(r"(-?[0-9]{1,4000})(?:/([0-9]{1,4000}))?", re.ASCII)
# Characters of options in a message.
_SHOWN = 400


def read_domain(
    columns: int, *, nonnegative: bool, sides: str | None, radius: str | None, centre: str | None
) -> Box | Ball | None:
    """The domain that the options ask for: R^n, None, if there is none of them; InputError for two or bad numbers."""
    given = {"--nonnegative": nonnegative, "--box": sides is not None, "--ball": radius is not None}
    asked = [name for name, is_given in given.items() if is_given]
    if len(asked) > 1:
        raise InputError(f"{' and '.join(asked)} are two domains; expected one of them")
    if centre is not None and radius is None:
        raise InputError(f"--ball-centre is {printable(centre)!r} without a radius; add --ball RADIUS")
    if sides is not None:
        return _box(columns, sides)
    if radius is None:
        return Box.nonnegative(columns) if nonnegative else None
    length = _number(radius, "--ball")
    if centre is None:
        return Ball.at_origin(columns, length)
    return Ball(tuple(_number(part, "--ball-centre") for part in centre.split(",")), length)


def domain_options(domain: Box | Ball | None) -> str:
    """The options that ask for a domain, as one would type them.

    Examples
    --------
    >>> domain_options(Box([0, None], [1, 1.5])), domain_options(Box([0, 0], [1, 1])), domain_options(None)
    ('--box=0:1,-inf:3/2', '--box=0:1', 'none of --nonnegative, --box and --ball')
    >>> domain_options(Ball([2, 0], Fraction(13, 10)))
    '--ball=13/10 --ball-centre=2,0'
    """
    if domain is None:
        return "none of --nonnegative, --box and --ball"
    if isinstance(domain, Ball):
        centre = f" --ball-centre={','.join(map(_written, domain.centre))}" if any(domain.centre) else ""
        return _cut(f"--ball={_written(domain.radius)}{centre}")
    if domain == Box.nonnegative(domain.columns):
        return "--nonnegative"
    pairs = [
        f"{'-inf' if low is None else _written(low)}:{'inf' if high is None else _written(high)}"
        for low, high in zip(domain.lower, domain.upper, strict=True)
    ]
    return _cut(f"--box={','.join(pairs[:1] if len(set(pairs)) == 1 else pairs)}")


def _box(columns: int, text: str) -> Box:
    pairs = [pair.split(":") for pair in text.split(",")]
    if not all(len(pair) == 2 for pair in pairs) or len(pairs) not in (1, columns):
        raise InputError(
            f"--box is {printable(text)!r}; expected LOW:HIGH for each of {columns} columns, or one pair for all of "
            "them, such as 0:1 or -inf:2"
        )
    pairs = pairs * columns if len(pairs) == 1 else pairs
    lower, upper = (
        tuple(None if pair[at].strip() in ("", infinity) else _number(pair[at], "--box") for pair in pairs)
        for at, infinity in ((0, "-inf"), (1, "inf"))
    )
    return Box(lower, upper)


def _number(text: str, name: str) -> Fraction:
    """An integer or p/q as it is, a decimal as the double nearest to it."""
    exact = _EXACT.fullmatch(text.strip())
    if exact is not None and int(exact[2] or 1):
        return Fraction(int(exact[1]), int(exact[2] or 1))
    try:
        return read_number(float(text), name)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} has {printable(text)!r}; expected numbers, such as 2, 1.5 or 13/10") from None


def _written(value: Fraction) -> str:
    return format_ratio(value).removesuffix("/1")


def _cut(options: str) -> str:
    return printable(options, _SHOWN)

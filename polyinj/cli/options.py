"""Options that several commands share, and the values of lists."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import typer

from polyinj.errors import InputError

_MOST_PROFILES = 10_000

Seed = Annotated[int, typer.Option(help="Same seed, same table, whatever --workers is.")]
Workers = Annotated[int | None, typer.Option(help="Processes on this machine; by default one a core.")]


def parse_list(text: str, name: str) -> list[float]:
    """The numbers of a list option: `2,3,5`, `2..8` (integers) or `2:10:0.5` (start:stop:step, stop included)."""
    try:
        if ".." in text:
            low, high = (int(end) for end in text.split(".."))
            values = [float(value) for value in range(low, high + 1)]
        elif ":" in text:
            start, stop, step = (Fraction(part.strip()) for part in text.split(":"))
            if step <= 0:
                raise ValueError
            values = [float(start + k * step) for k in range(int((stop - start) / step) + 1)]
        else:
            values = [float(part) for part in text.split(",")]
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{name} is {text!r}; expected a list such as 2,3,5 or 2..8 or 2:10:0.5") from None
    if not values:
        raise InputError(f"{name} is {text!r}, an empty range; expected the smaller end first")
    return values


def parse_integers(text: str, name: str) -> list[int]:
    """As `parse_list`, integers only."""
    values = parse_list(text, name)
    for value in values:
        if value != round(value):
            raise InputError(f"{name} is {text!r}; expected integers, such as 2,3,5 or 2..8")
    return [int(value) for value in values]


def parse_widths(text: str, name: str) -> list[tuple[int, ...]]:
    """Profiles of widths: `2-8-10,3-12`; the last width of one may be a range, `2-8-4..12`."""
    profiles = []
    for part in text.split(","):
        *before, last = part.split("-")
        try:
            low, high = last.split("..") if ".." in last else (last, last)
            first = tuple(int(width) for width in before)
            widths = range(int(low), int(high) + 1)
        except ValueError:
            widths = range(0)
        if not widths or not before:
            raise InputError(f"{name} is {text!r}; expected widths such as 2-8-10, or with a range 2-8-4..12")
        if len(widths) > _MOST_PROFILES:
            raise InputError(f"{name} is {text!r}; expected a range of at most {_MOST_PROFILES} widths")
        profiles += [(*first, width) for width in widths]
    return profiles

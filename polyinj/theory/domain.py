"""What the formulas accept: sizes m, n and real parameters, checked once."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from operator import index
from typing import TypeVar

from polyinj.errors import InputError

Value = TypeVar("Value")


def read_count(value: int, name: str, least: int = 1) -> int:
    """The integer itself (numpy integers become int), if it is at least `least`.

    Raises
    ------
    InputError
        Not an integer (bool and float are refused, also 3.0), or too small.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = index(value)
    except TypeError:
        raise InputError(f"{name} is {value!r}; expected an integer, at least {least}") from None
    if number < least:
        raise InputError(f"{name} is {number}; expected an integer, at least {least}")
    return number


def read_values(values: Iterable[Value], name: str, expected: str) -> list[Value]:
    """One value or more, as a list.

    Raises
    ------
    InputError
        Nothing that can be gone through, a text, or no value.
    """
    try:
        found = [] if isinstance(values, str) else list(values)
    except TypeError:
        found = []
    if not found:
        raise InputError(f"{name} is {values!r}; expected a list of one or more {expected}")
    return found


def read_sizes(m: int, n: int) -> tuple[int, int]:
    """(m, n) as ints: m rows (neurons) of a matrix with n columns (inputs), both at least 1."""
    return read_count(m, "m"), read_count(n, "n")


def read_max_positive(value: int | None, n: int) -> int:
    """How many rows may be positive: n - 1 (the layer loses information), unless it is given."""
    return n - 1 if value is None else read_count(value, "max_positive", 0)


def always_meets(m: int, n: int, k: int) -> bool:
    """Whether every (m, n) matrix in general position has a direction x != 0 with at most k positive rows.

    On the line where n - 1 rows vanish, one of the two directions has at most (m-n+1)/2 positive rows, and the n - 1
    rows can be made negative.
    """
    return k >= (m - n + 1) // 2


def read_real(value: float, name: str, above: float, below: float = float("inf")) -> float:
    """A finite float strictly between `above` and `below`.

    Raises
    ------
    InputError
        Not a real number (bool and text are refused), not finite or outside.
    """
    allowed = f"expected a finite number above {above:g}" + (f" and below {below:g}" if isfinite(below) else "")
    try:
        if isinstance(value, bool | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} is {value!r}; {allowed}") from None
    if not (isfinite(number) and above < number < below):
        raise InputError(f"{name} is {number!r}; {allowed}")
    return number

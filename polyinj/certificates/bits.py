"""Sets of small numbers kept as the bits of an integer."""

from __future__ import annotations

from collections.abc import Iterable


def bits_of(members: Iterable[int]) -> int:
    """The set of different numbers >= 0."""
    return sum(1 << member for member in members)


def bits_where(flags: Iterable[bool]) -> int:
    """The set of the places of the flags that are true."""
    return sum(1 << i for i, flag in enumerate(flags) if flag)


def members(bits: int) -> list[int]:
    """The numbers in a set, rising."""
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return found

"""Exponential rates of binomial coefficients in ball arithmetic, and proven roots."""

from __future__ import annotations

from collections.abc import Callable

from flint import arb

# Bits of precision that enclosures work with.
BITS = 192


def binomial_rate(a: arb, b: arb | int = 1) -> arb:
    """lim (1/n) ln C(a n, b n) = a ln a - b ln b - (a-b) ln(a-b) for a > b > 0; at b = 1 this is a H(1/a).

    >>> binomial_rate(arb(2))
    [1.38629436111989 +/- 8.23e-16]
    """
    b = arb(b)
    return a * a.log() - b * b.log() - (a - b) * (a - b).log()


def bracket(g: Callable[[arb], arb], low: arb | int, high: arb | int, floor: arb | int) -> tuple[arb, arb]:
    """Ends with opposite certain signs of g: those given, or moved apart until they have them, down to the floor.

    Raises
    ------
    ArithmeticError
        No such ends were found.
    """
    low, high, floor = arb(low), arb(high), arb(floor)
    if not low > floor:
        low = floor + 1
    if not high > low:
        high = 2 * low
    for _ in range(60):
        if g(low) * g(high) < 0:
            return low, high
        low, high = (low + floor) / 2, 2 * high
    raise ArithmeticError(f"no change of sign between {low} and {high}")


def enclose_root(g: Callable[[arb], arb], low: arb | int, high: arb | int, *, bits: int = 96) -> arb:
    """A ball of width 2^-bits around a root of g in (low, high), where g has opposite signs, by bisection.

    g is continuous and returns balls; every sign used is certain. Run it at a precision of `BITS`.

    Raises
    ------
    ArithmeticError
        g does not change sign, or a sign needs more bits.
    """
    low, high = arb(low), arb(high)
    rises = g(high) > 0
    while high - low > arb(2) ** -bits:
        middle = (low + high) / 2
        value = g(middle)
        if not (value > 0 or value < 0):
            raise ArithmeticError(f"the sign at {middle} needs more than {BITS} bits")
        if (value > 0) == rises:
            high = middle
        else:
            low = middle
    if not (g(low) * g(high) < 0):
        raise ArithmeticError(f"no change of sign between {low} and {high}")
    return low.union(high)

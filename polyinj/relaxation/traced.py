"""Rational functions of t that act as numbers at one place, and trace what was asked of their signs.

A computation that compares such numbers and takes absolute values follows one branch: the one of its place. On the
largest interval around the place where no traced polynomial changes sign it would follow the same branch, so its
result is one rational function there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from flint import fmpq, fmpq_poly

from polyinj.exact.real_roots import RealRoot

_ONE = fmpq_poly([1])


@dataclass(slots=True)
class Trace:
    """A place on the line, and the polynomials whose signs there were asked for (not those that vanish everywhere).

    A comparison decides between two branches that may differ; an absolute value bends, but its branches agree where
    it changes.
    """

    place: RealRoot
    compared: dict[str, fmpq_poly] = field(default_factory=dict)
    bent: dict[str, fmpq_poly] = field(default_factory=dict)

    def number(self, start: Fraction, end: Fraction) -> TracedNumber:
        """(1 - t) start + t end."""
        low, high = as_fmpq(start), as_fmpq(end)
        return TracedNumber(fmpq_poly([low, high - low]), _ONE, self)

    def sign(self, p: fmpq_poly, polynomials: dict[str, fmpq_poly]) -> int:
        """Of a polynomial at the place."""
        if p.degree() > 0:
            monic = p / p.coeffs()[-1]
            polynomials[str(monic.coeffs())] = monic
        return self.place.sign_of(p)


class TracedNumber:
    """numerator / denominator in lowest terms, denominator monic; signs and comparisons are those at the place."""

    __slots__ = ("denominator", "numerator", "trace")

    def __init__(self, numerator: fmpq_poly, denominator: fmpq_poly, trace: Trace) -> None:
        self.numerator = numerator
        self.denominator = denominator
        self.trace = trace

    def _reduced(self, numerator: fmpq_poly, denominator: fmpq_poly) -> TracedNumber:
        if denominator.degree() > 0:
            common = numerator.gcd(denominator)
            if common.degree() > 0:
                numerator, denominator = numerator // common, denominator // common
        lead = denominator.coeffs()[-1]
        if lead != 1:
            numerator, denominator = numerator / lead, denominator / lead
        return TracedNumber(numerator, denominator, self.trace)

    def sign(self, *, bends: bool = False) -> int:
        """-1, 0 or 1 at the place."""
        found = self.trace.sign(self.numerator, self.trace.bent if bends else self.trace.compared)
        # Denominators are products of differences u - l > 0 on the branch; only their constant sign counts.
        return found if self.denominator.degree() <= 0 else found * self.trace.place.sign_of(self.denominator)

    def __add__(self, other: Any) -> TracedNumber:
        if not isinstance(other, TracedNumber):
            if other == 0:
                return self
            return TracedNumber(self.numerator + self.denominator * as_fmpq(other), self.denominator, self.trace)
        if self.denominator == other.denominator:
            if self.denominator.degree() == 0:
                return TracedNumber(self.numerator + other.numerator, self.denominator, self.trace)
            return self._reduced(self.numerator + other.numerator, self.denominator)
        return self._reduced(
            self.numerator * other.denominator + other.numerator * self.denominator,
            self.denominator * other.denominator,
        )

    __radd__ = __add__

    def __neg__(self) -> TracedNumber:
        return TracedNumber(-self.numerator, self.denominator, self.trace)

    def __sub__(self, other: Any) -> TracedNumber:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> TracedNumber:
        return self.__neg__().__add__(other)

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, TracedNumber):
            return TracedNumber(self.numerator * as_fmpq(other), self.denominator, self.trace) if other else 0
        if self.denominator.degree() == 0 and other.denominator.degree() == 0:
            return TracedNumber(self.numerator * other.numerator, _ONE, self.trace)
        return self._reduced(self.numerator * other.numerator, self.denominator * other.denominator)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> TracedNumber:
        if not isinstance(other, TracedNumber):
            return TracedNumber(self.numerator / as_fmpq(other), self.denominator, self.trace)
        return self._reduced(self.numerator * other.denominator, self.denominator * other.numerator)

    def __abs__(self) -> TracedNumber:
        return -self if self.sign(bends=True) < 0 else self

    def __lt__(self, other: Any) -> bool:
        return self.__sub__(other).sign() < 0

    def __le__(self, other: Any) -> bool:
        return self.__sub__(other).sign() <= 0

    def __gt__(self, other: Any) -> bool:
        return self.__sub__(other).sign() > 0

    def __ge__(self, other: Any) -> bool:
        return self.__sub__(other).sign() >= 0


def as_fmpq(value: Any) -> fmpq:
    """An int or Fraction for flint."""
    return fmpq(value.numerator, value.denominator)


def as_fraction(value: fmpq) -> Fraction:
    """The same rational for Python."""
    return Fraction(int(value.p), int(value.q))

"""Real roots of rational polynomials, exactly: isolation by Descartes' rule of signs, and signs at a root.

The number of roots of p in (a, b), counted with multiplicity, is at most the number v of sign changes in the
coefficients of (1 + z)^deg p((a + b z) / (1 + z)), and of the same parity (Descartes; Vincent, Collins and Akritas
1976). For squarefree p, halving the interval leads to v = 0 or v = 1 everywhere, so every root is found and isolated.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from flint import arb, fmpq, fmpq_poly, fmpz, fmpz_poly

from polyinj.exact.precision import DOUBLE, precision


def sign_changes(p: fmpq_poly, low: fmpq, high: fmpq) -> int:
    """Descartes' bound on the roots of p in the open interval; its parity is right."""
    moved = p(fmpq_poly([low, high - low])).numer().coeffs()
    moved += [fmpz(0)] * (p.degree() + 1 - len(moved))
    coefficients = fmpz_poly(moved[::-1])(fmpz_poly([1, 1])).coeffs()
    signs = [c > 0 for c in coefficients if c != 0]
    return sum(a != b for a, b in pairwise(signs))


def squarefree(p: fmpq_poly) -> fmpq_poly:
    """The polynomial with the same roots, each once."""
    common = p.gcd(p.derivative())
    return p // common if common.degree() > 0 else p


class RealRoot:
    """One real root of a squarefree polynomial: the only one in the open interval (low, high), or low = high itself.

    Examples
    --------
    >>> root = next(roots_between(fmpq_poly([-2, 0, 1]), fmpq(0), fmpq(5)))
    >>> root.sign_of(fmpq_poly([-7, 5])), root.sign_of(fmpq_poly([4, 0, -4, 0, 1]))
    (1, 0)
    >>> round(float(root), 12)
    1.414213562373
    """

    def __init__(self, polynomial: fmpq_poly, low: fmpq, high: fmpq) -> None:
        self.polynomial = polynomial
        self.low = low
        self.high = high

    @classmethod
    def rational(cls, value: fmpq) -> RealRoot:
        """The rational number as the root that it is."""
        return cls(fmpq_poly([-value, 1]), value, value)

    @property
    def is_rational(self) -> bool:
        """Whether the root is known as a rational."""
        return bool(self.low == self.high)

    def refine(self) -> None:
        """Halve the interval."""
        if self.is_rational:
            return
        middle = (self.low + self.high) / 2
        if self.polynomial(middle) == 0:
            self.low = self.high = middle
        elif sign_changes(self.polynomial, self.low, middle) % 2:
            self.high = middle
        else:
            self.low = middle

    def sign_of(self, p: fmpq_poly) -> int:
        """The sign of another polynomial at the root: -1, 0 or 1."""
        if p.degree() <= 0 or self.is_rational:
            return _sign(p(self.low))
        common = p.gcd(self.polynomial)
        # A divisor of the squarefree polynomial has at most its one root here.
        if common.degree() > 0 and sign_changes(common, self.low, self.high) % 2:
            return 0
        while not self.is_rational and sign_changes(p, self.low, self.high):
            self.refine()
        return _sign(p((self.low + self.high) / 2))

    def compare(self, other: RealRoot) -> int:
        """-1, 0 or 1: this root is smaller, the same, or larger."""
        common = self.polynomial.gcd(other.polynomial)
        while self.low <= other.high and other.low <= self.high:
            if self.is_rational and other.is_rational:
                return _sign(self.low - other.low)
            if self.is_rational or other.is_rational:
                point, root = (self, other) if self.is_rational else (other, self)
                if root.low < point.low < root.high and root.polynomial(point.low) == 0:
                    return 0
            elif common.degree() > 0:
                low, high = max(self.low, other.low), min(self.high, other.high)
                if low < high and sign_changes(common, low, high) % 2:
                    return 0
            self.refine()
            other.refine()
        return -1 if self.high < other.low else 1

    def value(self, numerator: fmpq_poly, denominator: fmpq_poly) -> arb:
        """A ball that holds numerator / denominator at the root, of relative radius below 2^-60 where it is not 0."""
        if self.is_rational:
            with precision(DOUBLE):
                return _ball(numerator(self.low) / denominator(self.low))
        if self.sign_of(numerator) == 0:
            return arb(0)
        while True:
            bits = max(64, 2 * _bits(self.high - self.low))
            with precision(bits):
                place = _ball(self.low).union(_ball(self.high))
                below = _horner(denominator, place)
                found = _horner(numerator, place) / below if not below.contains(0) else arb("nan")
                if found.is_finite() and found.rel_accuracy_bits() >= 60:
                    return found
            for _ in range(8):
                self.refine()

    def __float__(self) -> float:
        while self.high - self.low > fmpq(1, 1 << 60):
            self.refine()
        middle = (self.low + self.high) / 2
        return int(middle.p) / int(middle.q)


def roots_between(p: fmpq_poly, low: fmpq, high: fmpq) -> Iterator[RealRoot]:
    """The roots of a squarefree polynomial in the open interval, isolated, in increasing order."""
    changes = sign_changes(p, low, high)
    if changes == 1:
        yield RealRoot(p, low, high) if p.degree() > 1 else RealRoot.rational(-p.coeffs()[0] / p.coeffs()[1])
    elif changes:
        middle = (low + high) / 2
        yield from roots_between(p, low, middle)
        if p(middle) == 0:
            yield RealRoot.rational(middle)
        yield from roots_between(p, middle, high)


def _sign(value: fmpq) -> int:
    return (value > 0) - (value < 0)


def _bits(width: fmpq) -> int:
    return int(width.q).bit_length() - int(width.p).bit_length() + 64


def _ball(value: fmpq) -> arb:
    return arb(value.p) / arb(value.q)


def _horner(p: fmpq_poly, place: arb) -> arb:
    total = arb(0)
    for coefficient in reversed(p.coeffs()):
        total = total * place + _ball(coefficient)
    return total

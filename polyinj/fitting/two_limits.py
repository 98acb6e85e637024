"""The limit of a sequence in two variables, the size n and the length T of a search, as both grow.

A search of T steps at size n ends above its limit for two reasons, too short a search and too small a size. Each form
says how the two add up:

    e + ((a T^-p)^r + (b n^-q)^r)^(1/r),    q fixed,    r = 1 (they add) or fitted (the larger one counts, as r grows).

p is fitted within 0.2..3 and r within 1..20.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares
from scipy.special import chdtrc

from polyinj.errors import InputError

Array = NDArray[np.float64]

# The exponent q of n, and whether r is fitted.
FORMS: dict[str, tuple[float, bool]] = {
    "e + a T^-p + b n^(-2/3)": (2 / 3, False),
    "e + a T^-p + b/n": (1.0, False),
    "e + ((a T^-p)^r + (b n^(-2/3))^r)^(1/r)": (2 / 3, True),
    "e + ((a T^-p)^r + (b/n)^r)^(1/r)": (1.0, True),
}
# How far a step goes in e and in the logarithms of the others.
_SCALES = np.array([0.01, 0.3, 0.1, 0.3, 0.3])
_RESAMPLES = 200
# Where a, p, b and r are searched: the data hardly tell a slower power of T from a logarithm.
_LOW, _HIGH = np.array([1e-3, 0.2, 1e-3, 1.0]), np.array([1e3, 3.0, 1e3, 20.0])


@dataclass(frozen=True, slots=True)
class Curve:
    """What searches of growing length find at one size.

    Attributes
    ----------
    n : int
    lengths : tuple of int
        Increasing.
    values : tuple of float
        The mean at each length.
    reference : int
        One of the lengths. Searches of different length on the same problems share most of their noise, so the other
        means are known better relative to the mean there.
    errors : tuple of float
        Standard errors, positive and taken as independent: at the reference of the value, elsewhere of the difference
        from it.
    """

    n: int
    lengths: tuple[int, ...]
    values: tuple[float, ...]
    reference: int
    errors: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (len(self.lengths) == len(self.values) == len(self.errors) >= 1):
            raise InputError(
                f"the curve of n = {self.n} has {len(self.lengths)} lengths, {len(self.values)} values and "
                f"{len(self.errors)} errors; expected as many of each, at least one"
            )
        if not (self.n >= 1 and self.lengths[0] >= 1 and (np.diff(self.lengths) > 0).all()):
            raise InputError(f"n and lengths are {self.n} and {self.lengths}; expected integers >= 1 that increase")
        if self.reference not in self.lengths:
            raise InputError(f"reference is {self.reference}; expected one of the lengths {self.lengths}")
        if not (np.isfinite(self.values).all() and np.isfinite(self.errors).all() and min(self.errors) > 0):
            raise InputError(f"the curve of n = {self.n} has values or errors that are not finite or not positive")

    @property
    def stderrs(self) -> tuple[float, ...]:
        """Standard errors of the values."""
        at = self.lengths.index(self.reference)
        others = (0.0 if k == at else error for k, error in enumerate(self.errors))
        return tuple(float(np.hypot(self.errors[at], error)) for error in others)

    def contrasts(self, values: ArrayLike) -> Array:
        """Of values at the lengths: that at the reference, and the differences of the others from it."""
        at = self.lengths.index(self.reference)
        found = np.array(values, dtype=np.float64)
        centre = found[at]
        found -= centre
        found[at] = centre
        return found

    def longer_than(self, least: int) -> Curve:
        """The curve without the lengths below the least, and with the reference."""
        kept = [k for k, length in enumerate(self.lengths) if length >= least or length == self.reference]
        return Curve(
            self.n,
            tuple(self.lengths[k] for k in kept),
            tuple(self.values[k] for k in kept),
            self.reference,
            tuple(self.errors[k] for k in kept),
        )


@dataclass(frozen=True, slots=True)
class TwoLimitsFit:
    """One form fitted to curves.

    Attributes
    ----------
    form : str
        A key of FORMS.
    limit, low, high : float
        The constant e and its 95% interval: percentiles of a parametric bootstrap, if the form holds.
    a, p, b, r : float
        The other parameters; r is 1 where it is not fitted.
    chi_square, degrees_of_freedom, p_value
        Goodness of fit.
    """

    form: str
    limit: float
    low: float
    high: float
    a: float
    p: float
    b: float
    r: float
    chi_square: float
    degrees_of_freedom: int
    p_value: float

    def at(self, n: ArrayLike, length: ArrayLike) -> Array:
        """The fitted value; infinite n or length are allowed."""
        return _value(self.form, np.array([self.limit, self.a, self.p, self.b, self.r]), n, length)


def fit_two_limits(curves: Sequence[Curve], form: str, *, seed: int) -> TwoLimitsFit:
    """Fit one form to all curves by weighted least squares on their contrasts.

    Parameters
    ----------
    curves : sequence of Curve
    form : str
        A key of FORMS.
    seed : int
        Seed of the bootstrap: 200 times every contrast is drawn anew from the fit with its error.

    Raises
    ------
    InputError
        An unknown form, or fewer values than parameters and one more.

    Examples
    --------
    >>> lengths = (100, 1000, 10000)
    >>> def curve(n):
    ...     values = [1 + 2 * length**-0.5 + 3 * n ** (-2 / 3) for length in lengths]
    ...     return Curve(n, lengths, tuple(values), 10000, (0.001, 0.001, 0.01))
    >>> fit = fit_two_limits([curve(50), curve(100), curve(400)], "e + a T^-p + b n^(-2/3)", seed=0)
    >>> round(fit.limit, 4), round(fit.p, 4), fit.low < 1 < fit.high
    (1.0, 0.5, True)
    """
    if form not in FORMS:
        raise InputError(f"form is {form!r}; allowed are {', '.join(FORMS)}")
    points = _Points.of(curves)
    found = np.concatenate([curve.contrasts(curve.values) for curve in curves])
    errors = np.concatenate([curve.errors for curve in curves])
    free = free_parameters(form)
    if len(found) <= free:
        raise InputError(f"the curves have {len(found)} values; a form of {free} parameters needs more")
    lowest = min(min(curve.values) for curve in curves)
    best = _least_squares(
        form, points, found, errors, np.array([0.9 * lowest, 1.0, 0.5, 1.0, 3.0 if free == 5 else 1.0])
    )
    predicted = points.contrasts(form, best)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(found),)))
    drawn = predicted + errors * rng.standard_normal((_RESAMPLES, len(found)))
    limits = [_least_squares(form, points, sample, errors, best)[0] for sample in drawn]
    low, high = np.quantile(limits, [0.025, 0.975])
    chi_square = float(np.sum(((found - predicted) / errors) ** 2))
    freedom = len(found) - free
    limit, a, p, b, r = map(float, best)
    return TwoLimitsFit(
        *(form, limit, float(low), float(high), a, p, b, r),
        chi_square=chi_square,
        degrees_of_freedom=freedom,
        p_value=float(chdtrc(freedom, chi_square)),
    )


def free_parameters(form: str) -> int:
    """How many parameters are fitted."""
    return 5 if FORMS[form][1] else 4


@dataclass(frozen=True, slots=True)
class _Points:
    """The places of all values of some curves, one after the other, and of the reference of each."""

    n: Array
    lengths: Array
    reference: NDArray[np.int64]

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> _Points:
        n = np.repeat([float(curve.n) for curve in curves], [len(curve.lengths) for curve in curves])
        lengths = np.concatenate([np.asarray(curve.lengths, dtype=np.float64) for curve in curves])
        reference, before = [], 0
        for curve in curves:
            reference += [before + curve.lengths.index(curve.reference)] * len(curve.lengths)
            before += len(curve.lengths)
        return cls(n, lengths, np.array(reference))

    def contrasts(self, form: str, parameters: Array) -> Array:
        """What the form says of the contrasts of all curves, shape (values,)."""
        values = _value(form, parameters, self.n, self.lengths)
        found = values - values[self.reference]
        found[self.reference] = values[self.reference]
        return found


def _least_squares(form: str, points: _Points, found: Array, errors: Array, start: Array) -> Array:
    """(e, a, p, b, r) that fit best; a, p, b and r are searched by their logarithms, within _LOW.._HIGH."""
    free = free_parameters(form)
    low, high = np.log(_LOW[: free - 1]), np.log(_HIGH[: free - 1])

    def unpacked(x: Array) -> Array:
        return np.concatenate([x[:1], np.exp(x[1:]), start[free:]])

    def residuals(x: Array) -> Array:
        return (found - points.contrasts(form, unpacked(x))) / errors

    margin = 0.01 * (high - low)
    first = np.concatenate([start[:1], np.clip(np.log(start[1:free]), low + margin, high - margin)])
    bounds = np.concatenate([[-np.inf], low]), np.concatenate([[np.inf], high])
    return unpacked(least_squares(residuals, first, bounds=bounds, x_scale=_SCALES[:free]).x)


def _value(form: str, parameters: Array, n: ArrayLike, length: ArrayLike) -> Array:
    e, a, p, b, r = parameters
    short = a * np.asarray(length, dtype=np.float64) ** -p
    small = b * np.asarray(n, dtype=np.float64) ** -FORMS[form][0]
    larger = np.maximum(short, small)
    smaller = np.minimum(short, small)
    # The larger one taken out, so that no power under- or overflows.
    ratio = np.divide(smaller, larger, out=np.zeros_like(larger), where=larger > 0)
    return np.asarray(e + larger * (1 + ratio**r) ** (1 / r))

"""What conic intrinsic volumes say of random sections, with intervals: of exact volumes, sampled ones and unions.

A cone comes as parts, each a convex cone with the sign and number of times it counts: one for a convex cone, those of
inclusion and exclusion for a union. Every quantity is linear in the volumes of the parts, so its interval is the sum of
theirs. A part is exact up to a stated rounding error, or sampled: then counts[k] of `samples` independent Gaussian
points projected to a face of dimension k. Intervals of sampled parts are

- Clopper and Pearson's where the quantity is a multiple of the probability of some dimensions;
- that of Chernoff, {p : kl(mean, p) <= ln(2 / (1 - level)) / N}, for the mean of a function of the dimension with
  values in [0, R], over R. It holds too for two sampled cones and the mean over all pairs of their samples, with N the
  smaller number: that is the mean, over matchings, of means of N independent pairs (Hoeffding 1963, section 5);
- for the statistical dimension the empirical Bernstein bound of Maurer and Pontil (2009, theorem 4): with range m,
  variance V of the dimensions and L = ln(4 / (1 - level)), sqrt(2 V L / N) + 7 m L / (3 (N - 1)).

None rests on an approximation. With several sampled parts each gets its share of 1 - level (Bonferroni).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, log, sqrt
from numbers import Real
from typing import Protocol

from scipy.special import betaincinv

from polyinj.errors import InputError
from polyinj.geometry import kinematic


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that lies in [low, high]: with the stated probability where something was sampled, else certainly."""

    value: float
    low: float
    high: float

    def __repr__(self) -> str:
        return f"Estimate({self.value:.6g} in {self.low:.6g}..{self.high:.6g})"

    def scaled(self, factor: float) -> Estimate:
        """All three times a number."""
        low, high = sorted((factor * self.low, factor * self.high))
        return Estimate(factor * self.value, low, high)

    def within(self, low: float, high: float) -> Estimate:
        """The part of it in what is possible."""
        return Estimate(min(max(self.value, low), high), min(max(self.low, low), high), min(max(self.high, low), high))


class ConvexVolumes(Protocol):
    """Volumes of one convex cone, exact up to `error` (counts is None) or sampled."""

    @property
    def values(self) -> tuple[float, ...]: ...
    @property
    def error(self) -> float: ...
    @property
    def counts(self) -> tuple[int, ...] | None: ...
    @property
    def seed(self) -> int | None: ...


class RandomSections(ABC):
    """Methods of everything that knows conic intrinsic volumes of a cone in R^m."""

    __slots__ = ()

    @property
    @abstractmethod
    def parts(self) -> tuple[tuple[int, ConvexVolumes], ...]:
        """How often each convex cone counts, and its volumes."""

    def simultaneous_intervals(self, *, level: float = 0.95) -> tuple[Estimate, ...]:
        """v_0, ..., v_m, with intervals that hold all together with probability `level` at least (Bonferroni)."""
        size = len(self.parts[0][1].values)
        share = _share(level, size * _sampled(self.parts))
        return tuple(_sum((c, _tail_sum(law, (k,), share)) for c, law in self.parts) for k in range(size))

    def statistical_dimension(self, *, level: float = 0.95) -> Estimate:
        """sum_k k v_k: of a convex cone the mean squared length of the projection of a standard Gaussian point.

        Of a union it is that of the valuation, and no such mean.
        """
        share = _share(level, _sampled(self.parts))
        return _sum((c, _mean_dimension(law, share)) for c, law in self.parts)

    def expected_euler_characteristic(self, n: int, *, level: float = 0.95) -> Estimate:
        """E chi of the section with a uniformly random n-dimensional subspace and the unit sphere (Crofton).

        For a convex cone that is no subspace it is the probability that they meet in more than 0.

        Raises
        ------
        InputError
            n is no integer from 1 to m, or level is outside (0, 1).
        """
        places = kinematic.section_places(len(self.parts[0][1].values) - 1, n)
        share = _share(level, _sampled(self.parts))
        return _sum((2 * c, _tail_sum(law, places, share)) for c, law in self.parts)

    def rotated_euler_characteristic(self, other: RandomSections, *, level: float = 0.95) -> Estimate:
        """E chi of the section of this cone with a uniformly random rotation of another one and the unit sphere.

        Raises
        ------
        InputError
            The cones lie in spaces of different dimension, both are sampled with one seed, or level is outside (0, 1).
        """
        _check_volumes(other)
        sizes = [len(cone.parts[0][1].values) - 1 for cone in (self, other)]
        if sizes[0] != sizes[1]:
            raise InputError(f"the cones lie in R^{sizes[0]} and R^{sizes[1]}; expected one space")
        pairs = [(a * b, first, second) for a, first in self.parts for b, second in other.parts]
        share = _share(level, sum(first.counts is not None or second.counts is not None for _, first, second in pairs))
        return _sum((c, _rotated(first, second, share)) for c, first, second in pairs)

    def meeting_probability(self, other: RandomSections, *, level: float = 0.95) -> Estimate:
        """P(this cone and a uniformly random rotation of another one meet in more than 0): the kinematic formula.

        Both are convex, and at least one is no subspace: known from two dimensions of positive volume.

        Raises
        ------
        InputError
            As for `rotated_euler_characteristic`; for a union, and where all volume of both lies in one dimension.
        """
        _check_volumes(other)
        if len(self.parts) > 1 or len(other.parts) > 1:
            raise InputError("a union may meet in any chi; expected two convex cones; try rotated_euler_characteristic")
        if all(_faces(cone.parts[0][1]) < 2 for cone in (self, other)):
            raise InputError(
                "all volume of both cones lies in one dimension, as that of subspaces does; expected one that is no "
                "subspace; try more samples, or rotated_euler_characteristic"
            )
        return self.rotated_euler_characteristic(other, level=level).within(0.0, 1.0)


def _check_volumes(other: RandomSections) -> None:
    if not isinstance(other, RandomSections):
        raise InputError(
            f"the other cone came as {type(other).__name__}; expected its volumes, as conic_intrinsic_volumes() or "
            "estimate_conic_intrinsic_volumes() of a Cone or ConeUnion gives them"
        )


def _share(level: float, parts: int) -> float:
    """The level of each of several intervals that shall hold together."""
    if not isinstance(level, Real) or not 0 < level < 1:
        raise InputError(f"level is {level!r}; expected a number above 0 and below 1")
    return 1 - (1 - level) / max(parts, 1)


def _sampled(parts: Sequence[tuple[int, ConvexVolumes]]) -> int:
    return sum(law.counts is not None for _, law in parts)


def _faces(law: ConvexVolumes) -> int:
    return sum(value > law.error for value in law.values)


def _sum(terms: Iterable[tuple[int, Estimate]]) -> Estimate:
    scaled = [estimate.scaled(factor) for factor, estimate in terms]
    return Estimate(
        sum(term.value for term in scaled), sum(term.low for term in scaled), sum(term.high for term in scaled)
    )


def _around(value: float, error: float) -> Estimate:
    return Estimate(value, value - error, value + error)


def _tail_sum(law: ConvexVolumes, places: Sequence[int], level: float) -> Estimate:
    """The sum of the volumes at some places."""
    if law.counts is None:
        return _around(sum(law.values[k] for k in places), len(places) * law.error).within(0.0, 1.0)
    return binomial_interval(sum(law.counts[k] for k in places), sum(law.counts), level)


def _mean_dimension(law: ConvexVolumes, level: float) -> Estimate:
    m = len(law.values) - 1
    mean = kinematic.statistical_dimension(law.values)
    if law.counts is None:
        return _around(mean, m * (m + 1) / 2 * law.error).within(0.0, m)
    samples = sum(law.counts)
    if samples < 2:
        return Estimate(mean, 0.0, m)
    variance = sum(count * (k - mean) ** 2 for k, count in enumerate(law.counts)) / (samples - 1)
    logarithm = log(4 / (1 - level))
    reach = sqrt(2 * variance * logarithm / samples) + 7 * m * logarithm / (3 * (samples - 1))
    return _around(mean, reach).within(0.0, m)


def _rotated(first: ConvexVolumes, second: ConvexVolumes, level: float) -> Estimate:
    m = len(first.values) - 1
    sampled, other = (first, second) if first.counts is not None else (second, first)
    # What each dimension of the one counts, in the mean over the other.
    weights = [sum(kinematic.meeting_kernel(m, i + j) * v for j, v in enumerate(other.values)) for i in range(m + 1)]
    value = sum(v * weight for v, weight in zip(sampled.values, weights, strict=True))
    slack = 3 * (m + 1) * (first.error + second.error)
    if sampled.counts is None:
        return _around(value, slack).within(0.0, 2.0)
    samples, largest = sum(sampled.counts), max(weights)
    if other.counts is not None:
        if sampled.seed == other.seed:
            raise InputError(f"both cones were sampled with seed {sampled.seed}; expected two seeds")
        samples, largest = min(samples, sum(other.counts)), 2.0
    if largest == 0:
        return Estimate(0.0, 0.0, slack)
    low, high = chernoff_interval(min(value / largest, 1.0), samples, level)
    return Estimate(value, largest * low - slack, largest * high + slack).within(0.0, 2.0)


def binomial_interval(count: int, samples: int, level: float) -> Estimate:
    """A share with the interval of Clopper and Pearson (1934)."""
    tail = (1 - level) / 2
    low = float(betaincinv(count, samples - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, samples - count, 1 - tail)) if count < samples else 1.0
    return Estimate(count / samples, low, high)


def chernoff_interval(mean: float, samples: int, level: float) -> tuple[float, float]:
    """All means p of a variable in [0, 1] with samples kl(mean, p) <= ln(2 / (1 - level)).

    >>> low, high = chernoff_interval(0.5, 1000, 0.95)
    >>> round(low, 4), round(high, 4)
    (0.4571, 0.5429)
    """
    limit = log(2 / (1 - level)) / samples

    def end(outer: float) -> float:
        inner = mean
        for _ in range(60):
            middle = (inner + outer) / 2
            inner, outer = (middle, outer) if _divergence(mean, middle) <= limit else (inner, middle)
        return outer

    return (end(0.0) if mean > 0 else 0.0), (end(1.0) if mean < 1 else 1.0)


def _divergence(a: float, b: float) -> float:
    """kl(a, b) = a ln(a/b) + (1-a) ln((1-a)/(1-b))."""
    if (a > 0 and b == 0) or (a < 1 and b == 1):
        return inf
    return (a * log(a / b) if a else 0.0) + ((1 - a) * log((1 - a) / (1 - b)) if a < 1 else 0.0)

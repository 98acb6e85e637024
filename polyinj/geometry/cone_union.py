"""Finite unions of convex polyhedral cones: their volumes as valuations, by inclusion and exclusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from numpy.typing import ArrayLike

from polyinj.errors import InputError
from polyinj.geometry.cone import Cone
from polyinj.geometry.projection import check_sampling
from polyinj.geometry.random_sections import ConvexVolumes, RandomSections

# Every set of cones has its intersection: 2^10 of them.
_MOST = 10


@dataclass(frozen=True, slots=True)
class UnionVolumes(RandomSections):
    """Conic intrinsic volumes of a union: how often each intersection counts, and its volumes, exact or sampled."""

    parts: tuple[tuple[int, ConvexVolumes], ...]

    def __repr__(self) -> str:
        sampled = sum(law.counts is not None for _, law in self.parts)
        numbers = ", ".join(f"{value:.4g}" for value in self.values)
        return f"UnionVolumes({numbers}; {len(self.parts)} convex parts, {sampled} of them sampled)"

    @property
    def values(self) -> tuple[float, ...]:
        """v_0, ..., v_m of the valuation: they sum to 1 and may be negative."""
        size = len(self.parts[0][1].values)
        return tuple(sum(count * law.values[k] for count, law in self.parts) for k in range(size))


class ConeUnion:
    """The union of convex polyhedral cones in one R^m; in general not convex.

    Parameters
    ----------
    cones : iterable of Cone
        From 1 to 10.

    Raises
    ------
    InputError
        No cone, more than 10, something else than cones, or cones in different spaces.

    Examples
    --------
    >>> union = ConeUnion([Cone.orthant([1, 1]), Cone.orthant([-1, -1])])
    >>> union.conic_intrinsic_volumes().values
    (-0.5, 1.0, 0.5)
    >>> union.contains([-1, -2]), union.contains([1, -2])
    (True, False)
    """

    def __init__(self, cones: Iterable[Cone]) -> None:
        try:
            self.cones = tuple(cones)
        except TypeError:
            raise InputError(f"cones is {cones!r}; expected a list of 1 to {_MOST} cones") from None
        for cone in self.cones:
            if not isinstance(cone, Cone):
                raise InputError(f"cones holds {cone!r}; expected each to be a Cone")
        if not 1 <= len(self.cones) <= _MOST:
            raise InputError(f"cones has {len(self.cones)} entries; expected 1 to {_MOST}")
        spaces = sorted({cone.ambient_dimension for cone in self.cones})
        if len(spaces) > 1:
            raise InputError(f"cones lie in spaces of dimension {spaces}; expected one space")

    def __repr__(self) -> str:
        return f"ConeUnion({len(self.cones)} cones in R^{self.cones[0].ambient_dimension})"

    def contains(self, point: ArrayLike) -> bool:
        """Whether a point, shape (m,), lies in the union; decided exactly."""
        return any(cone.contains(point) for cone in self.cones)

    def signed_intersections(self) -> dict[Cone, int]:
        """The intersections of the cones, and how often each counts: those that cancel are left out."""
        terms: Counter[Cone] = Counter()
        for cone in self.cones:
            # The union with one more cone: it adds itself, and takes away what it shares.
            shared: Counter[Cone] = Counter()
            for term, count in terms.items():
                shared[term.intersection(cone)] -= count
            terms[cone] += 1
            for term, count in shared.items():
                terms[term] += count
            terms = Counter({term: count for term, count in terms.items() if count})
        return dict(terms)

    def conic_intrinsic_volumes(self) -> UnionVolumes:
        """Volumes of the valuation from closed forms of all intersections.

        Raises
        ------
        InputError
            One of them has no closed form (`Cone.conic_intrinsic_volumes`); use the estimate.
        """
        terms = self.signed_intersections().items()
        return UnionVolumes(tuple((count, cone.conic_intrinsic_volumes()) for cone, count in terms))

    def estimate_conic_intrinsic_volumes(
        self, samples: int, *, seed: int | None = None, level: float = 0.95
    ) -> UnionVolumes:
        """Volumes of the valuation: closed forms where an intersection has one, Gaussian points where it has none.

        Parameters
        ----------
        samples, seed, level
            As for `Cone.estimate_conic_intrinsic_volumes`, of each intersection; all are given the same points.
        """
        check_sampling(samples, seed, level)
        parts: list[tuple[int, ConvexVolumes]] = []
        for cone, count in self.signed_intersections().items():
            try:
                parts.append((count, cone.conic_intrinsic_volumes()))
            except InputError:
                estimate = cone.estimate_conic_intrinsic_volumes(samples, seed=seed, level=level)
                seed = estimate.seed
                parts.append((count, estimate))
        return UnionVolumes(tuple(parts))

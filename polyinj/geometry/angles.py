"""Conic intrinsic volumes in closed form: orthogonal products of lines and of pointed cones of at most 3 dimensions.

v_k(C) is the probability that the projection of a Gaussian point to C lies in the relative interior of a face of
dimension k. With angles in turns (2 pi = 1):

    a ray              (1/2, 1/2)
    a plane sector     v_2 = theta,  v_1 = 1/2,  v_0 = 1/2 - theta
    a 3-dimensional    v_3 = (sum of dihedral angles) / 2 - (edges - 2) / 4       (Girard: a share of the sphere)
    cone               v_2 = (sum of facet angles) / 2,  v_1 = 1/2 - v_3,  v_0 = 1/2 - v_2

and the generating polynomial of an orthogonal product is the product of the polynomials; a line has the polynomial t.
Rays that are orthogonal to all others split off, so an orthant of any dimension is covered.

An angle between integer vectors has a rational squared cosine; it is a rational part of a turn iff that is 0, 1/4,
1/2, 3/4 or 1 (Niven). Those angles are kept as Fractions, the others are balls of Arb.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, nextafter

from flint import arb, fmpq, fmpq_mat, fmpz_mat

from polyinj.errors import InputError
from polyinj.exact import algebra
from polyinj.exact.precision import precision
from polyinj.geometry.exact_cone import DoubleDescription
from polyinj.geometry.random_sections import ConvexVolumes, RandomSections

_BITS = 160
_HALF = Fraction(1, 2)
# Turns of the acute angles with rational squared cosine, by that square.
_RATIONAL_ANGLES = {
    Fraction(0): Fraction(1, 4),
    Fraction(1, 4): Fraction(1, 6),
    Fraction(1, 2): Fraction(1, 8),
    Fraction(3, 4): Fraction(1, 12),
    Fraction(1): Fraction(0),
}

Number = Fraction | arb


@dataclass(frozen=True, slots=True)
class IntrinsicVolumes(RandomSections):
    """Conic intrinsic volumes v_0, ..., v_n of a convex cone in R^n, and what they say of random sections.

    Attributes
    ----------
    values : tuple of float
    error : float
        No value is further than this from the true one.
    rational : tuple of Fraction or None
        The exact value where all angles that enter it are rational parts of a turn, else None.
    """

    values: tuple[float, ...]
    error: float
    rational: tuple[Fraction | None, ...]

    @property
    def parts(self) -> tuple[tuple[int, ConvexVolumes], ...]:
        return ((1, self),)

    @property
    def counts(self) -> None:
        """Nothing was sampled."""
        return None

    @property
    def seed(self) -> None:
        """Nothing was sampled."""
        return None


def intrinsic_volumes(cone: DoubleDescription) -> IntrinsicVolumes:
    """Conic intrinsic volumes of a cone in closed form; see `Cone.conic_intrinsic_volumes`."""
    rays = [orthogonal_part(ray, cone.lines) for ray in cone.rays]
    facets = [orthogonal_part(facet, cone.equations) for facet in cone.facets]
    with precision(_BITS):
        volumes: list[Number] = [*[Fraction(0)] * len(cone.lines), Fraction(1)]
        for factor in _orthogonal_factors(rays):
            volumes = _product(volumes, _factor_volumes(factor, facets))
        volumes += [Fraction(0)] * (cone.dimension + 1 - len(volumes))
        balls = [_ball(value) for value in volumes]
        values = tuple(float(ball.mid()) for ball in balls)
        errors = [float((ball - arb(value)).abs_upper()) for ball, value in zip(balls, values, strict=True)]
    rational = tuple(value if isinstance(value, Fraction) else None for value in volumes)
    return IntrinsicVolumes(values, nextafter(max(errors), inf), rational)


def orthogonal_part(vector: Sequence[int], subspace: algebra.Vectors) -> list[int]:
    """A positive multiple of the component of a vector orthogonal to a subspace, given by independent rows; coprime."""
    if not subspace:
        return list(vector)
    basis = fmpz_mat([list(row) for row in subspace])
    gram = basis * basis.transpose()
    right = basis * fmpz_mat([[value] for value in vector])
    share, scale = fmpq_mat(gram).solve(fmpq_mat(right)).numer_denom()
    along = [sum(int(share[i, 0]) * row[j] for i, row in enumerate(subspace)) for j in range(len(vector))]
    return algebra.coprime([int(scale) * value - part for value, part in zip(vector, along, strict=True)])


def _orthogonal_factors(rays: list[list[int]]) -> list[list[list[int]]]:
    """The rays in groups: the finest partition with orthogonal groups."""
    groups: list[list[list[int]]] = []
    for ray in rays:
        touched = [group for group in groups if any(algebra.dot(ray, other) for other in group)]
        groups = [group for group in groups if group not in touched]
        groups.append([ray, *(other for group in touched for other in group)])
    return groups


def _factor_volumes(rays: list[list[int]], facets: list[list[int]]) -> list[Number]:
    """Volumes v_0, ..., v_d of a pointed cone of dimension d <= 3 in its span."""
    dimension = algebra.rank(rays)
    if dimension == 1:
        return [_HALF, _HALF]
    if dimension == 2:
        angle = _turns(*rays)
        return [_sum(_HALF, _times(-1, angle)), _HALF, angle]
    if dimension > 3:
        raise InputError(
            f"the cone has an irreducible factor of {dimension} dimensions modulo its lines; closed forms end at 3; "
            "try estimate_conic_intrinsic_volumes"
        )
    sides = [(facet, edges) for facet in facets if len(edges := [r for r in rays if not algebra.dot(facet, r)]) == 2]
    facet_angles: Number = Fraction(0)
    for _, edges in sides:
        facet_angles = _sum(facet_angles, _turns(*edges))
    dihedral_angles: Number = Fraction(0)
    for ray in rays:
        first, second = (facet for facet, edges in sides if ray in edges)
        dihedral_angles = _sum(dihedral_angles, _sum(_HALF, _times(-1, _turns(first, second))))
    whole = _sum(_times(_HALF, dihedral_angles), Fraction(2 - len(rays), 4))
    plane = _times(_HALF, facet_angles)
    return [_sum(_HALF, _times(-1, plane)), _sum(_HALF, _times(-1, whole)), plane, whole]


def _turns(u: Sequence[int], v: Sequence[int]) -> Number:
    """The angle between two nonzero vectors, in turns: in [0, 1/2]."""
    product, squares = algebra.dot(u, v), algebra.dot(u, u) * algebra.dot(v, v)
    acute = _RATIONAL_ANGLES.get(Fraction(product * product, squares))
    if acute is not None:
        return acute if product >= 0 else _HALF - acute
    return arb.atan2(arb(squares - product * product).sqrt(), arb(product)) / (2 * arb.pi())


def _product(first: list[Number], second: list[Number]) -> list[Number]:
    result: list[Number] = [Fraction(0)] * (len(first) + len(second) - 1)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            result[i + j] = _sum(result[i + j], _times(a, b))
    return result


def _sum(a: Number, b: Number) -> Number:
    return a + b if isinstance(a, Fraction) and isinstance(b, Fraction) else _ball(a) + _ball(b)


def _times(a: Number | int, b: Number) -> Number:
    if a == 0 or b == 0:
        return Fraction(0)
    if isinstance(b, Fraction) and not isinstance(a, arb):
        return a * b
    return _ball(a) * _ball(b)


def _ball(value: Number | int) -> arb:
    return arb(fmpq(value.numerator, value.denominator)) if isinstance(value, Fraction) else arb(value)

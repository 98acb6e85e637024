"""Random sections of a cone from its conic intrinsic volumes: the formulas of Crofton and of rotated cones.

For a cone C in R^m, convex and closed or a finite union of such, let chi(C) be the Euler characteristic of C cap (unit
sphere). With V a uniformly random n-dimensional subspace and Q a uniformly random rotation,

    E chi(C cap V)  = 2 (v_{m-n+1} + v_{m-n+3} + ...),               v the conic intrinsic volumes of C,
    E chi(C cap QD) = 2 (u_{m+1} + u_{m+3} + ...),  u_k = sum_{i+j=k} v_i(C) v_j(D).

For convex C and D that are not both subspaces, chi is 1 where they meet in more than 0 and 0 where they do not, so the
second line is the probability of a meeting, and the first one too, unless C is a subspace. Two subspaces meet with
probability 0 or 1, and in a sphere, whose chi is 0 or 2. The statistical dimension sum_k k v_k of a convex cone is the
mean squared length of the projection of a standard Gaussian point: a subspace V of n dimensions misses C with high
probability where n + (statistical dimension) < m by some sqrt m, and meets it where that is > m.

Schneider, Weil, *Stochastic and integral geometry* (2008), section 6.5; Amelunxen, Lotz, McCoy, Tropp, *Living on the
edge* (2014), sections 5.3 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from operator import index
from typing import TypeVar

from polyinj.errors import InputError

Number = TypeVar("Number", Fraction, float)


def section_euler_characteristic(volumes: Sequence[Number], n: int) -> Number:
    """E chi(C cap V) of a random n-dimensional subspace, from the m + 1 volumes of C.

    Raises
    ------
    InputError
        n is no integer from 1 to m.

    Examples
    --------
    A quarter of the plane and a random line:

    >>> section_euler_characteristic([Fraction(1, 4), Fraction(1, 2), Fraction(1, 4)], 1)
    Fraction(1, 2)
    """
    places = section_places(len(volumes) - 1, n)
    return 2 * sum((volumes[k] for k in places), type(volumes[0])(0))


def section_places(m: int, n: int) -> range:
    """The indices m - n + 1, m - n + 3, ... of Crofton's formula."""
    try:
        size = 0 if isinstance(n, bool) else index(n)
    except TypeError:
        size = 0
    if not 1 <= size <= m:
        raise InputError(f"n is {n!r}; expected an integer from 1 to {m}, the dimension of the space")
    return range(m - size + 1, m + 1, 2)


def meeting_kernel(m: int, total: int) -> int:
    """What a pair of faces counts in E chi(C cap QD), by the sum of their dimensions: 2 for m + 1, m + 3, ..., or 0."""
    return 2 if total > m and (total - m) % 2 else 0


def statistical_dimension(volumes: Sequence[Number]) -> Number:
    """sum_k k v_k.

    >>> statistical_dimension([0.25, 0.5, 0.25])
    1.0
    """
    return sum((k * volume for k, volume in enumerate(volumes)), type(volumes[0])(0))

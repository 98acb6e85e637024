"""From a point where the active rows do not span to two inputs with one image, far apart and in short rationals.

At such a point z some v != 0 is annihilated by all active rows {i : w_i.z + b_i >= 0}. Then x and x + t v have the
same image whenever every other row is <= 0 at both. Floats make t large (chord.py); the ends are pulled a little
towards z, where those rows are negative, and rounded; exact arithmetic has the last word.

v is exact, and as long as the integers of the rows make it: n entries of about 60 n bits for n rows of doubles. One
such vector is solved for (exact/kernel_vector.py), near the projection of z to the kernel, along which the signs of the
inactive rows stay the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import Layer
from polyinj.certificates.layer_collision import Collision
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.certificates.signs import row_signs
from polyinj.errors import CertificateError
from polyinj.exact import algebra, arrays
from polyinj.exact.kernel_vector import kernel_vector
from polyinj.injectivity.chord import Surroundings, long_chord

_PULL = 1 / 16
# Bits of the ends beyond the size of their distance, tried in turn; and in all.
_FEWEST_BITS, _MORE_BITS, _MOST_BITS = 7, (0, 5, 12, 24), 52
# What lies farther out is no number for floats.
_FAR = 1e300

Floats = NDArray[np.float64]


def active_rows(layer: Layer, point: Sequence[Fraction | int]) -> list[int]:
    """The rows i with w_i.z + b_i >= 0 at a point z, exactly."""
    chosen: list[int] = np.flatnonzero(row_signs(layer, point) >= 0).tolist()
    return chosen


def lost_direction(layer: Layer, active: Sequence[int], point: Sequence[Fraction]) -> list[int] | None:
    """A nonzero vector that the weights of the active rows at a point annihilate; None where they span R^n."""
    columns = layer.weights.shape[1]
    weights = layer.weights[list(active)]
    near = None
    if len(active) < columns - 1:
        size = max(map(abs, point)) or Fraction(1)
        near = np.array([entry / size for entry in point], dtype=np.float64)
        rows, _ = arrays.float_rows(weights) if len(active) else (np.zeros((0, columns)), 0.0)
        if len(active):
            near = near - np.linalg.lstsq(rows, rows @ near)[0]
    return kernel_vector(arrays.integer_rows(weights) if len(active) else [], columns, near)


def collision_at(
    layer: Layer,
    point: Sequence[Fraction | int],
    direction: list[int] | None = None,
    active: list[int] | None = None,
) -> Collision | None:
    """The collision that a point proves; None where its active rows span R^n and it proves nothing.

    Parameters
    ----------
    layer : Layer
        As returned by `polyinj.certificates.layer.read_layer`.
    point : sequence of n Fractions or ints
        A point in the interior of the layer's domain.
    direction : list of n ints, optional
        Not zero, and annihilated by the weights of the rows that are active at the point; solved for if not given.
    active : list of ints, optional
        The active rows, where they are known.

    Returns
    -------
    Collision, verified in exact arithmetic, or None
    """
    if layer.is_linear and isinstance(layer.domain, Ball):
        found = collision_at(replace(layer, domain=None), point, direction, active)
        return None if found is None else _shrunk(layer, layer.domain, found)
    z = [Fraction(entry) for entry in point]
    if active is None:
        active = active_rows(layer, z)
    if direction is None:
        direction = lost_direction(layer, active, z)
    if direction is None:
        return None
    if layer.is_linear:
        # Half-way to the walls of the box of ends.
        size = 2 * max(map(abs, z)) or Fraction(1)
        z = [entry / size for entry in z]
    return _along(layer, active, z, direction)


def nonspanning_point(layer: Layer, point: Sequence[Fraction]) -> NonspanningPoint | None:
    """The certificate of a point, verified, with a direction if signs do not do; None where its active rows span."""
    found = NonspanningPoint.of(layer, point)
    clock = Clock(None)
    with suppress(CertificateError):
        found.check(layer, clock)
        return found
    direction = lost_direction(layer, active_rows(layer, point), point)
    if direction is None:
        return None
    found = replace(found, direction=tuple(map(Fraction, direction)))
    found.check(layer, clock)
    return found


def _along(layer: Layer, active: list[int], z: list[Fraction], direction: list[int]) -> Collision:
    """The collision along a direction that the active rows at z annihilate."""
    places = np.ones(len(layer.weights), dtype=bool)
    places[active] = False
    inactive = replace(layer, weights=layer.weights[places], bias=None if layer.bias is None else layer.bias[places])
    # v is the direction over a power of two, its largest entry in [1/2, 1).
    bits = max(map(abs, direction)).bit_length()
    near = _floats(z)
    x, t = far_ends(inactive, near, short(direction, bits))
    # Pulled towards z, where the rows are negative; then rounded, to fewer bits where the ends are far apart.
    x, t = (1 - _PULL) * x + _PULL * near, (1 - _PULL) * t
    size = int(np.frexp(np.abs(x).max())[1])
    for exponent in (_FEWEST_BITS - int(np.frexp(t)[1]) + more for more in _MORE_BITS) if t else ():
        start = np.rint(np.ldexp(x, exponent))
        step = round(float(np.ldexp(t, exponent)))
        if exponent + size > _MOST_BITS or not step:
            break
        first = [int(entry) << bits for entry in start.tolist()]
        second = [a + step * b for a, b in zip(first, direction, strict=True)]
        scale = Fraction(2) ** -(exponent + bits)
        pair = Collision.of(layer, *([entry * scale for entry in end] for end in (first, second)))
        with suppress(CertificateError):
            pair.check(layer, Clock(None))
            return pair
    beside = Collision.of(layer, z, _beside(inactive, z, [Fraction(entry, 1 << bits) for entry in direction]))
    beside.check(layer, Clock(None))
    return beside


def _shrunk(layer: Layer, ball: Ball, pair: Collision) -> Collision:
    """A collision of a layer without bias, made small enough for a ball around 0."""
    step = Fraction(1 << max(0, int(2 * ball.radius).bit_length()))
    while not all(ball.contains([step * entry for entry in end]) for end in (pair.x, pair.y)):
        step /= 2
    return Collision.of(layer, *([step * entry for entry in end] for end in (pair.x, pair.y)))


def far_ends(inactive: Layer, z: Floats, v: Floats) -> tuple[Floats, float]:
    """x and t such that x and x + t v are far apart; (z, 0) where doubles do not do."""
    columns = len(z)
    low, high = _box_of_ends(inactive, z)
    rows, shifts = np.zeros((0, columns)), np.zeros(0)
    if len(inactive.weights):
        lifted, _ = arrays.float_rows(inactive.weights if inactive.bias is None else inactive.lifted())
        rows, shifts = lifted[:, :columns], np.zeros(len(lifted)) if inactive.bias is None else lifted[:, columns]
        sizes = np.abs(rows).max(axis=1)
        with np.errstate(over="ignore"):
            rows, shifts = rows / np.where(sizes, sizes, 1)[:, None], shifts / np.where(sizes, sizes, 1)
    if not all(np.abs(part).max(initial=0) < _FAR for part in (shifts, low, high)):
        return z, 0.0
    centre, radius = np.zeros(columns), np.inf
    if isinstance(inactive.domain, Ball):
        centre, radius = _floats(inactive.domain.centre), float(_floats([inactive.domain.radius])[0])
    return long_chord(Surroundings(rows, shifts, low, high, centre, radius), z, v)


def _box_of_ends(layer: Layer, z: Floats) -> tuple[Floats, Floats]:
    """Lower and upper sides of a box for the ends of a collision near z."""
    domain = layer.domain
    if isinstance(domain, Ball):
        # The ball itself is a wall; its cube is none.
        return _floats([c - 2 * domain.radius for c in domain.centre]), _floats(
            [c + 2 * domain.radius for c in domain.centre]
        )
    size = 1.0 if layer.is_linear else 2 * max(1.0, float(np.abs(z).max()))
    low, high = np.full(len(z), -size), np.full(len(z), size)
    if isinstance(domain, Box):
        low = np.maximum(low, _floats([-_FAR if a is None else a for a in domain.lower]))
        high = np.minimum(high, _floats([_FAR if b is None else b for b in domain.upper]))
    return low, high


def _beside(inactive: Layer, z: list[Fraction], v: list[Fraction]) -> list[Fraction]:
    """z + eps v for a power of two: as far as no inactive row changes sign and the domain reaches."""
    tail = [] if inactive.is_linear else [Fraction(1)]
    point, along = [*z, *tail], [*v, *(0 * entry for entry in tail)]
    reach = [Fraction(1 << 20)]
    rows: list[list[Fraction]] = [[-entry for entry in row] for row in arrays.fractions(inactive.lifted())]
    for row in rows + [[Fraction(entry) for entry in side] for side in inactive.sides()]:
        value = algebra.dot(row, point)
        slope = algebra.dot(row, along)
        if value > 0 > slope:
            reach.append(value / -slope)
    if isinstance(inactive.domain, Ball):
        reach.append(inactive.domain.step_inside(z, v))
    # A power of two at or below the least of them.
    least = min(reach)
    bits = least.numerator.bit_length() - least.denominator.bit_length() - 1
    step = Fraction(1 << bits) if bits >= 0 else Fraction(1, 1 << -bits)
    return [a + step * b for a, b in zip(z, v, strict=True)]


def short(integers: list[int], bits: int) -> Floats:
    """The integers over 2^bits, all below 1, as doubles."""
    down = max(bits - 63, 0)
    return np.ldexp(np.array([entry >> down for entry in integers], dtype=np.float64), down - bits)


def _floats(entries: Sequence[Fraction | float]) -> Floats:
    """The entries as doubles; those beyond 1e300 as that."""
    with suppress(OverflowError):
        return np.asarray(np.array(list(map(float, entries))).clip(-_FAR, _FAR))
    return np.array([float(min(max(entry, -_FAR), _FAR)) for entry in entries], dtype=np.float64)

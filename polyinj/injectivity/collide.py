"""From a point where the active rows do not span to two inputs with one image, far apart and in short rationals.

At such a point z some v != 0 is annihilated by all active rows {i : w_i.z + b_i >= 0}. Then x and x + t v have the
same image whenever every other row is <= 0 at both. A linear program in floats makes t as large as a box allows; the
ends are pulled a little towards z, where those rows are negative, and rounded; exact arithmetic has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import Layer
from polyinj.certificates.layer_collision import Collision
from polyinj.errors import CertificateError
from polyinj.exact import algebra, arrays

_PULL = Fraction(1, 16)
_BITS = (6, 10, 16, 24, 40, 64, 128)
# Ends of a collision may lie beyond the ball by this share of its radius before they are pulled into it.
_BALL_EXCESS, _BALL_ROUNDS = 0.01, 25
# What lies farther out is no number for a linear program in doubles.
_FAR = 1e300


def active_rows(layer: Layer, point: Sequence[Fraction | int]) -> list[int]:
    """The rows i with w_i.z + b_i >= 0 at a point z, exactly: in doubles where a bound settles the sign."""
    z = [*map(Fraction, point), *([] if layer.is_linear else [Fraction(1)])]
    size = max(map(abs, z)) or Fraction(1)
    scaled = np.array([entry / size for entry in z], dtype=np.float64)
    rows, error = arrays.float_rows(layer.lifted())
    values = rows @ scaled
    # Roundings of z, of the products and of their sum, and the error of the entries: |z| <= 1.
    bound = 2 * (len(z) + 2) * (2.0**-53 + error) * (np.abs(rows).sum(axis=1) + 1) + 1e-300
    active = values > 0
    for i in np.flatnonzero(np.abs(values) <= bound):
        (row,) = arrays.fractions(layer.lifted()[i : i + 1])
        active[i] = algebra.dot(row, z) >= 0
    chosen: list[int] = np.flatnonzero(active).tolist()
    return chosen


def collision_at(layer: Layer, point: Sequence[Fraction | int]) -> Collision | None:
    """The collision that a point proves; None where its active rows span R^n and it proves nothing.

    Parameters
    ----------
    layer : Layer
        As returned by `polyinj.certificates.layer.read_layer`.
    point : sequence of n Fractions or ints
        A point in the interior of the layer's domain.

    Returns
    -------
    Collision, verified in exact arithmetic, or None
    """
    if layer.is_linear and isinstance(layer.domain, Ball):
        found = collision_at(replace(layer, domain=None), point)
        return None if found is None else _shrunk(layer, layer.domain, found)
    columns = layer.weights.shape[1]
    active = active_rows(layer, point)
    rows = arrays.integer_rows(layer.weights)
    directions = algebra.kernel([rows[i] for i in active], columns)
    if not directions:
        return None
    z = [Fraction(entry) for entry in point]
    if layer.is_linear:
        size = max(map(abs, z)) or Fraction(1)
        z = [entry / size for entry in z]
    inactive = sorted(set(range(len(rows))) - set(active))
    v = _towards(z, directions)
    x, t = _far_ends(layer, inactive, z, v)
    for bits in _BITS:
        found = _rounded(layer, z, v, x, t, bits)
        if found is not None:
            return found
    return _beside(layer, z, v)


def _shrunk(layer: Layer, ball: Ball, pair: Collision) -> Collision:
    """A collision of a layer without bias, made small enough for a ball around 0."""
    step = Fraction(1 << max(0, int(2 * ball.radius).bit_length()))
    while not all(ball.contains([step * entry for entry in end]) for end in (pair.x, pair.y)):
        step /= 2
    return Collision.of(layer, *([step * entry for entry in end] for end in (pair.x, pair.y)))


def _towards(z: list[Fraction], directions: list[list[int]]) -> list[Fraction]:
    """A combination of the directions, largest entry about 1, near the projection of z to their span.

    Moving along z itself leaves the signs of the inactive rows alone the longest.
    """
    scaled = [[Fraction(a, 1 << max(map(abs, v)).bit_length()) for a in v] for v in directions]
    length = max(map(abs, z)) or Fraction(1)
    near = np.array([entry / length for entry in z], dtype=np.float64)
    weights = np.linalg.lstsq(np.array(scaled, dtype=np.float64).T, near)[0]
    short = np.rint(weights / (np.abs(weights).max() or 1.0) * 2**12).astype(int).tolist()
    combined = [algebra.dot(short, entries) for entries in zip(*scaled, strict=True)]
    if not any(combined):
        combined = scaled[0]
    size = 1 << int(1 / max(map(abs, combined))).bit_length() if max(map(abs, combined)) < 1 else 1
    return [entry * size for entry in combined]


def _far_ends(
    layer: Layer, inactive: list[int], z: list[Fraction], v: list[Fraction]
) -> tuple[list[Fraction], Fraction]:
    """x and t, floats, such that x and x + t v are far apart; (z, 0) where the linear program fails."""
    columns = len(z)
    direction = np.array(v, dtype=np.float64)
    low, high = _box_of_ends(layer, z)
    lifted, _ = arrays.float_rows(layer.lifted())
    rows = lifted[inactive, :columns]
    shifts = np.zeros(len(inactive)) if layer.is_linear else lifted[inactive, columns]
    sizes = np.abs(rows).max(axis=1, initial=0)
    with np.errstate(over="ignore"):
        rows, shifts = rows / np.where(sizes, sizes, 1)[:, None], shifts / np.where(sizes, sizes, 1)
    if not all(np.abs(part).max(initial=0) < _FAR for part in (shifts, low, high)):
        return z, Fraction(0)
    identity = np.eye(columns)
    one_end = np.vstack([rows, identity, -identity])
    limits = np.concatenate([-shifts, high, -low])
    for _ in range(_BALL_ROUNDS if isinstance(layer.domain, Ball) else 1):
        along = one_end @ direction
        program = linprog(
            np.append(np.zeros(columns), -1.0),
            A_ub=np.vstack([np.column_stack([one_end, 0 * along]), np.column_stack([one_end, along])]),
            b_ub=np.concatenate([limits, limits]),
            bounds=[(None, None)] * columns + [(0, None)],
        )
        if program.status != 0 or not np.isfinite(program.x).all():
            return z, Fraction(0)
        if isinstance(layer.domain, Ball):
            # A ball is cut from its cube, by the planes that touch it below the ends found so far.
            centre, radius = _floats(layer.domain.centre), float(_floats([layer.domain.radius])[0])
            ends = program.x[:columns] - centre + np.outer([0.0, program.x[columns]], direction)
            lengths = np.linalg.norm(ends, axis=1)
            if (beyond := lengths > radius * (1 + _BALL_EXCESS)).any():
                touching = ends[beyond] / lengths[beyond, None]
                one_end = np.vstack([one_end, touching])
                limits = np.concatenate([limits, touching @ centre + radius])
                continue
        break
    return [Fraction(entry) for entry in program.x[:columns].tolist()], Fraction(float(program.x[columns]))


def _box_of_ends(layer: Layer, z: list[Fraction]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper sides of a box for the ends of a collision near z."""
    if isinstance(layer.domain, Ball):
        centre, radius = layer.domain.centre, layer.domain.radius
        return _floats([c - radius for c in centre]), _floats([c + radius for c in centre])
    size = 1.0 if layer.bias is None else 2 * max(1.0, float(np.abs(_floats(z)).max()))
    low, high = np.full(len(z), -size), np.full(len(z), size)
    if isinstance(layer.domain, Box):
        low = np.maximum(low, _floats([-_FAR if a is None else a for a in layer.domain.lower]))
        high = np.minimum(high, _floats([_FAR if b is None else b for b in layer.domain.upper]))
    return low, high


def _rounded(
    layer: Layer, z: list[Fraction], v: list[Fraction], x: list[Fraction], t: Fraction, bits: int
) -> Collision | None:
    """The pair pulled towards z and rounded to a number of bits, if it is a collision."""
    scale = max(abs(entry) for entry in (*x, *z)) or Fraction(1)
    largest = Fraction(1 << bits, 1 << max(0, int(scale).bit_length()))
    near = [_round((1 - _PULL) * a + _PULL * b, largest) for a, b in zip(x, z, strict=True)]
    step = _round((1 - _PULL) * t, largest)
    if step == 0:
        return None
    return _verified(layer, near, [a + step * b for a, b in zip(near, v, strict=True)])


def _beside(layer: Layer, z: list[Fraction], v: list[Fraction]) -> Collision:
    """z and z + eps v for a power of two: as far as no inactive row changes sign and the domain reaches."""
    tail = [] if layer.is_linear else [Fraction(1)]
    point, along = [*z, *tail], [*v, *(0 * entry for entry in tail)]
    reach = [Fraction(1 << 20)]
    rows: list[list[Fraction]] = [[-entry for entry in row] for row in arrays.fractions(layer.lifted())]
    for row in rows + [[Fraction(entry) for entry in side] for side in layer.sides()]:
        value = algebra.dot(row, point)
        slope = algebra.dot(row, along)
        if value > 0 > slope:
            reach.append(value / -slope)
    if isinstance(layer.domain, Ball):
        reach.append(layer.domain.step_inside(z, v))
    # A power of two at or below the least of them.
    least = min(reach)
    bits = least.numerator.bit_length() - least.denominator.bit_length() - 1
    step = Fraction(1 << bits) if bits >= 0 else Fraction(1, 1 << -bits)
    while True:
        found = _verified(layer, z, [a + step * b for a, b in zip(z, v, strict=True)])
        if found is not None:
            return found
        step /= 2


def _floats(entries: Sequence[Fraction | float]) -> NDArray[np.float64]:
    """The entries as doubles; those beyond 1e300 as that."""
    return np.array([float(min(max(entry, -_FAR), _FAR)) for entry in entries], dtype=np.float64)


def _verified(layer: Layer, x: list[Fraction], y: list[Fraction]) -> Collision | None:
    collision = Collision.of(layer, x, y)
    try:
        collision.verify(layer.weights, layer.bias, layer.domain)
    except CertificateError:
        return None
    return collision


def _round(value: Fraction, scale: Fraction) -> Fraction:
    return Fraction(round(value * scale)) / scale

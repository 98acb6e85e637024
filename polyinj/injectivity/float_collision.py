"""Two inputs in doubles with one image but for rounding, from a point whose active rows do not span.

Not a proof, and cheap: one LU factorisation. The rows A that are active at z are completed by random rows to n, and
A v = 0 is solved with what those give at z, so that v is about as large as z.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from scipy.linalg import LinAlgWarning, lu_factor, lu_solve

from polyinj.certificates.domain import Ball
from polyinj.certificates.layer import Layer
from polyinj.certificates.layer_collision import FloatCollision
from polyinj.exact import arrays
from polyinj.injectivity.collide import Floats, active_rows, far_ends, lost_direction, short


def float_collision(layer: Layer, point: Sequence[Fraction]) -> FloatCollision:
    """The pair, as far apart as the other rows and the domain allow on the line that was found."""
    active = active_rows(layer, point)
    size = Fraction(1)
    if layer.is_linear and not isinstance(layer.domain, Ball) and any(point):
        size = 2 * max(map(abs, point))
    z = np.array([float(entry / size) for entry in point])
    v = _float_direction(layer, active, point, z)
    places = np.ones(len(layer.weights), dtype=bool)
    places[active] = False
    bias = None if layer.bias is None else layer.bias[places]
    x, t = far_ends(replace(layer, weights=layer.weights[places], bias=bias), z, v)
    return FloatCollision.of(layer, x, x + t * v)


def _float_direction(layer: Layer, active: list[int], point: Sequence[Fraction], z: Floats) -> Floats:
    columns = len(z)
    missing = columns - len(active)
    if missing <= 0:
        direction = lost_direction(layer, active, point)
        assert direction is not None, "the active rows were checked not to span"
        return short(direction, max(map(abs, direction)).bit_length())
    random = np.random.default_rng(0).standard_normal((missing, columns)) / np.sqrt(columns)
    rows = arrays.float_rows(layer.weights[active])[0] if active else np.zeros((0, columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)
        factors = lu_factor(np.vstack([rows, random]))
    if not np.diagonal(factors[0]).all():
        # The active rows depend on one another: what they leave of a random row will do.
        v = random[0] - np.linalg.lstsq(rows, rows @ random[0])[0]
        return np.asarray(v / np.abs(v).max())
    v = lu_solve(factors, np.append(np.zeros(len(active)), random @ z if z.any() else np.ones(missing)))
    # One step of refinement.
    v -= lu_solve(factors, np.append(rows @ v, np.zeros(missing)))
    return np.asarray(v / np.abs(v).max())

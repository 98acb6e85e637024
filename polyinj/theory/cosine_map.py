"""The cosine of two inputs behind one infinitely wide ReLU layer, to full relative precision at both ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError

Floats = NDArray[np.float64]


def arc_cosine_map(cosine: ArrayLike) -> Floats:
    """The cosine of two inputs behind one infinitely wide ReLU layer without bias, from that before it.

    [sqrt(1 - c^2) + (pi - arccos c) c] / pi, the normalised arc-cosine kernel of degree 1 (Cho and Saul 2009). Its only
    fixed point is 1, which is approached like 1 - c_l ~ 9 pi^2 / (2 l^2).

    Parameters
    ----------
    cosine : array_like of float
        In [-1, 1]. A number up to 2^-50 outside, as rounding leaves the cosine of two parallel vectors, is read as the
        end that it passed.

    Returns
    -------
    ndarray of float64
        Of the shape of the argument; relative errors are a few 2^-53, also where c is near -1 and the cosine near 0.

    Raises
    ------
    InputError
        A number further outside, or none.

    Examples
    --------
    >>> print(arc_cosine_map([-1, 0, 1]).round(6))
    [0.      0.31831 1.     ]
    >>> print(arc_cosine_map(-1 + 2.0**-40))
    2.6029997490712676e-19
    """
    c = read_cosines(cosine)
    # Near 1 the gap to 1 is known best, near -1 the cosine itself: s = pi - arccos c has pi k = sin s - s cos s.
    behind = _sine_beyond(2 * np.arcsin(np.sqrt((1 + np.minimum(c, 0)) / 2))) / np.pi
    return np.asarray(np.where(c < 0, behind, 1 - gap_behind_relu(1 - np.maximum(c, 0))))


def read_cosines(cosine: ArrayLike) -> Floats:
    """Cosines as doubles in [-1, 1]; what rounding put outside, by at most 2^-50, is moved to the end it passed."""
    try:
        c = np.asarray(cosine, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"cosine is no array of real numbers ({error}); expected cosines of angles") from None
    if not (np.abs(c) <= 1 + 2.0**-50).all():
        raise InputError(f"cosine has an entry outside [-1, 1], {c.min()} to {c.max()}; expected cosines of angles")
    return np.clip(c, -1.0, 1.0)


def _sine_beyond(angle: Floats) -> Floats:
    """sin t - t cos t, which is t^3/3 near 0, to full relative precision."""
    square = angle * angle
    series = np.zeros_like(angle)
    for k in range(10, 0, -1):
        series = 2 * k / math.factorial(2 * k + 1) - square * series
    return np.where(angle < 1, angle * square * series, np.sin(angle) - angle * np.cos(angle))


def gap_behind_relu(gap: ArrayLike) -> Floats:
    """1 - c behind a ReLU from 1 - c before it, both to full relative precision.

    With c = cos t: 1 - k = (1 - cos t) - (sin t - t cos t) / pi.
    """
    before = np.asarray(gap, dtype=np.float64)
    angle = 2 * np.arcsin(np.sqrt(before / 2))
    return np.asarray(before - _sine_beyond(angle) / np.pi)

"""The signs of w_i.x + b_i at a point, exactly and fast: in doubles where a bound settles them, else in integers.

Rows are taken block by block, so that a large layer is never copied whole. In a block the rows are scaled by powers of
two to largest entry about 1 (`float_rows`), and so is the point z = x or (x, 1), with N entries. Rounding z moves it by
2^-53 |z_j| + 2^-63 an entry, and a computed inner product is off by less than 1.01 N 2^-53 |row||z|, in whatever order
it is summed. So a value beyond 4 (N + 2) (2^-53 + error of the entries) |row| |z| + 1e-300 has its true sign; products
below the normal range are far below 1e-300.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.clock import Clock
from polyinj.certificates.layer import Layer
from polyinj.exact.algebra import product
from polyinj.exact.arrays import float_rows, integer_rows, integers_of

_BLOCK_ENTRIES = 1 << 20
_POINT_BITS = 63
_ROWS_AT_A_TIME = 32


def row_signs(layer: Layer, point: Sequence[Fraction | int], clock: Clock | None = None) -> NDArray[np.int8]:
    """-1, 0 or 1 for each row: the sign of w_i.x + b_i at a point x of n entries.

    Raises
    ------
    CertificateError
        The time of the clock is over.
    """
    return signs_at(layer, [point], clock)[:, 0]


def signs_at(layer: Layer, points: Sequence[Sequence[Fraction | int]], clock: Clock | None = None) -> NDArray[np.int8]:
    """The same at several points, one a column."""
    exact = [_integers(point, layer.bias is not None) for point in points]
    near = np.column_stack([_doubles(z) for z in exact])
    scales = 4 * (len(near) + 2) * np.sqrt(np.einsum("jk,jk->k", near, near))
    signs = np.zeros((len(layer.weights), len(points)), dtype=np.int8)
    height = max(1, _BLOCK_ENTRIES // len(near))
    for start in range(0, len(signs), height):
        if clock is not None:
            clock.check()
        block = _block(layer, slice(start, start + height))
        rows, error = float_rows(block)
        values = rows @ near
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        signs[start : start + height] = np.sign(values)
        uncertain = np.abs(values) <= (2.0**-53 + error) * np.outer(lengths, scales) + 1e-300
        for i, k in np.argwhere(uncertain).tolist():
            if clock is not None:
                clock.check()
            (value,) = product(integer_rows(block[i : i + 1]), exact[k])
            signs[start + i, k] = (value > 0) - (value < 0)
    return signs


def _integers(point: Sequence[Fraction | int], shifted: bool) -> list[int]:
    """z = x, or (x, 1), in integers over one denominator."""
    entries, denominator = integers_of([Fraction(entry) for entry in point])
    return [*entries, denominator] if shifted else entries


def _doubles(z: list[int]) -> NDArray[np.float64]:
    """z over a power of two, its largest entry in [1/2, 1)."""
    shift = max(map(abs, z)).bit_length() - _POINT_BITS
    short = [entry >> shift if shift > 0 else entry << -shift for entry in z]
    return np.ldexp(np.array(short, dtype=np.float64), -_POINT_BITS)


def first_not_orthogonal(layer: Layer, chosen: NDArray[np.bool_], v: list[int], clock: Clock) -> int | None:
    """The first of the chosen rows with w_i.v != 0 for an integer vector, exactly; None where there is none."""
    places = np.flatnonzero(chosen)
    for start in range(0, len(places), _ROWS_AT_A_TIME):
        clock.check()
        some = places[start : start + _ROWS_AT_A_TIME]
        values = product(integer_rows(layer.weights[some]), v)
        if any(values):
            return int(some[next(k for k, value in enumerate(values) if value)])
    return None


def spanning_rows(layer: Layer) -> NDArray[np.bool_]:
    """The rows whose weights are not all zero; the others are constant and span nothing."""
    found: NDArray[np.bool_] = (layer.weights != 0).any(axis=1)
    return found


def _block(layer: Layer, rows: slice) -> NDArray[Any]:
    """Some rows w_i, or (w_i, b_i) where there is a bias."""
    if layer.bias is None:
        return layer.weights[rows]
    return replace(layer, weights=layer.weights[rows], bias=layer.bias[rows]).lifted()

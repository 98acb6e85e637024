"""Tall layers, many rows active everywhere: the multipliers and the basis of a `SpectralProof`, in floats.

The theorem stands in certificates/layer_spectral.py. With y_i of one length and sum 0 the least m that it takes is
2 K N; so multipliers are sought with which both is nearly so. In coordinates in which the second moments are the
identity, Tyler's iteration c_i <- c_i / |y_i| makes the lengths equal (Tyler 1987, Annals of Statistics 15:234), and
c_i <- c_i (1 - share y_i.sum y) takes a share of the sum away. The share with the least 2 K a + sqrt(a e) is taken.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from polyinj.certificates.domain import Cover
from polyinj.certificates.layer import Layer
from polyinj.certificates.layer_spectral import SpectralProof, unit_sides
from polyinj.exact.arrays import float_rows

_ROUNDS = 12
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_MULTIPLIER_BITS, _BASIS_BITS = 12, 26
# What is below that in floats is proved in integers.
_SAFE = 0.999
_LEAST_FACTOR = 0.1

Floats = NDArray[np.float64]


def spectral_proof(layer: Layer, budget: int) -> SpectralProof | None:
    """A proof that more than `budget` rows are positive everywhere, not verified; None where this does not show it."""
    if isinstance(layer.domain, Cover) or not is_tall(layer, budget):
        return None
    rows, _ = float_rows(layer.lifted())
    spanning = (layer.weights != 0).any(axis=1)
    sides = np.array([[float(entry) for entry in side] for side in unit_sides(layer)])
    # To one size: lengths of rows differ, and multipliers make up for it.
    rows = np.where(spanning[:, None], rows, 0.0)
    multipliers = _multipliers(rows, sides, budget)
    if multipliers is None:
        return None
    return _rounded(layer, budget, rows, multipliers, sides)


def is_tall(layer: Layer, budget: int) -> bool:
    """Whether there are so many rows that their moments may show more than `budget` positive ones."""
    rows, columns = layer.weights.shape
    return bool(rows > 2 * budget * (columns + (not layer.is_linear)))


def may_have_parallel_rows(layer: Layer) -> bool:
    """False is certain: then no two rows have parallel nonzero weights."""
    rows, _ = float_rows(layer.weights)
    rows = rows[rows.any(axis=1)]
    # Parallel rows of one length project alike on every line.
    place = np.abs((rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ np.sqrt(np.arange(2.0, 2.0 + rows.shape[1])))
    place.sort()
    return len(place) > 1 and float((place[1:] - place[:-1]).min()) < 1e-11


def _multipliers(rows: Floats, sides: Floats, budget: int) -> Floats | None:
    """Multipliers for which the inequality holds in floats; None if none are found."""
    used = rows.any(axis=1)
    c = np.where(used, 1 / np.where(used, np.linalg.norm(rows, axis=1), 1), 0.0)
    best, least = None, _SAFE
    for _ in range(_ROUNDS):
        y = _whitened(rows, c)
        if y is None:
            return None
        c = np.where(used, c / np.where(used, np.linalg.norm(y, axis=1), 1), 0.0)
    y = _whitened(rows, c)
    if y is None:
        return None
    lever = y @ _excess(y, rows, c, sides)
    for share in _SHARES:
        moved = c * np.maximum(1 - share * lever, _LEAST_FACTOR)
        moved = np.rint(moved / moved.max() * 2**_MULTIPLIER_BITS)
        y = _whitened(rows, moved)
        if y is None:
            continue
        longest = np.square(y).sum(axis=1).max()
        used_up = 2 * budget * longest + np.sqrt(longest) * np.linalg.norm(_excess(y, rows, moved, sides))
        if used_up < least:
            best, least = moved, used_up
    return best


def _basis(rows: Floats, c: Floats) -> Floats | None:
    """B for which the moments of the y_i are the identity; None where the rows do not span."""
    scaled = rows * c[:, None]
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    if not (np.isfinite(values).all() and values[0] > 1e-12 * values[-1]):
        return None
    return np.asarray(vectors / np.sqrt(values))


def _whitened(rows: Floats, c: Floats) -> Floats | None:
    basis = _basis(rows, c)
    return None if basis is None else (rows * c[:, None]) @ basis


def _excess(y: Floats, rows: Floats, c: Floats, sides: Floats) -> Floats:
    """The sum of the y_i, less what multipliers of the sides take off."""
    total = y.sum(axis=0)
    if not len(sides):
        return np.asarray(total)
    basis = _basis(rows, c)
    assert basis is not None, "the same moments as before"
    image = sides @ basis
    return np.asarray(total - nnls(image.T, total)[0] @ image)


def _rounded(layer: Layer, budget: int, rows: Floats, c: Floats, sides: Floats) -> SpectralProof | None:
    """The proof in short rationals."""
    basis = _basis(rows, c)
    assert basis is not None, "the moments were regular"
    y = rows * c[:, None] @ basis
    bits = _BASIS_BITS - int(np.frexp(np.abs(basis).max())[1])
    # Rows in floats are the exact ones over a power of two, or over their largest entry.
    sizes = [_size(row) for row in layer.lifted()]
    shares = nnls((sides @ basis).T, y.sum(axis=0))[0].tolist() if len(sides) else []
    scaled = np.rint(np.ldexp(basis, bits)).astype(int).tolist()
    return SpectralProof.of(
        layer,
        budget,
        [Fraction(int(entry)) / size for entry, size in zip(c.tolist(), sizes, strict=True)],
        [_short(entry) for entry in shares],
        [[Fraction(entry) * Fraction(2) ** -bits for entry in row] for row in scaled],
    )


def _size(row: NDArray[np.float64]) -> Fraction:
    """By what `float_rows` divides a row; 1 for a row of zeros."""
    largest = np.abs(row).max()
    if not largest:
        return Fraction(1)
    return Fraction(2) ** int(np.frexp(largest)[1]) if row.dtype == np.float64 else Fraction(largest)


def _short(value: float) -> Fraction:
    """Rounded down to a few bits."""
    exponent = int(np.frexp(value)[1])
    return Fraction(int(np.ldexp(value, 20 - exponent))) * Fraction(2) ** (exponent - 20)

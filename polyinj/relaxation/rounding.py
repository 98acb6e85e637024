"""What rounding may change in sums of products: the two floating types in which bounds are computed.

A sum of k products in a type of unit roundoff u, in whatever order and with or without fused operations, is off by at
most k u / (1 - k u) times the sum of their absolute values, plus what underflows. For k u < 1/16 that is less than
1.07 k u; `share(k)` is 1.25 (k + 8) u, so it covers six more roundings (of a factor, of a row that is stored rounded,
of the sum of absolute values itself). From k u = 1/16 on it is infinite: then the bounds are refused as an overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.float64]
# Of either floating type.
Forms = NDArray[Any]

# Sums in single precision are gathered in double precision after so many terms.
_CHUNK = 256
_KEPT_BYTES = 31 << 20


@dataclass(frozen=True, slots=True)
class Rounding:
    """A floating type: its name for numpy, unit roundoff, and more than what underflow takes from any sum of ours."""

    dtype: str
    unit: float
    tiny: float

    def share(self, terms: int) -> float:
        """How far a sum of that many products may be off, over the sum of their absolute values, but for `tiny`."""
        return 1.25 * (terms + 8) * self.unit if terms * self.unit < 1 / 16 else math.inf

    def grown(self, values: Floats, terms: int) -> Floats:
        """Sums of that many nonnegative products, rounded up (themselves float64)."""
        grown: Floats = values * (1 + self.share(terms)) + self.tiny
        return grown

    def narrow(self, lower: Floats, upper: Floats) -> tuple[Forms, Forms]:
        """Bounds in this type, rounded outward."""
        if lower.dtype == self.dtype:
            return lower, upper
        low, high = lower.astype(self.dtype), upper.astype(self.dtype)
        below, above = (np.array(side, self.dtype) for side in (-np.inf, np.inf))
        return np.where(low > lower, np.nextafter(low, below), low), np.where(
            high < upper, np.nextafter(high, above), high
        )


DOUBLE = Rounding("float64", 2.0**-53, 1e-300)
SINGLE = Rounding("float32", 2.0**-24, 1e-30)
ROUNDINGS = {rounding.dtype: rounding for rounding in (DOUBLE, SINGLE)}


def times(forms: Forms, vectors: Floats) -> Floats:
    """F v for matrices (..., rows, n) and vectors (..., n), as float64."""
    product = np.matmul(forms, vectors.astype(forms.dtype, copy=False)[..., None])[..., 0]
    return np.asarray(product, dtype=np.float64)


def reach(absolute: Forms, sizes: Floats, rounding: Rounding) -> Floats:
    """F v of nonnegative matrices (..., rows, n) and vectors (..., n), rounded up."""
    columns = sizes.shape[-1]
    # No entry of v underflows in the type of F.
    sizes = sizes + rounding.tiny
    if rounding is DOUBLE:
        return rounding.grown(times(absolute, sizes), columns)
    parts = [slice(start, start + _CHUNK) for start in range(0, columns, _CHUNK)]
    # The entries of v are rounded too: one term more.
    total = sum((times(absolute[..., part], sizes[..., part]) for part in parts), np.zeros(()))
    return rounding.grown(np.asarray(total), min(columns, _CHUNK) + 1)


def outward(value: Floats, below: Floats, above: Floats) -> tuple[Floats, Floats]:
    """Value less `below`, and value plus `above`, the sums rounded outward."""
    return down(value - below), up(value + above)


def down(values: Floats) -> Floats:
    """Less than what one rounding made these of; faster than the next number below."""
    return values - (2.0**-51 * np.abs(values) + DOUBLE.tiny)


def up(values: Floats) -> Floats:
    """More than what one rounding made these of."""
    return values + (2.0**-51 * np.abs(values) + DOUBLE.tiny)


def middle(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Centre c and radius r, rounded up, of intervals: |x - c| <= r for lower <= x <= upper."""
    centre = 0.5 * lower + 0.5 * upper
    return centre, DOUBLE.grown(np.maximum(upper - centre, centre - lower), 1)


@cache
def keep_memory() -> None:
    """Make the allocator keep what is given back, where it is glibc's: it does so up to twice the largest block so far.

    A page taken anew costs more than the numbers on it. Nothing of this block is touched.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)


class Workspace:
    """Arrays that are used again: memory given back to the system and taken anew costs more than what it holds."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._flat: dict[str, Forms] = {}

    def take(self, name: str, *shape: int) -> Forms:
        """The array of that name, its entries undefined; a view of what the last one of the name was."""
        size = math.prod(shape)
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.empty(size, dtype=self._dtype)
        return self._flat[name][:size].reshape(shape)

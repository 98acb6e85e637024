"""Arithmetic on arrays that never rounds: float64 where it holds the results, Fractions where it does not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError

_FLOAT64_INTEGERS = 2**53


def read_tensor(array: NDArray[Any], name: str) -> NDArray[Any]:
    """The values of a stored tensor, exactly: float64 for floats of up to 64 bits and for integers that it holds.

    Raises
    ------
    InputError
        Another dtype (bool, complex, strings), NaN or infinity.
    """
    # bfloat16 and the 8-bit floats of ml_dtypes have kind 'V' and widen exactly.
    if array.dtype.kind in "fV" and array.dtype.itemsize <= 8 and array.dtype.names is None:
        try:
            values = array.astype(np.float64)
        except (TypeError, ValueError):
            raise InputError(f"{name} has dtype {array.dtype}; expected floats or integers") from None
        if not np.isfinite(values).all():
            raise InputError(f"{name} holds {values[~np.isfinite(values)][0]}; every entry must be finite")
        return values
    if array.dtype.kind in "iu":
        if array.size == 0 or max(abs(int(array.max())), abs(int(array.min()))) <= _FLOAT64_INTEGERS:
            return array.astype(np.float64)
        return _fractions(array)
    raise InputError(f"{name} has dtype {array.dtype}; expected floats of at most 64 bits or integers")


def add(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """a + b, exactly."""
    total = add_floats(a, b)
    return shorten(_fractions(a) + _fractions(b)) if total is None else total


def multiply(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """a * b, exactly."""
    product = multiply_floats(a, b)
    return shorten(_fractions(a) * _fractions(b)) if product is None else product


def divide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """a / b, exactly; b has no zero."""
    quotient = divide_floats(a, b)
    return shorten(_fractions(a) / _fractions(b)) if quotient is None else quotient


def add_floats(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64] | None:
    """a + b in float64 if that is exact in every entry, else None."""
    if not (a.dtype == b.dtype == np.float64):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        total = a + b
        part = total - a
        # Knuth: total + error is the exact sum.
        error = (a - (total - part)) + (b - part)
    return np.asarray(total) if np.isfinite(total).all() and not error.any() else None


def multiply_floats(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64] | None:
    """a * b in float64 if that is seen to be exact in every entry, else None."""
    if not (a.dtype == b.dtype == np.float64):
        return None
    # Two significands of 24 bits make one of 48, and the exponents of float32 stay far inside those of float64.
    if _fits_float32(a) and _fits_float32(b):
        return np.asarray(a * b)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        product = np.asarray(a * b)
        return product if _is_product(product, a, b) else None


def divide_floats(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64] | None:
    """a / b in float64 if that is seen to be exact in every entry, else None; b has no zero."""
    if not (a.dtype == b.dtype == np.float64):
        return None
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        quotient = np.asarray(a / b)
        return quotient if _is_product(np.broadcast_to(a, quotient.shape), quotient, b) else None


def _is_product(product: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Whether a * b is the product in every entry, exactly; False too where numbers are too large or small to tell."""
    zero = (a == 0) | (b == 0)
    size = np.abs(product)
    if not (zero | ((size > 2.0**-900) & (size < 2.0**900))).all() or product[zero].any():
        return False
    # Veltkamp and Dekker: halves of 26 bits have exact products, which sum up to the error of a * b.
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    rounded = a * b
    error = ((a1 * b1 - rounded) + a1 * b2 + a2 * b1) + a2 * b2
    return bool((zero | ((rounded == product) & (error == 0))).all())


def _halves(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    part = values * 134217729.0
    high = part - (part - values)
    return high, values - high


def shorten(values: NDArray[Any]) -> NDArray[Any]:
    """An object array of Fractions as float64 if that holds every entry, else as it is."""
    try:
        floats = values.astype(np.float64)
    except OverflowError:
        return values
    same = all(Fraction(near) == value for near, value in zip(floats.ravel().tolist(), values.flat, strict=True))
    return floats if same else values


def _fits_float32(values: NDArray[Any]) -> bool:
    if values.dtype != np.float64:
        return False
    with np.errstate(over="ignore", under="ignore"):
        return bool((values.astype(np.float32) == values).all())


def _fractions(values: NDArray[Any]) -> NDArray[Any]:
    exact = np.empty(values.shape, dtype=object)
    exact.ravel()[:] = [Fraction(entry) for entry in values.ravel().tolist()]
    return exact

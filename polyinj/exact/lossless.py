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
    if a.dtype == b.dtype == np.float64:
        with np.errstate(over="ignore", invalid="ignore"):
            total = a + b
            part = total - a
            # Knuth: total + error is the exact sum.
            error = (a - (total - part)) + (b - part)
        if np.isfinite(total).all() and not error.any():
            return np.asarray(total)
    return shorten(_fractions(a) + _fractions(b))


def multiply(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """a * b, exactly."""
    # Two significands of 24 bits make one of 48, and the exponents of float32 stay far inside those of float64.
    if _fits_float32(a) and _fits_float32(b):
        return np.asarray(a * b)
    return shorten(_fractions(a) * _fractions(b))


def divide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """a / b, exactly; b has no zero."""
    return shorten(_fractions(a) / _fractions(b))


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

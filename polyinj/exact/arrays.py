"""Arrays of numbers, read exactly: floats as the rationals they store, integers and Fractions as they are.

Nothing in this module rounds, except `float_rows`, which states its error, and `nearest_doubles`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import flint
import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import InputError
from polyinj.exact.algebra import IntegerRows, coprime

# A point in rationals.
Point = tuple[Fraction, ...]

_RATIO = re.compile(r"(0|-?[1-9][0-9]*)/[1-9][0-9]*", re.ASCII)
# Entries that are copied to be hashed at a time.
_HASHED_ENTRIES = 1 << 20
_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def read_matrix(values: ArrayLike, name: str = "weights") -> NDArray[Any]:
    """Read a real matrix without rounding it.

    Parameters
    ----------
    values : array_like, shape (m, n), m, n >= 1
        float64, float32, integers, or an object array of int and Fraction.
    name : str
        What the matrix is called in error messages.

    Returns
    -------
    ndarray, shape (m, n)
        float64 for floating point input, else an object array of Fractions.

    Raises
    ------
    InputError
        Other shapes, dtypes (bool, complex, float16, longdouble, strings), NaN or infinity.
    """
    array = _read_array(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{name} has shape {array.shape}; expected (rows, columns) with at least one of each")
    return array


def read_vector(values: ArrayLike, length: int, name: str = "bias") -> NDArray[Any]:
    """Read a real vector of the given length without rounding it; see `read_matrix`."""
    array = _read_array(values, name)
    if array.shape != (length,):
        raise InputError(f"{name} has shape {array.shape}; expected ({length},), one entry a row of the weights")
    return array


def _read_array(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
        if not isinstance(values, np.ndarray) and array.dtype == np.float64:
            # A list that mixes floats with integers beyond 2^53 would be rounded by the conversion.
            entries = np.asarray(values, dtype=object)
            if any(isinstance(entry, int) and abs(entry) > 2**53 for entry in entries.flat):
                array = entries
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{name} is not a rectangular array of numbers ({error})") from None
    if array.dtype in _FLOATS:
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise InputError(f"{name}[{', '.join(map(str, where))}] is {array[where]}; every entry must be finite")
        return np.ascontiguousarray(array, dtype=np.float64)
    if array.dtype.kind in "iu" or array.dtype == object:
        exact = np.empty(array.shape, dtype=object)
        for index in np.ndindex(array.shape):
            exact[index] = read_number(array[index], f"{name}[{', '.join(map(str, index))}]")
        return exact
    raise InputError(
        f"{name} has dtype {array.dtype}; allowed are float64, float32, integers, and objects that are int or "
        "Fraction; try numpy.asarray(..., dtype=float)"
    )


def read_number(entry: object, name: str) -> Fraction:
    """Read one finite float, int or Fraction without rounding it; name is what error messages call it."""
    if isinstance(entry, (int, np.integer)) and not isinstance(entry, bool):
        return Fraction(int(entry))
    if isinstance(entry, Fraction):
        # Parts that are numpy integers would overflow.
        return Fraction(int(entry.numerator), int(entry.denominator))
    if isinstance(entry, float) and np.isfinite(entry):
        return Fraction(entry)
    raise InputError(f"{name} is {entry!r} ({type(entry).__name__}); allowed are finite floats, int and Fraction")


def fractions(array: NDArray[Any]) -> list[list[Fraction]]:
    """The exact entries of a matrix returned by `read_matrix`."""
    return [[Fraction(entry) for entry in row] for row in array.tolist()]


def integer_rows(matrix: NDArray[Any]) -> IntegerRows:
    """Each row times the positive rational that makes its entries coprime integers (a zero row stays zero).

    Positive scaling of a row changes no sign, no rank and no flat; it keeps the integers short.
    """
    return [coprime(row) for row in (_scaled_floats(matrix) if matrix.dtype == np.float64 else map(_scaled, matrix))]


def _scaled_floats(matrix: NDArray[np.float64]) -> IntegerRows:
    mantissa, exponent = np.frexp(matrix)
    lowest = np.where(mantissa != 0, exponent, 2000).min(axis=1, keepdims=True, initial=2000)
    integers, shifts = np.ldexp(mantissa, 53).astype(np.int64).tolist(), (exponent - lowest).tolist()
    return [
        [value << shift if value else 0 for value, shift in zip(*row, strict=True)]
        for row in zip(integers, shifts, strict=True)
    ]


def _scaled(row: Sequence[Fraction]) -> list[int]:
    scale = lcm(*(entry.denominator for entry in row))
    return [int(entry * scale) for entry in row]


def integers_of(point: Sequence[Fraction]) -> tuple[list[int], int]:
    """The point in integers over one denominator, and that denominator."""
    denominator = lcm(*(entry.denominator for entry in point))
    return [entry.numerator * (denominator // entry.denominator) for entry in point], denominator


def denominator_of(matrix: NDArray[Any]) -> int:
    """A positive integer by which all entries of a matrix returned by `read_matrix` become integers."""
    if matrix.dtype == np.float64:
        _, exponent = np.frexp(matrix)
        return 1 << max(0, 53 - int(np.where(matrix != 0, exponent, 53).min(initial=53)))
    return lcm(*(entry.denominator for entry in matrix.flat))


def times(matrix: NDArray[Any], denominator: int) -> IntegerRows:
    """The integers that a matrix becomes, times what `denominator_of` gives for it."""
    if matrix.dtype == np.float64:
        mantissa, exponent = np.frexp(matrix)
        integers = np.ldexp(mantissa, 53).astype(np.int64).tolist()
        # Nothing is lost where a shift is to the right: zeros are shifted out.
        shifts = (exponent + (denominator.bit_length() - 1 - 53)).tolist()
        return [
            [value << shift if shift >= 0 else value >> -shift for value, shift in zip(*row, strict=True)]
            for row in zip(integers, shifts, strict=True)
        ]
    return [[int(entry * denominator) for entry in row] for row in matrix.tolist()]


def float_rows(matrix: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """The rows of a matrix returned by `read_matrix` as doubles, each scaled to largest entry in [1/2, 1].

    Returns
    -------
    (floats, error) : ndarray of shape (m, n), float
        Every entry of floats differs from the exact entry, scaled by the positive rational that its row shares, by at
        most error (0.0 where all are exact).
    """
    if matrix.dtype == np.float64:
        _, exponent = np.frexp(np.abs(matrix).max(axis=1, keepdims=True))
        floats = np.ldexp(matrix, -exponent)
        return floats, 0.0 if np.array_equal(np.ldexp(floats, exponent), matrix) else 2.0**-1022
    largest = [max(map(abs, row)) or Fraction(1) for row in matrix.tolist()]
    exact = [[entry / scale for entry in row] for row, scale in zip(matrix.tolist(), largest, strict=True)]
    floats = np.array(exact, dtype=np.float64)
    same = all(
        Fraction(a) == b
        for row, scaled in zip(floats.tolist(), exact, strict=True)
        for a, b in zip(row, scaled, strict=True)
    )
    return floats, 0.0 if same else 2.0**-53


def nearest_doubles(exact: NDArray[Any], name: str) -> NDArray[np.float64]:
    """The doubles nearest to exact entries; InputError where one is beyond their range."""
    try:
        return exact.astype(np.float64)
    except OverflowError:
        raise InputError(f"{name} has an entry beyond the range of doubles; expected entries below 1.8e308") from None


def near_one(array: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """The array times 2^-exponent, its largest entry in [1/2, 1] unless all are 0, and the exponent."""
    exponent = int(np.frexp(np.abs(array).max())[1])
    return np.ldexp(array, -exponent), exponent


def hash_layer(weights: NDArray[Any], bias: NDArray[Any] | None = None, domain: str = "") -> str:
    """SHA-256, as hex digits, of the exact values of a layer; docs/certificate-format.md specifies the hashed bytes.

    Entries are hashed as 8-byte doubles where all of them are doubles, else as ratios p/q: so the hash depends on the
    values alone, and that of a large layer costs little.
    """
    arrays = [weights] if bias is None else [weights, bias]
    doubles = [_as_doubles(array) for array in arrays]
    height = max(1, _HASHED_ENTRIES // weights.shape[1])
    binary = all(array is not None for array in doubles)
    name = "binary64" if binary else "ratios"
    hashed = hashlib.sha256(f"{weights.shape[0]} {weights.shape[1]} {name}\n".encode("ascii"))
    for title, array, double in zip(("", "bias\n"), arrays, doubles, strict=False):
        hashed.update(title.encode("ascii"))
        if binary and double is not None:
            for start in range(0, len(double), height):
                # Adding 0 takes the sign from a zero.
                hashed.update((double[start : start + height] + 0.0).astype("<f8").tobytes())
        else:
            hashed.update("".join(f"{format_ratio(entry)}\n" for entry in array.flat).encode("ascii"))
    if domain:
        hashed.update(f"domain\n{domain}\n".encode("ascii"))
    return hashed.hexdigest()


def _as_doubles(array: NDArray[Any]) -> NDArray[np.float64] | None:
    """The same numbers as doubles; None where one of them is no double."""
    if array.dtype == object:
        try:
            rounded = array.astype(np.float64)
        except OverflowError:
            return None
        if any(Fraction(a) != b for a, b in zip(rounded.flat, array.flat, strict=True)):
            return None
        array = rounded
    return array


def format_ratio(entry: Any) -> str:
    """A float, int or Fraction as `p/q` in lowest terms, q > 0, at any length."""
    numerator, denominator = entry.as_integer_ratio()
    return f"{_decimal(numerator)}/{_decimal(denominator)}"


def _decimal(value: int) -> str:
    # Python refuses to print integers of more than 4300 digits; flint prints them all.
    return str(value) if value.bit_length() < 14_000 else str(flint.fmpz(value).str())


def parse_ratio(text: object, name: str) -> Fraction:
    """The Fraction written by `format_ratio`; InputError for anything else, also for a ratio that is not reduced."""
    if isinstance(text, str) and _RATIO.fullmatch(text):
        numerator, denominator = (int(flint.fmpz(part)) for part in text.split("/"))
        if denominator > 0 and gcd(numerator, denominator) == 1:
            return Fraction(numerator, denominator)
    raise InputError(f'{name} is {str(text)[:60]!r}; expected a string "p/q" in lowest terms with q > 0')

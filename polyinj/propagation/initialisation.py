"""Random weights of one layer, at a scale that the caller keeps beside them: laws of initialisations.

Each law draws an (m, n) matrix, rows neurons, that keeps mean squares: E |Wx|^2 / m = |x|^2 / n. The standard deviation
sigma_w multiplies it (2^(1/2) is He's, 1 LeCun's) and is kept as a logarithm, so that no scale overflows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError

Draw = Callable[[np.random.Generator, int, int, str], NDArray[Any]]


# Pairs of normal numbers made at once: what is between them stays in the cache.
_PAIRS = 1 << 15


def gaussian(rng: np.random.Generator, m: int, n: int, dtype: str = "float64") -> NDArray[Any]:
    """Independent normal entries of variance 1/n, shape (m, n)."""
    if dtype == "float32":
        return single_normals(rng, m * n, n**-0.5).reshape(m, n)
    weights: NDArray[Any] = rng.standard_normal((m, n))
    weights *= n**-0.5
    return weights


def single_normals(rng: np.random.Generator, count: int, deviation: float) -> NDArray[np.float32]:
    """Independent normal numbers in float32: Box and Muller (1958), which takes half the time of a ziggurat.

    A pair is r (cos a, sin a), a uniform on the circle and r^2 = -2 ln u, u uniform; both are read off 32 random bits,
    so no number is beyond 6.7 deviations, and those of normal numbers are once in 4e10.
    """
    normals = np.empty(count + count % 2, dtype=np.float32)
    uniform = np.empty(2 * _PAIRS, dtype=np.float32)
    for start in range(0, len(normals), 2 * _PAIRS):
        block = normals[start : start + 2 * _PAIRS]
        pairs = len(block) // 2
        uniform[: 2 * pairs] = rng.integers(0, 2**64, pairs, dtype=np.uint64).view(np.int32)
        angle, square = uniform[:pairs], uniform[pairs : 2 * pairs]
        angle *= np.float32(math.pi * 2**-31)
        np.maximum(np.abs(square, out=square), np.float32(0.5), out=square)
        square *= np.float32(2**-31)
        np.log(square, out=square)
        square *= np.float32(-2 * deviation**2)
        radius = np.sqrt(square, out=square)
        np.cos(angle, out=block[:pairs])
        np.sin(angle, out=block[pairs:])
        block[:pairs] *= radius
        block[pairs:] *= radius
    return normals[:count]


def orthogonal(rng: np.random.Generator, m: int, n: int, dtype: str = "float64") -> NDArray[Any]:
    """Haar: orthonormal columns times (m/n)^(1/2) for m >= n, orthonormal rows for m < n, shape (m, n).

    Uniform, since the QR factorisation of a Gaussian matrix is made unique by a positive diagonal of R (Mezzadri 2007).
    """
    tall = gaussian(rng, max(m, n), min(m, n), dtype)
    columns, triangle = np.linalg.qr(tall)
    columns *= np.where(np.diagonal(triangle) < 0, -1, 1).astype(columns.dtype)
    if m < n:
        return np.ascontiguousarray(columns.T)
    columns *= columns.dtype.type((m / n) ** 0.5)
    return columns


def identity(rng: np.random.Generator, m: int, n: int, dtype: str = "float64") -> NDArray[Any]:
    """The identity, padded with zeros where m != n, times max(1, m/n)^(1/2); nothing is random."""
    weights = np.eye(m, n, dtype=dtype)
    weights *= weights.dtype.type(max(1.0, m / n) ** 0.5)
    return weights


INITIALISATIONS: dict[str, Draw] = {"gaussian": gaussian, "orthogonal": orthogonal, "identity": identity}


def centre_rows(weights: NDArray[Any]) -> NDArray[Any]:
    """Rows less their means (Brock et al. 2021, arXiv 2101.08692): a layer that does not see the mean of its input."""
    return np.asarray(weights - weights.mean(axis=1, keepdims=True))


def gaussian_inputs(count: int, n: int, seed: int) -> NDArray[np.float64]:
    """`count` inputs in R^n with independent standard normal entries, shape (count, n); SeedSequence(seed, (n,))."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,)))
    return rng.standard_normal((count, n))


def equiangular_inputs(
    rng: np.random.Generator, count: int, n: int, cosine: float, dtype: str = "float64"
) -> NDArray[Any]:
    """`count` inputs in R^n of mean square 1 with one cosine between any two, rotated at random; shape (count, n).

    Raises
    ------
    InputError
        More inputs than R^n has room for, or a cosine outside [0, 1).
    """
    if not 0 <= cosine < 1:
        raise InputError(f"cosine is {cosine}; expected a number in [0, 1) between any two inputs")
    shared = cosine > 0
    if count + shared > n:
        raise InputError(
            f"{count} inputs with one cosine {cosine} need at least {count + shared} dimensions, and R^{n} has fewer; "
            "use fewer inputs or a wider network"
        )
    frame = orthogonal(rng, n, count + shared).T[: count + shared]
    inputs = (1 - cosine) ** 0.5 * frame[:count]
    if shared:
        inputs = inputs + cosine**0.5 * frame[count]
    # Columns of the frame have length (n / count)^(1/2).
    inputs *= (count + shared) ** 0.5
    return np.asarray(inputs, dtype=dtype)

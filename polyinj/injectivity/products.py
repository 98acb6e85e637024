"""The two products with the rows that a smooth descent takes: by numpy, without a copy, or by jax on its device."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError

Floats = NDArray[np.float64]
Device = Literal["numpy", "jax"]
# Rows that are made ready for the device at a time.
_ROWS_AT_A_TIME = 1 << 12


class Products(Protocol):
    """Products with the rows, each times a factor."""

    def values(self, x: Floats) -> Floats:
        """One number a row."""

    def force(self, pulls: Floats) -> Floats:
        """The sum of the rows times these numbers."""


class NumpyProducts:
    """In doubles; the rows are not copied."""

    def __init__(self, rows: Floats, factors: Floats) -> None:
        self._rows, self._factors = rows, factors

    def values(self, x: Floats) -> Floats:
        return np.asarray((self._rows @ x) * self._factors)

    def force(self, pulls: Floats) -> Floats:
        return np.asarray((pulls * self._factors) @ self._rows)


class JaxProducts:
    """In single precision, on a GPU where jax finds one, else on the processor."""

    def __init__(self, rows: Floats, factors: Floats) -> None:
        try:
            import jax
        except ImportError:
            raise InputError(
                "device is 'jax', and jax is not installed; try pip install 'polyinj[training]', or device='numpy'"
            ) from None
        parts = [
            jax.device_put((rows[k : k + _ROWS_AT_A_TIME] * factors[k : k + _ROWS_AT_A_TIME, None]).astype(np.float32))
            for k in range(0, len(rows), _ROWS_AT_A_TIME)
        ]
        self._rows = jax.numpy.concatenate(parts)
        # Single precision in full: some devices would take fewer bits.
        self._values = jax.jit(lambda u, x: jax.numpy.matmul(u, x, precision="highest"))
        self._force = jax.jit(lambda u, p: jax.numpy.matmul(p, u, precision="highest"))

    def values(self, x: Floats) -> Floats:
        return np.asarray(self._values(self._rows, x.astype(np.float32)), dtype=np.float64)

    def force(self, pulls: Floats) -> Floats:
        return np.asarray(self._force(self._rows, pulls.astype(np.float32)), dtype=np.float64)


def products(device: Device, rows: Floats, factors: Floats) -> Products:
    """The products of a device; InputError for another name, or where it is not installed."""
    if device not in ("numpy", "jax"):
        raise InputError(f"device is {device!r}; expected 'numpy' or 'jax'")
    return JaxProducts(rows, factors) if device == "jax" else NumpyProducts(rows, factors)

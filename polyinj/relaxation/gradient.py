"""Numbers that carry a gradient: what `bound_layers` computes, differentiated in all weights at once (float64).

Forward differentiation, exact up to rounding: a branch is chosen by the values, so where the bound has a kink or a
jump the gradient is that of the branch taken.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.relaxation.layer_bounds import AffineLayer, Bounds, bound_layers
from polyinj.relaxation.rules import Array, Relaxation


class Dual:
    """A value and its gradient."""

    __slots__ = ("gradient", "value")

    def __init__(self, value: float, gradient: NDArray[np.float64]) -> None:
        self.value = value
        self.gradient = gradient

    def __add__(self, other: Any) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value + other.value, self.gradient + other.gradient)
        return Dual(self.value + float(other), self.gradient)

    __radd__ = __add__

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.gradient)

    def __sub__(self, other: Any) -> Dual:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Dual:
        return self.__neg__().__add__(other)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Dual):
            return Dual(self.value * other.value, self.value * other.gradient + other.value * self.gradient)
        factor = float(other)
        return Dual(self.value * factor, self.gradient * factor) if factor else 0

    __rmul__ = __mul__

    def __truediv__(self, other: Dual) -> Dual:
        value = self.value / other.value
        return Dual(value, (self.gradient - value * other.gradient) / other.value)

    def __abs__(self) -> Dual:
        return -self if self.value < 0 else self

    def __lt__(self, other: Any) -> bool:
        return self.value < _value(other)

    def __le__(self, other: Any) -> bool:
        return self.value <= _value(other)

    def __gt__(self, other: Any) -> bool:
        return self.value > _value(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= _value(other)


def _value(number: Any) -> float:
    return number.value if isinstance(number, Dual) else float(number)


def bound_gradient(
    layers: list[AffineLayer], lower: Array, upper: Array, relaxation: Relaxation
) -> tuple[float, NDArray[np.float64]]:
    """The lower bound of output 0 in float64 (not rounded outward) and its gradient in all weights.

    Parameters
    ----------
    layers : list of AffineLayer
        float64.
    lower, upper : ndarray, shape (n,)
    relaxation : Relaxation

    Returns
    -------
    (value, gradient) : float, ndarray of shape (parameters,)
        Layer by layer, the weights row by row and then the biases.
    """
    size = sum(layer.weights.size + layer.bias.size for layer in layers)
    seeds = iter(np.eye(size))
    seed = np.frompyfunc(lambda entry: Dual(float(entry), next(seeds)), 1, 1)
    marked = [AffineLayer(seed(layer.weights), seed(layer.bias), layer.relu) for layer in layers]
    low, high = (np.array([Fraction(entry) for entry in side], dtype=object) for side in (lower, upper))
    found = bound_layers(marked, Bounds(low, high), relaxation)[-1].lower[0]
    return (found.value, found.gradient) if isinstance(found, Dual) else (float(found), np.zeros(size))

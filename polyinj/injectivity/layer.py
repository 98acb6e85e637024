"""A layer read exactly: weights, bias, domain, and the homogeneous system of inequalities that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import CertificateError, InputError
from polyinj.geometry.exact import (
    IntegerRows,
    digest,
    format_ratio,
    integer_rows,
    read_matrix,
    read_number,
    read_vector,
)

Side = Fraction | None


@dataclass(frozen=True, slots=True)
class Box:
    """The closed box {x : lower_j <= x_j <= upper_j}; it must have interior.

    Parameters
    ----------
    lower, upper : sequences of n numbers
        Finite floats, int and Fraction are read exactly; None or an infinite float stands for no bound on that side.

    Raises
    ------
    InputError
        Different lengths, no entry, NaN, or lower_j >= upper_j.

    Examples
    --------
    >>> Box([0, -1.5], [float("inf"), 1.5])
    Box('[0/1, inf) x [-3/2, 3/2]')
    >>> Box.nonnegative(2).contains([Fraction(0), Fraction(1, 3)])
    True
    """

    lower: tuple[Side, ...]
    upper: tuple[Side, ...]

    def __post_init__(self) -> None:
        lower = tuple(_read_side(side, -np.inf, f"lower[{j}]") for j, side in enumerate(self.lower))
        upper = tuple(_read_side(side, np.inf, f"upper[{j}]") for j, side in enumerate(self.upper))
        if len(lower) != len(upper) or not lower:
            raise InputError(
                f"the box has {len(lower)} lower and {len(upper)} upper sides; expected one of each a column"
            )
        for j, (a, b) in enumerate(zip(lower, upper, strict=True)):
            if a is not None and b is not None and a >= b:
                raise InputError(
                    f"side {j} of the box is [{a}, {b}]; expected lower < upper; "
                    "to fix an input, drop its column and add the column times its value to the bias"
                )
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)

    @classmethod
    def nonnegative(cls, columns: int) -> Self:
        """The orthant {x : x >= 0}, where the output of every hidden ReLU layer lies."""
        return cls((Fraction(0),) * columns, (None,) * columns)

    @property
    def is_cone(self) -> bool:
        """Whether every finite side is 0: then the box contains every nonnegative multiple of its points."""
        return all(not side for side in (*self.lower, *self.upper))

    def contains(self, point: Sequence[Fraction]) -> bool:
        """Whether the point lies in the closed box."""
        return all(
            (a is None or a <= entry) and (b is None or entry <= b)
            for a, entry, b in zip(self.lower, point, self.upper, strict=True)
        )

    def describe(self) -> str:
        """The text that is hashed: `box`, then `lower:upper` of each column, `-inf` and `inf` for no bound."""
        sides = zip(self.lower, self.upper, strict=True)
        return " ".join(["box", *(f"{_text(a, '-inf')}:{_text(b, 'inf')}" for a, b in sides)])

    def __repr__(self) -> str:
        intervals = (
            f"{'(' if a is None else '['}{_text(a, '-inf')}, {_text(b, 'inf')}{')' if b is None else ']'}"
            for a, b in zip(self.lower, self.upper, strict=True)
        )
        return f"Box({' x '.join(intervals)!r})"


def _read_side(side: Any, infinity: float, name: str) -> Side:
    if side is None or (isinstance(side, float) and side == infinity):
        return None
    return read_number(side, name)


def _text(side: Side, infinity: str) -> str:
    return infinity if side is None else format_ratio(side)


@dataclass(frozen=True, slots=True)
class System:
    """Integer rows R (one a neuron) and S (one a facet of the domain): neuron i is active at z iff R_i z >= 0.

    The admissible z are those with S z > 0 and z != 0. `columns` is the number of inputs: the first `columns` entries
    of a row are a positive multiple of its weights, and a further entry, where there is one, of its bias.
    """

    rows: IntegerRows
    sides: IntegerRows
    columns: int

    @property
    def dimension(self) -> int:
        """The length N of z: the number of inputs, or one more."""
        return len(self.rows[0])

    @property
    def spanning_rows(self) -> list[int]:
        """The neurons whose weights are not all zero; the others are constant and span nothing."""
        return [i for i, row in enumerate(self.rows) if any(row[: self.columns])]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The layer x -> ReLU(W x + b) on a domain, as returned by `read_layer`."""

    weights: NDArray[Any]
    bias: NDArray[Any] | None
    domain: Box | None

    def sha256(self) -> str:
        """SHA-256 of the exact values of weights, bias and domain; see `polyinj.geometry.exact.digest`."""
        return digest(self.weights, self.bias, "" if self.domain is None else self.domain.describe())

    @property
    def is_linear(self) -> bool:
        """Whether points are directions: no bias, on all of R^n or on a box that is a cone."""
        return self.bias is None and (self.domain is None or self.domain.is_cone)

    def lifted(self) -> NDArray[Any]:
        """The rows w_i of a linear layer, else (w_i, b_i), shape (m, n + 1); entries as `read_matrix` returns them."""
        if self.is_linear:
            return self.weights
        bias = np.zeros(len(self.weights)) if self.bias is None else self.bias
        lifted = np.column_stack([self.weights, bias])
        if lifted.dtype == object:
            lifted = np.array([[Fraction(entry) for entry in row] for row in lifted.tolist()], dtype=object)
        return lifted

    def sides(self) -> IntegerRows:
        """The side rows of `system`."""
        if self.is_linear:
            return [side[:-1] for side in _facets(self.domain)]
        return [[0] * self.weights.shape[1] + [1], *_facets(self.domain)]

    def system(self) -> System:
        """The inequalities in homogeneous form.

        Without bias, on all of R^n or on a box that is a cone, z is the input itself. Otherwise z = t (x, 1), t > 0:
        S_0 = (0, ..., 0, 1), and the sides of the box follow, column by column, the lower one first.
        """
        return System(integer_rows(self.lifted()), self.sides(), self.weights.shape[1])


def _facets(box: Box | None) -> IntegerRows:
    facets = []
    for j, sides in enumerate([] if box is None else zip(box.lower, box.upper, strict=True)):
        for sign, side in zip((1, -1), sides, strict=True):
            if side is not None:
                facet = [0] * (len(box.lower) + 1 if box is not None else 0)
                facet[j], facet[-1] = sign * side.denominator, -sign * side.numerator
                facets.append(facet)
    return facets


def read_layer(weights: ArrayLike, bias: ArrayLike | None = None, domain: Box | None = None) -> Layer:
    """Read a layer without rounding it.

    Parameters
    ----------
    weights : array_like, shape (m, n)
        One row a neuron; see `polyinj.geometry.exact.read_matrix` for what is read.
    bias : array_like, shape (m,), optional
    domain : Box with n sides, optional
        Where the inputs lie; all of R^n when None.

    Raises
    ------
    InputError
        Unreadable entries, or shapes that do not fit.

    Examples
    --------
    >>> read_layer([[1, 0], [0, 1]], bias=[0, 1], domain=Box.nonnegative(2)).system()
    System(rows=[[1, 0, 0], [0, 1, 1]], sides=[[0, 0, 1], [1, 0, 0], [0, 1, 0]], columns=2)
    """
    matrix = read_matrix(weights)
    rows, columns = matrix.shape
    if domain is not None and (not isinstance(domain, Box) or len(domain.lower) != columns):
        raise InputError(
            f"domain is {domain!r}; expected None or a Box with {columns} sides, one a column of the weights"
        )
    return Layer(matrix, None if bias is None else read_vector(bias, rows), domain)


@dataclass(frozen=True, slots=True)
class LayerName:
    """Which layer a certificate speaks of: its shape, whether it has a bias, its domain, and the hash of them all.

    Raises
    ------
    CertificateError
        Entries that name no layer.
    """

    sha256: str
    rows: int
    columns: int
    biased: bool
    domain: Box | None

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise CertificateError(f"sha256 is {self.sha256[:80]!r}; expected 64 lower-case hexadecimal digits")
        if self.rows < 1 or self.columns < 1:
            raise CertificateError(f"the layer has shape ({self.rows}, {self.columns}); expected one or more of each")
        if self.domain is not None and len(self.domain.lower) != self.columns:
            raise CertificateError(
                f"the domain has {len(self.domain.lower)} sides; the layer has {self.columns} columns"
            )

    @classmethod
    def of(cls, layer: Layer) -> Self:
        """The name of a layer."""
        rows, columns = layer.weights.shape
        return cls(layer.sha256(), rows, columns, layer.bias is not None, layer.domain)

    def match(self, weights: ArrayLike, bias: ArrayLike | None, domain: Box | None) -> Layer:
        """Read the layer on the domain of the certificate; CertificateError when the certificate is for another one."""
        if domain is not None and domain != self.domain:
            raise CertificateError(f"the certificate is for the domain {self.domain}, not {domain}")
        layer = read_layer(weights)
        if layer.weights.shape != (self.rows, self.columns):
            raise CertificateError(
                f"the certificate is for weights of shape ({self.rows}, {self.columns}), not {layer.weights.shape}"
            )
        if (bias is not None) != self.biased:
            raise CertificateError(f"the certificate is for a layer {'with' if self.biased else 'without'} bias")
        layer = read_layer(weights, bias, self.domain)
        if layer.sha256() != self.sha256:
            raise CertificateError("the certificate is for another layer: the SHA-256 of weights and bias differs")
        return layer

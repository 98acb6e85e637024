"""A layer read exactly: weights, bias, domain, and the homogeneous system of inequalities that they make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.domain import Ball, Box, Cover, Domain, describe_domain
from polyinj.errors import CertificateError, InputError, printable
from polyinj.exact.algebra import IntegerRows
from polyinj.exact.arrays import Point, hash_layer, integer_rows, read_matrix, read_vector

_SHA256 = re.compile("[0-9a-f]{64}")


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
    domain: Domain | None

    def sha256(self) -> str:
        """SHA-256 of the exact values of weights, bias and domain; see `polyinj.exact.arrays.hash_layer`."""
        return hash_layer(self.weights, self.bias, "" if self.domain is None else self.domain.describe())

    def former_sha256(self) -> str:
        """The hash that older files of a box without a finite side have; that of R^n has since been the only one."""
        everything = Box((None,) * self.weights.shape[1], (None,) * self.weights.shape[1])
        return hash_layer(self.weights, self.bias, everything.describe()) if self.domain is None else self.sha256()

    @property
    def is_linear(self) -> bool:
        """Whether points are directions: no bias, on R^n, a box that is a cone, or a ball around 0."""
        return self.bias is None and (self.domain is None or self.domain.acts_as_cone)

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
        facets = [] if self.domain is None else self.domain.facets()
        return [side[:-1] for side in facets] if self.is_linear else [[0] * self.weights.shape[1] + [1], *facets]

    def system(self) -> System:
        """The inequalities in homogeneous form.

        Of a linear layer, z is the input itself. Otherwise z = t (x, 1), t > 0: S_0 = (0, ..., 0, 1), and the facets of
        the domain follow. A ball has none: the system is that of R^n, or of the polyhedron of `covered`.
        """
        return System(integer_rows(self.lifted()), self.sides(), self.weights.shape[1])

    def input(self, z: Sequence[Fraction]) -> list[Fraction]:
        """The input that an admissible direction of the homogeneous system stands for."""
        if not self.is_linear:
            return [entry / z[-1] for entry in z[:-1]]
        point = list(z)
        while isinstance(self.domain, Ball) and not self.domain.surrounds(point):
            point = [entry / 2 for entry in point]
        return point

    @property
    def always_allowed_bits(self) -> int:
        """What `largest_bits` is at least, whatever the entries: no row has to be looked at."""
        return 8 * (int(self.weights.shape[1]) + 2) * 64

    def largest_bits(self, system: System) -> int:
        """Bits that a number may have in a certificate about this layer, whose `system` is given: 8 (N + 2) (L + 64).

        L is the number of bits of the longest integer in the rows, the sides and the ball. By Hadamard's inequality
        the solution of N equations among them has at most N (L + log2(N) / 2 + 1), and points and cuts are sums of few.
        """
        ball = (self.domain.radius, *self.domain.centre) if isinstance(self.domain, Ball) else ()
        rows = max(abs(entry) for row in (*system.rows, *system.sides) for entry in row).bit_length()
        return 8 * (system.dimension + 2) * (max(rows, longest_bits(ball)) + 64)

    def covered(self, cuts: Iterable[Point]) -> Layer:
        """The layer on the polyhedron of the cuts, which contains the ball that is the domain.

        Raises
        ------
        InputError
            Cuts of another length, or shorter than the radius; cuts where there is nothing to cut: the domain is no
            ball, or the layer is linear.
        """
        cuts = tuple(cuts)
        if isinstance(self.domain, Ball) and not self.is_linear:
            return replace(self, domain=Cover(self.domain, cuts))
        if cuts:
            raise InputError(
                f"there are {len(cuts)} cuts; only a ball is cut, and none where bias is absent and 0 inside"
            )
        return self


def read_layer(weights: ArrayLike, bias: ArrayLike | None = None, domain: Box | Ball | None = None) -> Layer:
    """Read a layer without rounding it.

    Parameters
    ----------
    weights : array_like, shape (m, n)
        One row a neuron; see `polyinj.exact.arrays.read_matrix` for what is read.
    bias : array_like, shape (m,), optional
    domain : Box or Ball in R^n, optional
        Where the inputs lie; all of R^n when None, or when no side of a box is finite.

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
    return Layer(matrix, None if bias is None else read_vector(bias, rows), read_domain(domain, columns))


def read_domain(domain: Any, columns: int) -> Box | Ball | None:
    """The domain, None for a box without a finite side; InputError where it is none in R^columns."""
    if domain is not None and (not isinstance(domain, Box | Ball) or domain.columns != columns):
        raise InputError(
            f"domain is {printable(domain)}; expected None, or a Box or Ball of dimension {columns}, one a column of "
            "the weights"
        )
    return None if isinstance(domain, Box) and domain.is_everything else domain


def longest_bits(numbers: Iterable[Fraction]) -> int:
    """The bits of the longest numerator or denominator; 0 for no numbers."""
    return max((max(x.numerator.bit_length(), x.denominator.bit_length()) for x in numbers), default=0)


class AnotherDomain(CertificateError):
    """A certificate is about another domain than the one that it was asked to be about.

    Attributes
    ----------
    domain : Box, Ball or None
        What it is about.
    fault : str
        Both in words.
    """

    def __init__(self, domain: Box | Ball | None, place: str, asked: str) -> None:
        self.domain = domain
        self.fault = f"the certificate is about {place}, not about {asked}"
        super().__init__(f"{self.fault}; if that is meant, pass domain=")


@dataclass(frozen=True, slots=True)
class LayerName:
    """Which layer a certificate speaks of: its shape, whether it has a bias, its domain, and the hash of them all.

    A box without a finite side is R^n, and its domain is None.

    Raises
    ------
    CertificateError
        Entries that name no layer.
    """

    sha256: str
    rows: int
    columns: int
    biased: bool
    domain: Box | Ball | None

    def __post_init__(self) -> None:
        if _SHA256.fullmatch(self.sha256) is None:
            raise CertificateError(f"sha256 is {printable(self.sha256)!r}; expected 64 lower-case hexadecimal digits")
        if self.rows < 1 or self.columns < 1:
            raise CertificateError(f"the layer has shape {self._shape}; expected one or more of each")
        if self.domain is not None and self.domain.columns != self.columns:
            raise CertificateError(
                f"the domain has dimension {self.domain.columns}; the layer has {printable(self.columns)} columns"
            )
        object.__setattr__(self, "domain", read_domain(self.domain, self.columns))

    @classmethod
    def of(cls, layer: Layer) -> Self:
        """The name of a layer; a cover goes by the name of its ball."""
        rows, columns = layer.weights.shape
        domain = layer.domain.ball if isinstance(layer.domain, Cover) else layer.domain
        return cls(layer.sha256(), rows, columns, layer.bias is not None, domain)

    @property
    def _shape(self) -> str:
        return f"({printable(self.rows)}, {printable(self.columns)})"

    @property
    def function(self) -> str:
        """The function and its shape in words, with its bias or without."""
        return f"the layer x -> ReLU(Wx{' + b' if self.biased else ''}), {self.rows} rows, {self.columns} columns,"

    @property
    def place(self) -> str:
        """The domain in words."""
        return describe_domain(self.domain, self.columns)

    def match(self, weights: ArrayLike, bias: ArrayLike | None, domain: Domain | None) -> Layer:
        """Read the layer on a domain, R^n when None; CertificateError when the certificate is about another one."""
        layer = read_layer(weights)
        if layer.weights.shape != (self.rows, self.columns):
            raise CertificateError(f"the certificate is for weights of shape {self._shape}, not {layer.weights.shape}")
        asked = read_domain(domain.ball if isinstance(domain, Cover) else domain, self.columns)
        if asked != self.domain:
            raise AnotherDomain(self.domain, self.place, describe_domain(asked, self.columns))
        if (bias is not None) != self.biased:
            raise CertificateError(
                f"the certificate is for a layer {'with' if self.biased else 'without'} bias, and "
                f"{'none' if bias is None else 'one'} is given"
            )
        shift = None if bias is None else read_vector(bias, self.rows)
        layer = replace(layer, bias=shift, domain=self.domain)
        if self.sha256 != layer.sha256() and self.sha256 != layer.former_sha256():
            raise CertificateError("the certificate is for another layer: the SHA-256 of weights and bias differs")
        return layer

"""A ReLU network read exactly: x -> ReLU(W_L ReLU(... ReLU(W_1 x + b_1) ...) + b_L), and its name in certificates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Any, Self

import numpy as np
from flint import fmpz
from numpy.typing import ArrayLike, NDArray

from polyinj.certificates.domain import Ball, Box, Cover, Domain, describe_domain
from polyinj.certificates.json_format import domain_document
from polyinj.certificates.layer import AnotherDomain, read_domain
from polyinj.errors import CertificateError, InputError
from polyinj.exact.algebra import IntegerRows, coprime, product
from polyinj.exact.arrays import Point, hash_layer, read_matrix, read_vector

Biases = Sequence[ArrayLike | None]

# Bits of one point of a collision, its entries written with one denominator: 8 MiB.
LARGEST_POINT = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class ReluChain:
    """Weights and biases as read by `polyinj.exact.arrays`, and where the inputs lie; made by `read_chain`."""

    weights: tuple[NDArray[Any], ...]
    biases: tuple[NDArray[Any] | None, ...]
    domain: Domain | None = None

    @property
    def depth(self) -> int:
        """L, the number of layers."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """n, then the number of neurons of each layer."""
        return (int(self.weights[0].shape[1]), *(int(weights.shape[0]) for weights in self.weights))

    @property
    def is_linear(self) -> bool:
        """Whether f(t x) = t f(x) for t > 0, on all multiples of the domain: no bias, or zeros only."""
        unbiased = all(bias is None or not bias.any() for bias in self.biases)
        return unbiased and (self.domain is None or self.domain.acts_as_cone)

    @property
    def dimension(self) -> int:
        """N, the dimension of the homogeneous inputs: n, or n + 1 where the network is not linear."""
        return self.widths[0] + (not self.is_linear)

    def homogeneous_layers(self, count: int | None = None) -> list[IntegerRows]:
        """Integer matrices whose ReLU network on R^N is a positive multiple of this one, or the first `count` of them.

        Of a linear one they are positive multiples of the W_k, and N = n. Else N = n + 1, they are multiples of
        [[W_k, b_k], [0, 1]], and the input x stands for the ray of (x, 1): the last neuron of each layer hands t on.
        """
        return [
            _homogeneous(weights, bias, self.is_linear)
            for weights, bias in zip(self.weights[:count], self.biases[:count], strict=True)
        ]

    def sides(self) -> IntegerRows:
        """Rows a with a.z > 0 for the z that stand for interior points of the domain: different, none is t > 0.

        A ball has none until it is `covered`; nor has one on all of whose multiples the network is decided.
        """
        facets = [] if self.domain is None else self.domain.facets()
        rows = (coprime(facet[:-1] if self.is_linear else facet) for facet in facets)
        return [list(row) for row in dict.fromkeys(map(tuple, rows))]

    def covered(self, cuts: Sequence[Point]) -> ReluChain:
        """The network on the polyhedron of the cuts, which contains the ball that is its domain.

        Raises
        ------
        InputError
            Cuts of another length or shorter than the radius, or where there is no ball to cover.
        """
        if isinstance(self.domain, Ball) and not self.is_linear:
            return replace(self, domain=Cover(self.domain, tuple(cuts)))
        if cuts:
            raise InputError(
                f"there are {len(cuts)} cuts; only a ball is cut, and none where bias is absent and 0 inside"
            )
        return self

    def contains(self, point: Sequence[Fraction]) -> bool:
        """Whether an input lies in the domain."""
        return self.domain is None or self.domain.contains(point)

    def head(self, layers: int) -> ReluChain:
        """The first layers alone."""
        return ReluChain(self.weights[:layers], self.biases[:layers], self.domain)

    def sha256(self) -> str:
        """SHA-256 of the hashes of the layers (`hash_layer` of weights and bias, as hex digits), joined by newlines.

        A domain adds two lines: `domain`, and its `describe`.
        """
        lines = [hash_layer(weights, bias) for weights, bias in zip(self.weights, self.biases, strict=True)]
        if self.domain is not None:
            lines += ["domain", self.domain.describe()]
        return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()


Weights = Sequence[ArrayLike] | ReluChain


def _homogeneous(weights: NDArray[Any], bias: NDArray[Any] | None, linear: bool) -> IntegerRows:
    rows = [[entry.as_integer_ratio() for entry in row] for row in weights.tolist()]
    if not linear:
        shifts = [0] * len(rows) if bias is None else bias.tolist()
        for row, shift in zip(rows, shifts, strict=True):
            row.append(shift.as_integer_ratio())
        rows.append([(0, 1)] * weights.shape[1] + [(1, 1)])
    scale = lcm(*{q for row in rows for _, q in row})
    return [[p * (scale // q) for p, q in row] for row in rows]


def read_chain(weights: Weights, biases: Biases | None = None, domain: Box | Ball | None = None) -> ReluChain:
    """Read a network without rounding it.

    Parameters
    ----------
    weights : sequence of L >= 1 array_like, shapes (m_1, n), (m_2, m_1), ..., (m_L, m_(L-1))
        Rows are neurons; see `polyinj.exact.arrays.read_matrix` for what is read. Or a ReluChain, which is returned as
        it is, without biases beside it, but on the domain if one is given.
    biases : sequence of L array_like, shapes (m_k,), or None
        None, for all layers or for some, is no bias.
    domain : Box or Ball in R^n, optional
        Where the inputs lie; all of R^n when None, or when no side of a box is finite.

    Raises
    ------
    InputError
        Unreadable entries, or shapes that do not fit.

    Examples
    --------
    >>> read_chain([[[1, 0], [0, 1]], [[1, -1]]]).widths
    (2, 2, 1)
    """
    if isinstance(weights, ReluChain):
        if biases is not None:
            raise InputError("weights is a network with its biases; expected no other biases")
        return weights if domain is None else replace(weights, domain=read_domain(domain, weights.widths[0]))
    if isinstance(weights, np.ndarray) and weights.ndim < 3:
        raise InputError(f"weights is one array of shape {weights.shape}; expected a list of matrices, one a layer")
    for name, given in (("weights", weights), ("biases", biases)):
        if not (isinstance(given, (Sequence, np.ndarray)) or (name == "biases" and given is None)):
            raise InputError(f"{name} is a {type(given).__name__}; expected a list with an array for each layer")
    matrices = [read_matrix(matrix, f"weights[{k}]") for k, matrix in enumerate(weights)]
    if not matrices:
        raise InputError("weights is empty; expected a list of matrices, one a layer")
    for k, (before, after) in enumerate(pairwise(matrices), start=1):
        if after.shape[1] != before.shape[0]:
            raise InputError(
                f"weights[{k}] has shape {after.shape}; expected {before.shape[0]} columns, as rows in weights[{k - 1}]"
            )
    shifts = [None] * len(matrices) if biases is None else list(biases)
    if len(shifts) != len(matrices):
        raise InputError(
            f"biases has {len(shifts)} entries; expected {len(matrices)}, one a layer, each a vector or None"
        )
    vectors = [
        None if bias is None else read_vector(bias, len(matrix), f"biases[{k}]")
        for k, (bias, matrix) in enumerate(zip(shifts, matrices, strict=True))
    ]
    return ReluChain(tuple(matrices), tuple(vectors), read_domain(domain, matrices[0].shape[1]))


@dataclass(frozen=True, slots=True)
class NetworkName:
    """Which network a certificate speaks of: its widths, which layers have a bias, its domain, the hash of them all.

    Raises
    ------
    CertificateError
        Entries that name no network.
    """

    sha256: str
    widths: tuple[int, ...]
    biased: tuple[bool, ...]
    domain: Box | Ball | None = None

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise CertificateError(f"sha256 is {self.sha256[:80]!r}; expected 64 lower-case hexadecimal digits")
        if len(self.widths) < 2 or min(self.widths) < 1 or len(self.biased) != len(self.widths) - 1:
            raise CertificateError(
                f"the network has widths {brief(self.widths)} and biases {brief(self.biased)}; expected positive "
                "widths, the inputs first, and true or false for each layer"
            )
        if self.domain is not None and self.domain.columns != self.widths[0]:
            raise CertificateError(
                f"the domain has dimension {self.domain.columns}; the network has {brief(self.widths[:1])} inputs"
            )
        object.__setattr__(self, "domain", read_domain(self.domain, self.widths[0]))

    @classmethod
    def of(cls, network: ReluChain) -> Self:
        """The name of a network; a cover goes by the name of its ball."""
        domain = network.domain.ball if isinstance(network.domain, Cover) else network.domain
        return cls(network.sha256(), network.widths, tuple(bias is not None for bias in network.biases), domain)

    def document(self) -> dict[str, object]:
        """The fields of a file that name the network; `domain` only where there is one."""
        fields: dict[str, object] = {"sha256": self.sha256, "widths": self.widths, "biased": self.biased}
        return fields if self.domain is None else fields | {"domain": domain_document(self.domain)}

    @property
    def place(self) -> str:
        """The domain in words."""
        return describe_domain(self.domain, self.widths[0])

    def match(self, weights: Weights, biases: Biases | None, domain: Box | Ball | None = None) -> ReluChain:
        """Read the network, on a domain; CertificateError when the certificate is for another one."""
        network = read_chain(weights, biases, domain)
        if network.widths != self.widths:
            raise CertificateError(
                f"the certificate is for a network of widths {brief(self.widths)}, not {brief(network.widths)}"
            )
        if tuple(bias is not None for bias in network.biases) != self.biased:
            raise CertificateError(f"the certificate is for a network with biases in the layers {brief(self.biased)}")
        asked = network.domain.ball if isinstance(network.domain, Cover) else network.domain
        if asked != self.domain:
            raise AnotherDomain(self.domain, self.place, describe_domain(asked, self.widths[0]))
        if network.sha256() != self.sha256:
            raise CertificateError("the certificate is for another network: the SHA-256 of weights and biases differs")
        return network


def brief(values: Sequence[int]) -> str:
    """A list of integers from a file in few characters."""
    shown = [str(value) if value.bit_length() <= 64 else "..." for value in values[:8]]
    return f"({', '.join(shown)}{', ...' if len(values) > 8 else ''})"


def homogeneous_images(
    network: ReluChain,
    points: Sequence[Sequence[Fraction]],
    layers: int,
    check_time: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """The images of points behind the first `layers` layers, all times one positive number; `check_time` may raise."""
    scale = _common_denominator(points)
    images = []
    rows = network.homogeneous_layers(layers)
    for point in points:
        image = [entry.numerator * (scale // entry.denominator) for entry in point] + [scale] * (not network.is_linear)
        for matrix in rows:
            values = []
            for row in matrix:
                check_time()
                values.append(max(product([row], image)[0], 0))
            image = values
        images.append(image)
    return images


def _common_denominator(points: Sequence[Sequence[Fraction]]) -> int:
    """Of all entries; CertificateError where entries with it would take too much memory."""
    scale = fmpz(1)
    for point in points:
        for entry in point:
            scale = scale.lcm(fmpz(entry.denominator))
            if scale.bit_length() * len(point) > LARGEST_POINT:
                raise CertificateError(
                    f"with one denominator for all entries a point takes more than the {LARGEST_POINT} bits allowed"
                )
    return int(scale)

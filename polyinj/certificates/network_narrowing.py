"""A layer of a network that cannot tell the inputs apart, since too few of its neurons can be active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from typing import Any, Self

import numpy as np

from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.json_format import NETWORK_NARROWING, ratios, write_document
from polyinj.certificates.layer import Layer
from polyinj.certificates.network_sizes import check_bits
from polyinj.certificates.relu_chain import Biases, NetworkName, ReluChain, Weights, homogeneous_images
from polyinj.certificates.signs import row_signs
from polyinj.errors import CertificateError
from polyinj.exact.algebra import rank
from polyinj.exact.arrays import Point, integer_rows, read_number

# Of numerators and denominators of the point.
_POINT_BITS = 1 << 16


@dataclass(frozen=True, slots=True)
class NetworkNarrowing:
    """A layer whose rows that can be active have a rank below the number n of inputs: the network is not injective.

    On a linear region of the network near the point, or anywhere, its map has a rank below n, and so a kernel: no two
    points need be given.

    Attributes
    ----------
    layer : int
        1-based.
    point : tuple of n Fractions, or None
        In the interior of the domain: of the layer the rows with value >= 0 there count. None: all rows count.
    network : NetworkName

    Examples
    --------
    >>> from polyinj.certificates.relu_chain import read_chain
    >>> weights = [[[1, 0], [0, 1], [-1, -1]], [[1, 2, 3]]]
    >>> NetworkNarrowing.of(read_chain(weights), 2).verify(weights)
    """

    layer: int
    point: Point | None
    network: NetworkName

    def __post_init__(self) -> None:
        if not 1 <= self.layer < len(self.network.widths):
            raise CertificateError(f"the layer is {self.layer}; the network has {len(self.network.widths) - 1}")
        if self.point is None:
            return
        point = tuple(read_number(entry, f"point[{j}]") for j, entry in enumerate(self.point))
        object.__setattr__(self, "point", point)
        if len(point) != self.network.widths[0]:
            raise CertificateError(
                f"the point has {len(point)} entries; expected {self.network.widths[0]}, one an input"
            )

    @classmethod
    def of(cls, network: ReluChain, layer: int, point: Sequence[Any] | None = None) -> Self:
        """A narrowing of a network read by `polyinj.certificates.relu_chain.read_chain`; not verified here."""
        return cls(layer, None if point is None else tuple(point), NetworkName.of(network))

    def verify(
        self,
        weights: Weights,
        biases: Biases | None = None,
        *,
        domain: Box | Ball | None = None,
        time_limit: float | None = None,
    ) -> None:
        """Check that fewer than n rows count, or that their rank is below n.

        Raises
        ------
        CertificateError
            Rank n, a point that is not in the interior of the domain, another network, or the time ran out.
        InputError
            Unreadable weights or biases, a time limit that is not positive.
        """
        clock = Clock(time_limit)
        network = self.network.match(weights, biases, domain)
        matrix = network.weights[self.layer - 1]
        rows = range(len(matrix)) if self.point is None else self._active(network, self.point, clock)
        n = network.widths[0]
        if len(rows) < n or matrix.shape[1] < n:
            return
        clock.check()
        if (found := rank(integer_rows(matrix[list(rows)]))) >= n:
            which = f"the {len(rows)} rows of layer {self.layer}{'' if self.point is None else ' active at the point'}"
            raise CertificateError(f"{which} have rank {found}; expected less than {n}, the inputs")

    def _active(self, network: ReluChain, point: Sequence[Fraction], clock: Clock) -> list[int]:
        """The rows of the layer with value >= 0."""
        check_bits((max(*entry.as_integer_ratio(), key=abs) for entry in point), _POINT_BITS, "the point")
        if network.domain is not None and not network.domain.surrounds(point):
            raise CertificateError(f"the point is not in the interior of the domain, {self.network.place}")
        (image,) = homogeneous_images(network, [point], self.layer - 1, clock.check)
        bias = None if network.is_linear else network.biases[self.layer - 1]
        # With t = 1; without biases any positive multiple will do.
        place = image if network.is_linear else [Fraction(entry, image[-1]) for entry in image[:-1]]
        signs = row_signs(Layer(network.weights[self.layer - 1], bias, None), place, clock)
        active: list[int] = np.flatnonzero(signs >= 0).tolist()
        return active

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        fields = {"layer": self.layer, "point": None if self.point is None else ratios(self.point)}
        write_document(path, NETWORK_NARROWING, self.network.document() | fields)

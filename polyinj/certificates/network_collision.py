"""Two inputs of a network with one image: the proof that it is not injective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from typing import Any, Self

import numpy as np

from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.json_format import NETWORK_COLLISION, ratios, write_document
from polyinj.certificates.layer_collision import FloatCollision
from polyinj.certificates.relu_chain import Biases, NetworkName, ReluChain, Weights, homogeneous_images
from polyinj.errors import CertificateError
from polyinj.exact.arrays import read_number


@dataclass(frozen=True, slots=True)
class NetworkCollision:
    """Two points that a network maps to the same image, in rationals: the proof that it is not injective.

    Attributes
    ----------
    x, y : tuples of n Fractions
    layer : int
        1-based: behind this layer the two images agree, and before it they differ.
    network : NetworkName

    Examples
    --------
    >>> from polyinj.certificates.relu_chain import read_chain
    >>> weights = [[[1], [-1]], [[1, 1]]]
    >>> collision = NetworkCollision.of(read_chain(weights), [1], [-1], 2)
    >>> collision.verify(weights)
    """

    x: tuple[Fraction, ...]
    y: tuple[Fraction, ...]
    layer: int
    network: NetworkName

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            point = tuple(read_number(entry, f"{name}[{j}]") for j, entry in enumerate(getattr(self, name)))
            object.__setattr__(self, name, point)
            if len(point) != self.network.widths[0]:
                raise CertificateError(
                    f"{name} has {len(point)} entries; expected {self.network.widths[0]}, one an input"
                )
        if not 1 <= self.layer < len(self.network.widths):
            raise CertificateError(f"the layer is {self.layer}; the network has {len(self.network.widths) - 1}")

    @classmethod
    def of(cls, network: ReluChain, x: Sequence[Any], y: Sequence[Any], layer: int) -> Self:
        """A collision of a network read by `polyinj.certificates.relu_chain.read_chain`; not verified here."""
        return cls(tuple(x), tuple(y), layer, NetworkName.of(network))

    @classmethod
    def first(cls, network: ReluChain, x: Sequence[Any], y: Sequence[Any]) -> Self:
        """The same, with the first layer behind which x and y have one image; CertificateError if there is none."""
        for layer in range(1, network.depth + 1):
            of_x, of_y = homogeneous_images(network, [tuple(x), tuple(y)], layer)
            if of_x == of_y:
                return cls.of(network, x, y, layer)
        raise CertificateError("x and y have different outputs")

    def verify(
        self,
        weights: Weights,
        biases: Biases | None = None,
        *,
        domain: Box | Ball | None = None,
        time_limit: float | None = None,
    ) -> None:
        """Check in rationals that x != y of the domain merge in `layer`: the same image behind it, and not before.

        `domain` and `time_limit` as in `NetworkProof.verify`.

        Raises
        ------
        CertificateError
            The points do not collide there, or the certificate is for another network, or the time ran out.
        InputError
            Unreadable weights or biases, a time limit that is not positive.
        """
        clock = Clock(time_limit)
        network = self.network.match(weights, biases, domain)
        if self.x == self.y:
            raise CertificateError("x and y are the same point")
        for name, point in (("x", self.x), ("y", self.y)):
            if not network.contains(point):
                raise CertificateError(f"{name} lies outside the domain, {self.network.place}")
        before = homogeneous_images(network, [self.x, self.y], self.layer - 1, clock.check)
        if before[0] == before[1]:
            raise CertificateError(f"the images of x and y agree before layer {self.layer}")
        images = homogeneous_images(network, [self.x, self.y], self.layer, clock.check)
        for i, (of_x, of_y) in enumerate(zip(*images, strict=True)):
            if of_x != of_y:
                raise CertificateError(f"the images of x and y differ behind layer {self.layer} in row {i}")

    def as_float64(
        self, weights: Weights, biases: Biases | None = None, *, domain: Box | Ball | None = None
    ) -> FloatCollision:
        """The collision as float64 code sees it: nearest doubles, their distance, the difference of their images."""
        network = self.network.match(weights, biases, domain)
        x, y = (np.array(point, dtype=np.float64) for point in (self.x, self.y))
        images = [x, y]
        for matrix, bias in zip(network.weights, network.biases, strict=True):
            shift = 0.0 if bias is None else bias.astype(np.float64)
            images = [np.maximum(matrix.astype(np.float64) @ image + shift, 0.0) for image in images]
        return FloatCollision(x, y, float(np.linalg.norm(x - y)), float(np.abs(images[0] - images[1]).max()))

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        fields = {"layer": self.layer, "x": ratios(self.x), "y": ratios(self.y)}
        write_document(path, NETWORK_COLLISION, self.network.document() | fields)

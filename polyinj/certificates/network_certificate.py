"""Certificates of a verdict on a network: a `NetworkCollision`, or a `NetworkProof`. Checked without the finder.

The files that they save are specified in docs/network-certificate.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from os import PathLike
from typing import Any, Self

import numpy as np

from polyinj.certificates.clock import Clock
from polyinj.certificates.json_format import (
    NETWORK_COLLISION,
    NETWORK_PROOF,
    Fields,
    format_integer,
    ratios,
    read_document,
    write_document,
)
from polyinj.certificates.layer_collision import FloatCollision
from polyinj.certificates.network_sizes import check_lengths
from polyinj.certificates.part_check import Separation
from polyinj.certificates.region_check import check_proof
from polyinj.certificates.relu_chain import Biases, NetworkName, ReluChain, Weights, homogeneous_images
from polyinj.errors import CertificateError
from polyinj.exact.arrays import read_number

_SHORT = re.compile(r"0|-?[1-9][0-9]{0,999}", re.ASCII)


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

    def verify(self, weights: Weights, biases: Biases | None = None, *, time_limit: float | None = None) -> None:
        """Check in rationals that x != y merge in `layer`: the same image behind it, and not before.

        `time_limit`: seconds, as in `NetworkProof.verify`.

        Raises
        ------
        CertificateError
            The points do not collide there, or the certificate is for another network, or the time ran out.
        InputError
            Unreadable weights or biases, a time limit that is not positive.
        """
        clock = Clock(time_limit)
        network = self.network.match(weights, biases)
        if self.x == self.y:
            raise CertificateError("x and y are the same point")
        before = homogeneous_images(network, [self.x, self.y], self.layer - 1, clock.check)
        if before[0] == before[1]:
            raise CertificateError(f"the images of x and y agree before layer {self.layer}")
        images = homogeneous_images(network, [self.x, self.y], self.layer, clock.check)
        for i, (of_x, of_y) in enumerate(zip(*images, strict=True)):
            if of_x != of_y:
                raise CertificateError(f"the images of x and y differ behind layer {self.layer} in row {i}")

    def as_float64(self, weights: Weights, biases: Biases | None = None) -> FloatCollision:
        """The collision as float64 code sees it: nearest doubles, their distance, the difference of their images."""
        network = self.network.match(weights, biases)
        x, y = (np.array(point, dtype=np.float64) for point in (self.x, self.y))
        images = [x, y]
        for matrix, bias in zip(network.weights, network.biases, strict=True):
            shift = 0.0 if bias is None else bias.astype(np.float64)
            images = [np.maximum(matrix.astype(np.float64) @ image + shift, 0.0) for image in images]
        return FloatCollision(x, y, float(np.linalg.norm(x - y)), float(np.abs(images[0] - images[1]).max()))

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        fields = {"layer": self.layer, "x": ratios(self.x), "y": ratios(self.y)}
        write_document(path, NETWORK_COLLISION, _describe(self.network) | fields)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkProof:
    """A proof that a network is injective: its linear regions, and why no two points of them have one image.

    Attributes
    ----------
    network : NetworkName
    points : tuple of tuples of N integers
        An interior point of each region, in the coordinates of `ReluChain.homogeneous_layers`.
    facets : tuple of tuples of (layer, neuron, region)
        For each region, neurons that bound it, layers from 1, with the region beyond.
    separations : tuple of Separation
        For pairs of parts that ranks do not settle.

    Raises
    ------
    CertificateError
        Parts that do not fit together.
    """

    network: NetworkName
    points: tuple[tuple[int, ...], ...]
    facets: tuple[tuple[tuple[int, int, int], ...], ...]
    separations: tuple[Separation, ...]

    def __post_init__(self) -> None:
        if not self.points or len(self.points) != len(self.facets):
            raise CertificateError(f"{len(self.points)} regions have {len(self.facets)} lists of facets")

    def __repr__(self) -> str:
        layers = len(self.network.widths) - 1
        return (
            f"NetworkProof({len(self.points)} linear regions of {layers} layers, {len(self.separations)} separations; "
            f"{self.network})"
        )

    def verify(self, weights: Weights, biases: Biases | None = None, *, time_limit: float | None = None) -> None:
        """Check in exact arithmetic that the regions are those of the network and that no two points share an image.

        Parameters
        ----------
        weights, biases
            See `polyinj.certificates.relu_chain.read_chain`.
        time_limit : float, optional
            Seconds after which the check ends with a CertificateError.

        Raises
        ------
        CertificateError
            The proof has a fault or is for another network, or the time ran out.
        InputError
            Unreadable weights or biases, a time limit that is not positive.
        """
        clock = Clock(time_limit)
        check_proof(self.network.match(weights, biases), self.points, self.facets, self.separations, clock)

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        proof = {
            "points": [list(map(format_integer, point)) for point in self.points],
            "facets": [[entry for facet in facets for entry in facet] for facets in self.facets],
            "separations": [_as_json(pair) for pair in self.separations],
        }
        write_document(path, NETWORK_PROOF, _describe(self.network) | proof)


def load_network_certificate(path: str | PathLike[str]) -> NetworkCollision | NetworkProof:
    """Read a certificate of either kind.

    Parameters
    ----------
    path : path-like
        A .json or .json.gz file written by `NetworkCollision.save` or `NetworkProof.save`.

    Raises
    ------
    CertificateError
        The file is malformed; the message names the field.
    OSError
        The file cannot be read.
    """
    return _build(*_open(path))


def verify_network_certificate(
    path: str | PathLike[str],
    weights: Weights,
    biases: Biases | None = None,
    *,
    time_limit: float | None = None,
) -> NetworkCollision | NetworkProof:
    """Read a certificate and verify it. Another network is refused before the rest of the file is read.

    Parameters
    ----------
    path : path-like
        As in `load_network_certificate`.
    weights, biases
        See `polyinj.certificates.relu_chain.read_chain`.
    time_limit : float, optional
        Seconds for the check.

    Raises
    ------
    CertificateError
        The file is malformed, wrong, or for another network, or the time ran out.
    InputError
        Unreadable weights or biases, a time limit that is not positive.
    OSError
        The file cannot be read.
    """
    fields, name = _open(path)
    network = name.match(weights, biases)
    _refuse_lengths(fields, network)
    certificate = _build(fields, name)
    certificate.verify(network, time_limit=time_limit)
    return certificate


def _open(path: str | PathLike[str]) -> tuple[Fields, NetworkName]:
    """The fields of a file, and the network that it speaks of."""
    fields = read_document(path)
    if fields.kind not in (NETWORK_COLLISION, NETWORK_PROOF):
        raise CertificateError(f"{path} is a {fields.kind}, of one layer; load_certificate reads it")
    return fields, NetworkName(fields.text("sha256"), tuple(fields.integers("widths")), tuple(fields.flags("biased")))


def _build(fields: Fields, name: NetworkName) -> NetworkCollision | NetworkProof:
    certificate: NetworkCollision | NetworkProof
    if fields.kind == NETWORK_COLLISION:
        certificate = NetworkCollision(fields.point("x"), fields.point("y"), fields.integer("layer"), name)
    else:
        certificate = NetworkProof(
            name,
            tuple(_digit_lists(fields, "points")),
            tuple(_triples(entries, fields) for entries in fields.lists("facets")),
            tuple(map(_separation, fields.documents("separations"))),
        )
    fields.finish()
    return certificate


def _refuse_lengths(fields: Fields, network: ReluChain) -> None:
    """`check_lengths` on what the file holds, before anything is made of it; what is no list is refused later."""
    points, facets, separations = (fields.document.get(key) for key in ("points", "facets", "separations"))
    pairs = [pair for pair in _lists(separations, dict) if isinstance(pair, dict)]
    longest = [
        max(len(_lists(pair.get("row"), str)), *(len(part) - 1 for part in _lists(pair.get("parts"), list)), 0, 0)
        for pair in pairs
    ]
    counts = [-(-len(bounds) // 3) for bounds in _lists(facets, list)]
    check_lengths(network, list(map(len, _lists(points, list))), counts, longest)


def _lists(value: object, kind: type) -> list[Any]:
    """The entries of one kind, of a value that may be no list."""
    return [entry for entry in value if isinstance(entry, kind)] if isinstance(value, list) else []


def _digit_lists(fields: Fields, key: str) -> list[tuple[int, ...]]:
    """Lists of integers in decimal: short ones, the usual case, fast."""
    value = fields.document.get(key)
    if isinstance(value, list) and set(map(type, value)) == {list}:
        entries = list(chain.from_iterable(value))
        if set(map(type, entries)) <= {str} and all(map(_SHORT.fullmatch, entries)):
            del fields.document[key]
            return [tuple(map(int, part)) for part in value]
    return fields.digit_lists(key)


def _triples(entries: list[int], fields: Fields) -> tuple[tuple[int, int, int], ...]:
    if len(entries) % 3:
        raise CertificateError(f"{fields.path}: facets has a list of {len(entries)} integers; expected three a facet")
    return tuple(zip(entries[::3], entries[1::3], entries[2::3], strict=True))


def _separation(fields: Fields) -> Separation:
    parts = fields.lists("parts")
    if len(parts) != 2 or not all(parts):
        raise CertificateError(f"{fields.path}: parts has {len(parts)} lists; expected two, a region first in each")
    first, second = ((part[0], tuple(part[1:])) for part in parts)
    separation = Separation((first, second), fields.digits("row"))
    fields.finish()
    return separation


def _as_json(pair: Separation) -> dict[str, object]:
    return {"parts": [[region, *forced] for region, forced in pair.parts], "row": list(map(format_integer, pair.row))}


def _describe(network: NetworkName) -> dict[str, object]:
    return {"sha256": network.sha256, "widths": network.widths, "biased": network.biased}

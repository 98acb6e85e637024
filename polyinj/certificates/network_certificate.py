"""Certificates of a verdict on a network: `NetworkCollision`, `NetworkNarrowing` or `NetworkProof`, and their checker.

The files that they save are specified in docs/network-certificate.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from typing import Any

from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.json_format import (
    NETWORK_COLLISION,
    NETWORK_NARROWING,
    NETWORK_PROOF,
    Fields,
    format_integer,
    ratios,
    read_document,
    write_document,
)
from polyinj.certificates.network_collision import NetworkCollision
from polyinj.certificates.network_narrowing import NetworkNarrowing
from polyinj.certificates.network_sizes import check_lengths, check_point
from polyinj.certificates.part_check import Separation
from polyinj.certificates.region_check import check_proof
from polyinj.certificates.relu_chain import Biases, NetworkName, ReluChain, Weights
from polyinj.errors import CertificateError, InputError
from polyinj.exact.arrays import Point

_SHORT = re.compile(r"0|-?[1-9][0-9]{0,999}", re.ASCII)


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
    cuts : tuple of tuples of n Fractions
        Of a ball: the regions are those of {x : d.(x - centre) <= d.d for every cut d}, which contains it.

    Raises
    ------
    CertificateError
        Parts that do not fit together.
    """

    network: NetworkName
    points: tuple[tuple[int, ...], ...]
    facets: tuple[tuple[tuple[int, int, int], ...], ...]
    separations: tuple[Separation, ...]
    cuts: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        if not self.points or len(self.points) != len(self.facets):
            raise CertificateError(f"{len(self.points)} regions have {len(self.facets)} lists of facets")
        if self.cuts and not isinstance(self.network.domain, Ball):
            raise CertificateError(f"there are {len(self.cuts)} cuts and the domain is {self.network.place}, no ball")

    def __repr__(self) -> str:
        layers = len(self.network.widths) - 1
        return (
            f"NetworkProof({len(self.points)} linear regions of {layers} layers, {len(self.separations)} separations; "
            f"{self.network})"
        )

    def verify(
        self,
        weights: Weights,
        biases: Biases | None = None,
        *,
        domain: Box | Ball | None = None,
        time_limit: float | None = None,
    ) -> None:
        """Check in exact arithmetic that the regions are those of the network and that no two points share an image.

        Parameters
        ----------
        weights, biases
            See `polyinj.certificates.relu_chain.read_chain`.
        domain : Box or Ball, optional
            Where the inputs lie: a proof about another domain, R^n when None, is refused.
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
        network = self.network.match(weights, biases, domain)
        for k, cut in enumerate(self.cuts):
            check_point(network, cut, f"cut {k}")
        try:
            network = network.covered(self.cuts)
        except InputError as error:
            raise CertificateError(str(error)) from None
        check_proof(network, self.points, self.facets, self.separations, clock)

    def save(self, path: str | PathLike[str]) -> None:
        """Write JSON, compressed when the name ends in .gz; the file appears whole or not at all."""
        proof: dict[str, object] = {
            "points": [list(map(format_integer, point)) for point in self.points],
            "facets": [[entry for facet in facets for entry in facet] for facets in self.facets],
            "separations": [_as_json(pair) for pair in self.separations],
        }
        if isinstance(self.network.domain, Ball):
            proof["cuts"] = [ratios(cut) for cut in self.cuts]
        write_document(path, NETWORK_PROOF, self.network.document() | proof)


NetworkCertificate = NetworkCollision | NetworkNarrowing | NetworkProof


def load_network_certificate(path: str | PathLike[str]) -> NetworkCertificate:
    """Read a certificate of any kind.

    Parameters
    ----------
    path : path-like
        A .json or .json.gz file written by the method `save` of one of them.

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
    domain: Box | Ball | None = None,
    time_limit: float | None = None,
) -> NetworkCertificate:
    """Read a certificate and verify it. Another network is refused before the rest of the file is read.

    Parameters
    ----------
    path : path-like
        As in `load_network_certificate`.
    weights, biases
        See `polyinj.certificates.relu_chain.read_chain`.
    domain : Box or Ball, optional
        Where the inputs lie: a certificate about another domain, R^n when None, is refused.
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
    network = name.match(weights, biases, domain)
    _refuse_lengths(fields, network)
    certificate = _build(fields, name)
    certificate.verify(network, time_limit=time_limit)
    return certificate


def _open(path: str | PathLike[str]) -> tuple[Fields, NetworkName]:
    """The fields of a file, and the network that it speaks of."""
    fields = read_document(path)
    if fields.kind not in (NETWORK_COLLISION, NETWORK_NARROWING, NETWORK_PROOF):
        raise CertificateError(f"{path} is a {fields.kind}, of one layer; load_certificate reads it")
    sha256, widths, biased = fields.text("sha256"), tuple(fields.integers("widths")), tuple(fields.flags("biased"))
    domain = fields.domain("domain", (widths or (1,))[0]) if "domain" in fields.document else None
    return fields, NetworkName(sha256, widths, biased, domain)


def _build(fields: Fields, name: NetworkName) -> NetworkCertificate:
    certificate: NetworkCertificate
    if fields.kind == NETWORK_COLLISION:
        certificate = NetworkCollision(fields.point("x"), fields.point("y"), fields.integer("layer"), name)
    elif fields.kind == NETWORK_NARROWING:
        certificate = NetworkNarrowing(fields.integer("layer"), fields.optional_point("point"), name)
    else:
        certificate = NetworkProof(
            name,
            tuple(_digit_lists(fields, "points")),
            tuple(_triples(entries, fields) for entries in fields.lists("facets")),
            tuple(map(_separation, fields.documents("separations"))),
            fields.points("cuts", name.widths[0]) if isinstance(name.domain, Ball) else (),
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

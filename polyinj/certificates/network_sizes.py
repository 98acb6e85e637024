"""How large a `NetworkProof` can be at most: what is larger is refused before it is read.

docs/network-certificate.md states the bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import comb

from polyinj.certificates.domain import Ball, Cover
from polyinj.certificates.layer import longest_bits
from polyinj.certificates.relu_chain import ReluChain
from polyinj.errors import CertificateError


def check_lengths(network: ReluChain, points: Sequence[int], facets: Sequence[int], separations: Sequence[int]) -> None:
    """Refuse what no proof about this network can be as large as.

    Given are the entries of each point, the facets of each region, and of each separation the longest list.
    """
    n = network.dimension
    rows = [width + (not network.is_linear) for width in network.widths[1:]]
    regions = 1
    for width in rows:
        regions *= 2 * sum(comb(width - 1, j) for j in range(n))
    if len(points) > regions:
        raise CertificateError(f"there are {len(points)} points; the network has at most {regions} regions")
    for number, length in enumerate(points):
        if length != n:
            raise CertificateError(f"point {number} has {length} entries; expected {n} integers")
    for number, length in enumerate(facets):
        if length > sum(rows):
            raise CertificateError(f"region {number} has {length} facets; the network has {sum(rows)} neurons")
    for number, length in enumerate(separations):
        if length > rows[-1]:
            raise CertificateError(f"separation {number} has a list of {length}; the last layer has {rows[-1]} neurons")
    # At most N - 1 of a region's walls, t >= 0 and the sides of the domain among them, make a face.
    parts = len(points) * (max(facets, default=0) + len(network.sides()) + 2) ** (n - 1)
    if len(separations) > comb(parts, 2):
        raise CertificateError(
            f"there are {len(separations)} separations; {len(points)} regions have fewer pairs of parts"
        )


def largest_bits(network: ReluChain) -> int:
    """The length in bits that no number of a proof needs to exceed."""
    layers = network.homogeneous_layers()
    # Rows of R_k have entries below 2^depth, extreme rays are minors of N - 1 of them or of sides of the domain, rows
    # that separate are minors of outputs of rays.
    depth = sum(max(sum(map(abs, row)) for row in rows).bit_length() for rows in layers)
    depth += _domain_bits(network)
    n, width = network.dimension, max(map(len, layers))
    ray = n * (depth + n.bit_length() + width.bit_length())
    return 64 + (len(layers[-1]) + 1) * (ray + depth + width.bit_length())


def _domain_bits(network: ReluChain) -> int:
    """Of the longest number in the sides of the domain, and in the centre and radius of a ball."""
    domain = network.domain.ball if isinstance(network.domain, Cover) else network.domain
    ball = (domain.radius, *domain.centre) if isinstance(domain, Ball) else ()
    sides = max((abs(entry) for side in network.sides() for entry in side), default=0).bit_length()
    return max(sides, longest_bits(ball))


def check_bits(values: Iterable[int], bits: int, name: str) -> None:
    """CertificateError for a number that is longer than `bits`."""
    longest = max((value.bit_length() for value in values), default=0)
    if longest > bits:
        raise CertificateError(f"{name} has a number of {longest} bits; allowed are {bits}")


def check_point(network: ReluChain, point: Sequence[Fraction], name: str) -> None:
    """CertificateError for a point with longer numbers than any proof about the network needs."""
    bits = largest_bits(network)
    for entry in point:
        check_bits((entry.numerator, entry.denominator), bits, name)

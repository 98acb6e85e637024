"""Files of certificates of a verdict on one layer: collisions, nonspanning points and proofs.

docs/certificate-format.md specifies them.
"""

from __future__ import annotations

from math import log10
from os import PathLike

from numpy.typing import ArrayLike

from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Domain
from polyinj.certificates.json_format import COLLISION, POINT, SPECTRAL, Fields
from polyinj.certificates.layer import LayerName
from polyinj.certificates.layer_collision import Collision
from polyinj.certificates.layer_document import open_document
from polyinj.certificates.layer_point import NonspanningPoint
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.certificates.layer_spectral import SpectralProof

LayerCertificate = Collision | NonspanningPoint | InjectivityProof | SpectralProof


def load_certificate(path: str | PathLike[str]) -> LayerCertificate:
    """Read a certificate of any kind; `verify_certificate` reads one and verifies it.

    Parameters
    ----------
    path : path-like
        A .json or .json.gz file written by the method `save` of a certificate.

    Raises
    ------
    CertificateError
        The file is malformed; the message names the field.
    OSError
        The file cannot be read.
    """
    fields, layer = open_document(path)
    return _read(fields, layer, layer.columns + 1)


def verify_certificate(
    path: str | PathLike[str],
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    domain: Domain | None = None,
    *,
    time_limit: float | None = None,
) -> LayerCertificate:
    """Read a certificate and verify what it states. One of another layer or domain is refused before it is read on.

    Parameters
    ----------
    path : path-like
        As in `load_certificate`.
    weights, bias, domain
        The layer that it has to be about; domain None is all of R^n.
    time_limit : float, optional
        Seconds for the check; by default there is no limit.

    Returns
    -------
    Collision, NonspanningPoint, InjectivityProof or SpectralProof
        Its `statement` says what is proved. That may be a count of active rows that is no proof of injectivity.

    Raises
    ------
    CertificateError
        The file is malformed, wrong, or about another layer or domain, or the time ran out.
    InputError
        Unreadable weights, bias or domain, or a time limit that is not positive.
    OSError
        The file cannot be read.
    """
    clock = Clock(time_limit)
    fields, name = open_document(path)
    layer = name.match(weights, bias, domain)
    if fields.kind in (POINT, SPECTRAL):
        # Neither takes the integers of the whole layer, which may be large.
        found = _read(fields, name, name.columns + 1)
        assert isinstance(found, NonspanningPoint | SpectralProof)
        found.check(layer, clock)
        return found
    system = layer.system()
    fields.largest = min(fields.largest, int(layer.largest_bits(system) * log10(2)) + 1)
    certificate = _read(fields, name, system.dimension)
    if isinstance(certificate, InjectivityProof):
        certificate.check(layer, system, clock)
    else:
        certificate.check(layer, clock)
    return certificate


def _read(fields: Fields, layer: LayerName, dimension: int) -> LayerCertificate:
    if fields.kind == COLLISION:
        return Collision.read(fields, layer)
    if fields.kind == POINT:
        return NonspanningPoint.read(fields, layer)
    if fields.kind == SPECTRAL:
        return SpectralProof.read(fields, layer)
    return InjectivityProof.read(fields, layer, dimension)

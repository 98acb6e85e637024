"""What the files of all certificates of a layer share: which layer they speak of, and how long a number may be."""

from __future__ import annotations

from os import PathLike

from polyinj.certificates.json_format import COLLISION, POINT, PROOF, SPECTRAL, Fields, domain_document, read_document
from polyinj.certificates.layer import Layer, LayerName, System, longest_bits
from polyinj.errors import CertificateError
from polyinj.exact.arrays import Point


def open_document(path: str | PathLike[str]) -> tuple[Fields, LayerName]:
    """The fields of a file, and the layer that it speaks of."""
    fields = read_document(path)
    if fields.kind not in (COLLISION, POINT, PROOF, SPECTRAL):
        raise CertificateError(f"{fields.path} is a {fields.kind}; load_network_certificate reads it")
    rows, columns = fields.integer("rows"), fields.integer("columns")
    return fields, LayerName(
        fields.text("sha256"), rows, columns, fields.flag("bias"), fields.domain("domain", columns)
    )


def describe(layer: LayerName) -> dict[str, object]:
    """The fields that `open_document` reads."""
    return {
        "sha256": layer.sha256,
        "rows": layer.rows,
        "columns": layer.columns,
        "bias": layer.biased,
        "domain": domain_document(layer.domain),
    }


def check_length(name: str, numbers: Point, layer: Layer, system: System | None = None) -> None:
    """CertificateError for a number that is longer than any that the layer needs; its system if that is at hand."""
    longest = longest_bits(numbers)
    if longest <= layer.always_allowed_bits:
        return
    allowed = layer.largest_bits(layer.system() if system is None else system)
    if longest > allowed:
        raise CertificateError(f"{name} has a number of {longest} bits; allowed are {allowed} for this layer")

"""`polyinj check` and `verify` for networks: what is printed, line by line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polyinj.certificates.domain import Ball, Box, describe_domain
from polyinj.certificates.network_certificate import NetworkProof, verify_network_certificate
from polyinj.deep.chain import as_chain
from polyinj.deep.check import NetworkCheck, check_network, describe_claim
from polyinj.deep.layer_check import LayerCheck
from polyinj.exact.arrays import Point
from polyinj.injectivity.decision import Verdict
from polyinj.networks.files import read_arrays, read_network
from polyinj.networks.network import Network

_SECONDS = 30.0
# Points with more coordinates are not printed; --json has them.
_PRINTED_INPUTS = 8
# Rationals with more characters are shown as doubles.
_PRINTED_DIGITS = 40


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Options of the shell that only networks have."""

    until: str | None = None
    input_shape: Sequence[int] | None = None
    final_relu: bool = False
    external_data: bool = False


def is_network_file(file: Path, key: str | None) -> bool:
    """Whether `polyinj check` reads a network: .onnx, .nnet, or several matrices without a key that picks one."""
    kind = file.suffix.lower()
    if kind in (".onnx", ".nnet"):
        return True
    if kind not in (".npz", ".safetensors") or key is not None or not file.is_file():
        return False
    return sum(array.ndim > 1 for array in read_arrays(file).values()) > 1


def check_network_file(
    network: Network,
    domain: Box | Ball | None,
    *,
    rank_proof: bool | None,
    time_limit: float | None,
    workers: int,
    as_json: bool,
    certificate: Path | None,
) -> Verdict:
    """Decide and print a network, save the certificate of the whole; return its verdict."""
    limit = _SECONDS if time_limit is None else time_limit
    check = check_network(network, domain=domain, time_limit=limit, rank_proof=rank_proof, workers=workers)
    found = check.certificate() if certificate is not None else None
    if found is not None and certificate is not None:
        found.save(certificate)
    if as_json:
        print(json.dumps(_json(check), indent=1))
    else:
        _print(check)
        if found is not None:
            print(f"wrote {certificate}")
    if certificate is not None and found is None and check.verdict is Verdict.INJECTIVE:
        print(
            f"polyinj: {certificate} was not written: each layer is proven on its own, which `NetworkCheck.verify` "
            "checks; there is no certificate of the whole",
            file=sys.stderr,
        )
    return check.verdict


def verify_network_file(
    certificate: Path, network: Network, domain: Box | Ball | None = None, *, time_limit: float | None = None
) -> str:
    """What a certificate proves about a network, in one line.

    Raises
    ------
    CertificateError
        It is malformed, wrong, or for another network, or the seconds ran out.
    """
    found = verify_network_certificate(certificate, as_chain(network, domain), time_limit=time_limit)
    verdict = Verdict.INJECTIVE if isinstance(found, NetworkProof) else Verdict.NOT_INJECTIVE
    return f"the network {network.describe()} is {describe_claim(network, verdict, domain)}"


def read_network_file(file: Path, options: NetworkOptions, *, transpose: bool) -> Network:
    """The network of a file, with the options of the shell."""
    return read_network(
        file,
        input_shape=options.input_shape,
        until=options.until,
        transpose=transpose,
        final_relu=options.final_relu,
        external_data=options.external_data,
    )


def _print(check: NetworkCheck) -> None:
    network = check.network
    print(f"{network.source}: {network.describe()}")
    if network.note:
        print(f"  {network.note}")
    for number, layer in enumerate(check.layers, start=1):
        m, n = layer.layer.shape
        kind = layer.layer.describe_activation().replace("relu", "ReLU") or "no ReLU"
        print(f"layer {number}, {layer.layer.name}: {m} rows, {n} columns, {kind}")
        print(f"  {_describe(layer)}")
        if layer.layer.rounding:
            print(f"  rounded: {layer.layer.rounding}")
    print(f"network: {check.claim}: {check.reason}")
    if check.collision is None:
        if check.verdict is Verdict.NOT_INJECTIVE:
            print("  two points with one output were not computed: their exact coordinates would be costly")
        return
    x, y = check.collision
    if len(x) > _PRINTED_INPUTS:
        print(f"  x and y differ in {sum(a != b for a, b in zip(x, y, strict=True))} of {len(x)} entries; see --json")
        return
    long = max(len(str(entry)) for entry in (*x, *y)) > _PRINTED_DIGITS
    for name, point in (("x", x), ("y", y)):
        print(f"  {name} {'is near' if long else '='} ({', '.join(str(float(e) if long else e) for e in point)})")
    if long:
        print("  exact in --json")


def _describe(check: LayerCheck) -> str:
    m, n = check.layer.shape
    where = f"{'the nonnegative orthant of ' if check.orthant else ''}R^{n}"
    if check.nonnegative and not check.orthant:
        where = f"the points of {where} with {check.nonnegative} entries >= 0"
    if check.domain is not None:
        where = describe_domain(check.domain, n)
    if check.verdict is Verdict.INJECTIVE:
        assumed = " if its rows are in general position" if check.assumes_general_position else ""
        return f"injective on {where}{assumed}, and so wherever the layers before end"
    if check.verdict is Verdict.UNDECIDED:
        return f"undecided on {where}" + ("" if check.layer.fits_dense else ": too large as a dense matrix")
    if m < n:
        why = "fewer rows than columns"
    elif check.rank is not None:
        why = f"rank {check.rank}"
    else:
        assert check.decision is not None
        assert check.decision.best_witness is not None
        why = f"at a point only {check.decision.best_witness.active} rows are active"
    return f"not injective on {where}: {why}"


def _json(check: NetworkCheck) -> dict[str, object]:
    layers = [
        {
            "name": layer.layer.name,
            "rows": layer.layer.shape[0],
            "columns": layer.layer.shape[1],
            "activation": layer.layer.describe_activation() or None,
            "domain": _domain(layer),
            "verdict": layer.verdict.value,
            "assumes_general_position": layer.assumes_general_position,
            "rounding": layer.layer.rounding,
        }
        for layer in check.layers
    ]
    document: dict[str, object] = {
        "source": check.network.source,
        "widths": check.network.widths,
        "note": check.network.note,
        "verdict": check.verdict.value,
        "domain": "all" if check.domain is None else describe_domain(check.domain, check.network.widths[0]),
        "claim": check.claim,
        "assumes_general_position": check.assumes_general_position,
        "reason": check.reason,
        "layers": layers,
    }
    if check.collision is not None:
        document["collision"] = dict(zip("xy", map(_strings, check.collision), strict=True))
    return document


def _domain(check: LayerCheck) -> str:
    if check.orthant:
        return "nonnegative orthant"
    if check.domain is not None:
        return describe_domain(check.domain, check.layer.shape[1])
    return f"{check.nonnegative} entries nonnegative" if check.nonnegative else "all"


def _strings(point: Point) -> list[str]:
    return [str(entry) for entry in point]

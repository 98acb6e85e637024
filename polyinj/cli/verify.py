"""The shell command `polyinj verify`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray

from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import AnotherDomain
from polyinj.certificates.layer_certificate import verify_certificate
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.certificates.layer_spectral import SpectralProof
from polyinj.cli.domain import BoxSides, Centre, Nonnegative, Radius, domain_options, read_domain
from polyinj.cli.layer import (
    BiasKey,
    ExternalData,
    FinalRelu,
    InputShape,
    NoBias,
    Transpose,
    Until,
    network_options,
    read_layer,
    refuse_options_of_a_layer,
    refuse_options_of_a_network,
)
from polyinj.cli.network import is_network_file, read_network_file, verify_network_file
from polyinj.cli.output import REFUSED, one_line
from polyinj.errors import CertificateError, InputError
from polyinj.exact.arrays import read_matrix
from polyinj.networks.network import Network


def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate: .json or .json.gz.")],
    file: Annotated[Path, typer.Argument(help="The weights or the network it speaks of, as `check` read them.")],
    key: Annotated[str | None, typer.Option(help="Name of the weights in an .npz file.")] = None,
    bias: Annotated[Path | None, typer.Option(help="File with the bias.")] = None,
    bias_key: BiasKey = None,
    no_bias: NoBias = False,
    transpose: Transpose = False,
    nonnegative: Nonnegative = False,
    sides: BoxSides = None,
    ball: Radius = None,
    ball_centre: Centre = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds, then refused; by default there is none.")] = None,
    until: Until = None,
    input_shape: InputShape = None,
    final_relu: FinalRelu = False,
    external_data: ExternalData = False,
) -> None:
    """Check a certificate in exact arithmetic and print what it proves. Exit code 0: valid, 1: refused.

    It has to be about all inputs, R^n, unless --nonnegative, --box or --ball asks for another domain.
    """
    graph = network_options(until, input_shape, final_relu, external_data)
    if is_network_file(file, key):
        refuse_options_of_a_layer(
            file,
            **{"--bias": bias, "--bias-key": bias_key, "--no-bias": no_bias},
        )
        network = read_network_file(file, graph, transpose=transpose)
        columns = network.widths[0]
        domain = read_domain(columns, nonnegative=nonnegative, sides=sides, radius=ball, centre=ball_centre)
        proves = partial(_verify_network, certificate, network, domain, time_limit)
    else:
        refuse_options_of_a_network(file, graph)
        weights, shift = read_layer(file, key, bias, bias_key, transpose=transpose, no_bias=no_bias)
        columns = read_matrix(weights).shape[1]
        domain = read_domain(columns, nonnegative=nonnegative, sides=sides, radius=ball, centre=ball_centre)
        proves = partial(_verify_layer, certificate, weights, shift, domain, time_limit)
    try:
        print(f"valid{proves()}")
    except OSError as error:
        raise InputError(f"{certificate} cannot be read: {error.strerror}") from None
    except CertificateError as error:
        print(f"refused: {one_line(error)}")
        raise typer.Exit(REFUSED) from None


def _verify_network(certificate: Path, network: Network, domain: Box | Ball | None, time_limit: float | None) -> str:
    """What a certificate of a network proves; CertificateError if it does not hold."""
    try:
        return f": {verify_network_file(certificate, network, domain, time_limit=time_limit)}"
    except AnotherDomain as error:
        raise CertificateError(f"{error.fault}; if that is meant, give {domain_options(error.domain)}") from None


def _verify_layer(
    certificate: Path,
    weights: NDArray[Any],
    bias: NDArray[Any] | None,
    domain: Box | Ball | None,
    time_limit: float | None,
) -> str:
    """What a certificate of one layer proves; CertificateError if it does not hold."""
    try:
        found = verify_certificate(certificate, weights, bias, domain, time_limit=time_limit)
    except AnotherDomain as error:
        raise CertificateError(f"{error.fault}; if that is meant, give {domain_options(error.domain)}") from None
    if isinstance(found, InjectivityProof | SpectralProof) and not found.counts_enough:
        return f" as a count only, which proves no injectivity: {found.statement}"
    return f": {found.statement}"

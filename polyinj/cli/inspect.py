"""The shell command `polyinj inspect`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from polyinj.certificates.domain import Ball
from polyinj.cli.domain import BoxSides, read_domain
from polyinj.cli.layer import ExternalData, FinalRelu, InputShape, Transpose, Until, network_options
from polyinj.cli.network import is_network_file, read_network_file
from polyinj.cli.output import output_console, print_written
from polyinj.cli.tables import make_table
from polyinj.errors import InputError, printable
from polyinj.information.report import InformationReport, LayerInformation, information_report
from polyinj.networks.files import read_array

_PAIR = re.compile(r"([0-9]{1,9})-([0-9]{1,9})", re.ASCII)


def inspect(
    file: Annotated[Path, typer.Argument(help="A network: .onnx, .nnet, .safetensors, .npz.")],
    data: Annotated[
        Path | None, typer.Option(help="Inputs, one a row: .npy, .csv, .npz. By default only the box is looked at.")
    ] = None,
    data_key: Annotated[str | None, typer.Option(help="Which array of an .npz with the inputs.")] = None,
    sides: BoxSides = None,
    pairs: Annotated[str | None, typer.Option(help="Pairs of inputs, by their places from 0: 0-5,3-7.")] = None,
    exact_ranks: Annotated[bool, typer.Option("--exact", help="Ranks of exact Jacobians, not of doubles.")] = False,
    relaxation: Annotated[str, typer.Option(help="Rule of the bounds of neurons: crown, deepz, box, ...")] = "crown",
    transpose: Transpose = False,
    until: Until = None,
    input_shape: InputShape = None,
    final_relu: FinalRelu = False,
    external_data: ExternalData = False,
    out: Annotated[Path, typer.Option(help="Folder for information.png, .csv and .json.")] = Path("results"),
) -> None:
    """Where a network loses information: ranks and neurons, layer by layer, at given inputs and on a box of them."""
    if not is_network_file(file, None):
        kinds = ".onnx, .nnet, or several matrices in .npz or .safetensors"
        raise InputError(f"{file} is no network; expected {kinds}")
    network = read_network_file(
        file, network_options(until, input_shape, final_relu, external_data), transpose=transpose
    )
    box = read_domain(network.widths[0], nonnegative=False, sides=sides, radius=None, centre=None)
    assert not isinstance(box, Ball)
    report = information_report(
        network,
        None if data is None else read_array(data, data_key),
        box,
        pairs=_parse_pairs(pairs),
        exact_ranks=exact_ranks,
        relaxation=relaxation,
    )
    paths = report.save(out)
    console = output_console()
    console.print(_layer_table(report))
    if report.pairs:
        console.print(_pair_table(report))
    print_written(paths)


def _parse_pairs(text: str | None) -> list[tuple[int, int]]:
    found = []
    for part in text.split(",") if text is not None else ():
        match = _PAIR.fullmatch(part.strip())
        if match is None:
            raise InputError(f"--pairs is {printable(text or '')!r}; expected places of inputs, such as 0-5,3-7")
        found.append((int(match[1]), int(match[2])))
    return found


def _layer_table(report: InformationReport) -> Table:
    count = report.data_points
    ranks = "exact ranks" if report.exact_ranks else "ranks in doubles"
    title = f"{report.network}: {count} inputs, {ranks}; neurons on {report.box}"
    headers = ("neurons", "ReLU", "dead", "always on")
    seen = ("active", "rank", f"rank < {report.inputs}", "greatest sv", "least sv > 0") if count else ()
    table = make_table(title, "layer", "name", *headers, *seen, left=2)
    for row in report.rows:
        kinds = map(str, (row.neurons, row.relu, row.dead, row.always_active))
        table.add_row(str(row.layer), escape(row.name), *kinds, *(_seen(row) if count else ()))
    return table


def _seen(row: LayerInformation) -> tuple[str, ...]:
    active, rank = (
        f"{median:g} ({low:g}..{high:g})"
        for low, median, high in (
            (row.active_low, row.active_median, row.active_high),
            (row.rank_low, row.rank_median, row.rank_high),
        )
    )
    return active, rank, f"{row.flat:.1%}", f"{row.largest:.3g}", f"{row.least:.3g}"


def _pair_table(report: InformationReport) -> Table:
    table = make_table("pairs of inputs", "inputs", "become one behind", "distance of outputs / of inputs", left=2)
    for pair in report.pairs:
        where = f"layer {pair.layer}" if pair.layer else "none"
        stretch = f"{pair.stretch:.3g}" if pair.stretch == pair.stretch else "-"
        table.add_row(f"{pair.first}, {pair.second}", where, stretch)
    return table

"""Options of `polyinj check` and `verify` that say which file to read, and how; the weights of one layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray

from polyinj.cli.network import NetworkOptions
from polyinj.cli.options import parse_integers
from polyinj.errors import InputError
from polyinj.networks.files import read_array, read_arrays

BiasKey = Annotated[str | None, typer.Option(help="Name of the bias in its .npz file, or in FILE.")]
NoBias = Annotated[
    bool, typer.Option("--no-bias", help="There is no bias, though FILE holds an array that could be one.")
]
Transpose = Annotated[bool, typer.Option("--transpose", help="FILE stores one column a neuron.")]
Until = Annotated[str | None, typer.Option(help="Network: the tensor of an .onnx at which to stop.")]
InputShape = Annotated[str | None, typer.Option(help="Network: shape of one input, such as 1,28,28.")]
FinalRelu = Annotated[bool, typer.Option("--final-relu", help="Network of arrays: a ReLU follows the last matrix too.")]
ExternalData = Annotated[
    bool, typer.Option("--external-data", help="Network: read values of an .onnx from other files in its folder.")
]


def network_options(
    until: str | None, input_shape: str | None, final_relu: bool, external_data: bool
) -> NetworkOptions:
    """The options that only networks have."""
    shape = parse_integers(input_shape, "--input-shape") if input_shape else None
    return NetworkOptions(until, shape, final_relu, external_data)


def refuse_options_of_a_layer(file: Path, **options: object) -> None:
    """InputError if one is given, since FILE is a network."""
    for name, given in options.items():
        if given not in (None, False):
            raise InputError(f"{file} is a network; {name} is for one layer, such as an array of an .npz")


def refuse_options_of_a_network(file: Path, options: NetworkOptions) -> None:
    """InputError if one is given, since FILE is one layer."""
    if options != NetworkOptions():
        raise InputError(
            f"{file} is read as one layer; --until, --input-shape, --final-relu and --external-data are for networks"
        )


def read_layer(
    file: Path, key: str | None, bias: Path | None, bias_key: str | None, *, transpose: bool, no_bias: bool
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Weights and bias of one layer; InputError where FILE holds what could be its bias and nobody says if it is."""
    weights = read_array(file, key)
    weights = weights.T if transpose else weights
    if bias is not None or bias_key is not None:
        if no_bias:
            raise InputError("--no-bias and a bias are given; expected one of --no-bias, --bias and --bias-key")
        return weights, read_array(bias or file, bias_key)
    if not no_bias and file.suffix.lower() in (".npz", ".safetensors"):
        could_be = [name for name, array in read_arrays(file).items() if array.shape == weights.shape[:1]]
        if could_be:
            raise InputError(
                f"{file} holds {', '.join(could_be)} with an entry for each of the {len(weights)} rows; if that is the "
                f"bias, add --bias-key {could_be[0]}, else --no-bias"
            )
    return weights, None

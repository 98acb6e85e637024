"""Read a network from a .nnet file: the text format of the ACAS Xu networks, numbers separated by commas.

    // comments
    layers, inputs, outputs, largest width
    the number of inputs, then the rows of each layer
    a flag that is no longer used
    least inputs; greatest inputs; means; ranges (of the inputs, and one of the outputs): one line each
    of each layer the rows of the weights, then the biases, one a line

(K. Julian, https://github.com/sisl/NNet.) A ReLU follows each layer but the last.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError, printable
from polyinj.networks.network import LARGEST_MATRIX, Network, NetworkLayer

_HEADER = 7
_NOTE = (
    "its inputs are the normalised ones, (x - mean) / range, its outputs those before they are scaled back: both are "
    "one-to-one, but inputs that the file cuts to its bounds are others"
)


def read_nnet(file: Path) -> Network:
    """The network of a .nnet file, of normalised inputs; numbers are read as the nearest float64, as its readers do.

    Raises
    ------
    InputError
        Anything else than the format says: the message names the line.

    Examples
    --------
    >>> import tempfile
    >>> text = "// |x|\\n2,1,1,2\\n1,2,1\\n0\\n-1\\n1\\n0,0\\n1,1\\n1\\n-1\\n0\\n0\\n1,1\\n0\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "abs.nnet").write_text(text)
    ...     network = read_nnet(Path(folder) / "abs.nnet")
    >>> network.widths, network.apply([[-3.0]]).tolist()
    ((1, 2, 1), [[3.0]])
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as .nnet: {error}") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    while lines and lines[0][1].lstrip().startswith("//"):
        lines.pop(0)
    if len(lines) < _HEADER:
        raise InputError(f"{file} has {len(lines)} lines of numbers; expected a header of {_HEADER}, then the layers")
    depth, *_ = _integers(file, lines[0], 4)
    if depth < 1 or depth > len(lines):
        raise InputError(f"{file}, line {lines[0][0]}: {depth} layers; expected as many as follow")
    widths = _integers(file, lines[1], depth + 1)
    rows = 2 * sum(widths[1:])
    if min(widths) < 1 or len(lines) != _HEADER + rows:
        raise InputError(
            f"{file}, line {lines[1][0]}: layers of {printable(widths)} take {rows} lines behind the header; there are "
            f"{len(lines) - _HEADER}"
        )
    _check_ranges(file, lines[_HEADER - 1])
    layers, place = [], _HEADER
    for number, (columns, neurons) in enumerate(pairwise(widths), 1):
        if columns * neurons > LARGEST_MATRIX:
            raise InputError(f"{file}: layer {number} is {neurons} x {columns}; allowed are {LARGEST_MATRIX} entries")
        weights = np.array([_numbers(file, line, columns) for line in lines[place : place + neurons]])
        place += neurons
        bias = np.array([_numbers(file, line, 1)[0] for line in lines[place : place + neurons]])
        place += neurons
        layers.append(NetworkLayer(weights, bias, "relu" if number < depth else None, str(number)))
    return Network(tuple(layers), str(file), (widths[0],), _NOTE)


def _check_ranges(file: Path, line: tuple[int, str]) -> None:
    """InputError where dividing or multiplying by a range is not one-to-one."""
    number, text = line
    parts = [part for part in text.split(",") if part.strip()]
    values = _numbers(file, line, len(parts))
    if not values.all():
        raise InputError(f"{file}, line {number}: {printable(text.strip(), 60)!r}; expected ranges other than 0")


def _numbers(file: Path, line: tuple[int, str], length: int) -> NDArray[np.float64]:
    number, text = line
    parts = [part for part in text.split(",") if part.strip()]
    try:
        values = np.array([float(part) for part in parts])
    except ValueError:
        values = np.zeros(0)
    if len(values) != length or not np.isfinite(values).all():
        raise InputError(
            f"{file}, line {number}: {printable(text.strip(), 60)!r}; expected {length} finite numbers with commas"
        )
    return values


def _integers(file: Path, line: tuple[int, str], least: int) -> list[int]:
    number, text = line
    try:
        values = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        values = []
    if len(values) < least:
        raise InputError(
            f"{file}, line {number}: {printable(text.strip(), 60)!r}; expected {least} integers with commas"
        )
    return values[:least]

"""Read a chain from arrays with names, as .npz and .safetensors files hold them.

Arrays do not say in which order they are applied, nor where the ReLUs are. So the names carry the order, and a ReLU is
taken to follow every layer but the last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from polyinj.errors import InputError, printable
from polyinj.exact.lossless import read_tensor
from polyinj.networks.network import Network, NetworkLayer

_ROLES = {
    **dict.fromkeys(("weights", "weight", "kernel", "w"), "weights"),
    **dict.fromkeys(("biases", "bias", "b"), "bias"),
}
_ROLE = re.compile(r"(?<![a-z])(" + "|".join(sorted(_ROLES, key=len, reverse=True)) + r")(?![a-z])", re.IGNORECASE)

EXPECTED = "expected weights_0, bias_0, weights_1, ... or W1, b1, W2, ... or 0.weight, 0.bias, 2.weight, ..."


def read_named_arrays(
    arrays: Mapping[str, NDArray[Any]], source: str, *, transpose: bool = False, final_relu: bool = False
) -> Network:
    """The network whose layers the names tell apart.

    A name is a role and a layer: the role is `weights`, `weight`, `kernel` or `W`, else `bias`, `biases` or `b`, set
    apart from other letters; the rest of the name is the layer, and the numbers in it are its place: `weights_0`,
    `W1`, `fc2.weight`, `layers.3.bias`. One layer needs no number.

    Parameters
    ----------
    arrays : mapping of names to arrays
    source : str
    transpose : bool
        The matrices store one column a neuron.
    final_relu : bool
        A ReLU follows the last layer too.

    Raises
    ------
    InputError
        Names without role or without order, arrays of other shapes, a bias without weights.

    Examples
    --------
    >>> import numpy as np
    >>> read_named_arrays({"W1": np.ones((3, 2)), "b1": np.ones(3), "W2": np.ones((1, 3))}, "by hand")
    Network('by hand', 2 -> 3 relu -> 1)
    """
    layers: dict[str, dict[str, str]] = {}
    for name in arrays:
        roles = _ROLE.findall(name)
        if len(roles) != 1:
            raise InputError(
                f"{source}: the name {name!r} is neither of weights nor of a bias; {EXPECTED}; or name one with --key"
            )
        layer, role = _ROLE.sub("", name), _ROLES[roles[0].lower()]
        if role in layers.setdefault(layer, {}):
            raise InputError(f"{source}: {layers[layer][role]!r} and {name!r} are both {role} of one layer; {EXPECTED}")
        layers[layer][role] = name
    places = {layer: [int(number) for number in re.findall(r"[0-9]+", layer)] for layer in layers}
    order = sorted(layers, key=places.__getitem__)
    for before, after in pairwise(order):
        if places[before] == places[after]:
            names = " and ".join(repr(next(iter(layers[layer].values()))) for layer in (before, after))
            raise InputError(f"{source}: nothing says in which order {names} come; {EXPECTED}")
    read = [_layer(arrays, layers[layer], source, transpose, final_relu or layer != order[-1]) for layer in order]
    return Network(tuple(read), source)


def _layer(
    arrays: Mapping[str, NDArray[Any]], names: dict[str, str], source: str, transpose: bool, relu: bool
) -> NetworkLayer:
    if "weights" not in names:
        raise InputError(f"{source}: {names['bias']!r} has no weights beside it; {EXPECTED}")
    name = names["weights"]
    weights = read_tensor(arrays[name], f"{source}: {name!r}")
    if weights.ndim != 2:
        hint = "; a convolution needs its stride and padding, which arrays do not tell: export the model as .onnx"
        raise InputError(f"{source}: {name!r} has shape {weights.shape}; expected a matrix{hint * (weights.ndim > 2)}")
    bias = read_tensor(arrays[names["bias"]], f"{source}: {names['bias']!r}") if "bias" in names else None
    return NetworkLayer(weights.T if transpose else weights, bias, "relu" if relu else None, printable(name))

"""Read weights from files, without unpickling: one array, or a whole network."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError
from polyinj.networks.arrays import read_named_arrays
from polyinj.networks.network import Network
from polyinj.networks.nnet import read_nnet
from polyinj.networks.onnx.read import read_onnx
from polyinj.networks.torch import is_sequential, read_sequential

_ARRAY_FILES = (".npy", ".npz", ".csv", ".safetensors")
_KEYED_FILES = (".npz", ".safetensors")
_NETWORK_FILES = (".onnx", ".nnet", ".safetensors", ".npz")
# What to do with files that are not read, by their suffixes.
_PICKLED = "it is pickled, and unpickling runs code; export the model with torch.onnx.export, or save safetensors"
_KERAS = "export the model with tf2onnx, or save the arrays of its get_weights() with numpy.savez"
_PACKED = "it is compressed; unpack it first (gunzip)"
_ELSEWHERE = {
    **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".ckpt"), _PICKLED),
    **dict.fromkeys((".h5", ".hdf5", ".keras", ".pb", ".tflite"), _KERAS),
    **dict.fromkeys((".gz", ".zip", ".xz", ".bz2"), _PACKED),
}


def read_array(path: str | os.PathLike[str], key: str | None = None) -> NDArray[Any]:
    """Read one array from a file. Nothing is unpickled.

    Parameters
    ----------
    path : path
        .npy, .npz (an archive of arrays), .safetensors or .csv (numbers separated by commas, no header).
    key : str, optional
        Which array of an .npz or .safetensors; may be left out where there is only one.

    Returns
    -------
    ndarray
        With the dtype and shape stored; float64 for .csv.

    Raises
    ------
    InputError
        The file is missing, unreadable, of another kind, or has no such key.
    """
    file = Path(path)
    kind = file.suffix.lower()
    if kind not in _ARRAY_FILES:
        raise InputError(f"{file} has the suffix {kind!r}; expected {_or(_ARRAY_FILES)}")
    if not file.is_file():
        raise InputError(f"{file} is no file; expected a path to {_or(_ARRAY_FILES)}")
    if key is not None and kind not in _KEYED_FILES:
        raise InputError(f"a key ({key!r}) was given for {file}; only {_or(_KEYED_FILES)} files have keys")
    if kind in _KEYED_FILES:
        return _member(read_arrays(file), file, key)
    try:
        if kind == ".csv":
            lines = file.read_text(encoding="utf-8").split("\n")
            if not any(line.strip() for line in lines):
                raise InputError(f"{file} is empty; expected lines of numbers separated by commas")
            return np.loadtxt(lines, delimiter=",", ndmin=2)
        with file.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if not isinstance(loaded, np.ndarray):
                raise _misnamed(file)
            return loaded
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(file, error) from None


def read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz or .safetensors file by name. Nothing is unpickled."""
    if not file.is_file():
        raise InputError(f"{file} is no file; expected a path to {_or(_KEYED_FILES)}")
    if file.suffix.lower() == ".safetensors":
        return _safetensors(file)
    try:
        with file.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise _misnamed(file)
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(file, error) from None


def _safetensors(file: Path) -> dict[str, NDArray[Any]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise InputError(
            f"reading {file} needs the package safetensors; try: pip install 'polyinj[safetensors]'"
        ) from None
    try:
        with safe_open(str(file), framework="np") as stored:
            return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (it has no __iter__)
    except (OSError, ValueError, TypeError, AttributeError, SafetensorError) as error:
        raise _unreadable(file, error) from None


def _misnamed(file: Path) -> InputError:
    return InputError(f"{file} is not what its suffix says; rename it to .npy (one array) or .npz (an archive)")


def _unreadable(file: Path, error: Exception) -> InputError:
    return error if isinstance(error, InputError) else InputError(f"{file} cannot be read as {file.suffix}: {error}")


def _member(arrays: dict[str, NDArray[Any]], file: Path, key: str | None) -> NDArray[Any]:
    names = ", ".join(arrays) or "none"
    if key is None:
        if len(arrays) != 1:
            raise InputError(f"{file} holds the arrays {names}; name one with --key")
        key = next(iter(arrays))
    if key not in arrays:
        raise InputError(f"{file} has no array {key!r}; it holds {names}")
    return arrays[key]


def _or(kinds: Sequence[str]) -> str:
    return f"{', '.join(kinds[:-1])} or {kinds[-1]}"


def read_network(
    path_or_module: Any,
    *,
    input_shape: Sequence[int] | None = None,
    until: str | None = None,
    transpose: bool = False,
    final_relu: bool = False,
    external_data: bool = False,
) -> Network:
    """Read a network of affine maps and ReLUs. Nothing is unpickled, and what is rounded is said.

    Parameters
    ----------
    path_or_module : path or torch.nn.Sequential
        .onnx (needs the package onnx), .nnet, .safetensors (needs the package safetensors) or .npz. In ONNX tensors may
        be read by any nodes behind them, and what is piecewise linear is written with ReLUs; in ONNX and in modules
        convolutions become sparse matrices. Arrays of .npz and .safetensors are told apart by their names, see
        `polyinj.networks.arrays.read_named_arrays`.
    input_shape : sequence of int, optional
        The shape of one input without the batch, such as (1, 28, 28), for .onnx files that leave it open and for
        modules with convolutions. For an .onnx file that fixes a first axis which is no batch, its whole shape.
    until : str, optional
        For .onnx the tensor, for a module the child behind which to stop; what follows is left out.
    transpose : bool
        The matrices of an .npz or .safetensors store one column a neuron.
    final_relu : bool
        A ReLU follows the last matrix of an .npz or .safetensors too; by default it follows all others.
    external_data : bool
        Read values of an .onnx that stand in other files, in its folder or below.

    Returns
    -------
    Network
        As a function of real numbers: rounding of activations is not modelled, dropout is left out, batch norm in
        inference mode is folded into the layer before it in float64, and so are divisions of large convolutions
        (`NetworkLayer.rounding` says where). `Network.note` says how several inputs or outputs are joined, and which
        strictly monotone function at the end, such as a Sigmoid, is left out.

    Raises
    ------
    InputError
        Unreadable files, and anything that is not such a network: the message names the first node that is not.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/net.npz", W1=np.eye(3, 2), W2=np.ones((1, 3)))
    ...     read_network(f"{folder}/net.npz").widths
    (2, 3, 1)
    """
    shape = None if input_shape is None else tuple(int(length) for length in input_shape)
    if shape is not None and (not shape or min(shape) < 1):
        raise InputError(f"input_shape is {shape}; expected positive lengths, such as 1,28,28")
    kind = _kind(path_or_module)
    arrays = kind in _KEYED_FILES
    if arrays and (until is not None or shape is not None):
        raise InputError(f"{path_or_module} holds arrays; an input shape or a last tensor is for .onnx and modules")
    if external_data and kind != ".onnx":
        raise InputError("external_data is for .onnx files, whose values may stand in other files beside them")
    if kind == ".nnet" and (until is not None or shape is not None):
        raise InputError(f"{path_or_module} says which inputs it takes, and is read whole; expected no other options")
    if not arrays and (transpose or final_relu):
        raise InputError("a graph says where its rows and ReLUs are; transpose and final_relu are for arrays")
    if not kind:
        return read_sequential(path_or_module, input_shape=shape, until=until)
    file = Path(path_or_module)
    if arrays:
        return read_named_arrays(read_arrays(file), str(file), transpose=transpose, final_relu=final_relu)
    if not file.is_file():
        raise InputError(f"{file} is no file; expected a path to {_or(_NETWORK_FILES)}")
    if kind == ".nnet":
        return read_nnet(file)
    return read_onnx(file, input_shape=shape, until=until, external_data=external_data)


def _kind(path_or_module: Any) -> str:
    """The suffix of a file of a network, '' for a torch.nn.Sequential."""
    if is_sequential(path_or_module):
        return ""
    if not isinstance(path_or_module, (str, os.PathLike)):
        raise InputError(
            f"a {type(path_or_module).__name__} is no network; expected a path to {_or(_NETWORK_FILES)}, or a "
            "torch.nn.Sequential"
        )
    kind = Path(path_or_module).suffix.lower()
    if kind not in _NETWORK_FILES:
        hint = f"; {_ELSEWHERE[kind]}" if kind in _ELSEWHERE else ""
        raise InputError(f"{path_or_module} has the suffix {kind!r}; expected {_or(_NETWORK_FILES)}{hint}")
    return kind

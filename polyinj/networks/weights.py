"""Read weights from files: .npy, .npz, .csv."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.errors import InputError


def read_array(path: str | os.PathLike[str], key: str | None = None) -> NDArray[Any]:
    """Read one array from a file. Nothing is unpickled.

    Parameters
    ----------
    path : path
        .npy, .npz (an archive of arrays) or .csv (numbers separated by commas, no header).
    key : str, optional
        Which array of an .npz; may be left out where there is only one.

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
    if kind not in (".npy", ".npz", ".csv"):
        raise InputError(f"{file} has the suffix {kind!r}; expected .npy, .npz or .csv")
    if not file.is_file():
        raise InputError(f"{file} is no file; expected a path to .npy, .npz or .csv")
    if key is not None and kind != ".npz":
        raise InputError(f"a key ({key!r}) was given for {file}; only .npz files have keys")
    try:
        if kind == ".csv":
            lines = file.read_text(encoding="utf-8").split("\n")
            if not any(line.strip() for line in lines):
                raise InputError(f"{file} is empty; expected lines of numbers separated by commas")
            return np.loadtxt(lines, delimiter=",", ndmin=2)
        with file.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray) != (kind == ".npy"):
                raise InputError(
                    f"{file} is not what its suffix says; rename it to .npy (one array) or .npz (an archive)"
                )
            return loaded if isinstance(loaded, np.ndarray) else _member(loaded, file, key)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} cannot be read as {kind}: {error}") from None


def _member(archive: Any, file: Path, key: str | None) -> NDArray[Any]:
    names = ", ".join(archive.files) or "none"
    if key is None:
        if len(archive.files) != 1:
            raise InputError(f"{file} holds the arrays {names}; name one with --key")
        key = archive.files[0]
    if key not in archive.files:
        raise InputError(f"{file} has no array {key!r}; it holds {names}")
    member: NDArray[Any] = archive[key]
    return member

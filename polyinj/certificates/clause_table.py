"""Clauses and trees as int32 arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import CertificateError

# The most entries of the table of clauses: _SMALL_TABLE, or _PADDING times the literals.
_SMALL_TABLE, _PADDING = 1 << 24, 64


def padded(clauses: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Lists of literals as the rows of a table, padded by zeros at the end.

    Raises
    ------
    CertificateError
        A literal 0; or one clause so long that the table would be huge, and most of it zeros.
    """
    lengths = np.array([len(clause) for clause in clauses], dtype=np.int64)
    longest, total = int(lengths.max(initial=0)), int(lengths.sum())
    if len(clauses) * longest > max(_SMALL_TABLE, _PADDING * total):
        raise CertificateError(
            f"circuits has a clause of {longest} literals among {len(clauses)} clauses of {total} together; expected "
            "lengths that differ less"
        )
    table = np.zeros((len(clauses), longest), dtype=np.int32)
    literals = int32_array(list(chain.from_iterable(clauses)), 1, "circuits")
    if not literals.all():
        raise CertificateError(
            "circuits has a literal 0; expected i+1, -(i+1) or -(m+k+1) for row i and side k of m rows"
        )
    table[np.arange(table.shape[1]) < lengths[:, None]] = literals
    return table


def int32_array(values: ArrayLike, dimensions: int, name: str) -> NDArray[np.int32]:
    """A read-only int32 array of the given number of dimensions; CertificateError for anything else."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise CertificateError(f"{name} must be rectangular") from None
    if array.ndim != dimensions or (array.size and array.dtype.kind not in "iu"):
        raise CertificateError(
            f"{name} has dtype {array.dtype} and {array.ndim} dimensions; expected integers below 2^31 in {dimensions}"
        )
    if array.dtype != np.int32 and array.size and not (int(array.min()) > -(2**31) and int(array.max()) < 2**31):
        raise CertificateError(f"{name} has an integer of 2^31 or more")
    result = array.astype(np.int32)
    result.setflags(write=False)
    return result

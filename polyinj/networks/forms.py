"""Affine forms of the atoms of a network under way, row by row and sparse; no operation here rounds.

An atom is an input, or a neuron that is already placed in a layer. A form is a sum of multiples of atoms and a
constant. Entries are float64 where it holds them, else Fractions; what would take too many Fractions is not done, and
the caller then places the operands as neurons of their own, of which the result is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj.exact import lossless

# Beyond so many entries no Fractions are made.
MOST_FRACTIONS = 1 << 18

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """Rows of sparse affine forms.

    Attributes
    ----------
    starts : ndarray of int64, shape (k + 1,)
        Row i has the entries from starts[i] on, up to starts[i + 1].
    atoms : ndarray of int64
        Of each entry, which atom; each at most once a row.
    entries : ndarray
        Its multiple; explicit zeros are allowed.
    bias : ndarray, shape (k,), or None
        The constants.
    """

    starts: Integers
    atoms: Integers
    entries: NDArray[Any]
    bias: NDArray[Any] | None = None

    @classmethod
    def of_atoms(cls, atoms: Integers) -> Forms:
        """Each form one atom."""
        return cls(np.arange(len(atoms) + 1), atoms, np.ones(len(atoms)))

    @classmethod
    def constants(cls, values: NDArray[Any]) -> Forms:
        """Each form a number."""
        none = np.zeros(0, dtype=np.int64)
        return cls(np.zeros(len(values) + 1, dtype=np.int64), none, np.zeros(0), values if values.any() else None)

    @classmethod
    def stack(cls, parts: Sequence[Forms]) -> Forms:
        """The rows of all, one behind the other."""
        if len(parts) == 1:
            return parts[0]
        counts = np.concatenate([part.counts for part in parts])
        bias = None
        if any(part.bias is not None for part in parts):
            bias = np.concatenate([np.zeros(len(part)) if part.bias is None else part.bias for part in parts])
        return cls(
            _starts(counts),
            np.concatenate([part.atoms for part in parts]),
            np.concatenate([part.entries for part in parts]),
            bias,
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> Integers:
        """The number of entries of each row."""
        return np.diff(self.starts)

    @property
    def is_zero(self) -> NDArray[np.bool_]:
        """Which rows are the constant 0."""
        zero: NDArray[np.bool_] = (self.counts == 0) & self._unbiased
        return zero

    @property
    def is_atom(self) -> NDArray[np.bool_]:
        """Which rows are one atom, unchanged."""
        single: NDArray[np.bool_] = (self.counts == 1) & self._unbiased
        single[single] = np.asarray(self.entries[self.starts[:-1][single]] == 1, dtype=bool)
        return single

    @property
    def _unbiased(self) -> NDArray[np.bool_]:
        return np.ones(len(self), dtype=bool) if self.bias is None else np.asarray(self.bias == 0, dtype=bool)

    def take(self, rows: Integers) -> Forms:
        """Some rows, in the order given."""
        if len(rows) == len(self) and np.array_equal(rows, np.arange(len(self))):
            return self
        counts = self.counts[rows]
        starts = _starts(counts)
        places = np.repeat(self.starts[rows] - starts[:-1], counts) + np.arange(starts[-1])
        return Forms(starts, self.atoms[places], self.entries[places], None if self.bias is None else self.bias[rows])

    def scale(self, factors: NDArray[Any], *, divide: bool = False) -> Forms | None:
        """Each row times (by) a number of its own; None where that takes too many Fractions."""
        by = lossless.divide if divide else lossless.multiply
        spread = np.repeat(factors, self.counts)
        if len(self.entries) > MOST_FRACTIONS and not _is_exact(self.entries, spread, divide=divide):
            return None
        entries = by(self.entries, spread)
        return replace(self, entries=entries, bias=None if self.bias is None else by(self.bias, factors))

    def shift(self, offsets: NDArray[Any]) -> Forms:
        """A number added to each row."""
        return replace(self, bias=offsets if self.bias is None else lossless.add(self.bias, offsets))

    def plus(self, other: Forms) -> Forms | None:
        """Row by row the sum; None where float64 does not hold the sum of two multiples of one atom."""
        mine, theirs = self.counts, other.counts
        starts = self.starts + other.starts
        size = int(starts[-1])
        atoms, entries = np.empty(size, dtype=np.int64), _empty(size, self.entries, other.entries)
        for forms, before in ((self, other.starts[:-1]), (other, self.starts[1:])):
            places = np.arange(len(forms.atoms)) + np.repeat(before, forms.counts)
            atoms[places], entries[places] = forms.atoms, forms.entries
        merged = merge(np.repeat(np.arange(len(self)), mine + theirs), atoms, entries, len(self))
        if merged is None:
            return None
        merged = replace(merged, bias=self.bias)
        return merged if other.bias is None else merged.shift(other.bias)


def merge(rows: Integers, atoms: Integers, entries: NDArray[Any], number: int) -> Forms | None:
    """Forms from entries in rising order of rows; entries of one atom in a row are added: None where that rounds."""
    counts = np.bincount(rows, minlength=number)
    # As a rule atoms rise along each row.
    if len(atoms) < 2 or ((np.diff(atoms) > 0) | (np.diff(rows) > 0)).all():
        return Forms(_starts(counts), atoms, entries)
    order = np.lexsort((atoms, rows))
    same = (np.diff(rows[order]) == 0) & (np.diff(atoms[order]) == 0)
    if not same.any():
        return Forms(_starts(counts), atoms, entries)
    rows, atoms, entries = rows[order], atoms[order], entries[order]
    while same.any():
        # Of each group of equal ones the 2nd goes into the 1st, the 4th into the 3rd, and so on.
        first = np.flatnonzero(~np.concatenate([[False], same]))
        place = np.arange(len(rows)) - np.repeat(first, np.diff(np.append(first, len(rows))))
        into = np.flatnonzero((place[:-1] % 2 == 0) & same)
        total = _add(entries[into], entries[into + 1])
        if total is None:
            return None
        entries[into] = total
        kept = np.ones(len(rows), dtype=bool)
        kept[into + 1] = False
        rows, atoms, entries = rows[kept], atoms[kept], entries[kept]
        same = (np.diff(rows) == 0) & (np.diff(atoms) == 0)
    return Forms(_starts(np.bincount(rows, minlength=number)), atoms, entries)


def substitute(forms: Forms, rows: Integers, of: Integers, entries: NDArray[Any], number: int) -> Forms | None:
    """The forms sum over k with rows[k] = i of entries[k] times form of[k], rows rising; None where that is not easy.

    It is where the forms used are multiples of at most two atoms, without constants, and float64 holds the results.
    """
    if forms.bias is None and len(forms.atoms) == len(forms) and forms.is_atom.all():
        return merge(rows, forms.atoms[of], entries, number)
    counts = forms.counts[of]
    if counts.max(initial=0) > 2 or (forms.bias is not None and (forms.bias[of] != 0).any()):
        return None
    starts = _starts(counts)
    places = np.repeat(forms.starts[of] - starts[:-1], counts) + np.arange(starts[-1])
    products, factors = np.repeat(entries, counts), forms.entries[places]
    if (factors != 1).any():
        found = lossless.multiply_floats(products, factors)
        if found is None:
            return None
        products = found
    return merge(np.repeat(rows, counts), forms.atoms[places], products, number)


def _starts(counts: Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _empty(size: int, *like: NDArray[Any]) -> NDArray[Any]:
    return np.empty(size, dtype=object if any(entries.dtype == object for entries in like) else np.float64)


def _add(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any] | None:
    total = lossless.add(a, b) if a.dtype == object or len(a) <= MOST_FRACTIONS else lossless.add_floats(a, b)
    return None if total is None or (total.dtype == object and a.dtype != object) else total


def _is_exact(entries: NDArray[Any], factors: NDArray[Any], *, divide: bool) -> bool:
    """Whether float64 holds all products (quotients)."""
    if entries.dtype == object or factors.dtype == object:
        return False
    with np.errstate(all="ignore"):
        return (lossless.divide_floats if divide else lossless.multiply_floats)(entries, factors) is not None

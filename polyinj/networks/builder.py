"""Build a network step by step, from tensors that depend on each other in any way without a cycle.

A tensor is kept as affine forms of atoms (`forms.py`) and a view: an array of indices into these forms, in the shape
that the source gives it. Reshaping, slicing and transposing move indices and cost nothing; sums and multiples act on
the forms, exactly. Where a form is not to be had without rounding, as when a matrix meets the forms of another, its
operands become neurons without ReLU first; a ReLU makes neurons of its operands too. `assembly.py` makes layers of
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyinj.errors import InputError
from polyinj.exact import lossless
from polyinj.networks.assembly import Block, assemble
from polyinj.networks.forms import Forms, Integers, substitute
from polyinj.networks.network import LARGEST_MATRIX, Network

# Steps, about one for each entry of a tensor or form that is made: what a file may make a reader do.
_MOST_WORK = 1 << 28
# What an entry that is sorted counts.
_SORTING = 8

Matrix = NDArray[Any] | sparse.csr_array


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor on the way through a network.

    Attributes
    ----------
    forms : Forms
    view : ndarray of int64
        Which form stands where.
    name : str
        What the source calls the operation that made the forms.
    rounding : str
        What of the forms was rounded, and how.
    ending : str
        A strictly monotone function that the source applies to what stands here: then nothing may follow.
    """

    forms: Forms
    view: NDArray[Any]
    name: str = ""
    rounding: str = ""
    ending: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return self.view.shape

    def moved(self, view: NDArray[Any]) -> Tensor:
        """The same forms in other places."""
        check_size(view.shape)
        return replace(self, view=np.asarray(view))

    def reshape(self, shape: tuple[int, ...]) -> Tensor:
        """Another shape for the same entries; one length may be -1."""
        try:
            return replace(self, view=self.view.reshape(shape))
        except ValueError:
            raise InputError(f"a tensor of shape {self.shape} cannot become one of shape {shape}") from None

    def compact(self) -> Tensor:
        """Without forms that stand nowhere, those that stay in their order."""
        used, places = np.unique(self.view, return_inverse=True)
        if len(used) == len(self.forms):
            return self
        return replace(self, forms=self.forms.take(used), view=places.reshape(self.shape))

    def spread(self, values: NDArray[Any]) -> tuple[Tensor, NDArray[Any]]:
        """The tensor, and one value for each of its forms, of an array that broadcasts to its shape."""
        try:
            wide = np.broadcast_to(values, self.shape)
        except ValueError:
            raise InputError(
                f"an array of shape {values.shape} does not broadcast to the tensor of shape {self.shape}"
            ) from None
        tensor = self
        if self.view.size != len(self.forms) or len(np.unique(self.view)) < self.view.size:
            places = np.arange(self.view.size).reshape(self.shape)
            tensor = replace(self, forms=self.forms.take(self.view.ravel()), view=places)
        spread = np.empty(tensor.view.size, dtype=values.dtype)
        spread[tensor.view.ravel()] = wide.ravel()
        return tensor, spread


@dataclass(slots=True)
class Builder:
    """A network under way; `source` is for error messages and the network's repr."""

    source: str
    blocks: list[Block] = field(default_factory=list)
    inputs: int = 0
    work: int = 0
    _levels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1024, dtype=np.int64))
    _relus: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1024, dtype=bool))
    _atoms: int = 0

    def input(self, shape: tuple[int, ...]) -> Tensor:
        """A tensor of inputs, behind those that there are; none is added once a layer has begun."""
        check_size(shape)
        atoms = self._add_atoms(prod(shape), 0, False)
        self.inputs += len(atoms)
        return Tensor(Forms.of_atoms(atoms), np.arange(len(atoms)).reshape(shape))

    def constant(self, values: NDArray[Any]) -> Tensor:
        """A tensor of numbers."""
        return Tensor(Forms.constants(values.ravel()), np.arange(values.size).reshape(values.shape))

    def finish(self, outputs: Sequence[Tensor], input_shape: tuple[int, ...], note: str = "") -> Network:
        """The network that maps all inputs to the entries of these tensors, one behind the other."""
        if not outputs:
            raise InputError(f"{self.source} has no layer with weights; expected at least one")
        parts = self.join(outputs)
        order = np.concatenate([part.view.ravel() for part in parts])
        forms = parts[0].forms.take(order)
        atoms = forms.atoms
        if not forms.is_atom.all() or (not self._levels[atoms].any() and len(atoms) != self.inputs):
            name, rounding = (
                "; ".join(dict.fromkeys(filter(None, texts)))
                for texts in ([part.name for part in outputs], [part.rounding for part in outputs])
            )
            atoms = self._place(forms, False, name, rounding)
        layers = assemble(self.blocks, atoms, self.inputs)
        return Network(tuple(layers), self.source, input_shape, note)

    def join(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The same tensors, all with one and the same forms."""
        if all(tensor.forms is tensors[0].forms for tensor in tensors):
            return list(tensors)
        compact = [tensor.compact() for tensor in tensors]
        forms = Forms.stack([tensor.forms for tensor in compact])
        self.count(len(forms.atoms) + len(forms))
        starts = np.cumsum([0, *(len(tensor.forms) for tensor in compact)])
        return [
            replace(tensor, forms=forms, view=np.asarray(tensor.view + start))
            for tensor, start in zip(compact, starts.tolist(), strict=False)
        ]

    def multiply(self, tensor: Tensor, matrix: NDArray[Any], name: str) -> Tensor:
        """Each vector v along the last axis becomes matrix @ v."""
        if matrix.ndim != 2:
            raise InputError(f"the weights have shape {matrix.shape}; expected a matrix")
        rows, columns = matrix.shape
        if len(tensor.shape) == 0 or tensor.shape[-1] != columns:
            raise InputError(
                f"the weights take vectors of length {columns}, but what comes in has shape {tensor.shape}; flatten "
                "it first, or transpose the weights"
            )
        vectors = prod(tensor.shape[:-1])
        check_entries(vectors * rows, vectors * columns, vectors * rows * columns)
        lines = np.repeat(np.arange(vectors * rows), columns)
        each = np.arange(vectors * columns).reshape(vectors, 1, columns)
        places = np.broadcast_to(each, (vectors, rows, columns))
        entries = np.broadcast_to(matrix, (vectors, rows, columns))
        shape = (*tensor.shape[:-1], rows)
        return self._combine(tensor, lines, places.ravel(), entries.ravel(), shape, name)

    def transform(self, tensor: Tensor, matrix: sparse.csr_array, shape: tuple[int, ...], name: str) -> Tensor:
        """The entries of the tensor, as a vector, times a sparse matrix, in a new shape."""
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        return self._combine(tensor, rows, matrix.indices.astype(np.int64), matrix.data, shape, name)

    def add(self, first: Tensor, second: Tensor, name: str) -> Tensor:
        """Entry by entry, shapes broadcast."""
        try:
            views = np.broadcast_arrays(first.view, second.view)
        except ValueError:
            raise InputError(f"tensors of shapes {first.shape} and {second.shape} do not broadcast") from None
        check_size(views[0].shape)
        both = replace(first, name=first.name or second.name or name, rounding=_both(first, second))
        self.count(_SORTING * views[0].size)
        # Each pair of forms is added once, wherever it stands.
        keys, places = np.unique(views[0].ravel() * len(second.forms) + views[1].ravel(), return_inverse=True)
        pairs = np.divmod(keys, len(second.forms))
        sides = [tensor.forms.take(rows) for tensor, rows in zip((first, second), pairs, strict=True)]
        self.count(sum(len(side.atoms) + len(side) for side in sides))
        forms = sides[0].plus(sides[1])
        for k in range(2):
            if forms is None:
                side = replace(both, forms=sides[k], view=np.arange(len(sides[k])))
                sides[k] = self.place(side, name).forms.take(side.view)
                forms = sides[0].plus(sides[1])
        assert forms is not None
        return replace(both, forms=forms, view=places.reshape(views[0].shape))

    def scale(self, tensor: Tensor, factor: NDArray[Any], name: str, *, divide: bool = False) -> Tensor:
        """The tensor times (by) an array of a shape that broadcasts to it, exactly."""
        if divide and not factor.all():
            raise InputError("a division by zero")
        tensor, factors = replace(tensor, name=tensor.name or name).spread(factor)
        self.count(len(tensor.forms.atoms))
        forms = tensor.forms.scale(factors, divide=divide)
        if forms is None and not divide:
            tensor = self.place(tensor, name)
            forms = tensor.forms.scale(factors)
        if forms is not None:
            return replace(tensor, forms=forms)
        with np.errstate(over="ignore", under="ignore"):
            entries = tensor.forms.entries / np.repeat(factors.astype(np.float64), tensor.forms.counts)
        bias = tensor.forms.bias
        forms = replace(tensor.forms, entries=entries, bias=None if bias is None else lossless.divide(bias, factors))
        return _rounded(tensor, forms, f"{name} divided in float64: each weight has a relative error below 2^-52")

    def shift(self, tensor: Tensor, offset: NDArray[Any], name: str) -> Tensor:
        """The tensor plus an array of a shape that broadcasts to it, exactly."""
        tensor, offsets = replace(tensor, name=tensor.name or name).spread(offset)
        return replace(tensor, forms=tensor.forms.shift(offsets))

    def normalise(
        self,
        tensor: Tensor,
        mean: NDArray[Any],
        variance: NDArray[Any],
        epsilon: float,
        gain: Any,
        offset: Any,
        name: str,
    ) -> Tensor:
        """Fold (x - mean) / sqrt(variance + epsilon) * gain + offset into the forms; one entry a channel (axis 1).

        The root is irrational as a rule: this is computed in float64 and said in `Tensor.rounding`. Zeros stay zero and
        equal entries of a row stay equal.
        """
        channels = (len(mean), *[1] * (len(tensor.shape) - 2))
        if len(tensor.shape) < 2 or tensor.shape[1] != len(mean):
            raise InputError(f"{len(mean)} channels are normalised, but the tensor has shape {tensor.shape}")
        if not np.isfinite(epsilon) or (variance + epsilon <= 0).any():
            raise InputError("variance + epsilon is not a positive number")
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            factor = np.asarray(gain / np.sqrt(variance + epsilon), dtype=np.float64)
            tensor, scale = replace(tensor, name=tensor.name or name).spread(np.reshape(factor, channels))
            centre, add, zero = (tensor.spread(np.reshape(a, channels))[1] for a in (mean, offset, gain == 0))
            forms = tensor.forms
            bias = np.zeros(len(forms)) if forms.bias is None else forms.bias.astype(np.float64)
            before = forms.entries.astype(np.float64)
            entries, bias = before * np.repeat(scale, forms.counts), (bias - centre) * scale + add
        # Below the normal numbers the relative error grows, and weights become 0 that are not.
        kept = np.abs(entries) >= np.finfo(np.float64).tiny
        if not (kept | (before == 0) | np.repeat(zero, forms.counts)).all():
            raise InputError("the folded weights are too small for float64")
        if not (np.isfinite(entries).all() and np.isfinite(bias).all()):
            raise InputError("the folded weights are too large for float64")
        note = f"{name} folded in float64: each weight has a relative error below 2^-50"
        return _rounded(tensor, replace(forms, entries=entries, bias=bias), note)

    def relu(self, tensor: Tensor, name: str) -> Tensor:
        """A ReLU of every entry."""
        self.count(_SORTING * tensor.view.size)
        if tensor.forms.is_atom[tensor.view].all() and self._relus[tensor.forms.atoms].all():
            return tensor  # ReLU twice is ReLU once
        tensor = tensor.compact()
        atoms = self._place(tensor.forms, True, tensor.name or name, tensor.rounding)
        return Tensor(Forms.of_atoms(atoms), tensor.view)

    def place(self, tensor: Tensor, name: str) -> Tensor:
        """The same tensor with every form an atom: others become neurons without ReLU."""
        tensor = tensor.compact()
        done = tensor.forms.is_atom
        if done.all():
            return tensor
        rest = np.flatnonzero(~done)
        atoms = self._place(tensor.forms.take(rest), False, tensor.name or name, tensor.rounding)
        order = np.empty(len(done), dtype=np.int64)
        order[done], order[rest] = np.arange(done.sum()), done.sum() + np.arange(len(rest))
        forms = Forms.stack([tensor.forms.take(np.flatnonzero(done)), Forms.of_atoms(atoms)])
        return Tensor(forms.take(order), tensor.view)

    def count(self, entries: int) -> None:
        """Refuse what would take too long."""
        self.work += entries
        if self.work > _MOST_WORK:
            raise InputError(f"up to here reading takes {self.work} steps; allowed are {_MOST_WORK}")

    def _combine(
        self, tensor: Tensor, rows: Integers, places: Integers, entries: NDArray[Any], shape: tuple[int, ...], name: str
    ) -> Tensor:
        """New forms: sums of entries times what stands at places of the tensor; rows rise."""
        check_size(shape)
        self.count(len(rows) + tensor.view.size)
        if entries.dtype == object:
            entries = lossless.shorten(entries)
        number, rounding = prod(shape), tensor.rounding
        forms = substitute(tensor.forms, rows, tensor.view.ravel()[places], entries, number)
        if forms is None:
            tensor, rounding = self.place(tensor, name), ""
            forms = substitute(tensor.forms, rows, tensor.view.ravel()[places], entries, number)
        if forms is None:  # copies of one atom, whose multiples add up to something that float64 does not hold
            atoms = self._place(tensor.forms.take(tensor.view.ravel()), False, name, "")
            forms = substitute(Forms.of_atoms(atoms), rows, places, entries, number)
            assert forms is not None
        return Tensor(forms, np.arange(number).reshape(shape), name, rounding)

    def _place(self, forms: Forms, relu: bool, name: str, rounding: str) -> Integers:
        self.count(len(forms.atoms) + len(forms))
        level = 1 + int(self._levels[forms.atoms].max(initial=0))
        atoms = self._add_atoms(len(forms), level, relu)
        self.blocks.append(Block(int(atoms[0]), forms, relu, level, name, rounding))
        return atoms

    def _add_atoms(self, number: int, level: int, relu: bool) -> Integers:
        start, self._atoms = self._atoms, self._atoms + number
        if self._atoms > len(self._levels):
            for name in ("_levels", "_relus"):
                old = getattr(self, name)
                wide = np.zeros(2 * self._atoms, dtype=old.dtype)
                wide[:start] = old[:start]
                setattr(self, name, wide)
        self._levels[start : self._atoms], self._relus[start : self._atoms] = level, relu
        return np.arange(start, self._atoms)


def check_size(shape: Sequence[int]) -> None:
    """Refuse a tensor of too many entries, or of none, before it takes memory."""
    if not 0 < prod(shape) <= LARGEST_MATRIX:
        raise InputError(
            f"a tensor of shape {tuple(shape)} has {prod(shape)} entries; allowed are 1 to {LARGEST_MATRIX}"
        )


def check_entries(rows: int, columns: int, entries: int) -> None:
    """Refuse a matrix of too many entries before it takes memory."""
    if entries > LARGEST_MATRIX:
        raise InputError(
            f"as a matrix of shape {rows} x {columns} this has {entries} entries; allowed are {LARGEST_MATRIX}; try a "
            "smaller input or an earlier end (--until)"
        )


def _both(first: Tensor, second: Tensor) -> str:
    return "; ".join(dict.fromkeys(filter(None, (first.rounding, second.rounding))))


def _rounded(tensor: Tensor, forms: Forms, note: str) -> Tensor:
    return replace(tensor, forms=forms, rounding="; ".join(filter(None, [tensor.rounding, note])))

"""Linear forms of one layer, substituted down to the input: for all neurons at once, or each group in its cone.

For each form, a neuron of the layer that is bounded (and for lines that are not parallel its negative), it holds that

    the neuron >= F h + C - E    for the outputs h of the layer reached, of every input of the box,

with F and C as they are stored, and E >= 0 for what was rounded and, where lines are parallel, for half of what is
between them; then F h + C + E is above the neuron too. Arrays of forms have the shape (groups, boxes, forms of a group,
columns): one group of all neurons and all columns, or the groups of a sparse matrix with the columns in their cones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from polyinj.relaxation.float_layers import FloatLayer, SparseLayer
from polyinj.relaxation.float_relu import Lines
from polyinj.relaxation.layer_bounds import Bounds
from polyinj.relaxation.rounding import DOUBLE, Floats, Forms, Workspace, outward, reach, times
from polyinj.relaxation.sparsity import Pattern, Places, cone_of

# Of the forms of the boxes that are substituted at once.
_PART_BYTES = 4 << 20
# Multiplications that leaving out zeros must save for a box, to be worth copying the rest.
_WORTH_COPYING = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One layer as the substitution passes it, y = Wh + b and then its ReLUs.

    `value` is what F y is worth but for F W: b, or for the first layer Wc + b, c the centre of the box. `sizes` bound
    |W| |h| + |b|, and `inputs` the sum of |h|, which underflow is multiplied by. `forgets`: what lies between parallel
    lines is counted elsewhere.
    """

    layer: FloatLayer
    lines: Lines | None
    value: Floats
    sizes: Floats
    inputs: Floats
    forgets: bool

    def map(self, change: Callable[[Floats], Floats]) -> Step:
        """Other boxes; or neurons in groups, arrays of shape (groups, boxes, neurons)."""
        lines = self.lines and self.lines.map(change)
        return Step(self.layer, lines, change(self.value), change(self.sizes), self.inputs, self.forgets)

    def of_boxes(self, boxes: slice) -> Step:
        """For some of the boxes."""
        part = self.map(lambda vectors: vectors[boxes])
        return Step(part.layer, part.lines, part.value, part.sizes, self.inputs[boxes], self.forgets)


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """The forms to begin with: rows of W, by group; where they have their neurons; matrices of the layers before."""

    forms: Forms
    pattern: Pattern | None
    supports: tuple[Places, ...]
    matrices: tuple[Forms, ...]
    parallel: bool

    @classmethod
    def of(cls, last: FloatLayer, steps: list[Step], *, parallel: bool) -> _Start:
        """For bounds of the layer behind the steps: in cones where it and the one before are sparse."""
        before: list[SparseLayer] = []
        for step in reversed(steps):
            if not isinstance(step.layer, SparseLayer):
                break
            before.append(step.layer)
        if isinstance(last, SparseLayer) and before:
            cone = cone_of(last.pattern, tuple(layer.pattern for layer in before))
            forms = last.pattern.blocks(last.data)[:, None]
            matrices = tuple(layer.data[places] for layer, places in zip(before, cone.entries, strict=False))
            started = cls(forms, last.pattern, cone.supports, matrices, parallel)
        else:
            started = cls(last.matrix()[None, None], None, (), (), parallel)
        if parallel:
            return started
        return replace(started, forms=np.concatenate([started.forms, -started.forms], axis=2))

    def bytes_of_a_box(self, columns: int) -> int:
        """Of the largest array of forms, if all columns of a layer are used."""
        groups, _, forms, width = self.forms.shape
        widest = max([width, *(matrix.shape[-1] for matrix in self.matrices)])
        return int(groups * forms * max(widest, 0 if self.matrices else columns) * self.forms.itemsize)

    def grouped(self, vectors: Floats) -> Floats:
        """Of each neuron, shape (boxes, m), to (groups, boxes, forms of a group)."""
        rows = _gathered(vectors, None if self.pattern is None else self.pattern.rows)
        return rows if self.parallel else np.concatenate([rows, rows], axis=-1)

    def ungrouped(self, vectors: Floats) -> Floats:
        """The other way round, to (1, boxes, forms of all)."""
        if self.pattern is None:
            return vectors
        groups, boxes, _ = vectors.shape
        sides = vectors.reshape(groups, boxes, -1, self.pattern.rows.shape[1]).transpose(1, 2, 0, 3)
        return self.pattern.ungrouped(sides).reshape(1, boxes, -1)

    def spread_out(self, forms: Forms, support: Places, columns: int) -> Forms:
        """Forms of groups as forms with all columns, in one group."""
        assert self.pattern is not None
        groups, boxes, count, _ = forms.shape
        signs = 1 if self.parallel else 2
        whole = np.zeros((1, boxes, signs * self.pattern.shape[0], columns), dtype=forms.dtype)
        parts = forms.reshape(groups, boxes, signs, count // signs, -1)
        target = whole.reshape(boxes, signs, -1, columns)
        for group, filled, places in zip(parts, self.pattern.rows, support, strict=True):
            rows, read = filled[filled < self.pattern.shape[0]], places[places < columns]
            target[:, :, rows[:, None], read] = group[:, :, : len(rows), : len(read)]
        return whole


def substitute(
    last: FloatLayer, lost: Floats, steps: list[Step], radius: Floats, *, parallel: bool, space: Workspace
) -> Bounds:
    """Bounds of a layer, from what the steps before it say of their ReLUs; `lost` is E to begin with."""
    start = _Start.of(last, steps, parallel=parallel)
    boxes = len(radius)
    below, above = np.empty((boxes, last.rows)), np.empty((boxes, last.rows))
    at_once = max(1, _PART_BYTES // start.bytes_of_a_box(max(step.layer.columns for step in steps)))
    for first in range(0, boxes, at_once):
        part = slice(first, first + at_once)
        own = [step.of_boxes(part) for step in steps]
        least, most = _ends(start, last, lost[part], own, radius[part], space)
        below[part] = least[:, : last.rows]
        above[part] = most if parallel else -least[:, last.rows :]
    return Bounds(below, above)


def _ends(
    start: _Start, last: FloatLayer, lost: Floats, steps: list[Step], radius: Floats, space: Workspace
) -> tuple[Floats, Floats]:
    """The lower and upper ends of all forms, shape (boxes, forms)."""
    forms, support = start.forms, start.supports[0] if start.supports else None
    constant, lost = start.grouped(np.broadcast_to(last.bias, lost.shape)), start.grouped(lost)
    if not start.parallel:
        constant[..., constant.shape[-1] // 2 :] *= -1
    for number, step in enumerate(reversed(steps)):
        here = step.map(partial(_gathered, places=support))
        passing = _pass_parallel if start.parallel else _pass
        forms, shift, error = passing(here, forms, space)
        constant = constant + shift
        lost = lost + error + DOUBLE.share(2) * (np.abs(constant) + np.abs(shift))
        if number < len(start.matrices):
            forms = _pull_groups(forms, start.matrices[number], space)
            support = start.supports[number + 1]
            continue
        if support is not None:
            forms = start.spread_out(forms, support, step.layer.rows)
            constant, lost, support = start.ungrouped(constant), start.ungrouped(lost), None
        forms = _pull(step, forms, space)
    width = reach(np.abs(forms, out=forms), _gathered(radius, support), last.rounding)
    lost = DOUBLE.grown(lost + width + DOUBLE.share(2) * np.abs(constant), 2 * len(steps) + 4)
    least, most = outward(constant, lost, lost)
    return (least[0], most[0]) if support is None else (start.ungrouped(least)[0], start.ungrouped(most)[0])


def _pull_groups(forms: Forms, matrix: Forms, space: Workspace) -> Forms:
    """G W where each group has its own part of W."""
    groups, boxes, count, width = forms.shape
    pulled = space.take("pulled", groups, boxes * count, matrix.shape[-1])
    np.matmul(forms.reshape(groups, boxes * count, width), matrix, out=pulled)
    return pulled.reshape(groups, boxes, count, -1)


def _gathered(vectors: Floats, places: Places | None) -> Floats:
    """Vectors (boxes, n), of each group its places: (groups, boxes, places); 0 where groups are filled up."""
    if places is None:
        return vectors[None]
    padded = np.concatenate([vectors, np.zeros((len(vectors), 1))], axis=1)
    return np.ascontiguousarray(padded[:, places].transpose(1, 0, 2))


def _pull(step: Step, forms: Forms, space: Workspace) -> Forms:
    """G W, without the columns of G that are zero in a box: those of its dead neurons."""
    _, boxes, rows, terms = forms.shape
    pulled = space.take("pulled", 1, boxes, rows, step.layer.columns)
    dead = np.zeros((boxes, terms), dtype=bool)
    if step.lines is not None and not isinstance(step.layer, SparseLayer):
        dead = step.lines.dead
    if dead.sum() * rows * step.layer.columns < _WORTH_COPYING * boxes:
        return step.layer.pull(forms, pulled)
    whole = step.layer.matrix()
    for form, out, zero in zip(forms[0], pulled[0], dead, strict=True):
        kept = np.flatnonzero(~zero)
        narrow, matrix = space.take("narrow", rows, len(kept)), space.take("kept", len(kept), step.layer.columns)
        # Indices are in range; the other modes copy once more.
        np.take(form, kept, axis=1, out=narrow, mode="clip")
        np.take(whole, kept, axis=0, out=matrix, mode="clip")
        np.matmul(narrow, matrix, out=out)
    return pulled


def _pass(step: Step, forms: Forms, space: Workspace) -> tuple[Forms, Floats, Floats]:
    """Forms G of y for forms F of ReLU(y); what they add to C, and to E with their product G W."""
    if step.lines is None:
        return _pass_on(step, forms, space)
    rounding, shape = step.layer.rounding, (len(forms), step.value.shape[1], *forms.shape[2:])
    plus = np.maximum(forms, 0, out=space.take("plus", *forms.shape))
    minus = np.minimum(forms, 0, out=space.take("minus", *forms.shape))
    lines = step.lines.map(lambda slopes: np.asarray(slopes.astype(rounding.dtype)[..., None, :]))
    shift = times(minus, step.lines.intercept)
    error = (rounding.share(shape[-1]) + DOUBLE.share(1)) * np.abs(shift)
    passed = np.multiply(plus, lines.below, out=space.take("passed", *shape))
    lowered = np.multiply(minus, lines.above, out=space.take("lowered", *shape))
    absolute = np.subtract(passed, lowered, out=space.take("absolute", *shape))
    passed += lowered
    return passed, shift + times(passed, step.value), error + _rounded(step, absolute, step.sizes)


def _pass_parallel(step: Step, forms: Forms, space: Workspace) -> tuple[Forms, Floats, Floats]:
    """The same for parallel lines: F ReLU(y) is F (slope y + half) and at most |F| half from it."""
    if step.lines is None:
        return _pass_on(step, forms, space)
    rounding, shape = step.layer.rounding, (len(forms), step.value.shape[1], *forms.shape[2:])
    half = 0.5 * step.lines.intercept
    absolute = np.abs(forms, out=space.take("absolute", *forms.shape))
    between = reach(absolute, half, rounding)
    error = rounding.share(shape[-1]) * between + _rounded(step, absolute, step.lines.above * step.sizes)
    shift = times(forms, half)
    slopes = step.lines.above.astype(rounding.dtype)[..., None, :]
    passed = np.multiply(forms, slopes, out=space.take("passed", *shape))
    return passed, shift + times(passed, step.value), error if step.forgets else error + between


def _pass_on(step: Step, forms: Forms, space: Workspace) -> tuple[Forms, Floats, Floats]:
    """A layer without ReLU: G is F."""
    absolute = np.abs(forms, out=space.take("absolute", *forms.shape))
    passed = space.take("passed", len(forms), step.value.shape[1], *forms.shape[2:])
    passed[...] = forms
    return passed, times(forms, step.value), _rounded(step, absolute, step.sizes)


def _rounded(step: Step, absolute: Forms, sizes: Floats) -> Floats:
    """What is rounded in a step that multiplies forms G, |G| times `sizes` as large as `absolute` times these.

    Of G its own rounding; of G W and G (b or Wc + b) sums of as many terms as G has columns, and W rounded; of Wc + b,
    its own sum. Each is a share of |G| (|W| |h| + |b|).
    """
    rounding = step.layer.rounding
    share = rounding.share(2 * absolute.shape[-1]) + DOUBLE.share(step.layer.terms + 1)
    underflow = rounding.tiny * (step.inputs + step.sizes.sum(axis=(0, 2))[:, None] + 1)
    rounded: Floats = share * reach(absolute, sizes, rounding) + 2 * underflow
    return rounded

"""The exact range of a network's output on a box: the linear regions inside the box, each by its vertices.

    regions of no layer: the box
    for each ReLU layer: cut every region by every neuron that takes both signs on its vertices
    a neuron is affine on a region, and so is the output: its extremes are at vertices

A region is the cone {(x, t) : rows (x, t) >= 0} over it, given by its rows; `extreme_rays` turns those into vertices
in integers. The number of regions grows like (neurons)^n: this is for few inputs and small networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from polyinj.errors import BudgetExceeded, InputError
from polyinj.exact.algebra import IntegerRows, coprime, dot
from polyinj.geometry.exact_cone import extreme_rays
from polyinj.networks.network import Network
from polyinj.relaxation.network_bounds import read_box, read_layers

AffineForm = list[Fraction]


@dataclass(frozen=True, slots=True)
class ExactRange:
    """The least and the greatest value of each output on the box, both attained, and how many regions there are."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    regions: int


@dataclass(frozen=True, slots=True)
class _LinearRegion:
    """{(x, t) : rows (x, t) >= 0}, its rays, and the outputs of the last layer as rows in (x, t)."""

    rows: IntegerRows
    rays: list[tuple[int, ...]]
    outputs: list[AffineForm]


def exact_range(network: Network, lower: ArrayLike, upper: ArrayLike, *, max_regions: int = 20_000) -> ExactRange:
    """The exact range of each output of a ReLU network on a box.

    Parameters
    ----------
    network : Network
    lower, upper : array_like, shape (n,)
        lower < upper in every entry.
    max_regions : int
        The most linear regions allowed.

    Raises
    ------
    InputError
        A box without interior, or sides that do not fit.
    BudgetExceeded
        More regions.

    Examples
    --------
    >>> from polyinj.networks.network import NetworkLayer
    >>> hidden = NetworkLayer([[1.0, 1.0], [1.0, -1.0]], None, "relu")
    >>> network = Network((hidden, NetworkLayer([[1.0, 1.0]], [0.5], None)), "example")
    >>> exact_range(network, [-1, -1], [1, 1])
    ExactRange(lower=(Fraction(1, 2),), upper=(Fraction(5, 2),), regions=4)
    """
    n = network.widths[0]
    box = read_box(lower, upper, n, exact=True)
    if box.lower.ndim != 1:
        raise InputError(f"lower has shape {box.lower.shape}; expected ({n},): one box")
    if (box.lower == box.upper).any():
        raise InputError("the box has no interior; expected lower < upper in every entry")
    regions = [_start(list(box.lower), list(box.upper))]
    for layer in read_layers(network, exact=True):
        pairs = list(zip(layer.weights.tolist(), layer.bias.tolist(), strict=True))
        below: list[_LinearRegion] = []
        for region in regions:
            forms = [_combine(row, region.outputs, shift) for row, shift in pairs]
            below += _cut(region, forms, layer.relu.tolist())
            if len(below) > max_regions:
                raise BudgetExceeded(f"more than {max_regions} linear regions; raise max_regions or shrink the box")
        regions = below
    values = np.array(
        [[Fraction(_at(form, ray), ray[-1]) for form in region.outputs] for region in regions for ray in region.rays],
        dtype=object,
    )
    return ExactRange(tuple(values.min(axis=0)), tuple(values.max(axis=0)), len(regions))


def _start(lower: list[Fraction], upper: list[Fraction]) -> _LinearRegion:
    n = len(lower)
    eye = [[Fraction(int(i == j)) for j in range(n + 1)] for i in range(n)]
    facets = [[*row[:n], -low] for row, low in zip(eye, lower, strict=True)]
    facets += [[*(-entry for entry in row[:n]), high] for row, high in zip(eye, upper, strict=True)]
    rows = [_integers(facet) for facet in facets]
    return _LinearRegion(rows, extreme_rays(rows, n + 1), eye)


def _combine(weights: AffineForm, outputs: list[AffineForm], shift: Fraction) -> AffineForm:
    form = [dot(weights, column) for column in zip(*outputs, strict=True)]
    form[-1] += shift
    return form


def _integers(form: AffineForm) -> list[int]:
    scale = int(np.lcm.reduce([entry.denominator for entry in form], dtype=object))
    return coprime([int(entry * scale) for entry in form])


def _at(form: AffineForm, ray: tuple[int, ...]) -> Fraction:
    return dot(ray, form)


def _cut(region: _LinearRegion, forms: list[AffineForm], relus: list[bool]) -> list[_LinearRegion]:
    """The regions of a layer, with its ReLUs, inside one region of the layers before."""
    parts = [(region.rows, region.rays, list[AffineForm]())]
    for form, relu in zip(forms, relus, strict=True):
        if not relu:
            parts = [(rows, rays, [*outputs, form]) for rows, rays, outputs in parts]
            continue
        zero = [Fraction(0)] * len(form)
        after = []
        for rows, rays, outputs in parts:
            values = [_at(form, ray) for ray in rays]
            if min(values) >= 0 or max(values) <= 0:
                after.append((rows, rays, [*outputs, form if max(values) > 0 else zero]))
                continue
            row = _integers(form)
            for side, output in ((row, form), ([-entry for entry in row], zero)):
                inside = [*rows, side]
                after.append((inside, extreme_rays(inside, len(form)), [*outputs, output]))
        parts = after
    return [_LinearRegion(*part) for part in parts]

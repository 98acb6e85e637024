"""The Jacobians of x -> A ReLU(W x + b), exactly, as a function of the signs of few rows.

Where neuron i is positive it adds a_i w_i' to the Jacobian, a_i being column i of A. Before anything is searched:

- neurons with w_i = 0 are constant and leave;
- of neurons whose hyperplanes coincide, (w_i, b_i) = c_i (w, b), one stays: c_i > 0 adds c_i a_i to its column; c_i < 0
  adds |c_i| a_i to it and -|c_i| a_i w' everywhere, since the neuron is positive where the other is negative;
- neurons of one sign in the interior of a box or ball add all or nothing;
- neurons whose column is then zero leave.

What remains is J(s) = J_0 + sum_i s_i a_i w_i' with s in {0, 1}^k, no two hyperplanes equal. The map is A ReLU(Wx + b)
itself, so nothing is lost but signs that no Jacobian depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import frexp, lcm

import numpy as np
from numpy.typing import NDArray

from polyinj.certificates.domain import Ball, Box, Domain, squared_length
from polyinj.certificates.layer import Layer
from polyinj.exact import arrays
from polyinj.geometry.simplify import simplify
from polyinj.lipschitz.operator_norm import FractionRows

Floats = NDArray[np.float64]

_UNIT = 2.0**-53


@dataclass(frozen=True, slots=True, eq=False)
class Jacobians:
    """J(s) = base + sum_i s_i columns[i] weights[i]' for the neurons `rows` of a layer, and the same in floats.

    Attributes
    ----------
    layer : Layer
        The neurons that matter, on the domain.
    neurons : list of int
        Which row of the input each of them is.
    base, columns, weights : lists of lists of Fraction
        Shapes (outputs, n), (k, outputs), (k, n).
    scale : Fraction
        A power of two; floats are the exact numbers over it.
    unit, whole_steps : Fraction and lists of int
        Row-major matrices columns[i] weights[i]', as multiples of the unit.
    base_floats, steps : ndarray
        Shapes (outputs n,) and (k, outputs n): row-major matrices, rounded to nearest.
    margin : float
        Bounds the error of any norm used here of base_floats + s @ steps, s in [0, 1]^k, computed in floats.
    """

    layer: Layer
    neurons: list[int]
    base: FractionRows
    columns: FractionRows
    weights: FractionRows
    unit: Fraction
    whole_steps: list[list[int]]
    scale: Fraction
    base_floats: Floats
    steps: Floats
    margin: float

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, n)."""
        return len(self.base), len(self.base[0])

    def at(self, active: Sequence[bool]) -> FractionRows:
        """The exact Jacobian where just these neurons are positive."""
        total = [0] * (len(self.base) * len(self.base[0]))
        for is_active, step in zip(active, self.whole_steps, strict=True):
            if is_active:
                total = [value + entry for value, entry in zip(total, step, strict=True)]
        entries = iter(total)
        return [[value + next(entries) * self.unit for value in row] for row in self.base]


def read_jacobians(layer: Layer, output: FractionRows) -> Jacobians:
    """Reduce a layer, with rows `output` of shape (outputs, m), to the neurons that its Jacobians depend on."""
    weights = arrays.fractions(layer.weights)
    bias = None if layer.bias is None else [Fraction(entry) for entry in layer.bias.tolist()]
    n, outputs = len(weights[0]), len(output)
    base = [[Fraction(0)] * n for _ in range(outputs)]
    columns: dict[int, list[Fraction]] = {}
    first: dict[int, int] = {}
    simple = simplify(layer.weights, None if layer.is_linear else layer.lifted()[:, -1])
    for i, line in enumerate(simple.row_of.tolist()):
        if not any(weights[i]):
            continue
        rep = first.setdefault(line, i)
        j = next(j for j, entry in enumerate(weights[rep]) if entry)
        ratio = weights[i][j] / weights[rep][j]
        column = [abs(ratio) * row[i] for row in output]
        columns[rep] = [a + b for a, b in zip(columns.get(rep, [Fraction(0)] * outputs), column, strict=True)]
        if ratio < 0:
            _add(base, column, weights[rep], -1)
    for rep in list(columns):
        side = _side(layer.domain, weights[rep], Fraction(0) if bias is None else bias[rep])
        if side > 0:
            _add(base, columns[rep], weights[rep], 1)
        if side or not any(columns[rep]):
            del columns[rep]
    kept = list(columns)
    reduced = Layer(layer.weights[kept], None if layer.bias is None else layer.bias[kept], layer.domain)
    return _rounded(reduced, kept, base, list(columns.values()), [weights[i] for i in kept])


def _add(base: FractionRows, column: list[Fraction], weights: list[Fraction], sign: int) -> None:
    for o, factor in enumerate(column):
        base[o] = [value + sign * factor * w for value, w in zip(base[o], weights, strict=True)]


def _side(domain: Domain | None, weights: list[Fraction], bias: Fraction) -> int:
    """The sign of w.x + b in the interior of the domain; 0 where it has both."""
    if isinstance(domain, Ball):
        middle = sum((w * c for w, c in zip(weights, domain.centre, strict=True)), bias)
        reach = domain.radius**2 * squared_length(weights)
        return 0 if middle**2 < reach else (1 if middle > 0 else -1)
    if isinstance(domain, Box):
        for sign in (1, -1):
            least = _least(domain, [sign * w for w in weights])
            if least is not None and least + sign * bias >= 0:
                return sign
    return 0


def _least(box: Box, weights: list[Fraction]) -> Fraction | None:
    """The least w.x in a box; None where it has none."""
    total = Fraction(0)
    for w, low, high in zip(weights, box.lower, box.upper, strict=True):
        side = low if w > 0 else high
        if w and side is None:
            return None
        total += w * (side or 0)
    return total


def _rounded(
    layer: Layer, kept: list[int], base: FractionRows, columns: FractionRows, weights: FractionRows
) -> Jacobians:
    flat = [entry for row in base for entry in row]
    steps = [[a * w for a in column for w in row] for column, row in zip(columns, weights, strict=True)]
    unit = Fraction(1, lcm(*(entry.denominator for row in steps for entry in row)))
    whole = [[int(entry / unit) for entry in row] for row in steps]
    largest = max((abs(entry) for row in (flat, *steps) for entry in row), default=Fraction(0))
    scale = _power_of_two(largest)
    floats = np.array([float(entry / scale) for entry in flat])
    step_floats = np.array([[float(entry / scale) for entry in row] for row in steps]).reshape(len(steps), len(flat))
    # Every entry of a sum is off by (k + 2) half-ulps of the sum of sizes; a norm is at most the sum of all entries.
    size = float(np.abs(floats).sum() + np.abs(step_floats).sum())
    margin = 8 * (len(steps) + len(flat) + 8) * _UNIT * size
    return Jacobians(layer, kept, base, columns, weights, unit, whole, scale, floats, step_floats, margin)


def _power_of_two(value: Fraction) -> Fraction:
    if not value:
        return Fraction(1)
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return Fraction(2) ** (exponent + frexp(float(value / Fraction(2) ** exponent))[1])

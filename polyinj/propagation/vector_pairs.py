"""Pairs of vectors of any length at any angle, down to 10^-300 and below: what is carried through a deep network.

Deep in a network two inputs are equal to the last bit long before their angle is of no interest, and lengths leave the
range of doubles. So a pair (x, y) is kept as

    x = e^s X,    y = e^eta (x + e^t D),

with rows of X and D of length 1 (or 0) and real logarithms s, t, eta. The step e^t D goes through a layer as a
difference, by cases, never by subtraction of two nearly equal outputs; e^eta takes up what x and y differ in length, so
that the step is free of it (a layer without bias is positively homogeneous). Every operation is exact up to rounding in
each of X, D and the logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[Any]

# Squared lengths of which no part was lost to underflow.
_SAFE = {np.dtype(np.float64): 1e-200, np.dtype(np.float32): 1e-20}


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Rows values[i] * exp(logs[i]); rows of values have length 1, or 0 with logarithm -inf."""

    values: Rows
    logs: Floats

    @classmethod
    def of(cls, values: Rows, logs: Floats | float = 0.0) -> Scaled:
        """Any finite rows, made to have length 1."""
        square = np.einsum("ij,ij->i", values, values)
        if len(square) and _SAFE[square.dtype] < square.min() and square.max() < 1 / _SAFE[square.dtype]:
            return cls(values / np.sqrt(square)[:, None], logs + 0.5 * np.log(square.astype(np.float64)))
        # Squares that leave the range, and rows of zeros.
        largest = np.abs(values).max(axis=1, keepdims=True)
        safe = np.where(largest > 0, largest, 1)
        unit = values / safe
        lengths = np.sqrt(np.einsum("ij,ij->i", unit, unit))[:, None]
        unit /= np.where(lengths > 0, lengths, 1)
        with np.errstate(divide="ignore"):
            total = logs + np.log(largest[:, 0].astype(np.float64)) + np.log(lengths[:, 0].astype(np.float64))
        return cls(unit, total)

    def on_scale(self, logs: Floats) -> Rows:
        """The rows over exp(logs), which are not below theirs by so much that anything overflows."""
        return self.values * _exp(self.logs - logs, self.values.dtype)[:, None]

    def shifted(self, logs: Floats | float) -> Scaled:
        """Times exp(logs)."""
        return Scaled(self.values, self.logs + logs)


def add(*terms: Scaled) -> Scaled:
    """The sum, on the scale of the greatest term of each row."""
    scale = np.max([term.logs for term in terms], axis=0)
    scale = np.where(np.isfinite(scale), scale, 0.0)
    return Scaled.of(sum(term.on_scale(scale) for term in terms), scale)  # type: ignore[arg-type]


def _exp(logs: Floats, dtype: Any) -> Rows:
    """exp, kept below the largest number of the type."""
    return np.asarray(np.exp(np.minimum(logs, np.log(float(np.finfo(dtype).max)) - 8)), dtype=dtype)


def log_abs_expm1(x: Floats) -> Floats:
    """ln |e^x - 1|, for all real x to full relative precision."""
    with np.errstate(divide="ignore"):
        return np.where(x > 0, x, 0.0) + np.log(-np.expm1(-np.abs(x)))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs (x, y) in R^m: x = first, y = exp(log_ratio) (first + step)."""

    first: Scaled
    step: Scaled
    log_ratio: Floats

    @classmethod
    def of(cls, x: Scaled, y: Scaled) -> Pairs:
        """From the vectors themselves."""
        ratio = np.where(np.isfinite(x.logs) & np.isfinite(y.logs), y.logs - x.logs, 0.0)
        difference = add(y.shifted(-ratio), Scaled(-x.values, x.logs))
        return cls(x, difference, ratio).aligned()

    def second(self) -> Scaled:
        """y."""
        return add(self.first, self.step).shifted(self.log_ratio)

    def difference(self) -> Scaled:
        """y - x = (e^eta - 1) x + e^eta step."""
        return add(_times_expm1(self.first, self.log_ratio), self.step.shifted(self.log_ratio))

    def linear(self, weights: Rows, log_scale: float, bias: Rows | None, log_bias: float) -> Pairs:
        """W x + b and W y + b, for W = exp(log_scale) weights, b = exp(log_bias) bias."""
        count = len(self.log_ratio)
        product = np.concatenate([self.first.values, self.step.values]) @ weights.T
        first = Scaled.of(product[:count], self.first.logs + log_scale)
        step = Scaled.of(product[count:], self.step.logs + log_scale)
        if bias is None:
            return Pairs(first, step, self.log_ratio)
        # Either y' = e^eta (W x + b + W d + (e^-eta - 1) b), or y' = W x + b + [(e^eta - 1) W x + e^eta W d]: the one
        # in which the term beside W d is the smaller, so that it is not nearly parallel to the new x and then all.
        shift = Scaled.of(np.broadcast_to(bias, first.values.shape), np.full(count, log_bias))
        reset = shift.logs > first.logs
        kept = add(step, _times_expm1(shift, -self.log_ratio))
        whole = add(step.shifted(self.log_ratio), _times_expm1(first, self.log_ratio))
        values = np.where(reset[:, None], whole.values, kept.values)
        logs = np.where(reset, whole.logs, kept.logs)
        return Pairs(add(first, shift), Scaled(values, logs), np.where(reset, 0.0, self.log_ratio))

    def relu(self) -> Pairs:
        """Both rectified: of the step, a neuron keeps what x and x + step have in common with the positive half."""
        x, d = self.first, self.step
        with np.errstate(invalid="ignore", over="ignore"):
            # x on the scale of the step. A zero row is 0 on every scale; a step too small to be seen changes no sign.
            gap = np.where(np.isfinite(x.logs) & np.isfinite(d.logs), x.logs - d.logs, 0.0)
            base = x.values * _exp(gap, x.values.dtype)[:, None]
        moved = np.where(base > 0, np.maximum(d.values, -base), np.maximum(base + d.values, 0))
        return Pairs(Scaled.of(np.maximum(x.values, 0), x.logs), Scaled.of(moved, d.logs), self.log_ratio)

    def decomposed(self) -> tuple[Floats, Scaled, Floats]:
        """step = along * x + across, across orthogonal to x; with |across| / |x|. Rows with x = 0 give 0, step, inf."""
        along = np.einsum("ij,ij->i", self.step.values, self.first.values)
        across = Scaled.of(self.step.values - along[:, None] * self.first.values, self.step.logs)
        with np.errstate(invalid="ignore", over="ignore"):
            ratio = np.exp(self.step.logs - self.first.logs)
            share, height = along.astype(np.float64) * ratio, np.exp(across.logs - self.first.logs)
        alive = np.isfinite(self.first.logs)
        return np.where(alive & np.isfinite(ratio), share, 0.0), across, np.where(alive, height, np.inf)

    def aligned(self) -> Pairs:
        """The same pairs, with a step orthogonal to x where the angle is below 60 degrees, and |y| = |x| elsewhere.

        A step that keeps a part along x would in the end be nothing else, and the angle would be lost in its rounding.
        """
        along, across, height = self.decomposed()
        near = (1 + along > 0) & (height <= np.sqrt(3) * (1 + along))
        growth = np.log1p(np.where(near, along, 0.0))
        aligned = Pairs(self.first, Scaled(across.values, across.logs - growth), self.log_ratio + growth)
        if near.all():
            return aligned
        whole = add(self.first, self.step)
        turned = ~near & np.isfinite(whole.logs) & np.isfinite(self.first.logs)
        turn = np.where(turned, whole.logs - self.first.logs, 0.0) if turned.any() else growth
        chord = Scaled.of(whole.values - self.first.values, self.first.logs)
        values, logs, ratio = aligned.step.values.copy(), aligned.step.logs.copy(), aligned.log_ratio.copy()
        values[turned], logs[turned], ratio[turned] = (
            chord.values[turned],
            chord.logs[turned],
            (self.log_ratio + turn)[turned],
        )
        # One of the two is 0, or their sum is.
        rest = ~near & ~turned
        values[rest], logs[rest] = self.step.values[rest], self.step.logs[rest]
        return Pairs(self.first, Scaled(values, logs), ratio)

    def angles(self) -> tuple[Floats, Floats]:
        """1 - cosine, and ln sin^2 of the angle of each pair, shape (P,), to full relative precision; nan where 0."""
        second = add(self.first, self.step)
        along, across, height = self.decomposed()
        dead = ~(np.isfinite(self.first.logs) & np.isfinite(second.logs))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            length = np.hypot(1 + along, height)
            acute, obtuse = height / length * (height / (length + 1 + along)), 1 - (1 + along) / length
            log_sin2 = 2 * (across.logs - self.first.logs - np.log(length))
        gap = np.where(1 + along >= 0, acute, obtuse)
        return np.where(dead, np.nan, gap), np.where(dead, np.nan, log_sin2)

    def take(self, rows: slice) -> Pairs:
        """Some of the pairs."""
        return Pairs(
            Scaled(self.first.values[rows], self.first.logs[rows]),
            Scaled(self.step.values[rows], self.step.logs[rows]),
            self.log_ratio[rows],
        )

    def joined(self, other: Pairs) -> Pairs:
        """These pairs, then others."""
        parts = ((self.first, other.first), (self.step, other.step))
        first, step = (Scaled(np.concatenate([a.values, b.values]), np.concatenate([a.logs, b.logs])) for a, b in parts)
        return Pairs(first, step, np.concatenate([self.log_ratio, other.log_ratio]))

    def astype(self, dtype: str) -> Pairs:
        """The same in another floating type."""
        first, step = (Scaled(rows.values.astype(dtype), rows.logs) for rows in (self.first, self.step))
        return Pairs(first, step, self.log_ratio)

    def plus(self, branch: Pairs, change: Floats) -> Pairs:
        """(x + x', y + y') for pairs (x', y') with log_ratio eta' = eta + change."""
        # y + y' = e^eta [x + x' + step + (e^change - 1) x' + e^change step'].
        step = add(self.step, _times_expm1(branch.first, change), branch.step.shifted(change))
        return Pairs(add(self.first, branch.first), step, self.log_ratio)


def _times_expm1(rows: Scaled, exponents: Floats) -> Scaled:
    """The rows times e^x - 1."""
    sign = np.sign(exponents)[:, None].astype(rows.values.dtype)
    return Scaled(rows.values * sign, rows.logs + log_abs_expm1(exponents))

"""Is one ReLU layer injective? The verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyinj.errors import CertificateError
from polyinj.geometry import exact
from polyinj.geometry.sweep import direction_beside_ray, sweep
from polyinj.injectivity.certificate import Collision
from polyinj.injectivity.collide import active_rows, collision_at
from polyinj.injectivity.layer import Layer, read_layer

# Rays that the sweep visits in seconds.
_REACHABLE_RAYS = 20_000_000
_STARTS, _STEPS = 50, 40


class Verdict(Enum):
    """What is known; UNDECIDED is never a guess."""

    INJECTIVE = "injective"
    NOT_INJECTIVE = "not injective"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Witness:
    """A point and the number of rows that are active there, {i : w_i.x >= 0}, counted exactly."""

    point: tuple[Fraction, ...]
    active: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one layer x -> ReLU(Wx).

    Attributes
    ----------
    verdict : Verdict
    certificate : Collision or None
        The proof of NOT_INJECTIVE.
    depth_lower_bound : int
        At least so many rows are active in every direction; the depth itself where the layer was swept.
    best_witness : Witness or None
        The direction with the fewest active rows that was met.
    """

    verdict: Verdict
    certificate: Collision | None
    depth_lower_bound: int
    best_witness: Witness | None
    layer: Layer = field(repr=False)

    def verify(self) -> None:
        """Check the certificate in exact arithmetic; CertificateError when it fails or there is none."""
        if self.certificate is None:
            raise CertificateError(f"the verdict {self.verdict.value!r} carries no certificate")
        self.certificate.verify(self.layer.weights, self.layer.bias)


def decide_injectivity(weights: ArrayLike) -> Decision:
    """Decide exactly whether x -> ReLU(Wx) is injective on R^n.

    Parameters
    ----------
    weights : array_like, shape (m, n)
        Rows are neurons, in general position unless their rank is below n; float64, float32, int or Fraction, read
        exactly.

    Returns
    -------
    Decision
        UNDECIDED where the sweep of all rays would take too long and a short descent found no witness.

    Raises
    ------
    InputError
        Bad input, or rows that are not in general position.

    Examples
    --------
    >>> decide_injectivity([[1, 0], [0, 1], [-1, -1]]).verdict
    <Verdict.NOT_INJECTIVE: 'not injective'>
    """
    layer = read_layer(weights)
    m, n = layer.weights.shape
    rows = exact.integer_rows(layer.weights)
    if exact.rank(rows) < n:
        return _not_injective(layer, exact.kernel(rows, n)[0], 0)
    if comb(m, n - 1) <= _REACHABLE_RAYS:
        found = sweep(layer.weights)
        direction = direction_beside_ray(rows, found.tight, found.depth)
        if found.depth < n:
            return _not_injective(layer, direction, found.depth)
        return Decision(Verdict.INJECTIVE, None, found.depth, _witness(layer, direction), layer)
    direction = [int(entry) for entry in np.rint(_descend(exact.float_rows(layer.weights)[0]) * 2**30)]
    witness = _witness(layer, direction)
    if witness.active < n:
        return _not_injective(layer, direction, 0)
    return Decision(Verdict.UNDECIDED, None, 0, witness, layer)


def _not_injective(layer: Layer, direction: list[int], depth: int) -> Decision:
    collision = collision_at(layer, direction)
    assert collision is not None, "fewer than n active rows cannot span"
    return Decision(Verdict.NOT_INJECTIVE, collision, depth, _witness(layer, direction), layer)


def _witness(layer: Layer, direction: list[int]) -> Witness:
    return Witness(tuple(map(Fraction, direction)), len(active_rows(layer, direction)))


def _descend(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """A unit direction with few active rows; nothing is proven about it.

    From -mean of the normalised rows, then from random starts: step away from the active row with the smallest value,
    which is the cheapest to switch off, and keep the best direction met.
    """
    rng = np.random.default_rng(0)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    best, fewest = np.ones(rows.shape[1]), len(rows) + 1
    for start in range(_STARTS):
        x = np.asarray(rng.standard_normal(rows.shape[1]) if start else -unit.mean(axis=0))
        for _ in range(_STEPS):
            x = x / max(float(np.linalg.norm(x)), 1e-300)
            values = unit @ x
            active = np.flatnonzero(values >= 0)
            if len(active) < fewest:
                best, fewest = x, len(active)
            if not len(active):
                break
            nearest = active[np.argmin(values[active])]
            x = x - (values[nearest] + 0.01) * unit[nearest]
    return best

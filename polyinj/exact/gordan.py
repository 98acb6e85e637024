"""Gordan's alternative, exactly: some of the vectors v_i have a positive relation, or v_i.z < 0 for all i at some z."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyinj.exact.farkas import Combination, farkas


@dataclass(frozen=True, slots=True)
class Alternative:
    """Either `circuit`, the places of vectors with a unique and positive relation, or `direction` z, in integers."""

    circuit: tuple[int, ...] | None
    direction: tuple[int, ...] | None


def alternative(vectors: Sequence[Sequence[int]]) -> Alternative:
    """Decide between a circuit and a separating direction.

    Farkas' lemma for the generators (v_i ; 1) and the target (0 ; 1): a combination uses independent generators, so the
    relation of their v_i is the only one; a separating row (y, t) has t < 0 and y.v_i >= -t > 0.

    Examples
    --------
    >>> alternative([[1, 0], [0, 1], [-1, 0]])
    Alternative(circuit=(0, 2), direction=None)
    >>> alternative([[1, 0], [0, 1]]).circuit is None
    True
    """
    found = farkas([[*v, 1] for v in vectors], [0] * len(vectors[0]) + [1])
    if isinstance(found, Combination):
        return Alternative(tuple(i for i, multiplier in enumerate(found.multipliers) if multiplier > 0), None)
    return Alternative(None, tuple(-entry for entry in found.row[:-1]))

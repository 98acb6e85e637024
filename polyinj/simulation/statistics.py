"""Ready statistics: an (m, n) matrix in, numbers out.

Those that decide rest on general position, which holds with probability one for continuous ensembles; a matrix that
breaks it raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from polyinj.geometry.arrangement import Arrangement
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Verdict
from polyinj.injectivity.depth import tukey_depth
from polyinj.injectivity.witness import closest_to_witness


def decision(matrix: NDArray[Any]) -> dict[str, float]:
    """Indicator columns injective, not_injective, undecided."""
    verdict = decide_injectivity(matrix, rank_proof=False, certificate=False).verdict
    return {
        "injective": verdict is Verdict.INJECTIVE,
        "not_injective": verdict is Verdict.NOT_INJECTIVE,
        "undecided": verdict is Verdict.UNDECIDED,
    }


def depth(matrix: NDArray[Any]) -> float:
    """Tukey depth of the origin among the rows."""
    return tukey_depth(matrix).depth


def euler_characteristic(matrix: NDArray[Any]) -> float:
    """Euler characteristic of the witness set {x on the sphere: fewer than n rows positive}."""
    return Arrangement(matrix).euler_characteristic()


def decision_and_euler_characteristic(matrix: NDArray[Any]) -> dict[str, float]:
    """The columns of `decision`, and chi of the witness set."""
    return {**decision(matrix), "chi": euler_characteristic(matrix)}


def betti_numbers(matrix: NDArray[Any]) -> dict[str, float]:
    """Columns b0, ..., b{n-1}: Betti numbers over GF(2), and chi, their alternating sum."""
    betti = Arrangement(matrix).betti_numbers()
    chi = sum(betti[::2]) - sum(betti[1::2])
    return {**{f"b{i}": b for i, b in enumerate(betti)}, "chi": chi}


def component_count(matrix: NDArray[Any]) -> float:
    """Number of connected components."""
    return len(Arrangement(matrix).components())


def face_counts(matrix: NDArray[Any]) -> dict[str, float]:
    """Columns F[d,p]: faces of linear dimension d = 1..n with p = 0..n-1 positives."""
    n = matrix.shape[1]
    counts = Arrangement(matrix).face_counts(n - 1)
    return {f"F[{d},{p}]": int(counts[d, p]) for d in range(1, n + 1) for p in range(n) if p < counts.shape[1]}


@dataclass(frozen=True, slots=True)
class WitnessFound:
    """Whether a search of so many steps finds a witness: columns found (0 or 1) and active.

    active is the fewest active rows met, divided by n; the search ends at a witness, so it is below 1 exactly where one
    was found, by no more than it took. Exact counts; a witness not found proves nothing.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.random.default_rng(0).standard_normal((120, 20))
    >>> WitnessFound(steps=1000)(weights)
    {'found': True, 'active': 0.95}
    """

    steps: int
    seed: int = 0

    def __call__(self, matrix: NDArray[Any]) -> dict[str, float]:
        columns = matrix.shape[1]
        active = closest_to_witness(matrix, seed=self.seed, steps=self.steps).active
        return {"found": active < columns, "active": active / columns}

"""Ready statistics: an (m, n) matrix in, numbers out.

Budgets are named arguments, set by functools.partial: `partial(decision, node_limit=10_000)`. A trial that spends its
budget has no answer, and is counted as such: `decision` has a column for it, other statistics give nan. A limit of
time makes the answers depend on the machine; one of nodes or cells does not.

Those with `assumes_general_position` rest on any n rows being independent, which holds with probability one for
ensembles that declare `continuous = True`, and `simulate` accepts them for no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from numpy.typing import NDArray

from polyinj.errors import BudgetExceeded
from polyinj.geometry.arrangement import Arrangement
from polyinj.geometry.face_union import FaceUnion
from polyinj.injectivity.decide import decide_injectivity
from polyinj.injectivity.decision import Verdict
from polyinj.injectivity.depth import tukey_depth
from polyinj.injectivity.witness import annealed_active, closest_to_witness


def decision(
    matrix: NDArray[Any], *, node_limit: int | None = None, time_limit: float | None = None
) -> dict[str, float]:
    """Indicator columns injective, not_injective, undecided; injective rests on general position.

    Examples
    --------
    >>> import numpy as np
    >>> decision(np.random.default_rng(0).standard_normal((12, 4)))
    {'injective': 0.0, 'not_injective': 1.0, 'undecided': 0.0}
    """
    return _indicators(matrix, False, node_limit, time_limit)


def decision_and_nodes(matrix: NDArray[Any], *, node_limit: int | None = None) -> dict[str, float]:
    """The columns of `decision`, and nodes of the proof search: the cost, counted the same on every machine.

    Examples
    --------
    >>> import numpy as np
    >>> decision_and_nodes(np.random.default_rng(0).standard_normal((12, 4)))
    {'injective': 0.0, 'not_injective': 1.0, 'undecided': 0.0, 'nodes': 0.0}
    """
    return _indicators(matrix, False, node_limit, None, nodes=True)


def decision_by_rank(
    matrix: NDArray[Any], *, node_limit: int | None = None, time_limit: float | None = None
) -> dict[str, float]:
    """The columns of `decision`, proven without any assumption: for discrete ensembles and trained rows. Slower.

    Examples
    --------
    >>> import numpy as np
    >>> decision_by_rank(np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]))
    {'injective': 1.0, 'not_injective': 0.0, 'undecided': 0.0}
    """
    return _indicators(matrix, True, node_limit, time_limit)


def depth(matrix: NDArray[Any], *, time_limit: float | None = None) -> float:
    """Tukey depth of the origin among the rows; nan where the time limit, in seconds, was reached."""
    try:
        return tukey_depth(matrix, time_limit=time_limit).depth
    except BudgetExceeded:
        return nan


def euler_characteristic(
    matrix: NDArray[Any], *, max_positive: int | None = None, max_cells: int | None = None
) -> float:
    """Euler characteristic of {x on the sphere: at most max_positive rows positive}; nan beyond max_cells.

    By default max_positive is n - 1: of the witness set.
    """
    try:
        return Arrangement(matrix, max_cells=max_cells).euler_characteristic(max_positive)
    except BudgetExceeded:
        return nan


def union_euler_characteristic(matrix: NDArray[Any], *, vectors: Sequence[Sequence[int]]) -> float:
    """Euler characteristic of {x on the sphere : W x in the union of orthant faces with these sign vectors}.

    Examples
    --------
    >>> import numpy as np
    >>> union_euler_characteristic(np.array([[1.0], [2.0]]), vectors=((1, 1), (-1, -1)))
    2
    """
    return FaceUnion(tuple(map(tuple, vectors))).section_euler_characteristic(matrix)


def decision_and_euler_characteristic(
    matrix: NDArray[Any],
    *,
    chi_max_n: int | None = None,
    node_limit: int | None = None,
    time_limit: float | None = None,
) -> dict[str, float]:
    """The columns of `decision` and, up to n = chi_max_n, chi of the witness set."""
    columns = decision(matrix, node_limit=node_limit, time_limit=time_limit)
    if chi_max_n is None or matrix.shape[1] <= chi_max_n:
        columns["chi"] = euler_characteristic(matrix)
    return columns


def betti_numbers(matrix: NDArray[Any], *, max_cells: int | None = None) -> dict[str, float]:
    """Columns b0, ..., b{n-1}: Betti numbers over GF(2) of the witness set, and chi, their alternating sum."""
    names = [f"b{i}" for i in range(matrix.shape[1])]
    try:
        betti = Arrangement(matrix, max_cells=max_cells).betti_numbers()
    except BudgetExceeded:
        return dict.fromkeys([*names, "chi"], nan)
    return {**dict(zip(names, betti, strict=True)), "chi": sum(betti[::2]) - sum(betti[1::2])}


def face_counts(
    matrix: NDArray[Any], *, max_positive: int | None = None, max_cells: int | None = None
) -> dict[str, float]:
    """Columns F{d},{p}: faces of dimension d with p positives, d = 0..n, p = 0..m (up to max_positive)."""
    m, n = matrix.shape
    last = m if max_positive is None else min(m, max_positive)
    names = [f"F{d},{p}" for d in range(n + 1) for p in range(last + 1)]
    try:
        counts = Arrangement(matrix, max_cells=max_cells).face_counts(max_positive)
    except BudgetExceeded:
        return dict.fromkeys(names, nan)
    return dict(zip(names, counts[:, : last + 1].ravel().tolist(), strict=True))


def component_count(matrix: NDArray[Any], *, max_cells: int | None = None) -> float:
    """Number of connected components of the witness set; nan beyond max_cells."""
    try:
        return len(Arrangement(matrix, max_cells=max_cells).components())
    except BudgetExceeded:
        return nan


def _indicators(
    matrix: NDArray[Any], rank_proof: bool, node_limit: int | None, time_limit: float | None, *, nodes: bool = False
) -> dict[str, float]:
    found = decide_injectivity(
        matrix, rank_proof=rank_proof, certificate=False, node_limit=node_limit, time_limit=time_limit
    )
    columns = {
        "injective": float(found.verdict is Verdict.INJECTIVE),
        "not_injective": float(found.verdict is Verdict.NOT_INJECTIVE),
        "undecided": float(found.verdict is Verdict.UNDECIDED),
    }
    return {**columns, "nodes": float(found.stats.nodes)} if nodes else columns


@dataclass(frozen=True, slots=True)
class WitnessFound:
    """Whether a search of `steps` steps finds a witness: columns found (0 or 1) and active.

    active is the fewest active rows at a point of the search, divided by n. It is below 1 exactly where a witness was
    found, by no more than that took, since the search ends there. Exact counts; a witness not found proves nothing.

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


@dataclass(frozen=True, slots=True)
class AnnealedActive:
    """The fewest active rows that one anneal of each length finds: columns named by the lengths, in steps.

    Exact counts, each an upper bound of the Tukey depth of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.random.default_rng(0).standard_normal((325, 50))
    >>> AnnealedActive((30, 300))(weights)
    {'30': 85, '300': 49}
    """

    lengths: tuple[int, ...]
    seed: int = 0

    def __call__(self, matrix: NDArray[Any]) -> dict[str, float]:
        return {str(steps): annealed_active(matrix, seed=self.seed, steps=steps) for steps in self.lengths}


for _statistic in (decision, decision_and_nodes, decision_and_euler_characteristic):
    _statistic.assumes_general_position = True  # type: ignore[attr-defined]

"""Local search on rays: few active rows, fast, without proof that there is no better point.

A ray on which n - 1 independent rows are zero stands for the cell beside it where those are negative. A step leaves
one of them; the others span a pencil, in which one sort by angle counts the active rows of every ray, and the search
takes the best that no recent step forbids (csrc/witness.c). It starts at -mean of the normalised rows, later anywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status
from polyinj.injectivity._local_search import LocalSearch
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.problem import Problem

_STEPS_A_SLICE = 64
# A step takes about as many multiplications as the vectors have entries, times their length.
_SLICE_OPERATIONS = 1 << 28


def fewest_active(
    problem: Problem, limits: Limits, *, stop_at: int, seed: int = 0, steps: int = 2**62
) -> NDArray[np.float64] | None:
    """The direction with the fewest active rows of at most `steps` steps; None if none was admissible.

    The search stops where at most `stop_at` rows are active.
    """
    search = LocalSearch(problem.rows, problem.sides, seed=seed, linear=problem.columns)
    vectors = len(problem.rows) + (0 if problem.sides is None else len(problem.sides))
    most = max(1, min(_STEPS_A_SLICE, _SLICE_OPERATIONS // (vectors * problem.rows.shape[1] ** 2)))
    while search.steps < steps and limits.leave(0):
        status = search.run(min(most, steps - search.steps), stop_at)
        if status == Status.STUCK:  # In doubles the vectors do not span.
            return None
        if status == Status.WITNESS:
            break
    admissible = search.best_count <= len(problem.rows)
    return search.best_direction if admissible else None

"""What every search of one question about a layer begins with; other processes are sent it as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyinj.injectivity._branch_and_bound import CountSearch, RankSearch
from polyinj.injectivity.driver import Search
from polyinj.injectivity.problem import Problem


@dataclass(frozen=True, slots=True)
class Start:
    """Called, it makes a search.

    Attributes
    ----------
    problem, record, memory_limit
        As the searches take them.
    budget : int or None
        Positive rows allowed; None asks for the rank.
    blocks : ndarray or None
        The block of each row of a count; None lets the search arrange them,
    common : ndarray or None
        and what rows have in common besides their inner products keeps them apart.
    """

    problem: Problem
    budget: int | None
    record: bool
    memory_limit: int
    blocks: NDArray[np.int32] | None = None
    common: NDArray[np.float64] | None = None

    def __call__(self) -> Search:
        """A search at its beginning; ValueError where in doubles the vectors do not span."""
        problem = self.problem
        rows, error, sides, linear = problem.rows, problem.error, problem.sides, problem.columns
        if self.budget is None:
            return RankSearch(rows, error, sides, linear=linear, record=self.record, memory_limit=self.memory_limit)
        return CountSearch(
            rows,
            error,
            sides,
            budget=self.budget,
            linear=linear,
            blocks=self.blocks,
            common=self.common,
            record=self.record,
            memory_limit=self.memory_limit,
        )

"""Running a transition: a fixed grid, or trials where they narrow the crossings most."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from polyinj._version import __version__
from polyinj.errors import InputError
from polyinj.fitting.adaptive import Placement, expected_width, place_trials
from polyinj.fitting.counts import Counts
from polyinj.fitting.crossing import estimate_crossings
from polyinj.fitting.intervals import UNSEEN, Interval
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import Job, Simulation
from polyinj.simulation.executors import local_processes
from polyinj.simulation.statistics import decision_and_euler_characteristic, decision_and_nodes
from polyinj.simulation.store.store import Store
from polyinj.simulation.trials import Statistic
from polyinj.studies.live_crossing import LiveCrossing
from polyinj.studies.runner import check_integers, run_study, shapes
from polyinj.studies.transition import Transition
from polyinj.studies.transition_row import Row

# What a matrix costs before the search for a proof starts, in nodes of that search.
_NODES_BEFORE = 30
# Rounds grow with what is known, so that their number grows with its logarithm only.
_FIRST_ROUND = 64
_GROWTH = 3
_NO_TRIALS = np.empty((0, 3))


def estimate_transition(
    n: Sequence[int],
    aspect_ratios: Sequence[float],
    trials: int,
    *,
    seed: int | None,
    chi_max_n: int = 5,
    workers: int | None = None,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Transition:
    """Estimate where random Gaussian ReLU layers become injective, and put the predictions beside it.

    For each n and each m = round(ratio * n): draw matrices, decide injectivity of each exactly, and up to n = chi_max_n
    compute the Euler characteristic chi of the witness set of each.

    Parameters
    ----------
    n : sequence of int
        Input dimensions, each at least 1.
    aspect_ratios : sequence of float
        Values of m/n, each at least 1; duplicates after rounding are dropped.
    trials : int
        Matrices for each shape, at least 1.
    seed : int or None
        Same seed, same table, whatever the workers; None draws one and stores it.
    chi_max_n : int
        Largest n for which chi is computed (it visits all C(m-1, n-1) rays).
    workers : int, optional
        Processes on this machine; by default one a core.
    executor : concurrent.futures.Executor, optional
        Runs the trials instead.
    store : path or Store, optional
        File that keeps every trial as it is done, as in `simulate`.
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    InputError
        An empty or invalid list, trials < 1, a negative seed.

    Examples
    --------
    >>> run = estimate_transition([2], [2, 3, 4], 50, seed=0, workers=1, progress=False)
    >>> run
    Transition(n=[2], 3 shapes, 150 matrices; seed=0)
    >>> [row.m for row in run.rows]
    [4, 6, 8]
    """
    statistic = partial(decision_and_euler_characteristic, chi_max_n=chi_max_n)
    design = {(k, m): Job(GaussianEnsemble(m, k), statistic, trials) for k, m in shapes(n, aspect_ratios)}
    note = LiveCrossing(list(design.values()))
    seed, found = run_study(
        design, seed=seed, workers=workers, executor=executor, store=store, progress=progress, note=note
    )
    rows = [Row.of_trials(k, m, run.columns, run.values) for (k, m), run in found.items()]
    return Transition.of_rows(rows, seed, __version__)


def locate_transition(
    n: Sequence[int],
    *,
    width: float,
    max_trials: int,
    seed: int | None,
    time_limit: float | None = None,
    node_limit: int | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Transition:
    """Find where P(injective) = 1/2, spending trials where they narrow that crossing most for their cost.

    Trials come in rounds. After each, `polyinj.fitting.adaptive.place_trials` places the next ones for every n whose
    interval is still too wide. It sees nothing but the outcomes and node counts of completed rounds, so that the table
    depends on the arguments alone, not on workers, machine or load.

    Parameters
    ----------
    n : sequence of int
        Input dimensions, each at least 1.
    width : float
        Wished width of the 95% interval of the crossing, in m/n; an n that has it gets no more trials.
    max_trials : int
        Matrices for each n, at most.
    seed : int or None
        Same seed, same table; None draws one and stores it.
    time_limit : float, optional
        Seconds after which no round starts. The table is then that of the rounds done: each row is right, but how many
        there are depends on the machine.
    node_limit : int, optional
        Nodes after which a matrix is left undecided; undecided matrices widen the intervals.
    workers, executor, store, progress
        As in `estimate_transition`.

    Raises
    ------
    InputError
        An empty list, n < 1, a width or a time limit that is not positive, max_trials < 1, a negative seed.

    Examples
    --------
    >>> run = locate_transition([2], width=0.5, max_trials=2000, seed=0, workers=1, progress=False)
    >>> run.crossings[0].half_low < 3.64 < run.crossings[0].half_high
    True
    """
    searches = _searches(n, width, max_trials)
    if time_limit is not None and not time_limit > 0:
        raise InputError(f"time_limit is {time_limit}; expected seconds > 0")
    statistic = partial(decision_and_nodes, node_limit=node_limit) if node_limit is not None else decision_and_nodes
    deadline = np.inf if time_limit is None else time.monotonic() + time_limit
    with ExitStack() as stack:
        opened = stack.enter_context(_opened(store))
        if seed is None:
            seed = secrets.randbits(63) if opened is None or opened.is_new else opened.design.seed
        where = executor if executor is not None else stack.enter_context(local_processes(workers))
        while time.monotonic() < deadline or not any(search.cells for search in searches):
            design = {job.ensemble.shape: job for search in searches for job in search.next_round(seed, statistic)}
            if not design:
                break
            said = ", ".join(filter(None, (search.said() for search in searches)))
            note = partial(_say, said)
            _, found = run_study(design, seed=seed, executor=where, store=opened, progress=progress, note=note)
            for search in searches:
                search.add(found)
    rows = [
        Row.of_counts(search.n, m, len(cell), int(cell[:, 0].sum()), int(cell[:, 1].sum()))
        for search in searches
        for m, cell in search.cells.items()
    ]
    return Transition.of_rows(rows, seed, __version__)


def _say(text: str, *_: object) -> str:
    return text


@dataclass(slots=True)
class _Search:
    """One n: the trials done by m, as rows (injective, undecided, nodes), and the crossing as last estimated."""

    n: int
    width: float
    max_trials: int
    cells: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    half: Interval = UNSEEN

    def next_round(self, seed: int, statistic: Statistic) -> list[Job]:
        """The trials to run next; none where the crossing is known well enough."""
        jobs = []
        for placement in self._placements(seed):
            start = len(self.cells.get(placement.position, _NO_TRIALS))
            ensemble = GaussianEnsemble(placement.position, self.n)
            jobs.append(Job(ensemble, statistic, start + placement.trials, start))
        return jobs

    def _placements(self, seed: int) -> list[Placement]:
        done = sum(map(len, self.cells.values()))
        if not done:
            return place_trials(None, np.array([]), self.max_trials, floor=self._floor(), guess=6 * self.n)
        places = sorted(self.cells)
        sums = np.array([self.cells[m].sum(axis=0) for m in places])
        trials = np.array([len(self.cells[m]) for m in places])
        counts = Counts(places, trials, sums[:, 0], sums[:, 1])
        # The first rounds only look for the place: what they say of its interval means little.
        worth_it = done >= _FIRST_ROUND * 3 and expected_width(counts) / self.n <= 1.25 * self.width
        if worth_it:
            self.half = estimate_crossings(counts, (0.5,), seed=seed).reported.at[0].scaled(1 / self.n)
        if self.half.high - self.half.low <= self.width or done >= self.max_trials:
            return []
        size = min(max(_FIRST_ROUND, done // _GROWTH), self.max_trials - done)
        costs = _NODES_BEFORE + sums[:, 2] / trials
        return place_trials(counts, costs, size, floor=self._floor(), guess=6 * self.n)

    def add(self, found: Mapping[tuple[int, int], Simulation]) -> None:
        """Keep what the simulations of shapes (m, n) found for this n."""
        for (m, n), simulation in found.items():
            if n == self.n:
                rows = np.stack([simulation.column(name) for name in ("injective", "undecided", "nodes")], axis=1)
                self.cells[m] = np.concatenate([self.cells.get(m, _NO_TRIALS), rows])

    def said(self) -> str:
        return f"n={self.n}: {self.half.low:.2f}..{self.half.high:.2f}" if self.half.value == self.half.value else ""

    def _floor(self) -> int:
        """No layer with at most these rows is injective: the depth is at most (m - n + 1) / 2 in general position."""
        return 3 * self.n - 2


def _searches(ns: Sequence[int], width: float, max_trials: int) -> list[_Search]:
    check_integers("n", ns)
    if not (np.isfinite(width) and width > 0):
        raise InputError(f"width is {width}; expected the width of an interval of m/n, a number > 0")
    if max_trials < 1:
        raise InputError(f"max_trials is {max_trials}; expected an integer >= 1")
    return [_Search(n, width, max_trials) for n in sorted({int(k) for k in ns})]


@contextmanager
def _opened(store: Store | str | os.PathLike[str] | None) -> Iterator[Store | None]:
    if store is None or isinstance(store, Store):
        yield store
        return
    with Store(store) as opened:
        yield opened

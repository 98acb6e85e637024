"""Replica predictions: ground state energy and injectivity threshold with k steps of symmetry breaking, and k -> oo.

e(alpha) = sup of alpha R - S over chi and the step functions c (see `polyinj.theory.parisi`), with R > 0. So the
threshold, where e = 1, is a minimum over the same parameters:

    e(alpha) >= 1   <=>   alpha >= (1 + S) / R for some parameters,        threshold = min (1 + S) / R,

and of any other energy b in place of 1.

A larger k only enlarges the set of parameters: energies increase with k, thresholds decrease. A step function that
follows a smooth c on k steps can keep lambda, the integral of c, right up to k^-2, and the functional is stationary. So
the values approach their limit as k^-4, with corrections in k^-5, k^-6: the limit is extrapolated by that law.
`polyinj.theory.replica_search` finds the optima.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log

import numpy as np

from polyinj.theory.domain import read_count, read_real
from polyinj.theory.parisi import Vector
from polyinj.theory.replica_search import ReplicaSolution, solve

_MARGINS = (-4.0, 4.0)
# Budgets are strictly between. Below, the steps of the search become too small; above, balls of 192 bits soon are.
LEAST_BUDGET, MOST_BUDGET = 1e-7, 100.0


def replica_energy(alpha: float, levels: int, *, kappa: float = 0.0) -> ReplicaSolution:
    """Ground state energy e(alpha): the least share (1/n) #{i : w_i.x >= kappa |x|} with `levels` steps.

    Parameters
    ----------
    alpha : float
        Aspect ratio m/n, above 0.
    levels : int
        0 is replica symmetric, a proven lower bound of e (Gordon). Of k >= 1 steps one limit is proven: one step with
        q_0 -> 0, c constant on (0, 1], whose supremum is a lower bound of e at kappa = 0 too, and is 1 at m/n = 7.4486
        (`polyinj.theory.lifted_gordon`). The best step has q_0 > 0, so the values returned for levels >= 1 are not
        proven, from either side.
    kappa : float
        Margin in (-4, 4); 0 for injectivity.

    Returns
    -------
    ReplicaSolution
        value 0 with chi = inf where the energy vanishes.

    Raises
    ------
    InputError
        A parameter outside its range.

    Examples
    --------
    >>> round(replica_energy(7, 0).value, 6), round(replica_energy(7, 1).value, 6)
    (0.850706, 1.08126)
    """
    alpha = read_real(alpha, "alpha", above=0)
    return solve(alpha, read_count(levels, "levels", 0), read_real(kappa, "kappa", *_MARGINS))


def replica_threshold(levels: int, *, kappa: float = 0.0, budget: float = 1.0) -> ReplicaSolution:
    """Aspect ratio where the energy with `levels` steps reaches the budget, 1 for injectivity; see `replica_energy`.

    A budget b asks for directions along which at most b n rows are active, 1e-7 < b < 100.

    Raises
    ------
    InputError
        A parameter outside its range.

    Examples
    --------
    >>> [round(replica_threshold(levels).value, 9) for levels in (0, 1, 2)]
    [7.647694935, 6.715696838, 6.700391949]
    """
    budget = read_real(budget, "budget", LEAST_BUDGET, MOST_BUDGET)
    return solve(None, read_count(levels, "levels", 0), read_real(kappa, "kappa", *_MARGINS), budget)


def full_rsb_threshold(*, levels: int = 12, kappa: float = 0.0, budget: float = 1.0) -> ReplicaSolution:
    """The threshold with full symmetry breaking: levels 1, ..., `levels` are computed and extrapolated.

    Parameters
    ----------
    levels : int
        At least 4. 12 take about ten seconds and give 8 decimals.
    kappa : float
        Margin in (-4, 4).
    budget : float
        As for `replica_threshold`.

    Returns
    -------
    ReplicaSolution
        value is the limit; q and c are those of the last level, sequence the values of all of them.

    Raises
    ------
    InputError
        A parameter outside its range.

    Notes
    -----
    The limit solves v_k = v + a k^-4 + b k^-5 + d k^-6 at the last four levels. error is its distance to what the last
    three give without d. Where the values do not follow the law, the last of them is returned with a wide error.

    Examples
    --------
    >>> round(full_rsb_threshold(levels=6).value, 5)
    6.69805
    """
    return _extrapolate(replica_threshold(read_count(levels, "levels", 4), kappa=kappa, budget=budget))


def full_rsb_energy(alpha: float, *, levels: int = 12, kappa: float = 0.0) -> ReplicaSolution:
    """Ground state energy with full symmetry breaking, extrapolated like `full_rsb_threshold`.

    Raises
    ------
    InputError
        A parameter outside its range.

    Examples
    --------
    >>> round(full_rsb_energy(7.0, levels=6).value, 5)
    1.08681
    """
    return _extrapolate(replica_energy(alpha, read_count(levels, "levels", 4), kappa=kappa))


@dataclass(frozen=True, slots=True)
class EnergyCurves:
    """e(alpha) at the given aspect ratios: replica symmetric, with one step, and the full limit with its errors."""

    aspect_ratios: tuple[float, ...]
    symmetric: tuple[float, ...]
    one_step: tuple[float, ...]
    full: tuple[float, ...]
    errors: tuple[float, ...]


def energy_curves(aspect_ratios: Iterable[float], *, levels: int = 5) -> EnergyCurves:
    """The three energy curves that the ladder of thresholds is drawn from; `levels` as in `full_rsb_energy`.

    Raises
    ------
    InputError
        A parameter outside its range.

    Examples
    --------
    >>> curves = energy_curves([3.0], levels=4)
    >>> round(curves.symmetric[0], 4), round(curves.one_step[0], 4), round(curves.full[0], 4)
    (0.0975, 0.1173, 0.1176)
    """
    ratios = tuple(read_real(alpha, "aspect ratio", above=0) for alpha in aspect_ratios)
    found = [full_rsb_energy(alpha, levels=levels) for alpha in ratios]
    return EnergyCurves(
        ratios,
        tuple(solution.sequence[0] for solution in found),
        tuple(solution.sequence[1] for solution in found),
        tuple(solution.value for solution in found),
        tuple(solution.error for solution in found),
    )


def _extrapolate(solution: ReplicaSolution) -> ReplicaSolution:
    values = np.array(solution.sequence)
    k = np.arange(len(values), dtype=float)
    before, last = np.diff(values)[-2:]
    value, error = values[-1], k[-1] * abs(last)
    if last * before > 0 and 2.5 < log(before / last) / log((k[-1] - 0.5) / (k[-1] - 1.5)) - 1 < 6:
        value = _limit(k[-4:], values[-4:])
        error = abs(value - _limit(k[-3:], values[-3:]))
    return replace(solution, value=float(value), error=float(error + solution.error))


def _limit(k: Vector, values: Vector) -> float:
    columns = [np.ones_like(k)] + [k ** -(4.0 + i) for i in range(len(k) - 1)]
    return float(np.linalg.solve(np.stack(columns, axis=1), values)[0])

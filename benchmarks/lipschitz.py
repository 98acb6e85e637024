"""Lipschitz constants: seconds, how tight, and what else is said of them, one random network a size.

    python benchmarks/lipschitz.py --sizes 2,20 3,14 4,12 4,40 10,50

A size is d,k: inputs, neurons; W, b and a are standard normal. Each size is run --repeats times.
Goals: (4, 40) exact in 1 s, (10, 50) within 10% in a minute.

Beside it, as multiples of the exact value (or of the lower end): the product of norms, the largest of --samples sampled
gradients, and, where cvxpy and clarabel are installed, the semidefinite bound of Fazlyab et al. 2019 (LipSDP, one
multiplier a neuron), which knows the slopes of neurons but not which of their signs occur together. It is solved in
floating point.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from numpy.typing import NDArray

from polyinj import lipschitz_constant, norm_product, sampled_lipschitz


def network(d: int, k: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((k, d)), rng.standard_normal(k), rng.standard_normal(k)


def semidefinite_bound(weights: NDArray[np.float64], output: NDArray[np.float64]) -> float | None:
    """The least L with [[-L^2 I, W'T], [T W, -2T + a a']] <= 0 for a diagonal T >= 0; None without the solver."""
    try:
        import cvxpy
    except ImportError:
        return None
    if "CLARABEL" not in cvxpy.installed_solvers():
        return None
    k, d = weights.shape
    multipliers, square = cvxpy.Variable(k, nonneg=True), cvxpy.Variable(nonneg=True)
    t = cvxpy.diag(multipliers)
    matrix = cvxpy.bmat([[-square * np.eye(d), weights.T @ t], [t @ weights, -2 * t + np.outer(output, output)]])
    cvxpy.Problem(cvxpy.Minimize(square), [matrix << 0]).solve(solver=cvxpy.CLARABEL)
    return float(np.sqrt(square.value))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["2,20", "3,14", "4,12", "4,40", "10,50"], help="d,k ...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--search", action="store_true", help="branch and bound also where cells are few")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds of each branch and bound")
    parser.add_argument("--no-peer", action="store_true", help="without the semidefinite bound, slow for many neurons")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    print("  d   k   ours: CPU s of each run    lower ... upper              how")
    for size in options.sizes:
        d, k = map(int, size.split(","))
        weights, bias, output = network(d, k, options.seed)
        cells = {"max_cells": 0} if options.search else {}
        times = []
        for _ in range(options.repeats):
            start = time.process_time()
            found = lipschitz_constant(weights, bias, output, time_limit=options.time_limit, node_limit=None, **cells)
            times.append(time.process_time() - start)
        kind = "exact" if found.exact else f"within {found.upper / found.lower - 1:.1%}"
        spent = " ".join(f"{seconds:.2f}" for seconds in times)
        print(f"{d:3} {k:3}   {spent:24} {found.lower:.12g} ... {found.upper:.12g}  {kind}, {found.upper_by}")
        start = time.process_time()
        sampled = sampled_lipschitz(weights, bias, output, samples=options.samples, seed=options.seed) / found.lower
        print(f"          sampled gradients {sampled:.3f} of it, {time.process_time() - start:.2f} s")
        print(f"          product of norms  {norm_product(weights, output) / found.lower:.3f} times it")
        if options.no_peer:
            continue
        start = time.process_time()
        bound = semidefinite_bound(weights, output)
        if bound is None:
            print("          semidefinite bound skipped: cvxpy with clarabel is not installed", flush=True)
        else:
            seconds = time.process_time() - start
            print(f"          semidefinite bound {bound / found.lower:.3f} times it, {seconds:.2f} s", flush=True)


if __name__ == "__main__":
    main()

"""Lipschitz constants: seconds, how tight, and what else is said of them, one random network a size.

    python benchmarks/lipschitz.py --sizes 2,20 3,14 4,12 4,40 10,50

A size is d,k: inputs, neurons; W, b and a are standard normal. Each size is run --repeats times.
Goals: (4, 40) exact in 1 s, (10, 50) within 10% in a minute.

Beside it, as multiples of the exact value (or of the lower end): the product of norms, the largest of --samples sampled
gradients, and, where cvxpy and clarabel are installed, the semidefinite bound of Fazlyab et al. 2019 (LipSDP, one
multiplier a neuron), which knows the slopes of neurons but not which of their signs occur together. It is solved in
floating point.

    python benchmarks/lipschitz.py --norm inf --box 1 --sizes 5,60 20,60 10,50

With --norm inf on the box [-r, r]^d of --box r it runs beside Gurobi, where gurobipy is installed: the same question as
a mixed-integer program, to gap 0, on one thread (its free licence holds up to 2000 variables). Goal: 5 times faster on
each of these sizes.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings

import numpy as np
from numpy.typing import NDArray

from polyinj import Box, lipschitz_constant, norm_product, sampled_lipschitz

Array = NDArray[np.float64]


def network(d: int, k: int, seed: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((k, d)), rng.standard_normal(k), rng.standard_normal(k)


def semidefinite_bound(weights: Array, output: Array) -> float | None:
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


def gurobi(weights: Array, bias: Array, output: Array, radius: float) -> tuple[float, float] | None:
    """The constant for norm inf on [-radius, radius]^d, and processor seconds; None without gurobipy.

    Binaries: is neuron i positive, is entry j of the gradient; both tied to x and the gradient by their ranges.
    """
    try:
        import gurobipy
    except ImportError:
        return None
    start = time.process_time()
    k, d = weights.shape
    with gurobipy.Env(params={"OutputFlag": 0}) as env, gurobipy.Model(env=env) as model:
        model.Params.Threads, model.Params.MIPGap = 1, 0
        x = model.addMVar(d, lb=-radius, ub=radius)
        positive = model.addMVar(k, vtype="B")
        rising = model.addMVar(d, vtype="B")
        size = model.addMVar(d, lb=-float("inf"))
        reach = radius * np.abs(weights).sum(axis=1)
        model.addConstr(weights @ x + bias <= np.maximum(reach + bias, 0) * positive)
        model.addConstr(weights @ x + bias >= np.minimum(bias - reach, 0) * (1 - positive))
        steps = output[:, None] * weights
        gradient, most = steps.T @ positive, np.abs(steps).sum(axis=0)
        model.addConstr(size <= gradient + 2 * most * (1 - rising))
        model.addConstr(size <= 2 * most * rising - gradient)
        model.setObjective(size.sum(), gurobipy.GRB.MAXIMIZE)
        model.optimize()
        return float(model.ObjVal), time.process_time() - start


def compare(options: argparse.Namespace) -> None:
    """Norm inf on a box, ours and Gurobi's in turn."""
    print("  d   k   ours: CPU s of each run    exact constant    Gurobi: CPU s, its constant")
    for size in options.sizes:
        d, k = map(int, size.split(","))
        parts = network(d, k, options.seed)
        box, times, theirs = Box([-options.box] * d, [options.box] * d), [], None
        for turn in range(options.repeats):
            start = time.process_time()
            found = lipschitz_constant(*parts, domain=box, norm=math.inf)
            times.append(time.process_time() - start)
            if not options.no_peer and (turn == 0 or (theirs is not None and theirs[1] < 10)):
                again = gurobi(*parts, options.box)
                theirs = again if theirs is None or again is None else min(theirs, again, key=lambda run: run[1])
        spent = " ".join(f"{seconds:.3f}" for seconds in times)
        beside = "gurobipy is not installed" if theirs is None else f"{theirs[1]:.2f}, {theirs[0]:.12g}"
        kind = f"{found.lower:.12g}" if found.exact else f"[{found.lower:.12g}, {found.upper:.12g}]"
        print(f"{d:3} {k:3}   {spent:24}   {kind}   {beside}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["2,20", "3,14", "4,12", "4,40", "10,50"], help="d,k ...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--search", action="store_true", help="branch and bound also where cells are few")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds of each branch and bound")
    parser.add_argument("--no-peer", action="store_true", help="without the semidefinite bound, slow for many neurons")
    parser.add_argument("--norm", choices=["2", "inf"], default="2")
    parser.add_argument("--box", type=float, default=1.0, help="radius of the box, for norm inf")
    options = parser.parse_args()
    if options.norm == "inf":
        compare(options)
        return
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

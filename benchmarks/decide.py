"""Decide injectivity of Gaussian layers, beside the MIP solvers people use today, on the same matrices in the same run.

    python benchmarks/decide.py --sizes 6,42 8,56 10,70 12,84 14,98 16,112 18,126 20,140 --seeds 10 --peers-up-to 8

Goals (one thread, certificate recorded, medians over seeds): see GOALS. Against the peers: at least 1,000 times
HiGHS and 300 times SCIP at (10, 70). Not injective at (7, 49), seed 1: 1 ms; Gurobi took 0.36 s (one thread, saved):

    python benchmarks/decide.py --sizes 7,49 --seeds 10 --repeats 20
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from polyinj import decide_injectivity
from polyinj.injectivity._conditioning import conditioned

GOALS = {
    (6, 42): 0.5e-3,
    (8, 56): 1.5e-3,
    (10, 70): 10e-3,
    (12, 84): 80e-3,
    (14, 98): 0.4,
    (16, 112): 2.5,
    (18, 126): 20.0,
    (20, 140): 180.0,
}


MEMORY_LIMIT = 12 << 30


def decide(weights, rank_proof, workers):
    """(verdict, nodes, decision), by the public call with the certificate recorded."""
    decision = decide_injectivity(weights, rank_proof=rank_proof, workers=workers, memory_limit=MEMORY_LIMIT)
    return decision.verdict.value, decision.stats.nodes, decision


def model(weights):
    """A (x, z, f) <= b, the peers' best formulation: z_i = 1 where row i is active, f picks the face x_j = +-1."""
    rows = conditioned(weights)[0]
    m, n = rows.shape
    big = np.abs(rows).sum(axis=1)
    active = np.hstack([rows, -np.diag(big), np.zeros((m, 2 * n))])
    faces = np.zeros((2 * n, 3 * n + m))
    for j in range(n):
        faces[2 * j, j], faces[2 * j, n + m + 2 * j] = -1, 2
        faces[2 * j + 1, j], faces[2 * j + 1, n + m + 2 * j + 1] = 1, 2
    few = np.concatenate([np.zeros(n), np.ones(m), np.zeros(2 * n)])
    one = np.concatenate([np.zeros(n + m), -np.ones(2 * n)])
    return np.vstack([active, faces, few, one]), np.concatenate([np.zeros(m), np.ones(2 * n), [n - 1], [-1]]), n, m


def decide_by_highs(weights, limit):
    a, b, n, m = model(weights)
    integrality = np.concatenate([np.zeros(n), np.ones(m + 2 * n)])
    bounds = Bounds(np.concatenate([-np.ones(n), np.zeros(m + 2 * n)]), np.ones(n + m + 2 * n))
    result = milp(
        np.zeros(n + m + 2 * n),
        integrality=integrality,
        bounds=bounds,
        constraints=LinearConstraint(a, ub=b),
        options={"time_limit": limit},
    )
    return {0: "not injective", 2: "injective"}.get(result.status, "undecided")


def decide_by_scip(weights, limit):
    from pyscipopt import Model, quicksum

    a, b, n, m = model(weights)
    scip = Model()
    scip.hideOutput()
    scip.setParam("limits/time", limit)
    scip.setParam("parallel/maxnthreads", 1)
    x = [scip.addVar(lb=-1, ub=1) for _ in range(n)] + [scip.addVar(vtype="B") for _ in range(m + 2 * n)]
    for line, bound in zip(a, b, strict=True):
        scip.addCons(quicksum(float(c) * v for c, v in zip(line, x, strict=True) if c) <= float(bound))
    scip.optimize()
    return {"optimal": "not injective", "infeasible": "injective"}.get(scip.getStatus(), "undecided")


def timed(function, *arguments):
    start = time.perf_counter()
    answer = function(*arguments)
    return time.perf_counter() - start, answer


def peers():
    found = {"HiGHS": decide_by_highs}
    try:
        import pyscipopt  # noqa: F401
    except ImportError:
        return found
    return found | {"SCIP": decide_by_scip}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["6,42", "8,56", "10,70", "12,84"], help="n,m ...")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each matrix, the fastest counts")
    parser.add_argument("--verify", type=int, default=10, help="certificates to verify, the first ones")
    parser.add_argument("--peers-up-to", type=int, default=0, help="largest n for which the peers run")
    parser.add_argument("--peer-seeds", type=int, default=3)
    parser.add_argument("--peer-limit", type=float, default=300.0, help="seconds a peer may take for a matrix")
    parser.add_argument("--workers", type=int, default=1, help="threads of a decision")
    parser.add_argument("--rank", action="store_true", help="prove spanning, not only the count")
    options = parser.parse_args()
    print(
        f"{'n':>3} {'m':>4} {'median':>11} {'least':>11} {'most':>11} {'nodes':>9} {'goal':>9} {'verify':>11}  verdicts"
    )
    for size in options.sizes:
        n, m = map(int, size.split(","))
        matrices = [np.random.default_rng(seed).standard_normal((m, n)) for seed in range(options.seeds)]
        times, nodes, verdicts, checks = [], [], [], []
        for weights in matrices:
            runs = [timed(decide, weights, options.rank, options.workers) for _ in range(options.repeats)]
            times.append(min(seconds for seconds, _ in runs))
            verdicts.append(runs[0][1][0])
            nodes.append(runs[0][1][1])
            if len(checks) < options.verify:
                checks.append(timed(runs[0][1][2].verify)[0])
        goal = "" if options.rank or (n, m) not in GOALS else f"{GOALS[n, m] * 1e3:.1f} ms"
        print(
            f"{n:3} {m:4} {median(times) * 1e3:8.2f} ms {min(times) * 1e3:8.2f} ms {max(times) * 1e3:8.2f} ms "
            f"{median(nodes):9.0f} {goal:>9} {median(checks) * 1e3:8.2f} ms  "
            f"{verdicts.count('injective')} of {len(verdicts)} injective",
            flush=True,
        )
        lossy = [seconds for seconds, verdict in zip(times, verdicts, strict=True) if verdict == "not injective"]
        if lossy:
            print(
                f"         not injective: {len(lossy)}, median {median(lossy) * 1e3:.2f} ms with certificate",
                flush=True,
            )
        for name, peer in peers().items() if n <= options.peers_up_to else ():
            ratios = []
            for weights, seconds, verdict in list(zip(matrices, times, verdicts, strict=True))[: options.peer_seeds]:
                spent, answer = timed(peer, weights, options.peer_limit)
                ratios.append(spent / seconds)
                print(f"         {name:6} {spent:8.2f} s  {spent / seconds:10.0f} x  {answer}")
                if answer not in (verdict, "undecided"):
                    print(f"         {name} disagrees: {answer}, here {verdict}")
            print(f"         {name:6} median ratio {median(ratios):.0f}", flush=True)


if __name__ == "__main__":
    main()

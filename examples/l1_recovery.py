"""When does l1 minimisation find a sparse vector? Linear programs beside the exact curve from the descent cone.

A vector of R^d with s nonzeros is seen through k Gaussian measurements y = A x, and the vector z of least |z|_1 with
A z = y is taken for it. That works when the kernel of A, a random subspace, misses the descent cone of the norm at x:
a probability by conic intrinsic volumes (`polyinj.theory.l1_recovery`). Here it stands beside linear programs.

Run: python examples/l1_recovery.py [trials a point, by default 200]   (one to two minutes on two cores)
Writes results/l1_recovery.png and .txt.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linprog

from polyinj.fitting.intervals import clopper_pearson
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.theory.l1_recovery import l1_recovery_probability, l1_recovery_threshold, l1_statistical_dimension

DIMENSION = 100
NONZEROS = (5, 15, 30)
# Measurements are chosen where the exact probability is next to these.
WANTED = (0.02, 0.2, 0.5, 0.8, 0.98)
SPARSITIES = (1, 2, 3, 5, 8, 12, 18, 25, 35, 45, 60, 75, 90)
SEED = 5
RESULTS = Path("results")


def recovered(matrix, *, nonzeros):
    """Whether l1 minimisation finds the vector whose first entries are 1 and whose others are 0; 1.0 or 0.0.

    Which entries are not 0, their signs and sizes change nothing: Gaussian matrices are symmetric, and the descent cone
    knows no sizes.
    """
    d = matrix.shape[1]
    target = np.zeros(d)
    target[:nonzeros] = 1
    program = linprog(np.ones(2 * d), A_eq=np.hstack([matrix, -matrix]), b_eq=matrix @ target, method="highs")
    if program.x is None:
        raise ArithmeticError(f"HiGHS found no optimum: {program.message}")
    return float(np.abs(program.x[:d] - program.x[d:] - target).max() < 1e-6)


def probabilities(d, s):
    return np.array([l1_recovery_probability(d, s, k) for k in range(1, d + 1)])


def crossing(shares, level):
    """Where the piecewise linear curve through (k, share) reaches a level."""
    return float(np.interp(level, np.append(0.0, shares), np.arange(len(shares) + 1)))


def run(trials):
    """[(s, k, recovered)]."""
    points = []
    for s in NONZEROS:
        shares = probabilities(DIMENSION, s)
        points += sorted({(s, int(np.abs(shares - wanted).argmin()) + 1) for wanted in WANTED})
    jobs = [Job(GaussianEnsemble(k, DIMENSION), partial(recovered, nonzeros=s), trials) for s, k in points]
    done = simulate_jobs(jobs, seed=SEED)
    return [(s, k, int(found.values.sum())) for (s, k), found in zip(points, done, strict=True)]


def draw(points, trials):
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, s in enumerate(NONZEROS):
        shares = probabilities(DIMENSION, s)
        left.plot(np.arange(1, DIMENSION + 1), shares, color=f"C{i}", lw=1.2, label=f"s = {s}, exact")
        ks, found = np.array([(k, count) for size, k, count in points if size == s]).T
        ends = np.array([clopper_pearson(int(count), trials) for count in found])
        errors = np.abs(ends.T - found / trials)
        left.errorbar(ks, found / trials, errors, color=f"C{i}", ls="", marker="o", ms=4, elinewidth=1)
        left.axvline(l1_statistical_dimension(DIMENSION, s), color=f"C{i}", lw=0.9, ls=":")
    left.set_xlabel(f"measurements k (d = {DIMENSION})")
    left.set_ylabel("P(recovery)")
    left.set_xlim(5, 90)
    left.legend(frameon=False, fontsize=8, loc="lower right")
    left.set_title(f"{trials} linear programs a point, 95% intervals;\ndotted: statistical dimension", fontsize=9)
    grid = np.linspace(0.002, 0.998, 250)
    right.plot(grid, [l1_recovery_threshold(a) for a in grid], color="k", lw=1.2, label="threshold, d → ∞")
    for d, colour in ((25, "C1"), (DIMENSION, "C0")):
        sizes = sorted({max(1, round(s * d / 100)) for s in SPARSITIES})
        curves = np.array([[crossing(probabilities(d, s), level) / d for level in (0.05, 0.5, 0.95)] for s in sizes])
        share = np.array(sizes) / d
        right.fill_between(
            share, curves[:, 0], curves[:, 2], color=colour, alpha=0.2, lw=0, label=f"5% to 95%, d = {d}"
        )
        right.plot(share, curves[:, 1], color=colour, marker="o", ms=3, lw=0.8, label=f"50%, d = {d}")
    right.set_xlabel("sparsity s/d")
    right.set_ylabel("measurements k/d")
    right.set_xlim(0, 1)
    right.set_ylim(0, 1)
    right.legend(frameon=False, fontsize=8, loc="lower right")
    right.set_title("exact, from the intrinsic volumes of the descent cone", fontsize=9)
    return figure


def describe(points, trials):
    lines = [
        f"Recovery by l1 minimisation in R^{DIMENSION}, {trials} linear programs a point, seed {SEED}",
        "   s    k   exact  recovered  95% interval",
    ]
    for s, k, found in points:
        low, high = clopper_pearson(found, trials)
        exact = l1_recovery_probability(DIMENSION, s, k)
        lines.append(f"{s:4d} {k:4d}  {exact:.4f}   {found / trials:.4f}    {low:.4f} .. {high:.4f}")
    inside = sum(
        low <= l1_recovery_probability(DIMENSION, s, k) <= high
        for s, k, found in points
        for low, high in [clopper_pearson(found, trials)]
    )
    lines += [f"{inside} of {len(points)} intervals hold the exact probability", ""]
    lines.append("   s  statistical dimension  50% at k  d * threshold")
    for s in NONZEROS:
        half = crossing(probabilities(DIMENSION, s), 0.5)
        lines.append(
            f"{s:4d}  {l1_statistical_dimension(DIMENSION, s):21.3f}  {half:8.2f}  "
            f"{DIMENSION * l1_recovery_threshold(s / DIMENSION):13.3f}"
        )
    return "\n".join(lines)


def main():
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    points = run(trials)
    RESULTS.mkdir(exist_ok=True)
    text = describe(points, trials)
    (RESULTS / "l1_recovery.txt").write_text(text)
    draw(points, trials).savefig(RESULTS / "l1_recovery.png", dpi=160)
    print(text)


if __name__ == "__main__":
    main()

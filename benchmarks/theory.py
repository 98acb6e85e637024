"""Accuracy and time of every prediction of the theory strand, with its goal; writes the figures of docs/theory.md.

    python benchmarks/theory.py [--levels 12] [--out results]

There is no public peer for the replica numbers: the published code (Maillard et al. 2023) needs a GPU and gives the
full threshold in [6.697929, 6.698131].
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from polyinj.plots.theory import plot_order_parameter, plot_threshold_ladder
from polyinj.theory.crossing import euler_crossing, euler_crossing_coefficients, euler_crossing_estimate
from polyinj.theory.deep import ray_expansivity, region_expansivity
from polyinj.theory.deep_gordon import comparison_widths, every_depth_expansivity
from polyinj.theory.deep_lifted import lifted_comparison_widths
from polyinj.theory.euler import log_expected_euler_characteristic, noninjectivity_bound
from polyinj.theory.gordon import gordon_bound
from polyinj.theory.l1_recovery import l1_recovery_threshold, l1_statistical_dimension
from polyinj.theory.lifted_gordon import lifted_gordon_bound
from polyinj.theory.parisi import parisi_terms
from polyinj.theory.replica import energy_curves, full_rsb_threshold, replica_threshold
from polyinj.theory.thresholds import enclose_threshold, known_thresholds
from polyinj.theory.wide_gram import wide_gram
from polyinj.theory.widths import sufficient_width

DELTAS = 0.5, 0.01, 1e-6
Result = TypeVar("Result")


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    return call(), time.perf_counter() - start


def show(what: str, value: str, seconds: float, goal: str = "") -> None:
    print(f"{what:42} {value:44} {seconds:8.3f} s  {goal}")


def lifted_levels() -> None:
    """The families of c by name, least first: each is a minimum over more parameters than the one before."""

    def expansivity(theta: Sequence[float], q: float = 0.0) -> float:
        chi, c = np.exp(theta)
        if q:
            terms = parisi_terms(chi, np.array([q]), np.array([c]), 0.0)
            return (1 + terms.penalty) / terms.reward
        root, ratio = math.sqrt(2 * chi), math.sqrt(1 + c / chi)
        mean = 0.5 + (ndtr(root * ratio) - 0.5) / ratio + math.exp(-c) * ndtr(-root)
        return float((c + math.log(ratio)) / -math.log(mean))

    search = {"method": "Nelder-Mead", "options": {"xatol": 1e-12, "fatol": 1e-15}}
    for q, goal in ((1e-4, ""), (1e-5, "goal: 7.448629"), (0.0, "goal: lifted-gordon to 1e-13")):
        found, seconds = timed(lambda q=q: minimize(expansivity, [-1.0, 0.0], (q,), **search))
        show(f"threshold at constant c from q_0 = {q:g}", f"{found.fun:.13f}", seconds, goal)


def widths() -> None:
    """Widths that suffice for P(not injective) <= delta, and what they were before lifting."""
    goals = {10: "7.1, 8.2, 10.2", 100: "7.42, 7.60, 7.94", 1000: "7.446, 7.467, 7.514"}
    before = {10: "", 100: "goal: 8.61, 8.70, 8.91", 1000: "goal: 7.987, 8.326, 8.799"}
    for n in (10, 100, 1000, 10_000):
        found, seconds = timed(lambda n=n: [sufficient_width(n, delta) / n for delta in DELTAS])
        show(f"sufficient width / n at n = {n}", str(found), seconds, f"goal: {goals[n]}" if n in goals else "")
        if n in before:
            found, seconds = timed(lambda n=n: [unlifted_width(n, delta) / n for delta in DELTAS])
            show("  without lifting", str(found), seconds, before[n])


def unlifted_width(n: int, delta: float) -> int:
    low, high = 3 * n - 2, 20 * n
    while high - low > 1:
        m = (low + high) // 2
        low, high = (low, m) if min(noninjectivity_bound(m, n), gordon_bound(m, n)) <= delta else (m, high)
    return high


def wide_networks() -> None:
    """Effective rank of differences of 32 Gaussian inputs in R^128 behind infinitely wide layers."""
    layers = [10, 30, 100, 300, 1000]

    def ranks(seed: int, equal: bool = False) -> NDArray[np.float64]:
        inputs = np.random.default_rng(seed).standard_normal((32, 128))
        if equal:
            inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
        return wide_gram(inputs @ inputs.T / 128, layers).observables()["effective_rank"]

    found, seconds = timed(lambda: ranks(159))
    show(f"effective rank at l = {layers}", str(found.round(2)), seconds, "goal: 12.2, 7.2, 2.2, 1.16, 1.02")
    batches, seconds = timed(lambda: np.array([ranks(seed) for seed in range(100)]))
    show("  mean of 100 batches", str(batches.mean(axis=0).round(2)), seconds)
    show("  2.5 % of them are below", str(np.quantile(batches, 0.025, axis=0).round(2)), 0.0)
    show("  2.5 % of them are above", str(np.quantile(batches, 0.975, axis=0).round(2)), 0.0)
    found, seconds = timed(lambda: ranks(159, equal=True))
    show("  the batch of seed 159, at equal lengths", str(found.round(2)), seconds, "tends to 16")


def show_depth() -> None:
    """What a network of depth L asks of m/n: the theorems of docs/every-depth.md and log-depth.md."""
    value, seconds = timed(every_depth_expansivity)
    show("one expansivity for every depth", f"{value:.12f}", seconds, "goal: 11.592153521880")
    for name, call in (("comparison", comparison_widths), ("lifted", lifted_comparison_widths)):
        for budget in (2, 1):
            found, seconds = timed(lambda call=call, budget=budget: call(4, budget=budget))
            show(f"{name}, layer by layer, {budget}n rows", " ".join(f"{width:.4f}" for width in found), seconds)
    depths = np.arange(2, 257)
    rays, regions = ([f(int(depth)) for depth in depths] for f in (ray_expansivity, region_expansivity))
    print("depth, by rays, over log2 L, by regions, over L ln L / ln 2")
    for depth, c, d in zip(depths, rays, regions, strict=True):
        if depth in (3, 5) or depth & (depth - 1) == 0:
            ratio = d * math.log(2) / (depth * math.log(depth))
            print(f"  {depth:4d} {c:9.4f} {c / math.log2(depth):8.4f} {d:10.4f} {ratio:8.4f}")
    fit = np.polyfit(np.log(depths), rays, 1)
    print(f"  least squares over 2..256, by rays:    {fit[0]:.3f} ln L {fit[1]:+.3f}  goal: 1.79, 14.03")
    design = np.stack([depths * np.log(depths), depths, np.ones(len(depths))], axis=1)
    fit = np.linalg.lstsq(design, np.array(regions), rcond=None)[0]
    print(f"  least squares over 2..256, by regions: {fit[0]:.3f} L ln L {fit[1]:+.3f} L {fit[2]:+.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()

    for name in ("mean-direction", "lifted-gordon", "gordon", "euler", "minimal-cells", "first-moment"):
        ball, seconds = timed(lambda name=name: enclose_threshold(name))
        show(name, ball.str(28), seconds, "goal: width < 1e-25")
    for levels, goal in ((0, "goal: 1e-12"), (1, "goal: 1e-8"), (2, ""), (3, "")):
        solution, seconds = timed(lambda levels=levels: replica_threshold(levels))
        show(f"replica threshold, {levels} steps", f"{solution.value:.13f} +- {solution.error:.0e}", seconds, goal)
    lifted_levels()
    full, seconds = timed(lambda: full_rsb_threshold(levels=options.levels))
    show(
        f"full threshold, {options.levels} levels",
        f"{full.value:.11f} +- {full.error:.0e}",
        seconds,
        "goal: 1e-6, 60 s",
    )
    print("  levels:", " ".join(f"{value:.8f}" for value in full.sequence))

    (sign, value), seconds = timed(lambda: log_expected_euler_characteristic(10**6, 10**5))
    show("ln E chi at m = 10^6, n = 10^5", f"sign {sign}, {value:.6f}", seconds, "goal: seconds")
    bound, seconds = timed(lambda: noninjectivity_bound(881_000, 10**5))
    show("noninjectivity_bound(881000, 10^5)", f"{bound:.4e}", seconds)
    bound, seconds = timed(lambda: lifted_gordon_bound(150_000, 20_000))
    show("lifted_gordon_bound(150000, 20000)", f"{bound:.4e}", seconds, "goal: 2 s")
    widths()
    wide_networks()

    for budget in (0.1, 0.25, 0.5, 2.0, 4.0, 10.0):
        rows, seconds = timed(lambda budget=budget: known_thresholds(budget))
        show(f"budget {budget:g} n", " ".join(f"{row.name} {row.lower:.4f}" for row in rows), seconds)
    (sign, value), seconds = timed(lambda: log_expected_euler_characteristic(10**6, 10**5, 5 * 10**4))
    show("ln E chi at m = 10^6, n = 10^5, k = n/2", f"sign {sign}, {value:.6f}", seconds)

    for dimension, nonzeros in ((30, 4), (100, 15), (200, 20)):
        found, seconds = timed(lambda d=dimension, s=nonzeros: l1_statistical_dimension(d, s))
        limit = dimension * l1_recovery_threshold(nonzeros / dimension)
        show(f"descent cone, d = {dimension}, s = {nonzeros}", f"dimension {found:.6f}, threshold {limit:.6f}", seconds)

    c0, c1, c2 = euler_crossing_coefficients()
    print(f"crossing of E chi: {c0:.9f} {c1:+.9f} ln(n)/n {c2:+.9f}/n")
    for n in (10, 30, 100, 300, 1000, 3000, 10_000):
        exact, seconds = timed(lambda n=n: euler_crossing(n))
        series = c0 + c1 * math.log(n) / n + c2 / n - exact
        resummed = f", resummed {euler_crossing_estimate(n) - exact:+.1e}" if n >= 20 else ""
        show(f"  n = {n}", f"{exact:.9f}, series {series:+.1e}{resummed}", seconds)

    show_depth()

    options.out.mkdir(parents=True, exist_ok=True)
    curves, seconds = timed(lambda: energy_curves(np.linspace(2.2, 10.6, 22)))
    show("energy curves at 22 aspect ratios", f"largest error {max(curves.errors):.0e}", seconds)
    plot_threshold_ladder(known_thresholds(), curves).savefig(options.out / "threshold_ladder.png", dpi=150)
    steps = [replica_threshold(1), replica_threshold(4), full]
    plot_order_parameter(steps).savefig(options.out / "order_parameter.png", dpi=150)


if __name__ == "__main__":
    main()

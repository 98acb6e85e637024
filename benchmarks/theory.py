"""Accuracy and time of every prediction of the theory strand, with its goal; writes the figures of docs/theory.md.

    python benchmarks/theory.py [--levels 12] [--out results]

There is no public peer for the replica numbers: the published code (Maillard et al. 2023) needs a GPU and gives the
full threshold in [6.697929, 6.698131].
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from polyinj.plots.theory import plot_order_parameter, plot_threshold_ladder
from polyinj.theory.crossing import euler_crossing, euler_crossing_coefficients, euler_crossing_estimate
from polyinj.theory.deep import deep_sufficient_expansivity, region_expansivity
from polyinj.theory.euler import log_expected_euler_characteristic, noninjectivity_bound
from polyinj.theory.replica import energy_curves, full_rsb_threshold, replica_threshold
from polyinj.theory.thresholds import enclose_threshold, known_thresholds
from polyinj.theory.widths import sufficient_width

Result = TypeVar("Result")


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    return call(), time.perf_counter() - start


def show(what: str, value: str, seconds: float, goal: str = "") -> None:
    print(f"{what:42} {value:44} {seconds:8.3f} s  {goal}")


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
    for n in (10, 100, 1000, 10_000):
        widths, seconds = timed(lambda n=n: [sufficient_width(n, delta) / n for delta in (0.5, 0.01, 1e-6)])
        show(f"sufficient width / n at n = {n}", str(widths), seconds, "delta: 0.5, 0.01, 1e-6")

    for budget in (0.1, 0.25, 0.5, 2.0, 4.0, 10.0):
        rows, seconds = timed(lambda budget=budget: known_thresholds(budget))
        show(f"budget {budget:g} n", " ".join(f"{row.name} {row.lower:.4f}" for row in rows), seconds)
    (sign, value), seconds = timed(lambda: log_expected_euler_characteristic(10**6, 10**5, 5 * 10**4))
    show("ln E chi at m = 10^6, n = 10^5, k = n/2", f"sign {sign}, {value:.6f}", seconds)

    c0, c1, c2 = euler_crossing_coefficients()
    print(f"crossing of E chi: {c0:.9f} {c1:+.9f} ln(n)/n {c2:+.9f}/n")
    for n in (10, 30, 100, 300, 1000, 3000, 10_000):
        exact, seconds = timed(lambda n=n: euler_crossing(n))
        series = c0 + c1 * math.log(n) / n + c2 / n - exact
        resummed = f", resummed {euler_crossing_estimate(n) - exact:+.1e}" if n >= 20 else ""
        show(f"  n = {n}", f"{exact:.9f}, series {series:+.1e}{resummed}", seconds)

    depths = [2, 3, 5, 8, 16, 32, 64, 128, 256]
    rays, regions = ([f(depth) for depth in depths] for f in (deep_sufficient_expansivity, region_expansivity))
    print("depth, C(L), C(L) / log2 L, by regions, by regions / (L ln L / ln 2)")
    for depth, c, d in zip(depths, rays, regions, strict=True):
        ratio = d * math.log(2) / (depth * math.log(depth))
        print(f"  {depth:4d} {c:9.4f} {c / math.log2(depth):8.4f} {d:10.4f} {ratio:8.4f}")
    design = np.array([[depth * math.log(depth), depth, 1] for depth in depths])
    fit = np.linalg.lstsq(design, np.array(regions), rcond=None)[0]
    print(f"  least squares, by regions: {fit[0]:.3f} L ln L {fit[1]:+.3f} L {fit[2]:+.3f}")
    design = np.array([[math.log(depth), 1] for depth in depths])
    fit = np.linalg.lstsq(design, np.array(rays), rcond=None)[0]
    print(f"  least squares, C(L):       {fit[0]:.3f} ln L {fit[1]:+.3f}")

    options.out.mkdir(parents=True, exist_ok=True)
    curves, seconds = timed(lambda: energy_curves(np.linspace(2.2, 10.6, 22)))
    show("energy curves at 22 aspect ratios", f"largest error {max(curves.errors):.0e}", seconds)
    plot_threshold_ladder(known_thresholds(), curves).savefig(options.out / "threshold_ladder.png", dpi=150)
    steps = [replica_threshold(1), replica_threshold(4), full]
    plot_order_parameter(steps).savefig(options.out / "order_parameter.png", dpi=150)


if __name__ == "__main__":
    main()

"""Witnesses of Gaussian layers in many dimensions: found of 10 seeds, and CPU seconds, beside peers in the same run.

    python benchmarks/witness.py
    python benchmarks/witness.py --sizes 500 --ratios 6.3 6.5 --seeds 3 --steps 4000
    python benchmarks/witness.py --large

Goal: a witness at n = 200 beyond m/n = 5.5. --large decides layers beyond the size of the search: the verdict with its
certificate, the check of that, an exact collision of the smaller ones, and the most memory held. Goals there: (16384,
4096) decided and checked in 120 s of two cores and 3 GB, (3072, 768) in 1.5 s.

Peers, with the CPU time that polyinj took (at least --least-seconds), from random starts until it is used up: L-BFGS
(scipy) on the same smoothed count, scale falling in ten steps; L-BFGS on the hinge loss of the perceptron, which no
scale smooths; random directions about minus the mean row. They are counted in doubles, which can only favour them.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from polyinj import decide_injectivity, find_witness

Vector = NDArray[np.float64]
RATIOS = {50: [5.0, 5.5, 6.0], 100: [5.0, 5.5, 6.0], 200: [5.0, 5.5, 6.0, 6.4], 500: [5.5, 6.0]}


def smoothed(x: Vector, rows: Vector, scale: float, margin: float = 0.25) -> tuple[float, Vector]:
    """Sum of u^2 / (1 + u^2), u = max(0, h / scale + margin), at h = rows x / |x|, and its gradient."""
    length = np.linalg.norm(x)
    u = np.maximum(rows @ x / (length * scale) + margin, 0)
    force = rows.T @ (2 * u / (1 + u * u) ** 2) / (length * scale)
    return float((u * u / (1 + u * u)).sum()), force - (force @ x) * x / length**2


def hinge(x: Vector, rows: Vector) -> tuple[float, Vector]:
    """Sum of max(0, h)^2, the convex loss of the perceptron, at h = rows x / |x|."""
    length = np.linalg.norm(x)
    values = np.maximum(rows @ x / length, 0)
    force = 2 * rows.T @ values / length
    return float((values * values).sum()), force - (force @ x) * x / length**2


def by_smoothed_lbfgs(rows: Vector, rng: np.random.Generator) -> Iterator[Vector]:
    while True:
        x = rng.standard_normal(rows.shape[1])
        for scale in np.geomspace(0.6, 0.01, 10):
            x = minimize(smoothed, x / np.linalg.norm(x), args=(rows, scale), jac=True, method="L-BFGS-B").x
            yield x


def by_hinge_lbfgs(rows: Vector, rng: np.random.Generator) -> Iterator[Vector]:
    while True:
        start = rng.standard_normal(rows.shape[1])
        yield minimize(hinge, start / np.linalg.norm(start), args=(rows,), jac=True, method="L-BFGS-B").x


def by_random_directions(rows: Vector, rng: np.random.Generator) -> Iterator[Vector]:
    mean = -rows.mean(axis=0)
    yield mean
    while True:
        yield mean + np.linalg.norm(mean) / np.sqrt(len(mean)) * rng.uniform(0, 1) * rng.standard_normal(len(mean))


LARGE = [(300, 100), (768, 256), (1536, 512), (3072, 768), (10, 785), (16384, 4096)]
# With more inputs an exact collision takes more than a minute.
EXACT_UP_TO = 512


def decide_large():
    """One line a layer: CPU seconds of the decision, its check and its collision, and the most memory so far."""
    print("    m     n  verdict        certificate       decide s  check s  collision s  image difference  memory GB")
    for m, n in LARGE:
        rows = np.random.default_rng(0).standard_normal((m, n))
        marks = [time.process_time()]
        decision = decide_injectivity(rows)
        marks.append(time.process_time())
        decision.verify()
        marks.append(time.process_time())
        difference = float("nan")
        if n <= EXACT_UP_TO or m < n:
            difference = decision.collision().as_float64(rows).image_difference
        marks.append(time.process_time())
        decide, check, collision = np.diff(marks)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{m:5} {n:5}  {decision.verdict.value:13}  {type(decision.certificate).__name__:16} {decide:9.3f} "
            f"{check:8.3f} {collision:12.3f} {difference:17.1e} {memory:10.2f}",
            flush=True,
        )


PEERS = {
    "smoothed L-BFGS": by_smoothed_lbfgs,
    "hinge L-BFGS": by_hinge_lbfgs,
    "random about mean": by_random_directions,
}


def run_peer(points: Callable[..., Iterator[Vector]], rows: Vector, seconds: float) -> tuple[int, float]:
    """(fewest active rows, CPU seconds until a witness or the end)."""
    start = time.process_time()
    fewest = len(rows)
    for x in points(rows, np.random.default_rng(0)):
        fewest = min(fewest, int((rows @ x >= 0).sum()))
        if fewest < rows.shape[1] or time.process_time() - start > seconds:
            break
    return fewest, time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[50, 100, 200, 500])
    parser.add_argument("--ratios", nargs="+", type=float, help="m/n; by default some for each n")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=4000, help="budget of find_witness")
    parser.add_argument("--least-seconds", type=float, default=1.0, help="CPU seconds that a peer has at least")
    parser.add_argument("--large", action="store_true", help="decide large layers, and nothing else")
    options = parser.parse_args()
    if options.large:
        decide_large()
        return
    print("   n  m/n  method              found     median s  fewest active / n  (found by polyinj) / (by it)")
    for n in options.sizes:
        for ratio in options.ratios or RATIOS.get(n, [6.0]):
            layers = [
                np.random.default_rng(seed).standard_normal((round(ratio * n), n)) for seed in range(options.seeds)
            ]
            found, seconds = 0, []
            for rows in layers:
                start = time.process_time()
                found += find_witness(rows, seed=0, steps=options.steps) is not None
                seconds.append(time.process_time() - start)
            print(
                f"{n:4} {ratio:4.2f}  {'polyinj':18} {found:3} of {len(layers):2} {np.median(seconds):9.3f}", flush=True
            )
            for name, peer in PEERS.items():
                runs = [
                    run_peer(peer, rows, max(spent, options.least_seconds))
                    for rows, spent in zip(layers, seconds, strict=True)
                ]
                theirs = sum(fewest < n for fewest, _ in runs)
                spent, fewest = np.median([run[1] for run in runs]), np.median([run[0] for run in runs])
                advantage = f"{found / theirs:.2g}" if theirs else "they found none" if found else "-"
                print(
                    f"{n:4} {ratio:4.2f}  {name:18} {theirs:3} of {len(layers):2} "
                    f"{spent:9.3f}  {fewest / n:17.3f}  {advantage}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

"""The largest threshold of Gaussian unit rows on the unit ball, beside the polytope bias estimate.

    python benchmarks/injective_bias.py --sizes 2,8 3,12 3,20 4,30

A size is n,m; rows are standard normal, then of length 1. `t` is the largest common threshold: x -> ReLU(W x - t) is
injective on the ball up to it. With --pbe FOLDER, the folder `pbe` of
github.com/danedane-haider/Alpha-Rectifying-Frames (its module needs cvxpy and torch), the estimate alpha of Haider,
Ehler and Balazs (arXiv:2406.15856) is computed in the same run, and the largest t for alpha + t: what it leaves.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time

import numpy as np
from numpy.typing import NDArray

from polyinj import Ball, InjectiveBias, largest_injective_bias


def timed(weights: NDArray[np.float64], offset: NDArray[np.float64] | None) -> tuple[InjectiveBias, float]:
    start = time.process_time()
    found = largest_injective_bias(weights, Ball([0] * weights.shape[1], 1), offset=offset)
    return found, time.process_time() - start


def estimate(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64] | None, float]:
    """Alpha on the unit ball, None where 0 is not inside the polytope, and processor seconds."""
    import pbe

    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        alpha = pbe.pbe(weights, pbe.facets(weights), K="ball")
    return None if isinstance(alpha, str) else alpha, time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["2,8", "3,12", "3,20", "4,30"], help="n,m ...")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--pbe", help="folder of their module pbe.py")
    options = parser.parse_args()
    if options.pbe:
        sys.path.insert(0, options.pbe)
    print("  n   m  seed   t           CPU s   estimate: least, mean   CPU s   t beyond it   CPU s")
    for size in options.sizes:
        n, m = map(int, size.split(","))
        for seed in range(options.seeds):
            weights = np.random.default_rng(seed).standard_normal((m, n))
            weights /= np.linalg.norm(weights, axis=1, keepdims=True)
            found, spent = timed(weights, None)
            line = f"{n:3} {m:3}  {seed:4}   {float(found.upper):9.6f}   {spent:5.3f}"
            if options.pbe:
                alpha, theirs = estimate(weights)
                if alpha is None:
                    line += "   no estimate: 0 is not inside the polytope"
                else:
                    beyond, again = timed(weights, alpha)
                    line += f"   {alpha.min():.3f}, {alpha.mean():.3f}   {theirs:5.2f}"
                    line += f"   {float(beyond.upper):8.6f}   {again:.3f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()

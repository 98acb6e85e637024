"""The inverse Lipschitz constant of Gaussian layers: the certified interval, and processor seconds.

    python benchmarks/inverse_lipschitz.py --sizes 6,45 7,49 8,56

A size is n,m: inputs, rows. Goal: ends within a factor 2 at (8, 56) and (10, 70). Each (n, m) is run once, without
bias on R^n, or, with --ball, with bias 1 on the ball of that radius.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from polyinj import Ball, inverse_lipschitz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["6,45", "7,49", "8,56"], help="n,m ...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--node-limit", type=int, default=1_000_000)
    parser.add_argument("--ball", type=float)
    options = parser.parse_args()
    print("   n    m    lower   upper   ratio   CPU s   exact")
    for size in options.sizes:
        n, m = map(int, size.split(","))
        weights = np.random.default_rng(options.seed).standard_normal((m, n))
        bias, domain = (None, None) if options.ball is None else (np.ones(m), Ball([0] * n, options.ball))
        start = time.process_time()
        found = inverse_lipschitz(weights, bias, domain=domain, node_limit=options.node_limit)
        spent = time.process_time() - start
        ratio = found.upper / found.lower if found.lower else float("inf")
        print(
            f"{n:4} {m:4}   {found.lower:.4f}  {found.upper:.4f}   {ratio:5.3f}   {spent:6.1f}  {found.exact}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Networks that are not injective, decided by criteria without linear regions: CPU seconds and memory of each.

    python benchmarks/criteria.py
    python benchmarks/criteria.py --shapes 3,32,32,3 8,256,256,8 --seeds 5

Gaussian weights and biases, a ReLU behind every layer but the last. Goals: a verdict for each of the default shapes;
the network of widths 3072, 4096, 4096, 16, 43 within its limit of 30 seconds and 2 GB (before: 387 s and 5 GB).
"""

from __future__ import annotations

import argparse
import resource
import time
from itertools import pairwise

import numpy as np

from polyinj import Network, NetworkLayer, Verdict, check_network

_SHAPES = ["3,32,32,3", "5,64,64,64,5", "8,256,256,8", "2,200,200,3", "3072,4096,4096,16,43", "3072,4096,4096,4096"]


def gaussian(widths: list[int], seed: int) -> Network:
    """The network of one seed; float32, as files hold them."""
    rng = np.random.default_rng(seed)
    layers = [
        NetworkLayer(
            rng.standard_normal((m, n), dtype=np.float32),
            rng.standard_normal(m, dtype=np.float32),
            "relu" if place < len(widths) - 2 else None,
            str(place + 1),
        )
        for place, (n, m) in enumerate(pairwise(widths))
    ]
    return Network(tuple(layers), "Gaussian")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=_SHAPES, help="widths, the inputs first")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--time-limit", type=float, default=30.0)
    options = parser.parse_args()
    print("widths                   seed  check [s]  verify [s]  peak [MB]  verdict: reason")
    for shape in options.shapes:
        for seed in range(options.seeds):
            network = gaussian([int(width) for width in shape.split(",")], seed)
            start = time.process_time()
            check = check_network(network, time_limit=options.time_limit)
            spent = time.process_time() - start
            start = time.process_time()
            if check.verdict is not Verdict.UNDECIDED:
                check.verify()
            verified = time.process_time() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            print(
                f"{shape:24} {seed:4} {spent:10.2f} {verified:11.2f} {peak:10}  {check.verdict.value}: {check.reason}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Decide networks exactly: seconds of CPU, linear regions, and the check of the certificate, for Gaussian networks.

    python benchmarks/deep.py --sizes 2,64,8 3,30,4 4,32,2

A size is n,m,L: inputs, neurons of a layer, layers. Goals: (2, 64, 8) in 1 s, (3, 30, 4) in minutes, (4, 32, 2) at all.

Peer, for as many layers as it takes less than --peer-limit seconds: the same regions by linear programs (HiGHS) on sign
vectors, depth first through the neurons, which is how the cells of a network are enumerated elsewhere.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from polyinj import decide_network_injectivity


def gaussian(n: int, m: int, layers: int, seed: int) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((m, k)) for k in (n, *[m] * (layers - 1))]


def has_interior(rows: list[NDArray[np.float64]], n: int) -> bool:
    """Whether rows x > 0 somewhere, by the largest margin in a box."""
    a = np.array(rows)
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    program = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.column_stack([-a, np.ones(len(a))]),
        b_ub=np.zeros(len(a)),
        bounds=[(-1, 1)] * n + [(None, 1)],
    )
    return bool(program.status == 0 and -program.fun > 1e-9)


def regions_by_programs(weights: list[NDArray[np.float64]], deadline: float) -> list[int]:
    """Regions behind each layer, as far as the time allows."""
    n = weights[0].shape[1]
    cells: list[tuple[list[NDArray[np.float64]], NDArray[np.float64]]] = [([], np.eye(n))]
    counts = []
    for matrix in weights:
        below = []
        for rows, outputs in cells:
            values = matrix @ outputs
            parts: list[tuple[list[NDArray[np.float64]], list[bool]]] = [(rows, [])]
            for value in values:
                split = []
                for part, signs in parts:
                    if time.process_time() > deadline:
                        return counts
                    for sign in (1, -1):
                        if has_interior([*part, sign * value], n):
                            split.append(([*part, sign * value], [*signs, sign > 0]))
                parts = split
            below.extend((part, values * np.array(signs)[:, None]) for part, signs in parts)
        cells = below
        counts.append(len(cells))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["2,64,8", "3,30,4", "4,32,2"], help="n,m,L ...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1, help="runs, the fastest counts")
    parser.add_argument("--max-regions", type=int, default=1_000_000)
    parser.add_argument("--no-verify", action="store_true", help="do not check the certificates")
    parser.add_argument("--peer-limit", type=float, default=0.0, help="seconds the peer may take; 0 for none")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    print("  n   m  L   verdict [s]   with proof [s]   verify [s]  verdict, failing layer; regions behind each layer")
    for size in options.sizes:
        n, m, layers = map(int, size.split(","))
        weights = gaussian(n, m, layers, options.seed)
        spent = {}
        for proof in (False, True):
            times = []
            for _ in range(options.repeats):
                start = time.process_time()
                decision = decide_network_injectivity(
                    weights, certificate=proof, max_regions=options.max_regions, search_seconds=0
                )
                times.append(time.process_time() - start)
            spent[proof] = min(times)
        start = time.process_time()
        if not options.no_verify:
            decision.verify()
        check = "-" if options.no_verify else f"{time.process_time() - start:.2f}"
        print(
            f"{n:3} {m:3} {layers:2} {spent[False]:13.2f} {spent[True]:16.2f} {check:>12}  "
            f"{decision.verdict.value}, {decision.first_failing_layer}; {decision.stats.regions}",
            flush=True,
        )
        if options.peer_limit:
            start = time.process_time()
            counts = regions_by_programs(weights, start + options.peer_limit)
            print(f"          linear programs: {time.process_time() - start:.2f} s for {tuple(counts)}", flush=True)


if __name__ == "__main__":
    main()

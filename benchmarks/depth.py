"""The Tukey depth of the origin, exactly: CPU milliseconds with and without a proof, beside a peer in the same run.

    python benchmarks/depth.py [--proof-up-to 100]

The peer for n = 2 and 3 is the same turn in plain numpy: for each row the others are projected along it and sorted by
angle; in floating point, for rows in general position. For more inputs it is ours with a proof. The last column is what
the exact algorithm of the R package ddalpha took for the same shapes on another machine (as reported to us).

Goals without a proof: faster than ddalpha; (3, 2000) within a second.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from polyinj import tukey_depth

SHAPES = [(2, 400), (2, 2000), (3, 56), (3, 200), (3, 500), (3, 2000), (4, 60), (4, 100), (5, 60), (6, 40)]
DDALPHA = {(2, 400): 0.06, (3, 56): 0.16, (3, 200): 3.6, (3, 500): 23.0}


def planar_depth(vectors: NDArray[np.float64]) -> int:
    angles = np.sort(np.arctan2(vectors[:, 1], vectors[:, 0]))
    k = len(angles)
    within = np.searchsorted(np.concatenate([angles, angles + 2 * np.pi]), angles + np.pi) - np.arange(k) - 1
    return int(min(within.min(), (k - 1 - within).min()))


def depth_in_numpy(rows: NDArray[np.float64]) -> int:
    if rows.shape[1] == 2:
        return planar_depth(rows)
    depths = []
    for j, row in enumerate(rows):
        basis = np.linalg.svd(row[None])[2][1:]
        depths.append(planar_depth(np.delete(rows, j, axis=0) @ basis.T))
    return min(depths)


def best(run: Callable[[], int], repeats: int) -> tuple[float, int]:
    """Least CPU milliseconds (user and system) of some runs, and the result."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = run()
        times.append(1000 * (time.process_time() - start))
    return min(times), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proof-up-to", type=int, default=100, help="rows up to which a proof is asked for as well")
    most = parser.parse_args().proof_up_to
    print("standard normal rows, seed 0; CPU ms of one thread, best of 5 (of 1 with a proof)")
    print(f"{'n':>3}{'m':>6}{'depth':>7}{'without':>10}{'with proof':>12}{'numpy':>10}{'ratio':>8}{'ddalpha':>9}")
    for n, m in SHAPES:
        rows = np.random.default_rng(0).standard_normal((m, n))
        tukey_depth(rows, certificate=False)
        own, depth = best(lambda rows=rows: tukey_depth(rows, certificate=False).depth, 5)
        cells = [f"{n:3}{m:6}{depth:7}{own:10.2f}"]
        proof = best(lambda rows=rows: tukey_depth(rows).depth, 1) if m <= most else None
        cells.append(f"{proof[0]:12.2f}" if proof else f"{'':12}")
        peer = best(lambda rows=rows: depth_in_numpy(rows), 1 if m > 500 else 3) if n <= 3 else proof
        if peer is not None:
            assert peer[1] == depth
        cells.append(f"{peer[0]:10.2f}{peer[0] / own:7.1f}x" if peer and n <= 3 else f"{'':18}")
        cells.append(f"{DDALPHA[n, m]:9.2f}" if (n, m) in DDALPHA else "")
        print("".join(cells), flush=True)


if __name__ == "__main__":
    main()

"""The Tukey depth of the origin, exactly: CPU milliseconds without and with a proof, beside peers in the same run.

    python benchmarks/depth.py [--ddalpha FILE] [--proof-up-to 60]

The peer is the exact algorithm of the R package ddalpha (the faster of "recursive" and "plane"), called in its shared
library without R between, whose place `Rscript -e 'cat(system.file("libs/ddalpha.so", package = "ddalpha"))'` tells;
the loader has to find libR.so. Without that library the last column holds what it took once, beside these figures on
one machine (ddalpha 1.3.13 of Debian 12). For n = 2 and 3 a turn in plain numpy runs as well, in floating point for
rows in general position. ddalpha takes angles and lengths below 1e-8 for ties; ours is exact.

Goals without a proof: faster than ddalpha at n = 2..6; (3, 2000) within a second.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from polyinj import tukey_depth

# n, rows, and of random integers the largest; 0: standard normal.
CASES = [
    (2, 10, 0), (2, 50, 0), (2, 400, 0), (2, 2000, 0), (2, 400, 3),
    (3, 10, 0), (3, 56, 0), (3, 200, 0), (3, 500, 0), (3, 2000, 0), (3, 200, 3), (3, 500, 20),
    (4, 12, 0), (4, 60, 0), (4, 60, 3), (4, 60, 1), (4, 100, 0), (4, 200, 0),
    (5, 30, 2), (5, 60, 0), (5, 100, 0),
    (6, 24, 1), (6, 40, 0),
]  # fmt: skip
SAVED = {
    (2, 10, 0): 0.015, (2, 50, 0): 0.019, (2, 400, 0): 0.05, (2, 2000, 0): 0.209, (2, 400, 3): 0.047,
    (3, 10, 0): 0.021, (3, 56, 0): 0.186, (3, 200, 0): 4.33, (3, 500, 0): 28.3, (3, 2000, 0): 497, (3, 200, 3): 3.8,
    (3, 500, 20): 28.6, (4, 12, 0): 0.071, (4, 60, 0): 11.6, (4, 60, 3): 11.7, (4, 60, 1): 8.19, (4, 100, 0): 56.1,
    (4, 200, 0): 547, (5, 30, 2): 14, (5, 60, 0): 221, (5, 100, 0): 1818, (6, 24, 1): 66.1, (6, 40, 0): 377,
}  # fmt: skip


def rows_of(n: int, m: int, largest: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return rng.integers(-largest, largest + 1, (m, n)) if largest else rng.standard_normal((m, n))


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


class Ddalpha:
    """The function that depth.halfspace of the R package calls, by its arguments."""

    def __init__(self, path: str) -> None:
        self.peer = ctypes.CDLL(path)

    def depth(self, rows: NDArray[np.float64], algorithm: int) -> int:
        points = np.ascontiguousarray(rows, dtype=np.float64)
        m, n = points.shape
        origin, depth = np.zeros(n), np.zeros(1)
        doubles = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (points, origin, depth)]
        numbers = [ctypes.byref(ctypes.c_int(number)) for number in (m, 1, n, algorithm)]
        self.peer.HDepthEx(*doubles[:2], *numbers, doubles[2])
        return round(depth[0] * m)

    def best(self, rows: NDArray[np.float64]) -> tuple[float, int]:
        return min(best(lambda a=algorithm: self.depth(rows, a), 3) for algorithm in (1, 2))


def best(run: Callable[[], int], repeats: int) -> tuple[float, int]:
    """Least CPU milliseconds (user and system) of some runs, and the result."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = run()
        times.append(1000 * (time.process_time() - start))
        if times[-1] > 2000:
            break
    return min(times), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proof-up-to", type=int, default=60, help="rows up to which a proof is asked for as well")
    parser.add_argument("--ddalpha", help="the shared library of the R package")
    options = parser.parse_args()
    ddalpha = Ddalpha(options.ddalpha) if options.ddalpha else None
    print("seed 0; standard normal rows, or integers up to the one given; CPU ms of one thread, best of 20 or 3")
    print("  n     m  up to  depth   without  with proof    numpy   ddalpha   ratio")
    for n, m, largest in CASES:
        rows = rows_of(n, m, largest)
        own, depth = best(lambda rows=rows: tukey_depth(rows, certificate=False).depth, 20)
        cells = [f"{n:3}{m:6}{largest or '':>7}{depth:7}{own:10.3f}"]
        proof = best(lambda rows=rows: tukey_depth(rows).depth, 1) if m <= options.proof_up_to else None
        cells.append(f"{proof[0]:12.2f}" if proof else f"{'':12}")
        in_numpy = best(lambda rows=rows: depth_in_numpy(rows), 2) if n <= 3 and not largest else None
        cells.append(f"{in_numpy[0]:9.2f}" if in_numpy else f"{'':9}")
        peer = ddalpha.best(rows) if ddalpha else (SAVED.get((n, m, largest), float("nan")), depth)
        cells.append(f"{peer[0]:10.3f}{peer[0] / own:7.1f}x")
        assert {depth} == {found[1] for found in (proof, in_numpy, peer) if found}
        print("".join(cells), flush=True)


if __name__ == "__main__":
    main()

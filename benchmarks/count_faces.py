"""The ray sweep: cells counted a second, with the whole table F[d, p], on one core.

    python benchmarks/count_faces.py

Goal: 10 million cells a second at (m, n) = (30, 6) and (40, 5). Peer: a numpy version of the same sweep, which takes
the subsets of rows in batches and solves for each ray with LAPACK; it only counts rays by positives.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import combinations, islice
from math import comb

import numpy as np
from numpy.typing import NDArray

from polyinj.geometry.sweep import sweep

REPEATS = 5
BATCH = 4096


def numpy_ray_counts(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rays by number of positives: each (n-1)-subset of the rows behind the first, by batched LU."""
    m, n = rows.shape
    counts = np.zeros(m + 1, dtype=np.int64)
    chart = rows[0]
    every = combinations(range(1, m), n - 1)
    while subsets := list(islice(every, BATCH)):
        chosen = np.concatenate([rows[np.array(subsets)], np.broadcast_to(chart, (len(subsets), 1, n))], axis=1)
        right = np.zeros((len(subsets), n, 1))
        right[:, -1] = 1
        values = (np.linalg.solve(chosen, right)[:, :, 0] @ rows.T) > 1e-9
        counts += np.bincount(values.sum(axis=1), minlength=m + 1)
    return counts


def seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    print("  m  n      cells    sweep [s]  million cells/s  numpy [s]  numpy/sweep")
    for m, n in ((30, 6), (40, 5)):
        rows = np.random.default_rng(0).standard_normal((m, n))
        cells = 2 * sum(comb(m - 1, i) for i in range(n))
        ours = seconds(lambda rows=rows: sweep(rows))
        peer = seconds(lambda rows=rows: numpy_ray_counts(rows))
        print(f"{m:3} {n:2} {cells:10}   {ours:10.4f}  {cells / ours / 1e6:15.1f} {peer:10.3f} {peer / ours:12.0f}")


if __name__ == "__main__":
    main()

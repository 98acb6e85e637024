"""Enumeration: cells per second for counting, F[d, p], writing and few positives, beside an LP enumeration in one run.

The peer is the incremental method of Rada and Cerny (2018), "A new algorithm for enumeration of cells of hyperplane
arrangements and a comparison with Avis and Fukuda's reverse search": add hyperplanes one by one and ask, for each cell
so far, with one linear program whether the new hyperplane splits it (the side of a known interior point is free). The
programs go to HiGHS through highspy, whose model keeps its basis from one program to the next.

Goals, one core: counting and F[d, p] 10 million cells/s, writing sign vectors 3 million cells/s, at (30, 6) and
(40, 5); at (40, 5) with at most 12 positives, fewer steps than there are cells; two threads near 2x; (12, 4) within
240 us (CauchyFriendly took 1.7 times less than the 400 us that were ours, as reported to us).

Run: python benchmarks/enumerate.py [seconds for the peer, by default 5]
"""

import hashlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.optimize import linprog

from polyinj import Arrangement
from polyinj._split import ConeSplitter
from polyinj.exact import arrays

SHAPES = [(30, 6), (40, 5)]
REPEATS = 5


def best(run, clock=time.process_time):
    """Least time of some runs, and the result."""
    times = []
    for _ in range(REPEATS):
        start = clock()
        result = run()
        times.append(clock() - start)
    return min(times), result


class Lps:
    """max t subject to (sign_i w_i).x >= t, |x_j| <= 1, t <= 1: warm with highspy; afresh with scipy without it."""

    def __init__(self, rows):
        self.rows = rows
        n = rows.shape[1]
        try:
            import highspy
        except ImportError:
            self.model = None
            return
        self.model = highspy.Highs()
        self.model.silent()
        self.model.addVars(n + 1, np.full(n + 1, -1.0), np.full(n + 1, 1.0))
        self.model.changeColCost(n, -1.0)
        self.free = highspy.kHighsInf
        columns = np.arange(n + 1, dtype=np.int32)
        # Row i of the first half is w_i.x - t >= 0 when in force, of the second w_i.x + t <= 0.
        for t in (-1.0, 1.0):
            for row in rows:
                self.model.addRow(-self.free, self.free, n + 1, columns, np.append(row, t))
        self.indices = np.arange(2 * len(rows), dtype=np.int32)

    def interior(self, signs):
        """A point with these signs of the first rows, or None; the others are free."""
        n = self.rows.shape[1]
        if self.model is None:
            a = np.column_stack([-signs[:, None] * self.rows[: len(signs)], np.ones(len(signs))])
            found = linprog(np.append(np.zeros(n), -1.0), a, np.zeros(len(signs)), bounds=[(-1, 1)] * (n + 1))
            x = found.x
        else:
            m = len(self.rows)
            lower, upper = np.full(2 * m, -self.free), np.full(2 * m, self.free)
            lower[: len(signs)][signs > 0] = 0.0
            upper[m : m + len(signs)][signs < 0] = 0.0
            self.model.changeRowsBounds(2 * m, self.indices, lower, upper)
            self.model.run()
            x = np.array(self.model.getSolution().col_value)
        return x[:n] if x[n] > 1e-9 else None


def lp_enumeration(rows, seconds):
    """Cells met depth first by one LP a cell and row, until the time is over; (cells, LPs, seconds)."""
    lps = Lps(rows)
    start = time.process_time()
    cells = solved = 0
    stack = [(np.array([s]), s * rows[0]) for s in (1, -1)]
    while stack and time.process_time() - start < seconds:
        signs, point = stack.pop()
        if len(signs) == len(rows):
            cells += 1
            continue
        side = 1 if rows[len(signs)] @ point > 0 else -1
        stack.append((np.append(signs, side), point))
        across = np.append(signs, -side)
        solved += 1
        other = lps.interior(across)
        if other is not None:
            stack.append((across, other))
    return cells, solved, time.process_time() - start


def main():
    peer_seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    for m, n in SHAPES:
        rows = np.random.default_rng(0).standard_normal((m, n))
        print(f"(m, n) = ({m}, {n}), standard normal, seed 0; best of {REPEATS}; CPU time of one thread")
        seconds, counts = best(lambda rows=rows: Arrangement(rows).face_counts())
        cells, faces = int(counts[-1].sum()), int(counts.sum())
        count_rate = cells / seconds
        print(f"  F[d, p] ({faces:,} faces, {cells:,} cells)  {count_rate / 1e6:7.2f} M cells/s   goal 10")
        seconds, _ = best(lambda rows=rows: sum(len(c) for c in Arrangement(rows).iter_cells()))
        write_rate = cells / seconds
        print(f"  sign vectors, int8                  {write_rate / 1e6:7.2f} M cells/s   goal 3")
        seconds, _ = best(lambda rows=rows: sum(len(c) for c in Arrangement(rows).iter_packed_cells()))
        print(f"  sign vectors, packed                {cells / seconds / 1e6:7.2f} M cells/s")
        met, solved, spent = lp_enumeration(rows, peer_seconds)
        peer = met / spent
        print(f"  peer, LP a cell and row             {peer:7.0f} cells/s ({solved / spent:,.0f} LPs/s)")
        print(f"  ratios: count {count_rate / peer:,.0f}x, write {write_rate / peer:,.0f}x the peer")
    start_up()
    few_positives()
    threads()


def start_up():
    print("few cells, where reading the rows and the start are most of it: written as int8, best of 50")
    for m, n in ((8, 3), (12, 4), (16, 5)):
        rows = np.random.default_rng(0).standard_normal((m, n))
        runs = [best(lambda rows=rows: sum(len(c) for c in Arrangement(rows).iter_cells())) for _ in range(10)]
        seconds, cells = min(runs)
        print(f"  ({m}, {n}): {cells} cells, {seconds * 1e6:.0f} us")


def few_positives():
    rows = np.random.default_rng(0).standard_normal((40, 5))
    floats, error = arrays.float_rows(arrays.read_matrix(rows))
    print("(40, 5) with few positives: splitting cones; a full walk meets 184,342 cells")
    for limit in (8, 10, 12):
        cursor = ConeSplitter(floats, error, limit, 5, False)
        cursor.fill(np.empty((8192, 40), dtype=np.int8), 10**9)
        seconds, found = best(lambda k=limit: Arrangement(rows).count_cells(k))
        print(f"  at most {limit:2d}: {found:5d} cells, {cursor.nodes:6d} cones, {seconds * 1e3:7.2f} ms")
    seconds, found = best(lambda: sum(int(((c > 0).sum(axis=1) <= 12).sum()) for c in Arrangement(rows).iter_cells()))
    print(f"  at most 12 by writing all cells and sieving: {found} cells, {seconds * 1e3:.2f} ms")


def threads():
    blocks = [bytes(20_000_000)] * 2
    with ThreadPoolExecutor(2) as pool:
        one, _ = best(lambda: [hashlib.sha256(block).digest() for block in blocks], time.perf_counter)
        two, _ = best(lambda: list(pool.map(lambda block: hashlib.sha256(block).digest(), blocks)), time.perf_counter)
    print(f"control: two threads of SHA-256 gain {one / two:.2f}x here (2 on two idle cores)")
    for m, n in ((50, 6), (50, 7)):
        rows = np.random.default_rng(0).standard_normal((m, n))
        for name, run in [
            ("F[d, p]", lambda t, rows=rows: Arrangement(rows, threads=t).face_counts()),
            ("int8   ", lambda t, rows=rows: sum(len(c) for c in Arrangement(rows, threads=t).iter_cells())),
        ]:
            one, _ = best(lambda run=run: run(1), time.perf_counter)
            two, _ = best(lambda run=run: run(2), time.perf_counter)
            work, serial = min(cpu_times(lambda run=run: run(2)) for _ in range(REPEATS))
            print(f"({m}, {n}) {name} wall clock: 1 thread {one:.3f} s, 2 threads {two:.3f} s: {one / two:.2f}x")
            print(f"  CPU time of two threads {work:.3f} s, of their caller {serial:.3f} s, the serial part")
            print(f"  on two idle cores at most {work / (work / 2 + serial):.2f}x")


def cpu_times(run):
    """CPU seconds of the threads that a run starts, and of the caller's: the serial part."""
    every, own = time.process_time(), time.thread_time()
    run()
    own = time.thread_time() - own
    return time.process_time() - every - own, own


if __name__ == "__main__":
    main()

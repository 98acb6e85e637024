"""The machinery of sweeps: what everything but the statistic costs, with the store on.

    python benchmarks/sweep.py [--trials 10000] [--workers 2]

Goal: at (n, m) = (8, 56) less than 5 % of the time in the statistic (deciding a Gaussian layer). Overhead is seeding
and drawing matrices, clocks, batches, their way between processes, the store with its commits, and the progress bar.
Peer: the same trials in a plain loop, which seeds, draws and decides, and keeps nothing; "sweep - loop" is what the
sweep costs more than that. All times are CPU time of all processes, which other load on the machine disturbs least;
starting worker processes, once a run, about a second each, is left out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from polyinj import GaussianEnsemble, simulate
from polyinj.simulation.executors import local_processes
from polyinj.simulation.statistics import decision
from polyinj.simulation.store.reader import StoreReader
from polyinj.simulation.trials import run_batch

SIZES = ((8, 56), (6, 42))


def timed_decision(matrix):
    """A decision, and the CPU seconds that it took."""
    start = time.thread_time()
    columns = decision(matrix)
    return {**columns, "cpu": time.thread_time() - start}


timed_decision.assumes_general_position = True


def nothing(matrix):
    return 0.0


def asleep(matrix):
    """Long enough for every worker to start."""
    time.sleep(3)
    return 0.0


def start(executor, workers):
    """The process ids of the workers, all started and all with what they import."""
    if workers == 1:
        return []
    shape = GaussianEnsemble(2, 2)
    return [f.result().worker[1] for f in [executor.submit(run_batch, shape, asleep, 0, 0, 1) for _ in range(workers)]]


def cpu_seconds(workers):
    """Of this process and of the workers, by their ids."""
    total = time.process_time()
    for pid in workers:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def sweep(n, m, trials, workers, store, statistic=timed_decision):
    """(CPU seconds without the start of the workers, wall seconds, results) of a run with a new store."""
    with local_processes(workers) as executor:
        pids = start(executor, workers)
        cpu, wall = cpu_seconds(pids), time.perf_counter()
        run = simulate(GaussianEnsemble(m, n), statistic, trials, seed=0, executor=executor, store=store)
        return cpu_seconds(pids) - cpu, time.perf_counter() - wall, run


def loop(n, m, trials):
    """(CPU seconds, CPU seconds in the statistic) of a plain loop."""
    start, kernel = time.process_time(), 0.0
    for trial in range(trials):
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(n, m, trial)))
        kernel += timed_decision(rng.standard_normal((m, n)))["cpu"]
    return time.process_time() - start, kernel


def show(n, m, workers, trials, kernel, overhead, more="-", rest=""):
    print(
        f"{n:2} {m:3} {workers:>8} {trials:7} {1e3 * kernel / trials:11.2f} {100 * overhead / kernel:7.1f} % "
        f"{more:>13} {1e6 * overhead / trials:11.1f} {rest}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2, help="of the runs with several processes")
    options = parser.parse_args()
    trials = options.trials
    with tempfile.TemporaryDirectory() as folder:
        print(
            " n  m  workers  trials  ms a trial  overhead   sweep - loop  us a trial  batches  bytes a trial  wall [s]"
        )
        for n, m in SIZES:
            total, spent = loop(n, m, trials)
            show(n, m, "loop", trials, spent, total - spent)
            for workers in sorted({1, options.workers}):
                store = Path(folder) / f"{n}-{workers}.db"
                cpu, wall, run = sweep(n, m, trials, workers, store)
                kernel = run.column("cpu").sum()
                overhead = cpu - kernel
                with StoreReader(store) as reader:
                    batches = len(list(reader.segments()))
                size = store.stat().st_size / trials
                more = f"{100 * (overhead - total + spent) / kernel:.1f} %"
                show(n, m, workers, trials, kernel, overhead, more, f"{batches:8} {size:12.1f} {wall:11.2f}")
        store = Path(folder) / "nothing.db"
        cpu, wall, _ = sweep(8, 56, 10 * trials, 1, store, nothing)
        print(
            f"a statistic that does nothing, shape (56, 8), one worker: {1e6 * cpu / trials / 10:.1f} us a trial, "
            f"{store.stat().st_size / trials / 10:.1f} bytes a trial"
        )


if __name__ == "__main__":
    main()

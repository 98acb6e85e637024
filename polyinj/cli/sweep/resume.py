"""The shell command `polyinj sweep resume`."""

from __future__ import annotations

from polyinj.cli.options import Workers
from polyinj.cli.sweep.options import Scheduler, StoreFile, executor_of
from polyinj.cli.sweep.results import print_results
from polyinj.simulation.catalog import stored_family, stored_statistic
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.store.reader import StoreReader
from polyinj.simulation.store.store import Store
from polyinj.studies.live_crossing import LiveCrossing


def resume(
    store: StoreFile,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Run the trials that a sweep still misses, failed ones included; the file says everything."""
    StoreReader(store).close()
    with Store(store) as opened:
        family, statistic = stored_family(opened), stored_statistic(opened)
        jobs = [Job(family(cell.m, cell.n), statistic, cell.wanted) for cell in opened.cells() if cell.wanted]
        with executor_of(workers, scheduler) as executor:
            results = simulate_jobs(jobs, seed=None, executor=executor, store=opened, note=LiveCrossing(jobs))
    print_results(jobs, results)

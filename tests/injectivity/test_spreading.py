"""A search over an executor: same verdict, same nodes, a valid proof, whoever works and whoever dies."""

import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from helpers import gaussian

from polyinj import PolyinjError, Verdict, decide_injectivity
from polyinj.injectivity import branch_and_bound, spreading
from polyinj.injectivity.spreading import run_part
from polyinj.simulation.executors import InProcess, LocalProcesses


@pytest.fixture
def early(monkeypatch):
    """Spread after a few nodes, and give subtrees away often."""
    monkeypatch.setattr(spreading, "SPREAD_AFTER", 12)
    monkeypatch.setattr(branch_and_bound, "SPREAD_AFTER", 12)


HARD = gaussian(126, 18, 3)


def decided(weights, executor, **options):
    decision = decide_injectivity(weights, executor=executor, **options)
    if decision.certificate is not None:
        decision.verify()
    return decision.verdict, decision.stats.nodes


@pytest.mark.parametrize(("m", "n", "rank_proof"), [(80, 10, False), (48, 6, True)])
def test_nodes_do_not_depend_on_the_workers(early, m, n, rank_proof):
    weights = gaussian(m, n, 3)
    options = {"rank_proof": rank_proof, "certificate": True}
    one = decided(weights, InProcess(), **options)
    with ThreadPoolExecutor(3) as executor:
        assert decided(weights, executor, **options) == one
    assert one[0] is Verdict.INJECTIVE
    # Subtrees start without what their parents have seen: some nodes more.
    alone = decide_injectivity(weights, **options).stats.nodes
    assert alone <= one[1] < 2 * alone + 50


def test_witness_and_limits_end_the_parts(early):
    # Spread before the first heuristic is due.
    assert decided(gaussian(40, 10, 0), InProcess(), rank_proof=False)[0] is Verdict.NOT_INJECTIVE
    limited = decide_injectivity(gaussian(126, 18, 1), executor=InProcess(), node_limit=300)
    assert (limited.verdict, limited.stopped_by) == (Verdict.UNDECIDED, "node_limit")
    # Each part may use what is left when it is sent.
    assert limited.stats.nodes < 900


class Dying(Executor):
    """Loses parts: each call is cancelled `losses` times before it is run."""

    def __init__(self, losses):
        self.losses, self.lost = losses, {}

    def submit(self, function, start, part, *rest):
        assert function is run_part
        future = Future()
        self.lost[part.number] = self.lost.get(part.number, -1) + 1
        if self.lost[part.number] < self.losses:
            future.set_exception(RuntimeError("gone"))
        else:
            future.set_result(function(start, part, *rest))
        return future


def test_lost_parts_are_sent_again(early):
    weights = gaussian(84, 12, 0)
    once = Dying(1)
    assert decided(weights, once, rank_proof=False) == decided(weights, InProcess(), rank_proof=False)
    assert len(once.lost) > 3
    with pytest.raises(PolyinjError, match="a worker died, 3 times with a part of the search under way \\(gone\\)"):
        decided(weights, Dying(3), rank_proof=False)


class Killed(LocalProcesses):
    """Two processes; when the second part is done one of them is killed by kill -9."""

    def __init__(self):
        self.done = 0
        super().__init__(2)

    def submit(self, function, /, *arguments):
        future = super().submit(function, *arguments)
        future.add_done_callback(self.count)
        return future

    def count(self, future):
        self.done += 1
        if self.done == 2:
            os.kill(next(iter(self._pool._processes)), signal.SIGKILL)


@pytest.fixture(scope="module")
def alone():
    """What one worker in this process finds for HARD."""
    return decided(HARD, InProcess(), rank_proof=False)


@pytest.mark.slow
def test_a_killed_process_changes_nothing(alone):
    with Killed() as executor:
        found = decided(HARD, executor, rank_proof=False)
    assert executor.done > 10
    assert found == alone
    with ProcessPoolExecutor(1) as executor:
        os.kill(executor.submit(os.getpid).result(), signal.SIGKILL)
        with pytest.raises(PolyinjError, match="a worker died, 1 times"):
            decide_injectivity(HARD, rank_proof=False, executor=executor)


@pytest.mark.slow
def test_a_killed_dask_worker_changes_nothing(alone):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
        client.get_executor() as executor,
    ):
        before = list(client.run(os.getpid).values())
        submit, sent = executor.submit, []

        def submit_and_kill(*arguments):
            sent.append(submit(*arguments))
            if len(sent) == 2:
                os.kill(before[0], signal.SIGKILL)
            return sent[-1]

        executor.submit = submit_and_kill
        found = decided(HARD, executor, rank_proof=False)
        assert set(client.run(os.getpid).values()) != set(before)
    assert len(sent) > 10
    assert found == alone

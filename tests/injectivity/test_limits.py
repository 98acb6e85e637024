"""Limits, threads and bad arguments of `decide_injectivity`."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import gaussian

from polyinj import Box, CertificateError, InputError, Verdict, decide_injectivity


@pytest.mark.slow
@pytest.mark.parametrize("rank_proof", [True, False])
def test_two_threads_agree_with_one(rank_proof):
    m, n = (63, 9) if rank_proof else (84, 12)
    for seed in range(2):
        one, two = (decide_injectivity(gaussian(m, n, seed), rank_proof=rank_proof, workers=w) for w in (1, 2))
        assert one.verdict is two.verdict
        two.verify()


def test_limits_leave_the_verdict_open():
    weights = gaussian(168, 24)
    for limit in ({"node_limit": 50}, {"time_limit": 0.05}, {"memory_limit": 100_000}):
        decision = decide_injectivity(weights, **limit)
        assert decision.verdict is Verdict.UNDECIDED
        assert [decision.stopped_by] == list(limit)
        assert decision.advice.startswith(f"stopped by {decision.stopped_by}: ")
        assert f"stopped_by={decision.stopped_by!r}" in repr(decision)
        assert decision.certificate is None
        assert 1 <= decision.depth_lower_bound <= decision.best_witness.active
        with pytest.raises(CertificateError, match=f"carries no certificate; stopped by {decision.stopped_by}"):
            decision.verify()
    decided = decide_injectivity(gaussian(70, 10), node_limit=10**6)
    assert (decided.verdict, decided.stopped_by, decided.advice) == (Verdict.INJECTIVE, None, "")
    assert decide_injectivity(gaussian(30, 10)).stopped_by is None


@pytest.mark.slow
def test_nodes_do_not_depend_on_the_time():
    nodes = [decide_injectivity(gaussian(98, 14, 4), rank_proof=False).stats.nodes for _ in range(3)]
    assert len(set(nodes)) == 1
    assert nodes[0] > 400


@pytest.mark.slow
def test_layers_beyond_the_search_say_so():
    many = np.vstack([np.eye(61), -np.eye(61)])
    singular = np.vander(np.linspace(0.5, 1.5, 40), 20)
    for weights in (many, singular, np.vstack([singular, -singular])):
        decision = decide_injectivity(weights)
        assert decision.verdict is not Verdict.UNDECIDED or decision.stopped_by == "size"
    assert decide_injectivity(many).stopped_by == "size"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_rank_searches_and_threads_say_what_stopped_them(workers):
    weights = gaussian(98, 14)
    for limit in ({"node_limit": 5_000}, {"time_limit": 0.2}, {"memory_limit": 100_000}):
        decision = decide_injectivity(weights, rank_proof=True, workers=workers, **limit)
        assert (decision.verdict, [decision.stopped_by]) == (Verdict.UNDECIDED, list(limit))


def test_time_limit_is_kept():
    started = time.monotonic()
    assert decide_injectivity(gaussian(168, 24), time_limit=0.5).stopped_by == "time_limit"
    assert time.monotonic() - started < 5


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_is_answered(workers):
    program = (
        "import numpy as np, signal\nfrom polyinj import decide_injectivity\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('go', flush=True)\n"
        f"decide_injectivity(np.random.default_rng(0).standard_normal((168, 24)), workers={workers})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"go\n"
    time.sleep(1.5)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    # The search answers between slices of 50 ms; what is left is the end of the interpreter, on a busy machine.
    assert time.monotonic() - sent < 5
    assert b"KeyboardInterrupt" in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bias": [1.0]}, r"bias has shape \(1,\)"),
        ({"bias": [1.0, np.nan, 0]}, r"bias\[1\] is nan"),
        ({"domain": Box.nonnegative(5)}, "domain is"),
        ({"node_limit": 0}, "node_limit is 0"),
        ({"time_limit": -1.0}, "time_limit is -1.0"),
        ({"workers": 0}, "workers is 0"),
        ({"memory_limit": 0}, "memory_limit is 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        decide_injectivity(np.eye(3), **arguments)


@pytest.mark.slow
def test_circuits_out_of_use_are_forgotten():
    """118,000 circuits at 74 bytes each are found, and half of them used."""
    with_proof = decide_injectivity(gaussian(126, 18, 4), rank_proof=False, memory_limit=14_000_000)
    without = decide_injectivity(gaussian(126, 18, 4), rank_proof=False, certificate=False, memory_limit=10_000_000)
    assert with_proof.verdict is without.verdict is Verdict.INJECTIVE
    assert with_proof.stats.nodes == without.stats.nodes
    with_proof.verify()

"""Verdicts, with and without general position, bias and domain; limits; certificates."""

import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest
from helpers import check_verdict, gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import face_lattice, injectivity
from scipy.optimize import LinearConstraint, milp

from polyinj import (
    Arrangement,
    Box,
    CertificateError,
    InputError,
    Verdict,
    decide_injectivity,
    find_witness,
    tukey_depth,
)
from polyinj.injectivity import heuristics
from polyinj.injectivity.heuristics import Schedule
from polyinj.injectivity.limits import Limits
from polyinj.testing import integer_matrices, nearly_dependent_matrices

DOMAINS = [
    lambda n: None,
    Box.nonnegative,
    lambda n: Box([-1] * n, [2] * n),
    lambda n: Box([1] + [None] * (n - 1), [None] * n),
]


@settings(max_examples=400)
@given(integer_matrices(max_rows=9, max_columns=4), st.sampled_from(DOMAINS), st.data())
def test_integer_layers_equal_the_criterion(rows, domain, data):
    m, n = rows.shape
    bias = data.draw(st.none() | st.lists(st.integers(-2, 2), min_size=m, max_size=m))
    box = domain(n)
    injective = injectivity.brute_force_injective(rows.tolist(), bias, box)
    check_verdict(injective, rows, bias, domain=box)


@pytest.mark.parametrize("seed", range(8))
def test_many_integer_layers_equal_the_criterion(seed):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        n = int(rng.integers(1, 5))
        m = int(rng.integers(1, 10))
        rows = rng.integers(-2, 3, (m, n))
        bias = rng.integers(-2, 3, m) if rng.random() < 0.5 else None
        box = DOMAINS[rng.integers(len(DOMAINS))](n)
        injective = injectivity.brute_force_injective(rows.tolist(), None if bias is None else bias.tolist(), box)
        check_verdict(injective, rows, bias, domain=box)


@given(nearly_dependent_matrices(max_rows=8, max_columns=3))
def test_nearly_dependent_layers_equal_the_criterion(rows):
    check_verdict(injectivity.brute_force_injective(rows.tolist()), rows, rank_proof=True)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_gaussian_layers_equal_the_ray_sweep(n):
    for seed in range(25):
        weights = gaussian(5 * n, n, seed)
        depth = Arrangement(weights).depth
        decision = decide_injectivity(weights)
        assert decision.verdict is (Verdict.INJECTIVE if depth >= n else Verdict.NOT_INJECTIVE)
        decision.verify()
        result = tukey_depth(weights)
        assert result.depth == depth
        result.verify()


def milp_injective(weights):
    """Depth >= n by mixed-integer programming: the best formulation that solvers are offered today."""
    m, n = weights.shape
    q = np.linalg.qr(weights / np.linalg.norm(weights, axis=1, keepdims=True))[0]
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    big = np.abs(q).sum(axis=1)
    # Variables: x in [-1, 1]^n, z binary (row active), f and g binary (x_j = 1, x_j = -1 for one j).
    identity = np.eye(n)
    none = np.zeros((n, m))
    inactive = np.hstack([q, -np.diag(big), np.zeros((m, 2 * n))])
    at_top = np.hstack([identity, none, -2 * identity, np.zeros((n, n))])
    at_bottom = np.hstack([identity, none, np.zeros((n, n)), 2 * identity])
    faces = np.concatenate([np.zeros(n + m), np.ones(2 * n)])[None]
    few = np.concatenate([np.zeros(n), np.ones(m), np.zeros(2 * n)])[None]
    found = milp(
        np.zeros(3 * n + m),
        integrality=np.concatenate([np.zeros(n), np.ones(m + 2 * n)]),
        bounds=(np.concatenate([-np.ones(n), np.zeros(m + 2 * n)]), np.ones(3 * n + m)),
        constraints=[
            LinearConstraint(inactive, -np.inf, 0),
            LinearConstraint(at_top, -1, np.inf),
            LinearConstraint(at_bottom, -np.inf, 1),
            LinearConstraint(faces, 1, 1),
            LinearConstraint(few, -np.inf, n - 1),
        ],
    )
    assert found.status in (0, 2)
    return found.status == 2


@pytest.mark.parametrize(("m", "n", "seed"), [(30, 6, 0), (33, 6, 1), (33, 6, 2), (35, 7, 0), (38, 7, 1), (40, 8, 0)])
def test_gaussian_layers_equal_mixed_integer_programming(m, n, seed):
    weights = gaussian(m, n, seed)
    decision = decide_injectivity(weights)
    assert (decision.verdict is Verdict.INJECTIVE) == milp_injective(weights)
    decision.verify()


@pytest.mark.parametrize(
    ("m", "n", "depths"), [(35, 5, [7, 5, 7]), (54, 6, [9, 9, 10]), (48, 8, [10, 7, 9]), (56, 8, [12])]
)
def test_known_depths(m, n, depths):
    for seed, depth in enumerate(depths):
        result = tukey_depth(gaussian(m, n, seed))
        assert result.depth == depth
        result.verify()


@pytest.mark.parametrize(
    ("m", "n", "seed", "injective"),
    [
        *((72, 12, seed, False) for seed in range(3)),
        *((84, 12, seed, True) for seed in range(3)),
        (84, 14, 2, False),
        (96, 16, 2, False),
    ],
)
def test_known_verdicts(m, n, seed, injective):
    decision = decide_injectivity(gaussian(m, n, seed), rank_proof=False)
    assert decision.verdict is (Verdict.INJECTIVE if injective else Verdict.NOT_INJECTIVE)
    assert decision.assumes_general_position == injective
    decision.verify()


TRAP = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [1, 1, 0], [-1, -1, 0], [0, 0, 1]]


def test_counting_is_not_spanning():
    # At (1, 1, -1) three rows are active and their rank is 2.
    assert tukey_depth(TRAP).depth == 3
    check_verdict(False, TRAP)
    check_verdict(False, TRAP, rank_proof=False)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_signed_unit_vectors_are_injective(n):
    both = np.vstack([np.eye(n), -np.eye(n)])
    check_verdict(True, both)
    check_verdict(False, both[:-1])
    check_verdict(True, np.eye(n), domain=Box.nonnegative(n))
    check_verdict(False, -np.eye(n), domain=Box.nonnegative(n))


def test_bias_decides_on_a_domain_only():
    # ReLU(x + 1), ReLU(1 - x) on [-1, 1] is injective; on R the first is flat below -1 but the second is not.
    check_verdict(True, [[1]], [1], domain=Box([-1], [1]))
    check_verdict(False, [[1]], [0], domain=Box([-1], [1]))
    check_verdict(True, [[1], [-1]], [1, 1])
    check_verdict(False, [[1], [-1]], [-1, -1])


@given(integer_matrices(max_rows=7, max_columns=3), st.data())
def test_no_bias_repairs_a_layer_on_the_whole_space(rows, data):
    bias = data.draw(st.lists(st.integers(-3, 3), min_size=len(rows), max_size=len(rows)))
    if decide_injectivity(rows).verdict is Verdict.NOT_INJECTIVE:
        assert decide_injectivity(rows, bias).verdict is Verdict.NOT_INJECTIVE


@given(integer_matrices(max_rows=7, max_columns=3), st.lists(st.integers(-2, 2), min_size=3, max_size=3))
def test_another_row_never_loses_information(rows, extra):
    if decide_injectivity(rows).verdict is Verdict.INJECTIVE:
        more = np.vstack([rows, extra[: rows.shape[1]]])
        assert decide_injectivity(more).verdict is Verdict.INJECTIVE


def test_an_alternating_moment_curve_is_injective_with_the_fewest_rows():
    for n in (2, 3, 4):
        m = 3 * n - 1
        rows = [[(-1) ** i * (i + 1) ** k for k in range(n)] for i in range(m)]
        check_verdict(True, rows)
        check_verdict(False, rows[:-1])


@pytest.mark.parametrize("shape", [(2, 3), (1, 4), (3, 3), (5, 5), (1, 1)])
def test_few_rows_are_not_injective(shape):
    check_verdict(False, gaussian(*shape))


@pytest.mark.parametrize("rows", [[[0.0, 0.0]], [[1.0, 1.0]] * 9, np.outer(np.arange(1, 9), [1, 2, 3])])
def test_weights_of_short_rank(rows):
    check_verdict(False, rows)
    check_verdict(False, rows, np.ones(len(rows)), domain=Box([1] * len(rows[0]), [2] * len(rows[0])))


@pytest.mark.parametrize("seed", range(6))
def test_collisions_are_far_apart_and_seen_by_floats(seed):
    weights = gaussian(20, 6, seed)
    decision = decide_injectivity(weights)
    pair = decision.certificate.as_float64(weights)
    assert pair.distance >= 1e-3 * max(abs(pair.x).max(), abs(pair.y).max())
    assert pair.image_difference <= 1e-13


def test_float32_is_read_as_what_it_stores():
    weights = gaussian(12, 3).astype(np.float32)
    decision = decide_injectivity(weights)
    decision.certificate.verify(weights.astype(np.float64))


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


@pytest.mark.parametrize("workers", [1, 2])
def test_witnesses_that_a_short_local_search_misses_are_looked_for_on_the_way(workers):
    """The search alone visits 21,000 to 77,000 nodes of these before it comes to a witness."""
    for seed in (100, 101, 102, 104):
        decision = decide_injectivity(gaussian(116, 20, seed), rank_proof=False, workers=workers)
        assert decision.verdict is Verdict.NOT_INJECTIVE
        assert 0 < decision.stats.nodes < 5_000
        decision.verify()


def test_layers_beyond_the_search_are_decided_by_annealing():
    """A local search of 100 steps finds 152 active rows here."""
    decision = decide_injectivity(gaussian(600, 100))
    assert decision.verdict is Verdict.NOT_INJECTIVE
    assert decision.best_witness.active < 100
    decision.verify()
    decision = decide_injectivity(gaussian(900, 100))
    assert (decision.verdict, decision.stopped_by) == (Verdict.UNDECIDED, "size")
    assert 100 <= decision.best_witness.active < 250
    # On the nonnegative orthant annealing does not apply: there local search does.
    assert decide_injectivity(gaussian(80, 62), domain=Box.nonnegative(62)).verdict is Verdict.NOT_INJECTIVE


def test_nodes_do_not_depend_on_the_time():
    nodes = [decide_injectivity(gaussian(98, 14, 4), rank_proof=False).stats.nodes for _ in range(3)]
    assert len(set(nodes)) == 1
    assert nodes[0] > 400


def test_heuristics_are_taken_once_each_when_they_are_due():
    schedule = Schedule([(5, lambda limits: np.array([5.0])), (9, lambda limits: np.array([9.0]))])
    assert (schedule.due_at, schedule.take(4)) == (5, None)
    assert schedule.take(20)(Limits()) == [5.0]
    assert schedule.due_at == 9
    assert schedule.take(9)(Limits()) == [9.0]
    assert (schedule.due_at, schedule.take(2**40)) == (2**62, None)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("rank_proof", [True, False])
def test_what_a_heuristic_returns_is_no_witness_until_it_is_checked(monkeypatch, workers, rank_proof):
    """Also where no certificate is made, which would be the next to notice."""
    everywhere = np.ones(12)
    monkeypatch.setattr(heuristics, "fewest_active", lambda *_, **__: everywhere)
    monkeypatch.setattr(heuristics, "anneal", lambda *_, **__: everywhere)
    weights = gaussian(84, 12)
    options = {"rank_proof": rank_proof, "certificate": False, "workers": workers, "node_limit": 2_000}
    decision = decide_injectivity(weights, **options)
    assert decision.verdict is (Verdict.UNDECIDED if rank_proof else Verdict.INJECTIVE)
    if rank_proof:
        assert decision.best_witness.active == (weights @ everywhere >= 0).sum()


def test_layers_beyond_the_search_say_so():
    many = np.vstack([np.eye(61), -np.eye(61)])
    singular = np.vander(np.linspace(0.5, 1.5, 40), 20)
    for weights in (many, singular, np.vstack([singular, -singular])):
        decision = decide_injectivity(weights)
        assert decision.verdict is not Verdict.UNDECIDED or decision.stopped_by == "size"
    assert decide_injectivity(many).stopped_by == "size"


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


def test_depth_of_degenerate_rows():
    assert tukey_depth([[0, 0], [0, 0]]).depth == 2
    assert tukey_depth([[1, 0], [1, 0], [0, 0]]).depth == 1
    assert tukey_depth([[1, 0], [-1, 0], [1, 0], [-1, 0]]).depth == 2
    assert tukey_depth([[1], [-1], [-1], [0]]).depth == 2
    assert tukey_depth([[1], [2]]).depth == 0


@settings(max_examples=60)
@given(integer_matrices(max_rows=8, max_columns=3))
def test_depth_equals_the_twin(rows):
    # Over x != 0: the zero sign vector counts only where the rows have a kernel.
    faces = face_lattice.covectors(rows.tolist())
    depth = min(sum(sign >= 0 for sign in signs) for signs, dimension in faces.items() if dimension > 0)
    result = tukey_depth(rows)
    assert result.depth == depth
    result.verify()


def test_a_tampered_depth_is_refused():
    from dataclasses import replace

    result = tukey_depth(gaussian(20, 3))
    with pytest.raises(CertificateError, match="active along the direction"):
        replace(result, depth=result.depth + 1).verify()
    with pytest.raises(CertificateError, match="no proof"):
        replace(result, certificate=None).verify()
    with pytest.raises(CertificateError, match="is zero"):
        replace(result, direction=(0, 0, 0)).verify()


@pytest.mark.parametrize(("m", "n", "seed"), [(72, 12, 0), (108, 18, 0), (120, 20, 0)])
def test_find_witness(m, n, seed):
    weights = gaussian(m, n, seed)
    witness = find_witness(weights, seed=0, time_limit=30)
    assert witness.active < n
    again = find_witness(weights, seed=0, time_limit=30)
    assert again == witness


def test_find_witness_returns_none_where_there_is_none():
    assert find_witness(gaussian(56, 8), seed=0, time_limit=0.3) is None


@pytest.mark.parametrize(("m", "n"), [(42, 6), (84, 12)])
def test_an_injective_layer_comes_with_the_nearest_miss(m, n):
    """Also where the count ends before any heuristic, as it does at (42, 6)."""
    weights = np.random.default_rng(0).standard_normal((m, n))
    decision = decide_injectivity(weights, rank_proof=False)
    assert decision.verdict is Verdict.INJECTIVE
    witness = decision.best_witness
    assert witness.active >= n
    assert witness.active == sum(
        sum(Fraction(w) * x for w, x in zip(row, witness.point, strict=True)) >= 0 for row in weights.tolist()
    )

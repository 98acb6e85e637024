"""Verdicts, with and without general position, bias and domain, against the criterion and other methods."""

import numpy as np
import pytest
from helpers import check_verdict, gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import injectivity
from scipy.optimize import LinearConstraint, milp

from polyinj import Arrangement, Box, Verdict, decide_injectivity, tukey_depth
from polyinj.injectivity import decide
from polyinj.testing import integer_matrices, nearly_dependent_matrices

DOMAINS = [
    lambda n: None,
    Box.nonnegative,
    lambda n: Box([-1] * n, [2] * n),
    lambda n: Box([1] + [None] * (n - 1), [None] * n),
]


@pytest.mark.slow
@settings(max_examples=200)
@given(integer_matrices(max_rows=9, max_columns=4), st.sampled_from(DOMAINS), st.data())
def test_integer_layers_equal_the_criterion(rows, domain, data):
    m, n = rows.shape
    bias = data.draw(st.none() | st.lists(st.integers(-2, 2), min_size=m, max_size=m))
    box = domain(n)
    injective = injectivity.brute_force_injective(rows.tolist(), bias, box)
    check_verdict(injective, rows, bias, domain=box)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
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


@pytest.mark.slow
@given(nearly_dependent_matrices(max_rows=8, max_columns=3))
def test_nearly_dependent_layers_equal_the_criterion(rows):
    check_verdict(injectivity.brute_force_injective(rows.tolist()), rows, rank_proof=True)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "seed"), [(30, 6, 0), (33, 6, 1), (33, 6, 2), (38, 7, 1)])
def test_gaussian_layers_equal_mixed_integer_programming(m, n, seed):
    weights = gaussian(m, n, seed)
    decision = decide_injectivity(weights)
    assert (decision.verdict is Verdict.INJECTIVE) == milp_injective(weights)
    decision.verify()


@pytest.mark.slow
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


@pytest.mark.slow
@given(integer_matrices(max_rows=7, max_columns=3), st.data())
def test_no_bias_repairs_a_layer_on_the_whole_space(rows, data):
    bias = data.draw(st.lists(st.integers(-3, 3), min_size=len(rows), max_size=len(rows)))
    if decide_injectivity(rows).verdict is Verdict.NOT_INJECTIVE:
        assert decide_injectivity(rows, bias).verdict is Verdict.NOT_INJECTIVE


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("stage", "weights", "options"),
    [
        ("_one_input", [[1.0], [-1.0]], {}),
        ("_rank_of_weights", np.outer(range(1, 5), [1, 1]), {}),
        ("_no_more_rows_than_dimensions", np.eye(3), {}),
        ("_beyond_doubles", np.vstack([np.eye(2), -np.eye(2)]) @ [[1, 1], [1, 1 + 1e-12]], {}),
        ("_large_layer", gaussian(80, 62), {}),
        ("_local_search", gaussian(20, 6), {"rank_proof": True}),
        ("_count", gaussian(42, 6), {"rank_proof": False}),
        ("_rank", gaussian(42, 6), {}),
        ("_count_suffices", gaussian(98, 14), {}),
        ("_rank_in_rationals", [[-2, -2], [1, 1], [1 - 2**-44, 1 + 2**-44], [1, -2], [-2, 0], [-2, 2]], {}),
        ("_limit_reached", gaussian(70, 10), {"rank_proof": True, "node_limit": 3}),
    ],
)
def test_each_stage_decides_some_layer(monkeypatch, stage, weights, options):
    reached = []

    def noted(step):
        def run(case):
            reached.append(step.__name__)
            return step(case)

        return run

    monkeypatch.setattr(decide, "_STAGES", tuple(map(noted, decide._STAGES)))
    decide_injectivity(weights, **options)
    assert reached[-1] == stage

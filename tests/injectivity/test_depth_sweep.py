"""The sweep of planes for the Tukey depth, against the cells of the arrangement and against branch and bound."""

from fractions import Fraction

import numpy as np
import pytest
from helpers import gaussian
from hypothesis import given
from hypothesis import strategies as st

from polyinj import Arrangement, BudgetExceeded, CertificateError, tukey_depth
from polyinj._status import Status
from polyinj.exact import arrays
from polyinj.injectivity import depth, depth_sweep
from polyinj.injectivity._depth_sweep import DepthSweep
from polyinj.injectivity.depth_sweep import sweep_depth, sweep_seconds
from polyinj.injectivity.limits import Limits
from polyinj.testing import integer_matrices


def depth_by_cells(rows):
    """Over all open cells; zero rows are active everywhere."""
    rows = np.asarray(rows)
    zeros = int((rows == 0).all(axis=1).sum())
    if zeros == len(rows):
        return zeros
    return zeros + min(int((cells > 0).sum(axis=1).min()) for cells in Arrangement(rows).iter_cells() if len(cells))


def check(rows):
    result = tukey_depth(rows, certificate=False)
    assert result.depth == depth_by_cells(rows)
    active = [sum(Fraction(w) * x for w, x in zip(row, result.direction, strict=True)) >= 0 for row in rows.tolist()]
    assert sum(active) == result.depth
    return result.depth


@pytest.mark.parametrize(("m", "n"), [(1, 2), (2, 2), (3, 2), (40, 2), (25, 3), (16, 4), (12, 5), (10, 6)])
def test_gaussian_rows(m, n):
    for seed in range(4):
        check(gaussian(m, n, seed))


@given(integer_matrices(max_rows=9, max_columns=4), st.sampled_from([1, 3, 10**20]))
def test_small_integers_with_rows_that_repeat(rows, times):
    check(np.concatenate([rows, rows[: len(rows) // 2]]).astype(object) * times)


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 4])
def test_rows_near_one_another(n):
    """Angles that doubles cannot tell apart, in pairs and in opposite pairs."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        base = rng.integers(-2, 3, (5, n)).astype(float)
        rows = np.concatenate(
            [base, -base, base + rng.choice([0, 1e-15, 1e-300], (5, n)) * rng.standard_normal((5, n))]
        )
        check(rows)


def test_depths_by_hand():
    fan = [[np.cos(t), np.sin(t)] for t in 2 * np.pi * (np.arange(7) + 0.25) / 7]
    assert tukey_depth(fan, certificate=False).depth == 3
    assert tukey_depth([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], certificate=False).depth == 2
    assert tukey_depth([[1, 2], [2, 4], [-1, -2]], certificate=False).depth == 1
    assert tukey_depth([[0, 0], [0, 0]], certificate=False).depth == 2
    assert tukey_depth([[3.0]], certificate=False).depth == 0


def test_symmetries():
    rows = np.random.default_rng(3).integers(-3, 4, (40, 3))
    depth = tukey_depth(rows, certificate=False).depth
    turned = rows[:, [2, 0, 1]] * [1, -1, 1]
    assert tukey_depth(turned[::-1], certificate=False).depth == depth
    assert tukey_depth(rows * np.arange(1, 41)[:, None], certificate=False).depth == depth
    assert tukey_depth(-rows, certificate=False).depth == depth


@pytest.mark.parametrize("rows", [gaussian(70, 4), np.random.default_rng(0).integers(-3, 4, (60, 4))])
def test_the_depth_is_that_with_a_proof(rows):
    proved = tukey_depth(rows)
    proved.verify()
    assert tukey_depth(rows, certificate=False).depth == proved.depth


def test_hundreds_of_rows_in_the_plane_and_in_space():
    """Against a turn in floats, in general position."""
    flat = gaussian(501, 2)
    angles = np.sort(np.arctan2(flat[:, 1], flat[:, 0]))
    after = np.searchsorted(np.concatenate([angles, angles + 2 * np.pi]), angles + np.pi) - np.arange(501) - 1
    assert tukey_depth(flat, certificate=False).depth == min(after.min(), (500 - after).min())
    rows = gaussian(300, 3)
    assert tukey_depth(rows, certificate=False).depth == Arrangement(rows).depth


def test_a_result_without_a_proof_says_so():
    result = tukey_depth(gaussian(20, 3), certificate=False)
    assert result.certificate is None
    with pytest.raises(CertificateError, match="certificate=True"):
        result.verify()


def test_limits():
    with pytest.raises(BudgetExceeded):
        tukey_depth(gaussian(300, 6), certificate=False, time_limit=0.05)
    assert sweep_depth(gaussian(120, 4), Limits(deadline=0.0), None) is None
    assert sweep_seconds(10, 1) == sweep_seconds(3, 4) == sweep_seconds(100, 20) == float("inf")


def swept(rows, **options):
    rows = np.ascontiguousarray(rows, dtype=float)
    kernel = DepthSweep(rows, 0.0, np.ones(len(rows), dtype=np.int32), least=2**31, room=2000, **options)
    assert kernel.run(10**9) == Status.DONE
    return kernel


def tied(seed):
    """Integers with rows that repeat, turned and scaled, and that lie in common planes and spaces."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 7))
    rows = rng.integers(*rng.choice([(-1, 2), (-2, 3), (-6, 7)]), (int(rng.integers(n, 16 - n)), n))
    rows = np.concatenate([rows, rows[: len(rows) // 2], -2 * rows[: len(rows) // 3]])
    few = rng.integers(-2, 3, (3, 3)) @ rows[:3]
    return np.concatenate([rows, few])


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 30), marks=pytest.mark.slow)])
def test_whole_vectors_leave_nothing_open(seeds):
    for rows in map(tied, seeds):
        kernel = swept(rows)
        assert kernel.whole
        assert not kernel.left_open
        assert not kernel.spans or kernel.direction() is not None
        check(rows)
        check(rows * np.ldexp(1.0, np.arange(len(rows)) * 40 - 700)[:, None])


def test_sweeps_with_and_without_integers_agree():
    def local(rows):
        found = tukey_depth(np.array(rows, dtype=object), certificate=False)
        return found.depth, found.direction

    for rows in map(tied, (3, 5, 6)):
        floats = rows.astype(float)
        kernel = swept(floats, whole=False)
        assert kernel.left_open
        slow = depth_sweep._in_integers(floats, floats, 0.0, kernel, Limits(), local)
        assert tukey_depth(rows, certificate=False).depth == slow[0]


def test_ties_of_doubles_in_the_plane_are_exact():
    """Equal and opposite rows, and pairs whose cross product is 2^-104 or 0."""
    rng = np.random.default_rng(4)
    base = rng.standard_normal((9, 2))
    near = [[1.0, 1 + 2.0**-52], [1 + 2.0**-52, 1 + 2.0**-51], [-3.0, -3.0 - 3 * 2.0**-52], [1e-300, 1.0], [0.0, -2.0]]
    rows = np.concatenate([base, base[:4], -base[3:7], near])
    assert not swept(rows).left_open
    check(rows)
    tiny = np.concatenate([rows, [[5e-324, 1.0], [1e-323, 1.0], [-5e-324, -1.0], [5e-324, 5e-324]]])
    check(tiny)


def test_order_of_doubles_that_are_next_to_one_another():
    """Multiples, of either sign, of vectors whose angles differ in the last bits."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        near = np.array([[1.0, 1 + j * 2.0**-52] for j in rng.integers(-2, 3, 11)])
        rows = np.concatenate([near * rng.choice([-3.0, -1.0, 1.0, 2.0], (11, 1)), rng.standard_normal((2, 2))])
        assert not swept(rows).left_open
        check(rows)


def test_rows_that_differ_below_the_normal_range_are_not_one():
    """Scaled to one size, the last two of the first are equal in doubles."""
    tiny = 5e-324
    assert check(np.array([[0.0, -2.0], [2.0, 1.0], [-2.0, tiny], [0.0, 2.0], [-tiny, 4.0]])) == 1
    for seed in range(30):
        rng = np.random.default_rng(seed)
        rows = rng.integers(-2, 3, (9, 2)) * rng.choice([1.0, tiny, 2.0], (9, 2))
        check(np.vstack([rows, 2 * rows[:3]]))


def test_integers_of_all_kinds_are_one():
    rows = np.random.default_rng(1).integers(-5, 6, (14, 3))
    rows[3] = 0
    depth = check(rows)
    for same in (rows.astype(np.int8), rows.tolist(), rows.astype(float), rows.astype(object) / Fraction(3)):
        assert tukey_depth(same, certificate=False).depth == depth
    large = rows.astype(np.int64) * 2**58
    large[0, 0] += 1
    assert tukey_depth(large, certificate=False).depth == tukey_depth(large.tolist(), certificate=False).depth


def test_the_kernel_in_slices_and_without_room():
    floats, error = arrays.float_rows(gaussian(30, 4))
    weights = np.ones(30, dtype=np.int32)
    whole = DepthSweep(floats, error, weights, least=99, room=10)
    assert whole.run(10**6) == Status.DONE
    assert whole.spans
    assert not whole.whole
    sliced = DepthSweep(floats, error, weights, least=99, room=10)
    while sliced.run(7) == Status.RUNNING:
        assert sliced.least >= whole.least
    assert (sliced.least, sliced.tight) == (whole.least, whole.tight)
    ties = DepthSweep(np.repeat(np.eye(3), 4, axis=0), 0.0, np.ones(12, dtype=np.int32), whole=False, least=99, room=1)
    assert ties.run(10**6) == Status.STUCK
    with pytest.raises(ValueError, match="2 weights of 3"):
        DepthSweep(np.eye(3), 0.0, np.ones(2, dtype=np.int32), least=9, room=1)
    with pytest.raises(ValueError, match=r"shape \(3, 1\)"):
        DepthSweep(np.ones((3, 1)), 0.0, np.ones(3, dtype=np.int32), least=9, room=1)


def test_where_the_sweep_gives_up_branch_and_bound_goes_on(monkeypatch):
    rows = gaussian(60, 4)
    expected = tukey_depth(rows).depth
    monkeypatch.setattr(depth, "sweep_depth", lambda *problem: None)
    monkeypatch.setattr(depth, "_SHORT_SWEEPS", (0.0, 0.0))
    monkeypatch.setattr(depth, "_SECONDS_A_NODE", 1.0)
    assert tukey_depth(rows, certificate=False).depth == expected

"""The search kernels: verdicts against brute force, and every proof walked by the reference in Fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from helpers import gaussian
from reference import injectivity as reference

from polyinj._status import Status
from polyinj.exact.algebra import dot, kernel, rank
from polyinj.exact.arrays import float_rows, integer_rows, read_matrix
from polyinj.exact.gordan import alternative
from polyinj.injectivity._branch_and_bound import CountSearch, RankSearch, splice
from polyinj.injectivity._conditioning import conditioned
from polyinj.injectivity._local_search import LocalSearch

# ---- Driving a search ----


def settled_signs(pending, rows):
    """The signs of the multipliers of the pending columns, exactly; None if there is not one relation."""
    columns = [[(1 if p > 0 else -1) * entry for entry in rows[abs(p) - 1]] for p in pending]
    basis = kernel([list(line) for line in zip(*columns, strict=True)], len(columns))
    if len(basis) != 1:
        return None
    signs = [(x > 0) - (x < 0) for x in basis[0]]
    return signs if sum(signs) > 0 or 1 in signs else [-s for s in signs]


def finish(search, rows, slice_=10**9):
    """Run to the end; exact arithmetic settles what doubles cannot."""
    while (status := search.run(slice_)) in (Status.RUNNING, Status.UNCERTAIN, Status.STUCK):
        if status == Status.UNCERTAIN:
            search.settle(settled_signs(search.pending, rows))
        elif status == Status.STUCK:
            literals = [-literal for literal in search.decided]
            literals += [-(place + 1) for place in range(len(search.blocks), len(rows))]
            found = alternative([[entry * np.sign(p).item() for entry in rows[abs(p) - 1]] for p in literals])
            if found.circuit is None:
                return Status.WITNESS
            search.admit([literals[place] for place in found.circuit])
    return status


def scaled(matrix):
    exact = read_matrix(matrix)
    floats, error = float_rows(exact)
    return floats, error, integer_rows(exact)


def search_count(matrix, budget, side=None, **options):
    floats, error, rows = scaled(matrix)
    sides = [] if side is None else scaled(side)[2]
    search = CountSearch(floats, error, None if side is None else scaled(side)[0], budget=budget, **options)
    return finish(search, rows + sides), search, rows, sides


def search_rank(matrix, side=None, linear=None):
    """Also rejects witnesses that are none, as a caller has to."""
    floats, error, rows = scaled(matrix)
    sides = [] if side is None else scaled(side)[2]
    search = RankSearch(floats, error, None if side is None else scaled(side)[0], linear=linear)
    n = linear or len(rows[0])
    while True:
        status = finish(search, rows + sides)
        if status != Status.WITNESS:
            return status, search, rows, sides
        z = fraction_direction(search)
        if rank([row[:n] for row in rows if dot(row, z) >= 0]) < n and all(dot(row, z) > 0 for row in sides):
            return status, search, rows, sides


def fraction_direction(search):
    return [Fraction(x) for x in search.best_direction]


# ---- Proofs ----


def check_proof(circuits, trees, rows, sides, linear, blocks=(), budget=None):
    pool = [[int(x) for x in circuit if x] for circuit in circuits]
    weights = [row[:linear] for row in rows]
    reference.verify_trees(pool, [tree.tolist() for tree in trees], rows + sides, weights, blocks, budget)


def check_count(search, rows, sides, blocks, budget, linear=None):
    circuits, trees = search.proof()
    count = max(int(blocks.max()) + 1, 1)
    assert len(trees) == count
    members = [np.flatnonzero(blocks == block).tolist() for block in range(count)]
    check_proof(circuits, trees, rows, sides, linear, members, budget)


def check_rank(search, rows, sides, linear=None):
    circuits, trees = search.proof()
    assert len(trees) == 1
    check_proof(circuits, trees, rows, sides, linear)


# ---- Brute force ----


def admissible_counts(rows, sides, linear=None):
    """(least number of active rows with linear part, least rank of the active rows) over the admissible cells."""
    n = linear or len(rows[0])
    count = least = 10**9
    for z in reference.cells(rows + sides, len(rows[0])).values():
        if all(dot(row, z) > 0 for row in sides):
            active = [row[:n] for row in rows if any(row[:n]) and dot(row, z) > 0]
            count, least = min(count, len(active)), min(least, rank(active))
    return count, least


# ---- Tests ----


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("m", "n"), [(5, 2), (8, 2), (9, 3), (12, 3), (10, 4)])
def test_count_search_finds_the_depth(m, n, seed):
    W = gaussian(m, n, seed)
    depth, _ = admissible_counts(scaled(W)[2], [])
    for budget in range(depth + 1):
        for count in (1, 2, 3):
            status, search, rows, sides = search_count(W, budget, blocks=count)
            if budget < depth:
                assert status == Status.DONE
                check_count(search, rows, sides, search.blocks, budget)
            else:
                assert status == Status.WITNESS
                assert sum(dot(row, fraction_direction(search)) >= 0 for row in rows) <= budget


@pytest.mark.parametrize(
    ("m", "n", "seed", "depth"),
    [
        *[(35, 5, 0, 7), (35, 5, 1, 5), (35, 5, 2, 7), (54, 6, 0, 9), (54, 6, 1, 9), (54, 6, 2, 10)],
        *[(48, 8, 0, 10), (48, 8, 1, 7), (48, 8, 2, 9), (56, 8, 0, 12)],
    ],
)
def test_known_depths(m, n, seed, depth):
    W = gaussian(m, n, seed)
    assert search_count(W, depth)[0] == Status.WITNESS
    status, search, rows, sides = search_count(W, depth - 1)
    assert status == Status.DONE
    if n <= 6:
        check_count(search, rows, sides, search.blocks, depth - 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("m", "n", "seed", "injective"),
    [
        *[(72, 12, seed, False) for seed in range(3)],
        *[(84, 12, seed, True) for seed in range(3)],
        *[(84, 14, 2, False), (96, 16, 2, False)],
    ],
)
def test_known_verdicts(m, n, seed, injective):
    walk = LocalSearch(scaled(gaussian(m, n, seed))[0], seed=0)
    walk.run(20000, n - 1)
    if not injective:
        if walk.best_count >= n:
            assert search_count(gaussian(m, n, seed), n - 1)[0] == Status.WITNESS
    else:
        assert walk.best_count >= n
        assert search_count(gaussian(m, n, seed), n - 1)[0] == Status.DONE


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_integer_matrices(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    m = int(rng.integers(n + 2, 10 if n < 4 else 9))
    W = rng.integers(-2, 3, (m, n))
    if np.linalg.matrix_rank(W) < n:
        return
    depth, least = admissible_counts(scaled(W)[2], [])
    status, search, rows, sides = search_count(W, n - 1, blocks=2)
    assert status == (Status.DONE if depth >= n else Status.WITNESS)
    if status == Status.DONE:
        check_count(search, rows, sides, search.blocks, n - 1)
    status, search, rows, sides = search_rank(W)
    assert status == (Status.DONE if least == n else Status.WITNESS)
    if status == Status.DONE:
        check_rank(search, rows, sides)


def test_a_packing_counts_but_need_not_span():
    e = np.eye(3, dtype=int)
    W = np.array([e[0], -e[0], e[1], -e[1], e[0] + e[1], -e[0] - e[1], e[2]])
    status, search, rows, _ = search_rank(W)
    assert status == Status.WITNESS
    z = fraction_direction(search)
    assert rank([row for row in rows if dot(row, z) >= 0]) < 3
    status, search, rows, sides = search_rank(np.vstack([W, -e[2]]))
    assert status == Status.DONE
    check_rank(search, rows, sides)


def check_layer(rows, side, linear, blocks_count):
    n = linear
    depth, least = admissible_counts(scaled(rows)[2], scaled(side)[2], linear)
    for budget in {n - 1, depth - 1, depth}:
        status, search, exact, sides = search_count(rows, budget, side, linear=linear, blocks=blocks_count)
        assert status == (Status.DONE if depth > budget else Status.WITNESS)
        if status == Status.DONE:
            check_count(search, exact, sides, search.blocks, budget, linear)
    status, search, exact, sides = search_rank(rows, side, linear)
    assert status == (Status.DONE if least == n else Status.WITNESS)
    if status == Status.DONE:
        check_rank(search, exact, sides, linear)
    walk = LocalSearch(scaled(rows)[0], scaled(side)[0], seed=1, linear=linear)
    assert walk.run(2000, depth) == Status.WITNESS
    z = fraction_direction(walk)
    assert all(dot(row, z) > 0 for row in scaled(side)[2])
    assert sum(dot(row, z) >= 0 for row in exact if any(row[:n])) == walk.best_count


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_bias_of_a_plane(seed):
    rng = np.random.default_rng(seed)
    W = rng.integers(-3, 4, (11, 2)) if seed % 4 == 0 else rng.integers(-999, 1000, (11, 2))
    bias = rng.integers(-300, 600, (11, 1))
    rows = np.hstack([W, bias])
    check_layer(rows, np.eye(3, dtype=int)[2:], 2, 1 + seed % 3)
    check_layer(rows, np.eye(3, dtype=int), 2, 1 + seed % 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_orthant(seed):
    rng = np.random.default_rng(seed)
    n = 2 + seed % 2
    W = rng.integers(-2, 3, (9, n)) if seed % 4 == 0 else rng.integers(-999, 1000, (9, n))
    check_layer(W, np.eye(n, dtype=int), n, 1 + seed % 3)


@pytest.mark.slow
@pytest.mark.parametrize("n", [4, 5, 6])
def test_spanning_proofs_of_gaussian_matrices(n):
    status, search, rows, sides = search_rank(gaussian(8 * n, n, 0))
    assert status == Status.DONE
    check_rank(search, rows, sides)


# ---- The circle of blocks ----


def pair_sum(rows, blocks):
    """The sum that the arrangement lowers: inner products of the conditioned rows, 0.7 a block of distance."""
    count = int(blocks.max()) + 1
    apart = np.abs(blocks[:, None] - blocks[None, :])
    products = rows @ rows.T
    np.fill_diagonal(products, 0)
    return float((products * 0.7 ** np.minimum(apart, count - apart)).sum()) / 2


@pytest.mark.parametrize(("m", "n"), [(30, 4), (42, 6), (61, 8)])
def test_no_exchange_of_two_rows_lowers_the_sum_over_close_pairs(m, n):
    W = gaussian(m, n, 0)
    blocks = CountSearch(W, budget=n - 1).blocks
    assert sorted(np.bincount(blocks)) == sorted(np.bincount(np.arange(m) * n // m))
    rows = conditioned(W)[0]
    least = pair_sum(rows, blocks)
    for i, j in combinations(range(m), 2):
        other = blocks.copy()
        other[i], other[j] = blocks[j], blocks[i]
        assert pair_sum(rows, other) > least - 2e-4


def test_rows_with_much_in_common_stand_apart():
    W, common = gaussian(40, 8, 0), np.zeros((40, 40))
    for i, j in ((0, 1), (0, 2), (1, 2), (3, 4)):
        common[i, j] = common[j, i] = 5
    blocks = CountSearch(W, budget=7, common=common).blocks
    assert (np.bincount(blocks) == 5).all()
    for i, j in ((0, 1), (0, 2), (1, 2), (3, 4)):
        assert (blocks[i] - blocks[j]) % 8 not in (0, 1, 7)
    assert (CountSearch(W, budget=7, common=0 * common).blocks == CountSearch(W, budget=7).blocks).all()
    with pytest.raises(ValueError, match=r"common has shape \(8, 8\); expected \(40, 40\)"):
        CountSearch(W, budget=7, common=common[:8, :8])


def test_blocks_are_equal_also_where_the_arrangement_is_cut_short():
    W = gaussian(3_001, 20, 0)
    search = CountSearch(W, budget=19)
    assert sorted(np.bincount(search.blocks)) == [150] * 19 + [151]
    assert search.run(100) == Status.DONE


def test_zero_rows_stand_in_no_block():
    W = gaussian(30, 4, 0)
    W[[3, 17]] = 0
    blocks = CountSearch(W, budget=3).blocks
    assert np.flatnonzero(blocks < 0).tolist() == [3, 17]
    assert np.bincount(blocks[blocks >= 0]).tolist() == [7, 7, 7, 7]


@pytest.mark.slow
def test_the_arrangement_saves_more_than_half_of_the_nodes():
    nodes = dict.fromkeys(("arranged", "as given"), 0)
    for seed in range(4):
        W = gaussian(98, 14, seed)
        for name, blocks in ("arranged", None), ("as given", np.arange(98) // 7):
            status, search, _, _ = search_count(W, 13, blocks=blocks, record=False)
            assert status == Status.DONE
            nodes[name] += search.nodes
    assert nodes["arranged"] < 0.5 * nodes["as given"]


# ---- Proofs, slices and parts ----


def test_a_tampered_proof_is_refused():
    W = gaussian(30, 4, 3)
    status, search, rows, sides = search_count(W, 3)
    assert status == Status.DONE
    check_count(search, rows, sides, search.blocks, 3)
    with pytest.raises(reference.Refused):
        check_count(search, [[-x for x in rows[0]], *rows[1:]], sides, search.blocks, 3)
    with pytest.raises(reference.Refused):
        check_count(search, rows, sides, search.blocks, 4)


def test_slices_change_nothing():
    W = gaussian(56, 8, 2)
    _, whole, rows, _ = search_count(W, 7)
    sliced = CountSearch(*scaled(W)[:2], budget=7)
    assert sliced.run(3) == Status.RUNNING
    assert finish(sliced, rows, 5) == Status.DONE
    assert sliced.nodes == whole.nodes
    for a, b in zip(whole.proof()[1], sliced.proof()[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_memory_limit():
    assert search_count(gaussian(70, 10, 0), 9, memory_limit=20_000)[0] == Status.OUT_OF_MEMORY


def test_nothing_recorded_on_request():
    status, search, _, _ = search_count(gaussian(56, 8, 0), 7, record=False)
    assert status == Status.DONE
    circuits, trees = search.proof()
    assert len(circuits) == 0
    assert not any(len(tree) for tree in trees)


@pytest.mark.slow
@pytest.mark.parametrize("slice_nodes", [1, 3, 8])
@pytest.mark.parametrize("spanning", [False, True])
def test_parts_given_away_make_the_same_proof(slice_nodes, spanning):
    """Every search gives a part away after each slice, and so do those that search the parts."""
    W, budget = (gaussian(35, 5, 0), 4) if spanning else (gaussian(56, 8, 0), 11)
    floats, error, rows = scaled(W)
    blocks = CountSearch(floats, error, budget=budget).blocks

    def fresh():
        return RankSearch(floats, error) if spanning else CountSearch(floats, error, budget=budget, blocks=blocks)

    root, parts, nodes = fresh(), [], 0
    open_searches = [(None, 0, root)]
    while open_searches:
        number, rotation, search = open_searches.pop(0)
        while (status := search.run(slice_nodes)) != Status.DONE:
            if status == Status.UNCERTAIN:
                search.settle(settled_signs(search.pending, rows))
            given = search.give_away(len(parts))
            if given is not None:
                part = fresh()
                part.assume(*given)
                open_searches.append((len(parts), given[0], part))
                parts.append(None)
        nodes += search.nodes
        if number is not None:
            circuits, trees = search.proof()
            parts[number] = circuits, trees[rotation]
    assert len(parts) > 8 / slice_nodes
    assert root.give_away(0) is None
    circuits, trees = splice(*root.proof(), dict(enumerate(parts)))

    class Whole:
        @staticmethod
        def proof():
            return circuits, trees

    if spanning:
        check_rank(Whole, rows, [])
    else:
        check_count(Whole, rows, [], blocks, budget)
    alone = fresh()
    assert finish(alone, rows) == Status.DONE
    assert nodes < 3 * alone.nodes


def test_refused_input():
    with pytest.raises(ValueError, match="do not span"):
        RankSearch(np.ones((5, 2)))
    with pytest.raises(ValueError, match="rows of length"):
        RankSearch(np.eye(2))

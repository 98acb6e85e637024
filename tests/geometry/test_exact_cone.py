"""Exact double description, the check of proposed rays, and exact linear programs."""

from fractions import Fraction
from itertools import combinations, product
from math import comb

import cdd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.injectivity import dot

from polyinj._double_description import describe_rows
from polyinj.exact import algebra, arrays
from polyinj.exact import farkas as farkas_module
from polyinj.exact.farkas import Combination, SeparatingRow, farkas, simplex
from polyinj.geometry import exact_cone
from polyinj.geometry.cone_check import certified_rays
from polyinj.geometry.exact_cone import PointedRows, double_description, extreme_rays, signs
from polyinj.testing import integer_matrices, positive_scalings, rational_rotations


def describe(rows, equations=()):
    rows = [[int(v) for v in row] for row in rows]
    return double_description(rows, [list(row) for row in equations], len(rows[0]))


def naive_rays(rows, columns):
    """Rays of a pointed cone: kernels of all subsets of columns - 1 rows, in the direction that satisfies all rows."""
    found = set()
    for chosen in combinations(rows, columns - 1):
        basis = algebra.kernel(list(chosen), columns)
        if len(basis) == 1:
            for ray in (basis[0], [-v for v in basis[0]]):
                if all(value >= 0 for value in algebra.product(rows, ray)):
                    found.add(tuple(ray))
    return found


@given(integer_matrices(8, 4))
def test_rays_equal_the_naive_ones(matrix):
    pointed = PointedRows(matrix.tolist(), [], matrix.shape[1])
    rays = extreme_rays(pointed.rows, pointed.columns)
    assert len(set(rays)) == len(rays)
    assert set(rays) == (naive_rays(pointed.rows, pointed.columns) if pointed.columns else set())


@given(integer_matrices(8, 4), integer_matrices(2, 4))
def test_there_and_back(matrix, extra):
    equations = extra.tolist() if extra.shape[1] == matrix.shape[1] else []
    first = describe(matrix.tolist(), equations)
    assert describe([*first.facets, [0] * first.dimension], first.equations) == first
    rows = [*first.rays, [0] * first.dimension]
    assert describe(rows, first.lines) == first.dual
    assert first.dual.dual == first
    assert len(first.lines) + len(first.equations) <= first.dimension


@pytest.mark.slow
@given(integer_matrices(7, 4), st.data())
def test_symmetries(matrix, data):
    """Permuted, scaled, repeated and redundant rows change nothing; a rotation rotates the rays."""
    rows = matrix.tolist()
    cone = describe(rows)
    order = data.draw(st.permutations(range(len(rows))))
    scales = data.draw(positive_scalings(len(rows)))
    scaled = [[int(v * scales[i] * scales[i].denominator) for v in rows[i]] for i in order]
    assert describe(scaled) == cone
    assert describe([*rows, rows[0], [sum(column) for column in zip(*rows, strict=True)]]) == cone
    rotation = data.draw(rational_rotations(matrix.shape[1]))
    turned = arrays.integer_rows(np.array([[dot(row, q) for q in rotation] for row in rows], dtype=object))
    rays = [[dot(q, ray) for q in rotation] for ray in (*cone.rays, *cone.lines)]
    image = describe(turned)
    assert len(image.rays) == len(cone.rays)
    assert all(dot(row, ray) >= 0 for row in turned for ray in rays[: len(cone.rays)])
    assert not any(dot(row, line) for row in turned for line in rays[len(cone.rays) :])


@pytest.mark.parametrize("n", [3, 4, 5, 6])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_cdd_on_random_cones(n, seed):
    """cdd in float64 finds the same rays; the rows are float64 and well-conditioned."""
    rng = np.random.default_rng((n, seed))
    matrix = rng.standard_normal((int(rng.integers(n, 21)), n))
    matrix[:, 0] = np.abs(matrix[:, 0]) + 0.5
    cone = double_description(arrays.integer_rows(matrix), [], n)
    table = cdd.matrix_from_array(np.hstack([np.zeros((len(matrix), 1)), matrix]), rep_type=cdd.RepType.INEQUALITY)
    generators = cdd.copy_generators(cdd.polyhedron_from_matrix(table))
    theirs = np.array([row[1:] for row in generators.array])
    ours = np.array([[v / max(map(abs, ray)) for v in ray] for ray in cone.rays])
    theirs /= np.abs(theirs).max(axis=1, keepdims=True)
    assert ours.shape == theirs.shape
    assert all(np.abs(theirs - ray).max(axis=1).min() < 1e-9 for ray in ours)


def test_cones_over_cubes_and_cross_polytopes():
    for n in (2, 3, 4, 5):
        cube = describe([[1] + [sign * (i == j) for j in range(n)] for i in range(n) for sign in (1, -1)])
        assert cube.rays == tuple(sorted((1, *signs) for signs in product((-1, 1), repeat=n)))
        assert len(cube.facets) == 2 * n
        cross = describe([[1, *signs] for signs in product((-1, 1), repeat=n)])
        assert len(cross.rays) == 2 * n
        assert len(cross.facets) == 2**n


@pytest.mark.parametrize(("n", "count"), [(4, 9), (5, 10), (6, 11), (7, 10)])
def test_cyclic_polytopes(n, count):
    """The cone over a cyclic polytope of dimension d = n - 1 has as many facets as a polytope can (McMullen)."""
    cone = describe([[t**j for j in range(n)] for t in range(count)]).dual
    d = n - 1
    facets = comb(count - (d + 1) // 2, d // 2) + comb(count - d // 2 - 1, (d - 1) // 2)
    assert len(cone.rays) == count
    assert len(cone.facets) == facets


def test_extreme_cones():
    assert describe([[0, 0]]).lines == ((1, 0), (0, 1))
    origin = describe([[1, 0], [-1, 0], [0, 1], [0, -1]])
    assert (origin.rays, origin.lines, origin.equations, origin.facets) == ((), (), ((1, 0), (0, 1)), ())
    half = describe([[2, 4]])
    assert (half.rays, half.lines, half.facets) == (((0, 1),), ((2, -1),), ((1, 2),))
    assert double_description([], [], 2).lines == ((1, 0), (0, 1))
    assert double_description([], [[1, 1]], 2).lines == ((1, -1),)
    assert double_description([[1, 0]], [[1, 0], [0, 3]], 2).equations == ((1, 0), (0, 1))


def test_huge_and_tiny_entries():
    wide = 2.0**1000
    rows = arrays.integer_rows(np.array([[wide, 2.0**-1074], [-1.0, 1.0]]))
    assert double_description(rows, [], 2).rays == ((-1, 2**2074), (1, 1))


@given(integer_matrices(6, 4), st.data())
def test_signs_are_exact(matrix, data):
    """Products that vanish up to one part in 2^200, far below what a double resolves, and exact zeros."""
    n = matrix.shape[1]
    vectors = data.draw(st.lists(st.lists(st.integers(-2, 2), min_size=n, max_size=n), min_size=1, max_size=5))
    rows = [[v << 200 for v in row] for row in matrix.tolist()]
    for row in rows:
        row[data.draw(st.integers(0, n - 1))] += data.draw(st.integers(-1, 1))
    expected = [[(value > 0) - (value < 0) for value in algebra.product(vectors, row)] for row in rows]
    assert signs(rows, vectors).tolist() == expected


def test_echelon_is_canonical():
    assert algebra.echelon([[0, 2, 4], [0, -1, -2]]) == ((0, 1, 2),)
    assert algebra.reduce_modulo(((0, 1, 2),), [3, 3, 0]) == (1, 0, -2)


@given(integer_matrices(8, 4), st.data())
def test_certified_rays_accept_the_truth_and_nothing_less(matrix, data):
    pointed = PointedRows(matrix.tolist(), [], matrix.shape[1])
    if not pointed.columns:
        return
    rays = extreme_rays(pointed.rows, pointed.columns)
    tight = [{i for i, row in enumerate(pointed.rows) if not dot(row, ray)} for ray in rays]
    found = certified_rays(pointed.rows, pointed.columns, tight)
    assert found is not None
    assert set(map(tuple, found)) == set(rays)
    if rays:
        k = data.draw(st.integers(0, len(rays) - 1))
        assert certified_rays(pointed.rows, pointed.columns, tight[:k] + tight[k + 1 :]) is None
        assert certified_rays(pointed.rows, pointed.columns, [*tight, tight[k]]) is None


def test_certified_rays_refuse_wrong_tight_rows():
    rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, -1]]
    right = [{0, 2}, {1, 2}, {0, 3}, {1, 3}]
    assert certified_rays(rows, 3, right) is not None
    assert certified_rays(rows, 3, [{0, 1}, *right[1:]]) is None, "the ray (0, 0, 1) violates the last row"
    assert certified_rays(rows, 3, [{0}, *right[1:]]) is None, "one tight row leaves a plane"
    assert certified_rays(rows, 3, []) is None
    # The rays of a neighbouring cell are as complete as the right ones, but not in the cone.
    assert certified_rays([[1, 0], [0, 1], [1, 1]], 2, [{0}, {1}]) is not None
    assert certified_rays([[1, 0], [0, 1], [1, 1]], 2, [{0}, {2}]) is None


@pytest.mark.slow
@pytest.mark.parametrize("decide", [farkas, simplex])
@given(integer_matrices(8, 4), st.data())
def test_farkas_gives_one_proof_or_the_other(decide, matrix, data):
    n = matrix.shape[1]
    target = data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))
    rows = matrix.tolist()
    solution = decide(rows, target)
    if isinstance(solution, Combination):
        assert min(solution.multipliers) >= 0
        assert [dot(solution.multipliers, column) for column in zip(*rows, strict=True)] == target
        support = [row for row, c in zip(rows, solution.multipliers, strict=True) if c]
        assert algebra.rank(support) == len(support)
    else:
        assert isinstance(solution, SeparatingRow)
        assert min(algebra.product(rows, solution.row)) >= 0
        assert dot(solution.row, target) < 0


@pytest.mark.parametrize("decide", [farkas, simplex])
def test_farkas_without_generators(decide):
    assert decide([], [0, 0]) == Combination(())
    separation = decide([], [0, -2])
    assert isinstance(separation, SeparatingRow)
    assert separation.row[1] > 0


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("target", [[2, 2], [1, -1], [-1, 0]])
def test_wrong_proposals_are_refused(monkeypatch, weights, target):
    rows = [[1, 0], [1, 2], [0, 3]]
    right = simplex(rows, target)
    monkeypatch.setattr(farkas_module, "nnls", lambda *_, **__: (np.array(weights), 0.0))
    proposed = farkas_module.propose(rows, target)
    assert proposed is None or type(proposed) is type(right)
    assert type(farkas(rows, target)) is type(right)


def test_least_squares_that_give_up_are_replaced(monkeypatch):
    def give_up(*_, **__):
        raise RuntimeError("too many iterations")

    monkeypatch.setattr(farkas_module, "nnls", give_up)
    assert farkas([[1, 0], [1, 2]], [2, 2]) == Combination((Fraction(1), Fraction(1)))


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_simplex_on_degenerate_large_programs(seed):
    """Many ties: 0-1 rows, where a simplex method without a rule against cycling may not end."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-1, 2, (30, 6)).tolist()
    solution = simplex(rows, rows[0])
    assert isinstance(solution, Combination)


# ---- The kernel of 64 bits ----


def slowly(rows, monkeypatch):
    """The same in Python's integers."""
    with monkeypatch.context() as patched:
        patched.setattr(exact_cone, "describe_rows", lambda rows: None)
        return double_description(rows, [], len(rows[0]))


def hostile_cones(seed):
    """Integers, some large, with rows that repeat, are redundant, or leave lines, or nothing but the origin."""
    rng = np.random.default_rng(seed)
    n, largest = int(rng.integers(1, 6)), int(rng.choice([1, 2, 9, 10**5, 10**7, 10**9, 2**61]))
    rows = rng.integers(-largest, largest + 1, (int(rng.integers(1, 12)), n)).astype(object)
    inside = rng.integers(-3, 4, n).astype(object)
    if rng.random() < 0.7:
        rows = np.array([row if row @ inside >= 0 else -row for row in rows], dtype=object)
    if rng.random() < 0.4:
        rows = np.concatenate([rows, rows[:2], rows[:1] + rows[-1:], 0 * rows[:1]])
    if rng.random() < 0.3:
        rows[:, -1] = rows[:, 0]
    return rows.tolist()


def test_the_kernel_and_python_agree(monkeypatch):
    for seed in range(150):
        rows = hostile_cones(seed)
        assert double_description(rows, [], len(rows[0])) == slowly(rows, monkeypatch), seed


def test_what_64_bits_do_not_hold_is_left_to_python(monkeypatch):
    rows = np.array([[1, 0, 2**61 - 1], [0, 1, 2**60 + 7], [3, -1, -(2**61) + 9], [-1, 5, 2**59 + 1]], dtype=np.int64)
    assert describe_rows(rows) is None
    assert double_description(rows.tolist(), [], 3) == slowly(rows.tolist(), monkeypatch)
    assert describe_rows(np.array([[2**62 - 1, 1]])) is not None
    # Its determinant is 1, an entry of its inverse 2^80 - 3.
    steep = [[1, 2**40, 3], [0, 1, 2**40], [0, 0, 1]]
    assert describe_rows(np.array(steep)) is None
    assert double_description(steep, [], 3) == slowly(steep, monkeypatch)
    for size, fits in ((10**3, True), (10**4, True), (10**5, False), (10**6, False)):
        simplicial = np.random.default_rng(2).integers(-size, size + 1, (5, 5))
        assert (describe_rows(simplicial) is not None) == fits
        assert double_description(simplicial.tolist(), [], 5) == slowly(simplicial.tolist(), monkeypatch)


def test_what_the_kernel_says_of_rows():
    rays, lines, facet = describe_rows(np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0], [2, 3, 0]]))
    assert sorted(rays.tolist()) == [[0, 1, 0], [1, 0, 0]]
    assert lines.tolist() == [[0, 0, 1]]
    assert facet.tolist() == [0, 0, 1, 1, 0]
    assert describe_rows(np.array([[1, 0], [-1, 0], [0, 1]]))[2].tolist() == [-1, -1, 1]
    assert len(describe_rows(np.array([[1], [-1]]))[0]) == 0

"""Betti numbers and components: hand-made sets, chi three ways, homology by brute force, and the mean of chi."""

import itertools
import math

import flint
import numpy as np
import pytest
from reference import face_lattice

from polyinj import Arrangement
from polyinj.exact import algebra, arrays
from polyinj.geometry import homology
from polyinj.geometry.simplify import simplify
from polyinj.geometry.sweep import RunSettings, count_faces
from polyinj.geometry.topology import euler_characteristic_from_rays
from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import simulate
from polyinj.simulation.statistics import betti_numbers, component_count, face_counts
from polyinj.theory.euler import expected_euler_characteristic, expected_face_counts


def alternating(numbers):
    return sum(numbers[::2]) - sum(numbers[1::2])


def tangent_planes(sides, colatitude):
    """Rows negative on a polygon around the pole (0, 0, 1) and its cone, whose sides touch a circle of latitude."""
    angles = 2 * np.pi * np.arange(sides) / sides
    return np.stack([np.cos(angles), np.sin(angles), np.full(sides, -np.tan(colatitude))], axis=1)


HAND_MADE = [
    # Whole spheres, and nothing.
    ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 3, [1, 0, 1]),
    ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], -1, [0, 0, 0]),
    ([[1], [2]], 2, [2]),
    # A closed hemisphere; an octant; a point of S^0.
    ([[1, 0, 0]], 0, [1, 0, 0]),
    ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 0, [1, 0, 0]),
    ([[1], [2]], 0, [1]),
    # Great circles: of two, of three and of four dimensions; two points; a great 2-sphere.
    ([[1, 0, 0], [-1, 0, 0]], 0, [1, 1, 0]),
    ([[1, 0], [-1, 0]], 0, [2, 0]),
    ([[1, 0, 0, 0], [-1, 0, 0, 0]], 0, [1, 0, 1, 0]),
    ([[1, 0, 0, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, -1, 0, 0]], 0, [1, 1, 0, 0]),
    # Two antipodal points.
    ([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], 0, [2, 0, 0]),
    # Fewer than 3 of +-e1, +-e2, +-e3 positive: the union of the three coordinate circles, 6 points and 12 arcs.
    ([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], 2, [1, 7, 0]),
    ([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], 1, [6, 0, 0]),
    # Zero rows are never positive.
    ([[0, 0], [0, 0]], 0, [1, 1]),
    ([[0, 0, 0]], 0, [1, 0, 1]),
]


@pytest.mark.parametrize(("rows", "limit", "betti"), HAND_MADE)
def test_hand_made_sets(rows, limit, betti):
    arrangement = Arrangement(rows)
    assert arrangement.betti_numbers(limit) == betti
    assert arrangement.euler_characteristic(limit) == alternating(betti)
    assert len(arrangement.components(limit)) == betti[0]


@pytest.mark.slow
def test_a_cap_a_band_and_two_antipodal_caps():
    """24 planes around a small cap and 24 around a large one, with opposite orientations."""
    small, large = tangent_planes(24, 0.5), tangent_planes(24, 1.2)
    cap = Arrangement(small)
    assert cap.betti_numbers(0) == [1, 0, 0]
    assert cap.components(0)[0].point[2] > 0
    # All but an open disc around the other pole.
    assert cap.betti_numbers(23) == [1, 0, 0]
    # 24 positives in the small cap and around the other pole, some 14 in a band between.
    band = Arrangement(np.concatenate([-small, large]))
    assert band.betti_numbers(16) == [1, 1, 0]
    assert band.betti_numbers(48) == [1, 0, 1]
    # At most 31 of 48: all but the antipodes of that band. What is left are two caps around antipodal points.
    caps = band.components(31)
    assert band.betti_numbers(31) == [2, 0, 0]
    assert sorted(np.sign(c.point[2]) for c in caps) == [-1, 1]


def test_representatives_lie_in_their_components():
    rng = np.random.default_rng(3)
    for _ in range(40):
        n = int(rng.integers(1, 5))
        m = int(rng.integers(1, 9))
        rows = rng.integers(-2, 3, (m, n)).tolist()
        limit = int(rng.integers(0, m + 1))
        for component in Arrangement(rows).components(limit):
            assert any(component.point)
            values = algebra.product(rows, component.point)
            assert [(v > 0) - (v < 0) for v in values] == component.signs.tolist()
            assert component.fewest_positives <= sum(v > 0 for v in values) <= limit


def brute_force_betti(rows, limit):
    """Ranks of the whole boundary matrices of the faces of the slow reference."""
    n = len(rows[0])
    faces = face_lattice.covectors(rows)
    levels = [
        [x for x, d in faces.items() if d == dimension and sum(s > 0 for s in x) <= limit]
        for dimension in range(1, n + 1)
    ]
    ranks = [0]
    for lower, upper in itertools.pairwise(levels):
        entries = [int(all(a in (0, b) for a, b in zip(y, x, strict=True))) for y in lower for x in upper]
        ranks.append(int(flint.nmod_mat(len(lower), len(upper), entries, 2).rank()) if entries else 0)
    ranks.append(0)
    return [len(level) - ranks[i] - ranks[i + 1] for i, level in enumerate(levels)]


@pytest.mark.slow
def test_betti_numbers_equal_brute_force():
    rng = np.random.default_rng(4)
    met = set()
    for _ in range(120):
        n = int(rng.integers(2, 5))
        m = int(rng.integers(n, 8))
        rows = rng.integers(-2, 3, (m, n)).tolist() if rng.random() < 0.7 else rng.standard_normal((m, n)).tolist()
        fractions = arrays.fractions(arrays.read_matrix(rows))
        if algebra.rank(arrays.integer_rows(arrays.read_matrix(rows))) < n:
            continue
        limit = int(rng.integers(0, m + 1))
        betti = Arrangement(rows).betti_numbers(limit)
        assert betti == brute_force_betti(fractions, limit), (rows, limit)
        met.add(tuple(betti))
    assert len(met) > 10


def simplicial(top):
    """Sizes and incidences of the simplicial complex with these maximal simplices."""
    simplices = {
        face for simplex in top for k in range(1, len(simplex) + 1) for face in itertools.combinations(simplex, k)
    }
    levels = [sorted(s for s in simplices if len(s) == k) for k in range(1, max(map(len, simplices)) + 1)]
    pairs = []
    for lower, upper in itertools.pairwise(levels):
        found = [(lower.index(y), j) for j, x in enumerate(upper) for y in itertools.combinations(x, len(x) - 1)]
        pairs.append(np.array(found).reshape(-1, 2))
    return [len(level) for level in levels], pairs


def test_homology_of_complexes_that_do_not_collapse():
    """Random complexes, whose critical cells bound each other, by whole boundary matrices; and a projective plane."""
    rng = np.random.default_rng(9)
    for _ in range(150):
        top = [tuple(sorted(rng.choice(9, size=rng.integers(1, 5), replace=False).tolist())) for _ in range(25)]
        sizes, pairs = simplicial(top)
        ranks = [0]
        for d, links in enumerate(pairs):
            matrix = np.zeros((sizes[d], sizes[d + 1]), dtype=int)
            matrix[links[:, 0], links[:, 1]] = 1
            ranks.append(int(flint.nmod_mat(*matrix.shape, matrix.ravel().tolist(), 2).rank()))
        ranks.append(0)
        expected = [size - ranks[d] - ranks[d + 1] for d, size in enumerate(sizes)]
        assert homology.betti_numbers(sizes, pairs) == expected
    plane = [
        (0, 1, 2),
        (0, 2, 3),
        (0, 3, 4),
        (0, 4, 5),
        (0, 1, 5),
        (1, 2, 4),
        (2, 4, 5),
        (2, 3, 5),
        (1, 3, 5),
        (1, 3, 4),
    ]
    assert homology.betti_numbers(*simplicial(plane)) == [1, 1, 1]


def test_lineality_is_a_suspension():
    """Columns of zeros multiply the cone by a space: reduced Betti numbers move up by one each."""
    rng = np.random.default_rng(6)
    for _ in range(20):
        rows = rng.integers(-2, 3, (6, 2))
        limit = int(rng.integers(0, 5))
        base = Arrangement(rows).betti_numbers(limit)
        if algebra.rank(rows.tolist()) < 2 or not any(base):
            continue
        wide = Arrangement(np.concatenate([rows, np.zeros((6, 2), dtype=int)], axis=1))
        assert wide.betti_numbers(limit) == [1, 0, base[0] - 1, base[1]]
        assert wide.euler_characteristic(limit) == alternating(wide.betti_numbers(limit))


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n"), [(5, 1), (6, 2), (9, 3), (12, 3), (10, 4), (14, 4), (12, 5), (16, 5)])
def test_chi_three_ways(m, n):
    rng = np.random.default_rng(m * n)
    for _ in range(4 if n < 5 else 2):
        rows = rng.standard_normal((m, n))
        arrangement = Arrangement(rows)
        for limit in range(-1, m + 1):
            if n <= 3 or limit in (n - 1, n, m // 2):
                betti = arrangement.betti_numbers(limit)
                assert alternating(betti) == arrangement.euler_characteristic(limit)
                assert betti[0] == len(arrangement.components(limit))
                assert all(b >= 0 for b in betti)
        if n > 1:
            histogram = count_faces(simplify(arrays.read_matrix(rows), None), RunSettings()).histogram
            for limit in range(-1, m + 1):
                assert euler_characteristic_from_rays(histogram, limit) == arrangement.euler_characteristic(limit)
        whole = [0] * n
        whole[0] += 1
        whole[-1] += 1
        assert arrangement.betti_numbers(m) == whole


def test_below_the_least_number_of_positives_there_is_nothing():
    arrangement = Arrangement(np.random.default_rng(0).standard_normal((40, 4)))
    counts = arrangement.face_counts()
    fewest = int(np.flatnonzero(counts[4])[0])
    assert arrangement.betti_numbers(fewest - 1) == [0] * 4
    assert arrangement.components(fewest - 1) == []
    assert len(arrangement.components(fewest)) == counts[4, fewest]


@pytest.mark.slow
def test_mean_chi_over_gaussian_matrices():
    """False alarm below 1e-6: Hoeffding's and the empirical Bernstein bound at 5e-7 each."""
    trials, m, n = 4000, 8, 3
    run = simulate(GaussianEnsemble(m, n), betti_numbers, trials, seed=5, executor=_Here(), progress=False)
    chi = run.column("chi")
    assert (chi == run.column("b0") - run.column("b1") + run.column("b2")).all()
    # There are 58 cells, each component holds one, so does each one of the complement: b_0 <= 58, b_1 <= 57, b_2 <= 1.
    spread = 58 + 57 + 1
    hoeffding = spread * math.sqrt(math.log(2 / 5e-7) / (2 * trials))
    bound = min(hoeffding, _bernstein(chi, spread, 5e-7))
    assert abs(chi.mean() - float(expected_euler_characteristic(m, n))) <= bound


def _bernstein(values, spread, delta):
    """Maurer and Pontil 2009, Theorem 4, two-sided."""
    logarithm = math.log(4 / delta)
    trials = len(values)
    return math.sqrt(2 * values.var(ddof=1) * logarithm / trials) + 7 * spread * logarithm / (3 * (trials - 1))


class _Here:
    """An executor that runs in this thread."""

    def submit(self, function, *arguments):
        from concurrent.futures import Future

        future = Future()
        future.set_result(function(*arguments))
        return future


@pytest.mark.parametrize(("m", "n"), [(6, 2), (7, 3)])
def test_mean_chi_over_all_signs_is_the_expectation(m, n):
    rows = np.random.default_rng(1).standard_normal((m, n))
    flips = [rows * np.array(signs)[:, None] for signs in itertools.product([1, -1], repeat=m)]
    assert sum(int(betti_numbers(w)["chi"]) for w in flips) == expected_euler_characteristic(m, n) * 2**m
    tables = [face_counts(w) for w in flips]
    expected = expected_face_counts(m, n)
    for d, p in itertools.product(range(1, n + 1), range(n)):
        assert sum(int(t[f"F{d},{p}"]) for t in tables) == expected[d, p] * 2**m


def test_statistics_agree():
    rows = np.random.default_rng(1).standard_normal((9, 3))
    assert component_count(rows) == betti_numbers(rows)["b0"]
    assert list(betti_numbers(rows)) == ["b0", "b1", "b2", "chi"]

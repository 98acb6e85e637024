"""Cells and faces: against covectors in Fractions, closed formulas, identities, symmetries and trouble.

`test_faces_equal_covectors` draws a few hundred matrices; POLYINJ_CASES=5000 draws more.
"""

import itertools
import math
import os
import threading
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import face_lattice

from polyinj import Arrangement, BudgetExceeded, InputError, PolyinjError
from polyinj._core import RaySweep
from polyinj._split import ConeSplitter
from polyinj._status import Status
from polyinj.exact import algebra, arrays
from polyinj.geometry import faces, pruned, sweep
from polyinj.geometry import simplify as simplification
from polyinj.geometry.simplify import simplify
from polyinj.testing import integer_matrices
from polyinj.theory.euler import expected_face_counts

CASES = int(os.environ.get("POLYINJ_CASES", "300"))
# Row counts by n that keep the slow reference fast.
MOST_ROWS = {1: 6, 2: 8, 3: 7, 4: 6}


def all_faces(arrangement, dimension, max_positive=None):
    chunks = list(arrangement.iter_faces(dimension, max_positive))
    assert all(chunk.dtype == np.int8 and chunk.shape[1] == arrangement.row_count for chunk in chunks)
    return [tuple(row) for chunk in chunks for row in chunk.tolist()]


def covectors(rows, offsets):
    return face_lattice.covectors(rows) if offsets is None else face_lattice.affine_covectors(rows, offsets)


def draw_case(rng):
    """Small integers: repeated, parallel, antiparallel, dependent and zero rows, and rank below n, are all common."""
    n = int(rng.integers(1, 5))
    m = int(rng.integers(1, MOST_ROWS[n] + 1))
    size = int(rng.choice([1, 2, 3, 99]))
    rows = rng.integers(-size, size + 1, (m, n))
    if rng.random() < 0.2:
        rows[:, rng.integers(n)] = 0
    offsets = rng.integers(-size, size + 1, m).tolist() if rng.random() < 0.4 and n < 4 else None
    return rows.tolist(), offsets


@pytest.mark.slow
@pytest.mark.parametrize("split", [False, True])
def test_faces_equal_covectors(split, monkeypatch):
    """F[d, p] and the sign vectors themselves, also where the pruned walk meets degenerate vertices."""
    if split:
        monkeypatch.setattr(pruned, "_WORTHWHILE_FACTOR", 0)
    rng = np.random.default_rng(split)
    for _ in range(CASES // 2):
        rows, offsets = draw_case(rng)
        m, n = len(rows), len(rows[0])
        faces = covectors(rows, offsets)
        arrangement = Arrangement(rows, offsets, threads=int(rng.integers(1, 3)))
        limit = int(rng.integers(-1, m + 1))
        for d in range(n + 1):
            found = all_faces(arrangement, d, limit)
            few = {x for x, e in faces.items() if e == d and sum(sign > 0 for sign in x) <= limit}
            assert len(found) == len(few), (rows, offsets, d, limit)
            assert set(found) == few, (rows, offsets, d, limit)
        table = np.array(face_lattice.face_counts(faces, m, n))
        assert (arrangement.face_counts() == table).all(), (rows, offsets)
        table[:, limit + 1 :] = 0
        assert (arrangement.face_counts(limit) == table).all(), (rows, offsets, limit)
        assert arrangement.count_cells(limit) == table[-1].sum()


@pytest.mark.slow
def test_cells_know_their_points_and_facets():
    rng = np.random.default_rng(5)
    for _ in range(25):
        rows, offsets = draw_case(rng)
        faces = covectors(rows, offsets)
        arrangement = Arrangement(rows, offsets)
        for x, d in itertools.islice(faces.items(), 40):
            cell = arrangement.cell(x)
            point = cell.interior_point()
            values = [
                sum(Fraction(a) * c for a, c in zip(row, point, strict=True)) + b
                for row, b in zip(rows, offsets or [0] * len(rows), strict=True)
            ]
            assert tuple((v > 0) - (v < 0) for v in values) == x
            facets = {
                i
                for y, e in faces.items()
                if e == d - 1 and all(a in (0, b) for a, b in zip(y, x, strict=True))
                for i in range(len(rows))
                if x[i] and not y[i]
            }
            assert set(cell.facets()) == facets, (rows, offsets, x)
            normals, constants = cell.inequalities()
            assert all(v >= 0 for v in normals @ np.array(point, dtype=object) + constants)


def test_a_sign_vector_of_no_point_is_refused():
    with pytest.raises(InputError, match="no point has the signs"):
        Arrangement([[1, 0], [-1, 0]]).cell([1, 1]).interior_point()
    with pytest.raises(InputError, match="expected 2 entries"):
        Arrangement([[1, 0], [-1, 0]]).cell([1, 2])


def faces_in_general_position(m, n, d):
    return math.comb(m, n - d) * 2 * sum(math.comb(m - n + d - 1, i) for i in range(d)) if d else 1


@pytest.mark.parametrize(("m", "n"), [(3, 1), (9, 2), (10, 3), (10, 4), (11, 5), (9, 6), (10, 6), (7, 7), (10, 7)])
def test_closed_formulas(m, n):
    arrangement = Arrangement(np.random.default_rng(m + 100 * n).standard_normal((m, n)))
    counts = arrangement.face_counts()
    assert counts.sum(axis=1).tolist() == [faces_in_general_position(m, n, d) for d in range(n + 1)]
    assert arrangement.in_general_position
    for d in range(n + 1):
        found = np.concatenate(list(arrangement.iter_faces(d)))
        assert (np.bincount((found > 0).sum(axis=1), minlength=m + 1) == counts[d]).all()
        assert ((found == 0).sum(axis=1) == (n - d if d else m)).all()
        assert len(np.unique(found, axis=0)) == len(found)


@pytest.mark.parametrize(("m", "n"), [(5, 1), (7, 2), (8, 3), (9, 4), (9, 5)])
def test_affine_closed_formulas(m, n):
    rng = np.random.default_rng(m)
    arrangement = Arrangement(rng.standard_normal((m, n)), rng.standard_normal(m))
    expected = [math.comb(m, n - d) * sum(math.comb(m - n + d, i) for i in range(d + 1)) for d in range(n + 1)]
    assert arrangement.face_counts().sum(axis=1).tolist() == expected
    assert [len(all_faces(arrangement, d)) for d in range(n + 1)] == expected


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_identities_and_symmetries(data):
    n = data.draw(st.integers(1, 4))
    m = data.draw(st.integers(1, 9))
    entries = st.integers(-2, 2)
    rows = np.array(data.draw(st.lists(st.lists(entries, min_size=n, max_size=n), min_size=m, max_size=m)))
    counts = Arrangement(rows).face_counts()
    # R^n is the disjoint union of open balls.
    assert sum((-1) ** d * int(total) for d, total in enumerate(counts.sum(axis=1))) == (-1) ** n
    assert (Arrangement(-rows).face_counts() == counts).all()
    order = data.draw(st.permutations(range(m)))
    assert (Arrangement(rows[list(order)]).face_counts() == counts).all()
    scales = np.array(data.draw(st.lists(st.integers(1, 5), min_size=m, max_size=m)))
    assert (Arrangement(rows * scales[:, None]).face_counts() == counts).all()
    shear = np.eye(n, dtype=int) + np.triu(np.full((n, n), 3), 1)
    assert (Arrangement(rows @ shear).face_counts() == counts).all()
    assert (Arrangement(rows, [0] * m).face_counts() == counts).all()
    flipped = rows.copy()
    flipped[0] *= -1
    assert (Arrangement(flipped).face_counts().sum(axis=1) == counts.sum(axis=1)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n"), [(24, 4), (70, 3), (130, 3)])
def test_splitting_equals_the_sweep_beyond_the_slow_twin(m, n, monkeypatch):
    """Sets of rows take one, two and three words."""
    monkeypatch.setattr(pruned, "_WORTHWHILE_FACTOR", 0)
    rows = np.random.default_rng(3).standard_normal((m, n))
    arrangement = Arrangement(rows)
    counts = Arrangement(rows).face_counts()
    for limit in (m // 3, m // 2):
        for d in range(1, n + 1):
            found = np.concatenate([np.zeros((0, m)), *arrangement.iter_faces(d, limit)])
            assert len(np.unique(found, axis=0)) == len(found)
            assert (np.bincount((found > 0).sum(axis=1), minlength=m + 1)[: limit + 1] == counts[d, : limit + 1]).all()
    assert len(found) > 1000


def test_few_positives_are_found_without_walking_all_cells():
    matrix = arrays.read_matrix(np.random.default_rng(0).standard_normal((40, 5)))
    floats, error = arrays.float_rows(matrix)
    cursor = ConeSplitter(floats, error, 12, 5, False)
    out = np.empty((4096, 40), dtype=np.int8)
    assert cursor.fill(out, 10**9) == (0, 2890)
    assert cursor.nodes < 11_000
    assert Arrangement(matrix).count_cells(12) == 2890
    assert Arrangement(matrix).count_cells(8) == 3


def nearly_dependent(seed):
    """Four exact dependencies, moved by one unit in the last place or not at all."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((6, 3))
    rows[3], rows[4], rows[5] = rows[0] + rows[1], -rows[1] * 3, rows[2]
    for i, j in [(3, 0), (5, 1)]:
        if rng.random() < 0.7:
            rows[i, j] = np.nextafter(rows[i, j], 9)
    if rng.random() < 0.3:
        rows *= 2.0 ** rng.integers(-1060, 900, (6, 1))
    return rows


def test_uncertain_signs_are_settled():
    for seed in range(12):
        rows = nearly_dependent(seed)
        fractions = arrays.fractions(rows)
        faces = face_lattice.covectors(fractions)
        assert Arrangement(rows).face_counts().tolist() == face_lattice.face_counts(faces, 6, 3)
        assert set(all_faces(Arrangement(rows), 3)) == {x for x, d in faces.items() if d == 3}


def differences(n):
    return [[int(k == i) - int(k == j) for k in range(n)] for i, j in itertools.combinations(range(n), 2)]


def test_known_arrangements():
    """Ordered set partitions (braid), signed permutations of 4 (B_4), and the resonance arrangement of R^4."""
    assert Arrangement(differences(5)).face_counts().sum(axis=1).tolist() == [0, 1, 30, 150, 240, 120]
    sums = [[abs(entry) for entry in row] for row in differences(4)]
    b4 = [*differences(4), *sums, *np.eye(4, dtype=int).tolist()]
    assert Arrangement(b4).count_cells() == 2**4 * math.factorial(4)
    resonance = [x for x in itertools.product((0, 1), repeat=4) if any(x)]
    assert Arrangement(resonance).count_cells() == 370


def test_forms_that_meet_a_vertex_are_drawn_again(monkeypatch):
    drawn = sweep.draw_forms

    def unlucky(rank, seed):
        return drawn(rank, seed) * (seed > 1)

    rows = np.random.default_rng(1).integers(-2, 3, (8, 3))
    expected = Arrangement(rows).face_counts()
    monkeypatch.setattr(sweep, "draw_forms", unlucky)
    monkeypatch.setattr(faces, "draw_forms", unlucky)
    assert (Arrangement(rows).face_counts() == expected).all()
    with pytest.raises(PolyinjError, match="a random linear form met a vertex"):
        list(Arrangement(rows).iter_cells())


def test_a_degenerate_case_of_some_size():
    """12 small integer rows in R^4: cells by deletion and restriction, c(A) = c(A - h) + c(A on h)."""
    rows = np.random.default_rng(0).integers(-2, 3, (12, 4))
    arrangement = Arrangement(rows)
    assert not arrangement.in_general_position
    assert arrangement.count_cells() == count_by_restriction(rows.tolist())


def count_by_restriction(rows):
    rows = [row for row in rows if any(row)]
    if not rows:
        return 1
    last, rest = rows[-1], rows[:-1]
    parallel = any(algebra.rank([last, row]) < 2 for row in rest)
    if parallel:
        return count_by_restriction(rest)
    plane = algebra.kernel([last], len(last))
    return count_by_restriction(rest) + count_by_restriction([algebra.product(plane, row) for row in rest])


@pytest.mark.parametrize(("m", "n"), [(7, 2), (7, 3), (8, 4)])
def test_mean_over_all_signs_is_the_expectation(m, n):
    """Every sign vector is equally likely over the 2^m sign flips of one matrix: no chance is left."""
    rows = np.random.default_rng(n).standard_normal((m, n))
    total = np.zeros((n + 1, m + 1), dtype=np.int64)
    for flips in itertools.product([1, -1], repeat=m):
        total += Arrangement(rows * np.array(flips)[:, None]).face_counts()
    expected = expected_face_counts(m, n)
    assert all(Fraction(int(total[index]), 2**m) == expected[index] for index in np.ndindex(total.shape))


@pytest.mark.slow
def test_mean_over_gaussian_matrices():
    """False alarm below 1e-6: Maurer and Pontil's empirical Bernstein bound for each of the 3 * 13 entries.

    |mean - E| <= sqrt(2 V ln(4 / delta) / T) + 7 B ln(4 / delta) / (3 (T - 1)) with probability 1 - delta for values in
    [0, B] with sample variance V.
    """
    m, n, trials = 12, 3, 2000
    rng = np.random.default_rng(11)
    samples = np.array([Arrangement(rng.standard_normal((m, n))).face_counts() for _ in range(trials)])
    expected = np.array(expected_face_counts(m, n), dtype=float)
    logarithm = math.log(4 * 3 * (m + 1) / 1e-6)
    for d in range(1, n + 1):
        largest = faces_in_general_position(m, n, d)
        variance = samples[:, d].var(axis=0, ddof=1)
        bound = np.sqrt(2 * variance * logarithm / trials) + 7 * largest * logarithm / (3 * (trials - 1))
        assert (abs(samples[:, d].mean(axis=0) - expected[d]) <= bound).all()


def test_threads_give_the_same_cells():
    rows = np.random.default_rng(2).standard_normal((18, 5))
    one, two = Arrangement(rows), Arrangement(rows, threads=2)
    assert (one.face_counts() == two.face_counts()).all()
    assert sorted(all_faces(one, 5)) == sorted(all_faces(two, 5))
    assert all_faces(two, 4) == all_faces(Arrangement(rows, threads=2), 4)


@pytest.mark.parametrize(("m", "n", "parts"), [(40, 3, 2), (30, 4, 3), (25, 5, 2), (20, 6, 4)])
def test_threads_share_the_rays_evenly(m, n, parts):
    floats, error = arrays.float_rows(np.random.default_rng(3).standard_normal((m, n)))
    forms = sweep.draw_forms(n, 0) / 2.0**50
    whole = RaySweep(floats, error, forms, n, n, 0, 1)
    shares = [RaySweep(floats, error, forms, n, n, part, parts) for part in range(parts)]
    assert [cursor.run(10**9) for cursor in (whole, *shares)] == [Status.DONE] * (parts + 1)
    assert (sum(cursor.histogram for cursor in shares) == whole.histogram).all()
    rays = [int(cursor.histogram.sum()) for cursor in shares]
    assert max(rays) - min(rays) < 0.05 * max(rays) + n * n * m


def test_a_walk_in_threads_can_be_left():
    """Half way, and by an exception out of the walk itself."""
    rows = np.random.default_rng(2).standard_normal((26, 6))
    cells = Arrangement(rows, threads=2).iter_cells()
    next(cells)
    cells.close()
    with pytest.raises(BudgetExceeded) as caught:
        Arrangement(rows, threads=2, max_cells=1000).face_counts()
    assert caught.value.counted > 1000
    assert threading.active_count() == 1


def test_packed_cells():
    rows = np.random.default_rng(2).standard_normal((11, 3))
    signs = np.concatenate(list(Arrangement(rows).iter_cells()))
    bits = np.concatenate(list(Arrangement(rows).iter_packed_cells()))
    assert bits.shape == (len(signs), 2)
    unpacked = np.unpackbits(bits, axis=1, count=11, bitorder="little")
    assert (unpacked == (signs > 0)).all()


def test_budget_and_progress():
    rows = np.random.default_rng(2).standard_normal((30, 5))
    cells = Arrangement(rows).count_cells()
    met = []
    assert Arrangement(rows, progress=met.append).count_cells() == cells
    assert met == sorted(met)
    assert met[-1] == cells
    assert Arrangement(rows, max_cells=cells).count_cells() == cells
    for walk in (Arrangement.count_cells, lambda a: list(a.iter_cells()), lambda a: a.count_cells(5)):
        with pytest.raises(BudgetExceeded, match="max_cells = 7") as caught:
            walk(Arrangement(rows, max_cells=7))
        assert 7 < caught.value.counted <= cells


@pytest.mark.parametrize(
    ("rows", "cells"),
    [([[0]], 1), ([[3]], 2), ([[1], [1], [-2], [0]], 2), ([[0, 0], [0, 0]], 1), ([[1, 1]], 2), ([[1, 0], [-1, 0]], 2)],
)
def test_small_cases(rows, cells):
    arrangement = Arrangement(rows)
    assert arrangement.count_cells() == cells == len(all_faces(arrangement, arrangement.dimension))
    assert arrangement.lineality == len(rows[0]) - algebra.rank(rows)
    assert len(arrangement.lineality_space()) == arrangement.lineality


def test_depth_and_shallowest_direction_of_any_rows():
    rng = np.random.default_rng(8)
    for _ in range(40):
        rows, _ = draw_case(rng)
        arrangement = Arrangement(rows)
        faces = face_lattice.covectors(rows)
        n = len(rows[0])
        depth = min(sum(sign >= 0 for sign in x) for x, d in faces.items() if d == n)
        assert arrangement.depth == depth
        values = algebra.product(rows, arrangement.shallowest_direction())
        assert sum(value >= 0 for value in values) == depth


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Arrangement([1, 2]), "rows has shape"),
        (lambda: Arrangement([[1, 2]], [1, 2]), "offsets has shape"),
        (lambda: Arrangement([[1, 2]], threads=0), "threads is 0"),
        (lambda: Arrangement([[1, 2]], max_cells=-1), "max_cells is -1"),
        (lambda: Arrangement([[1, 2]]).iter_faces(3), "expected 0 to 2"),
        (lambda: Arrangement([[1, 2]], [1]).betti_numbers(), "without offsets"),
        (lambda: Arrangement([[float("nan"), 2]]), "must be finite"),
        (lambda: Arrangement(np.eye(61)).face_counts(), "up to rank 60"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.slow
@given(integer_matrices(max_rows=6, max_columns=3))
def test_cones_of_faces_hold_their_points_and_have_their_facets(rows):
    arrangement = Arrangement(rows)
    for dimension in range(1, rows.shape[1] + 1):
        for chunk in arrangement.iter_faces(dimension):
            for signs in chunk[:4]:
                cell = arrangement.cell(signs)
                cone = cell.cone()
                assert cone.dimension == dimension
                assert cone.contains(cell.interior_point())
                assert not cone.is_subspace or not signs.any()


def test_an_affine_cell_is_no_cone():
    with pytest.raises(InputError, match="affine"):
        Arrangement([[1, 0], [0, 1]], [1, 1]).cell([1, 1]).cone()


def test_a_zero_matrix_of_floats_has_one_cell():
    assert Arrangement(np.zeros((2, 3))).count_cells() == 1
    assert [chunk.tolist() for chunk in Arrangement(np.zeros((1, 2)), [0.0]).iter_cells()] == [[[0]]]


def test_plain_arrangements_are_simplified_alike(monkeypatch):
    """What doubles prove at once is what integers find; where rows are parallel, 0 or dependent they prove nothing."""
    rng = np.random.default_rng(8)
    plain = rng.standard_normal((9, 4))
    near = np.concatenate([plain, plain[:1] * (1 + 1e-15)])
    parallel = np.concatenate([plain, -3 * plain[:1]])
    dependent = np.concatenate([plain[:3], plain[:1] + plain[1:2], plain[3:]])
    extreme = plain * np.array([1e-300, 1.0, 1e300, 5e-324, 1e-160, 1e200, 1.0, 1.0, 2.0])[:, None]
    cases = [plain, near, parallel, dependent, extreme, np.concatenate([plain, 0 * plain[:1]]), plain[:, :1], plain[:3]]
    proven = [simplification._is_plainly_simple(rows) for rows in cases]
    assert proven[0]
    assert not any(proven[1:4] + proven[5:])
    found = [simplify(rows, None) for rows in cases]
    monkeypatch.setattr(simplification, "_is_plainly_simple", lambda rows: False)
    for rows, one in zip(cases, found, strict=True):
        other = simplify(rows, None)
        assert (one.rows, one.columns, one.lineality) == (other.rows, other.columns, other.lineality)
        assert one.row_of.tolist() == other.row_of.tolist()
        assert one.sign_of.tolist() == other.sign_of.tolist()
        assert np.array_equal(one.matrix, other.matrix)

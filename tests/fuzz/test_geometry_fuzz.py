"""Arrangements and cones of every family against covectors, cell by cell in Fractions.

    POLYINJ_FUZZ_CASES=100000 POLYINJ_FUZZ_SEED=1000000 pytest tests/fuzz/test_geometry_fuzz.py

tries 100,000 others.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from reference import face_lattice

from fuzz import families
from polyinj import Arrangement, Cone, OrthantUnion
from polyinj.exact.arrays import fractions, integer_rows, read_matrix, read_vector

# Cones whose nearest points the rounding of rows to unit vectors does not move far.
WELL_CONDITIONED = {"small_integers", "opposite_pairs", "repeated", "braid", "rational", "subnormal"}


def lifted(weights, bias):
    """Rows (w_i, b_i), made short: positive multiples of rows have the same signs."""
    matrix = fractions(read_matrix(weights))
    if bias is not None:
        matrix = [[*row, Fraction(b)] for row, b in zip(matrix, read_vector(bias, len(matrix)).tolist(), strict=True)]
    return integer_rows(np.array(matrix, dtype=object))


def faces_of(weights, bias):
    rows = lifted(weights, bias)
    if bias is None:
        return face_lattice.covectors(rows)
    return face_lattice.affine_covectors([row[:-1] for row in rows], [row[-1] for row in rows])


def positives(signs):
    return sum(sign > 0 for sign in signs)


def values_at(weights, bias, point):
    shifts = [0] * len(weights) if bias is None else read_vector(bias, len(weights)).tolist()
    rows = zip(fractions(read_matrix(weights)), shifts, strict=True)
    return [sum((a * Fraction(x) for a, x in zip(row, point, strict=True)), Fraction(b)) for row, b in rows]


def check_arrangement(weights, bias, rng):
    m, n = weights.shape
    faces = faces_of(weights, bias)
    table = np.array(face_lattice.face_counts(faces, m, n))
    arrangement = Arrangement(weights, bias)
    assert arrangement.face_counts().tolist() == table.tolist()
    assert arrangement.count_cells() == table[-1].sum()
    assert arrangement.lineality == min(faces.values()) if bias is None else arrangement.lineality >= 0
    limit = int(rng.integers(0, m + 1))
    few = np.where(np.arange(m + 1) <= limit, table, 0)
    assert Arrangement(weights, bias, threads=2).face_counts(limit).tolist() == few.tolist()
    for d in range(n + 1):
        found = [tuple(signs) for chunk in arrangement.iter_faces(d, limit) for signs in chunk.tolist()]
        assert len(found) == len(set(found))
        assert set(found) == {signs for signs, k in faces.items() if k == d and positives(signs) <= limit}
    cells = [signs for signs, dimension in faces.items() if dimension == n]
    zero_rows = sum(not any(row) for row in lifted(weights, bias))
    assert arrangement.depth == min(map(positives, cells)) + zero_rows
    signs = cells[rng.integers(len(cells))]
    cell = arrangement.cell(signs)
    point = cell.interior_point()
    assert [(value > 0) - (value < 0) for value in values_at(weights, bias, point)] == list(signs)
    # A facet is a face that has lost the signs of some rows; each of these rows is named.
    walls = [
        wall for wall, k in faces.items() if k == n - 1 and all(a in (0, b) for a, b in zip(wall, signs, strict=True))
    ]
    lost = {i for wall in walls for i in range(m) if wall[i] == 0 and signs[i] != 0}
    assert set(cell.facets()) == lost
    return faces, arrangement


def check_topology(weights, faces, arrangement, rng):
    m, n = weights.shape
    x = arrangement.shallowest_direction()
    assert sum(value >= 0 for value in values_at(weights, None, x)) == arrangement.depth
    for limit in {n - 1, int(rng.integers(0, m + 1))}:
        closed = {signs: k for signs, k in faces.items() if positives(signs) <= limit}
        betti = betti_by_rank(closed, m)
        if arrangement.lineality == 0:
            betti += [0] * (n - len(betti))
            assert arrangement.betti_numbers(limit) == betti
        found = arrangement.betti_numbers(limit)
        assert arrangement.euler_characteristic(limit) == sum(found[::2]) - sum(found[1::2])
        assert len(arrangement.components(limit)) == found[0]


def betti_by_rank(faces, m):
    """Of the complex of faces but the origin: ranks over GF(2) of boundaries, which are found by signs."""
    layers = {}
    for signs, k in faces.items():
        if any(signs):
            layers.setdefault(k, []).append(signs)
    if not layers:
        return []
    top = max(layers)
    ranks, sizes = [0], []
    for k in range(1, top + 1):
        lower, upper = layers.get(k - 1, []), layers.get(k, [])
        sizes.append(len(upper))
        if k > 1:
            ranks.append(rank_mod_2([sum(1 << i for i, a in enumerate(lower) if is_face(a, b)) for b in upper]))
    ranks.append(0)
    return [size - below - above for size, below, above in zip(sizes, ranks, ranks[1:], strict=False)]


def is_face(a, b):
    return all(x in (0, y) for x, y in zip(a, b, strict=True))


def rank_mod_2(rows):
    basis = []
    for row in rows:
        for pivot in basis:
            row = min(row, row ^ pivot)
        if row:
            basis.append(row)
    return len(basis)


def check_symmetries(weights, bias, rng):
    """Rows permuted and scaled by powers of two; columns permuted with signs changed; a row repeated."""
    m, n = weights.shape
    table = Arrangement(weights, bias).face_counts()
    order, place, signs = rng.permutation(m), rng.permutation(n), rng.choice([-1, 1], n)
    shifts = None if bias is None else np.asarray(bias)[order]
    turned = Arrangement(weights[order][:, place] * signs, shifts)
    assert turned.face_counts().tolist() == table.tolist()
    rows = np.array(fractions(read_matrix(weights)), dtype=object)
    scales = np.array([Fraction(2) ** int(k) for k in rng.integers(-1200, 1200, m)], dtype=object)
    shifts = None if bias is None else np.array([Fraction(b) for b in np.asarray(bias).tolist()], dtype=object) * scales
    assert Arrangement(rows * scales[:, None], shifts).face_counts().tolist() == table.tolist()
    again = [*range(m), int(rng.integers(m))]
    more = Arrangement(weights[again], None if bias is None else np.asarray(bias)[again])
    assert more.face_counts().sum(axis=1).tolist() == table.sum(axis=1).tolist()


def check_cones(name, weights, rng):
    m, n = weights.shape
    cone = Cone.from_inequalities(weights)
    short = Cone.from_inequalities([[Fraction(entry) for entry in row] for row in lifted(weights, None)])
    assert cone.description == short.description
    assert cone.dual() == Cone.from_rays(weights)
    assert cone.polar().polar() == cone
    scale = 2.0 ** float(rng.integers(-900, 900))
    for point in (rng.integers(-2, 3, n) * scale, rng.standard_normal(n)):
        values = values_at(weights, None, point.tolist())
        inside = cone.decide_point(point)
        inside.verify(cone.definition)
        assert cone.contains(point) == all(value >= 0 for value in values)
        nearest = cone.project_exactly(point)
        nearest.verify(cone.definition)
        dual = cone.dual()
        rest = dual.project_exactly([-Fraction(x) for x in point.tolist()])
        rest.verify(dual.definition)
        # Moreau: x = P(x) - P_dual(-x).
        assert [a - b for a, b in zip(nearest.projection, rest.projection, strict=True)] == list(
            map(Fraction, point.tolist())
        )
        rough = cone.project(point)
        assert np.isfinite(rough.projection).all()
        if name in WELL_CONDITIONED:
            gap = [Fraction(a) - b for a, b in zip(rough.projection.tolist(), nearest.projection, strict=True)]
            length = sum(Fraction(x) ** 2 for x in point.tolist())
            assert sum(x * x for x in gap) <= length / 10**24
    half = Cone.from_inequalities(weights[: max(m // 2, 1)])
    inside = half.decide_cone(cone)
    inside.verify(cone.definition, half.definition)
    assert half.contains_cone(cone)
    back = cone.decide_cone(half)
    back.verify(half.definition, cone.definition)
    assert cone.contains_cone(half) == (half == cone)


def check_orthants(weights, faces, rng):
    m = len(weights)
    limit = int(rng.integers(0, m + 1))
    least = min((positives(signs) for signs in faces if any(signs)), default=None)
    found = OrthantUnion(m, limit).decide_meeting(weights)
    found.verify(weights, limit)
    meets = least is not None and least <= limit
    assert OrthantUnion(m, limit).meets(weights) == meets


def try_case(seed):
    """One arrangement, or one cone, of the families."""
    rng = np.random.default_rng(seed)
    name, weights, bias, _ = families.draw(rng, rows=int(rng.integers(1, 8)))
    if seed % 2:
        bias = None
    try:
        faces, arrangement = check_arrangement(weights, bias, rng)
        check_symmetries(weights, bias, rng)
        if bias is None:
            check_topology(weights, faces, arrangement, rng)
            check_orthants(weights, faces, rng)
            check_cones(name.split(",")[0], weights, rng)
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(f"seed {seed}, {name}: {kind}: {error}\n{weights!r}\n{bias!r}") from error
    return name.split(",")[0], bias is None


@pytest.mark.slow
@families.in_parts(60, 30)
def test_arrangements_and_cones_of_every_family(seeds):
    seen = Counter()
    for seed in seeds:
        seen[try_case(seed)] += 1
    families.assert_both(central for _, central in seen)

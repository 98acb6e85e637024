"""Unions of orthants and their faces: counts, volumes, and sections, against enumeration of faces and of flips."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyinj.errors import BudgetExceeded, InputError
from polyinj.geometry import face_union
from polyinj.geometry.cone import Cone
from polyinj.geometry.face_union import FaceUnion
from polyinj.geometry.kinematic import section_euler_characteristic, statistical_dimension
from polyinj.geometry.orthants import OrthantUnion
from polyinj.studies.random_sections import estimate_section_euler_characteristic

sign_vectors = st.integers(1, 5).flatmap(
    lambda m: st.lists(st.lists(st.sampled_from((-1, 0, 1)), min_size=m, max_size=m), min_size=1, max_size=6)
)


def faces_of(vectors):
    """All sign vectors below one of the given ones."""
    return [t for t in product((-1, 0, 1), repeat=len(vectors[0])) if any(below(t, s) for s in vectors)]


def below(t, s):
    return all(a in (0, b) for a, b in zip(t, s, strict=True))


@settings(max_examples=40)
@given(sign_vectors)
def test_counts_and_membership_agree_with_the_enumeration_of_faces(vectors):
    union, faces = FaceUnion(vectors), faces_of(vectors)
    assert union.face_counts() == tuple(sum(sum(map(abs, t)) == d for t in faces) for d in range(len(vectors[0]) + 1))
    every = list(product((-1, 0, 1), repeat=len(vectors[0])))
    assert [t for t, inside in zip(every, union.contains_faces(np.array(every)), strict=True) if inside] == faces
    assert all(union.contains(np.array(t) * 1.5) for t in faces)


@settings(max_examples=30)
@given(sign_vectors)
def test_volumes_are_those_of_the_valuation(vectors):
    union = FaceUnion(vectors)
    volumes = union.conic_intrinsic_volumes()
    assert sum(volumes) == 1
    first, rest = FaceUnion(vectors[:1]), vectors[1:]
    exact = tuple(first.conic_intrinsic_volumes())
    assert exact == Cone.orthant(vectors[0]).conic_intrinsic_volumes().rational
    if rest:
        # Inclusion and exclusion: what one vector shares with the others is the union of the meets.
        shared = [[a if a == b else 0 for a, b in zip(vectors[0], s, strict=True)] for s in rest]
        parts = [FaceUnion(some).conic_intrinsic_volumes() for some in (vectors[:1], rest, shared)]
        assert volumes == [a + b - c for a, b, c in zip(*parts, strict=True)]


@pytest.mark.parametrize(("m", "k"), [(1, 0), (4, 1), (6, 3), (5, 5)])
def test_few_positives_are_the_orthant_union(m, k):
    union = FaceUnion([s for s in product((-1, 1), repeat=m) if s.count(1) <= k])
    other = OrthantUnion(m, k)
    assert union.conic_intrinsic_volumes() == other.conic_intrinsic_volumes()
    assert [union.expected_euler_characteristic(n) for n in range(1, m + 1)] == [
        other.expected_euler_characteristic(n) for n in range(1, m + 1)
    ]


@settings(max_examples=4)
@given(st.lists(st.lists(st.sampled_from((-1, 0, 1)), min_size=5, max_size=5), min_size=1, max_size=5))
def test_the_mean_over_all_flips_of_one_matrix_is_exact(vectors):
    """General position settles how many faces each flat has; the flips of rows make their signs uniform."""
    union = FaceUnion(vectors)
    for n in (2, 3):
        # Points of the moment curve: any n rows are independent.
        rows = np.array([[(i + 1) ** power for power in range(n)] for i in range(5)])
        total = sum(
            union.section_euler_characteristic(rows * np.array(flips)[:, None]) for flips in product((-1, 1), repeat=5)
        )
        assert total == 32 * union.expected_euler_characteristic(n)


@pytest.mark.slow
def test_simulation_agrees():
    rng = np.random.default_rng(11)
    unions = [FaceUnion(rng.integers(-1, 2, (12, 7))), OrthantUnion(7, 2)]
    with ThreadPoolExecutor(1) as pool:
        for union in unions:
            # False alarm in about one of 10^6: Student's interval at 5 standard errors.
            found = estimate_section_euler_characteristic(
                union, 3, 150, seed=5, level=1 - 1e-6, executor=pool, progress=False
            )
            assert found.mean.low <= found.exact <= found.mean.high
            assert found.mean.high - found.mean.low < 3
            assert found.exact == union.expected_euler_characteristic(3)


def test_degenerate_matrices_and_whole_spaces():
    everything = FaceUnion(list(product((-1, 1), repeat=3)))
    for n in (1, 2, 3):
        assert everything.expected_euler_characteristic(n) == 1 + (-1) ** (n - 1)
    assert everything.section_euler_characteristic(np.eye(3, dtype=int)) == 2
    # A kernel of one dimension: two points where nothing else is met, and a suspension where an arc is.
    origin, ray = FaceUnion([[0, 0]]), FaceUnion([[1, 0]])
    assert origin.section_euler_characteristic([[1, 0, 0], [0, 1, 0]]) == 2
    assert origin.expected_euler_characteristic(1) == 0
    assert ray.section_euler_characteristic([[1, 0, 0], [0, 1, 0]]) == 1
    assert OrthantUnion(2, 0).section_euler_characteristic([[1, 0], [0, 1]]) == 1


def test_what_is_no_union_is_refused(monkeypatch):
    for vectors in ([], [[]], [1, 0], [[2, 0]], [[0.5, 1.0]]):
        with pytest.raises(InputError, match=r"vectors has shape .*; expected integers of shape \(k, m\)"):
            FaceUnion(vectors)
    union = FaceUnion([[1, -1], [1, -1]])
    assert repr(union) == "FaceUnion(1 sign vectors in R^2)"
    for n in (0, 3, 1.5):
        with pytest.raises(InputError, match=r"n is .*; expected an integer from 1 to 2"):
            union.expected_euler_characteristic(n)
    with pytest.raises(InputError, match="subspace has 3 rows; expected m = 2"):
        union.section_euler_characteristic([[1], [2], [3]])
    with pytest.raises(InputError, match="3 rows"):
        OrthantUnion(2, 1).section_euler_characteristic([[1], [2], [3]])
    with pytest.raises(InputError, match="trials is 1"):
        estimate_section_euler_characteristic(union, 1, 1)
    monkeypatch.setattr(face_union, "_MOST_REMAINDERS", 3)
    with pytest.raises(BudgetExceeded, match="need more than 3 remainders after 1 entries"):
        FaceUnion(np.random.default_rng(0).integers(-1, 2, (9, 6))).face_counts()


def test_crofton_for_one_orthant():
    volumes = [Fraction(comb(6, k), 64) for k in range(7)]
    for n in range(1, 7):
        wendel = Fraction(sum(comb(5, i) for i in range(n)), 32)
        assert section_euler_characteristic(volumes, n) == wendel
    assert statistical_dimension(volumes) == 3

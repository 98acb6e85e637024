"""Unions of orthants: exact intrinsic volumes, and subspaces that meet them."""

import dataclasses
import subprocess
import sys
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyinj.errors import BudgetExceeded, CertificateError, InputError
from polyinj.geometry.cone import Cone
from polyinj.geometry.orthant_certificate import Branch, Leaf, OrthantProof, OrthantWitness, PositiveSet
from polyinj.geometry.orthants import OrthantUnion
from polyinj.geometry.sweep import sweep
from polyinj.testing import orthant_unions, subspaces


def naive_meets(union, matrix):
    """For each choice of allowed positives, does the cone of the other inequalities hold a point with an image?"""
    m = len(matrix)
    image = np.array(matrix, dtype=object)
    for allowed in combinations(range(m), min(union.max_positive, m)):
        rest = [[-int(v) for v in matrix[i]] for i in range(m) if i not in allowed]
        cone = Cone.from_inequalities(np.array(rest, dtype=object).reshape(len(rest), image.shape[1]))
        if any((image @ np.array(x, dtype=object)).any() for x in (*cone.description.rays, *cone.description.lines)):
            return True
    return False


problems = orthant_unions().flatmap(lambda union: st.tuples(st.just(union), subspaces(union.m)))


@pytest.mark.slow
@settings(max_examples=200)
@given(problems)
def test_decisions_equal_the_naive_ones(problem):
    union, matrix = problem
    found = union.decide_meeting(matrix)
    found.verify(matrix, union.max_positive)
    assert isinstance(found, OrthantWitness) == naive_meets(union, matrix) == union.meets(matrix)


@settings(max_examples=50)
@given(problems, st.data())
def test_symmetries(problem, data):
    """Permuting coordinates, scaling them, and another basis of the subspace change no answer."""
    union, matrix = problem
    meets = union.meets(matrix)
    order = data.draw(st.permutations(range(union.m)))
    scales = np.array(data.draw(st.lists(st.integers(1, 5), min_size=union.m, max_size=union.m)))
    assert union.meets(matrix[order]) == meets
    assert union.meets(matrix * scales[:, None]) == meets
    assert union.meets(np.column_stack([matrix[:, ::-1], matrix.sum(axis=1)])) == meets
    if meets:
        assert OrthantUnion(union.m, union.max_positive + 1).meets(matrix)


@pytest.mark.parametrize(("m", "n"), [(8, 2), (12, 3), (16, 4), (25, 5)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_general_position_agrees_with_the_sweep(m, n, seed):
    matrix = np.random.default_rng((m, n, seed)).standard_normal((m, n))
    depth = sweep(matrix).depth
    for k in range(max(depth - 1, 0), depth + 1):
        union = OrthantUnion(m, k)
        found = union.decide_meeting(matrix)
        found.verify(matrix, k)
        assert isinstance(found, OrthantWitness) == (k == depth) == union.meets(matrix)


def test_pairs_of_opposite_rows():
    """[I; -I] has depth n, and stays injective with repeats: the counts need no general position."""
    for n in (1, 2, 3, 4):
        matrix = np.vstack([np.eye(n, dtype=int), -np.eye(n, dtype=int)])
        assert OrthantUnion(2 * n, 0).decide_meeting(matrix).tree == Leaf((0,))
        assert OrthantUnion(2 * n, 1).meets(matrix)
        doubled = np.repeat(matrix, 2, axis=0)
        assert not OrthantUnion(4 * n, 1).meets(doubled)
        assert OrthantUnion(4 * n, 2).meets(doubled)


def test_trivial_subspaces_and_unions():
    zero = [[0, 0]] * 3
    proof = OrthantUnion(3, 3).decide_meeting(zero)
    assert isinstance(proof, OrthantProof)
    assert proof.node_count == 0
    proof.verify(zero, 3)
    with pytest.raises(CertificateError):
        proof.verify([[1, 0], [0, 0], [0, 0]], 3)
    assert OrthantUnion(1, 1).meets([[5]])
    assert OrthantUnion(1, 0).meets([[5]])
    assert OrthantUnion(2, 5).meets([[1.0, 2.0], [1.0, 2.0]])


@pytest.mark.slow
@given(problems, st.data())
def test_tampered_certificates_are_refused(problem, data):
    union, matrix = problem
    k = union.max_positive
    found = union.decide_meeting(matrix)
    for other in (matrix + 1, matrix[1:]):
        if len(other) and not np.array_equal(np.sign(other), np.sign(matrix)):
            with pytest.raises(CertificateError, match="another problem"):
                found.verify(other, k)
    with pytest.raises(CertificateError, match="another problem"):
        found.verify(matrix, k + 1)
    for tampered in _tampered(found, data):
        with pytest.raises(CertificateError):
            tampered.verify(matrix, k)


def _tampered(found, data):
    if isinstance(found, OrthantWitness):
        yield dataclasses.replace(found, x=(0,) * len(found.x))
        yield dataclasses.replace(found, x=(*found.x, 0))
    elif found.tree is not None:
        yield dataclasses.replace(found, tree=None)
        yield dataclasses.replace(found, tree=Leaf((len(found.sets),)))
        yield dataclasses.replace(found, sets=())
        i = data.draw(st.integers(0, len(found.sets) - 1))
        old = found.sets[i]
        for indices, multipliers in (
            (old.indices, (old.multipliers[0] + 1, *old.multipliers[1:])),
            (old.indices, tuple(-c for c in old.multipliers)),
            (old.indices[1:], old.multipliers[1:]),
            (old.indices, old.multipliers[1:]),
            ((old.indices[0], *old.indices), (old.multipliers[0] / 2, old.multipliers[0] / 2, *old.multipliers[1:])),
        ):
            changed = (*found.sets[:i], PositiveSet(indices, multipliers), *found.sets[i + 1 :])
            yield dataclasses.replace(found, sets=changed)
        if isinstance(found.tree, Leaf) and len(found.tree.sets) == found.max_positive + 1 > 1:
            yield dataclasses.replace(found, tree=Leaf(found.tree.sets[1:]))
            yield dataclasses.replace(found, tree=Leaf(found.tree.sets[:1] * len(found.tree.sets)))
        if isinstance(found.tree, Branch):
            tree = found.tree
            yield dataclasses.replace(found, tree=dataclasses.replace(tree, children=tree.children[1:]))
            yield dataclasses.replace(
                found, tree=dataclasses.replace(tree, order=tree.order[1:], children=tree.children[1:])
            )
            yield dataclasses.replace(found, tree=dataclasses.replace(tree, children=(Leaf(()), *tree.children[1:])))


def test_a_set_of_smaller_rank_is_refused():
    """Rows 0 and 1 cancel but leave the second coordinate free: the witness (0, -1) would be missed."""
    matrix = [[1, 0], [-1, 0], [0, 1]]
    rows = tuple(map(tuple, matrix))
    forged = OrthantProof(rows, 0, (PositiveSet((0, 1), (Fraction(1), Fraction(1))),), Leaf((0,)))
    with pytest.raises(CertificateError, match="smaller rank"):
        forged.verify(matrix, 0)


PAIR = PositiveSet((0, 1), (Fraction(1), Fraction(1)))


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (Leaf((0,)), "too few"),
        (Leaf((0, 0)), "not disjoint"),
        (Branch(0, (0, 1), (Leaf((0,)), Leaf((0,)))), "positive already"),
        (Branch(0, (0,), (Leaf((0,)),)), "does not list"),
        (Branch(0, (0, 1), (Leaf((0,)),)), "lacks a child"),
    ],
)
def test_forged_trees(tree, reason):
    """A line meets the union of the half lines of R^2 with one positive; no tree shows that it does not."""
    matrix = [[1], [-1]]
    with pytest.raises(CertificateError, match=reason):
        OrthantProof(((1,), (-1,)), 1, (PAIR,), tree).verify(matrix, 1)


def test_forged_witness():
    with pytest.raises(CertificateError, match="2 coordinates are positive"):
        OrthantWitness(((1,), (1,)), 1, (1,)).verify([[1], [1]], 1)


def test_proofs_branch():
    """A seven-point cyclic arrangement whose proof needs branches."""
    angles = 2 * np.pi * np.arange(7) / 7
    matrix = np.column_stack([np.cos(angles), np.sin(angles)])
    assert not OrthantUnion(7, 2).meets(matrix)
    proof = OrthantUnion(7, 2).decide_meeting(matrix)
    assert isinstance(proof, OrthantProof)
    assert isinstance(proof.tree, Branch)
    assert proof.node_count > 3
    with pytest.raises(BudgetExceeded):
        OrthantUnion(7, 2).decide_meeting(matrix, node_limit=1)


def test_points():
    union = OrthantUnion(3, 1)
    assert union.contains([0.0, -1.0, 5.0])
    assert not union.contains([Fraction(1, 9), 1, -1])
    with pytest.raises(InputError):
        union.contains([1, 2])


@pytest.mark.parametrize("arguments", [(0, 1), (3, -1), (2.0, 1), (True, 0)])
def test_bad_unions(arguments):
    with pytest.raises(InputError):
        OrthantUnion(*arguments)


def test_bad_subspaces():
    for matrix in ([[1], [2]], [1, 2, 3], [[np.nan]] * 3):
        with pytest.raises(InputError):
            OrthantUnion(3, 1).meets(matrix)


@given(orthant_unions())
def test_intrinsic_volumes(union):
    volumes = union.conic_intrinsic_volumes()
    assert len(volumes) == union.m + 1
    assert sum(volumes) == 1
    if union.max_positive == 0:
        assert tuple(volumes) == Cone.orthant([-1] * union.m).conic_intrinsic_volumes().rational


def test_checkers_load_no_finder():
    """Certificates of cones and orthant unions are checked with nothing but exact arithmetic."""
    program = (
        "import sys; import polyinj.geometry.cone_certificate, polyinj.geometry.orthant_certificate;"
        "print(*(name for name in sys.modules if name.startswith('polyinj.geometry.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    names = ("cone_definition", "cone_certificate", "orthant_certificate")
    assert set(loaded) == {f"polyinj.geometry.{name}" for name in names}

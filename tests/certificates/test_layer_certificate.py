"""Certificates: what is true passes both checkers, and what is tampered with passes neither."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from helpers import gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.injectivity import Refused, brute_force_injective, brute_force_injective_on_ball, verify_proof
from reference.prover import (
    BRANCH,
    CONTRADICTION,
    FILL,
    FLAT,
    PACKING,
    SPANNING,
    UNIT,
    clause_positions,
    count_proof,
    rank_proof,
    signed_circuits,
)

from polyinj.certificates.circuit_check import _is_circuit, _proved_in_doubles, check_circuits
from polyinj.certificates.clock import Clock
from polyinj.certificates.domain import Ball, Box
from polyinj.certificates.layer import LayerName, read_layer
from polyinj.certificates.layer_certificate import load_certificate
from polyinj.certificates.layer_collision import Collision
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.errors import CertificateError, InputError
from polyinj.injectivity.decide import decide_injectivity

PLUS_MINUS = [[1, 0], [0, 1], [-1, 0], [0, -1]]
TRAP = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [1, 1, 0], [-1, -1, 0], [0, 0, 1]]
ALTERNATING = [[(-1) ** t, (-1) ** t * t, (-1) ** t * t * t] for t in range(1, 9)]


def cases():
    """Name: (proof, weights, bias); between them the trees use every code."""
    plane, space = gaussian(10, 2, 0), gaussian(17, 3, 3)
    box = Box([-1, Fraction(-1, 3)], [2, float("inf")])
    shifted = [[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [-1, 1]]
    offsets = [1, 0, Fraction(1, 2), 3, 1, 1]
    dependent = [*TRAP, [0, 0, -1]]
    # On |x - (2, 0)| <= 13/10 the first row is active, and of the others one is.
    split, split_bias, ball = [[1, 0], [0, 1], [0, -1]], [-Fraction(1, 2), 1, 1], Ball([2, 0], Fraction(13, 10))
    around = [[Fraction(-27, 20), 0], [Fraction(6, 5), Fraction(3, 5)], [0, Fraction(4, 3)], [0, Fraction(-4, 3)]]
    return {
        "count": (count_proof(plane), plane, None),
        "two blocks": (count_proof(space, blocks=2), space, None),
        "three blocks": (count_proof(space, blocks=3), space, None),
        "moment curve": (count_proof(ALTERNATING, blocks=3), ALTERNATING, None),
        "rank": (rank_proof(space), space, None),
        "rank, dependent rows": (rank_proof(dependent), dependent, None),
        "rank, bias": (rank_proof(shifted, offsets), shifted, offsets),
        "rank, bias, box": (rank_proof(shifted, offsets, box), shifted, offsets),
        "rank, box": (rank_proof(PLUS_MINUS, None, box), PLUS_MINUS, None),
        "rank, orthant": (rank_proof([[1, 0], [1, 2]], None, Box.nonnegative(2)), [[1, 0], [1, 2]], None),
        "count, bias": (count_proof(plane, np.ones(10)), plane, np.ones(10)),
        "rank, bias, ball": (rank_proof(split, split_bias, ball, cuts=around), split, split_bias),
        "rank, ball": (rank_proof([[1, 0], [0, 1], [0, -1]], None, ball, cuts=around), [[1, 0], [0, 1], [0, -1]], None),
        "rank, ball around 0": (rank_proof(PLUS_MINUS, None, Ball([Fraction(1, 2), 0], 1)), PLUS_MINUS, None),
        "count, bias, ball": (count_proof(split, split_bias, ball, cuts=around), split, split_bias),
        "count, float32": (count_proof(plane.astype(np.float32)), plane.astype(np.float32), None),
    }


CASES = cases()


def exact(values):
    return None if values is None else [Fraction(x) for x in np.asarray(values).tolist()]


def document(proof, tmp_path):
    proof.save(tmp_path / "proof.json")
    return json.loads((tmp_path / "proof.json").read_text())


def both_accept(tampered, weights, bias, tmp_path):
    """The verdict of the checker and of its slow reference on a parsed document; they must agree."""
    (tmp_path / "tampered.json").write_text(json.dumps(tampered))
    try:
        loaded = load_certificate(tmp_path / "tampered.json")
        loaded.verify_depth(weights, bias, loaded.layer.domain)
        fast = True
    except CertificateError:
        fast = False
    try:
        verify_proof(tampered, [exact(row) for row in weights], exact(bias))
        slow = True
    except Refused:
        slow = False
    assert fast == slow
    return fast


def test_the_checker_loads_neither_the_search_nor_the_core():
    code = (
        "import sys, polyinj.certificates.layer_certificate; "
        "print([name for name in sys.modules if name.startswith('polyinj') and "
        "any(part in name for part in ('_core', '_branch_and_bound', 'decide', 'collide'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# Collisions


BOX = Box([-4, -4], [4, 4])


@pytest.fixture
def collision():
    weights, bias = [[1, 0], [1, 1]], [0, Fraction(-1, 2)]
    layer = read_layer(weights, bias, BOX)
    return Collision.of(layer, [-1, Fraction(1, 3)], [-3, 2]), weights, bias


def test_collision(collision, tmp_path):
    pair, weights, bias = collision
    pair.verify(weights, bias, BOX)
    with pytest.raises(
        CertificateError, match=r"about the box \[-4, 4\] x \[-4, 4\] of R\^2, not about R\^2; .* domain="
    ):
        pair.verify(weights, bias)
    for name in ("pair.json", "pair.json.gz"):
        pair.save(tmp_path / name)
        assert load_certificate(tmp_path / name) == pair == Collision.load(tmp_path / name)
    rounded = pair.as_float64(weights, bias)
    assert rounded.x.tolist() == [-1.0, 1 / 3]
    assert rounded.distance == pytest.approx(np.hypot(2, 5 / 3))
    assert rounded.image_difference == 0.0


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([-1, 1], [-1, 1]),  # the same point
        ([-1, 1], [-3, 4]),  # positive in row 1
        ([-1, 1], [-5, 2]),  # outside the box
        ([Fraction(1, 10**9), -1], [0, -1]),  # row 0 differs a little
    ],
)
def test_tampered_collision(collision, x, y):
    _, weights, bias = collision
    pair = Collision.of(read_layer(weights, bias, BOX), x, y)
    with pytest.raises(CertificateError, match=r"same point|differ in row|outside the box"):
        pair.verify(weights, bias, BOX)


def test_collision_of_another_layer(collision):
    pair, weights, bias = collision
    for others, fault in (
        ([[[1, 0], [1, 2]], bias, BOX], "another layer"),
        ([weights, [0, 0], BOX], "another layer"),
        ([weights, None, BOX], "with bias"),
        ([[[1, 0]], [0], BOX], "shape"),
        ([weights, bias, Box([0, 0], [1, 1])], "not about the box"),
        ([weights, bias, Ball([0, 0], 4)], "not about the ball of radius 4 around"),
    ):
        with pytest.raises(CertificateError, match=fault):
            pair.verify(*others)


def test_a_box_without_sides_is_everything(tmp_path):
    nulls = Box([None, float("-inf")], [float("inf"), None])
    proof, boxed = rank_proof(PLUS_MINUS), rank_proof(PLUS_MINUS, None, nulls)
    assert boxed.layer == proof.layer
    assert read_layer(PLUS_MINUS, None, nulls).domain is None
    assert document(boxed, tmp_path) == document(proof, tmp_path)
    for certificate in (proof, boxed):
        certificate.verify(PLUS_MINUS)
        certificate.verify(PLUS_MINUS, domain=nulls)
        assert certificate.statement == "the layer x -> ReLU(Wx), 4 rows, 2 columns, is injective on R^2"
    former = replace(proof.layer, sha256=read_layer(PLUS_MINUS).former_sha256(), domain=nulls)
    assert former != proof.layer
    replace(proof, layer=former).verify(PLUS_MINUS)


def test_statements_name_the_domain_the_bias_and_what_is_assumed(collision):
    pair, _, _ = collision
    layer = "the layer x -> ReLU(Wx + b), 2 rows, 2 columns,"
    assert pair.statement == f"{layer} is not injective on the box [-4, 4] x [-4, 4] of R^2"
    assert pair.statement in repr(pair)
    for name, where in (
        ("rank, orthant", "is injective on the nonnegative orthant of R^2"),
        ("rank, bias, ball", "is injective on the ball of radius 13/10 around (2, 0) in R^2"),
        (
            "count, bias, ball",
            "everywhere on the ball of radius 13/10 around (2, 0) in R^2; injective there if in general",
        ),
    ):
        proof = CASES[name][0]
        assert where in proof.statement
        assert ("Wx + b" in proof.statement) == ("bias" in name)
        assert proof.statement in repr(proof)
    decision = decide_injectivity(np.eye(3), domain=Box.nonnegative(3))
    assert decision.statement == (
        "the layer x -> ReLU(Wx), 3 rows, 3 columns, is injective on the nonnegative orthant of R^3"
    )
    assert repr(decision).startswith(f"Decision({decision.statement}; verdict=<Verdict.INJECTIVE")
    decision.verify(time_limit=100)
    with pytest.raises(CertificateError, match="time limit"):
        decision.verify(time_limit=1e-12)


def test_domains_of_many_columns_and_long_numbers_in_one_line():
    wide, long = Box([0] * 100, [1] * 100), Ball([Fraction(1, 3**9000), 0], 10**9000)
    for domain, said in (
        (wide, "the box [0, 1] x [0, 1] x [0, 1] x [0, 1] x [0, 1] x [0, 1] x [0, 1] x [0, 1] x ... of R^100"),
        (long, f"the ball of radius 1{'0' * 59}... around (about 0, 0) in R^2"),
        (Box([5e-324, None], [None, 0.5]), "the box [about 4.94066e-324, inf) x (-inf, 1/2] of R^2"),
    ):
        layer = read_layer(np.eye(domain.columns), None, domain)
        assert LayerName.of(layer).place == said
        assert repr(domain).isprintable()


def test_rounding_beyond_doubles():
    huge = 10**400
    layer = read_layer(np.array([[1, 0], [0, huge]], dtype=object))
    pair = Collision.of(layer, [-huge, 1], [-1, 1])
    pair.verify(layer.weights)
    rounded = pair.as_float64(layer.weights)
    assert rounded.x.tolist() == [-np.inf, 1]
    assert rounded.distance == np.inf


def test_collision_with_long_fractions(tmp_path):
    long = Fraction(3**20_000, 2**31_000)
    pair = Collision.of(read_layer([[1]]), [-long], [-1])
    pair.save(tmp_path / "long.json")
    assert load_certificate(tmp_path / "long.json") == pair


# Proofs


def test_cases_use_every_code():
    codes = set()
    for proof, _, _ in CASES.values():
        for tree in proof.trees:
            codes |= _codes(tree.tolist())
    assert codes == {UNIT, FILL, BRANCH, PACKING, CONTRADICTION, SPANNING, FLAT}


def _codes(tree):
    found, at = set(), 0
    while at < len(tree):
        found.add(tree[at])
        counts = {FILL: 2, PACKING: 2, SPANNING: 1}
        at += 1 + counts[tree[at]] + tree[at + counts[tree[at]]] if tree[at] in counts else 1 + (tree[at] != FLAT)
    return found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_proofs_verify(name, suffix, tmp_path):
    proof, weights, bias = CASES[name]
    proof.verify(weights, bias, proof.layer.domain)
    proof.save(tmp_path / f"proof{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"proof{suffix}"]
    loaded = InjectivityProof.load(tmp_path / f"proof{suffix}")
    loaded.verify(weights, bias, proof.layer.domain)
    assert repr(loaded) == repr(proof)
    assert document(loaded, tmp_path) == document(proof, tmp_path)
    assert both_accept(document(proof, tmp_path), weights, bias, tmp_path)
    assert loaded.assumes_general_position == name.startswith(("count", "two", "three", "moment"))
    assert ("general position" in repr(loaded)) == loaded.assumes_general_position


def tampered_documents(doc):
    """(what, document) for each way to tamper with one thing."""

    def tamper(what, change):
        tampered = copy.deepcopy(doc)
        change(tampered)
        return what, tampered

    last = len(doc["trees"]) - 1
    clause = max(range(len(doc["circuits"])), key=lambda c: len(doc["circuits"][c]))
    yield tamper("sign", lambda d: d["circuits"][clause].__setitem__(0, -d["circuits"][clause][0]))
    yield tamper("literal dropped", lambda d: d["circuits"][clause].pop())
    yield tamper("row index", lambda d: d["circuits"][clause].__setitem__(0, doc["rows"] + 1))
    yield tamper("row twice", lambda d: d["circuits"][clause].append(d["circuits"][clause][0]))
    yield tamper("clause missing", lambda d: d["circuits"].pop())
    yield tamper(
        "subtree dropped", lambda d: d["trees"].__setitem__(last, d["trees"][last][: len(d["trees"][last]) // 2])
    )
    yield tamper("tree goes on", lambda d: d["trees"][0].append(CONTRADICTION))
    yield tamper("empty tree", lambda d: d["trees"].__setitem__(0, []))
    yield tamper("tree missing", lambda d: d["trees"].pop())
    yield tamper("unknown code", lambda d: d["trees"][0].__setitem__(0, 8))
    yield tamper("budget", lambda d: d.__setitem__("budget", d["budget"] + 1))
    yield tamper("another matrix", lambda d: d.__setitem__("sha256", d["sha256"][::-1]))
    yield tamper("another domain", lambda d: d.__setitem__("domain", _other_domain(d)))
    if doc.get("cuts"):
        # The first cut is the one without which each of these layers loses information.
        yield tamper("short cut", lambda d: d["cuts"].__setitem__(0, ["-1299999/1000000", "0/1"]))
        yield tamper("turned cut", lambda d: d["cuts"].__setitem__(0, ["27/20", "0/1"]))
        yield tamper("far cut", lambda d: d["cuts"].__setitem__(0, ["-5/1", "0/1"]))
        yield tamper("cut dropped", lambda d: d["cuts"].pop(0))
        yield tamper("cuts dropped", lambda d: d["cuts"].clear())
        yield tamper("no field of cuts", lambda d: d.pop("cuts"))
        yield tamper("cut of another length", lambda d: d["cuts"][-1].append("0/1"))
        yield tamper("larger radius", lambda d: d["domain"].__setitem__("radius", "27/20"))
        yield tamper("smaller radius", lambda d: d["domain"].__setitem__("radius", "1/1"))
        yield tamper("moved centre", lambda d: d["domain"]["centre"].__setitem__(0, "0/1"))
    if doc["blocks"]:
        yield tamper("block overlap", lambda d: d["blocks"][0].append(d["blocks"][-1][0]))
        yield tamper("block of no row", lambda d: d["blocks"][0].append(d["rows"]))
        yield tamper("claim", lambda d: d.update(claim="spanning", assumes_general_position=False))


def _other_domain(doc):
    return {"lower": ["-7/1"] * doc["columns"], "upper": [None] * doc["columns"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_tampered_proofs_are_refused(name, tmp_path):
    proof, weights, bias = CASES[name]
    for what, tampered in tampered_documents(document(proof, tmp_path)):
        assert not both_accept(tampered, weights, bias, tmp_path), what


@pytest.mark.parametrize("name", ["rank, bias, ball", "rank, ball", "count, bias, ball"])
def test_a_proof_holds_for_smaller_balls_only(name, tmp_path):
    # With the right hash for each ball, so that the lengths of the cuts have to decide.
    proof, weights, bias = CASES[name]
    centre, shortest = proof.layer.domain.centre, min(sum(x * x for x in cut) for cut in proof.cuts)
    for radius, accepted in ((Fraction(1, 2), True), (Fraction(4, 3), True), (Fraction(27, 20), False), (2, False)):
        assert (shortest >= radius**2) == accepted
        renamed = replace(proof, layer=LayerName.of(read_layer(weights, bias, Ball(centre, radius))))
        assert both_accept(document(renamed, tmp_path), weights, bias, tmp_path) == accepted
        if not accepted:
            with pytest.raises(CertificateError, match="shorter than the radius"):
                renamed.verify_depth(weights, bias, renamed.layer.domain)


def test_directions_are_not_cut(tmp_path):
    # Around 0 a layer without bias is decided on R^n: a file with cuts there is malformed.
    proof, weights, _ = CASES["rank, ball around 0"]
    assert proof.cuts == ()
    doc = document(proof, tmp_path) | {"cuts": [["2/1", "0/1"]]}
    assert not both_accept(doc, weights, None, tmp_path)
    with pytest.raises(CertificateError, match="no ball"):
        replace(CASES["rank"][0], cuts=((1, 0, 0),))


@pytest.mark.parametrize("name", CASES)
def test_proofs_of_another_layer_are_refused(name, tmp_path):
    proof, weights, bias = CASES[name]
    other = np.array(weights, dtype=object)
    other[0, 0] = Fraction(other[0, 0]) + Fraction(1, 10**30)
    assert not both_accept(document(proof, tmp_path), other.tolist(), bias, tmp_path)
    domain = proof.layer.domain
    with pytest.raises(CertificateError, match=r"(with|without) bias"):
        proof.verify(weights, np.zeros(len(weights)) if bias is None else None, domain)
    with pytest.raises(CertificateError, match="shape"):
        proof.verify(weights[:-1], bias, domain)
    with pytest.raises(CertificateError, match="SHA-256"):
        proof.verify(other, bias, domain)
    if domain is not None:
        with pytest.raises(CertificateError, match=r"certificate is about the .*, not about R\^2"):
            proof.verify(weights, bias)
    with pytest.raises(CertificateError, match="domain"):
        proof.verify(weights, bias, Box([5] * len(weights[0]), [6] * len(weights[0])))


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_random_tampering_divides_no_checkers(data, tmp_path_factory):
    proof, weights, bias = CASES[data.draw(st.sampled_from(sorted(CASES)))]
    tmp_path = tmp_path_factory.mktemp("tampered")
    doc = document(proof, tmp_path)
    for _ in range(data.draw(st.integers(1, 3))):
        field = data.draw(st.sampled_from(["circuits", "trees", "trees", "blocks", "cuts"]))
        if field == "cuts":
            cut = data.draw(st.sampled_from(doc.get("cuts") or [["0/1"]]))
            ratios = st.fractions(-2, 2, max_denominator=5).map(lambda x: f"{x.numerator}/{x.denominator}")
            cut[data.draw(st.integers(0, len(cut) - 1))] = data.draw(ratios)
            continue
        lists = [part for part in doc[field] if part]
        if not lists:
            continue
        part = data.draw(st.sampled_from(lists))
        at = data.draw(st.integers(0, len(part) - 1))
        value = data.draw(st.integers(-3, 12) | st.sampled_from(part))
        action = data.draw(st.sampled_from(["set", "set", "set", "insert", "delete", "cut", "swap"]))
        if action == "set":
            part[at] = value
        elif action == "insert":
            part.insert(at, value)
        elif action == "delete":
            del part[at]
        elif action == "cut":
            del part[at:]
        else:
            part[at], part[0] = part[0], part[at]
    both_accept(doc, weights, bias, tmp_path)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_clauses_that_change_places_divide_no_checkers(data, tmp_path_factory):
    name = data.draw(st.sampled_from(sorted(CASES)))
    proof, weights, bias = CASES[name]
    tmp_path = tmp_path_factory.mktemp("tampered")
    doc = document(proof, tmp_path)
    tree = data.draw(st.sampled_from(doc["trees"]))
    at = data.draw(st.sampled_from(list(clause_positions(tree))))
    tree[at] = data.draw(st.integers(0, len(doc["circuits"]) - 1))
    if both_accept(doc, weights, bias, tmp_path) and doc["claim"] == "spanning":
        domain, rows = proof.layer.domain, [exact(row) for row in weights]
        if isinstance(domain, Ball):
            assert brute_force_injective_on_ball(rows, exact(bias), domain.centre, domain.radius)
        else:
            assert brute_force_injective(rows, exact(bias), domain)


def test_counting_does_not_prove_the_trap(tmp_path):
    # At (1, 1, -1) the active rows e1, e2, e1 + e2 are three, and have rank two.
    assert not brute_force_injective(TRAP)
    counted = count_proof(TRAP)
    counted.verify(TRAP)
    assert counted.assumes_general_position
    assert rank_proof(TRAP) is None
    doc = document(counted, tmp_path) | {
        "claim": "spanning",
        "assumes_general_position": False,
        "blocks": [],
        "circuits": [[1, 2], [3, 4], [5, 6]],
    }
    for tree in (
        counted.trees[0].tolist(),
        [FILL, 1, 2, 0, 1, CONTRADICTION, 2],
        [PACKING, 1, 3, 0, 1, 2],
        [SPANNING, 3, 0, 1, 2],
        [SPANNING, 2, 0, 1],
        [FLAT, CONTRADICTION, 2],
        [BRANCH, 0, BRANCH, 2, FLAT, CONTRADICTION, 2, SPANNING, 0, SPANNING, 0],
    ):
        assert not both_accept(doc | {"trees": [tree]}, TRAP, None, tmp_path)


def test_a_depth_below_the_width_is_no_proof_of_injectivity(tmp_path):
    weights = gaussian(9, 3, 0)
    proofs = [count_proof(weights, budget=budget, blocks=min(2, budget + 1)) for budget in range(5)]
    depth = proofs.index(None)
    assert 0 < depth < 3
    proof = proofs[depth - 1]
    proof.verify_depth(weights)
    assert "no proof of injectivity" in repr(proof)
    assert both_accept(document(proof, tmp_path), weights, None, tmp_path)
    with pytest.raises(CertificateError, match="verify_depth"):
        proof.verify(weights)


@pytest.mark.slow
def test_proofs_exist_just_where_the_criterion_holds(tmp_path):
    random = np.random.default_rng(7)
    found = 0
    for trial in range(150):
        n = int(random.integers(1, 4))
        weights = random.integers(-2, 3, (int(random.integers(n, 9)), n)).tolist()
        bias = random.integers(-2, 3, len(weights)).tolist() if trial % 2 else None
        domain = [None, Box.nonnegative(n), Box([-1] * n, [Fraction(3, 2)] * n)][trial % 3]
        proof = rank_proof(weights, bias, domain)
        assert (proof is not None) == brute_force_injective(weights, bias, domain)
        if proof is not None:
            found += 1
            proof.verify(weights, bias, domain)
            assert both_accept(document(proof, tmp_path), weights, bias, tmp_path)
    assert found >= 20


def test_zero_rows_are_never_named(tmp_path):
    weights = [*PLUS_MINUS, [0, 0]]
    proof = count_proof(weights)
    proof.verify(weights)
    doc = document(proof, tmp_path)
    for change in ({"blocks": [[0, 1, 2, 3, 4]]}, {"circuits": [[5], *doc["circuits"]]}):
        assert not both_accept(doc | change, weights, None, tmp_path)
    assert not both_accept(doc | {"trees": [[BRANCH, 4, *doc["trees"][0], *doc["trees"][0]]]}, weights, None, tmp_path)


def test_codes_at_their_edges(tmp_path):
    layer = read_layer([*PLUS_MINUS, [1, 0]])
    parts = {"claim": "spanning", "budget": 1, "blocks": [], "circuits": [[1, 3], [2, 4], [3, 5]]}
    spanning = [SPANNING, 2, 0, 1]
    trees = {
        # Row 0 is POS, so it is not free; and then a row of its own flat may be set either way.
        (BRANCH, 0, BRANCH, 0, *[SPANNING, 1, 1] * 2, *spanning): False,
        (BRANCH, 0, BRANCH, 4, *[SPANNING, 1, 1] * 2, *spanning): True,
        # Rows 0 and 2 are NEG: clause 0 has no live row, so there is no transversal, though w_4 twice spans nothing.
        (BRANCH, 0, *[SPANNING, 1, 1], BRANCH, 2, *[SPANNING, 1, 1], SPANNING, 2, 2, 0): True,
        (BRANCH, 0, *[SPANNING, 1, 1], BRANCH, 2, *[SPANNING, 1, 1], SPANNING, 2, 2, 2): False,
        (BRANCH, 0, *[SPANNING, 1, 1], BRANCH, 2, *[SPANNING, 1, 1], SPANNING, 1, 0): False,
        # Rank 0 is not n - 1; rank 1 is, and clause 1 is then false.
        (FLAT, CONTRADICTION, 1): False,
        (BRANCH, 0, FLAT, CONTRADICTION, 1, *spanning): True,
        (SPANNING, 0): False,
        (SPANNING, 2, 0, 0): False,
    }
    for tree, accepted in trees.items():
        proof = InjectivityProof.of(layer, trees=[tree], **parts)
        assert both_accept(document(proof, tmp_path), [*PLUS_MINUS, [1, 0]], None, tmp_path) == accepted, tree


def test_a_clause_without_live_rows_leaves_no_transversal(tmp_path):
    # At the end e_2 and -e_2 are NEG, which refutes clause 2; the live rows of clause 1 are in the flat of e_1.
    half = [[1, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 1]]
    weights = [row for pair in ((r, [-x for x in r]) for r in half) for row in pair]
    tree = [BRANCH, 0, BRANCH, 4, SPANNING, 1, 3, BRANCH, 5, SPANNING, 1, 3, SPANNING, 2, 1, 2, SPANNING, 3, 0, 2, 3]
    circuits = [[1, 2], [3, 4], [5, 6], [7, 8]]
    proof = InjectivityProof.of(
        read_layer(weights), claim="spanning", budget=2, blocks=[], circuits=circuits, trees=[tree]
    )
    assert both_accept(document(proof, tmp_path), weights, None, tmp_path)


def test_deep_trees_do_not_recurse():
    copies = 3000
    weights = [*PLUS_MINUS, *[[1, 0]] * copies]
    tree = [x for row in range(4, copies + 4) for x in (BRANCH, row)] + [SPANNING, 1, 1] * copies + [SPANNING, 2, 0, 1]
    layer = read_layer(weights)
    parts = {"claim": "spanning", "budget": 1, "blocks": [], "circuits": [[1, 3], [2, 4]]}
    InjectivityProof.of(layer, trees=[tree], **parts).verify(weights)
    with pytest.raises(CertificateError, match="ends inside"):
        InjectivityProof.of(layer, trees=[tree[:-4]], **parts).verify(weights)


def test_a_minor_that_the_prime_divides():
    prime = 2**31 - 1
    weights = [[prime, 1], [-prime, -1], [0, 1], [0, -1]]
    rank_proof(weights).verify(weights)
    dependent = [[1, 1], [-1, -1], [1, 1], [-1, -1]]
    assert rank_proof(dependent) is None


@pytest.mark.parametrize(("columns", "accepted"), [(8, True), (20, False)])
def test_a_node_has_at_most_a_million_transversals(columns, accepted, tmp_path):
    identity = np.eye(columns, dtype=np.int64)
    weights = np.concatenate([identity, -identity]).tolist()
    proof = InjectivityProof.of(
        read_layer(weights),
        claim="spanning",
        budget=columns - 1,
        blocks=[],
        circuits=[[i + 1, columns + i + 1] for i in range(columns)],
        trees=[[SPANNING, columns, *range(columns)]],
    )
    assert both_accept(document(proof, tmp_path), weights, None, tmp_path) == accepted


# Circuits


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=4, max_size=4),
    st.integers(0, 80),
    st.lists(st.sampled_from([1, -1]), min_size=4, max_size=4),
)
def test_doubles_prove_no_false_circuit(rows, shift, signs):
    # Entries k 2^shift + 1 make rows that are nearly, but not always exactly, dependent.
    weights = [[entry * 2**shift + (i == j) for j, entry in enumerate(row)] for i, row in enumerate(rows)]
    system = read_layer(np.array(weights, dtype=object)).system()
    literals = [(i + 1) * sign for i, sign in enumerate(signs)]
    proved = _proved_in_doubles(system.rows, np.array([literals], dtype=np.int32), Clock(None))[0]
    assert not proved or _is_circuit(system.rows, literals)


def test_doubles_prove_most_circuits():
    system = read_layer(gaussian(12, 4, 5)).system()
    circuits = np.array([c for c in signed_circuits(system) if len(c) == 5], dtype=np.int32)
    assert _proved_in_doubles(system.rows, circuits, Clock(None)).mean() > 0.99
    check_circuits(system, circuits, Clock(None))
    for flip in range(5):
        tampered = circuits.copy()
        tampered[:, flip] *= -1
        assert not _proved_in_doubles(system.rows, tampered, Clock(None)).any()
        with pytest.raises(CertificateError, match="not a signed circuit"):
            check_circuits(system, tampered, Clock(None))


def test_circuits_of_huge_and_tiny_rows():
    scales = [2.0**-1070, 1.0, 2.0**1000, 2.0**-600]
    weights = np.array([[1.0, 3.0], [-2.0, 1.0], [1.0, -5.0], [0.25, 1.0]])
    scaled = weights * np.array(scales)[:, None]
    assert signed_circuits(read_layer(scaled).system()) == signed_circuits(read_layer(weights).system())
    system = read_layer(scaled).system()
    circuits = np.array([c for c in signed_circuits(system) if len(c) == 3], dtype=np.int32)
    check_circuits(system, circuits, Clock(None))


def test_every_sign_pattern_is_told_apart():
    system = read_layer([[1, 0], [0, 1], [-1, -2], [2, 0], [-3, 0]]).system()
    true = {tuple(sorted(c, key=abs)) for c in signed_circuits(system)}
    for signs in product([1, -1, 0], repeat=5):
        literals = [(i + 1) * sign for i, sign in enumerate(signs) if sign]
        if literals:
            assert _is_circuit(system.rows, literals) == (tuple(literals) in true)


def test_a_clause_of_more_than_n_plus_1_literals_is_refused():
    # Its first three are a circuit, so that nothing may be cut off.
    layer = read_layer([*PLUS_MINUS, [-1, -1], [2, 3]])
    parts = {"claim": "spanning", "budget": 1, "blocks": [], "trees": [[SPANNING, 2, 1, 2]]}
    for clauses in ([[1, 2, 5, 6], [1, 3, 0, 0], [2, 4, 0, 0]], [[1, 2, 5, 0], [1, 3, 0, 0], [2, 4, 0, 0]]):
        proof = InjectivityProof.of(layer, circuits=clauses, **parts)
        if clauses[0][3]:
            with pytest.raises(CertificateError, match="clause 0 has more than 3 literals"):
                proof.verify(layer.weights)
        else:
            proof.verify(layer.weights)


# Files


def test_the_examples_of_the_format_page(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "certificate-format.md").read_text()
    examples = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    spanning, depth, collision, point, ball = examples
    assert both_accept(ball, [[1, 0], [0, 1], [0, -1]], None, tmp_path)
    assert not both_accept(ball | {"cuts": [["-5/4", "0/1"]]}, [[1, 0], [0, 1], [0, -1]], None, tmp_path)
    star = [[2, 0], [1, 2], [-2, 1], [-2, -1], [1, -2]]
    for example, claim in ((spanning, "spanning"), (depth, "depth")):
        assert example["claim"] == claim
        assert both_accept(example, star, None, tmp_path)
    (tmp_path / "point.json").write_text(json.dumps(point))
    load_certificate(tmp_path / "point.json").verify([[1, 0], [0, 1], [-1, -1]])
    (tmp_path / "pair.json").write_text(json.dumps(collision))
    load_certificate(tmp_path / "pair.json").verify([[1, 0], [0, 1]], [0, 1], Box([-3, -3], [None, None]))
    hashed = page.split("they are the text\n\n```\n")[1].split("```")[0]
    layer = read_layer(np.array([[1, Fraction(-1, 3)]]), [0], Box([0, None], [None, None]))
    assert hashlib.sha256(hashed.encode()).hexdigest() == layer.sha256()
    hashed = page.split("in hexadecimal\n\n```\n")[1].split("\n```")[0]
    assert hashlib.sha256(bytes.fromhex(hashed)).hexdigest() == read_layer([[1, -0.5]]).sha256()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"format": "something else"},
        {"rows": "4"},
        {"rows": 0},
        {"sha256": "abc"},
        {"bias": 0},
        {"domain": [0]},
        {"domain": {"lower": ["0/1", "0/1"], "upper": ["0/1", None]}},
        {"domain": {"lower": ["2/4", None], "upper": [None, None]}},
        {"domain": {"lower": [None], "upper": [None]}},
        {"domain": {"centre": ["0/1", "0/1"]}},
        {"domain": {"centre": ["0/1", "0/1"], "radius": "0/1"}, "cuts": []},
        {"domain": {"centre": ["0/1", "0/1"], "radius": 1}, "cuts": []},
        {"domain": {"centre": ["0/1"], "radius": "1/1"}, "cuts": []},
        {"domain": {"centre": ["0/1", "0/1"], "radius": "1/1"}},
        {"domain": {"centre": ["0/1", "0/1"], "radius": "1/1"}, "cuts": [[1, 0]]},
        {"domain": {"centre": ["0/1", "0/1"], "radius": "1/1"}, "cuts": ["1/1"]},
        {"cuts": []},
        {"claim": "injective"},
        {"assumes_general_position": False},
        {"budget": 1.0},
        {"budget": -1},
        {"blocks": [[0, True]]},
        {"blocks": [0]},
        {"circuits": [[1, 2.0]]},
        {"circuits": [[1, 0]]},
        {"circuits": [[2**31]]},
        {"circuits": None},
        {"trees": [["5", 0]]},
        {"trees": [[2**63]]},
        {"trees": [[10**400]]},
        {"comment": "hello"},
    ],
)
def test_malformed_fields(change, tmp_path):
    proof, _, _ = CASES["count"]
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document(proof, tmp_path) | change))
    with pytest.raises(CertificateError) as error:
        load_certificate(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("key", ["format", "version", "sha256", "rows", "domain", "claim", "budget", "blocks", "trees"])
def test_missing_fields(key, tmp_path):
    doc = document(CASES["count"][0], tmp_path)
    del doc[key]
    (tmp_path / "bad.json").write_text(json.dumps(doc))
    with pytest.raises(CertificateError, match=key):
        load_certificate(tmp_path / "bad.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "nul", "[" * 100_000, '{"format": 1, "format": 1}', "\udcff", "1" * 5000]
)
def test_files_that_are_no_certificates(text, tmp_path):
    raw = text.encode("utf-8", "surrogateescape")
    for name, content in (("bad.json", raw), ("bad.json.gz", raw), ("cut.json.gz", gzip.compress(raw)[:-3])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CertificateError):
            load_certificate(tmp_path / name)


def test_file_names(tmp_path, collision):
    with pytest.raises(InputError, match=r"\.json"):
        collision[0].save(tmp_path / "pair.txt")
    with pytest.raises(FileNotFoundError):
        load_certificate(tmp_path / "nowhere.json")
    collision[0].save(tmp_path / "pair.json")
    with pytest.raises(CertificateError, match="another kind"):
        InjectivityProof.load(tmp_path / "pair.json")


@pytest.mark.parametrize(
    ("lower", "upper"),
    [([0], [0]), ([1], [0]), ([], []), ([0], [1, 2]), ([float("nan")], [1]), ([float("inf")], [None]), (["0"], [1])],
)
def test_boxes_without_interior(lower, upper):
    with pytest.raises(InputError):
        Box(lower, upper)


@pytest.mark.parametrize(
    ("centre", "radius"),
    [([], 1), ([0], 0), ([0], -1), ([0], float("nan")), ([float("inf")], 1), (["0"], 1), ([0], "1")],
)
def test_no_balls(centre, radius):
    with pytest.raises(InputError):
        Ball(centre, radius)


def test_a_collision_lies_in_its_ball(tmp_path):
    weights, bias = [[1, 0], [0, 1]], [0, 1]
    layer = read_layer(weights, bias, Ball([-1, 0], 1))
    pair = Collision.of(layer, [Fraction(-8, 5), Fraction(4, 5)], [-1, Fraction(4, 5)])
    pair.verify(weights, bias, Ball([-1, 0], 1))
    pair.save(tmp_path / "pair.json")
    assert load_certificate(tmp_path / "pair.json") == pair
    for x in ([Fraction(-8, 5), Fraction(4, 5) + Fraction(1, 10**9)], [Fraction(-17, 10), Fraction(4, 5)]):
        with pytest.raises(CertificateError, match="outside the ball of radius 1 around"):
            Collision.of(layer, x, [-1, x[1]]).verify(weights, bias, layer.domain)
    with pytest.raises(CertificateError, match="domain"):
        pair.verify(weights, bias, Ball([-1, 0], 2))


@pytest.mark.parametrize(
    ("second", "third", "spans"), [([0, 1], [1, 1], True), ([2, 0], [0, 1], True), ([2, 0], [3, 0], False)]
)
def test_more_clauses_than_dimensions_are_missing(second, third, spans):
    """Whatever row of each clause is positive, they and the flat must span: here one dimension is missing."""
    rows = [[1, 0], second, third, [-1, 0], [-x for x in second], [-x for x in third], [0, 1], [0, -1]]
    parts = {"claim": "spanning", "budget": 1, "blocks": [], "circuits": [[1, 4], [2, 5], [3, 6]]}
    proof = InjectivityProof.of(read_layer(rows), trees=[[3, 0, 6, 2, 1, 2, 1, 0, 6, 2, 1, 2]], **parts)
    if spans:
        proof.verify(rows)
    else:
        with pytest.raises(CertificateError, match="a transversal does not span"):
            proof.verify(rows)

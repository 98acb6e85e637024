"""Certificates of networks on boxes and balls, and of narrow layers: valid ones hold, spoiled ones are refused."""

import json
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from helpers import FOLD, small_network
from reference.networks import first_failing_layer, is_collision, is_narrow

from polyinj import (
    Ball,
    Box,
    CertificateError,
    InputError,
    NetworkCollision,
    NetworkNarrowing,
    NetworkProof,
    Verdict,
    decide_network_injectivity,
    load_network_certificate,
    verify_network_certificate,
)
from polyinj.certificates.layer import AnotherDomain
from polyinj.certificates.relu_chain import read_chain

BOX = Box([-1, 1], [2, 2])
BALL = Ball([0, 2], Fraction(3, 2))
STAR = [[[1, 0], [0, 1], [-1, -1]]]


def refused(certificate, weights, match, domain=None, biases=None):
    with pytest.raises(CertificateError, match=match):
        certificate.verify(weights, biases, domain=domain)


def random_box(rng, n):
    lower, upper = [], []
    for _ in range(n):
        low = rng.randint(-3, 2)
        ends = low, low + rng.randint(1, 3)
        kind = rng.random()
        lower.append(None if kind < 0.2 else ends[0])
        upper.append(None if kind > 0.8 else ends[1])
    return Box(lower, upper)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "seeds"), [(1, range(60)), (2, range(500, 512))])
def test_boxes_against_the_reference(n, seeds):
    """All sign vectors, on the boundary of the box too; proofs and collisions are checked."""
    verdicts = set()
    for seed in seeds:
        weights, biases = small_network(seed, n)
        box = random_box(random.Random(seed), n)
        decision = decide_network_injectivity(weights, biases, domain=box)
        shifts = biases or [[0] * len(rows) for rows in weights]
        expected = first_failing_layer(weights, shifts, box.facets())
        assert (decision.verdict is Verdict.INJECTIVE) == (expected is None)
        assert decision.first_failing_layer in (None, expected)
        decision.verify()
        found = decision.certificate
        if isinstance(found, NetworkCollision):
            assert is_collision(weights, biases, found.x, found.y, found.layer, box.contains)
        verdicts.add(type(found))
    assert verdicts >= {NetworkProof, NetworkCollision}


@pytest.mark.slow
def test_smaller_domains_lose_no_more():
    """A ball inside a box on which a network is injective; a collision in a ball is one in the box around it."""
    seen = set()
    for seed in range(20):
        weights, biases = small_network(seed, 2)
        ball = Ball([seed % 3, 1], Fraction(3, 2))
        box = Box([c - ball.radius for c in ball.centre], [c + ball.radius for c in ball.centre])
        inner, outer = (decide_network_injectivity(weights, biases, domain=domain) for domain in (ball, box))
        if outer.verdict is Verdict.INJECTIVE:
            assert inner.verdict is Verdict.INJECTIVE
        if inner.verdict is Verdict.NOT_INJECTIVE:
            assert outer.verdict is Verdict.NOT_INJECTIVE
            found = inner.certificate
            assert is_collision(weights, biases, found.x, found.y, found.layer, ball.contains)
        if inner.verdict is not Verdict.UNDECIDED:
            inner.verify()
        seen.add((inner.verdict, outer.verdict))
    assert len(seen) >= 2


def test_a_ball_is_cut_until_no_collision_is_left():
    """FOLD turned by 45 degrees merges (t, t) and (-t, -t): the square around this ball holds such points, it none."""
    turned = [[[1, 1], [-1, 1], [-1, -1], [1, -1]], FOLD[1]]
    ball = Ball([1, -1], Fraction(6, 5))
    square = Box([Fraction(-1, 5), Fraction(-11, 5)], [Fraction(11, 5), Fraction(1, 5)])
    assert decide_network_injectivity(turned, domain=square).verdict is Verdict.NOT_INJECTIVE
    decision = decide_network_injectivity(turned, domain=ball)
    assert decision.verdict is Verdict.INJECTIVE
    decision.verify()
    assert len(decision.certificate.cuts) > 4


def test_tampered_domains():
    proof = decide_network_injectivity(FOLD, domain=BOX).certificate
    proof.verify(FOLD, domain=BOX)
    assert proof.network.domain == BOX
    with pytest.raises(AnotherDomain, match=r"about the box .* not about R\^2"):
        proof.verify(FOLD)
    refused(proof, FOLD, "not about the box", Box([-1, 1], [2, 3]))
    wider = replace(proof, network=replace(proof.network, domain=Box([-1, 1], [2, 3])))
    refused(wider, FOLD, "another network", Box([-1, 1], [2, 3]))
    outside = tuple((entry[0] + 4 * entry[2], *entry[1:]) for entry in proof.points[:1])
    refused(replace(proof, points=outside + proof.points[1:]), FOLD, "outside the domain", BOX)
    edge = ((-2, 3, 2), *proof.points[1:])
    refused(replace(proof, points=edge), FOLD, "on its boundary", BOX)
    last = replace(proof, points=proof.points[:-1], facets=proof.facets[:-1])
    refused(last, FOLD, "not listed|do not bound", BOX)
    with pytest.raises(CertificateError, match="1 cuts and the domain is the box"):
        replace(proof, cuts=((1, 1),))
    with pytest.raises(CertificateError, match="the domain has dimension 3"):
        replace(proof.network, domain=Box([0] * 3, [1] * 3))


def test_tampered_cuts():
    proof = decide_network_injectivity(FOLD, domain=BALL).certificate
    proof.verify(FOLD, domain=BALL)
    short = replace(proof, cuts=((Fraction(1), Fraction(0)), *proof.cuts[1:]))
    refused(short, FOLD, "cut 0 is shorter than the radius", BALL)
    refused(replace(proof, cuts=()), FOLD, "do not bound|leave it a line", BALL)
    refused(replace(proof, cuts=((Fraction(2), 0, 0),)), FOLD, "cut 0 has 3 entries", BALL)
    long = Fraction(1, 3**20000)
    refused(replace(proof, cuts=((2 + long, Fraction(0)), *proof.cuts[1:])), FOLD, "cut 0 has a number of", BALL)


def test_collisions_outside_the_domain():
    around = Box([-1, -1], [1, 1])
    found = decide_network_injectivity(FOLD, domain=around).certificate
    found.verify(FOLD, domain=around)
    far = replace(found, x=(2, 0), y=(-2, 0))
    refused(far, FOLD, r"x lies outside the domain, the box \[-1, 1\]", around)
    refused(replace(found, y=(Fraction(-3), 0)), FOLD, "y lies outside the domain", around)
    refused(replace(far, network=replace(far.network, domain=None)), FOLD, "another network")


def test_narrow_layers():
    chain = read_chain([*STAR, [[1, 2, 3]]])
    weights = list(chain.weights)
    narrow = NetworkNarrowing.of(chain, 2)
    narrow.verify(weights)
    assert is_narrow(weights, None, 2)
    refused(replace(narrow, layer=1), weights, "the 3 rows of layer 1 have rank 2; expected less than 2")
    at_point = NetworkNarrowing.of(read_chain(STAR), 1, [-1, 2])
    at_point.verify(STAR)
    assert is_narrow(STAR, None, 1, [-1, 2])
    for point in ([1, 1], [0, 2], [-1, 1]):
        # A row that is 0 counts, since it is active beside the point.
        assert not is_narrow(STAR, None, 1, point)
        refused(NetworkNarrowing.of(read_chain(STAR), 1, point), STAR, "active at the point have rank 2")
    with pytest.raises(CertificateError, match="the layer is 3; the network has 2"):
        replace(narrow, layer=3)
    with pytest.raises(CertificateError, match="the point has 1 entries; expected 2"):
        NetworkNarrowing.of(read_chain(STAR), 1, [1])
    with pytest.raises(InputError, match="time_limit is 0"):
        narrow.verify(weights, time_limit=0)
    long = Fraction(1, 3**60000)
    refused(NetworkNarrowing.of(read_chain(STAR), 1, [-1 + long, 2]), STAR, "the point has a number of")


def test_a_narrow_layer_behind_another_and_ranks():
    """The rank decides, not the count: two rows along one direction."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((5, 2)), np.outer([1.0, 2.0, -1.0], rng.standard_normal(5))]
    NetworkNarrowing.of(read_chain(weights), 2).verify(weights)
    biases = [None, [1.0, 1.0, 1.0]]
    NetworkNarrowing.of(read_chain(weights, biases), 2).verify(weights, biases)
    refused(NetworkNarrowing.of(read_chain(weights), 1), weights, "the 5 rows of layer 1 have rank 2")


def test_narrow_layers_on_a_domain():
    box = Box([-2, 0], [0, 3])
    found = NetworkNarrowing.of(read_chain(STAR, None, box), 1, [-1, 2])
    found.verify(STAR, domain=box)
    for point in ([0, 2], [1, 2]):
        outside = NetworkNarrowing.of(read_chain(STAR, None, box), 1, point)
        refused(outside, STAR, "not in the interior of the domain", box)
    refused(found, STAR, r"not about R\^2")


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_files(tmp_path, suffix):
    path = tmp_path / f"c{suffix}"
    for domain in (BOX, BALL, None):
        chain = read_chain(STAR, None, domain)
        certificates = [
            NetworkNarrowing.of(chain, 1),
            NetworkNarrowing.of(chain, 1, [Fraction(1, 3), 2]),
            NetworkCollision.of(chain, [0, 1], [0, 2], 1),
        ]
        for certificate in certificates:
            certificate.save(path)
            assert load_network_certificate(path) == certificate
    for domain in (BOX, BALL):
        proof = decide_network_injectivity(FOLD, domain=domain).certificate
        proof.save(path)
        found = verify_network_certificate(path, FOLD, domain=domain)
        assert (found.points, found.facets, found.cuts, found.network) == (
            proof.points,
            proof.facets,
            proof.cuts,
            proof.network,
        )
        with pytest.raises(AnotherDomain):
            verify_network_certificate(path, FOLD)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("domain", {"lower": ["1/1"], "upper": ["2/1"]}, "list of 1 entries; expected 2"),
        ("domain", {"lower": ["1/1", "1/1"], "upper": ["1/1", "2/1"]}, "expected lower < upper"),
        ("domain", {"centre": ["1/1", "1/1"], "radius": "0/1"}, "radius is 0"),
        ("domain", [1], "domain is"),
        ("domain", None, "not about the box"),
        ("point", "x", "point is x; expected a list"),
        ("point", ["1/2"], "the point has 1 entries"),
        ("layer", True, "expected an integer"),
        ("cuts", [], "unknown fields cuts"),
    ],
)
def test_malformed_files(tmp_path, field, value, message):
    path = tmp_path / "c.json"
    NetworkNarrowing.of(read_chain(STAR, None, BOX), 1, [0, Fraction(3, 2)]).save(path)
    document = json.loads(path.read_text())
    document[field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(CertificateError, match=message) as error:
        verify_network_certificate(path, STAR, domain=BOX)
    assert "\n" not in str(error.value)

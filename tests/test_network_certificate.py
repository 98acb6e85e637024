"""Certificates of networks: they verify, survive a file, and are refused when any part of them is spoiled."""

import json
from dataclasses import replace

import numpy as np
import pytest
from reference_networks import first_failing_layer
from test_deep import FOLD, gaussian, small_network

from polyinj import (
    CertificateError,
    Verdict,
    decide_injectivity,
    decide_network_injectivity,
    load_certificate,
    load_network_certificate,
)
from polyinj.networks import collisions
from polyinj.networks.certificate import NetworkCollision, NetworkProof
from polyinj.networks.collisions import Verdicts, compare_regions
from polyinj.networks.proofs import prove
from polyinj.networks.regions import Regions
from polyinj.networks.relu_chain import read_chain

# Injective, with a fold along a ray: one pair of its parts needs a separating row.
SEPARATED = [[[1, 0], [0, 1], [-1, 0], [0, -1]], [[0, 1, -1, 1], [1, 1, 1, 1], [1, 2, 1, 0], [2, 0, 0, 0]]]


def proof_of(weights, biases=None):
    decision = decide_network_injectivity(weights, biases)
    assert decision.verdict is Verdict.INJECTIVE
    return decision.certificate


@pytest.fixture(scope="module")
def separated():
    proof = proof_of(SEPARATED)
    assert proof.separations
    return proof


@pytest.fixture(scope="module")
def plain():
    return gaussian(2, 12, 2, 0), proof_of(gaussian(2, 12, 2, 0))


def refused(proof, weights, match, biases=None):
    with pytest.raises(CertificateError, match=match):
        proof.verify(weights, biases)


def forge(weights, biases=None):
    """A proof made without looking for collisions, or None where the first layer's rows do not span."""
    network = read_chain(weights, biases)
    if decide_injectivity(weights[0], None if network.is_linear else biases[0]).verdict is Verdict.NOT_INJECTIVE:
        return None
    regions = Regions(network.homogeneous_layers(), affine=not network.is_linear)
    separations = []
    for _ in weights:
        regions.refine(10**6, None)
        separations = compare_regions(regions, None).separations
    return prove(network, regions, Verdicts(separations=separations))


@pytest.mark.parametrize("n", [1, 2])
def test_no_proof_of_a_false_claim(n):
    tried = 0
    for seed in range(2000, 2300):
        weights, biases = small_network(seed, n)
        proof = forge(weights, biases)
        if proof is None:
            continue
        failing = first_failing_layer(weights, biases if biases and any(map(any, biases)) else None)
        if failing is None:
            proof.verify(weights, biases)
        else:
            tried += 1
            refused(proof, weights, "collapses|nothing separates|separate", biases)
        if tried == 25:
            return
    raise AssertionError(tried)


def test_no_proof_that_overlooks_a_fold(monkeypatch):
    """The only collisions lie on faces whose positive neurons are those of no region around them."""
    monkeypatch.setattr(collisions._Comparison, "_folds", lambda self: iter(()))
    wrong = decide_network_injectivity(FOLD)
    assert wrong.verdict is Verdict.INJECTIVE
    refused(wrong.certificate, FOLD, "nothing separates")


def test_points_are_checked(plain):
    weights, proof = plain
    points = list(proof.points)
    for point in ((0, 0), tuple(-entry for entry in points[0]), points[1]):
        spoiled = replace(proof, points=(point, *points[1:]))
        refused(spoiled, weights, "hyperplane|not beyond|does not touch|names a neuron|bound")
    refused(replace(proof, points=((1, 2, 3), *points[1:])), weights, "expected 2 integers")


def test_a_point_on_a_hyperplane():
    weights = [FOLD[0], np.eye(4, dtype=int)]
    proof = proof_of(weights)
    place = next(k for k, point in enumerate(proof.points) if min(point) > 0)
    points = [*proof.points]
    points[place] = (1, 0)
    refused(replace(proof, points=tuple(points)), weights, "hyperplane|not beyond")


def test_a_region_left_out(plain):
    weights, proof = plain
    last = len(proof.points) - 1
    # Its neighbours lead nowhere ...
    short = replace(proof, points=proof.points[:-1], facets=proof.facets[:-1])
    refused(short, weights, f"leads to region {last}, which is not listed")
    # ... or, without the facets towards it, are not bounded.
    kept = tuple(tuple(facet for facet in facets if facet[2] != last) for facets in short.facets)
    refused(replace(short, facets=kept), weights, "leave it a line|do not bound it")


def test_facets_are_checked(plain):
    weights, proof = plain
    first, *others = proof.facets
    (layer, neuron, beyond), second = first

    def spoiled(*facets):
        return replace(proof, facets=(facets, *others))

    refused(spoiled((layer, neuron, 0), second), weights, "not beyond")
    refused(spoiled((layer, neuron, second[2]), second), weights, "not beyond|does not touch")
    refused(spoiled((3, neuron, beyond), second), weights, "names neuron")
    refused(spoiled((layer, 12, beyond), second), weights, "names neuron")
    refused(spoiled((layer, neuron, -1), second), weights, "not listed")
    refused(spoiled(second), weights, "leave it a line|do not bound")
    # Whatever lies beyond the wall and is no neighbour is refused for the signs that change on the way.
    messages = []
    for other in set(range(len(proof.points))) - {0, beyond}:
        with pytest.raises(CertificateError) as fault:
            spoiled((layer, neuron, other), second).verify(weights)
        messages.append(str(fault.value))
    assert any("does not touch" in message for message in messages)
    assert any("not beyond" in message for message in messages)


def test_every_facet_counts():
    weights = [np.vstack([np.eye(3), -np.eye(3), [[1, 2, 3]]]), np.eye(7)]
    proof = proof_of(weights)
    for k in range(len(proof.facets[0])):
        facets = (proof.facets[0][:k] + proof.facets[0][k + 1 :], *proof.facets[1:])
        refused(replace(proof, facets=facets), weights, "leave it a line|do not bound it")


def test_separations_are_checked(separated):
    (pair, *rest) = separated.separations
    refused(replace(separated, separations=tuple(rest)), SEPARATED, "nothing separates")
    for spoiled, message in (
        (replace(pair, row=tuple(-entry for entry in pair.row)), "does not separate"),
        (replace(pair, row=(0,) * len(pair.row)), "are not separated"),
        (replace(pair, row=pair.row[1:]), "entries"),
        (replace(pair, parts=pair.parts[::-1]), "does not separate"),
        (replace(pair, parts=((99, ()), pair.parts[1])), "no such region"),
        (replace(pair, parts=((0, (7,)), pair.parts[1])), "no such region or neuron"),
    ):
        refused(replace(separated, separations=(spoiled, *rest)), SEPARATED, message)


def test_other_networks_are_refused(plain):
    weights, proof = plain
    other = [w.copy() for w in weights]
    other[1][0, 0] = np.nextafter(other[1][0, 0], 2)
    refused(proof, other, "another network")
    refused(proof, weights[:1], "widths")
    refused(proof, weights, "biases", [np.zeros(12), None])


def test_empty_proofs():
    name = proof_of(SEPARATED).network
    with pytest.raises(CertificateError, match="0 regions"):
        NetworkProof(name, (), (), ())
    with pytest.raises(CertificateError, match="1 regions have 0"):
        NetworkProof(name, ((1, 1),), (), ())


def test_proofs_with_biases():
    for seed in range(3):
        rng = np.random.default_rng(seed)
        weights, biases = gaussian(1, 6, 2, seed), [rng.standard_normal(6), rng.standard_normal(6)]
        decision = decide_network_injectivity(weights, biases)
        decision.verify()
        if decision.verdict is Verdict.INJECTIVE:
            last = replace(decision.certificate, points=((1, -1), *decision.certificate.points[1:]))
            refused(last, weights, "the last positive", biases)
            return
    raise AssertionError("none is injective")


def test_collisions_are_checked():
    collision = decide_network_injectivity(FOLD).certificate
    collision.verify(FOLD)
    for spoiled, message in (
        (replace(collision, x=collision.y), "the same point"),
        (replace(collision, x=(3, 5)), "differ behind layer 2"),
        (replace(collision, layer=1), "differ behind layer 1"),
    ):
        with pytest.raises(CertificateError, match=message):
            spoiled.verify(FOLD)
    deeper = [*FOLD, np.eye(3, dtype=int)]
    late = NetworkCollision.of(read_chain(deeper), collision.x, collision.y, 3)
    with pytest.raises(CertificateError, match="agree before layer 3"):
        late.verify(deeper)
    with pytest.raises(CertificateError, match=r"another network|widths"):
        collision.verify([FOLD[0], [[1, 1, 1, 1], *FOLD[1][1:]]])
    with pytest.raises(CertificateError, match="3 entries"):
        replace(collision, x=(1, 2, 3))
    with pytest.raises(CertificateError, match="the layer is 3"):
        replace(collision, layer=3)


def test_a_collision_in_doubles():
    pair = decide_network_injectivity(FOLD).certificate.as_float64(FOLD)
    assert pair.distance == 2
    assert pair.image_difference == 0


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_files(tmp_path, separated, suffix):
    path = tmp_path / f"proof{suffix}"
    separated.save(path)
    loaded = load_network_certificate(path)
    assert (loaded.points, loaded.facets, loaded.separations) == (
        separated.points,
        separated.facets,
        separated.separations,
    )
    assert repr(loaded) == repr(separated)
    loaded.verify(SEPARATED)
    collision = decide_network_injectivity(FOLD).certificate
    collision.save(path)
    assert load_network_certificate(path) == collision
    with pytest.raises(CertificateError, match="load_network_certificate reads it"):
        load_certificate(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("widths", [2, 4], "biases"),
        ("widths", ["2"], "a list of integers"),
        ("biased", [0, 1], "true and false"),
        ("points", [["1", 2]], "points is 2; expected an integer in decimal"),
        ("points", [["01", "2"]], "points is 01; expected an integer"),
        ("facets", [[1, 2]], "three a facet"),
        ("separations", [1], "a list of objects"),
        ("separations", [{"parts": [[0]], "row": []}], "expected two"),
        ("separations", [{"parts": [[0], [1]], "row": [], "more": 1}], "unknown fields"),
        ("sha256", "0", "64 lower-case"),
        ("format", "polyinj something", "expected"),
    ],
)
def test_malformed_files(tmp_path, separated, field, value, message):
    path = tmp_path / "proof.json"
    separated.save(path)
    document = json.loads(path.read_text())
    document[field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(CertificateError, match=message):
        load_network_certificate(path)


def test_one_layer_certificates_are_not_network_ones(tmp_path):
    path = tmp_path / "layer.json"
    decide_injectivity([[1], [-1]]).certificate.save(path)
    with pytest.raises(CertificateError, match="load_certificate reads it"):
        load_network_certificate(path)

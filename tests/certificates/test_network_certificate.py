"""Certificates of networks: they verify, survive a file, and are refused when any part of them is tampered with."""

import gzip
import json
import time
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from helpers import FOLD, gaussian_network, small_network
from reference.networks import first_failing_layer, is_collision, is_narrow

from polyinj import (
    Ball,
    Box,
    CertificateError,
    InputError,
    Verdict,
    decide_injectivity,
    decide_network_injectivity,
    load_certificate,
    load_network_certificate,
)
from polyinj.certificates.network_certificate import NetworkProof, verify_network_certificate
from polyinj.certificates.network_collision import NetworkCollision
from polyinj.certificates.region_rays import rays_with_walls
from polyinj.certificates.relu_chain import read_chain
from polyinj.deep import collisions
from polyinj.deep.collisions import Verdicts, compare_regions
from polyinj.deep.linear_regions import Regions
from polyinj.deep.proof_builder import prove
from polyinj.exact.algebra import kernel, product, rank

# Injective, with a fold along a ray: one pair of its parts needs a separating row.
SEPARATED = [[[1, 0], [0, 1], [-1, 0], [0, -1]], [[0, 1, -1, 1], [1, 1, 1, 1], [1, 2, 1, 0], [2, 0, 0, 0]]]
# The same, and one of the two parts is a face.
FACE = [SEPARATED[0], [[-1, -1, 0, 3], [0, 3, 3, 3], [1, 2, 1, 2], [-1, 3, 0, -1], [1, 3, 1, 2]]]


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
    return gaussian_network(2, 12, 2, 0), proof_of(gaussian_network(2, 12, 2, 0))


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


@pytest.mark.slow
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
        tampered = replace(proof, points=(point, *points[1:]))
        refused(tampered, weights, "hyperplane|not beyond|does not touch|names a neuron|bound|in one region")
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
    refused(short, weights, f"leads to region .{last}., which is not listed")
    # ... or, without the facets towards it, are not bounded.
    kept = tuple(tuple(facet for facet in facets if facet[2] != last) for facets in short.facets)
    refused(replace(short, facets=kept), weights, "leave it a line|do not bound it")


def test_facets_are_checked(plain):
    weights, proof = plain
    first, *others = proof.facets
    (layer, neuron, beyond), second = first

    def tampered(*facets):
        return replace(proof, facets=(facets, *others))

    refused(tampered((layer, neuron, 0), second), weights, "not beyond")
    refused(tampered((layer, neuron, second[2]), second), weights, "not beyond|does not touch")
    refused(tampered((3, neuron, beyond), second), weights, "names neuron")
    refused(tampered((layer, 12, beyond), second), weights, "names neuron")
    refused(tampered((layer, neuron, -1), second), weights, "not listed")
    refused(tampered(second), weights, "leave it a line|do not bound")
    # Whatever lies beyond the wall and is no neighbour is refused for the signs that change on the way.
    messages = []
    for other in set(range(len(proof.points))) - {0, beyond}:
        with pytest.raises(CertificateError) as fault:
            tampered((layer, neuron, other), second).verify(weights)
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
    for tampered, message in (
        (replace(pair, row=tuple(-entry for entry in pair.row)), "does not separate"),
        (replace(pair, row=(0,) * len(pair.row)), "are not separated"),
        (replace(pair, row=pair.row[1:]), "entries"),
        (replace(pair, parts=pair.parts[::-1]), "does not separate"),
        (replace(pair, parts=((99, ()), pair.parts[1])), "no such region"),
        (replace(pair, parts=((0, (7,)), pair.parts[1])), "not positive in the region"),
    ):
        refused(replace(separated, separations=(tampered, *rest)), SEPARATED, message)


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
        weights, biases = gaussian_network(1, 6, 2, seed), [rng.standard_normal(6), rng.standard_normal(6)]
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
    for tampered, message in (
        (replace(collision, x=collision.y), "the same point"),
        (replace(collision, x=(3, 5)), "differ behind layer 2"),
        (replace(collision, layer=1), "differ behind layer 1"),
    ):
        with pytest.raises(CertificateError, match=message):
            tampered.verify(FOLD)
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


def test_extreme_rays_against_all_choices_of_walls():
    rng = np.random.default_rng(0)
    tried = 0
    while tried < 200:
        n = int(rng.integers(1, 6))
        inside = rng.integers(-3, 4, n)
        walls = []
        for row in rng.integers(-2, 3, (int(rng.integers(n, 11)), n)):
            side = int(row @ inside)
            if side and (wall := (row * np.sign(side) // np.gcd.reduce(row)).tolist()) not in walls:
                walls.append(wall)
        if not walls or rank(walls) < n:
            continue
        tried += 1
        expected = {}
        for chosen in combinations(walls, n - 1):
            lines = kernel(list(chosen), n)
            values = product(walls, lines[0])
            if len(lines) == 1 and (min(values) >= 0 or max(values) <= 0):
                ray = tuple(lines[0] if max(values) > 0 else [-entry for entry in lines[0]])
                expected[ray] = sum(1 << k for k, value in enumerate(product(walls, ray)) if not value)
        assert rays_with_walls(walls, n) == expected


@pytest.mark.slow
def test_a_cone_with_too_many_rays_is_refused():
    rng = np.random.default_rng(1)
    walls = [[*map(int, rng.integers(-900, 900, 11)), 1000] for _ in range(40)]
    with pytest.raises(OverflowError, match="more than 6000000 steps"):
        rays_with_walls(walls, 12)


def test_a_region_twice(plain):
    weights, proof = plain
    double = tuple(2 * entry for entry in proof.points[0])
    more = replace(proof, points=(*proof.points, double), facets=(*proof.facets, proof.facets[0]))
    refused(more, weights, f"the points 0 and {len(proof.points)} lie in one region")


def test_a_wall_twice():
    """Also where two neurons share it."""
    weights = [np.vstack([np.eye(2), -np.eye(2)]), np.eye(4)]
    proof = proof_of(weights)
    first, *others = proof.facets
    (layer, neuron, beyond), _ = first
    assert layer == 1
    for double in (
        (1, neuron, beyond),
        (1, (neuron + 2) % 4, beyond),
        (2, neuron, beyond),
        (2, (neuron + 2) % 4, beyond),
    ):
        tampered = replace(proof, facets=((*first, double), *others))
        refused(tampered, weights, "two facets of region 0 have the same wall|names a neuron that vanishes")


def test_separations_that_are_not_needed(separated):
    (pair,) = separated.separations
    refused(replace(separated, separations=(pair, pair)), SEPARATED, "are separated twice")
    turned = replace(pair, parts=pair.parts[::-1], row=tuple(-entry for entry in pair.row))
    replace(separated, separations=(turned,)).verify(SEPARATED)
    refused(replace(separated, separations=(pair, turned)), SEPARATED, "are separated twice")
    for parts in (((0, ()), (0, ())), ((0, ()), (2, ()))):
        tampered = replace(pair, parts=parts, row=(1,) * len(pair.row))
        refused(replace(separated, separations=(tampered,)), SEPARATED, "are not two parts")
    refused(replace(separated, separations=(pair, tampered) * 9), SEPARATED, "the network has . pairs of parts")


def test_names_of_parts():
    """A face that regions share is one part, by whichever of its names; a name lists all neurons that are 0, rising."""
    proof = proof_of(FACE)
    (pair,) = proof.separations
    k = next(k for k in (0, 1) if pair.parts[k][1])

    def named(number, neurons):
        parts = tuple((number, neurons) if j == k else pair.parts[j] for j in (0, 1))
        return replace(proof, separations=(replace(pair, parts=parts),))

    accepted, said = [], set()
    for number in range(len(proof.points)):
        for size in range(6):
            for neurons in combinations(range(5), size):
                try:
                    named(number, neurons).verify(FACE)
                    accepted.append((number, neurons))
                except CertificateError as fault:
                    said.add(str(fault).split("; ")[-1])
    assert pair.parts[k] in accepted
    assert len(accepted) == 2
    assert accepted[0][0] != accepted[1][0]
    assert {"a neuron is not positive in the region", "other neurons are 0 there too"} < said
    region, forced = pair.parts[k]
    for neurons in ((), (*forced, forced[-1]), (*forced, -1), (*forced, 5)):
        refused(named(region, neurons), FACE, "no rising list|not positive|not two parts")


def test_one_layer_and_one_input():
    """L = 1 and N = 1: there are two regions, of one ray each, and no face but {0}."""
    for weights in ([[[1], [-1]]], [[[1], [-1], [0]], [[0, 2, 0], [3, 0, 1]]]):
        network = read_chain(weights)
        name = NetworkCollision.of(network, [1], [2], 1).network
        whole = NetworkProof(name, ((1,), (-1,)), (((1, 0, 1),), ((1, 0, 0),)), ())
        whole.verify(weights)
        refused(replace(whole, points=((1,), (0,))), weights, "hyperplane|not beyond")
        refused(replace(whole, points=((1,), (2,))), weights, "in one region")
        refused(NetworkProof(name, ((1,),), (((1, 0, 0),),), ()), weights, "not beyond")
    square = [np.vstack([np.eye(2), -np.eye(2)])]
    points = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    facets = (((1, 0, 1), (1, 1, 3)), ((1, 0, 0), (1, 1, 2)), ((1, 0, 3), (1, 1, 1)), ((1, 0, 2), (1, 1, 0)))
    NetworkProof(NetworkCollision.of(read_chain(square), [1, 0], [0, 1], 1).network, points, facets, ()).verify(square)


def test_t_is_the_last():
    """The last coordinate, and the last neuron of each layer, which no facet may name."""
    weights, biases = [[[1], [-1]]], [[1, 1]]
    name = NetworkCollision.of(read_chain(weights, biases), [1], [2], 1).network
    proof = NetworkProof(
        name,
        ((-3, 2), (0, 1), (3, 2)),
        (((1, 0, 1),), ((1, 0, 0), (1, 1, 2)), ((1, 1, 1),)),
        (),
    )
    proof.verify(weights, biases)
    refused(replace(proof, points=((2, -3), *proof.points[1:])), weights, "the last positive", biases)
    refused(replace(proof, facets=(((1, 0, 1), (1, 2, 1)), *proof.facets[1:])), weights, "not beyond", biases)


def test_time_limits(plain, separated):
    weights, proof = plain
    proof.verify(weights, time_limit=60)
    with pytest.raises(CertificateError, match="did not end in the 1e-09 seconds"):
        proof.verify(weights, time_limit=1e-9)
    collision = decide_network_injectivity(FOLD).certificate
    collision.verify(FOLD, time_limit=60)
    with pytest.raises(CertificateError, match="did not end"):
        collision.verify(FOLD, time_limit=1e-9)
    for wrong in (0, -1, float("nan")):
        for certificate, network in ((proof, weights), (collision, FOLD)):
            with pytest.raises(InputError, match="time_limit is"):
                certificate.verify(network, time_limit=wrong)


def signed(n):
    return [np.vstack([np.eye(n, dtype=int), -np.eye(n, dtype=int)]), np.eye(2 * n, dtype=int)]


def hostile():
    """name: (network, how the document of its proof is tampered with, what is said)."""
    pair = {"parts": [[0], [1]], "row": ["1"] * 4}
    huge = "7" * 3_000_000
    return {
        "walls again and again": (6, lambda d: d | {"facets": [d["facets"][0] * 40, *d["facets"][1:]]}, "240 facets"),
        "walls twice": (6, lambda d: d | {"facets": [d["facets"][0] * 4, *d["facets"][1:]]}, "have the same wall"),
        "regions": (2, lambda d: d | {k: d[k] * 50_000 for k in ("points", "facets")}, "at most 64 regions"),
        "a region": (
            9,
            lambda d: d | {"points": [[str(k)] * 9 for k in range(1, 40_001)], "facets": [[]] * 40_000},
            "lie in one region",
        ),
        "a huge number": (2, lambda d: d | {"points": [[huge, "1"], *d["points"][1:]]}, "bits; allowed are|digits"),
        "many huge numbers": (9, lambda d: d | {"points": [["7" * 4000] * 9] * 512}, "bits; allowed are|digits"),
        "a huge row": (2, lambda d: d | {"separations": [pair | {"row": [huge] * 4}]}, "bits; allowed are|digits"),
        "a huge index": (
            2,
            lambda d: d | {"facets": [[1, int("9" * 4000), 1], *d["facets"][1:]]},
            "names neuron|digits",
        ),
        "wide": (
            2,
            lambda d: d | {"widths": [1] * 10**6, "biased": [False] * (10**6 - 1)},
            "network of widths (1, 1, ",
        ),
        "huge widths": (2, lambda d: d | {"widths": [int("9" * 4000)] * 3}, "network of widths (..., ..., ...)|digits"),
        "no points": (2, lambda d: d | {"points": [], "facets": []}, "0 regions"),
        "no facets": (2, lambda d: d | {"facets": [[] for _ in d["facets"]]}, "leave it a line"),
        "a million facets": (2, lambda d: d | {"facets": [[1, 0, 1] * 333_333, *d["facets"][1:]]}, "333333 facets"),
        "a long point": (2, lambda d: d | {"points": [["1"] * 10**6, *d["points"][1:]]}, "1000000 entries; expected 2"),
        "empty points": (2, lambda d: d | {"points": [[]] * 4}, "has 0 entries; expected 2"),
        "separations": (2, lambda d: d | {"separations": [pair] * 50_000}, "separations; 4 regions have fewer"),
        "empty parts": (2, lambda d: d | {"separations": [pair | {"parts": [[], []]}]}, "a region first in each"),
        "a long part": (
            2,
            lambda d: d | {"separations": [pair | {"parts": [[0] * 10**6, [1]]}]},
            "has a list of 999999",
        ),
        "for another": (2, lambda d: d | {"sha256": "0" * 64, "points": [["1", "2"]] * 400_000}, "another network"),
        "many denominators": (
            60,
            lambda d: {
                **{k: d[k] for k in ("version", "sha256", "widths", "biased")},
                "format": "polyinj network collision",
                "layer": 1,
                **{name: [f"1/{10**3900 + 2 * k + 1}" for k in range(j, 3000, 50)] for j, name in enumerate("xy")},
            },
            "bits allowed",
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("case", sorted(hostile()))
def test_hostile_files(tmp_path, case):
    """Each is refused in a second of CPU time and 200 MB."""
    n, tamper, message = hostile()[case]
    weights = signed(n)
    path = tmp_path / "hostile.json"
    if n < 20:
        decide_network_injectivity(weights).certificate.save(path)
    else:
        NetworkCollision.of(read_chain(weights), [0] * n, [1] * n, 1).save(path)
    path.write_text(json.dumps(tamper(json.loads(path.read_text())), separators=(",", ":")))
    started = time.process_time()
    with pytest.raises(CertificateError) as fault:
        verify_network_certificate(path, weights)
    # A second on an idle machine; without the bounds some take minutes.
    assert time.process_time() - started < 10
    assert any(part in str(fault.value) for part in message.split("|")), str(fault.value)[:300]
    assert len(str(fault.value)) < 400
    tracemalloc.start()
    with pytest.raises(CertificateError):
        verify_network_certificate(path, weights)
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()


def test_points_of_a_collision_with_one_denominator(monkeypatch):
    monkeypatch.setattr("polyinj.certificates.relu_chain.LARGEST_POINT", 100)
    collision = replace(decide_network_injectivity(FOLD).certificate, x=(Fraction(1, 2**40 + 1), Fraction(1, 3**20)))
    with pytest.raises(CertificateError, match="takes more than the 100 bits allowed"):
        collision.verify(FOLD)


def test_verifying_a_file(tmp_path, separated):
    path = tmp_path / "proof.json.gz"
    separated.save(path)
    assert repr(verify_network_certificate(path, SEPARATED, time_limit=60)) == repr(separated)
    with pytest.raises(CertificateError, match="did not end"):
        verify_network_certificate(path, SEPARATED, time_limit=1e-9)
    with pytest.raises(CertificateError, match="another network"):
        verify_network_certificate(path, [SEPARATED[0], np.eye(4)])
    document = json.loads(gzip.decompress(path.read_bytes()))
    path = tmp_path / "proof.json"
    for text in ("-0", "+1", "1.0", " 1", "1 ", "01", "0x1", "1e3", "", "١"):
        document["points"][0][0] = text
        path.write_text(json.dumps(document))
        with pytest.raises(CertificateError, match="an integer in decimal"):
            verify_network_certificate(path, SEPARATED)


CONFORMANCE = Path(__file__).parents[2] / "docs" / "conformance"
CASES = json.loads((CONFORMANCE / "network-index.json").read_text())


def domain_of(fields):
    if fields is None:
        return None
    if "radius" in fields:
        return Ball([Fraction(entry) for entry in fields["centre"]], Fraction(fields["radius"]))
    return Box(*([None if side is None else Fraction(side) for side in fields[key]] for key in ("lower", "upper")))


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_conformance(case):
    """The files in docs/conformance for other checkers: this one agrees with what their index says."""
    assert case["reason"]
    arguments = CONFORMANCE / case["file"], case["weights"], case["biases"]
    domain = domain_of(case.get("domain"))
    if case["valid"]:
        verify_network_certificate(*arguments, domain=domain)
    else:
        with pytest.raises(CertificateError):
            verify_network_certificate(*arguments, domain=domain)


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_the_reference_agrees_where_no_regions_are_listed(case):
    document = json.loads((CONFORMANCE / case["file"]).read_text())
    domain, weights, biases = domain_of(case.get("domain")), case["weights"], case["biases"]
    kind = document["format"]
    if kind.endswith("proof") or case["file"] in ("network-hash.json", "network-narrow-no-layer.json"):
        return
    if kind.endswith("narrowing"):
        point = None if document["point"] is None else [Fraction(entry) for entry in document["point"]]
        inside = (lambda _: True) if domain is None else domain.surrounds
        assert is_narrow(weights, biases, document["layer"], point, inside) == case["valid"]
        return
    x, y = ([Fraction(entry) for entry in document[end]] for end in "xy")
    inside = (lambda _: True) if domain is None else domain.contains
    assert is_collision(weights, biases, x, y, document["layer"], inside) == case["valid"]


def test_conformance_files_are_listed():
    assert {case["file"] for case in CASES} == {
        path.name for path in CONFORMANCE.glob("network-*.json") if path.name != "network-index.json"
    }
    assert {case["valid"] for case in CASES} == {True, False}

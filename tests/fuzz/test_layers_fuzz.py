"""Verdicts on layers of every family against the criterion, cell by cell in rationals.

    POLYINJ_FUZZ_CASES=100000 POLYINJ_FUZZ_SEED=1000000 pytest tests/fuzz/test_layers_fuzz.py

tries 100,000 others; `make fuzz` goes on for hours.
"""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers import document
from reference import injectivity

from fuzz import families
from polyinj import (
    Ball,
    Box,
    CertificateError,
    InjectivityProof,
    InternalError,
    Verdict,
    decide_injectivity,
    find_witness,
)
from polyinj.injectivity.collide import nonspanning_point

inf = float("inf")

# Each was called injective: a side of the domain stood in a circuit with the wrong sign.
NOT_INJECTIVE = [
    ([[1, 0], [0, 1], [-1, 0], [0, -1]], [-1, -0.49999999999999994, 0.9999999999999999, 0.5], None),
    ([[1, 1], [-1, 1], [1, -1], [-1, -1]], [-3, -1.0000000000000002, 0.9999999999999999, 3], None),
    ([[-3, 3], [-2, 3], [3, -3], [2, -3], [2, -2]], [-4.5, -3.5, 4.5, 3.4999999999999996, 3], None),
    ([[-1, 0], [-1, -3], [2, 1]], None, Box([0, 0], [inf, 5e-324])),
    ([[-3e-310, 0], [-1e-310, -2e-310]], None, Box([-1, 0], [1, inf])),
    ([[-4.591774807899561e-41, 0], [0, -3.329995865487836e-257]], None, Box([0.5, -1], [2.5, 1])),
    ([[1e187, -1e94], [-1e91, -0.01]], [5e-324, -1e300], Box([-inf, 1], [0, 1.0000000000000002])),
]


def exactly(weights, bias):
    rows = [[Fraction(entry) for entry in row] for row in np.asarray(weights).tolist()]
    return rows, None if bias is None else [Fraction(entry) for entry in np.asarray(bias).tolist()]


def is_injective(weights, bias, domain):
    """The criterion in rationals; rows are made short first, which changes no sign and no rank."""
    rows, shifts = exactly(weights, bias)
    if isinstance(domain, Ball):
        return injectivity.brute_force_injective_on_ball(rows, shifts, domain.centre, domain.radius)
    return injectivity.brute_force_injective(rows, shifts, domain)


def agrees(decision, weights, bias, domain, injective):
    """The verdict is this one, and its certificate holds."""
    assert decision.verdict is (Verdict.INJECTIVE if injective else Verdict.NOT_INJECTIVE), decision
    decision.verify()
    if decision.assumes_general_position:
        assert injective
    if not injective:
        point = nonspanning_point(decision.layer, decision.best_witness.point)
        injectivity.verify_point(document(point), *exactly(weights, bias))


def assert_decided(weights, bias, domain, injective):
    agrees(decide_injectivity(weights, bias, domain=domain), weights, bias, domain, injective)


@pytest.mark.parametrize(("weights", "bias", "domain"), NOT_INJECTIVE)
def test_layers_that_were_called_injective(weights, bias, domain):
    weights = np.array(weights, dtype=float)
    assert not is_injective(weights, bias, domain)
    assert_decided(weights, bias, domain, False)
    for rows, shifts, box in symmetric(weights, bias, domain, np.random.default_rng(0)):
        assert_decided(rows, shifts, box, False)


def symmetric(weights, bias, domain, rng):
    """The same layer with rows permuted; with a row repeated; with columns permuted and signs changed, domain too."""
    m, n = weights.shape
    shifts = None if bias is None else np.asarray(bias)
    order = rng.permutation(m)
    yield weights[order], None if shifts is None else shifts[order], domain
    again = np.append(np.arange(m), rng.integers(m))
    yield weights[again], None if shifts is None else shifts[again], domain
    place, signs = rng.permutation(n), rng.choice([-1, 1], n)
    yield weights[:, place] * signs, shifts, turned(domain, place.tolist(), signs.tolist())


def turned(domain, place, signs):
    if domain is None:
        return None
    if isinstance(domain, Ball):
        return Ball([sign * domain.centre[j] for j, sign in zip(place, signs, strict=True)], domain.radius)
    sides = [(domain.lower[j], domain.upper[j]) for j in place]
    sides = [pair if sign > 0 else _negated(pair) for pair, sign in zip(sides, signs, strict=True)]
    return Box(*zip(*sides, strict=True))


def _negated(pair):
    low, high = (None if side is None else -side for side in pair)
    return high, low


def fault(weights, bias, domain, seed):
    """What goes wrong on a layer, on one alike by symmetry, or in the search for a witness; None: nothing."""
    try:
        injective = is_injective(weights, bias, domain)
        options = [{}, {"rank_proof": True}, {"rank_proof": False}][seed % 3]
        decision = decide_injectivity(weights, bias, domain=domain, **options)
        agrees(decision, weights, bias, domain, injective)
        others = list(symmetric(weights, bias, domain, np.random.default_rng(seed)))
        rows, shifts, box = others[seed % len(others)]
        assert_decided(rows, shifts, box, injective)
        if injectivity.rank(exactly(weights, None)[0]) == weights.shape[1]:
            witness = find_witness(weights, bias, domain=domain, seed=seed, steps=20)
            if witness is not None:
                assert not injective
                assert witness.active == sum(value >= 0 for value in values_at(weights, bias, witness.point))
    except Exception as error:
        return error
    return None


def shorter(weights, bias, domain):
    """The layer without its domain, without its bias, without a row, with an entry 0 or 1 in place of a longer one."""
    if domain is not None:
        yield weights, bias, None
    if bias is not None:
        yield weights, None, domain
    for i in range(len(weights) - 1, -1, -1) if len(weights) > 1 else ():
        yield np.delete(weights, i, axis=0), None if bias is None else np.delete(bias, i), domain
    for place in np.ndindex(weights.shape):
        for value in (0, 1) if weights[place] not in (0, 1) else ():
            simple = weights.copy()
            simple[place] = Fraction(value) if weights.dtype == object else value
            yield simple, bias, domain


def shrunk(layer, seed):
    """A layer that fails like this one and of which no shorter one does."""
    kind = type(fault(*layer, seed))
    while (
        smaller := next((other for other in shorter(*layer) if type(fault(*other, seed)) is kind), None)
    ) is not None:
        layer = smaller
    return layer


def try_case(seed):
    """The family and the verdict of one case; AssertionError, with the shrunk layer, if something is wrong."""
    name, *layer = families.draw(np.random.default_rng(seed))
    error = fault(*layer, seed)
    if error is not None:
        weights, bias, domain = shrunk(layer, seed)
        raise AssertionError(
            f"seed {seed}, {name}: {type(error).__name__}: {error}\nso too {weights!r}\n{bias!r}\n{domain!r}"
        ) from error
    return name, is_injective(*layer)


def values_at(weights, bias, point):
    rows, shifts = exactly(weights, bias)
    return [injectivity.dot(row, point) + b for row, b in zip(rows, shifts or [0] * len(rows), strict=True)]


@pytest.mark.slow
@families.in_parts(120, 40)
def test_layers_of_every_family(seeds):
    seen = Counter()
    for seed in seeds:
        seen[try_case(seed)] += 1
    families.assert_both(injective for _, injective in seen)


def read_number(entry):
    return None if entry is None else Fraction(entry) if isinstance(entry, str) else entry


def read_layer(case):
    """A case of found_layers.json: doubles as numbers, rationals as strings; no side of a box is null."""
    weights, bias, domain = case["weights"], case["bias"], case["domain"]
    rational = any(isinstance(entry, str) for row in weights for entry in row)
    weights = np.array([[read_number(entry) for entry in row] for row in weights], dtype=object if rational else float)
    if bias is not None:
        exact = any(isinstance(entry, str) for entry in bias)
        bias = np.array([read_number(entry) for entry in bias], dtype=object if exact else float)
    if domain is not None and "radius" in domain:
        domain = Ball([Fraction(entry) for entry in domain["centre"]], Fraction(domain["radius"]))
    elif domain is not None:
        domain = Box(*([read_number(entry) for entry in domain[side]] for side in ("lower", "upper")))
    return weights, bias, domain


FOUND = json.loads((Path(__file__).parent / "found_layers.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("case", FOUND, ids=lambda case: case["why"])
def test_what_was_found_before(case):
    for seed in range(3):
        error = fault(*read_layer(case), seed)
        if error is not None:
            raise error


def test_failures_are_shrunk(monkeypatch):
    decide = decide_injectivity

    def fails_on_sevens(weights, *arguments, **options):
        if 7 in weights:
            raise ZeroDivisionError
        return decide(weights, *arguments, **options)

    monkeypatch.setattr("fuzz.test_layers_fuzz.decide_injectivity", fails_on_sevens)
    layer = np.array([[3.0, 1.5], [2.0, 7.0], [-1.0, 4.0]]), np.array([1.0, 2.0, 3.0]), Box.nonnegative(2)
    weights, bias, domain = shrunk(layer, 0)
    assert (weights.tolist(), bias, domain) == ([[0, 7]], None, None)


def test_rows_nearly_opposite_and_more_circuits_than_dimensions_missing():
    """In doubles two such rows have rank 1: the search packs a circuit for a dimension that is not missing."""
    weights = np.array(
        [
            [0.27782665038754933, 0.139580628435851, -0.28034751873036523, 0.7518209633860082],
            [-0.27782665038754933, -0.13958062843585103, 0.2803475187303651, -0.7518209633860082],
            [1.616392925629027, 0.790688121914254, 0.604166776229619, -0.45681938124220767],
            [-1.6163929256290266, -0.7906881219142537, -0.6041667762296189, 0.45681938124220756],
            [-0.17073224839878506, -0.7367341306034685, -1.300049191199871, 1.1029006482169004],
            [0.17073224839878506, 0.7367341306034686, 1.3000491911998713, -1.1029006482169001],
            [-0.618284460427694, 0.11723520790182954, 0.051565581247139204, -2.3826142245949296],
            [0.6182844604276939, -0.11723520790182951, -0.0515655812471392, 2.38261422459493],
            [1.1214648312258733, -0.13906677949308455, 0.02306625991978993, -0.2735067655314884],
            [-1.121464831225873, 0.13906677949308455, -0.023066259919789927, 0.2735067655314883],
            [-0.37358400184833773, -0.6528441595995834, 0.7266068808384833, -1.1340376026676238],
            [0.37358400184833773, 0.6528441595995833, -0.7266068808384835, 1.1340376026676235],
            [-0.3963776643369446, 0.7607346869271598, -0.3900768345274127, -0.7105862994646783],
        ]
    )
    centre, radius = [0.06190273475, -1.3476844806, -0.8093614044, -0.5664704045], 0.6540709437
    decision = decide_injectivity(weights, domain=Ball(centre, radius))
    assert decision.verdict is Verdict.INJECTIVE
    decision.verify()


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([[1, 0], [0, 1], [-1, 0], [0, -1]], {"bias": [0, 0, 0, 0]}),
        ([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [-1, -1]], {"rank_proof": True}),
        ([[1, 0], [0, 1], [-1, 0], [0, -1]], {"bias": [3, 3, 3, 3], "domain": Ball([0, 0], 1)}),
    ],
)
def test_a_proof_that_the_checker_refuses_is_no_verdict(rows, options, monkeypatch):
    def refuse(*arguments, **keywords):
        raise CertificateError("tampered")

    assert decide_injectivity(rows, **options).verdict is Verdict.INJECTIVE
    monkeypatch.setattr(InjectivityProof, "verify", refuse)
    with pytest.raises(InternalError, match=r"refused by the checker \(tampered\).*weights=\[\["):
        decide_injectivity(rows, **options)

"""Counts proved by second moments: both checkers agree, the counts hold, and what is tampered with is refused."""

from __future__ import annotations

import json
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers import document, exact, gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.injectivity import Refused, cells, verify_spectral

from polyinj import Ball, Box, CertificateError, SpectralProof, Verdict, decide_injectivity, load_certificate
from polyinj.certificates.layer import read_layer
from polyinj.certificates.layer_certificate import verify_certificate
from polyinj.exact.arrays import denominator_of, times
from polyinj.injectivity.decide import _has_parallel_rows
from polyinj.injectivity.tall import may_have_parallel_rows, spectral_proof

OCTAGON = [[3, 0], [2, 2], [0, 3], [-2, 2], [-3, 0], [-2, -2], [0, -3], [2, -2]]


def both_accept(found, weights, bias, domain, folder):
    """The verdict of the checker and of the reference; they must agree."""
    parsed = found if isinstance(found, dict) else document(found)
    (folder / "proof.json").write_text(json.dumps(parsed))
    try:
        verify_certificate(folder / "proof.json", weights, bias, domain)
        fast = True
    except CertificateError:
        fast = False
    try:
        verify_spectral(parsed, exact(weights), exact(bias))
        slow = True
    except Refused:
        slow = False
    assert fast == slow
    return fast


def fewest_positive(weights, bias, domain):
    """The least count of positive rows with weights over the open cells inside a domain, by the reference."""
    layer = read_layer(weights, bias, domain)
    sides = layer.sides()
    rows = times(layer.lifted(), denominator_of(layer.lifted()))
    return min(
        sum(sign > 0 for sign, row in zip(signs[len(sides) :], weights, strict=True) if any(row))
        for signs in cells([*sides, *rows], len(rows[0]))
        if all(sign > 0 for sign in signs[: len(sides)])
    )


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_what_is_accepted_holds_and_both_checkers_agree(data):
    n = data.draw(st.integers(1, 2))
    number = st.integers(-3, 3)
    weights = data.draw(st.lists(st.lists(number, min_size=n, max_size=n), min_size=1, max_size=9))
    bias = data.draw(st.one_of(st.none(), st.lists(number, min_size=len(weights), max_size=len(weights))))
    domain = data.draw(st.sampled_from([None, Box.nonnegative(n), Box([-1] * n, [1] * n), Ball([0] * n, 1)]))
    layer = read_layer(weights, bias, domain)
    share = st.fractions(0, 2, max_denominator=3)
    size, sides = n + (not layer.is_linear), len(layer.sides())
    found = SpectralProof.of(
        layer,
        data.draw(st.integers(0, 1)),
        data.draw(st.lists(share, min_size=len(weights), max_size=len(weights))),
        data.draw(st.lists(share, min_size=sides, max_size=sides)),
        data.draw(st.sampled_from([np.eye(size, dtype=int).tolist(), np.tril(np.ones((size, size), int)).tolist()])),
    )
    with tempfile.TemporaryDirectory() as folder:
        accepted = both_accept(found, weights, bias, domain, Path(folder))
    if accepted:
        assert fewest_positive(weights, bias, domain) > found.budget


@pytest.mark.parametrize("budget", [0, 1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_the_finder_is_right(budget, seed, tmp_path):
    # Beside a search in rationals: what moments prove holds, and tall layers are proved.
    rng = np.random.default_rng(seed)
    proved = 0
    for rows in (6, 14, 30):
        weights = rng.integers(-9, 10, (rows, 2))
        bias = rng.integers(-3, 4, rows) if seed % 2 else None
        found = spectral_proof(read_layer(weights, bias), budget)
        if found is not None:
            assert both_accept(found, weights, bias, None, tmp_path)
            assert fewest_positive(weights.tolist(), None if bias is None else bias.tolist(), None) > budget
            proved += 1
    assert proved > 0 or budget > 0


def test_tampered_proofs(tmp_path):
    found = SpectralProof.of(read_layer(OCTAGON), 1, [1] * 8, [], [[1, 0], [0, 1]])
    found.verify(OCTAGON)
    found.save(tmp_path / "made.json.gz")
    assert load_certificate(tmp_path / "made.json.gz") == found == SpectralProof.load(tmp_path / "made.json.gz")
    assert "2 active rows everywhere on R^2; injective there if in general position" in found.statement
    assert found.statement in repr(found)
    made = document(found)
    assert both_accept(made, OCTAGON, None, None, tmp_path)
    for change in (
        {"budget": 2},
        {"budget": -1},
        {"multipliers": ["1/1"] * 7},
        {"multipliers": ["7/1"] + ["1/1"] * 7},
        {"multipliers": ["-1/1"] + ["1/1"] * 7},
        {"multipliers": ["0/1"] * 8},
        {"sides": ["0/1"]},
        {"basis": [["1/1", "0/1"]]},
        {"basis": [["1/1", "1/1"], ["1/1", "1/1"]]},
        {"basis": [["1/1", "0/1"], ["0/1", "1/9"]]},
        {"sha256": made["sha256"][::-1]},
    ):
        assert not both_accept(made | change, OCTAGON, None, None, tmp_path), change
    with pytest.raises(CertificateError, match="time limit"):
        found.verify(OCTAGON, time_limit=1e-12)
    below = SpectralProof.of(read_layer(np.eye(2)), 0, [1, 1], [], [[1, 0], [0, 1]])
    with pytest.raises(CertificateError, match="injectivity needs 2"):
        below.verify(np.eye(2))
    with pytest.raises(CertificateError, match="do not show 1 active rows"):
        below.verify_depth(np.eye(2))


@pytest.mark.parametrize("scale", [1.0, 1e-200])
def test_tall_layers_are_injective_at_once(scale):
    weights = gaussian(1900, 20) * scale
    weights[::3] *= 1e-5
    decision = decide_injectivity(weights)
    assert isinstance(decision.certificate, SpectralProof)
    assert (decision.verdict, decision.assumes_general_position) == (Verdict.INJECTIVE, True)
    assert (decision.stats.nodes, decision.depth_lower_bound) == (0, 20)
    decision.verify()
    assert decide_injectivity(weights, certificate=False).certificate is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bias", "domain"),
    [
        (gaussian(1900, 1, 1)[:, 0], None),
        (abs(gaussian(1900, 1, 1)[:, 0]), None),
        (None, Box.nonnegative(20)),
        (gaussian(1900, 1, 1)[:, 0], Box([0] * 20, [1] * 20)),
        (gaussian(1900, 1, 1)[:, 0], Ball([1] * 20, 3)),
    ],
)
def test_tall_layers_with_a_bias_or_a_domain(bias, domain):
    decision = decide_injectivity(gaussian(1900, 20), bias, domain=domain)
    assert isinstance(decision.certificate, SpectralProof)
    decision.verify()


@pytest.mark.slow
def test_moments_agree_with_the_search():
    # Counting by branch and bound says the same.
    weights = gaussian(1900, 20, 3)
    found = decide_injectivity(weights, rank_proof=False)
    assert isinstance(found.certificate, SpectralProof)
    searched = decide_injectivity(np.vstack([weights, weights[:1]]), rank_proof=False, node_limit=200)
    assert not isinstance(searched.certificate, SpectralProof)


def test_layers_with_parallel_rows_are_left_to_the_rank():
    weights = gaussian(1900, 20)
    assert not may_have_parallel_rows(read_layer(weights))
    for row in (-2 * weights[:1], weights[:1] / 4):
        layer = read_layer(np.vstack([weights, row]))
        assert may_have_parallel_rows(layer)
        assert _has_parallel_rows(layer)
    assert not may_have_parallel_rows(read_layer(np.vstack([weights, np.zeros((2, 20))])))


@given(
    st.lists(
        st.one_of(st.floats(-4, 4), st.sampled_from([0.0, -0.0, 5e-324, 1e300, 1 / 3, 2.0**60])), min_size=1, max_size=6
    )
)
def test_integers_over_one_denominator(entries):
    matrix = np.array([entries])
    denominator = denominator_of(matrix)
    assert times(matrix, denominator) == [[int(Fraction(entry) * denominator) for entry in entries]]
    assert all((Fraction(entry) * denominator).denominator == 1 for entry in entries)

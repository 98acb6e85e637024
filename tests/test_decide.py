"""Verdicts and collisions."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from polyinj import CertificateError, Verdict, decide_injectivity
from polyinj.injectivity.collide import active_rows, collision_at
from polyinj.injectivity.layer import Box, read_layer
from polyinj.testing import general_position_matrices, integer_matrices


def gaussian(m, n, seed=0):
    return np.random.default_rng(seed).standard_normal((m, n))


def in_general_position(rows):
    return all(reference.rank(list(chosen)) == rows.shape[1] for chosen in combinations(rows.tolist(), rows.shape[1]))


@given(general_position_matrices(max_rows=8, max_columns=3))
def test_verdict_equals_the_criterion(rows):
    decision = decide_injectivity(rows)
    injective = reference.brute_force_injective(rows.tolist())
    assert decision.verdict is (Verdict.INJECTIVE if injective else Verdict.NOT_INJECTIVE)
    if not injective:
        decision.verify()


@given(general_position_matrices(max_rows=8, max_columns=3), st.lists(st.integers(-9, 9), min_size=3, max_size=3))
def test_another_row_never_makes_an_injective_layer_lose_information(rows, extra):
    more = np.vstack([rows, extra[: rows.shape[1]]])
    if decide_injectivity(rows).verdict is Verdict.INJECTIVE and in_general_position(more):
        assert decide_injectivity(more).verdict is Verdict.INJECTIVE


@pytest.mark.parametrize("shape", [(2, 3), (1, 4), (3, 3), (5, 5)])
def test_few_rows_are_not_injective(shape):
    decision = decide_injectivity(gaussian(*shape))
    assert decision.verdict is Verdict.NOT_INJECTIVE
    decision.verify()


@pytest.mark.parametrize("seed", range(8))
def test_collisions_are_far_apart_and_seen_by_floats(seed):
    weights = gaussian(20, 6, seed)
    decision = decide_injectivity(weights)
    decision.verify()
    pair = decision.certificate.as_float64(weights)
    assert pair.distance >= 1e-3 * max(abs(pair.x).max(), abs(pair.y).max())
    assert pair.image_difference <= 1e-13


@given(integer_matrices(max_rows=6, max_columns=3), st.data())
def test_a_point_gives_a_collision_iff_its_active_rows_do_not_span(rows, data):
    m, n = rows.shape
    entries = st.lists(st.integers(-3, 3), min_size=n, max_size=n)
    bias = data.draw(st.none() | st.lists(st.integers(-3, 3), min_size=m, max_size=m))
    domain = data.draw(st.sampled_from([None, Box.nonnegative(n), Box([-3] * n, [3] * n)]))
    point = [Fraction(entry) / 2 for entry in data.draw(entries)]
    layer = read_layer(rows, bias, domain)
    if domain is not None:
        point = [abs(entry) + Fraction(1, 4) for entry in point]
    collision = collision_at(layer, point)
    active = active_rows(layer, point)
    spans = bool(active) and reference.rank([rows[i].tolist() for i in active]) == n
    assert (collision is None) == spans
    if collision is not None:
        collision.verify(rows, bias, domain)


def test_undecided_is_said_where_the_sweep_does_not_reach():
    decision = decide_injectivity(gaussian(160, 16))
    assert decision.verdict is Verdict.UNDECIDED
    assert decision.certificate is None
    assert decision.best_witness.active >= 16
    with pytest.raises(CertificateError, match="carries no certificate"):
        decision.verify()


def test_large_layers_with_an_easy_witness_are_decided():
    decision = decide_injectivity(gaussian(40, 16))
    assert decision.verdict is Verdict.NOT_INJECTIVE
    decision.verify()

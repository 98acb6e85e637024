"""A ball as domain: against the criterion flat by flat, symmetries, radii next to the exact one, limits."""

from dataclasses import replace
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from helpers import check_verdict, exact
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import injectivity

from polyinj import (
    Ball,
    Box,
    CertificateError,
    InputError,
    Verdict,
    decide_injectivity,
    find_witness,
)
from polyinj.certificates.layer import read_layer
from polyinj.injectivity.ball import BallCover
from polyinj.testing import integer_matrices

RADII = [Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(7, 3), Fraction(3)]


def check(weights, bias, ball, injective, **options):
    """The verdict, and a witness that is in the ball."""
    decision = check_verdict(injective, weights, bias, domain=ball, **options)
    if not injective:
        assert ball.surrounds(decision.best_witness.point)
    return decision


@pytest.mark.slow
@settings(max_examples=120)
@given(integer_matrices(max_rows=8, max_columns=3), st.sampled_from(RADII), st.data())
def test_integer_layers_equal_the_criterion(rows, radius, data):
    m, n = rows.shape
    bias = data.draw(st.none() | st.lists(st.integers(-2, 3), min_size=m, max_size=m))
    centre = data.draw(st.lists(st.sampled_from([Fraction(k, 2) for k in range(-3, 4)]), min_size=n, max_size=n))
    injective = injectivity.brute_force_injective_on_ball(rows.tolist(), bias, centre, radius)
    check(rows, bias, Ball(centre, radius), injective)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_many_integer_layers_equal_the_criterion(seed):
    rng = np.random.default_rng(seed)
    cut = 0
    for _ in range(120):
        n = int(rng.integers(1, 4))
        rows = rng.integers(-2, 3, (int(rng.integers(n, 6 + n)), n))
        bias = rng.integers(-2, 4, len(rows)) if rng.random() < 0.8 else None
        centre = [Fraction(int(x), 2) for x in rng.integers(-3, 4, n) * (rng.random() < 0.6)]
        radius = RADII[rng.integers(len(RADII))]
        shifts = None if bias is None else bias.tolist()
        injective = injectivity.brute_force_injective_on_ball(rows.tolist(), shifts, centre, radius)
        decision = check(rows, bias, Ball(centre, radius), injective)
        cut += injective and len(decision.certificate.cuts) > 0
    assert cut >= 14


def distance_of_information_loss(weights, bias, centre, low, high):
    """The radius at which a layer ceases to be injective, between two, by bisection."""
    for _ in range(12):
        middle = (low + high) / 2
        verdict = decide_injectivity(weights, bias, domain=Ball(centre, middle)).verdict
        low, high = (middle, high) if verdict is Verdict.INJECTIVE else (low, middle)
    return low, high


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "seed"), [(18, 6, 0), (24, 8, 1), (30, 6, 0)])
def test_gaussian_layers_near_the_radius_where_they_lose_information(m, n, seed):
    rng = np.random.default_rng(seed)
    weights, bias = rng.standard_normal((m, n)), np.abs(rng.standard_normal(m))
    centre = rng.standard_normal(n) / 8
    low, high = distance_of_information_loss(weights, bias, centre, 2.0**-6, 16.0)
    # The slow reference takes minutes for more inputs.
    check(weights, bias, Ball(centre, low), True, by_reference=n < 8, rank_proof=True)
    decision = check(weights, bias, Ball(centre, high), False)
    # No other search finds a point in the smaller ball, and local search finds one in the larger.
    distance = np.linalg.norm([float(x) for x in decision.best_witness.point] - centre)
    assert low <= distance < high
    assert find_witness(weights, bias, domain=Ball(centre, low), seed=0, time_limit=0.3) is None
    witness = find_witness(weights, bias, domain=Ball(centre, 2 * high), seed=0, time_limit=30)
    assert Ball(centre, 2 * high).surrounds(witness.point)
    assert witness.active < n


@pytest.mark.parametrize(
    ("row", "shift", "squared"), [((3, 4), 25, 25), ((1, 1), 1, Fraction(1, 2)), ((1, 7), 3, Fraction(9, 50))]
)
def test_radii_next_to_the_distance_of_a_half_space(row, shift, squared):
    # Information is lost where row.x + shift < 0, at distance shift / |row|: rational, or a root between two ratios.
    weights, bias = [row, [-row[1], row[0]], [row[1], -row[0]]], [shift, 99, 99]
    for digits in (3, 6, 12, 30):
        below = Fraction(isqrt(squared * 100**digits // 1), 10**digits)
        above = below + Fraction(1, 10**digits)
        assert below**2 <= squared < above**2
        # Where below is the distance itself, the closed ball touches the half-space in one point and loses nothing.
        check(weights, bias, Ball([0, 0], below), True)
        check(weights, bias, Ball([0, 0], above), False)


@pytest.mark.slow
@settings(max_examples=50)
@given(integer_matrices(max_rows=7, max_columns=3), st.sampled_from(RADII), st.data())
def test_moved_and_scaled_balls(rows, radius, data):
    m, n = rows.shape
    bias = np.array(data.draw(st.lists(st.integers(-2, 3), min_size=m, max_size=m)))
    centre = np.array(data.draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n)))
    scale = data.draw(st.sampled_from([Fraction(1, 3), Fraction(10**12), Fraction(1, 10**12)]))
    verdict = decide_injectivity(rows, bias, domain=Ball(centre.tolist(), radius)).verdict
    assert decide_injectivity(rows, bias + rows @ centre, domain=Ball.at_origin(n, radius)).verdict is verdict
    scaled = np.array([scale * int(b) for b in bias], dtype=object)
    larger = Ball([scale * int(c) for c in centre], scale * radius)
    assert decide_injectivity(rows, scaled, domain=larger).verdict is verdict


@pytest.mark.slow
@given(integer_matrices(max_rows=7, max_columns=3), st.data())
def test_between_the_boxes_within_and_around(rows, data):
    m, n = rows.shape
    bias = data.draw(st.lists(st.integers(-2, 3), min_size=m, max_size=m))
    verdicts = [
        decide_injectivity(rows, bias, domain=domain).verdict is Verdict.INJECTIVE
        for domain in (Box([-1] * n, [1] * n), Ball.at_origin(n, 1), Box([Fraction(-1, 2)] * n, [Fraction(1, 2)] * n))
    ]
    # The cube of half side 1/2 lies in the unit ball for n <= 4.
    assert verdicts == sorted(verdicts)


def test_without_bias_a_ball_around_0_is_all_of_space():
    weights = np.random.default_rng(0).standard_normal((24, 4))
    for ball in (Ball.at_origin(4, Fraction(1, 10**9)), Ball([1, -1, 0, 2], 3)):
        for matrix in (weights, weights[:12], weights[:3]):
            whole = decide_injectivity(matrix)
            decision = check(matrix, None, ball, whole.verdict is Verdict.INJECTIVE)
            assert getattr(decision.certificate, "cuts", ()) == ()
    # 0 on the boundary or outside: the ball sees a half-space at most.
    half = [[1, 1], [1, -1]]
    check(half, None, Ball([2, 0], 2), False)
    check(half, None, Ball([2, 0], Fraction(7, 5)), True)
    check(half, None, Ball([2, 0], Fraction(3, 2)), False)


def test_a_tiny_ball_far_away():
    rng = np.random.default_rng(5)
    weights, centre = rng.standard_normal((9, 3)), 1e6 * rng.standard_normal(3)
    for radius in (2.0**-30, 1e-6):
        for height, injective in ((1.01, True), (0.9, False)):
            # Beyond this distance from the centre row 0, and it alone, is lost; the others cannot do without it.
            others = np.vstack([weights[:1], np.eye(3)[1:] @ np.linalg.qr(weights[:1].T, mode="complete")[0].T])
            bias = np.array([-float(row @ centre) for row in others]) + 1e-3
            bias[0] = height * radius * np.linalg.norm(others[0]) - float(others[0] @ centre)
            decision = decide_injectivity(others, bias, domain=Ball(centre.tolist(), radius))
            decision.verify()
            # Rounding of the bias, 1e-10 here, decides for the tiny radius; the exact reference knows.
            exactly = injectivity.brute_force_injective_on_ball(
                exact(others), exact(bias), exact(centre), Fraction(radius)
            )
            assert (decision.verdict is Verdict.INJECTIVE) == exactly
            if radius == 1e-6:
                assert exactly == injective


@pytest.mark.slow
def test_cuts_hold_the_ball_and_exclude_the_cell():
    rng = np.random.default_rng(1)
    for _ in range(8):
        n = int(rng.integers(2, 6))
        layer = read_layer(rng.standard_normal((3 * n, n)), rng.standard_normal(3 * n) + 1, Ball([0.25] * n, 1.5))
        cover = BallCover(layer)
        for _ in range(10):
            decision = decide_injectivity(cover.local.weights, cover.local.bias, domain=Box([-3] * n, [3] * n))
            point = [entry * Fraction(int(rng.integers(1, 4))) for entry in decision.best_witness.point]
            active = [
                i
                for i, (row, b) in enumerate(zip(cover.local.weights.tolist(), cover.local.bias.tolist(), strict=True))
                if sum((Fraction(w) * x for w, x in zip(row, point, strict=True)), Fraction(b)) >= 0
            ]
            if injectivity.rank([exact(cover.local.weights[i]) for i in active]) == n:
                continue
            before = len(cover.cuts)
            found = cover.exclude(point)
            if found is None:
                # A point of the cell is beyond the new cut, and the cut is no shorter than the radius.
                (cut,) = cover.cuts[before:]
                assert sum(d * x for d, x in zip(cut, point, strict=True)) >= sum(d * d for d in cut)
                assert sum(d * d for d in cut) >= cover.radius**2
            else:
                assert layer.domain.surrounds(found)
                break


@pytest.mark.slow
def test_limits_hold_for_all_rounds_together():
    rng = np.random.default_rng(0)
    weights, bias = rng.standard_normal((48, 12)), np.abs(rng.standard_normal(48))
    ball = Ball.at_origin(12, 1.44)
    for limit, name in (({"node_limit": 1_000}, "node_limit"), ({"time_limit": 0.3}, "time_limit")):
        decision = decide_injectivity(weights, bias, domain=ball, **limit)
        assert (decision.verdict, decision.stopped_by) == (Verdict.UNDECIDED, name)
        assert decision.best_witness is None
        assert decision.stats.nodes <= 1_000 or name == "time_limit"
        with pytest.raises(CertificateError, match="carries no certificate"):
            decision.verify()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_threads_and_counting(workers):
    rng = np.random.default_rng(0)
    weights, bias = rng.standard_normal((50, 10)), np.abs(rng.standard_normal(50))
    decision = decide_injectivity(weights, bias, domain=Ball.at_origin(10, 4), rank_proof=False, workers=workers)
    assert decision.verdict is Verdict.INJECTIVE
    assert decision.assumes_general_position
    decision.verify()
    cut = decision.certificate.cuts[0]
    tampered = replace(decision.certificate, cuts=(tuple(x / 2 for x in cut), *decision.certificate.cuts[1:]))
    with pytest.raises(CertificateError):
        tampered.verify(weights, bias, decision.layer.domain)
    with pytest.raises(CertificateError):
        replace(decision.certificate, cuts=decision.certificate.cuts[1:]).verify(weights, bias, decision.layer.domain)


@pytest.mark.parametrize("seed", range(4))
def test_collisions_in_a_ball_are_far_apart(seed):
    rng = np.random.default_rng(seed)
    weights, bias = rng.standard_normal((20, 6)), np.abs(rng.standard_normal(20))
    ball = Ball((rng.standard_normal(6) / 4).tolist(), 4)
    decision = check(weights, bias, ball, False)
    pair = decision.certificate.as_float64(weights, bias)
    assert pair.distance >= 1e-2 * ball.radius
    assert pair.image_difference <= 1e-13


def test_a_ball_of_another_dimension():
    with pytest.raises(InputError, match="dimension 3"):
        decide_injectivity(np.eye(3), domain=Ball([0, 0], 1))
    with pytest.raises(InputError, match="dimension 2"):
        find_witness(np.eye(2), domain=Ball([0], 1), seed=0, time_limit=1)

"""Points whose active rows do not span: what is true passes both checkers, what is tampered with passes neither."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers import document, exact, gaussian
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.injectivity import Refused, brute_force_injective, dot, rank, verify_collision, verify_point

from polyinj import Ball, Box, CertificateError, InputError, NonspanningPoint, Verdict, decide_injectivity
from polyinj.certificates.clock import Clock
from polyinj.certificates.layer import read_layer
from polyinj.certificates.layer_certificate import load_certificate, verify_certificate
from polyinj.certificates.signs import row_signs
from polyinj.exact.kernel_vector import kernel_vector

CORNER = [[1, 0], [0, 1], [-1, -1]]
WILD = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-2, 2),
    st.sampled_from([5e-324, -5e-324, 1e-310, 2.0**-1022, 1e300, -1e308, 1 + 2**-52, 1 / 3, -0.0]),
)


def both_accept(found, weights, bias, domain, tmp_path):
    """The verdict of the checker and of the reference on the file of a point; they must agree."""
    parsed = found if isinstance(found, dict) else document(found)
    (tmp_path / "point.json").write_text(json.dumps(parsed))
    try:
        verify_certificate(tmp_path / "point.json", weights, bias, domain)
        fast = True
    except CertificateError:
        fast = False
    try:
        verify_point(parsed, exact(weights), exact(bias))
        slow = True
    except (Refused, TypeError):
        slow = False
    assert fast == slow
    return fast


@given(
    st.integers(1, 3).flatmap(
        lambda n: st.tuples(
            st.lists(st.lists(WILD, min_size=n, max_size=n), min_size=1, max_size=5),
            st.one_of(st.none(), st.lists(WILD, min_size=5, max_size=5)),
            st.lists(st.one_of(WILD, st.fractions(-2, 2, max_denominator=9)), min_size=n, max_size=n),
        )
    )
)
@settings(deadline=None, max_examples=60)
def test_signs_are_those_in_fractions(layer):
    weights, bias, point = layer
    bias = None if bias is None else bias[: len(weights)]
    shifts = [0] * len(weights) if bias is None else bias
    values = [dot(exact(row), list(map(Fraction, point))) + Fraction(b) for row, b in zip(weights, shifts, strict=True)]
    layer = read_layer(np.array(weights), None if bias is None else np.array(bias))
    found = row_signs(layer, list(map(Fraction, point)))
    assert found.tolist() == [(value > 0) - (value < 0) for value in values]


def test_signs_of_a_point_on_many_hyperplanes():
    # All values are 0 or one unit of the last place: no double tells them apart.
    rng = np.random.default_rng(0)
    rows = rng.integers(-(2**52), 2**52, (300, 40)).astype(np.float64)
    x = [int(entry) for entry in rng.integers(-(2**20), 2**20, 39)] + [1]
    rest = [-sum(int(a) * b for a, b in zip(row, x, strict=False)) for row in rows[:, :39].tolist()]
    shift = [last + k % 3 - 1 for k, last in enumerate(rest)]
    weights = np.array([[*map(int, row), b] for row, b in zip(rows[:, :39].tolist(), shift, strict=True)], dtype=object)
    signs = row_signs(read_layer(weights), list(map(Fraction, x)), Clock(None))
    assert signs.tolist() == [k % 3 - 1 for k in range(300)]


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_both_checkers_agree_and_are_right(data):
    n = data.draw(st.integers(1, 3))
    number = st.integers(-2, 2)
    weights = data.draw(st.lists(st.lists(number, min_size=n, max_size=n), min_size=1, max_size=6))
    bias = data.draw(st.one_of(st.none(), st.lists(number, min_size=len(weights), max_size=len(weights))))
    sides = [st.lists(st.one_of(st.none(), st.integers(*ends)), min_size=n, max_size=n) for ends in ((-2, -1), (0, 2))]
    box = Box(*map(data.draw, sides))
    domain = data.draw(st.sampled_from([None, box, Ball([1] * n, 2), Ball([0] * n, 1)]))
    entry = st.fractions(-2, 2, max_denominator=4)
    point = data.draw(st.lists(entry, min_size=n, max_size=n))
    direction = data.draw(st.one_of(st.none(), st.lists(number, min_size=n, max_size=n)))
    found = NonspanningPoint.of(read_layer(weights, bias, domain), point, direction)
    with tempfile.TemporaryDirectory() as folder:
        accepted = both_accept(found, weights, bias, domain, Path(folder))
    interior = domain is None or domain.surrounds(tuple(point))
    shifts = bias or [0] * len(weights)
    active = [row for row, b in zip(weights, shifts, strict=True) if dot(row, point) + b >= 0]
    spans = rank(exact(active)) == n if active else False
    if accepted:
        assert interior
        assert not spans
        if not isinstance(domain, Ball):
            assert not brute_force_injective(exact(weights), exact(bias), domain)
    elif direction is None and interior:
        assert sum(map(any, active)) >= n


def certificates():
    trap = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [1, 1, 0], [-1, -1, 0], [0, 0, 1]]
    box = Box([-3, -3], [None, None])
    return {
        "signs": (CORNER, None, None, [1, Fraction(-1, 2)], None),
        "direction": (trap, None, None, [1, 1, -1], [0, 0, Fraction(-1, 3)]),
        "bias, box": ([[1, 0], [0, 1]], [0, 1], box, [-1, 2], None),
        "ball": ([[1, 0], [0, 1]], None, Ball([2, 0], Fraction(13, 10)), [2, -1], None),
        "ball around 0": ([[1, 0], [0, 1]], None, Ball([0, 0], 1), [Fraction(-1, 2), Fraction(1, 2)], None),
        "orthant": ([[1, 0], [-1, 1]], None, Box.nonnegative(2), [2, 1], None),
    }


@pytest.mark.parametrize("name", certificates())
def test_tampered_points(name, tmp_path):
    weights, bias, domain, point, direction = certificates()[name]
    found = NonspanningPoint.of(read_layer(weights, bias, domain), point, direction)
    found.verify(weights, bias, domain)
    found.save(tmp_path / "made.json.gz")
    assert load_certificate(tmp_path / "made.json.gz") == found == NonspanningPoint.load(tmp_path / "made.json.gz")
    assert "is not injective on" in found.statement
    assert found.statement in repr(found)
    made = document(found)
    assert both_accept(made, weights, bias, domain, tmp_path)
    for change in (
        {"point": [f"{Fraction(2)}/1"] * len(point)},
        {"point": ["1/3"] * (len(point) - 1)},
        {"point": None},
        {"sha256": made["sha256"][::-1]},
        {"rows": made["rows"] + 1},
        {"bias": not made["bias"]},
        {"domain": {"lower": ["-7/1"] * len(point), "upper": [None] * len(point)}},
        {"direction": ["0/1"] * len(point)},
        {"direction": ["1/1"] * len(point)},
        {"direction": ["1/1"]},
    ):
        assert not both_accept(made | change, weights, bias, domain, tmp_path), change
    for field in ("point", "direction"):
        assert not both_accept({key: made[key] for key in made if key != field}, weights, bias, domain, tmp_path)
    with pytest.raises(CertificateError, match="time limit"):
        found.verify(weights, bias, domain, time_limit=1e-12)


def test_long_numbers_are_refused():
    layer = read_layer(CORNER)
    longest = layer.largest_bits(layer.system())
    NonspanningPoint.of(layer, [1, Fraction(-1, 2 ** (longest - 1))]).verify(CORNER)
    with pytest.raises(CertificateError, match=r"the point has a number of \d+ bits; allowed are \d+"):
        NonspanningPoint.of(layer, [1, Fraction(-1, 2**longest)]).verify(CORNER)
    short = NonspanningPoint.of(layer, [1, Fraction(-1, 2)])
    with pytest.raises(CertificateError, match="the direction has a number"):
        replace(short, direction=(Fraction(0), Fraction(2**longest))).verify(CORNER)
    with pytest.raises(CertificateError, match="point has 3 entries"):
        NonspanningPoint.of(layer, [1, 2, 3])


# What decisions give


@pytest.mark.parametrize(
    ("weights", "bias", "domain"),
    [
        (gaussian(80, 40), None, None),
        (gaussian(80, 40), gaussian(80, 1)[:, 0], None),
        (gaussian(60, 40, 1), None, Box.nonnegative(40)),
        pytest.param(gaussian(60, 40, 1), gaussian(60, 1)[:, 0], Ball([0] * 40, 3), marks=pytest.mark.slow),
        (gaussian(5, 60), None, None),
        (gaussian(5, 60), None, Ball([0] * 60, 1)),
        (gaussian(5, 60), gaussian(5, 1)[:, 0], Box([0] * 60, [1] * 60)),
    ],
)
def test_many_inputs_have_a_point_and_a_collision_on_request(weights, bias, domain):
    decision = decide_injectivity(weights, bias, domain=domain)
    assert isinstance(decision.certificate, NonspanningPoint)
    decision.verify()
    verify_point(document(decision.certificate), exact(weights), exact(bias))
    pair = decision.collision()
    verify_collision(pair.x, pair.y, exact(weights), exact(bias), domain)
    for seen in (decision.float_collision(), pair.as_float64(weights, bias)):
        assert seen.distance > 1e-3 * max(abs(seen.x).max(), abs(seen.y).max())
        assert seen.image_difference < 1e-11
    assert decide_injectivity(weights, bias, domain=domain, certificate=False).collision() == pair


@pytest.mark.slow
def test_a_layer_of_short_rank_has_a_direction():
    rng = np.random.default_rng(0)
    weights = rng.integers(-3, 4, (90, 39)) @ rng.integers(-2, 3, (39, 40))
    decision = decide_injectivity(weights)
    assert decision.verdict is Verdict.NOT_INJECTIVE
    found = decision.certificate
    assert isinstance(found, NonspanningPoint)
    assert found.direction is not None
    verify_point(document(found), exact(weights))
    pair = decision.collision()
    verify_collision(pair.x, pair.y, exact(weights))
    assert decision.float_collision().image_difference < 1e-9


def test_few_inputs_have_a_collision_at_once():
    decision = decide_injectivity(CORNER)
    assert decision.collision() is decision.certificate
    decision = decide_injectivity([[1, 0], [0, 1], [-1, 0], [0, -1]])
    for call in (decision.collision, decision.float_collision):
        with pytest.raises(InputError, match="the verdict is 'injective'"):
            call()


# One kernel vector


@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=4, max_size=4), min_size=0, max_size=6),
    st.one_of(st.none(), st.lists(st.floats(-1, 1), min_size=4, max_size=4).map(np.array)),
)
@settings(deadline=None, max_examples=100)
def test_a_kernel_vector_is_one(rows, near):
    v = kernel_vector(rows, 4, near)
    assert (v is None) == (bool(rows) and rank(exact(rows)) == 4)
    if v is not None:
        assert any(v)
        assert np.gcd.reduce(v) == 1
        assert not any(dot(row, v) for row in rows)


def test_a_prime_that_divides_a_minor_is_left_for_another():
    prime = 2**61 - 1
    # Modulo the first prime the rank is 1; the kernel is that of rank 2.
    rows = [[1, 1, 1], [1, 1 + prime, 1]]
    assert kernel_vector(rows, 3) in ([1, 0, -1], [-1, 0, 1])
    assert kernel_vector([*rows, [0, 0, 1]], 3) is None
    many = 2**61 - 1, 2**62 - 57, 2**63 - 25
    bad = [[1, 1, 1], [1, 1 + many[0] * many[1] * many[2], 1]]
    assert kernel_vector(bad, 3) in ([1, 0, -1], [-1, 0, 1])

"""Layers of more inputs than branch and bound takes: what is found at once, and limits that hold."""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import numpy as np
import pytest
from helpers import document, exact, gaussian
from reference.injectivity import verify_collision, verify_point

from polyinj import Ball, Box, InputError, NonspanningPoint, Verdict, decide_injectivity, find_witness
from polyinj.certificates.layer import read_layer
from polyinj.injectivity import annealing, large_layer
from polyinj.injectivity.large_layer import _rank_is_short
from polyinj.injectivity.limits import Limits
from polyinj.injectivity.products import JaxProducts, NumpyProducts
from polyinj.injectivity.smooth_descent import SmoothDescent

DOMAINS = {
    "all": None,
    "orthant": Box.nonnegative(70),
    "negative orthant": Box([None] * 70, [0] * 70),
    "box": Box([0] * 70, [1] * 70),
    "mixed box": Box([-1] * 30 + [None] * 40, [1] * 15 + [None] * 50 + [Fraction(1, 3)] * 5),
    "ball": Ball([0.25] * 70, 5),
    "ball around 0": Ball([0] * 70, 1),
}


def lossy(weights, bias=None, domain=None, **options):
    """The decision of a layer that is not injective, checked by the checker and the reference."""
    decision = decide_injectivity(weights, bias, domain=domain, **options)
    assert decision.verdict is Verdict.NOT_INJECTIVE
    assert isinstance(decision.certificate, NonspanningPoint)
    decision.verify()
    verify_point(document(decision.certificate), exact(weights), exact(bias))
    return decision


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("biased", [False, True])
def test_a_descent_finds_witnesses_on_every_domain(domain, biased, monkeypatch):
    monkeypatch.setattr(large_layer, "_search", None)
    bias = gaussian(150, 1, 5)[:, 0] if biased else None
    lossy(gaussian(150, 70), bias, DOMAINS[domain])


def test_a_descent_goes_on_where_the_start_is_no_witness(monkeypatch):
    monkeypatch.setattr(large_layer, "_search", None)
    weights = gaussian(450, 100)
    values = weights @ -(weights / np.linalg.norm(weights, axis=1, keepdims=True)).sum(axis=0)
    assert (values >= 0).sum() >= 100
    assert lossy(weights).best_witness.active < 100


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-300, 2.0**-1060, 1e300])
def test_rows_of_any_size(scale):
    weights = gaussian(140, 70)
    weights[::2] *= scale
    lossy(weights)
    if scale > 1e-310:
        lossy(weights, gaussian(140, 1, 3)[:, 0] * 1e-3)


@pytest.mark.slow
def test_exact_entries_and_constant_rows():
    weights = np.array([[Fraction(int(9 * entry), 7) for entry in row] for row in gaussian(140, 62)], dtype=object)
    lossy(weights)
    # 70 rows are active everywhere, and span nothing.
    lossy(np.vstack([gaussian(140, 62), np.zeros((70, 62))]), np.append(gaussian(140, 1)[:, 0], np.ones(70)))


@pytest.mark.slow
def test_weights_of_short_rank():
    rng = np.random.default_rng(0)
    thin = rng.integers(-3, 4, (62, 63))
    # Opposite rows: a witness has n active rows or more, which do not span.
    weights = np.vstack([thin, -thin, 2 * thin, -3 * thin])
    decision = lossy(weights)
    assert decision.certificate.direction is not None
    pair = decision.collision()
    verify_collision(pair.x, pair.y, exact(weights))
    assert _rank_is_short(read_layer(weights))
    assert _rank_is_short(read_layer(weights.astype(float)))
    assert not _rank_is_short(read_layer(np.vstack([weights, np.eye(63, dtype=int)[:1]])))
    assert not _rank_is_short(read_layer(gaussian(63, 63)))
    # Full rank that the first rows do not have.
    assert not _rank_is_short(read_layer(np.vstack([np.zeros((99, 63)), gaussian(63, 63)])))


def test_a_box_narrower_than_doubles():
    lower = [Fraction(entry) for entry in gaussian(70, 1)[:, 0].tolist()]
    box = Box(lower, [side + Fraction(1, 10**20) for side in lower[:69]] + [None])
    lossy(gaussian(100, 70), domain=box)
    assert decide_injectivity(gaussian(400, 70), domain=box, time_limit=5).verdict is not Verdict.NOT_INJECTIVE


def test_a_pair_in_doubles_where_active_rows_depend_on_one_another():
    for weights in (gaussian(69, 2) @ gaussian(2, 70), np.vstack([np.eye(70)[:40]] * 3)):
        pair = lossy(weights).float_collision()
        assert pair.distance > 0.1
        assert pair.image_difference < 1e-9


def test_what_no_heuristic_finds_is_undecided():
    weights = np.vstack([np.eye(62), -np.eye(62)])
    decision = decide_injectivity(weights)
    assert decision.verdict is Verdict.UNDECIDED
    assert decision.stopped_by == "size"
    assert decision.best_witness.active == 62


@pytest.mark.parametrize("domain", [None, Box.nonnegative(300), Box([-1] * 300, [1] * 300), Ball([1] * 300, 2)])
def test_the_time_limit_holds(domain, monkeypatch):
    def late(*_):
        raise AssertionError("this step cannot be stopped, and there is no time for it")

    monkeypatch.setattr(large_layer, "_rank_is_short", late)
    monkeypatch.setattr(annealing, "_scaled", late)
    started = time.process_time()
    decision = decide_injectivity(gaussian(4000, 300), domain=domain, time_limit=0.02)
    assert decision.verdict is Verdict.UNDECIDED
    assert decision.stopped_by == "time_limit"
    # A second on an idle machine at the most; without the limit it takes minutes.
    assert time.process_time() - started < 5


def test_limits_say_what_there_is_time_for():
    limits = Limits(deadline=time.monotonic() + 100)
    assert limits.allow(1e9)
    assert not limits.allow(1e15)
    assert not Limits(around=limits).allow(1e15)
    assert Limits().allow(1e15)


def test_points_are_short_and_inside():
    for domain in DOMAINS.values():
        layer = read_layer(gaussian(150, 70), gaussian(150, 1, 5)[:, 0], domain)
        descent = SmoothDescent(layer)
        assert descent.points() == []
        assert descent.run(60, Limits())
        assert descent.fewest < 70
        for point in descent.points():
            assert domain is None or domain.surrounds(point)
        assert max(entry.denominator.bit_length() for entry in descent.points()[0]) < 30


def test_a_witness_by_products_alone():
    weights = gaussian(300, 60)
    found = find_witness(weights, seed=3, steps=500, device="numpy")
    assert found.active < 60
    assert found.active == (weights @ np.array([float(entry) for entry in found.point]) >= 0).sum()
    assert find_witness(weights, seed=3, steps=500, device="numpy") == found
    ball = Ball([0.25] * 60, 5)
    inside = find_witness(gaussian(90, 60), gaussian(90, 1)[:, 0], domain=ball, seed=0, steps=200, device="numpy")
    assert ball.surrounds(inside.point)
    # +-e_j: n rows are active everywhere, from every start.
    assert find_witness(np.vstack([np.eye(4), -np.eye(4)]), seed=0, steps=2_000, device="numpy") is None
    with pytest.raises(InputError, match="device is 'tpu'; expected 'numpy' or 'jax'"):
        find_witness(weights, seed=0, steps=1, device="tpu")


def test_jax_finds_what_numpy_finds():
    pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    rows, factors = gaussian(50, 60), rng.uniform(0, 2, 50)
    for of_numpy, of_jax in (
        (NumpyProducts(rows, factors).values, JaxProducts(rows, factors).values),
        (NumpyProducts(rows.T, factors[:1]).force, JaxProducts(rows.T, factors[:1].repeat(60)).force),
    ):
        vector = rng.standard_normal(60)
        assert np.allclose(of_numpy(vector), of_jax(vector), atol=1e-4)
    for weights, domain in (
        (gaussian(270, 60), None),
        (gaussian(150, 60), Box.nonnegative(60)),
        (gaussian(120, 60), Ball([0.25] * 60, 5)),
    ):
        assert SmoothDescent(read_layer(weights, None, domain)).run(250, Limits())
        assert SmoothDescent(read_layer(weights, None, domain), "jax").run(250, Limits())
        found = find_witness(weights, domain=domain, seed=0, steps=250, device="jax")
        assert found.active < 60


def test_jax_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(InputError, match=r"jax is not installed; try pip install 'polyinj\[training\]'"):
        find_witness(gaussian(90, 60), seed=0, steps=10, device="jax")

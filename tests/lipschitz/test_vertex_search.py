"""Norms 1 and inf on a box by the vertices of the dual ball, against brute force and branch and bound over signs."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from reference.lipschitz import is_feasible

from polyinj import Ball, Box, lipschitz_constant
from polyinj._status import Status
from polyinj.certificates.layer import read_layer
from polyinj.injectivity.cell_finder import CellFinder
from polyinj.lipschitz import vertex_search
from polyinj.lipschitz._sign_search import SignSearch
from polyinj.lipschitz.branch_and_bound import search_signs
from polyinj.lipschitz.incumbent import Incumbent
from polyinj.lipschitz.jacobians import read_jacobians

SEARCH = {"max_cells": 0}


def incumbent_of(weights, bias, output, domain, norm):
    layer = read_layer(weights, bias, domain)
    jacobians = read_jacobians(layer, [[Fraction(entry) for entry in row] for row in np.atleast_2d(output).tolist()])
    return Incumbent(jacobians, CellFinder(jacobians.layer), norm)


def gaussian(d, k, outputs, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((k, d)), rng.standard_normal(k), rng.standard_normal((outputs, k))


def least_cost(rows, want, cost):
    """The least cost of signs that some point of [-1, 1]^n has, by elimination in Fractions; and all that do."""
    n = len(rows[0]) - 1
    sides = [[*(int(i == j) * sign for i in range(n)), 1] for j in range(n) for sign in (1, -1)]
    found = {}
    for signs in product((-1, 1), repeat=len(rows)):
        if is_feasible([[sign * entry for entry in row] for sign, row in zip(signs, rows, strict=True)] + sides):
            found[signs] = sum(c for c, w, s in zip(cost, want, signs, strict=True) if w * s < 0)
    return min(found.values()), found


def search_all(search, floor_of):
    """Run to the end; closing nodes without a cell must not come."""
    best, status = -math.inf, Status.RUNNING
    while (status := search.run(3)) != Status.DONE:
        if status == Status.WITNESS:
            best = max(best, floor_of(search.point))
            search.floor = best
    return best


@pytest.mark.parametrize("seed", range(10))
def test_the_kernel_finds_the_least_cost(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    rows = rng.integers(-9, 10, (k, n + 1)) + rng.random((k, n + 1)).round(3)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    search = SignSearch(unit, -np.ones(n), np.ones(n), 1e-14)
    # Two questions: clauses of the first one serve the second.
    for _ in range(2):
        want, cost = rng.integers(-1, 2, k).astype(np.int8), rng.integers(1, 6, k).astype(float)
        least, cells = least_cost([[Fraction(str(e)) for e in row] for row in rows.round(3).tolist()], want, cost)

        def value(point, want=want, cost=cost, cells=cells):
            signs = np.sign(unit @ np.append(point, 1.0)).astype(int)
            assert tuple(signs.tolist()) in cells
            return 100.0 - cost[want * signs < 0].sum()

        search.ask(want, cost, 100.0, 0.0)
        assert search_all(search, value) == 100 - least
        # With a floor at the best there is nothing to show.
        search.ask(want, cost, 100.0, 100 - least)
        assert search.run(10_000) == Status.DONE


def test_the_kernel_learns():
    # The first row is positive in all of the box, as it happens; a clause says that the second is not.
    search = SignSearch([[0.0, 1.0], [1.0, 0.0]], [-1.0], [1.0], 1e-14)
    want, cost = np.array([1, 1], dtype=np.int8), np.array([2.0, 3.0])
    search.ask(want, cost, 5.0, 0.0)
    assert search.run(10) == Status.WITNESS
    assert search.closing
    assert search.pattern == [1, 1]
    search.learn([0, 1])
    closed = []
    while search.run(10) == Status.WITNESS:
        closed += [search.pattern] * search.closing
    assert closed == [[1, -1]]
    assert search.clauses == 1


@pytest.mark.parametrize(
    ("rows", "low", "high"), [(np.ones((0, 2)), [0.0], [1.0]), ([[1.0, 1.0]], [0.0], [1.0, 2.0]), ([[1.0]], [], [])]
)
def test_the_kernel_refuses(rows, low, high):
    with pytest.raises(ValueError, match="rows have shape"):
        SignSearch(rows, low, high, 0.0)
    search = SignSearch([[1.0, 1.0]], [0.0], [1.0], 0.0)
    with pytest.raises(ValueError, match="2 signs"):
        search.ask(np.ones(2, dtype=np.int8), np.ones(2), 1.0, 0.0)
    with pytest.raises(ValueError, match="3 signs"):
        search.learn([1, 0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("norm", [1, math.inf])
@pytest.mark.parametrize("outputs", [1, 3])
def test_equal_to_branch_and_bound_over_signs(norm, outputs):
    for seed, (d, k) in enumerate([(2, 20), (3, 18), (4, 24), (8, 14)]):
        weights, bias, output = gaussian(d, k, outputs, seed)
        cases = [
            (bias, Box([-1] * d, [1] * d)),
            (bias, Box([Fraction(1, 3)] * d, [3] * d)),
            (None, None),
            (None, Ball([Fraction(1, 5)] * d, 1)),
            (None, Box([0, *[None] * (d - 1)], [*[None] * (d - 1), 0])),
        ]
        for some_bias, domain in cases[:3] if d == 8 else cases:
            one = incumbent_of(weights, some_bias, output, domain, norm)
            other = incumbent_of(weights, some_bias, output, domain, norm)
            assert vertex_search.applies(one)
            end = vertex_search.search_vertices(one, gap=0, node_limit=None, time_limit=None)
            assert end.upper is None
            assert search_signs(other, gap=0, node_limit=None, time_limit=None).upper is None
            assert (one.best, one.active) == (other.best, other.active)
            found = lipschitz_constant(weights, some_bias, output, domain=domain, norm=norm, **SEARCH)
            assert found.exact
            assert found.power == one.best.power
            found.verify(weights, some_bias, output, domain)


def test_where_it_does_not_apply():
    weights, bias, output = gaussian(3, 5, 1, 0)
    box = Box([-1] * 3, [1] * 3)
    assert vertex_search.applies(incumbent_of(weights, bias, output, box, 1))
    for other in (None, Ball([0] * 3, 1), Box([0] * 3, [1, 1, None]), Box([0] * 3, [1, 1, 10**120])):
        assert not vertex_search.applies(incumbent_of(weights, bias, output, other, 1))
    assert not vertex_search.applies(incumbent_of(weights, bias, output, box, 2))
    assert not vertex_search.applies(incumbent_of(*gaussian(23, 2, 1, 0), Box([-1] * 23, [1] * 23), math.inf))
    assert vertex_search.applies(incumbent_of(*gaussian(23, 2, 1, 0), Box([-1] * 23, [1] * 23), 1))


@pytest.mark.parametrize("norm", [1, math.inf])
def test_cells_that_only_touch(norm):
    # All hyperplanes pass through the middle of the box or its corners: floats leave many cells open.
    weights = [[1, 0], [0, 1], [1, 1], [1, -1], [2, 1], [1, 2], [-1, 2], [2, -1]]
    for bias in ([0] * 8, [1, 1, 2, 0, 3, 3, 1, 1], [0, 1, 0, 0, 3, 0, -1, 0]):
        output = [3, -2, 1, 5, -4, 2, -1, 1]
        box = Box([-1, -1], [1, 1])
        exact = lipschitz_constant(weights, bias, output, domain=box, norm=norm)
        search = incumbent_of(weights, bias, output, box, norm)
        assert vertex_search.search_vertices(search, gap=0, node_limit=None, time_limit=None).upper is None
        assert search.best.power == exact.power


@pytest.mark.slow
def test_intervals_and_gaps(monkeypatch):
    monkeypatch.setattr(vertex_search, "_AT_ONCE", 5)
    for seed in range(6):
        weights, bias, output = gaussian(4, 30, 1 + seed % 2, seed)
        box = Box([-2] * 4, [2] * 4)
        exact = lipschitz_constant(weights, bias, output, domain=box, norm=math.inf, **SEARCH)
        assert exact.exact
        uppers = []
        for limit in (0, 1, 10, 100, 1000):
            found = lipschitz_constant(weights, bias, output, domain=box, norm=math.inf, node_limit=limit, **SEARCH)
            assert found.lower <= exact.upper
            assert exact.lower <= found.upper
            assert found.nodes <= limit
            assert found.exact or found.upper_by.endswith("stopped by node_limit")
            uppers.append(found.upper)
        assert uppers[-1] < uppers[0]
        wide = lipschitz_constant(weights, bias, output, domain=box, norm=math.inf, gap=0.3, **SEARCH)
        assert wide.lower <= exact.upper
        assert exact.lower <= wide.upper <= 1.3 * wide.lower * (1 + 1e-12)
        stopped = lipschitz_constant(weights, bias, output, domain=box, norm=math.inf, time_limit=0, **SEARCH)
        assert stopped.upper_by.endswith("stopped by time_limit")
        assert exact.lower <= stopped.upper


@pytest.mark.slow
def test_networks_of_the_benchmark():
    """What Gurobi 13.0.3 finds for the same networks (benchmarks/lipschitz.py)."""
    for (d, k), value in {(5, 60): 36.45675683057, (10, 50): 78.58946730505, (20, 60): 175.83956855548}.items():
        weights, bias, output = gaussian(d, k, 1, 0)
        box = Box([-1] * d, [1] * d)
        found = lipschitz_constant(weights, bias, output, domain=box, norm=math.inf)
        assert found.exact
        assert found.lower == pytest.approx(value, rel=1e-12)
        found.verify(weights, bias, output, box)
        # The box is its own mirror image, also in one coordinate.
        flip = np.ones(d)
        flip[0] = -1
        again = lipschitz_constant(weights * flip, bias, output, domain=box, norm=math.inf, seed=5)
        assert again.power == found.power

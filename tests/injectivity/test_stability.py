"""Clipping, phase retrieval and chains of layers: sampled quotients, slow references, refusals."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from reference.lipschitz import jacobians

from polyinj import (
    Ball,
    Box,
    BudgetExceeded,
    InputError,
    clipping_stability,
    layers_stability,
    phase_retrieval_stability,
)


def least_value(matrix):
    return np.linalg.svd(matrix, compute_uv=False)[-1] if len(matrix) >= matrix.shape[1] else 0.0


def quotients(f, x, y):
    return np.linalg.norm(f(x) - f(y), axis=1) / np.linalg.norm(x - y, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_clipping_is_the_least_over_all_cells(seed):
    random = np.random.default_rng(seed)
    n, m = (2, 4) if seed % 2 else (1, 3)
    weights = random.integers(-2, 3, (m, n))
    weights[:n] = np.eye(n, dtype=int)
    domain = Box([-1] * n, [2] * n) if seed % 3 else Ball([Fraction(1, 3)] * n, 1)
    level = Fraction(int(random.integers(2, 6)), 2)
    found = clipping_stability(weights, level, domain)
    doubled = np.concatenate([weights, -weights]).tolist()
    cells = jacobians(doubled, [level] * (2 * m), [[1] * (2 * m)], domain)
    expected = min(least_value(weights[[i for i in range(m) if s[i] > 0 < s[m + i]]].astype(float)) for s in cells)
    assert found.upper == pytest.approx(expected, rel=1e-9, abs=1e-12)
    across = 2 if isinstance(domain, Ball) else 3 * math.sqrt(n)
    assert found.lower == pytest.approx(min(expected / 2, 2 * float(level) / across), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("level", [0.75, 2.0, 100.0])
def test_clipped_images_are_as_far_apart_as_stated(level):
    random = np.random.default_rng(1)
    weights = random.standard_normal((9, 2))
    domain = Box([-1, -1], [1, 1])
    found = clipping_stability(weights, level, domain)
    x, y = random.uniform(-1, 1, (2, 4000, 2))
    assert quotients(lambda z: np.clip(z @ weights.T, -level, level), x, y).min() >= found.lower
    if level == 100:
        # Nothing is clipped.
        assert found.rows == tuple(range(9))
        assert found.upper == pytest.approx(least_value(weights))


@pytest.mark.parametrize("seed", range(4))
def test_phase_retrieval(seed):
    random = np.random.default_rng(seed)
    n, m = int(random.integers(1, 4)), 8
    weights = random.standard_normal((m, n))
    found = phase_retrieval_stability(weights)
    pairs = [
        (least_value(weights[s]), least_value(weights[~s])) for s in map(np.array, product([False, True], repeat=m))
    ]
    expected = math.sqrt(min(a * a + b * b for a, b in pairs))
    assert found.lower <= expected * (1 + 1e-12)
    assert expected <= found.upper * (1 + 1e-12)
    assert found.upper - found.lower <= 1e-10 * found.upper
    assert found.complement == pytest.approx(min(max(pair) for pair in pairs))
    assert found.complement * (1 - 1e-9) <= found.upper <= math.sqrt(2) * found.complement * (1 + 1e-9)
    x, y = random.standard_normal((2, 3000, n))
    near = np.minimum(np.linalg.norm(x - y, axis=1), np.linalg.norm(x + y, axis=1))
    assert (np.linalg.norm(np.abs(x @ weights.T) - np.abs(y @ weights.T), axis=1) >= found.lower * near).all()
    # It is attained at the eigenvectors of the set.
    u, v = (np.linalg.svd(weights[list(rows)])[2][-1] for rows in (found.rows, set(range(m)) - set(found.rows)))
    a, b = (u + v) / 2, (v - u) / 2
    assert np.linalg.norm(np.abs(weights @ a) - np.abs(weights @ b)) <= found.upper * (1 + 1e-9)


def test_phases_are_lost_with_few_rows():
    # 2 n - 2 generic rows never determine x up to its sign.
    assert phase_retrieval_stability(np.random.default_rng(0).standard_normal((4, 3))).upper == 0
    assert phase_retrieval_stability(np.random.default_rng(0).standard_normal((5, 3))).lower > 0


@pytest.mark.slow
def test_chains_of_layers():
    random = np.random.default_rng(2)
    first, second = random.standard_normal((9, 2)), np.concatenate([np.eye(9), random.standard_normal((4, 9))])
    bias = np.full(9, 0.5)
    domain = Box([-1, -1], [1, 1])
    found = layers_stability([(first, bias), (second, None)], domain=domain)
    assert found > 0
    x, y = random.uniform(-1, 1, (2, 4000, 2))

    def chain(z):
        return np.maximum(np.maximum(z @ first.T + bias, 0) @ second.T, 0)

    assert quotients(chain, x, y).min() >= found
    assert layers_stability([(first, bias), (-np.eye(9), None)], domain=domain) == 0


def test_bad_input():
    box = Box([0], [1])
    with pytest.raises(InputError, match="level is 0"):
        clipping_stability([[1]], 0, box)
    with pytest.raises(InputError, match="finite sides"):
        clipping_stability([[1]], 1, Box([0], [None]))
    with pytest.raises(BudgetExceeded, match="cell_limit=1"):
        clipping_stability([[1]], 1, box, cell_limit=1)
    with pytest.raises(BudgetExceeded, match="21 rows"):
        phase_retrieval_stability(np.ones((21, 2)))
    with pytest.raises(InputError, match="layers is empty"):
        layers_stability([])

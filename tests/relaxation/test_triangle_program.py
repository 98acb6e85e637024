"""The example of docs/relaxations.md: where crown jumps the triangle program does not, and is above it."""

import numpy as np
import pytest
from reference.triangle_program import triangle_bound

from polyinj import Network, NetworkLayer, bound_network, exact_range, relaxation_profile

LOWER, UPPER = [-0.3, -0.3], [0.3, 0.3]


def network(rng):
    return Network(
        tuple(
            NetworkLayer(
                np.round(64 * rng.standard_normal((m, n))) / 64,
                np.round(16 * rng.standard_normal(m)) / 64,
                "relu" if m > 1 else None,
            )
            for m, n in [(5, 2), (4, 5), (1, 4)]
        ),
        "random",
    )


def between(start, end, t):
    return [
        ((1 - t) * a.weights + t * b.weights, (1 - t) * a.bias + t * b.bias)
        for a, b in zip(start.layers, end.layers, strict=True)
    ]


@pytest.mark.slow
def test_the_triangle_program_where_crown_jumps():
    rng = np.random.default_rng(38)
    start, end = network(rng), network(rng)
    profile = relaxation_profile(start, end, LOWER, UPPER, "crown")
    table = [
        (0.2857, -0.909, -0.798, -0.570),
        (0.4167, -0.663, -0.437, -0.391),
        (0.4500, -0.402, -1.112, -0.354),
        (0.5714, -0.843, -0.849, -0.281),
        (0.5937, -0.789, -0.763, -0.287),
    ]
    for jump, row in zip(profile.jumps, table, strict=True):
        t = float(jump.position)
        left, middle, right = (triangle_bound(between(start, end, t + d), LOWER, UPPER) for d in (-1e-7, 0, 1e-7))
        assert (t, jump.left, jump.right, middle) == pytest.approx(row, abs=6e-4)
        assert abs(right - left) < 1e-6 < 1e-3 * jump.size
        layers = zip(between(start, end, t), start.layers, strict=True)
        made = Network(tuple(NetworkLayer(w, b, layer.activation) for (w, b), layer in layers), "on the line")
        assert max(jump.left, jump.right) + 0.02 < middle <= float(exact_range(made, LOWER, UPPER).lower[0]) + 1e-9


def test_stable_networks_are_bounded_exactly():
    """No neuron is unstable on a small box: program, crown and the exact range agree."""
    start = network(np.random.default_rng(38))
    lower, upper = [0.1, 0.1], [0.1001, 0.1001]
    layers = [(layer.weights, layer.bias) for layer in start.layers]
    exact = float(exact_range(start, lower, upper).lower[0])
    assert triangle_bound(layers, lower, upper) == pytest.approx(exact, abs=1e-9)
    assert bound_network(start, lower, upper, "crown").lower[0] == pytest.approx(exact, abs=1e-9)

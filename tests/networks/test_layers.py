"""Layers with a ReLU on some rows, and sparse ones: the same map as a chain of whole layers, in all that uses it."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from polyinj import (
    InputError,
    Network,
    NetworkLayer,
    Verdict,
    bound_network,
    check_network,
    decide_network_injectivity,
    exact_range,
    relaxation_profile,
)
from polyinj.deep.flat_region import collision_at
from polyinj.networks import network as module


def draw(seed, widths, *, small=True):
    """Integer weights, and a ReLU on each row by a coin."""
    rng = np.random.default_rng(seed)
    layers = []
    for n, m in pairwise(widths):
        weights = rng.integers(-2, 3, (m, n)).astype(float) if small else rng.standard_normal((m, n))
        bias = rng.integers(-2, 3, m).astype(float) if rng.integers(2) else None
        layers.append(NetworkLayer(weights, bias, rng.integers(0, 2, m).astype(bool)))
    return Network(tuple(layers), "drawn")


def as_sparse(network):
    layers = [replace(layer, weights=sparse.csr_array(layer.weights)) for layer in network.layers]
    return Network(tuple(layers), "sparse")


def lifted(network, by):
    """On a small box the same map with ReLUs everywhere: rows without one are raised by so much that it never acts."""
    layers, raised = [], np.zeros(network.widths[0])
    for layer in network.layers:
        bias = np.zeros(layer.shape[0]) if layer.bias is None else layer.bias
        bias = bias - layer.weights @ raised
        raised = np.where(layer.relu_rows | (layer is network.layers[-1]), 0.0, by)
        layers.append(NetworkLayer(layer.weights, bias + raised, "relu"))
    layers[-1] = replace(layers[-1], activation=network.layers[-1].activation)
    return Network(tuple(layers), "lifted")


def points(network, seed, number=5):
    rng = np.random.default_rng(seed)
    return [[Fraction(int(entry), 4) for entry in row] for row in rng.integers(-9, 10, (number, network.widths[0]))]


@pytest.mark.parametrize("seed", range(6))
def test_values_and_relu_layers(seed):
    network = draw(seed, (3, 5, 4, 6))
    thin = as_sparse(network)
    chain = Network(tuple(NetworkLayer(w, b, "relu") for w, b in zip(*network.as_relu_layers(), strict=True)), "chain")
    seen = {}
    for point in points(network, seed, 40):
        image = network.apply_exactly(point)
        assert thin.apply_exactly(point) == image
        floats = [[float(entry) for entry in point]]
        assert network.apply(floats)[0].tolist() == thin.apply(floats)[0].tolist() == [float(entry) for entry in image]
        # One image of the chain for each of the network: one can be read off the other.
        assert seen.setdefault(tuple(image), chain.apply_exactly(point)) == chain.apply_exactly(point)
    assert len(set(map(tuple, seen.values()))) == len(seen)
    for mine, theirs in zip(network.as_relu_layers()[0], thin.as_relu_layers()[0], strict=True):
        np.testing.assert_array_equal(mine, theirs, strict=True)


def test_a_value_that_cannot_be_negative_is_carried_by_one_row():
    first = NetworkLayer(np.eye(2), None, [True, False])
    rows = np.array([[1.0, 0], [0, 1], [1, 1], [-1, 0], [2, 0]])
    carry = NetworkLayer(rows, np.array([0.0, 1, 0, 0, -1]), [False, False, True, False, False])
    (one, two), (_, shifts) = Network((first, carry), "here").as_relu_layers()
    assert one.tolist() == [[1, 0], [0, 1], [0, -1]]
    # The first row passes the output of a ReLU on; the other three without ReLU may be negative.
    assert two[:5].tolist() == [[1, 0, 0], [0, 1, -1], [1, 1, -1], [-1, 0, 0], [2, 0, 0]]
    assert two[5:].tolist() == [[0, -1, 1], [1, 0, 0], [-2, 0, 0]]
    assert shifts.tolist() == [0, 1, 0, 0, -1, -1, 0, 1]


@pytest.mark.parametrize("rule", ["box", "hbox", "deepz", "crown", "crown-ibp", "symbolic", "zonotope:1/3"])
def test_bounds_are_those_of_the_lifted_network(rule):
    for seed in range(4):
        network = draw(seed, (3, 5, 4, 2))
        low, high = [-1, 0, -2], [1, 2, -1]
        exact = bound_network(network, low, high, rule, exact=True)
        reference = bound_network(lifted(network, 2.0**20), low, high, rule, exact=True)
        assert exact.lower.tolist() == reference.lower.tolist()
        assert exact.upper.tolist() == reference.upper.tolist()
        # Integers meet the jumps of a rule, where rounding takes the other side.
        network = draw(seed, (3, 5, 4, 2), small=False)
        exact = bound_network(network, low, high, rule, exact=True)
        rounded = bound_network(as_sparse(network), low, high, rule)
        assert (rounded.lower <= exact.lower).all()
        assert (rounded.upper >= exact.upper).all()
        np.testing.assert_allclose(rounded.lower, exact.lower.astype(float), atol=1e-9)


def test_exact_ranges():
    for seed in range(4):
        network = draw(seed, (2, 4, 3, 2))
        found = exact_range(as_sparse(network), [-1, -1], [1, 2])
        assert found == exact_range(lifted(network, 2.0**20), [-1, -1], [1, 2])


def test_profiles_are_of_networks_with_relus_in_the_same_rows():
    network = draw(1, (2, 3, 2))
    affine = NetworkLayer([[1.0, 1.0]], None, None)
    start = Network((*network.layers, affine), "start")
    moved = NetworkLayer([[1.0, 2.0]], None, None)
    profile = relaxation_profile(start, Network((*network.layers, moved), "end"), [-1, -1], [1, 1])
    assert profile.pieces
    other = NetworkLayer(network.layers[0].weights, network.layers[0].bias, ~network.layers[0].relu_rows)
    with pytest.raises(InputError, match="expected the same layers"):
        relaxation_profile(start, Network((other, *start.layers[1:]), "other"), [-1, -1], [1, 1])
    with pytest.raises(InputError, match="the last layer has a ReLU"):
        relaxation_profile(network, network, [-1, -1], [1, 1])


def test_verdicts():
    verdicts = set()
    for seed in range(12):
        widths = (2, 4, 5) if seed % 2 else (1, 3, 2, 3)
        network = draw(seed, widths)
        check = check_network(as_sparse(network), time_limit=20.0)
        decision = decide_network_injectivity(network)
        assert check.verdict is decision.verdict
        check.verify()
        decision.verify()
        verdicts.add(check.verdict)
        if check.collision is not None:
            x, y = check.collision
            assert x != y
            assert network.apply_exactly(x) == network.apply_exactly(y)
            check.certificate().verify(*network.as_relu_layers())
    assert verdicts == {Verdict.INJECTIVE, Verdict.NOT_INJECTIVE}


def test_layers_where_they_stand():
    first = NetworkLayer(np.array([[1.0, 0], [0, 1]]), None, [True, False])
    keep = NetworkLayer(np.array([[1.0, 0], [0, 1], [0, -1]]), None, "relu")
    check = check_network(Network((first, keep), "here"))
    assert [(layer.nonnegative, layer.orthant) for layer in check.layers] == [(0, False), (1, False)]
    # Injective since the first entry that comes in is not negative.
    assert [layer.verdict for layer in check.layers] == [Verdict.NOT_INJECTIVE, Verdict.INJECTIVE]
    passed = NetworkLayer(np.eye(2), None, [True, False])
    assert check_network(Network((replace(first, activation="relu"), passed), "here")).layers[1].orthant
    wide = NetworkLayer([[1.0, 0], [0, 1], [-1, 0]], None, [True, False, True])
    check = check_network(Network((wide, passed_on := NetworkLayer(np.eye(3), None, [True, False, True])), "here"))
    assert check.verdict is Verdict.INJECTIVE
    assert check.layers[1].layer is passed_on
    check.verify()


def test_flat_regions_see_rows_without_relu():
    layer = NetworkLayer([[1.0, 1.0], [1.0, -1.0]], [0.0, 0.0], [True, False])
    network = Network((layer,), "here")
    assert collision_at(network, [Fraction(1), Fraction(1)]) is None  # the second row is 0 there, and no threshold
    x, y = collision_at(network, [Fraction(-1), Fraction(-1)])
    assert network.apply_exactly(x) == network.apply_exactly(y)
    assert x != y


def test_sparse_layers_that_are_too_large_are_refused_where_they_would_be_dense(monkeypatch):
    monkeypatch.setattr(module, "LARGEST_MATRIX", 17)
    layer = NetworkLayer(sparse.csr_array(np.vstack([np.eye(3), -np.eye(3)])), None, "relu", "wide")
    network = Network((layer, NetworkLayer(np.vstack([np.eye(6), np.ones(6)]), None, None)), "large")
    assert network.apply([np.arange(3) - 1.0]).tolist() == [[0, 0, 1, 1, 0, 0, 2]]
    for use in (network.as_relu_layers, lambda: bound_network(network, [0] * 3, [1] * 3, exact=True)):
        with pytest.raises(InputError, match=r"the layer 'wide' is a sparse matrix of shape 6 x 3, .*allowed are 17"):
            use()
    check = check_network(network)
    assert check.verdict is Verdict.UNDECIDED
    assert check.layers[0].verdict is Verdict.UNDECIDED
    assert "too large" in check.reason


@pytest.mark.parametrize(
    ("weights", "activation", "message"),
    [
        (np.eye(2), [True], "expected 'relu', None, or 2 marks"),
        (np.eye(2), [1, 0], "expected 'relu', None, or 2 marks"),
        (np.eye(2), np.ones((2, 1), dtype=bool), "activation is bool of shape"),
        (sparse.csr_array(np.array([[1.0, np.nan]])), None, "holds nan"),
        (sparse.csr_array(np.array([[1, 2]])), None, "a sparse matrix of int64"),
        (sparse.csr_array((0, 2)), None, "has shape (0, 2)"),
        (sparse.csr_array(([1.0, 2.0], [0, 0], [0, 2])), None, "holds an entry twice"),
    ],
)
def test_layers_without_sense(weights, activation, message):
    with pytest.raises(InputError) as error:
        NetworkLayer(weights, None, activation)
    assert message in str(error.value)


def test_how_layers_are_called():
    layers = [NetworkLayer(np.eye(2), None, marks) for marks in ([True, True], [True, False], [False, False])]
    assert [layer.activation if isinstance(layer.activation, str) else None for layer in layers] == ["relu", None, None]
    assert layers[2].activation is None
    assert [layer.relu_rows.tolist() for layer in layers] == [[True, True], [True, False], [False, False]]
    assert Network(tuple(layers), "here").describe() == "2 -> 2 relu -> 2 relu on 1 rows -> 2"
    assert repr(layers[1]) == "NetworkLayer('', 2 x 2, no bias, relu on 1 rows)"

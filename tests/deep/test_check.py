"""Layer by layer and as a whole: verdicts that are known, and replayed collisions."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from polyinj import CertificateError, InputError, Network, NetworkLayer, Verdict, check_network, decide_injectivity
from polyinj.deep.flat_region import collision_at, find_flat_region

SPLIT = NetworkLayer(np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]), None, "relu", "split")
JOIN = NetworkLayer(np.array([[1.0, 0, -1, 0], [0, 1, 0, -1]]), None, None, "join")
FOLD = NetworkLayer(np.array([[0.0, 1, -1, 1], [1, 1, 1, 1], [1, 2, 1, 0]]), None, "relu", "fold")


def network(*layers):
    return Network(layers, "here")


def gaussian(*widths, seed=0, relu_last=False, bias=True):
    rng = np.random.default_rng(seed)
    layers = []
    for place, (n, m) in enumerate(pairwise(widths)):
        shift = rng.standard_normal(m) if bias else None
        relu = "relu" if relu_last or place < len(widths) - 2 else None
        layers.append(NetworkLayer(rng.standard_normal((m, n)), shift, relu, str(place)))
    return network(*layers)


def replay(net, pair):
    x, y = pair
    assert x != y
    assert net.apply_exactly(x) == net.apply_exactly(y)


def test_layers_that_are_injective_where_they_stand():
    wide = NetworkLayer(np.concatenate([np.eye(4), -np.eye(4)]), np.ones(8), "relu", "wide")
    # Injective on the orthant only, which is all that comes in.
    keep = NetworkLayer(np.eye(8), None, "relu", "keep")
    check = check_network(network(SPLIT, wide, keep))
    assert check.verdict is Verdict.INJECTIVE
    assert [layer.verdict for layer in check.layers] == [Verdict.INJECTIVE] * 3
    assert [layer.orthant for layer in check.layers] == [False, True, True]
    assert decide_injectivity(np.eye(8)).verdict is Verdict.NOT_INJECTIVE
    assert not check.assumes_general_position
    assert check.deep is None
    check.verify()


def test_a_layer_behind_no_relu_sees_everything():
    check = check_network(network(SPLIT, NetworkLayer(np.eye(4), None, None), NetworkLayer(np.eye(4), None, "relu")))
    assert [layer.orthant for layer in check.layers] == [False, True, False]
    assert [layer.verdict.value for layer in check.layers] == ["injective", "injective", "not injective"]
    # ReLU(Wx) passes the linear layer unchanged, so nothing is lost: only the regions tell.
    assert check.verdict is Verdict.INJECTIVE
    assert check.deep is not None
    check.verify()


def test_narrow_layers_may_still_be_injective_on_what_comes_in():
    check = check_network(network(SPLIT, JOIN))
    assert check.verdict is Verdict.INJECTIVE
    assert check.layers[1].verdict is Verdict.NOT_INJECTIVE
    check.verify()


def test_the_first_layer_that_fails_shows_its_collision():
    for first in (NetworkLayer(np.ones((3, 2)), None, None), NetworkLayer(np.eye(2), None, "relu")):
        check = check_network(network(first, NetworkLayer(np.ones((5, len(first.weights))), None, "relu")))
        assert check.verdict is Verdict.NOT_INJECTIVE
        assert check.reason == "layer 1 maps two points to the same image"
        replay(check.network, check.collision)
        check.verify()
        tampered = replace(check, collision=(check.collision[0], tuple(e + 100 for e in check.collision[1])))
        with pytest.raises(CertificateError, match="do not collide"):
            tampered.verify()
        with pytest.raises(CertificateError, match="do not collide"):
            replace(check, collision=(check.collision[0],) * 2).verify()


def test_a_fold_between_cells_is_found():
    check = check_network(network(SPLIT, FOLD))
    assert check.verdict is Verdict.NOT_INJECTIVE
    assert check.deep is not None
    replay(check.network, check.collision)
    check.verify()


@pytest.mark.parametrize("widths", [(3, 8, 5, 2), (6, 70, 4, 9), (5, 4, 30), (80, 20, 8)])
@pytest.mark.parametrize("bias", [True, False])
def test_narrow_networks_have_flat_regions(widths, bias):
    net = gaussian(*widths, bias=bias, relu_last=True)
    pair = find_flat_region(net, seed=3)
    replay(net, pair)
    assert find_flat_region(net, seed=3) == pair


def test_no_flat_region_where_there_is_none():
    net = network(SPLIT, JOIN)
    assert find_flat_region(net) is None
    assert collision_at(net, [Fraction(1), Fraction(2)]) is None
    # On a threshold the map is not one matrix.
    assert collision_at(network(SPLIT, NetworkLayer(np.ones((1, 4)), None, "relu")), [Fraction(0), Fraction(1)]) is None


def test_a_constant_neuron_is_no_threshold():
    net = network(NetworkLayer(np.array([[1.0, 1], [0, 0]]), None, "relu"))
    replay(net, collision_at(net, [Fraction(1), Fraction(2)]))


def test_layers_without_relu_as_relu_layers():
    net = gaussian(3, 5, 4, 6, 2, seed=2)
    mixed = [replace(layer, activation=a) for layer, a in zip(net.layers, (None, "relu", None, None), strict=True)]
    net = network(*mixed)
    weights, biases = net.as_relu_layers()
    doubled = network(*(NetworkLayer(w, b, "relu") for w, b in zip(weights, biases, strict=True)))
    assert doubled.widths == (3, 10, 4, 12, 4)
    rng = np.random.default_rng(0)
    for _ in range(5):
        point = [Fraction(entry) for entry in rng.standard_normal(3).tolist()]
        out = net.apply_exactly(point)
        expected = [max(entry, Fraction(0)) for entry in (*out, *(-entry for entry in out))]
        assert doubled.apply_exactly(point) == expected
        np.testing.assert_allclose(net.apply([[float(e) for e in point]])[0], [float(e) for e in out], atol=1e-9)


def test_undecided_is_said():
    check = check_network(gaussian(20, 260, 200, relu_last=True), time_limit=0.05)
    assert check.verdict is Verdict.UNDECIDED
    assert "are known to be injective together" in check.reason
    with pytest.raises(CertificateError, match="no certificate"):
        check.verify()
    with pytest.raises(InputError, match="time_limit"):
        check_network(gaussian(2, 8), time_limit=0)
    with pytest.raises(InputError, match="seed is -1"):
        check_network(gaussian(2, 8), seed=-1)


def test_more_than_64_inputs():
    """The inverse behind local search once had room for 64 rows: this crashed."""
    rng = np.random.default_rng(0)
    layer = NetworkLayer(rng.standard_normal((75, 75)), None, "relu")
    assert check_network(network(layer), time_limit=5).verdict is Verdict.NOT_INJECTIVE


def test_a_claim_that_assumes_something():
    layers = [SPLIT, NetworkLayer(np.concatenate([np.eye(4), -np.eye(4)]), np.ones(8), "relu", "wide")]
    check = check_network(network(*layers))
    assert check.claim == "injective on all of R^2"
    assert replace(check, assumes_general_position=True).claim == (
        "injective on all of R^2, if the rows are in general position"
    )

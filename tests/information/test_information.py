"""Ranks, neurons and pairs of a network on data: against products in rationals, samples, and what is known."""

import json
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from reference.networks import images, rank
from scipy import sparse

from polyinj import (
    Box,
    InformationReport,
    InputError,
    Network,
    NetworkLayer,
    active_rank,
    check_network,
    first_merging_layer,
    information_report,
    network_active_rank,
)
from polyinj.information import active_rank as module
from polyinj.information import jacobians
from polyinj.information.active_rank import exact_patterns
from polyinj.information.jacobians import layer_jacobians
from polyinj.information.neurons import bound_neurons


def gaussian(*widths, seed=0, last=None):
    rng = np.random.default_rng(seed)
    layers = [
        NetworkLayer(rng.standard_normal((m, n)), rng.standard_normal(m), "relu", f"layer {k}")
        for k, (n, m) in enumerate(pairwise(widths), start=1)
    ]
    layers[-1] = NetworkLayer(layers[-1].weights, layers[-1].bias, last, "last")
    return Network(tuple(layers), "here")


def reference_ranks(network, point):
    """Layer by layer the rank of the product of the matrices with the rows that pass nothing on left out."""
    slopes = [[Fraction(int(i == j)) for j in range(len(point))] for i in range(len(point))]
    values = [Fraction(entry) for entry in point]
    found = []
    for layer in network.layers:
        matrix = layer.dense_weights().tolist()
        bias = [0] * len(matrix) if layer.bias is None else layer.bias.tolist()
        values = [
            sum((Fraction(w) * x for w, x in zip(row, values, strict=True)), Fraction(b))
            for row, b in zip(matrix, bias, strict=True)
        ]
        slopes = [
            [sum(Fraction(w) * line[j] for w, line in zip(row, slopes, strict=True)) for j in range(len(point))]
            for row in matrix
        ]
        for k, relu in enumerate(layer.relu_rows.tolist()):
            if relu and values[k] <= 0:
                values[k], slopes[k] = Fraction(0), [Fraction(0)] * len(point)
        found.append(rank(slopes))
    return found


@pytest.mark.parametrize("widths", [(3, 4, 3, 5), (4, 2, 6), (5, 9, 3, 1), (1, 2, 2)])
def test_exact_ranks_against_the_reference(widths):
    rng = np.random.default_rng(1)
    for seed in range(4):
        network = gaussian(*widths, seed=seed)
        points = rng.standard_normal((6, widths[0]))
        found = network_active_rank(network, points)
        assert found.columns == widths[0]
        for k, point in enumerate(points):
            assert found.active_rank[:, k].tolist() == reference_ranks(network, point.tolist())
        report = information_report(network, points)
        assert [row.rank for row in report.points] == found.active_rank.T.ravel().tolist()
        assert [row.active for row in report.points] == found.active_count.T.ravel().tolist()
        assert found.loses_information.mean(axis=1).tolist() == [row.flat for row in report.rows]


def test_ranks_that_no_count_confirms():
    """Dependent rows, a layer that undoes another, sparse layers, identity rows beside ReLUs, and Fractions."""
    low = NetworkLayer(np.outer(np.arange(1.0, 7), [1, 2, 3]), np.ones(6), "relu", "rank 1")
    first = NetworkLayer(sparse.csr_array(np.vstack([np.eye(3), -np.eye(3), np.ones((1, 3))])), None, None, "sparse")
    some = NetworkLayer(np.eye(7), np.zeros(7), [True, False] * 3 + [True], "some")
    thirds = NetworkLayer([[Fraction(1, 3)] * 7, [Fraction(1, 7)] * 7], None, "relu", "thirds")
    for network in (Network((low,), "low"), Network((first, some), "mixed"), Network((first, some, thirds), "thirds")):
        points = np.array([[1.0, 2, 3], [-1, 2, -0.5], [0.25, -4, 1], [1, 1, -2]])
        found = network_active_rank(network, points)
        for k, point in enumerate(points):
            assert found.active_rank[:, k].tolist() == reference_ranks(network, point.tolist())
    assert network_active_rank(Network((low,), "low"), points).active_rank.tolist() == [[1, 1, 0, 0]]


def test_bounds_that_a_prime_leaves_too_low_are_settled(monkeypatch):
    network, points = gaussian(3, 5, 4), np.random.default_rng(0).standard_normal((4, 3))
    expected = network_active_rank(network, points).active_rank
    monkeypatch.setattr(module, "ranks", lambda matrices: np.zeros(len(matrices), dtype=np.int64))
    assert network_active_rank(network, points).active_rank.tolist() == expected.tolist()


def test_signs_that_doubles_leave_open():
    """1 + 2^-60 - 1: nothing is left of it in doubles, and in rationals the ReLU is positive."""
    small = 2.0**-60
    sums = NetworkLayer([[1.0, small, -1.0], [1.0, 0, -1.0], [-1.0, -small, 1.0]], None, "relu")
    network = Network((sums, NetworkLayer(np.eye(3) * 2.0**60, None, "relu")), "close")
    points = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 0.0, 1.0]])
    passing = exact_patterns(network, module.exact_layers(network), points)
    expected = [[True, False, False], [False, False, True], [False, False, False]]
    assert [part.tolist() for part in passing] == [expected, expected]
    assert network_active_rank(network, points).active_rank.tolist() == [[1, 1, 0]] * 2


def test_weights_beyond_doubles():
    big = NetworkLayer([[Fraction(10) ** 400, 0], [0, 1]], None, "relu")
    assert network_active_rank(Network((big,), "big"), [[1.0, -1.0], [1.0, 1.0]]).active_rank.tolist() == [[1, 2]]
    with pytest.raises(InputError, match=r"beyond the range of doubles|float64 does not hold"):
        information_report(Network((big,), "big"), [[1.0, -1.0]])


def test_one_layer_is_the_rank_of_its_active_rows():
    network = gaussian(4, 9, last="relu")
    points = np.random.default_rng(0).standard_normal((20, 4))
    alone = active_rank(network.layers[0].weights, points, network.layers[0].bias)
    found = network_active_rank(network, points)
    assert found.active_rank[0].tolist() == alone.active_rank.tolist()
    assert found.active_count[0].tolist() == alone.active_count.tolist()


@pytest.mark.parametrize("widths", [(6, 4, 8, 3), (3, 7, 5)])
def test_singular_values_are_those_of_the_jacobian(widths, monkeypatch):
    """The product of the matrices, also where the inputs are more than the first rows; in chunks of one point too."""
    network = gaussian(*widths, seed=3)
    points = np.random.default_rng(2).standard_normal((5, widths[0]))
    found = layer_jacobians(network, points)
    monkeypatch.setattr(jacobians, "_CHUNK", 1)
    again = layer_jacobians(network, points)
    for k, point in enumerate(points):
        slopes, values = np.eye(widths[0]), point
        for part, other, layer in zip(found, again, network.layers, strict=True):
            values, slopes = layer.weights @ values + layer.bias, layer.weights @ slopes
            passing = (values > 0) | ~layer.relu_rows
            values, slopes = np.where(passing, values, 0), np.where(passing[:, None], slopes, 0)
            expected = np.linalg.svd(slopes, compute_uv=False)
            got = part.singular_values[k]
            np.testing.assert_allclose(got[: len(expected)], expected[: len(got)], atol=1e-12 * expected[0])
            np.testing.assert_allclose(other.singular_values[k], got, atol=1e-13)
            assert part.rank[k] == np.linalg.matrix_rank(slopes)


def test_neurons_on_a_box():
    """What is proven holds at samples; bounds that box cannot prove crown can."""
    network = gaussian(3, 30, 30, 2)
    box = Box([0.5] * 3, [0.75] * 3)
    samples = np.random.default_rng(0).uniform(0.5, 0.75, (200, 3))
    values = samples
    counts = bound_neurons(network, [0.5] * 3, [0.75] * 3)
    for layer, found in zip(network.layers, counts, strict=True):
        before = values @ layer.weights.T + layer.bias
        assert not (before[:, found.is_dead] > 0).any()
        assert (before[:, found.is_always_active] >= 0).all()
        values = layer.pass_relu(before)
    report = information_report(network, box=box)
    assert [(row.dead, row.always_active) for row in report.rows] == [(c.dead, c.always_active) for c in counts]
    assert report.rows[0].dead > 0 < report.rows[0].always_active
    assert report.rows[-1].dead == report.rows[-1].always_active == 0
    loose = information_report(network, box=box, relaxation="box")
    assert loose.rows[1].dead <= report.rows[1].dead
    assert report.points == ()
    assert np.isnan(report.rows[0].flat)


def test_the_box_of_the_data():
    network = gaussian(2, 5, 2)
    points = np.array([[0.0, 1], [2, 1], [1, 1]])
    report = information_report(network, points)
    assert report.box == "[0, 2] x [1, 1]"
    exact = bound_neurons(network, [0, 1], [2, 1])
    assert [row.dead for row in report.rows] == [count.dead for count in exact]
    assert information_report(network, points, Box([0, 0], [1, 1])).box == "[0, 1]^2"
    wide = information_report(gaussian(6, 3), np.eye(6) * np.arange(1, 7))
    assert wide.box == "[0, 1] x [0, 2] x [0, 3] x [0, 4] x ..."


def test_where_pairs_merge():
    fold = Network(
        (
            NetworkLayer([[1.0, 0], [0, 1], [-1, 0], [0, -1]], None, "relu"),
            NetworkLayer([[1.0, 0, 1, 0], [0, 1, 0, -1]], None, None),
            NetworkLayer([[1.0, 0], [0, 0]], None, None),
        ),
        "|x| and y, then |x|",
    )
    data = [[1.0, 2], [-1, 2], [1, 3], [2, 0]]
    report = information_report(fold, data, pairs=[(0, 1), (0, 2), (0, 3), (2, 2)])
    assert [pair.layer for pair in report.pairs] == [2, 3, 0, 0]
    assert [pair.stretch for pair in report.pairs[:3]] == [0, 0, pytest.approx(1 / 5**0.5)]
    assert np.isnan(report.pairs[3].stretch)
    assert first_merging_layer(fold, data[0], data[1]) == 2
    assert first_merging_layer(fold, [Fraction(1, 3), 0], [Fraction(-1, 3), 0]) == 2
    network = gaussian(4, 12, 12, 3)
    x, y = check_network(network).collision
    merged = first_merging_layer(network, x, y)
    weights, biases = ([getattr(layer, name).tolist() for layer in network.layers] for name in ("weights", "bias"))
    both = [images(weights, biases, point) for point in (x, y)]
    kinds = [layer.activation for layer in network.layers]
    same = [a[kind == "relu"] == b[kind == "relu"] for a, b, kind in zip(*both, kinds, strict=True)]
    assert same.index(True) + 1 == merged


def test_the_order_of_points_does_not_matter():
    network, points = gaussian(4, 6, 6, 4), np.random.default_rng(5).standard_normal((7, 4))
    report = information_report(network, points)
    turned = information_report(network, points[::-1])
    assert report.rows == turned.rows
    back = [row for k in range(6, -1, -1) for row in turned.points if row.point == k]
    assert [(r.layer, r.active, r.rank) for r in report.points] == [(r.layer, r.active, r.rank) for r in back]
    again = information_report(network, points, exact_ranks=True)
    assert [row.rank for row in again.points] == [row.rank for row in report.points]
    assert again.exact_ranks


@pytest.mark.slow
def test_what_is_saved_is_read_back(tmp_path):
    network = gaussian(3, 5, 2)
    report = information_report(network, np.eye(3), pairs=[(0, 2)])
    paths = report.save(tmp_path)
    assert [path.name for path in paths] == ["information.csv", "information.json", "information.png"]
    assert InformationReport.load(tmp_path) == report
    lines = (tmp_path / "information.csv").read_text().splitlines()
    assert lines[0].startswith("layer,name,neurons,relu,dead,always_active,active_low")
    assert len(lines) == 3
    assert json.loads((tmp_path / "information.json").read_text())["format"] == "polyinj information report"
    assert report.column("layer").tolist() == [1, 2]
    for drawn in (report, information_report(network, box=Box([0] * 3, [1] * 3))):
        assert len(drawn.plot().axes) == 4
    assert repr(report).startswith("InformationReport(3 -> 5 relu -> 2, 3 points, 100.0% of them in regions")
    assert repr(drawn) == "InformationReport(3 -> 5 relu -> 2, 0 points; box: [0, 1]^3)"


def test_images_have_the_shape_of_the_input():
    network = Network(gaussian(4, 6, 3).layers, "images", (1, 2, 2))
    points = np.random.default_rng(0).standard_normal((3, 1, 2, 2)).astype(np.float32)
    assert information_report(network, points) == information_report(network, points.reshape(3, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: information_report(net), "neither data nor a box is given"),
        (lambda net: information_report(net, [1.0, 2.0]), r"data has shape \(2,\); expected \(k, 2\), one row a point"),
        (lambda net: information_report(net, np.ones((3, 5))), r"data has shape \(3, 5\)"),
        (lambda net: information_report(net, np.ones((0, 2))), r"data has shape \(0, 2\)"),
        (lambda net: information_report(net, [[1.0, 2.0], [1.0]]), "not a rectangular array|has dtype|has shape"),
        (lambda net: information_report(net, [[1.0, np.nan]]), "data holds nan; every entry must be finite"),
        (lambda net: information_report(net, [["a", "b"]]), "data has dtype <U1"),
        (lambda net: information_report(net, [[True, False]]), "data has dtype bool"),
        (lambda net: information_report(net, [[2**60 + 1, 1]]), "integers beyond 2.53"),
        (lambda net: information_report(net, box=Box([0], [1])), "expected a Box with 2 columns"),
        (lambda net: information_report(net, box=(0, 1)), "expected a Box with 2 columns"),
        (lambda net: information_report(net, box=Box([0, 0], [1, None])), "a side without end"),
        (lambda net: information_report(net, np.ones((2, 2)), pairs=[(0, 2)]), "two places in the data, from 0 to 1"),
        (lambda net: information_report(net, np.ones((2, 2)), pairs=[3]), "pairs holds 3"),
        (lambda net: information_report(net, np.ones((2, 2)), pairs=[(0, 1, 1)]), "two places in the data"),
        (lambda net: information_report(net, np.ones((2, 2)), pairs=[(-1, 1)]), "two places in the data"),
        (lambda net: information_report(net, np.ones((2, 2)), relaxation="crwn"), "crwn"),
        (lambda net: network_active_rank(net, np.ones((2, 3))), r"points has shape \(2, 3\)"),
        (lambda net: first_merging_layer(net, [1], [2]), "x and y have 1 and 1 entries; expected 2"),
        (lambda net: first_merging_layer(net, [1, 2], [1, 2]), "the same point"),
        (lambda net: first_merging_layer(net, [1, "a"], [1, 2]), r"x\[1\] is 'a'"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(InputError, match=message) as error:
        call(gaussian(2, 3, 2))
    assert "\n" not in str(error.value)


def test_what_overflows_is_refused(monkeypatch):
    huge = Network((NetworkLayer([[1e200]], None, None), NetworkLayer([[1e200]], None, None)), "huge")
    with pytest.raises(InputError, match="overflow"):
        information_report(huge, [[1.0]])
    monkeypatch.setattr(jacobians, "_LARGEST", 100)
    with pytest.raises(InputError, match="the Jacobian of one point"):
        information_report(gaussian(4, 9, 4), np.ones((1, 4)))

"""What proves a loss without linear regions: pairs that are replayed, of moderate size, and what undecided was once."""

import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from reference.networks import images
from scipy import sparse

from polyinj import (
    Ball,
    Box,
    CertificateError,
    InputError,
    Network,
    NetworkLayer,
    NetworkNarrowing,
    Verdict,
    check_network,
    decide_network_injectivity,
)
from polyinj.deep import flat_region
from polyinj.deep.criteria import find_narrow_layer, look_for_loss, rank_of
from polyinj.deep.exact_pair import exact_pair
from polyinj.deep.exact_piece import ExactLayer, ExactPiece, exact_images, exact_layers
from polyinj.deep.flat_region import collision_at, find_flat_region
from polyinj.deep.float_pieces import FloatNetwork
from polyinj.deep.near_outputs import meeting_outputs
from polyinj.deep.probes import draw_points, pull_inside
from polyinj.deep.sign_change import sign_changes


def network(*layers):
    return Network(layers, "here")


def gaussian(*widths, seed=0, bias=True):
    rng = np.random.default_rng(seed)
    layers = []
    for place, (n, m) in enumerate(pairwise(widths)):
        shift = rng.standard_normal(m) if bias else None
        relu = "relu" if place < len(widths) - 2 else None
        layers.append(NetworkLayer(rng.standard_normal((m, n)), shift, relu, str(place)))
    return network(*layers)


def replay(net, pair, domain=None):
    x, y = pair
    assert x != y
    assert net.apply_exactly(x) == net.apply_exactly(y)
    assert domain is None or (domain.contains(x) and domain.contains(y))
    moderate(pair)


def moderate(pair):
    """Of the size of the inputs, so that a runtime can replay it."""
    x, y = pair
    assert max(abs(float(entry)) for entry in (*x, *y)) < 1000
    assert max(abs(float(a - b)) for a, b in zip(x, y, strict=True)) > 1e-7


@pytest.mark.parametrize(
    ("widths", "reason"),
    [
        ((3, 32, 32, 3), "determinant of layer 3 takes both signs"),
        pytest.param((2, 40, 40, 3), "of 3 < 2 * 2 rows", marks=pytest.mark.slow),
        pytest.param((5, 64, 64, 64, 5), "determinant of layer 4", marks=pytest.mark.slow),
        pytest.param((8, 256, 256, 8), "determinant of layer 3", marks=pytest.mark.slow),
        pytest.param((2, 200, 200, 3), "of 3 < 2 * 2 rows", marks=pytest.mark.slow),
    ],
)
def test_networks_that_were_undecided(widths, reason):
    net = gaussian(*widths)
    check = check_network(net)
    assert check.verdict is Verdict.NOT_INJECTIVE
    assert reason in check.reason
    moderate(check.collision)
    check.verify()
    if sum(widths) < 100:
        replay(net, check.collision)
        check.certificate().verify(*net.as_relu_layers())


def test_the_two_points_lie_on_either_side_of_a_facet():
    """|x| folds R: the determinant changes its sign at 0, and x, y = -x have one image."""
    fold = network(NetworkLayer([[1.0], [-1.0]], None, "relu"), NetworkLayer([[1.0, 1.0]], [0.5], None))
    x, y = next(sign_changes(FloatNetwork(fold), None, 0))
    assert x[0] * y[0] < 0
    assert abs(x[0] + y[0]) < 1e-12
    first, second = exact_pair(exact_layers(fold), x, y)
    assert first[0] == -second[0] != 0


@pytest.mark.slow
def test_no_sign_change_where_the_map_is_injective():
    net = network(NetworkLayer([[1.0, 0], [0, 1], [-1, 0], [0, -1]], None, "relu"))
    net = network(*net.layers, NetworkLayer([[1.0, 0, -2, 0], [0, 3, 0, -1]], None, None))
    assert list(sign_changes(FloatNetwork(net), None, 0)) == []
    assert look_for_loss(net) is None
    assert check_network(net).verdict is Verdict.INJECTIVE


@pytest.mark.slow
@pytest.mark.parametrize("domain", [Box([-1, 0, None], [1, None, 3]), Ball([1, 0, -1], 1), Box([0] * 3, [1] * 3)])
@pytest.mark.parametrize("widths", [(3, 12, 12, 3), (3, 10, 10, 5), (3, 8, 5, 2)])
def test_pairs_lie_in_the_domain(domain, widths):
    for seed in range(3):
        net = gaussian(*widths, seed=seed)
        loss = look_for_loss(net, domain, seed=seed)
        if loss is not None:
            replay(net, loss.pair, domain)
    check = check_network(gaussian(3, 8, 5, 2), domain=domain)
    replay(check.network, check.collision, domain)
    check.verify()
    check.certificate().verify(*check.network.as_relu_layers(), domain=domain)


def test_a_layer_narrower_than_the_input():
    net = gaussian(2, 24, 24, 1, 9)
    assert find_narrow_layer(net) == 3
    assert find_narrow_layer(gaussian(6, 20, 8)) is None
    low = network(NetworkLayer(np.outer(np.arange(8.0), [1, 2, 3]), None, None))
    assert (find_narrow_layer(low), rank_of(low.layers[0])) == (1, 1)
    check = check_network(net)
    assert check.reason == "layer 3 has 1 rows, the network 2 inputs: no map into fewer dimensions is injective"
    replay(net, check.collision)


def test_a_proof_without_points_where_they_would_be_costly(monkeypatch):
    monkeypatch.setattr(flat_region, "_EXACT_PRODUCTS", 0)
    monkeypatch.setattr(flat_region, "_FLOAT_PRODUCTS", 0)
    net = gaussian(2, 24, 24, 1, 9)
    check = check_network(net)
    assert (check.verdict, check.collision) == (Verdict.NOT_INJECTIVE, None)
    assert isinstance(check.certificate(), NetworkNarrowing)
    assert (check.certificate().layer, check.certificate().point) == (3, None)
    check.verify()
    wrong = replace(check, narrowing=replace(check.narrowing, layer=1))
    with pytest.raises(CertificateError, match="have rank 2"):
        wrong.verify()
    decision = decide_network_injectivity(net, max_regions=10)
    assert isinstance(decision.certificate, NetworkNarrowing)
    decision.verify()
    # By signs at a point: no layer is narrow, but few rows are active.
    net = gaussian(2, 24, 4, 24)
    check = check_network(net)
    assert (check.verdict, check.collision) == (Verdict.NOT_INJECTIVE, None)
    assert "fewer rows of layer 2 are active" in check.reason
    assert len(check.narrowing.point) == 2
    check.verify()


@pytest.mark.slow
def test_time_holds_for_wide_networks():
    """Layers are not looked at alone where the verdict is known; before, each was read in rationals first."""
    rng = np.random.default_rng(0)
    widths = (600, 800, 800, 16, 43)
    layers = [
        NetworkLayer(rng.standard_normal((m, n)).astype(np.float32), None, "relu", str(m)) for n, m in pairwise(widths)
    ]
    start = time.process_time()
    check = check_network(network(*layers), time_limit=1.0)
    assert check.verdict is Verdict.NOT_INJECTIVE
    assert [layer.verdict.value for layer in check.layers][:2] == ["undecided", "undecided"]
    # No test asserts a speed; this bound is that of a hang.
    assert time.process_time() - start < 30


def test_a_rescaling_that_is_zero_somewhere():
    """Keras puts x / 255 first: a row without ReLU that is 0 at a probe is no threshold."""
    rescale = NetworkLayer(np.eye(4) / 255, np.zeros(4), None, "rescaling")
    net = network(rescale, NetworkLayer(np.ones((6, 4)), None, "relu"), NetworkLayer(np.ones((9, 6)), None, None))
    replay(net, collision_at(net, [Fraction(0), Fraction(0), Fraction(1), Fraction(0)]))
    replay(net, find_flat_region(net))
    check = check_network(net)
    assert check.verdict is Verdict.NOT_INJECTIVE
    check.verify()


def test_pairs_of_networks_without_relu_are_of_the_size_of_the_inputs():
    """Coprime integers along the kernel have 82 digits for a layer of shape (10, 200)."""
    for widths in ((200, 10), (60, 30, 20)):
        layers = [replace(layer, activation=None) for layer in gaussian(*widths).layers]
        check = check_network(network(*layers))
        replay(check.network, check.collision)
        x, y = check.network.apply(np.array([[float(entry) for entry in end] for end in check.collision]))
        assert np.abs(x - y).max() < 1e-9
    low = network(NetworkLayer(np.outer(np.arange(1.0, 9), [1, 2, 3]), None, None))
    check = check_network(low)
    assert check.reason == "layer 1 maps two points to the same image"
    replay(low, check.collision)


def test_points_that_leave_their_regions_are_no_pair():
    """Where 2 ReLU(x) - ReLU(-x) is affine around -1/2 and around 3 the values agree at -1/2 and -1/4: not its own."""
    bent = network(NetworkLayer([[1.0], [-1.0]], None, "relu"), NetworkLayer([[2.0, -1.0]], None, None))
    assert exact_pair(exact_layers(bent), np.array([-0.5]), np.array([3.0])) is None
    assert exact_pair(exact_layers(bent), np.array([0.0]), np.array([0.0])) is None


def test_exact_pieces_are_the_map():
    """Every point of the region has the image that the piece says; sparse layers and Fractions too."""
    rng = np.random.default_rng(1)
    first = NetworkLayer(
        sparse.csr_array(np.where(rng.random((7, 3)) < 0.5, rng.standard_normal((7, 3)), 0)), None, None
    )
    second = NetworkLayer([[Fraction(1, 3)] * 7, [Fraction(-2, 7)] * 7, [1] * 7], [Fraction(1, 5), 0, 2], "relu")
    third = NetworkLayer(rng.standard_normal((2, 3)) * 1e-200, rng.standard_normal(2), [True, False])
    net = network(first, second, third)
    point = [Fraction(3, 7), Fraction(-1, 3), Fraction(2)]
    layers = exact_layers(net)
    piece = ExactPiece(point, (2, 0), 21)
    for layer in layers:
        piece.affine(layer)
        assert piece.rectify(layer) is not None
    step = [Fraction(1, 10**9), Fraction(-1, 10**8)]
    moved = [point[0] + step[1], point[1], point[2] + step[0]]
    images_ = [Fraction(row[0] * step[0] + row[1] * step[1] + row[2]) / piece.scale for row in piece.rows]
    assert images_ == net.apply_exactly(moved)
    assert exact_images(layers, [point, point])[0] == exact_images(layers, [point, point])[1]
    assert ExactLayer(NetworkLayer(np.zeros((2, 2)), None, None)).scale == 1
    assert ExactLayer(NetworkLayer([[0.75, 6.0]], [0.5], None)).scale == 4
    assert ExactLayer(NetworkLayer([[2.0**70, 3 * 2.0**71]], None, None)).scale == 1


def test_on_a_threshold_there_is_no_piece():
    layer = NetworkLayer(np.array([[1.0, 1.0], [0.0, 0.0]]), None, "relu")
    piece = ExactPiece([Fraction(1), Fraction(-1)], (0, 1), 1)
    (exact,) = exact_layers(network(layer))
    piece.affine(exact)
    assert piece.rectify(exact) is None


def test_meeting_outputs_are_apart():
    net = gaussian(2, 40, 40, 3)
    pairs = [pair for pair, _ in zip(meeting_outputs(FloatNetwork(net), None, 0), range(5), strict=False)]
    for x, y in pairs:
        assert np.linalg.norm(x - y) > 0.01
        assert np.abs(net.apply([x]) - net.apply([y])).max() < 1e-6 * np.abs(net.apply([x])).max()
    assert len(pairs) == 5


def test_probes_lie_in_the_domain():
    rng = np.random.default_rng(0)
    for domain in (Box([0, None, -1], [1, 2, None]), Ball([5, 0, 0], Fraction(1, 100)), None):
        points = draw_points(domain, 3, 50, 8.0, rng)
        moved = pull_inside(domain, points * 3 + 1)
        for point in (*points.tolist(), *moved.tolist()):
            assert domain is None or domain.surrounds([Fraction(entry) for entry in point])
    assert np.ptp(draw_points(None, 3, 500, 64.0, rng)) > 100


def test_what_doubles_do_not_hold_is_left_to_others():
    big = network(NetworkLayer([[Fraction(10) ** 400, 1], [1, 1]], None, "relu"), NetworkLayer(np.eye(2), None, None))
    assert find_flat_region(big) is None
    assert look_for_loss(big) is None
    huge = network(NetworkLayer([[1e300, 1], [1, 1e300]], None, "relu"), NetworkLayer(np.eye(2) * 1e300, None, None))
    assert look_for_loss(huge) is None or look_for_loss(huge).pair is not None


def test_what_is_refused():
    net = gaussian(2, 8, 2)
    for call, message in (
        (lambda: check_network(net, domain=Box([0], [1])), "expected None, or a Box or Ball of dimension 2"),
        (lambda: check_network(net, domain=[(0, 1)] * 2), "expected None, or a Box or Ball"),
        (lambda: check_network(net, time_limit=0), "time_limit 0"),
        (lambda: check_network(net, time_limit=float("nan")), "time_limit nan"),
        (lambda: decide_network_injectivity(net, domain=Ball([0] * 3, 1)), "of dimension 2"),
        (lambda: decide_network_injectivity(net, memory_limit=0), "memory_limit is 0"),
        (lambda: decide_network_injectivity(net, time_limit=-1), "time_limit -1"),
    ):
        with pytest.raises(InputError, match=message) as error:
            call()
        assert "\n" not in str(error.value)


def test_memory_ends_the_regions():
    net = [np.vstack([np.eye(3), -np.eye(3)]), np.vstack([np.eye(6), np.ones((6, 6)) - 2 * np.eye(6)])]
    assert decide_network_injectivity(net, search_seconds=0).verdict is Verdict.INJECTIVE
    decision = decide_network_injectivity(net, search_seconds=0, memory_limit=10_000)
    assert decision.verdict is Verdict.UNDECIDED


def test_exact_values_agree_with_the_reference():
    weights = [[[1, -2], [0, 3], [1, 1]], [[1, 1, -1], [2, 0, 1]]]
    net = network(*(NetworkLayer(matrix, None, "relu") for matrix in weights))
    point = [Fraction(1, 3), Fraction(-2, 5)]
    (image,) = exact_images(exact_layers(net), [point])
    expected = images(weights, None, point)[-1][1]
    assert [value * image[1] for value in expected] == [value * expected[1] for value in image]

"""Deep injectivity against a slow reference, symmetries, trouble, and every certificate replayed."""

from fractions import Fraction

import numpy as np
import pytest
from helpers import FOLD, gaussian_network, small_network
from reference.networks import first_failing_layer

from polyinj import InputError, Network, NetworkLayer, Verdict, decide_injectivity, decide_network_injectivity
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.certificates.network_certificate import NetworkProof
from polyinj.certificates.relu_chain import homogeneous_images, read_chain


def check(decision, failing):
    """The verdict is that of the reference, and its certificate holds."""
    assert decision.verdict is (Verdict.INJECTIVE if failing is None else Verdict.NOT_INJECTIVE)
    assert decision.first_failing_layer == failing
    assert decision.injective_layers == (decision.network.depth if failing is None else failing - 1)
    decision.verify()
    if failing is None and decision.network.depth > 1:
        assert isinstance(decision.certificate, NetworkProof)
    if failing is not None:
        replay(decision)


def replay(decision):
    """Evaluate the network at both points in Fractions, without polyinj."""
    images = [list(decision.certificate.x), list(decision.certificate.y)]
    assert images[0] != images[1]
    for layer, (matrix, bias) in enumerate(
        zip(decision.network.weights, decision.network.biases, strict=True), start=1
    ):
        shift = [0] * len(matrix) if bias is None else bias.tolist()
        images = [
            [
                max(sum((Fraction(w) * v for w, v in zip(row, image, strict=True)), Fraction(b)), Fraction(0))
                for row, b in zip(matrix.tolist(), shift, strict=True)
            ]
            for image in images
        ]
        assert (images[0] == images[1]) == (layer >= decision.certificate.layer)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_agrees_with_the_reference(n):
    seen = {}
    for seed in range(220 if n == 1 else 70):
        weights, biases = small_network(seed, n)
        failing = first_failing_layer(weights, biases if biases and any(map(any, biases)) else None)
        check(decide_network_injectivity(weights, biases), failing)
        key = failing, len(weights), biases is None
        seen[key] = seen.get(key, 0) + 1
    # Every kind of answer occurs, with and without bias.
    assert {(None, 2, True), (1, 2, True), (2, 2, True), (None, 2, False), (2, 2, False), (3, 3, True)} <= seen.keys()


@pytest.mark.slow
def test_agrees_with_the_reference_in_three_dimensions():
    seen = set()
    for seed in range(1000, 1400):
        weights, biases = small_network(seed, 3)
        if biases is not None or len(weights) != 2 or sum(map(len, weights)) > 13:
            continue
        failing = first_failing_layer(weights)
        check(decide_network_injectivity(weights), failing)
        seen.add(failing)
        if len(seen) == 3:
            return
    raise AssertionError(seen)


def test_a_fold_between_cells_of_different_signs():
    decision = decide_network_injectivity(FOLD)
    check(decision, 2)
    x, y = decision.certificate.x, decision.certificate.y
    assert x[1] == y[1] == 0
    assert x[0] == -y[0]


def test_a_region_that_the_map_flattens():
    # Behind |x_1|, |x_2| style rows, the second layer forgets one coordinate on a whole orthant.
    first = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    second = [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 1]]
    check(decide_network_injectivity([first, second]), 2)


def test_identity_layers_keep_everything():
    first = FOLD[0]
    identity = np.eye(4, dtype=int)
    decision = decide_network_injectivity([first, identity, identity])
    check(decision, None)
    assert decision.stats.regions == (4, 4, 4)


@pytest.mark.slow
def test_one_layer_is_decided_as_one_layer():
    weights = np.random.default_rng(0).standard_normal((63, 9))
    decision = decide_network_injectivity([weights])
    assert isinstance(decision.certificate, InjectivityProof)
    assert not decision.certificate.assumes_general_position
    decision.verify()


@pytest.mark.parametrize(("n", "m", "depth", "seed"), [(2, 12, 3, 0), (2, 10, 4, 3), (3, 15, 2, 2), (1, 4, 5, 1)])
def test_symmetries(n, m, depth, seed):
    weights = gaussian_network(n, m, depth, seed)
    decision = decide_network_injectivity(weights)
    decision.verify()
    rng = np.random.default_rng(seed)
    # Neurons permuted and scaled, the next layer's columns with them; the input turned.
    changed = [weights[0] @ np.linalg.qr(rng.standard_normal((n, n)))[0], *(w.copy() for w in weights[1:])]
    for k in range(depth):
        order, scale = rng.permutation(m), 2.0 ** rng.integers(-3, 4, m)
        changed[k] = (scale[:, None] * changed[k])[order]
        if k + 1 < depth:
            changed[k + 1] = (changed[k + 1] / scale)[:, order]
    turned = decide_network_injectivity(changed)
    turned.verify()
    assert turned.first_failing_layer == decision.first_failing_layer
    assert turned.stats.regions == decision.stats.regions


def test_zero_biases_change_nothing():
    weights = gaussian_network(2, 10, 3, 1)
    with_zeros = decide_network_injectivity(weights, [np.zeros(10), None, np.zeros(10)])
    with_zeros.verify()
    assert with_zeros.first_failing_layer == decide_network_injectivity(weights).first_failing_layer


def test_fractions_and_floats_say_the_same():
    weights = [np.array(w * 4, dtype=int) for w in gaussian_network(2, 8, 3, 5)]
    plain = decide_network_injectivity(weights)
    thirds = decide_network_injectivity([[[Fraction(int(e), 3) for e in row] for row in w] for w in weights])
    floats = decide_network_injectivity([w.astype(np.float32) for w in weights])
    assert plain.first_failing_layer == thirds.first_failing_layer == floats.first_failing_layer
    assert plain.stats.regions == thirds.stats.regions == floats.stats.regions


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200])
def test_extreme_scales(scale):
    """Doubles under- and overflow; integers then decide."""
    weights = gaussian_network(2, 8, 3, 0)
    plain = decide_network_injectivity(weights)
    scaled = decide_network_injectivity([w * scale for w in weights])
    scaled.verify()
    assert scaled.verdict is plain.verdict
    assert scaled.stats.regions == plain.stats.regions


def test_nearly_degenerate_signs_are_settled_exactly():
    # The third row is the sum of the others up to one unit in the last place: doubles cannot tell it from zero there.
    first = np.array(FOLD[0], dtype=float)
    second = np.array([[1, 1, 1, 1], [1, 2, 1, 0], [0, 1, -1, 1.0]])
    assert decide_network_injectivity([first, second]).first_failing_layer == 2
    second[2, 2] = -1 + 2.0**-53
    decision = decide_network_injectivity([first, second])
    check(decision, first_failing_layer(first.astype(int).tolist() and exact_integers([first, second])))


def exact_integers(weights):
    """The same network in integers: each layer times a power of two."""
    return [[[int(Fraction(e) * 2**60) for e in row] for row in w.tolist()] for w in weights]


def test_first_layer_failure_matches_the_layer():
    for seed in range(20):
        weights = gaussian_network(2, 7, 2, seed)
        alone = decide_injectivity(weights[0]).verdict
        decision = decide_network_injectivity(weights)
        assert (decision.first_failing_layer == 1) == (alone is Verdict.NOT_INJECTIVE)


@pytest.mark.slow
def test_deeper_networks_fail_no_later():
    for seed in range(30):
        weights = gaussian_network(2, 8, 4, seed)
        whole = decide_network_injectivity(weights, certificate=False)
        head = decide_network_injectivity(weights[:2], certificate=False)
        assert head.injective_layers == min(whole.injective_layers, 2)


def test_limits():
    weights = gaussian_network(2, 12, 3, 0)
    decision = decide_network_injectivity(weights, max_regions=50, search_seconds=0)
    assert decision.verdict is Verdict.UNDECIDED
    assert decision.injective_layers == 2
    assert decision.certificate is None
    late = decide_network_injectivity(gaussian_network(3, 24, 3, 0), time_limit=1e-9, search_seconds=0)
    assert late.verdict is Verdict.UNDECIDED


@pytest.mark.slow
def test_search_finds_collisions_beyond_the_limit():
    """Millions of regions; the first layer is injective, and the second flattens some of them."""
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal((46, 6)), rng.standard_normal((30, 46))]
    decision = decide_network_injectivity(weights, max_regions=1000, search_seconds=300, seed=1)
    assert decision.verdict is Verdict.NOT_INJECTIVE
    assert decision.stats.regions == ()
    assert decision.certificate.layer == 2
    # The layer before is proven to be injective, not only counted.
    assert decision.first_failing_layer == (2 if decision.injective_layers else None)
    decision.verify()
    replay(decision)


def test_search_with_biases():
    rng = np.random.default_rng(5)
    first = np.vstack([np.eye(5), -np.eye(5)])
    weights, biases = [first, rng.standard_normal((8, 10))], [np.zeros(10), rng.standard_normal(8)]
    decision = decide_network_injectivity(weights, biases, max_regions=10, search_seconds=300)
    decision.verify()
    replay(decision)


def test_homogeneous_images_are_multiples_of_the_network():
    network = read_chain([[[1, 2], [0.5, -1]], [[1, 1]]], [[1, 0.25], None])
    x = [Fraction(1, 3), Fraction(-1, 2)]
    (image,) = homogeneous_images(network, [x], 2)
    # ReLU(1/3 - 1 + 1) + ReLU(1/6 + 1/2 + 1/4) = 1/3 + 11/12, and the last entry is t.
    assert Fraction(image[0], image[1]) == Fraction(1, 3) + Fraction(11, 12)


@pytest.mark.parametrize("seed", range(12))
def test_a_network_is_decided_as_its_relu_layers(tmp_path, seed):
    """Certificate and all, with layers without ReLU, biases and Fractions among them."""
    weights, biases = small_network(seed, 2)
    shifts = biases or [None] * len(weights)
    activations = [None if (seed >> k) & 1 else "relu" for k in range(len(weights))]
    matrices = [np.array([[Fraction(e, 3) for e in row] for row in w]) if seed % 3 == 0 else w for w in weights]
    network = Network(tuple(map(NetworkLayer, matrices, shifts, activations)), "here")
    decision = decide_network_injectivity(network)
    of_lists = decide_network_injectivity(*network.as_relu_layers())
    assert decision.verdict is of_lists.verdict
    assert decision.first_failing_layer == of_lists.first_failing_layer
    assert decision.injective_layers == of_lists.injective_layers
    assert decision.stats.regions == of_lists.stats.regions
    decision.verify()
    for name, one in (("network.json", decision), ("lists.json", of_lists)):
        one.certificate.save(tmp_path / name)
    assert (tmp_path / "network.json").read_bytes() == (tmp_path / "lists.json").read_bytes()


def test_a_network_brings_its_biases():
    network = Network((NetworkLayer([[1, 0], [0, 1]], [1, 1], "relu"),), "here")
    with pytest.raises(InputError, match="expected no other biases"):
        decide_network_injectivity(network, [[1, 1]])


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ([], None, "weights is empty"),
        (np.eye(2), None, "one array of shape"),
        ([[[1, 2]], [[1, 2]]], None, r"weights\[1\] has shape \(1, 2\); expected 1"),
        ([[[1, 2]]], [[1], [2]], "biases has 2 entries; expected 1"),
        ([[[1, 2]]], [[1, 2]], r"biases\[0\] has shape"),
        ([[[1, float("nan")]]], None, r"weights\[0\]\[0, 1\] is nan"),
    ],
)
def test_bad_input(weights, biases, message):
    with pytest.raises(InputError, match=message):
        decide_network_injectivity(weights, biases)


@pytest.mark.parametrize("options", [{"max_regions": 0}, {"time_limit": 0}, {"seed": -1}, {"search_seconds": -1.0}])
def test_bad_options(options):
    with pytest.raises(InputError, match="expected"):
        decide_network_injectivity(FOLD, **options)

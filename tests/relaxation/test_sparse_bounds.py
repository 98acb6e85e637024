"""Layers of few entries: bounds by groups and cones against the dense ones and against rationals."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from polyinj import Network, NetworkLayer, bound_network
from polyinj.networks.convolution import output_shape, unroll_convolution
from polyinj.relaxation import float_layers, sparsity
from polyinj.relaxation.float_layers import DenseLayer, SparseLayer, float_layer
from polyinj.relaxation.layer_bounds import AffineLayer
from polyinj.relaxation.rounding import DOUBLE, ROUNDINGS, SINGLE
from polyinj.relaxation.sparsity import cone_of, pattern_of

RULES = (
    *("box", "hbox", "deepz", "zonotope:1/3", "symbolic", "crown-forward"),
    *("crown", "crown-ibp", "fixed:1/4", "crown+box", "hbox+box", "deepz+box"),
)
SLACK = {"float64": 1e-11, "float32": 1e-2}


@pytest.fixture
def all_sparse(monkeypatch):
    """Every layer in groups, however small and full."""
    monkeypatch.setattr(float_layers, "_SEARCHED", 0)
    monkeypatch.setattr(float_layers, "_SHARE", 100)


def convolutions(rng, shape, kernels, outputs):
    """Convolutions, the second with a ReLU on some rows, the others on all; then a dense layer without."""
    layers = []
    for number, (channels, window, stride, padding) in enumerate(kernels):
        kernel = rng.standard_normal((channels, shape[0], window, window))
        options = {"stride": [stride] * 2, "padding": [(padding, padding)] * 2}
        matrix = unroll_convolution(kernel, shape, **options)
        shape = output_shape(kernel.shape, shape, **options, dilation=[1, 1], groups=1)
        bias = np.repeat(rng.standard_normal(channels), shape[1] * shape[2])
        marks = rng.uniform(size=len(bias)) < 0.7 if number == 1 else "relu"
        layers.append(NetworkLayer(matrix, bias, marks))
    layers.append(NetworkLayer(rng.standard_normal((outputs, int(np.prod(shape)))), rng.standard_normal(outputs), None))
    return Network(tuple(layers), "convolutions")


NETWORKS = {
    "strided": ((1, 6, 6), [(2, 3, 2, 1), (3, 2, 1, 0)], 2),
    "padded": ((2, 3, 3), [(2, 2, 1, 1), (1, 3, 1, 1), (2, 2, 2, 0)], 3),
}


def dense(network):
    layers = (NetworkLayer(a.dense_weights(), a.bias, a.activation) for a in network.layers)
    return Network(tuple(layers), network.source)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "largest_cone"), [("strided", None), ("strided", 200), ("padded", None), ("padded", 0)]
)
@pytest.mark.usefixtures("all_sparse")
def test_groups_and_cones_enclose_the_exact_rule(name, largest_cone, monkeypatch):
    """With all cones, none, and some of them."""
    if largest_cone is not None:
        monkeypatch.setattr(sparsity, "_LARGEST_CONE", largest_cone)
    cone_of.cache_clear()
    rng = np.random.default_rng(21)
    made = convolutions(rng, *NETWORKS[name])
    centre = rng.standard_normal(made.widths[0])
    lower, upper = centre - 0.1, centre + 0.1
    for rule in RULES:
        exact = bound_network(made, lower, upper, rule, exact=True)
        for dtype in SLACK:
            rounded = bound_network(made, lower, upper, rule, dtype=dtype)
            for (low, high), (least, most) in zip(rounded.hidden, exact.hidden, strict=True):
                size = float(max(map(abs, [*least, *most])))
                for a, b, c, d in zip(low, least, most, high, strict=True):
                    assert Fraction(float(a)) <= b <= c <= Fraction(float(d))
                    assert abs(float(b) - a) + abs(float(c) - d) < SLACK[dtype] * size
    cone_of.cache_clear()


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_of_groups_are_those_of_dense_layers(name, monkeypatch):
    rng = np.random.default_rng(22)
    made = convolutions(rng, *NETWORKS[name])
    centre = rng.standard_normal((7, made.widths[0]))
    whole = {rule: bound_network(dense(made), centre - 0.1, centre + 0.1, rule) for rule in RULES}
    monkeypatch.setattr(float_layers, "_SEARCHED", 0)
    monkeypatch.setattr(float_layers, "_SHARE", 100)
    for network in (made, dense(made)):
        for rule, expected in whole.items():
            found = bound_network(network, centre - 0.1, centre + 0.1, rule)
            for (low, high), (least, most) in zip(found.hidden, expected.hidden, strict=True):
                assert np.allclose(low, least, rtol=0, atol=1e-11)
                assert np.allclose(high, most, rtol=0, atol=1e-11)


def scattered(rng):
    """Rows that read nothing, rows that read the same, one that reads all."""
    matrix = np.zeros((9, 7))
    matrix[1, [2, 5]] = matrix[3, [2, 5]] = matrix[4, [5, 2]] = 1
    matrix[5, 6] = matrix[8, 0] = 1
    matrix[6] = 1
    return matrix * rng.standard_normal(matrix.shape)


@pytest.mark.parametrize("rounding", ROUNDINGS.values(), ids=ROUNDINGS)
@pytest.mark.usefixtures("all_sparse")
def test_products_are_those_of_the_matrix(rounding):
    rng = np.random.default_rng(23)
    matrix = scattered(rng)
    layer = AffineLayer(sparse.csr_array(matrix), rng.standard_normal(9), np.ones(9, dtype=bool))
    made = float_layer(layer, rounding)
    assert isinstance(made, SparseLayer)
    points, forms = rng.standard_normal((2, 3, 7)), rng.standard_normal((4, 2, 9)).astype(rounding.dtype)
    assert np.allclose(made.image(points), points @ matrix.T + layer.bias, rtol=1e-13, atol=1e-13)
    assert np.allclose(made.spread(np.abs(points)), np.abs(points) @ np.abs(matrix).T, rtol=1e-12, atol=1e-13)
    out = np.empty((4, 2, 7), dtype=rounding.dtype)
    assert made.pull(forms, out) is out
    assert np.allclose(out, forms @ matrix, rtol=1e-4 if rounding is SINGLE else 1e-13, atol=1e-5)
    assert np.array_equal(made.dense(), matrix)


def test_cones_hold_the_product():
    """Rows of a group, times the matrices of its cone, are rows of the product; groups have the rows in all."""
    rng = np.random.default_rng(24)
    first, second = scattered(rng).T, sparse.csr_array(scattered(rng))
    last, before = pattern_of(second), sparse.csr_array(first)
    cone = cone_of(last, (pattern_of(before),))
    blocks = last.blocks(np.append(second.data, 0))
    matrix = np.append(before.data, 0)[cone.entries[0]]
    product = (second @ before).toarray()
    seen = []
    for rows, support, form, part in zip(last.rows, cone.supports[1], blocks, matrix, strict=True):
        reached = support < 9
        for row, values in zip(rows, form @ part, strict=True):
            assert not values[~reached].any()
            if row < 9:
                seen.append(int(row))
                expected = np.zeros(9)
                expected[support[reached]] = values[reached]
                assert np.allclose(product[row], expected, rtol=1e-13, atol=1e-13)
            else:
                assert not values.any()
    assert sorted(seen) == list(range(9))


def test_patterns_do_not_depend_on_the_type_of_indices():
    matrix = sparse.csr_array(scattered(np.random.default_rng(26)))
    before = pattern_of(matrix)
    matrix.indptr = matrix.indptr.astype(np.int64)
    assert pattern_of(matrix) is before
    assert before.shape == matrix.shape
    assert before.area >= matrix.nnz


def test_full_matrices_stay_dense():
    rng = np.random.default_rng(25)
    marks = np.ones(200, dtype=bool)
    full = rng.standard_normal((200, 300))
    assert isinstance(float_layer(AffineLayer(full, np.zeros(200), marks), DOUBLE), DenseLayer)
    assert isinstance(float_layer(AffineLayer(sparse.csr_array(full), np.zeros(200), marks), DOUBLE), DenseLayer)
    few = np.where(rng.uniform(size=full.shape) < 0.02, full, 0)
    assert isinstance(float_layer(AffineLayer(few, np.zeros(200), marks), DOUBLE), SparseLayer)

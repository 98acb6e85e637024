"""ONNX: what is read computes what the model computes. Models made here, and models that packages ship."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from polyinj import InputError, read_network

MODELS = Path(__file__).parent / "models"
SHIPPED = Path(onnx.__file__).parent / "backend" / "test" / "data"


def build(path, nodes, stored, shape, *, output="y", opset=17, elem=TensorProto.FLOAT, extra=()):
    """Save a model of the given nodes from input x to `output`."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", elem, shape), *extra],
        [helper.make_tensor_value_info(output, elem, [None])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def node(kind, inputs, output="y", **attributes):
    return helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", **attributes)


def rand(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_same_function(path, network=None, *, atol=1e-5, inputs=6, **options):
    """The network and ONNX's own reference evaluator agree on random inputs."""
    network = read_network(path, **options) if network is None else network
    model = onnx.load(str(path))
    value = model.graph.input[0]
    points = rand(inputs, *network.input_shape, seed=9)
    single = len(value.type.tensor_type.shape.dim) == len(network.input_shape)
    for point in points:
        (expected, *_) = ReferenceEvaluator(model).run(None, {value.name: point if single else point[None]})
        np.testing.assert_allclose(network.apply([point])[0], np.ravel(expected), rtol=0, atol=atol)
    return network


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_chain_of_gemms_comes_back_exactly(tmp_path, dtype):
    w1, b1, w2, w3, b3 = (rand(*s, seed=k, dtype=dtype) for k, s in enumerate([(7, 3), (7,), (7, 5), (2, 5), (1, 2)]))
    nodes = [
        node("Gemm", ["x", "w1", "b1"], "a", transB=1),
        node("Relu", ["a"], "b"),
        node("MatMul", ["b", "w2"], "c"),
        node("Relu", ["c"], "d"),
        node("Relu", ["d"], "e"),
        helper.make_node("Constant", [], ["w3"], value=numpy_helper.from_array(w3)),
        node("Transpose", ["w3"], "w3t"),
        node("MatMul", ["e", "w3t"], "f"),
        node("Add", ["b3", "f"]),
    ]
    elem = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    stored = {"w1": w1, "b1": b1, "w2": w2, "b3": b3}
    network = read_network(build(tmp_path / "m.onnx", nodes, stored, ["batch", 3], elem=elem))
    assert network.widths == (3, 7, 5, 2)
    assert [layer.activation for layer in network.layers] == ["relu", "relu", None]
    assert [layer.name for layer in network.layers] == ["Gemm_a", "MatMul_c", "MatMul_f"]
    assert [layer.bias is None for layer in network.layers] == [False, True, False]
    expected = [w1, w2.T, w3]
    for layer, weights in zip(network.layers, expected, strict=True):
        np.testing.assert_array_equal(layer.weights, weights.astype(np.float64), strict=True)
    np.testing.assert_array_equal(network.layers[0].bias, b1.astype(np.float64))
    np.testing.assert_array_equal(network.layers[2].bias, b3[0].astype(np.float64))


def test_bfloat16_is_read_exactly(tmp_path):
    values = [1.5, -2.0, 0.00390625, 3.0, 0.0, -0.75]
    tensor = helper.make_tensor("w", TensorProto.BFLOAT16, [3, 2], values)
    graph = helper.make_graph(
        [node("Gemm", ["x", "w"], transB=1)],
        "made",
        [helper.make_tensor_value_info("x", TensorProto.BFLOAT16, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [None])],
        [tensor],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(tmp_path / "m.onnx"))
    assert read_network(tmp_path / "m.onnx").layers[0].weights.ravel().tolist() == values


@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("offset", [(5,), (1, 5), (1, 1), (), None])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.1, 3.0), (-2.0, 0.0)])
def test_gemm(tmp_path, trans_b, offset, alpha, beta):
    stored = {"w": rand(*((5, 3) if trans_b else (3, 5)))} | ({} if offset is None else {"c": rand(*offset, seed=1)})
    nodes = [node("Gemm", ["x", *stored], transB=trans_b, alpha=alpha, beta=beta)]
    network = assert_same_function(build(tmp_path / "m.onnx", nodes, stored, [None, 3]))
    (layer,) = network.layers
    rows = stored["w"] if trans_b else stored["w"].T
    # Both factors are float32: their product is exact in float64.
    np.testing.assert_array_equal(layer.weights, rows.astype(np.float64) * float(np.float32(alpha)))
    assert (layer.bias is None) == (offset is None or beta == 0)


@pytest.mark.parametrize("auto_pad", [None, "SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize(
    ("shape", "kernel", "attributes"),
    [
        ((2, 9), (4, 2, 3), {"strides": [2]}),
        ((4, 6, 5), (6, 2, 3, 2), {"group": 2, "strides": [2, 1]}),
        ((3, 7, 8), (2, 3, 2, 3), {"strides": [3, 2]}),
        ((2, 4, 3, 4), (2, 1, 2, 2, 2), {"group": 2}),
    ],
)
def test_convolutions(tmp_path, auto_pad, shape, kernel, attributes):
    axes = len(shape) - 1
    padded = {"pads": [1, 0, 2][:axes] + [0, 2, 1][:axes], "dilations": [2, 1, 1][:axes]}
    attributes = attributes | (padded if auto_pad is None else {"auto_pad": auto_pad})
    stored = {"w": rand(*kernel), "b": rand(kernel[0], seed=1)}
    path = build(tmp_path / "m.onnx", [node("Conv", ["x", "w", "b"], **attributes)], stored, ["n", *shape])
    network = assert_same_function(path)
    assert set(np.unique(network.layers[0].weights)) <= {0.0, *stored["w"].astype(np.float64).ravel().tolist()}


def test_a_convolutional_network(tmp_path):
    """Everything on one chain: scaled input, convolution, batch norm, transposition, flattening, by way of shapes."""
    stored = {
        "mean": np.float32(0.5),
        "width": np.float32(0.25),
        "k": rand(4, 2, 3, 3),
        "gain": rand(4, seed=1),
        "shift": rand(4, seed=2),
        "m": rand(4, seed=3),
        "v": np.abs(rand(4, seed=4)) + 0.1,
        "zero": np.array([0]),
        "rest": np.array([-1]),
        "w": rand(4 * 3 * 2, 5, seed=5),
        "b": rand(5, seed=6),
    }
    nodes = [
        node("Sub", ["x", "mean"], "a"),
        node("Div", ["a", "width"], "b0"),
        node("Conv", ["b0", "k"], "c", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "gain", "shift", "m", "v"], "d", epsilon=1e-3),
        node("Relu", ["d"], "e"),
        node("Dropout", ["e"], "f"),
        node("Transpose", ["f"], "g", perm=[0, 2, 3, 1]),
        node("Shape", ["g"], "s"),
        node("Gather", ["s", "zero"], "n", axis=0),
        node("Concat", ["n", "rest"], "t", axis=0),
        node("Reshape", ["g", "t"], "h"),
        node("Identity", ["h"], "i"),
        node("MatMul", ["i", "w"], "j"),
        node("Add", ["j", "b"], "l"),
        node("Unsqueeze", ["l", "zero"], "u"),
        node("Squeeze", ["u", "zero"], "z"),
        node("Cast", ["z"], "y", to=TensorProto.FLOAT),
    ]
    path = build(tmp_path / "m.onnx", nodes, stored, ["n", 2, 5, 4])
    network = assert_same_function(path, atol=1e-4)
    assert network.widths == (40, 40, 24, 5)
    assert network.input_shape == (2, 5, 4)
    assert [bool(layer.rounding) for layer in network.layers] == [False, True, False]
    assert set(np.unique(network.layers[0].weights)) == {0.0, 4.0}
    # An output that is only turned comes out turned.
    assert_same_function(build(tmp_path / "t.onnx", nodes[:7], stored, ["n", 2, 5, 4], output="g"), atol=1e-4)
    # A Relu of the input, and scaling by either side.
    nodes = [node("Relu", ["x"], "p"), node("Mul", ["width", "p"], "q"), node("Sub", ["b", "q"])]
    network = assert_same_function(build(tmp_path / "r.onnx", nodes, stored, ["n", 5]))
    assert [layer.activation for layer in network.layers] == ["relu", None]


def test_matrices_act_on_the_last_axis(tmp_path):
    path = build(tmp_path / "m.onnx", [node("MatMul", ["x", "w"])], {"w": rand(3, 2)}, ["n", 4, 3])
    assert assert_same_function(path).widths == (12, 8)
    left = build(tmp_path / "l.onnx", [node("MatMul", ["w", "x"])], {"w": rand(3, 2)}, [2])
    assert assert_same_function(left).widths == (2, 3)


def test_open_shapes(tmp_path):
    nodes = [node("Conv", ["x", "k"], "c"), node("Flatten", ["c"])]
    path = build(tmp_path / "m.onnx", nodes, {"k": rand(1, 1, 2, 2)}, ["n", 1, "height", "width"])
    with pytest.raises(InputError, match=r"leaves the shape \(n, 1, height, width\) of its input open.*--input-shape"):
        read_network(path)
    assert assert_same_function(path, input_shape=(1, 4, 3)).widths == (12, 6)
    path = build(tmp_path / "f.onnx", [node("Gemm", ["x", "w"])], {"w": rand(4, 2)}, ["n", "features"])
    assert read_network(path).widths == (4, 2)


def test_until_leaves_the_rest_out(tmp_path):
    nodes = [node("Gemm", ["x", "w"], "a"), node("Relu", ["a"], "b"), node("Softmax", ["b"])]
    path = build(tmp_path / "m.onnx", nodes, {"w": rand(3, 4)}, ["n", 3])
    with pytest.raises(InputError, match=r"the node 'Softmax_y' \(Softmax\) is not supp.*--until b reads the part"):
        read_network(path)
    assert read_network(path, until="b").layers[0].activation == "relu"
    assert read_network(path, until="a").layers[0].activation is None
    with pytest.raises(InputError, match="no tensor 'z' on its chain"):
        read_network(build(tmp_path / "s.onnx", nodes[:2], {"w": rand(3, 4)}, ["n", 3], output="b"), until="z")


W = {"w": rand(3, 3), "b": rand(3), "one": np.array(1.0, dtype=np.float32)}
TRUE = {"ratio": np.float32(0.5), "yes": np.array(True)}
REFUSED = {
    "branches": ([node("Gemm", ["x", "w"], "a"), node("Add", ["a", "x"])], W, "'x' is read by 2 nodes"),
    "squared": ([node("Mul", ["x", "x"])], W, "'x' is the input of the model; expected a stored value"),
    "computed": ([node("Exp", ["one"], "e"), node("Add", ["x", "e"])], W, "'e' is computed by 'Exp_e' (Exp)"),
    "transposed batch": ([node("Gemm", ["x", "w"], transA=1)], W, "transA"),
    "weights first": ([node("Gemm", ["w", "x"])], W, "expected as its first input"),
    "left of a batch": ([node("MatMul", ["w", "x"])], W, "the weights stand left of a batch"),
    "another length": ([node("MatMul", ["x", "w"])], {"w": rand(4, 3)}, "take vectors of length 4"),
    "three axes": ([node("MatMul", ["x", "w"])], {"w": rand(2, 3, 3)}, "expected a matrix"),
    "division": ([node("Div", ["x", "w"])], {"w": np.zeros(3, dtype=np.float32)}, "division by zero"),
    "reciprocal": ([node("Div", ["one", "x"])], W, "expected as its first input"),
    "broadcast": ([node("Add", ["x", "w"])], W, "does not broadcast"),
    "infinite": ([node("Add", ["x", "w"])], {"w": np.full(3, np.inf, dtype=np.float32)}, "'w' holds inf"),
    "training": ([node("Dropout", ["x", "ratio", "yes"])], TRUE, "drops at random"),
    "integers": ([node("Cast", ["x"], to=TensorProto.INT64)], W, "casts to INT64"),
    "shape": ([node("Reshape", ["x", "s"])], {"s": np.array([2, 2])}, "cannot become one of shape (2, 2)"),
    "no axis": ([node("Squeeze", ["x", "s"])], {"s": np.array([1])}, "Squeeze_y"),
    "custom": ([helper.make_node("Relu", ["x"], ["y"], name="mine", domain="my.own")], W, "'mine' (Relu) is not supp"),
    "no weights": ([node("Identity", ["x"])], W, "has no layer with weights"),
    "window": ([node("Conv", ["x", "k"])], {"k": rand(1, 1, 2)}, "does not fit a tensor of shape (1, 3)"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_is_refused(tmp_path, case):
    nodes, stored, message = REFUSED[case]
    used = {name: value for name, value in stored.items() if any(name in made.input for made in nodes)}
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in used.items()],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("my.own", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports), str(tmp_path / "m.onnx"))
    with pytest.raises(InputError) as error:
        read_network(tmp_path / "m.onnx")
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_data_outside_and_other_inputs_are_refused(tmp_path):
    path = build(tmp_path / "m.onnx", [node("Gemm", ["x", "w"])], {"w": rand(40, 40)}, ["n", 40])
    model = onnx.load(str(path))
    onnx.save(model, str(tmp_path / "e.onnx"), save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(InputError, match=r"keeps 'w' outside, in w.bin; .*save_as_external_data=False"):
        read_network(tmp_path / "e.onnx")
    two = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 3])]
    path = build(tmp_path / "t.onnx", [node("Add", ["x", "z"])], {}, ["n", 3], extra=two)
    with pytest.raises(InputError, match=r"has 2 inputs \(x, z\)"):
        read_network(path)
    batch = [helper.make_node("BatchNormalization", ["x", *"abcd"], ["y", "m", "v"], training_mode=1)]
    path = build(tmp_path / "b.onnx", batch, {name: np.abs(rand(3)) for name in "abcd"}, ["n", 3])
    with pytest.raises(InputError, match="normalises by the batch"):
        read_network(path)
    path = build(tmp_path / "old.onnx", [node("Add", ["x", "b"])], W, ["n", 3], opset=6)
    model = onnx.load(str(path))
    model.graph.node[0].attribute.extend([helper.make_attribute("axis", 1), helper.make_attribute("broadcast", 1)])
    onnx.save(model, str(path))
    with pytest.raises(InputError, match="as before opset 7"):
        read_network(path)


@pytest.mark.parametrize(
    ("name", "widths", "activations"),
    [
        ("gemm_transB", (2, 2, 1), ["relu", None]),
        ("gemm_not_transB", (2, 2, 1), ["relu", None]),
        ("keras_linear_131_relu", (1, 3, 1), ["relu", None]),
        ("keras_conv_7x7_relu", (49, 36), ["relu"]),
        ("convx1_gemmx1", (49, 72, 10, 1), [None, None, "relu"]),
    ],
)
def test_trained_models_of_a_package(name, widths, activations):
    """Models that PyTorch and Keras exported, from the source distribution of omlt on PyPI."""
    network = assert_same_function(MODELS / f"{name}.onnx", atol=1e-4)
    assert network.widths == widths
    assert [layer.activation for layer in network.layers] == activations


def test_a_trained_model_with_sigmoids_names_the_first():
    with pytest.raises(InputError, match=r"dense_2/Sigmoid' \(Sigmoid\) is not supported.*--until keras\S+BiasAdd:0"):
        read_network(MODELS / "keras_linear_131_sigmoid.onnx")


LINEAR = ["Linear", "Linear_no_bias", "ReLU", *(f"BatchNorm{d}d_eval" for d in (2, 3)), "BatchNorm1d_3d_input_eval"]
CONVOLUTIONS = [
    path.name.removeprefix("test_") for path in sorted((SHIPPED / "pytorch-converted").glob("test_Conv[123]d*"))
]


@pytest.mark.parametrize("name", [*LINEAR, *CONVOLUTIONS])
def test_models_in_the_wheel_of_onnx(name):
    """Exported by PyTorch and shipped in the wheel of onnx with an input and the output that PyTorch computed."""
    folder = SHIPPED / "pytorch-converted" / f"test_{name}"
    given, expected = (
        numpy_helper.to_array(onnx.load_tensor(str(folder / "test_data_set_0" / f"{which}_0.pb")))
        for which in ("input", "output")
    )
    network = read_network(folder / "model.onnx")
    np.testing.assert_allclose(network.apply(given), expected.reshape(len(expected), -1), rtol=1e-5, atol=1e-5)


def test_there_are_convolutions_in_the_wheel():
    assert len(CONVOLUTIONS) >= 25


@pytest.mark.parametrize("name", ["bvlc_alexnet", "vgg19", "resnet50"])
def test_large_images_are_refused(name):
    with pytest.raises(InputError, match=r"node 'n0' \(Conv\): as a matrix this is [0-9]+ x 150528; allowed are"):
        read_network(SHIPPED / "light" / f"light_{name}.onnx")


def test_a_network_trained_by_scikit_learn(tmp_path):
    from sklearn.datasets import load_iris
    from sklearn.neural_network import MLPRegressor

    inputs, targets = load_iris(return_X_y=True)
    trained = MLPRegressor(hidden_layer_sizes=(20, 12), solver="lbfgs", tol=1e-2, random_state=0).fit(inputs, targets)
    nodes, stored, last = [], {}, "x"
    for k, (weights, bias) in enumerate(zip(trained.coefs_, trained.intercepts_, strict=True)):
        stored |= {f"w{k}": weights, f"b{k}": bias[None]}
        nodes += [node("MatMul", [last, f"w{k}"], f"m{k}"), node("Add", [f"m{k}", f"b{k}"], f"a{k}")]
        nodes += [node("Relu", [f"a{k}"], f"r{k}")] if k < 2 else []
        last = f"r{k}"
    path = build(tmp_path / "iris.onnx", nodes, stored, [None, 4], output="a2", elem=TensorProto.DOUBLE)
    network = read_network(path)
    np.testing.assert_allclose(network.apply(inputs)[:, 0], trained.predict(inputs), rtol=1e-12)
    for layer, weights in zip(network.layers, trained.coefs_, strict=True):
        np.testing.assert_array_equal(layer.weights, weights.T)
    assert all(after.shape[1] == before.shape[0] for before, after in pairwise(network.layers))

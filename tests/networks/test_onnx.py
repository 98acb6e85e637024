"""ONNX: what is read computes what the model computes. Models made here, and models that packages ship."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from polyinj import InputError, Verdict, check_network, read_network

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


def assert_same_function(path, network=None, *, atol=1e-5, inputs=6, outputs=1, **options):
    """The network and ONNX's own reference evaluator agree on random inputs."""
    network = read_network(path, **options) if network is None else network
    model = onnx.load(str(path))
    value = model.graph.input[0]
    points = rand(inputs, *network.input_shape, seed=9)
    single = len(value.type.tensor_type.shape.dim) == len(network.input_shape)
    for point in points:
        found = ReferenceEvaluator(model).run(None, {value.name: point if single else point[None]})[:outputs]
        expected = np.concatenate([np.ravel(out) for out in found])
        np.testing.assert_allclose(network.apply([point])[0], expected, rtol=0, atol=atol)
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
    nodes = [node("Gemm", ["x", "w"], "a"), node("Relu", ["a"], "b"), node("Sqrt", ["b"])]
    path = build(tmp_path / "m.onnx", nodes, {"w": rand(3, 4)}, ["n", 3])
    with pytest.raises(InputError, match=r"the node 'Sqrt_y' \(Sqrt\) is not supp.*--until b reads the part"):
        read_network(path)
    assert read_network(path, until="b").layers[0].activation == "relu"
    assert read_network(path, until="a").layers[0].activation is None
    with pytest.raises(InputError, match="no tensor 'z' that depends on its input; there are x, a, b"):
        read_network(build(tmp_path / "s.onnx", nodes[:2], {"w": rand(3, 4)}, ["n", 3], output="b"), until="z")


W = {"w": rand(3, 3), "b": rand(3), "one": np.array(1.0, dtype=np.float32)}
TRUE = {"ratio": np.float32(0.5), "yes": np.array(True)}
REFUSED = {
    "squared": ([node("Mul", ["x", "x"])], W, "multiplies two tensors that depend on the input"),
    "two tensors": ([node("Gemm", ["x", "w"], "a"), node("MatMul", ["x", "a"])], W, "'x' is expected as its first"),
    "computed": ([node("Exp", ["one"], "e"), node("Add", ["x", "e"])], W, "'e' is computed by 'Exp_e' (Exp)"),
    "transposed batch": ([node("Gemm", ["x", "w"], transA=1)], W, "transA"),
    "weights first": ([node("Gemm", ["w", "x"])], W, "expected as its first input"),
    "left of a batch": ([node("MatMul", ["w", "x"])], W, "the weights stand left of a batch"),
    "another length": ([node("MatMul", ["x", "w"])], {"w": rand(4, 3)}, "take vectors of length 4"),
    "three axes": ([node("MatMul", ["x", "w"])], {"w": rand(2, 3, 3)}, "expected a matrix"),
    "division": ([node("Div", ["x", "w"])], {"w": np.zeros(3, dtype=np.float32)}, "division by zero"),
    "reciprocal": ([node("Div", ["one", "x"])], W, "divides by a tensor that depends on the input"),
    "broadcast": ([node("Add", ["x", "w"])], W, "does not broadcast"),
    "infinite": ([node("Add", ["x", "w"])], {"w": np.full(3, np.inf, dtype=np.float32)}, "'w' holds inf"),
    "training": ([node("Dropout", ["x", "ratio", "yes"])], TRUE, "drops at random"),
    "integers": ([node("Cast", ["x"], to=TensorProto.INT64)], W, "casts to INT64"),
    "shape": ([node("Reshape", ["x", "s"])], {"s": np.array([2, 2])}, "cannot become one of shape (2, 2)"),
    "no axis": ([node("Squeeze", ["x", "s"])], {"s": np.array([1])}, "Squeeze_y"),
    "custom": ([helper.make_node("Relu", ["x"], ["y"], name="mine", domain="my.own")], W, "'mine' (Relu) is not supp"),
    "no weights": ([node("Identity", ["x"])], W, "has no layer with weights"),
    "no columns": ([node("MatMul", ["x", "w"])], {"w": np.zeros((3, 0), dtype=np.float32)}, "0 entries"),
    "turning exponential": ([node("Selu", ["x"], alpha=-1.0, gamma=-1.0)], W, "expected a positive number"),
    "flat exponential": ([node("Selu", ["x"], gamma=0.0)], W, "gamma is 0.0"),
    "cut above": ([node("Clip", ["x", "c"])], {"c": np.float32(np.inf)}, "'c' holds inf"),
    "cut at no number": ([node("Clip", ["x", "", "c"])], {"c": np.float32(np.nan)}, "'c' holds nan"),
    "long axis": ([node("Resize", ["x", "", "s"])], {"s": np.array([1, 1e6], dtype=np.float32)}, "from 3 to 3000000"),
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


def test_data_outside_and_batches_in_training_are_refused(tmp_path):
    path = build(tmp_path / "m.onnx", [node("Gemm", ["x", "w"])], {"w": rand(40, 40)}, ["n", 40])
    model = onnx.load(str(path))
    onnx.save(model, str(tmp_path / "e.onnx"), save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(InputError, match=r"keeps 'w' outside, in w.bin; .*save_as_external_data=False"):
        read_network(tmp_path / "e.onnx")
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
    with pytest.raises(
        InputError, match=r"dense_2/Sigmoid:0' comes out of Sigmoid, which is not pie.*--until keras\S+"
    ):
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
    with pytest.raises(InputError, match=r"node 'n0' \(Conv\): as a matrix of shape [0-9]+ x 150528 .* allowed are"):
        read_network(SHIPPED / "light" / f"light_{name}.onnx")


@pytest.mark.slow
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


def save(path, nodes, stored, shape, *, elem=TensorProto.FLOAT, outputs=("y",), opset=17, inputs=(), **model):
    """Like `build`, with several outputs, and stored values that are tensors already."""
    tensors = [
        value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value), name)
        for name, value in stored.items()
    ]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", elem, shape), *inputs],
        [helper.make_tensor_value_info(name, elem, [None]) for name in outputs],
        tensors,
    )
    imports = model.pop("imports", [helper.make_opsetid("", opset), helper.make_opsetid("my.own", 1)])
    made = helper.make_model(graph, opset_imports=imports, **model)
    made.ir_version = 8
    onnx.save(made, str(path))
    return path


def test_integer_division_is_no_division(tmp_path):
    """2 and 3 have the same image in every runtime: 1."""
    nodes = [node("Div", ["x", "two"], "a"), node("Cast", ["a"], to=TensorProto.FLOAT)]
    path = save(tmp_path / "m.onnx", nodes, {"two": np.array(2)}, ["n", 1], elem=TensorProto.INT64)
    with pytest.raises(InputError, match=r"the input .x. holds INT64; expected FLOAT16, .*real numbers"):
        read_network(path)


def test_all_outputs_count(tmp_path):
    """The last output alone is not injective, both together are."""
    nodes = [node("Gemm", ["x", "w"], "h"), node("Relu", ["h"])]
    path = save(tmp_path / "m.onnx", nodes, {"w": np.eye(2, dtype=np.float32)}, ["n", 2], outputs=("h", "y"))
    both = read_network(path)
    assert both.note == "its outputs h, y stand one behind the other"
    assert check_network(both).verdict is Verdict.INJECTIVE
    assert check_network(read_network(path, until="y")).verdict is Verdict.NOT_INJECTIVE
    assert_same_function(path, both, outputs=2)
    assert read_network(path, until="h").layers[-1].activation is None
    # What stands behind the one output is no part of the model.
    path = save(tmp_path / "h.onnx", nodes, {"w": np.eye(2, dtype=np.float32)}, ["n", 2], outputs=("h",))
    assert read_network(path).layers[-1].activation is None


F32 = np.float32
HALVES = {"half": np.float16(0.5)}
SHAPE_AND_SIZE = [node("Shape", ["x"], "s"), node("ConstantOfShape", ["big"], "c"), node("Reshape", ["x", "c"])]
OTHERWISE = {
    "integer weights": ([node("Add", ["x", "w"])], {"w": np.arange(3)}, "'w' holds INT64; expected FLOAT, the type"),
    "doubles": ([node("Mul", ["x", "w"])], {"w": np.ones(3)}, "'w' holds DOUBLE; expected FLOAT"),
    "halves": ([node("Div", ["x", "half"])], HALVES, "'half' holds FLOAT16; expected FLOAT"),
    "rounding cast": ([node("Cast", ["x"], to=TensorProto.FLOAT16)], {}, "casts FLOAT to FLOAT16, which rounds"),
    "back again": ([node("Cast", ["x"], to=TensorProto.BFLOAT16)], {}, "casts FLOAT to BFLOAT16, which rounds"),
    "booleans": ([node("Cast", ["x"], to=TensorProto.BOOL)], {}, "casts to BOOL"),
    "a type behind a cast": (
        [node("Cast", ["x"], "a", to=TensorProto.DOUBLE), node("Mul", ["a", "w"])],
        {"w": F32(2)},
        "'w' holds FLOAT; expected DOUBLE",
    ),
    "infinite alpha": ([node("Gemm", ["x", "w"], alpha=float("inf"))], {"w": rand(3, 3)}, "alpha is inf"),
    "no beta": ([node("Gemm", ["x", "w", "b"], beta=float("nan"))], {"w": rand(3, 3), "b": rand(3)}, "beta nan"),
    "sparse": (
        [
            helper.make_node(
                "Constant",
                [],
                ["w"],
                sparse_value=helper.make_sparse_tensor(
                    helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]),
                    helper.make_tensor("i", TensorProto.INT64, [1], [0]),
                    [3],
                ),
            ),
            node("Add", ["x", "w"]),
        ],
        {},
        "holds a sparse tensor",
    ),
    "a bomb of zeros": (SHAPE_AND_SIZE, {"big": np.array([10**6, 10**6])}, "makes up to 1000000000000 values"),
    "a bomb of copies": (
        [*(node("Concat", [f"c{k}"] * 9, f"c{k + 1}", axis=0) for k in range(12)), node("Reshape", ["x", "c12"])],
        {"c0": np.array([3])},
        "allowed are 16777216",
    ),
    "a bomb of choices": (
        [node("Gather", ["t", "i"], "g"), node("Add", ["x", "g"])],
        {"t": rand(5000, 2), "i": np.zeros(10_000, dtype=np.int64)},
        "makes up to 100000000 values",
    ),
    "a long way": (
        [
            node("Identity", ["w"], "w0"),
            *(node("Identity", [f"w{k}"], f"w{k + 1}") for k in range(3000)),
            node("Add", ["x", "w3000"]),
        ],
        {"w": rand(3)},
        "too many nodes",
    ),
    "a shape of its own": (
        [
            helper.make_node("Shape", ["x"], ["s"], domain="my.own"),
            node("Reshape", ["x", "s"]),
        ],
        {},
        "the node 's' (Shape) is not supported",
    ),
    "a constant of its own": (
        [helper.make_node("Identity", ["w"], ["v"], domain="my.own"), node("Add", ["x", "v"])],
        {"w": rand(3)},
        "'v' is computed by 'v' (Identity); expected a stored value",
    ),
    "constants that do not fit": (
        [node("Reshape", ["w", "s"], "v"), node("Add", ["x", "v"])],
        {"w": rand(3), "s": np.array([7])},
        "'v' cannot be computed by 'Reshape_v' (Reshape)",
    ),
    "no first output": ([helper.make_node("Dropout", ["x"], ["", "y"])], {}, "is not a valid ONNX model"),
    "flat beyond": ([node("Flatten", ["x"], axis=3)], {}, "axis is 3, but the tensor has shape (1, 3)"),
    "axis twice": ([node("Unsqueeze", ["x", "a"])], {"a": np.array([0, 0])}, "axes is [0, 0]; expected different"),
    "axis before": ([node("Squeeze", ["x", "a"])], {"a": np.array([-5])}, "axes is [-5]; expected different"),
    "no axes": ([node("Squeeze", ["x", "a"])], {"a": np.zeros(0, dtype=np.int64)}, "axes is []; expected different"),
    "turned": ([node("Transpose", ["x"], perm=[1, -2])], {}, "perm is [1, -2]"),
    "negative length": ([node("Reshape", ["x", "s"])], {"s": np.array([-3])}, "has a negative length"),
    "gemm of three axes": (
        [node("Unsqueeze", ["x", "a"], "u"), node("Gemm", ["u", "w"])],
        {"a": np.array([0]), "w": rand(3, 3)},
        "has 3 axes; expected 2",
    ),
    "small norm": (
        [node("BatchNormalization", ["x", "g", "b", "m", "v"], epsilon=1e-5)],
        {"g": np.full(3, 1e-310), "b": np.zeros(3), "m": np.zeros(3), "v": np.full(3, 1e300)},
        "too small for float64",
    ),
    "large norm": (
        [node("BatchNormalization", ["x", "g", "b", "m", "v"], epsilon=1e-5)],
        {"g": np.full(3, 1e300), "b": np.zeros(3), "m": np.full(3, 1e300), "v": np.zeros(3)},
        "too large for float64",
    ),
    "norm of two lengths": (
        [node("BatchNormalization", ["x", "g", "b", "m", "v"])],
        {"g": rand(1), "b": rand(3), "m": rand(3), "v": np.abs(rand(3))},
        "expected one length",
    ),
}


@pytest.mark.parametrize("case", sorted(OTHERWISE))
def test_what_a_runtime_does_otherwise(tmp_path, case):
    nodes, stored, message = OTHERWISE[case]
    with pytest.raises(InputError) as error:
        read_network(save(tmp_path / "m.onnx", nodes, stored, ["n", 3]))
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


IMAGE = {"k": rand(2, 1, 3, 3), "b": rand(2)}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kernel_shape": [2, 2]}, "kernel_shape [2, 2]"),
        ({"pads": [1, 1]}, "pads [1, 1] do not fit"),
        ({"pads": [1] * 4, "auto_pad": "VALID"}, "auto_pad is 'VALID' beside pads [1, 1, 1, 1]"),
        ({"auto_pad": "SAME"}, "auto_pad is 'SAME' beside"),
        ({"auto_pad": "SAME_UPPER", "strides": [0, 1]}, "strides are [0, 1]"),
        ({"strides": [1]}, "strides [1] and dilations [1, 1] do not fit 2 axes"),
        ({"group": 2}, "in 2 group(s)"),
    ],
)
def test_convolutions_that_no_runtime_takes(tmp_path, attributes, message):
    path = save(tmp_path / "m.onnx", [node("Conv", ["x", "k", "b"], **attributes)], IMAGE, ["n", 1, 5, 5])
    with pytest.raises(InputError) as error:
        read_network(path)
    assert any(part in str(error.value) for part in message.split("|"))


def test_operators_before_opset_7(tmp_path):
    """Dropout and batch norm train by default there."""
    for nodes, stored in (
        ([node("Dropout", ["x"])], {}),
        ([node("BatchNormalization", ["x", *"abcd"])], {name: np.abs(rand(3)) for name in "abcd"}),
    ):
        with pytest.raises(InputError, match="as in training"):
            read_network(save(tmp_path / "m.onnx", nodes, stored, ["n", 3], opset=6))
    tested = [node("Dropout", ["x"], "a", is_test=1), node("Relu", ["a"])]
    assert read_network(save(tmp_path / "m.onnx", tested, {}, ["n", 3], opset=6)).widths == (3, 3)


def test_opsets(tmp_path):
    nodes = [node("Relu", ["x"])]
    two = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx", 6)]
    with pytest.raises(InputError, match="is of opset 6 and 17; expected one"):
        read_network(save(tmp_path / "m.onnx", nodes, {}, ["n", 3], imports=two))
    with pytest.raises(InputError, match=r"opset|valid"):
        read_network(save(tmp_path / "m.onnx", nodes, {}, ["n", 3], opset=999))
    own = helper.make_function(
        "", "Relu", ["a"], ["b"], [helper.make_node("Exp", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    with pytest.raises(InputError, match=r"defines its own 'Relu' among|valid"):
        read_network(save(tmp_path / "m.onnx", nodes, {}, ["n", 3], functions=[own]))


def test_inputs_that_are_no_tensor(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Relu", ["x"])], {}, ["n", 3])
    model = onnx.load(str(path))
    model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, ["n", 3]))
    onnx.save(model, str(path))
    with pytest.raises(InputError, match="the input 'x' is a sequence_type; expected a tensor"):
        read_network(path)


def test_inputs_with_defaults_are_taken_at_them(tmp_path):
    given = [helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2])]
    path = save(tmp_path / "m.onnx", [node("MatMul", ["x", "w"])], {"w": rand(3, 2)}, ["n", 3], inputs=given)
    np.testing.assert_array_equal(read_network(path).layers[0].weights, rand(3, 2).T)


def test_a_tensor_has_one_source(tmp_path):
    """An initializer or a node that takes a name a second time would make the chain ambiguous."""
    twice = [node("Relu", ["x"], "a"), node("MatMul", ["a", "w"])]
    for nodes, stored in (
        (twice, {"w": rand(3, 3), "a": rand(1, 3)}),
        ([*twice, node("Relu", ["x"], "a")], {"w": W["w"]}),
    ):
        with pytest.raises(InputError, match="is not a valid ONNX model"):
            read_network(save(tmp_path / "m.onnx", nodes, stored, ["n", 3]))


def test_files_that_lie(tmp_path):
    """An unknown type of entries, and bounds of Clip as attributes that are no bounds."""
    path = save(tmp_path / "m.onnx", [node("MatMul", ["x", "w"])], {"w": rand(3, 3)}, ["n", 3])
    model = onnx.load(str(path))
    model.graph.initializer[0].data_type = 99
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"'w' has entries of the unknown type 99"):
        read_network(path)
    for bound in ({"min": np.inf}, {"max": np.nan}):
        path = save(tmp_path / "m.onnx", [node("Clip", ["x"], **bound)], {}, ["n", 3], opset=6)
        with pytest.raises(InputError, match=r"it cuts to \[.*\]; expected numbers"):
            read_network(path)


def test_the_shape_given_has_to_fit(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Relu", ["x"])], {}, ["n", 1, "h", 4])
    assert read_network(path, input_shape=(1, 3, 4)).widths == (12, 12)
    for shape in ((1, 3, 5), (3, 4), (1, 1, 3, 4)):
        with pytest.raises(InputError, match="does not fit"):
            read_network(path, input_shape=shape)
    with pytest.raises(InputError, match="allowed are 16777216"):
        read_network(path, input_shape=(1, 10**9, 4))


BATCH = {"t": rand(9, 3), "s": np.array([8, 3, 1]), "r": np.array([-1, 3]), "m": np.array([3, 8]), "a": np.array([0])}
BATCH |= {"u": rand(8, 3), "k": np.eye(8, 3, dtype=bool), "o": rand(1, 8, 3)}
BATCH |= {"e": np.array([8, 3]), "f": np.array([1]), "q": np.array([8, 2, 3])}
BATCHES = {
    "turned": ([node("Transpose", ["x"])], "a batch of 8"),
    "joined": ([node("Flatten", ["x"], axis=0)], "a batch of 8"),
    "shaped": ([node("Reshape", ["x", "m"])], "a batch of 8"),
    "one more axis": ([node("Unsqueeze", ["x", "a"])], "a batch of 8"),
    "numbers for each": ([node("Max", ["x", "u"])], "a batch of 8"),
    "marks for each": ([node("Where", ["k", "x", "u"])], "a batch of 8"),
    "marks and one number": ([node("Where", ["k", "x", "x"])], "a batch of 8"),
    "sums for each": ([node("Sum", ["u", "x"])], "a batch of 8"),
    "axes before": ([node("Mean", ["x", "o"])], "a batch of 8"),
    "one beside another": ([node("Unsqueeze", ["x", "f"], "b"), node("Add", ["b", "x"])], "a batch of 8"),
    "repeated": ([node("Expand", ["x", "s"])], "a batch of 8"),
    "expanded": ([node("Unsqueeze", ["x", "f"], "b"), node("Expand", ["b", "q"])], ""),
    "as it is": ([node("Expand", ["x", "e"], "b"), node("Relu", ["b"])], ""),
    "kept": (
        [
            node("Reshape", ["x", "s"], "b"),
            node("Squeeze", ["b"], "c"),
            node("Reshape", ["c", "r"], "d"),
            node("Relu", ["d"]),
        ],
        "",
    ),
    "a choice by its length": (
        [
            node("Shape", ["x"], "s0", start=0, end=1),
            node("Gather", ["t", "s0"], "g"),
            node("Squeeze", ["g", "a"], "h"),
            node("Mul", ["x", "h"]),
        ],
        "",
    ),
}


@pytest.mark.parametrize("case", sorted(BATCHES))
def test_batches_of_fixed_length(tmp_path, case):
    """A file of 8 inputs at once is read as the map of one: where it mixes them it is refused."""
    nodes, message = BATCHES[case]
    path = save(tmp_path / "m.onnx", nodes, BATCH, [8, 3])
    if message:
        with pytest.raises(InputError, match=message):
            read_network(path)
        return
    points = rand(8, 3, seed=4)
    (expected,) = ReferenceEvaluator(onnx.load(str(path))).run(None, {"x": points})
    np.testing.assert_allclose(read_network(path).apply(points), expected.reshape(8, -1), rtol=1e-6)


def test_operations_behind_a_turned_relu(tmp_path):
    """A new layer's outputs stand in the order of the tensor, not in that of the layer before."""
    turned = [node("Relu", ["x"], "a"), node("Transpose", ["a"], "b", perm=[0, 2, 1])]
    table = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    for kind in ("Mul", "Add", "Div", "Sub"):
        assert_same_function(build(tmp_path / "m.onnx", [*turned, node(kind, ["b", "c"])], {"c": table}, ["n", 2, 3]))
    norm = [*turned, node("BatchNormalization", ["b", "g", "b0", "m", "v"])]
    stored = {name: np.abs(rand(3, seed=k)) for k, name in enumerate(("g", "b0", "m", "v"))}
    assert_same_function(build(tmp_path / "m.onnx", norm, stored, ["n", 2, 3]))


def random_chain(rng):
    """A chain of up to eight random operations on a tensor of one to three axes behind the batch."""
    shape = tuple(int(size) for size in rng.integers(1, 4, int(rng.integers(1, 4))))
    stored, nodes, tensor, current = {}, [], "x", (1, *shape)

    def store(value):
        stored[f"c{len(stored)}"] = np.asarray(value)
        return f"c{len(stored) - 1}"

    def values(*sizes):
        return (rng.integers(-4, 5, sizes) / 2).astype(np.float32)

    for place in range(int(rng.integers(1, 9))):
        kind = str(
            rng.choice(
                [
                    "MatMul",
                    "Gemm",
                    "Add",
                    "Sub",
                    "Mul",
                    "Div",
                    "Relu",
                    "Transpose",
                    "Reshape",
                    "Flatten",
                    "Squeeze",
                    "Unsqueeze",
                    "BatchNormalization",
                    "Conv",
                    "Identity",
                    "Cast",
                ]
            )
        )
        name, attributes, inputs = f"t{place}", {}, [tensor]
        if kind == "MatMul":
            inputs.append(store(values(current[-1], int(rng.integers(1, 4)))))
        elif kind == "Gemm":
            if len(current) != 2:
                continue
            rows, flip = int(rng.integers(1, 4)), bool(rng.integers(2))
            attributes = {"transB": int(flip), "alpha": float(values()), "beta": float(values())}
            inputs.append(store(values(*((rows, current[1]) if flip else (current[1], rows)))))
            if rng.integers(2):
                inputs.append(store(values(*((rows,), (1, rows), (1,))[int(rng.integers(3))])))
        elif kind in ("Add", "Sub", "Mul", "Div"):
            sizes = tuple(size if rng.integers(2) else 1 for size in current[int(rng.integers(len(current))) :])
            value = values(*sizes)
            inputs.append(store(np.where(value == 0, F32(1), value)))
            if kind != "Div" and rng.integers(2):
                inputs.reverse()
        elif kind == "Transpose":
            attributes = {"perm": [int(axis) for axis in rng.permutation(len(current))]} if rng.integers(3) else {}
        elif kind == "Reshape":
            size = int(np.prod(current))
            first = int(rng.choice([d for d in range(1, size + 1) if size % d == 0]))
            inputs.append(store(np.array([first, -1] if rng.integers(2) else [1, -1, first])))
        elif kind == "Flatten":
            attributes = {"axis": int(rng.integers(-len(current), len(current) + 1))}
        elif kind == "Squeeze":
            ones = [axis for axis, size in enumerate(current) if size == 1]
            if ones and rng.integers(2):
                inputs.append(store(np.array([int(rng.choice(ones)) - len(current)])))
        elif kind == "Unsqueeze":
            if len(current) > 4:
                continue
            inputs.append(store(np.array([int(rng.integers(-len(current) - 1, len(current) + 1))])))
        elif kind == "BatchNormalization":
            if len(current) < 2:
                continue
            inputs += [store(values(current[1])) for _ in range(3)] + [store(np.abs(values(current[1])) + F32(0.5))]
        elif kind == "Conv":
            if len(current) < 3 or current[0] != 1:
                continue
            axes = len(current) - 2
            inputs.append(store(values(2, current[1], *[int(size) for size in rng.integers(1, 3, axes)])))
            attributes = {
                "pads": [int(side) for side in rng.integers(0, 3, 2 * axes)],
                "strides": [int(side) for side in rng.integers(1, 3, axes)],
            }
        elif kind == "Cast":
            attributes = {"to": TensorProto.FLOAT}
        made = helper.make_node(kind, inputs, [name], **attributes)
        nodes.append(made)
        try:
            made = trial(nodes, stored, shape, name, np.zeros((1, *shape), dtype=np.float32))
        except Exception:
            nodes.pop()  # shapes that do not fit
            continue
        if made.ndim == 0 or made.size == 0:
            nodes.pop()
            continue
        tensor, current = name, made.shape
    return nodes, stored, shape, tensor


def trial(nodes, stored, shape, output, point):
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *shape])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])).run(
        None, {"x": point}
    )[0]


@pytest.mark.slow
def test_random_chains_against_the_reference_of_onnx(tmp_path):
    """Whatever is read computes what ONNX's own evaluator does; whatever is not is refused, not misread."""
    rng = np.random.default_rng(20)
    read = 0
    for _ in range(250):
        nodes, stored, shape, output = random_chain(rng)
        if not nodes:
            continue
        path = save(tmp_path / "m.onnx", nodes, stored, ["n", *shape], outputs=(output,))
        try:
            network = read_network(path)
        except InputError as error:
            assert "no layer" in str(error) or "node" in str(error), error  # noqa: PT017 (other lines are a fault)
            continue
        read += 1
        for point in rng.standard_normal((3, *shape)).astype(np.float32):
            expected = trial(nodes, stored, shape, output, point[None]).ravel()
            np.testing.assert_allclose(network.apply([point])[0], expected, rtol=1e-3, atol=1e-3)
    assert read > 150

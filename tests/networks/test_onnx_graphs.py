"""ONNX graphs that are no chains: what each operator does, what stands at the end, and what is refused."""

from fractions import Fraction

import numpy as np
import onnx
import pytest
from networks.runtime import Runtime, finish, make, save
from onnx import TensorProto, helper, numpy_helper

from polyinj import InputError, Verdict, check_network, read_network
from polyinj.networks import builder as builder_module


def node(kind, inputs, output="y", **attributes):
    outputs = [output] if isinstance(output, str) else output
    return helper.make_node(kind, inputs, outputs, name=f"{kind}_{outputs[0]}", **attributes)


def rand(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_same(model, path, *, ended=False, **options):
    """The network read, which is the model in the runtime."""
    network = read_network(save(model, path), **options)
    runtime = Runtime(model)
    rng = np.random.default_rng(5)
    for point in rng.standard_normal((6, network.widths[0])):
        outputs = network.apply([point])[0]
        expected = runtime(point)
        np.testing.assert_allclose(finish(network, model, outputs) if ended else outputs, expected, atol=2e-5)
    return network


W = {"w": rand(6, 4), "v": rand(6, 6, seed=1), "b": rand(6, seed=2), "half": np.float32(0.5)}
HIDDEN = [node("MatMul", ["x", "v"], "m"), node("Add", ["m", "b"], "a"), node("Relu", ["a"], "h")]


def test_a_residual_block_is_two_layers(tmp_path):
    """The input is carried past the hidden layer by six rows without ReLU, and the sum takes no layer of its own."""
    nodes = [*HIDDEN, node("MatMul", ["h", "v"], "r"), node("Add", ["r", "x"], "s"), node("Relu", ["s"])]
    network = assert_same(make(nodes, W, {"x": (1, 6)}), tmp_path / "m.onnx")
    assert network.widths == (6, 12, 6)
    assert network.layers[0].relu_rows.tolist() == [True] * 6 + [False] * 6
    np.testing.assert_array_equal(network.layers[0].weights[6:], np.eye(6))
    assert network.layers[1].activation == "relu"
    assert network.describe() == "6 -> 12 relu on 6 rows -> 6 relu"


def test_rows_that_nothing_reads_are_left_out(tmp_path):
    nodes = [*HIDDEN, node("Slice", ["h", "zero", "two", "one"], "p"), node("Abs", ["p"])]
    stored = W | {"zero": np.array([0]), "two": np.array([2]), "one": np.array([1])}
    assert assert_same(make(nodes, stored, {"x": (1, 6)}), tmp_path / "m.onnx").widths == (6, 2, 4, 2)


IMAGE = rand(1, 2, 5, 4, seed=3)
NODES = {
    "slices of the input": [
        node("Split", ["x", "parts"], ["p", "q"], axis=1),
        node("MatMul", ["p", "u"], "pu"),
        node("MatMul", ["q", "t"], "qt"),
        node("Concat", ["pu", "qt", "p"], axis=1),
    ],
    "two heads": [*HIDDEN, node("MatMul", ["h", "w"], "one"), node("MatMul", ["h", "v"], "two")],
    "sums of one input": [node("MatMul", ["x", "v"], "m"), node("Sub", ["x", "m"], "s"), node("Sum", ["s", "m", "x"])],
    "leaky": [node("MatMul", ["x", "v"], "m"), node("LeakyRelu", ["m"], alpha=0.1)],
    "prelu": [node("MatMul", ["x", "v"], "m"), node("PRelu", ["m", "b"])],
    "relu6": [node("MatMul", ["x", "v"], "m"), node("Clip", ["m", "zero32", "six"])],
    "one side": [node("MatMul", ["x", "v"], "m"), node("Clip", ["m", "", "half"], "n"), node("Clip", ["n", "less"])],
    "largest": [*HIDDEN, node("Max", ["h", "x", "b"], "l"), node("Min", ["l", "a", "half"])],
    "largest of all": [node("ReduceMax", ["x"], "l", axes=[1], keepdims=1), node("Sub", ["x", "l"])],
    "means": [*HIDDEN, node("ReduceMean", ["h"], "l", axes=[1]), node("Sub", ["h", "l"], "d"), node("Abs", ["d"])],
    "numbers beside": [*HIDDEN, node("Pad", ["h", "around", "half"], "p"), node("Relu", ["p"])],
    "chosen": [*HIDDEN, node("Gather", ["h", "chosen"], "g", axis=1), node("MatMul", ["g", "v"])],
    "negated": [*HIDDEN, node("Neg", ["h"], "g"), node("Add", ["g", "x"])],
}
STORED = W | {
    "parts": np.array([2, 4]),
    "u": rand(2, 3, seed=4),
    "t": rand(4, 3, seed=5),
    "zero32": np.float32(0),
    "six": np.float32(6),
    "less": np.float32(-1.5),
    "around": np.array([0, 2, 0, 1]),
    "chosen": np.array([5, 0, 0, -2, 3, 3]),
}


@pytest.mark.parametrize("case", sorted(NODES))
def test_vectors(case, tmp_path):
    read = {name for made in NODES[case] for name in made.input}
    stored = {name: value for name, value in STORED.items() if name in read}
    outputs = ["one", "two"] if case == "two heads" else ["y"]
    network = assert_same(make(NODES[case], stored, {"x": (1, 6)}, outputs), tmp_path / "m.onnx")
    if case == "two heads":
        assert network.note == "its outputs one, two stand one behind the other"
        assert network.widths == (6, 6, 10)


K = {"k": rand(3, 2, 2, 2, seed=6), "c": rand(2, 3, 3, 2, seed=7), "g": rand(3, seed=8), "one": np.array([1])}
WIDE = np.array([1, 1, 2, 3], dtype=np.float32)
IMAGES = {
    "max": [node("Conv", ["x", "k"], "c0"), node("MaxPool", ["c0"], kernel_shape=[2, 2], strides=[1, 2])],
    "overlapping": [node("MaxPool", ["x"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
    "mean": [node("AveragePool", ["x"], "p", kernel_shape=[2, 2]), node("Conv", ["p", "k"])],
    "global": [node("GlobalAveragePool", ["x"], "p"), node("Flatten", ["p"], "f"), node("Relu", ["f"])],
    "transposed": [
        node("ConvTranspose", ["x", "c", "g"], "t", strides=[2, 1], output_padding=[1, 0]),
        node("Relu", ["t"]),
    ],
    "twice as large": [node("Resize", ["x", "", "wide"], "r"), node("Conv", ["r", "k"], "c0"), node("Relu", ["c0"])],
    "reflected": [node("Pad", ["x", "sides"], "p", mode="reflect"), node("Conv", ["p", "k"])],
}


@pytest.mark.parametrize("case", sorted(IMAGES))
def test_images(case, tmp_path):
    given = K | {"wide": WIDE, "sides": np.array([0, 0, 1, 1, 0, 0, 1, 2])}
    read = {name for made in IMAGES[case] for name in made.input}
    stored = {name: value for name, value in given.items() if name in read}
    assert_same(make(IMAGES[case], stored, {"x": IMAGE.shape}), tmp_path / "m.onnx")


def test_the_largest_of_four_takes_two_layers(tmp_path):
    """And the convolution behind reads its sums without a layer of their own."""
    nodes = [
        node("MaxPool", ["x"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p", "k"], "c0"),
        node("Relu", ["c0"]),
    ]
    network = assert_same(make(nodes, {"k": rand(3, 1, 2, 2)}, {"x": (1, 1, 4, 4)}), tmp_path / "m.onnx")
    assert len(network.layers) == 3
    assert network.layers[0].shape == (16, 16)
    assert network.layers[2].activation == "relu"


def test_large_convolutions_are_sparse(tmp_path):
    """More entries than a dense matrix may have: an image of 3 x 40 x 40 behind 8 kernels of 3 x 3."""
    nodes = [
        node("Conv", ["x", "k"], "c0", pads=[1, 1, 1, 1]),
        node("Relu", ["c0"], "r"),
        node("GlobalAveragePool", ["r"]),
    ]
    model = make(nodes, {"k": rand(8, 3, 3, 3)}, {"x": (1, 3, 40, 40)})
    network = assert_same(model, tmp_path / "m.onnx")
    first = network.layers[0]
    assert first.shape[0] * first.shape[1] > 1 << 24
    assert first.weights.nnz < 1 << 19
    assert not first.fits_dense


@pytest.mark.parametrize("kind", ["Sigmoid", "Tanh", "Softmax", "LogSoftmax"])
def test_ends_that_keep_verdicts(kind, tmp_path):
    nodes = [node("MatMul", ["x", "w"], "m"), node(kind, ["m"])]
    network = assert_same(make(nodes, {"w": rand(3, 4)}, {"x": (1, 3)}), tmp_path / "m.onnx", ended=True)
    assert network.note.startswith(f"'y' is read before its end, {kind}")
    assert "verdicts hold behind it too" in network.note
    # Four linear outputs tell three inputs apart, and so do their Sigmoid and, here, their Softmax.
    assert check_network(network).verdict is Verdict.INJECTIVE
    # Softmax forgets a shift: with a column of ones among those of the matrix two inputs merge.
    shifted = np.concatenate([rand(2, 4), np.ones((1, 4), dtype=np.float32)])
    model = make(nodes, {"w": shifted}, {"x": (1, 3)})
    check = check_network(read_network(save(model, tmp_path / "s.onnx")))
    assert (check.verdict is Verdict.INJECTIVE) is not kind.endswith("Softmax")
    if check.collision is not None:
        first, second = (Runtime(model)([float(entry) for entry in point]) for point in check.collision)
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_what_may_stand_behind_an_end(tmp_path):
    tail = [node("Sigmoid", ["m"], "s"), node("Mul", ["s", "two"], "t"), node("Reshape", ["t", "shape"])]
    nodes = [node("MatMul", ["x", "w"], "m"), *tail]
    stored = {"w": rand(3, 4), "two": np.float32(2), "shape": np.array([1, 2, 2])}
    note = read_network(save(make(nodes, stored, {"x": (1, 3)}), tmp_path / "m.onnx")).note
    assert note.startswith("'y' is read before its end, Sigmoid, Mul,")
    for last, message in (
        (node("MatMul", ["s", "u"]), "'s' comes out of Sigmoid, which is not piecewise linear"),
        (node("Mul", ["s", "zero"]), "multiplies by 0"),
        (node("Gather", ["s", "one"], axis=1), "comes out of Sigmoid"),
        (node("Add", ["t", "wide"]), "repeats what comes out of Sigmoid"),
    ):
        given = {"u": rand(4, 4), "zero": np.float32(0), "one": np.array([1]), "wide": rand(1, 3, 4)}
        before = [*nodes[:2], node("Reshape", ["s", "flat"], "t")]
        used = {"w": stored["w"], "flat": np.array([1, 1, 4])} | {
            name: value for name, value in given.items() if name in last.input
        }
        with pytest.raises(InputError, match=message):
            read_network(save(make([*before, last], used, {"x": (1, 3)}), tmp_path / "r.onnx"))


def test_several_inputs(tmp_path):
    nodes = [node("MatMul", ["z", "u"], "m"), node("Add", ["x", "m"])]
    model = make(nodes, {"u": rand(2, 3)}, {"x": (1, 3), "z": (1, 2)})
    network = assert_same(model, tmp_path / "m.onnx")
    assert network.widths == (5, 3)
    assert network.input_shape == (5,)
    assert network.note == "its inputs x, z stand one behind the other"
    with pytest.raises(InputError, match=r"the input shape \(3,\) is for one input, but .* has 2"):
        read_network(tmp_path / "m.onnx", input_shape=(3,))


def test_what_runtimes_accept(tmp_path):
    """Nodes in any order, outputs without type, initializers of old files among the inputs, and no version of those."""
    nodes = [*HIDDEN, node("MatMul", ["h", "w"])]
    model = make(nodes, W, {"x": (1, 6)})
    expected = assert_same(model, tmp_path / "m.onnx")
    other = make(reversed(nodes), W, {"x": (1, 6)})
    other.ir_version = 3
    other.graph.input.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, W[name].shape) for name in ("v", "b")
    )
    other.graph.output[0].ClearField("type")
    found = read_network(save(other, tmp_path / "o.onnx"))
    for a, b in zip(found.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)
    circle = [node("Add", ["x", "b"], "a"), node("Add", ["a", "y"], "c"), node("Relu", ["c"])]
    with pytest.raises(InputError, match="the node 'Add_c' waits for itself"):
        read_network(save(make(circle, {"b": W["b"]}, {"x": (1, 6)}), tmp_path / "c.onnx"))


def test_the_text_of_the_checker_is_whole(tmp_path):
    model = make([node("Relu", ["nowhere"])], {}, {"x": (1, 6)})
    with pytest.raises(InputError) as error:
        read_network(save(model, tmp_path / "m.onnx"))
    assert len(str(error.value).splitlines()) == 1
    assert "nowhere" in str(error.value)
    assert "is not output of any previous node" in str(error.value)


def external(folder, location, **entries):
    """A model whose weights stand at a location."""
    weights = rand(6, 4)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "w.bin").write_bytes(b"\0" * 8 + weights.tobytes())
    model = make([node("MatMul", ["x", "w"])], {"w": weights}, {"x": (1, 6)})
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "8", "length": str(weights.nbytes), **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return save(model, folder / "m.onnx"), weights


def test_data_in_other_files(tmp_path):
    path, weights = external(tmp_path, "data/w.bin")
    with pytest.raises(InputError, match=r"keeps 'w' outside, in data/w.bin; read it with external_data=True"):
        read_network(path)
    np.testing.assert_array_equal(read_network(path, external_data=True).layers[0].weights, weights.T)
    (tmp_path / "secret").write_bytes(b"\0" * 200)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "way").symlink_to(tmp_path)
    for location, entries, message in (
        ("../secret", {}, "expected a file in the folder"),
        (str(tmp_path / "secret"), {}, "expected a file in the folder"),
        ("", {}, "expected a file in the folder"),
        ("link", {}, "which is a link"),
        ("way/secret", {}, "which is a link"),
        ("none", {}, "which is no file"),
        ("data", {}, "which is no file"),
        ("data/w.bin", {"offset": "9"}, "expected 96, of 104 there"),
        ("data/w.bin", {"offset": "-8"}, "bytes from -8 on"),
        ("data/w.bin", {"length": "7"}, "7 bytes from 8 on"),
        ("data/w.bin", {"length": "many"}, "not a valid ONNX model"),
    ):
        with pytest.raises(InputError, match=message) as error:
            read_network(external(inside, location, **entries)[0], external_data=True)
        assert len(str(error.value).splitlines()) == 1


HUGE = 10**9
HOSTILE = {
    "a window": [node("MaxPool", ["x"], kernel_shape=[HUGE, 1], pads=[HUGE, 0, HUGE, 0])],
    "a mean": [node("AveragePool", ["x"], kernel_shape=[HUGE, 1], pads=[HUGE, 0, HUGE, 0])],
    "padding": [node("Conv", ["x", "k"], pads=[HUGE, HUGE, HUGE, HUGE])],
    "transposed": [node("ConvTranspose", ["x", "k"], strides=[HUGE, HUGE])],
    "larger": [node("Resize", ["x", "", "", "sizes"])],
    "tiles": [node("Tile", ["x", "sizes"])],
    "copies": [node("Expand", ["x", "sizes"])],
    "around": [node("Pad", ["x", "pads"])],
    "in parts": [node("Split", ["x"], ["y", *(f"p{k}" for k in range(9))], axis=1)],
    "many copies": [node("Tile", ["x", "few"], "t0"), node("Tile", ["t0", "few"], "t1"), node("Tile", ["t1", "few"])],
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_small_files_that_ask_for_much(case, tmp_path):
    given = {
        "k": rand(1, 1, 2, 2),
        "sizes": np.array([1, 1, HUGE, HUGE]),
        "pads": np.array([0, 0, HUGE, 0, 0, 0, 0, HUGE]),
        "few": np.array([1, 1, 100, 100]),
    }
    read = {name for made in HOSTILE[case] for name in made.input}
    stored = {name: value for name, value in given.items() if name in read}
    with pytest.raises(InputError) as error:
        read_network(save(make(HOSTILE[case], stored, {"x": (1, 1, 2, 2)}), tmp_path / "m.onnx"))
    assert len(str(error.value).splitlines()) == 1
    assert "node" in str(error.value)


def test_the_work_of_a_file_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(builder_module, "_MOST_WORK", 5000)
    nodes = [node("MatMul", ["x" if not k else f"m{k}", "v"], f"m{k + 1}") for k in range(200)]
    with pytest.raises(InputError, match=r"node 'MatMul_m\d+' .*up to here reading takes 5\d\d\d steps"):
        read_network(save(make(nodes, {"v": W["v"]}, {"x": (1, 6)}, ["m200"]), tmp_path / "m.onnx"))


def test_whole_shapes_of_inputs(tmp_path):
    """A column of numbers is no batch of them, if one says so."""
    model = make([node("MatMul", ["u", "x"], "m"), node("Relu", ["m"])], {"u": rand(3, 6)}, {"x": (6, 1)})
    with pytest.raises(InputError, match=r"holds a batch of 6; .*--input-shape"):
        read_network(save(model, tmp_path / "m.onnx"))
    assert assert_same(model, tmp_path / "m.onnx", input_shape=(6, 1)).input_shape == (6, 1)


def test_divisions_are_exact_or_said(tmp_path):
    third = make([node("Div", ["x", "three"], "d"), node("Relu", ["d"])], {"three": np.float32(3)}, {"x": (1, 6)})
    (layer,) = read_network(save(third, tmp_path / "m.onnx")).layers
    assert layer.weights[0].tolist() == [Fraction(1, 3), 0, 0, 0, 0, 0]
    assert layer.rounding == ""
    wide = make([node("Div", ["x", "three"], "d"), node("Relu", ["d"])], {"three": np.float32(3)}, {"x": (1, 1500)})
    (layer,) = read_network(save(wide, tmp_path / "w.onnx")).layers
    assert layer.weights.nnz == 1500
    assert "fractions rounded to float64" in layer.rounding


def test_shapes_from_shapes(tmp_path):
    """The arithmetic with lengths by which exporters resize."""
    nodes = [
        node("Shape", ["x"], "s"),
        node("Slice", ["s", "two", "four"], "sizes"),
        node("Mul", ["sizes", "two"], "twice"),
        node("Slice", ["s", "zero", "two"], "front"),
        node("Concat", ["front", "twice"], "all", axis=0),
        node("Resize", ["x", "", "", "all"], "r", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        node("Relu", ["r"]),
    ]
    stored = {"zero": np.array([0]), "two": np.array([2]), "four": np.array([4])}
    assert assert_same(make(nodes, stored, {"x": (1, 1, 2, 3)}), tmp_path / "m.onnx").widths == (6, 24)


def test_models_are_files_of_onnx(tmp_path):
    assert numpy_helper.to_array(make([], {"b": W["b"]}, {"x": (1, 6)}).graph.initializer[0]).shape == (6,)
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07garbage")
    with pytest.raises(InputError, match="is not a valid ONNX model"):
        read_network(tmp_path / "m.onnx")
    assert onnx.__version__

"""Networks from arrays, safetensors and modules: every value exactly, the first thing that does not fit by its name."""

import json
import pickle
import struct
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from polyinj import InputError, Network, NetworkLayer, read_network
from polyinj.exact import lossless
from polyinj.networks.arrays import read_named_arrays
from polyinj.networks.files import read_array


def chain(*widths, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = [(m, n) for n, m in pairwise(widths)]
    return [(rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[0]).astype(dtype)) for shape in shapes]


def assert_layers(network, matrices, activations):
    assert [layer.activation for layer in network.layers] == activations
    for layer, (weights, bias) in zip(network.layers, matrices, strict=True):
        assert layer.weights.dtype == np.float64
        assert layer.rounding == ""
        np.testing.assert_array_equal(layer.weights, weights.astype(np.float64), strict=True)
        np.testing.assert_array_equal(layer.bias, bias.astype(np.float64), strict=True)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    # NumPy's format has no bfloat16.
    [
        *[("npz", dtype) for dtype in (np.float16, np.float32, np.float64)],
        *[("safetensors", dtype) for dtype in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)],
    ],
)
def test_arrays_come_back_exactly(tmp_path, dtype, kind):
    layers = chain(3, 7, 5, 2, dtype=dtype)
    arrays = {}
    for place, (weights, bias) in enumerate(layers):
        arrays |= {f"{2 * place}.weight": weights, f"{2 * place}.bias": bias}
    file = tmp_path / f"net.{kind}"
    np.savez(file, **arrays) if kind == "npz" else save_file(arrays, file)
    network = read_network(file)
    assert_layers(network, layers, ["relu", "relu", None])
    assert network.widths == (3, 7, 5, 2)
    assert repr(network) == f"Network('{file}', 3 -> 7 relu -> 5 relu -> 2)"
    assert read_network(file, final_relu=True).layers[-1].activation == "relu"
    np.testing.assert_array_equal(read_array(file, "2.weight").astype(np.float64), layers[1][0].astype(np.float64))


@pytest.mark.parametrize(
    "names",
    [
        ("weights_0", "bias_0", "weights_1", "bias_1"),
        ("W1", "b1", "W2", "b2"),
        ("fc9.weight", "fc9.bias", "fc10.weight", "fc10.bias"),
        ("model.layers.0.kernel", "model.layers.0.bias", "model.layers.3.kernel", "model.layers.3.bias"),
        ("block1.2.w", "block1.2.b", "block2.0.w", "block2.0.b"),
        ("backward_weights_0", "backward_bias_0", "backward_weights_1", "backward_bias_1"),
    ],
)
def test_names_carry_the_order(names):
    layers = chain(3, 7, 2)
    arrays = dict(zip(names, [array for layer in layers for array in layer], strict=True))
    for order in (names, names[::-1]):
        network = read_named_arrays({name: arrays[name] for name in order}, "here")
        assert_layers(network, layers, ["relu", None])
    turned = {name: array.T for name, array in arrays.items()}
    assert_layers(read_named_arrays(turned, "here", transpose=True), layers, ["relu", None])


def test_integers_are_read_exactly():
    weights = np.array([[2**62 + 1, -3]], dtype=np.int64)
    network = read_named_arrays({"W": weights}, "here")
    assert network.layers[0].weights.tolist() == [[Fraction(2**62 + 1), Fraction(-3)]]
    assert read_named_arrays({"W": np.array([[2, 3]])}, "here").layers[0].weights.dtype == np.float64


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"fc.weight": np.eye(2), "out.weight": np.eye(2)}, "nothing says in which order 'fc.weight' and 'out.weight'"),
        ({"running_mean": np.ones(2)}, "'running_mean' is neither of weights nor of a bias"),
        ({"W1": np.eye(2), "weights_1": np.eye(2), "b_1": np.ones(2)}, "nothing says in which order"),
        ({"W1": np.eye(2), "w1": np.eye(2)}, "'W1' and 'w1' are both weights of one layer"),
        ({"W1": np.eye(2), "b2": np.ones(2)}, "'b2' has no weights beside it"),
        ({"conv1.weight": np.ones((2, 1, 3, 3))}, "export the model as .onnx"),
        (
            {"W1": np.ones((3, 2)), "W2": np.ones((2, 2))},
            "layer 'W2' has 2 columns, but layer 'W1' before it has 3 rows",
        ),
        ({"W1": np.ones((3, 2)), "b1": np.ones(2)}, "the bias of W1 has shape (2,); expected (3,)"),
        ({"W1": np.full((3, 2), np.inf)}, "'W1' holds inf"),
        ({"W1": np.eye(2, dtype=complex)}, "'W1' has dtype complex128"),
        ({"W1": np.eye(2, dtype=bool)}, "'W1' has dtype bool"),
        ({}, "has no layer with weights"),
    ],
)
def test_arrays_that_are_no_chain(arrays, message):
    with pytest.raises(InputError) as error:
        read_named_arrays(arrays, "here")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    evil = tmp_path / "evil.npz"
    np.savez(evil, W1=np.array([[None]], dtype=object))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"W1": np.eye(2)}))
    (tmp_path / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0notjson!")
    header = json.dumps({"W1": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    (tmp_path / "short.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)
    (tmp_path / "garbage.onnx").write_bytes(b"\xff\xfe not a model")
    (tmp_path / "net.pt").write_bytes(b"")
    (tmp_path / "net.h5").write_bytes(b"")
    (tmp_path / "net.onnx.gz").write_bytes(b"")
    cases = {
        "evil.npz": "allow_pickle=False",
        "pickle.npz": "cannot be read as .npz",
        "broken.safetensors": "cannot be read as .safetensors",
        "short.safetensors": "cannot be read as .safetensors",
        "garbage.onnx": "is not a valid ONNX model",
        "net.pt": "suffix '.pt'; expected .onnx, .nnet, .safetensors or .npz; it is pickled",
        "net.h5": "export the model with tf2onnx",
        "net.onnx.gz": "it is compressed; unpack it first",
        "missing.onnx": "is no file",
        "missing.safetensors": "is no file",
    }
    for name, message in cases.items():
        with pytest.raises(InputError) as error:
            read_network(tmp_path / name)
        assert message in str(error.value), name
        assert len(str(error.value).splitlines()) == 1
    np.savez(tmp_path / "net.npz", W1=np.eye(2), W2=np.eye(2))
    for options in ({"until": "x"}, {"input_shape": (2,)}):
        with pytest.raises(InputError, match="holds arrays"):
            read_network(tmp_path / "net.npz", **options)
    with pytest.raises(InputError, match="are for arrays"):
        read_network(tmp_path / "garbage.onnx", transpose=True)
    with pytest.raises(InputError, match=r"external_data is for \.onnx files"):
        read_network(tmp_path / "net.npz", external_data=True)
    with pytest.raises(InputError, match="says which inputs it takes"):
        read_network(tmp_path / "net.nnet", until="x")
    with pytest.raises(InputError, match="expected positive lengths"):
        read_network(tmp_path / "garbage.onnx", input_shape=(0, 2))
    with pytest.raises(InputError, match="a dict is no network"):
        read_network({})


def test_networks_without_sense():
    with pytest.raises(InputError, match="activation is 'tanh'"):
        NetworkLayer(np.eye(2), None, "tanh")
    with pytest.raises(InputError, match="has no layer"):
        Network((), "here")
    with pytest.raises(InputError, match="does not have the 2 entries"):
        Network((NetworkLayer(np.eye(2), None, None),), "here", (1, 3))


@pytest.mark.parametrize("operation", ["add", "multiply", "divide"])
def test_lossless_arithmetic(operation):
    rng = np.random.default_rng(5)
    floats = rng.standard_normal((2, 60)) * 2.0 ** rng.integers(-40, 40, (2, 60))
    coarse = floats.astype(np.float32).astype(np.float64)
    subnormal, huge = np.full((2, 1), 5e-324), np.full((2, 1), 1.7e308)
    third = np.array([[Fraction(1, 3)], [Fraction(2, 7)]], dtype=object)
    exact = {"add": lambda x, y: x + y, "multiply": lambda x, y: x * y, "divide": lambda x, y: x / y}[operation]
    for a, b in [floats, coarse, subnormal, huge, third, (floats[0], coarse[1]), (third[0], subnormal[1])]:
        got = getattr(lossless, operation)(a, b)
        pairs = np.broadcast(a, b)
        assert [Fraction(entry) for entry in got.tolist()] == [exact(Fraction(x), Fraction(y)) for x, y in pairs]
    assert lossless.multiply(coarse[0], coarse[1]).dtype == np.float64


class Tensor:
    """What a torch tensor shows to the reader."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def detach(self):
        return self

    cpu = detach

    def double(self):
        return Tensor(self.values.astype(np.float64))

    def numpy(self):
        if self.values.dtype == ml_dtypes.bfloat16:
            raise TypeError("torch has no NumPy for bfloat16")
        return self.values


def module(kind, **attributes):
    made = type(kind, (), {})()
    for name, value in {"training": False, **attributes}.items():
        setattr(made, name, Tensor(value) if isinstance(value, np.ndarray) else value)
    return made


def sequential(*children):
    made = type(
        "Sequential", (), {"named_children": lambda self: [(str(k), child) for k, child in enumerate(children)]}
    )()
    return made


def linear(weights, bias=None):
    return module("Linear", weight=weights, bias=bias)


def conv(kernel, bias=None, **given):
    axes = kernel.ndim - 2
    settings = {"stride": (1,) * axes, "padding": (0,) * axes, "dilation": (1,) * axes, "groups": 1} | given
    return module(f"Conv{axes}d", weight=kernel, bias=bias, **{"padding_mode": "zeros"} | settings)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_modules_come_back_exactly(dtype):
    layers = chain(3, 7, 5, 2, dtype=dtype)
    first, second, third = (linear(*layer) for layer in layers)
    inner = sequential(second, module("ReLU"), module("Identity"))
    whole = sequential(first, module("ReLU"), inner, module("Dropout", p=0.5), third)
    network = read_network(whole)
    assert_layers(network, layers, ["relu", "relu", None])
    assert [layer.name for layer in network.layers] == ["0", "2.0", "4"]
    assert_layers(read_network(whole, until="2.1"), layers[:2], ["relu", "relu"])


def test_modules_with_convolutions():
    rng = np.random.default_rng(1)
    kernel, bias = rng.standard_normal((4, 1, 3, 3)), rng.standard_normal(4)
    gain, offset, mean = rng.standard_normal((3, 4))
    variance = rng.uniform(0.5, 2, 4)
    norm = module("BatchNorm2d", weight=gain, bias=offset, running_mean=mean, running_var=variance, eps=1e-5)
    flat = module("Flatten", start_dim=1, end_dim=-1)
    last = rng.standard_normal((2, 4 * 36))
    whole = sequential(conv(kernel, bias, padding="same"), norm, module("ReLU"), flat, linear(last))
    network = read_network(whole, input_shape=(1, 6, 6))
    assert network.widths == (36, 144, 2)
    assert "folded in float64" in network.layers[0].rounding
    assert network.layers[1].rounding == ""
    image = rng.standard_normal((1, 6, 6))
    wide = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    seen = np.array(
        [[[(wide[:, i : i + 3, j : j + 3] * kernel[c]).sum() for j in range(6)] for i in range(6)] for c in range(4)]
    )
    scaled = (seen + (bias - mean)[:, None, None]) * (gain / np.sqrt(variance + 1e-5))[:, None, None]
    expected = last @ np.maximum(scaled + offset[:, None, None], 0).ravel()
    np.testing.assert_allclose(network.apply([image])[0], expected, rtol=0, atol=1e-12)
    with pytest.raises(InputError, match=r"module '0' \(Conv2d\): the shape of the input is not stored"):
        read_network(whole)


@pytest.mark.parametrize(
    ("child", "message"),
    [
        (module("Softmax"), "the module '1' (Softmax) is not supported"),
        (module("AvgPool1d", kernel_size=2, stride=2, padding=0, divisor_override=3), "divisor_override is 3"),
        (module("BatchNorm1d", training=True, running_mean=np.ones(3)), "call eval()"),
        (module("BatchNorm1d", running_mean=None), "call eval()"),
        (module("Dropout", p=0.1, training=True), "call eval()"),
        (conv(np.ones((1, 1, 1)), padding_mode="reflect"), "padding_mode is 'reflect'"),
        (linear(np.ones((2, 5))), "take vectors of length 5, but what comes in has shape (1, 3)"),
        (module("ReLU", _forward_hooks={0: print}), "has forward hooks"),
        (conv(np.ones((1, 1, 1))), "does not fit a tensor of shape (1, 3)"),
    ],
)
def test_modules_that_are_no_chain(child, message):
    with pytest.raises(InputError) as error:
        read_network(sequential(linear(np.eye(3)), child))
    assert message in str(error.value)
    assert "module '1'" in str(error.value)


def test_modules_that_are_piecewise_linear():
    """Pooling, LeakyReLU and ReLU6 between matrices, and a Tanh at the end."""
    rng = np.random.default_rng(4)
    kernel, last = rng.standard_normal((2, 1, 3)), rng.standard_normal((3, 6))
    whole = sequential(
        conv(kernel, None, padding=(1,)),
        module("LeakyReLU", negative_slope=0.25),
        module("MaxPool1d", kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False),
        module("AvgPool1d", kernel_size=2, stride=1, padding=0, ceil_mode=False, count_include_pad=True),
        module("ReLU6", min_val=0.0, max_val=6.0),
        module("Flatten", start_dim=1, end_dim=-1),
        linear(last),
        module("Tanh"),
    )
    network = read_network(whole, input_shape=(1, 8))
    assert network.note.startswith("the module is read before its end, Tanh, which")
    signal = rng.standard_normal(8) * 4
    wide = np.pad(signal, 1)
    seen = np.array([[(wide[i : i + 3] * k).sum() for i in range(8)] for k in kernel[:, 0]])
    seen = np.where(seen > 0, seen, seen / 4)
    seen = np.maximum(seen[:, ::2], seen[:, 1::2])
    seen = np.clip((seen[:, :-1] + seen[:, 1:]) / 2, 0, 6)
    np.testing.assert_allclose(network.apply([signal])[0], last @ seen.ravel(), rtol=0, atol=1e-12)
    assert read_network(sequential(module("ReLU"), linear(np.eye(3)))).widths == (3, 3, 3)
    with pytest.raises(InputError, match=r"module '8' \(ReLU\): what comes out of Tanh is read at the end"):
        read_network(sequential(*[child for _, child in whole.named_children()], module("ReLU")), input_shape=(1, 8))


NNET = """// Absolute values, and their sum.
// A second line.
2,2,1,4,
2,4,1,
0,
-1.0,-1.0,
1.0,1.0,
0.5,0.5,0.0,
2.0,2.0,1.0,
1.0,0.0,
-1.0,0.0,
0.0,1.0,
0.0,-1.0,
0.0,
0.0,
0.0,
0.25,
1.0,1.0,1.0,1.0,
-0.5,
"""


def test_nnet(tmp_path):
    file = tmp_path / "net.nnet"
    file.write_text(NNET)
    network = read_network(file)
    assert network.describe() == "2 -> 4 relu -> 1"
    assert network.apply([[-3.0, 2.0], [0.0, -1.0]]).tolist() == [[4.5], [0.75]]
    assert network.note.startswith("its inputs are the normalised ones")
    lines = NNET.splitlines()
    for place, line, message in (
        (2, "2,2", "line 3: '2,2'; expected 4 integers with commas"),
        (2, "0,2,1,4", "line 3: 0 layers"),
        (3, "2,5,1,", "take 12 lines behind the header; there are 10"),
        (3, "2,4,one,", "line 4: '2,4,one,'; expected 3 integers"),
        (8, "2.0,2.0,0.0,", "line 9: '2.0,2.0,0.0,'; expected ranges other than 0"),
        (9, "1.0,", "line 10: '1.0,'; expected 2 finite numbers"),
        (10, "1.0,nan,", "line 11: '1.0,nan,'; expected 2 finite numbers"),
        (18, "1.0,x", "line 19"),
        (3, "-2,4,1", "line 4"),
        (3, "2,1000000000000000000000,1", "line 4"),
    ):
        file.write_text("\n".join([*lines[:place], line, *lines[place + 1 :]]))
        with pytest.raises(InputError) as error:
            read_network(file)
        assert message in str(error.value)
        assert len(str(error.value).splitlines()) == 1
    file.write_text("// nothing\n")
    with pytest.raises(InputError, match="expected a header of 7"):
        read_network(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"cannot be read as \.nnet"):
        read_network(file)


def test_modules_that_are_no_sequential():
    with pytest.raises(InputError, match="a SimpleNamespace is no network"):
        read_network(SimpleNamespace())
    with pytest.raises(InputError, match="there is no module '7'; there are 0, 1"):
        read_network(sequential(linear(np.eye(2)), module("ReLU")), until="7")


def test_sequentials_that_do_more():
    """A forward of one's own, or a hook on a container, is another function."""
    children = [("0", linear(np.eye(2))), ("1", module("ReLU"))]
    base = type("Sequential", (), {"named_children": lambda self: children, "forward": lambda self, x: x})
    assert read_network(base()).widths == (2, 2)
    assert read_network(type("Net", (base,), {})()).widths == (2, 2)
    with pytest.raises(InputError, match="Net has a forward of its own; expected that of torch"):
        read_network(type("Net", (base,), {"forward": lambda self, x: x + x})())
    hooked = base()
    hooked._forward_pre_hooks = {0: print}
    with pytest.raises(InputError, match="the Sequential '' has forward hooks"):
        read_network(hooked)
    inner = [("0", hooked)]
    with pytest.raises(InputError, match="the Sequential '0' has forward hooks"):
        read_network(type("Sequential", (), {"named_children": lambda self: inner})())

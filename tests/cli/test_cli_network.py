"""`polyinj check` and `verify` of networks: what they print, write and refuse."""

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers import FOLD
from onnx import TensorProto, helper, numpy_helper

SPLIT, FOLDED = (np.array(rows, dtype=float) for rows in FOLD)
JOIN = np.array([[1.0, 0, -1, 0], [0, 1, 0, -1]])
MODELS = Path(__file__).parents[1] / "networks" / "models"


def test_check_walks_an_onnx_file(tmp_path, run_main):
    stored = {"w": SPLIT, "v": JOIN}
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], name="first", transB=1),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "v"], ["c"], name="second", transB=1),
        helper.make_node("Sqrt", ["c"], ["y"], name="last"),
    ]
    sides = (("x", 2), ("y", 2))
    given, out = ([helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", n])] for name, n in sides)
    tensors = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    model = helper.make_model(helper.make_graph(nodes, "made", given, out, tensors))
    onnx.save(model, str(tmp_path / "m.onnx"))
    run = run_main("check", tmp_path / "m.onnx")
    assert (run.returncode, run.stdout) == (2, "")
    assert "the node 'last' (Sqrt) is not supported" in run.stderr
    run = run_main("check", tmp_path / "m.onnx", "--until", "c")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f"{tmp_path / 'm.onnx'}: 2 -> 4 relu -> 2",
        "layer 1, first: 4 rows, 2 columns, ReLU",
        "  injective on R^2, and so wherever the layers before end",
        "layer 2, second: 2 rows, 4 columns, no ReLU",
        "  not injective on the nonnegative orthant of R^4: fewer rows than columns",
        "network: injective on all of R^2: every layer is injective on the image of the layers before, region by "
        "region",
    ]


def test_check_says_what_it_leaves_out(tmp_path, run_main):
    nodes = [helper.make_node("Gemm", ["x", "w"], ["a"]), helper.make_node("Tanh", ["a"], ["y"])]
    ends = [[helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", n])] for name, n in (("x", 2), ("y", 4))]
    graph = helper.make_graph(nodes, "made", *ends, [numpy_helper.from_array(SPLIT.T, "w")])
    onnx.save(helper.make_model(graph), str(tmp_path / "m.onnx"))
    run = run_main("check", tmp_path / "m.onnx")
    assert run.returncode == 0
    note = (
        "'y' is read before its end, Tanh, which maps different values to different ones: verdicts hold behind it too"
    )
    assert run.stdout.splitlines()[1] == f"  {note}"
    assert json.loads(run_main("check", tmp_path / "m.onnx", "--json").stdout)["note"] == note


def test_check_walks_a_shipped_model(run_main):
    run = run_main("check", MODELS / "keras_linear_131_relu.onnx", "--json")
    document = json.loads(run.stdout)
    assert run.returncode == 1
    assert document["widths"] == [1, 3, 1]
    assert [layer["activation"] for layer in document["layers"]] == ["relu", None]
    assert document["verdict"] == "not injective"
    x, y = (Fraction(document["collision"][name][0]) for name in "xy")
    weights = [
        numpy_helper.to_array(t) for t in onnx.load(str(MODELS / "keras_linear_131_relu.onnx")).graph.initializer
    ]
    shapes = {array.shape: array for array in weights}
    before = [Fraction(float(w)) for w in shapes[(1, 3)][0]]
    shift = [Fraction(float(b)) for b in shapes[(3,)]]
    first, second = ([max(w * p + b, 0) for w, b in zip(before, shift, strict=True)] for p in (x, y))
    assert first == second
    assert x != y


def test_check_walks_named_arrays(tmp_path, run_main):
    np.savez(tmp_path / "net.npz", W1=SPLIT, W2=FOLDED)
    run = run_main("check", tmp_path / "net.npz", "--final-relu")
    assert run.returncode == 1
    assert "network: not injective on all of R^2: layer 2 merges two points" in run.stdout
    assert "  x = (" in run.stdout
    np.savez(tmp_path / "turned.npz", W1=SPLIT.T, W2=FOLDED.T)
    turned = run_main("check", tmp_path / "turned.npz", "--final-relu", "--transpose")
    assert turned.stdout.splitlines()[1:] == run.stdout.splitlines()[1:]
    assert run_main("check", tmp_path / "net.npz", "--key", "W1").returncode == 0


@pytest.mark.parametrize(
    ("layers", "options", "code", "said"),
    [
        ((SPLIT, FOLDED), ("--final-relu",), 1, "not injective on all of R^2"),
        # No layer behind the first is injective on the whole orthant: the proof is one of regions.
        ((SPLIT, JOIN), (), 0, "injective on all of R^2"),
        # A kernel on a linear region.
        ((np.eye(2), np.array([[1.0, 1], [2, 2]])), (), 1, "not injective on all of R^2"),
    ],
)
def test_a_certificate_of_the_whole_is_written_and_verified(tmp_path, run_main, layers, options, code, said):
    net, other, saved = (tmp_path / name for name in ("net.npz", "other.npz", "c.json.gz"))
    np.savez(net, **{f"W{k}": matrix for k, matrix in enumerate(layers, 1)})
    np.savez(other, **{f"W{k}": 2 * matrix for k, matrix in enumerate(layers, 1)})
    run = run_main("check", net, *options, "--certificate", saved)
    assert (run.returncode, run.stderr) == (code, "")
    assert run.stdout.splitlines()[-1] == f"wrote {saved}"
    run = run_main("verify", saved, net, *options)
    assert run.returncode == 0
    assert re.fullmatch(rf"valid: the network [0-9 >relu-]+ is {re.escape(said)}\n", run.stdout)
    run = run_main("verify", saved, other, *options)
    assert run.returncode == 1
    assert run.stdout.startswith("refused: ")


def test_a_network_on_a_domain(tmp_path, run_main):
    """Not injective on R^2, along a fold through 0, and injective away from it; a certificate says where it holds."""
    net, saved = tmp_path / "net.npz", tmp_path / "c.json"
    np.savez(net, W1=SPLIT, W2=FOLDED)
    options = ("--final-relu", "--certificate", saved)
    run = run_main("check", net, *options, "--box", "1:2")
    assert (run.returncode, run.stderr) == (0, "")
    assert "  injective on the box [1, 2] x [1, 2] of R^2, and so" in run.stdout
    assert "network: injective on the box [1, 2] x [1, 2] of R^2: every layer" in run.stdout
    run = run_main("verify", saved, net, "--final-relu", "--box", "1:2")
    assert run.returncode == 0
    assert run.stdout.endswith("is injective on the box [1, 2] x [1, 2] of R^2\n")
    run = run_main("verify", saved, net, "--final-relu")
    assert run.returncode == 1
    assert "about the box [1, 2] x [1, 2] of R^2, not about R^2; if that is meant, give --box=1:2" in run.stdout
    run = run_main("check", net, *options, "--ball", "1/2", "--ball-centre", "0,0", "--json")
    assert run.returncode == 1
    document = json.loads(run.stdout)
    assert document["domain"] == "the ball of radius 1/2 around (0, 0) in R^2"
    assert all(sum(Fraction(entry) ** 2 for entry in document["collision"][end]) <= Fraction(1, 4) for end in "xy")
    assert run_main("verify", saved, net, "--final-relu", "--ball", "1/2").returncode == 0
    assert run_main("check", net, *options, "--ball", "1/2", "--ball-centre", "2,2").returncode == 0
    assert run_main("verify", saved, net, "--final-relu", "--ball", "1/2", "--ball-centre", "2,2").returncode == 0


def test_no_certificate_of_the_whole_where_layers_are_proven_alone(tmp_path, run_main):
    np.savez(tmp_path / "net.npz", W1=np.vstack([np.eye(2), -np.eye(2)]), W2=np.eye(4))
    run = run_main("check", tmp_path / "net.npz", "--certificate", tmp_path / "c.json")
    assert run.returncode == 0
    assert "each layer is proven on its own" in run.stderr
    assert not (tmp_path / "c.json").exists()


def test_a_certificate_of_a_layer_is_refused_for_a_network(tmp_path, run_main):
    net, saved = tmp_path / "net.npz", tmp_path / "c.json"
    np.savez(net, W1=SPLIT, W2=FOLDED)
    assert run_main("check", net, "--key", "W1", "--certificate", saved).returncode == 0
    run = run_main("verify", saved, net, "--final-relu")
    assert run.returncode == 1
    assert "of one layer" in run.stdout
    assert run_main("verify", tmp_path / "lost.json", net).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.npz", "--ball", "1", "--nonnegative"), "are two domains"),
        (("net.npz", "--box", "0:1,0:1,0:1"), "expected LOW:HIGH for each of 2 columns"),
        (("net.npz", "--box", "1:0"), "expected lower < upper"),
        (("net.npz", "--ball", "-1"), "radius is -1; expected a positive number"),
        (("net.npz", "--node-limit", "5"), "--node-limit is for one layer"),
        (("net.npz", "--time-limit", "0"), "time_limit 0"),
        (("net.npz", "--until", "x"), "holds arrays"),
        (("net.onnx", "--key", "W1"), "--key is for one layer"),
        (("net.onnx",), "is no file"),
        (("w.npy", "--final-relu"), "are for networks"),
        (("net.npz", "--input-shape", "a"), "--input-shape is 'a'"),
        (("lost.npz",), "'mean_1' is neither of weights nor of a bias"),
    ],
)
def test_bad_options_for_networks(tmp_path, run_main, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    np.savez("net.npz", W1=np.eye(2), W2=np.eye(2))
    np.savez("lost.npz", W1=np.eye(2), mean_1=np.eye(2))
    np.save("w.npy", np.eye(2))
    run = run_main("check", *arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_a_claim_is_stated_whole(tmp_path, run_main):
    """On which domain, of which map, and which layers were rounded; names from the file are escaped."""
    stored = {
        "w": SPLIT.astype(np.float32),
        **{name: np.full(4, value, dtype=np.float32) for name, value in (("g", 2), ("b", 0), ("m", 0), ("v", 3))},
    }
    evil = "norm\nnetwork: injective\x1b[2J\u202e" + "x" * 500
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], name="first\nvalid: yes", transB=1),
        helper.make_node("BatchNormalization", ["a", "g", "b", "m", "v"], ["c"], name=evil),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "u"], ["y"], name="last", transB=1),
    ]
    stored["u"] = JOIN.astype(np.float32)
    given, out = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2])] for name in "xy")
    tensors = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "made", given, out, tensors), opset_imports=[helper.make_opsetid("", 17)]
    )
    onnx.save(model, str(tmp_path / "m.onnx"))
    run = run_main("check", tmp_path / "m.onnx", "--certificate", tmp_path / "c.json")
    assert run.returncode == 0
    lines = run.stdout.splitlines()
    assert len(lines) == 8
    assert lines[1].startswith("layer 1, first\\nvalid: yes: 4 rows")
    claim = "injective on all of R^2, as rounded in layer 1 (norm\\nnetwork: injective\\x1b[2J\\u202ex"
    assert lines[6].startswith(f"network: {claim}")
    assert all(c.isprintable() for line in lines for c in line)
    assert max(map(len, lines)) < 500
    run = run_main("verify", tmp_path / "c.json", tmp_path / "m.onnx")
    assert run.returncode == 0
    assert run.stdout.startswith(f"valid: the network 2 -> 4 relu -> 2 is {claim}")
    assert len(run.stdout.splitlines()) == 1
    document = json.loads(run_main("check", tmp_path / "m.onnx", "--json").stdout)
    assert document["domain"] == "all"
    assert document["claim"].startswith("injective on all of R^2, as rounded in layer 1")

"""Layer by layer and as a whole: verdicts that are known, replayed collisions, and what the shell prints."""

import json
import re
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from polyinj import CertificateError, InputError, Network, NetworkLayer, Verdict, check_network, decide_injectivity
from polyinj.cli.app import main
from polyinj.deep.flat_region import collision_at, find_flat_region

MODELS = Path(__file__).parents[1] / "networks" / "models"
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
        spoiled = replace(check, collision=(check.collision[0], tuple(e + 100 for e in check.collision[1])))
        with pytest.raises(CertificateError, match="do not collide"):
            spoiled.verify()
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
    twin = network(*(NetworkLayer(w, b, "relu") for w, b in zip(weights, biases, strict=True)))
    assert twin.widths == (3, 10, 4, 12, 4)
    rng = np.random.default_rng(0)
    for _ in range(5):
        point = [Fraction(entry) for entry in rng.standard_normal(3).tolist()]
        out = net.apply_exactly(point)
        expected = [max(entry, Fraction(0)) for entry in (*out, *(-entry for entry in out))]
        assert twin.apply_exactly(point) == expected
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
    """The inverse behind the walk once had room for 64 rows: this crashed."""
    rng = np.random.default_rng(0)
    layer = NetworkLayer(rng.standard_normal((75, 75)), None, "relu")
    assert check_network(network(layer), time_limit=5).verdict is Verdict.NOT_INJECTIVE


@pytest.fixture
def run_main(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["polyinj", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=stop.value.code or 0, stdout=printed.out, stderr=printed.err)

    return run


def test_check_walks_an_onnx_file(tmp_path, run_main):
    stored = {"w": SPLIT.weights, "v": JOIN.weights}
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], name="first", transB=1),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "v"], ["c"], name="second", transB=1),
        helper.make_node("Softmax", ["c"], ["y"], name="last"),
    ]
    sides = (("x", 2), ("y", 2))
    given, out = ([helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", n])] for name, n in sides)
    tensors = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    model = helper.make_model(helper.make_graph(nodes, "made", given, out, tensors))
    onnx.save(model, str(tmp_path / "m.onnx"))
    run = run_main("check", tmp_path / "m.onnx")
    assert (run.returncode, run.stdout) == (2, "")
    assert "the node 'last' (Softmax) is not supported" in run.stderr
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
    np.savez(tmp_path / "net.npz", W1=SPLIT.weights, W2=FOLD.weights)
    run = run_main("check", tmp_path / "net.npz", "--final-relu")
    assert run.returncode == 1
    assert "network: not injective on all of R^2: layer 2 merges two points" in run.stdout
    assert "  x = (" in run.stdout
    np.savez(tmp_path / "turned.npz", W1=SPLIT.weights.T, W2=FOLD.weights.T)
    turned = run_main("check", tmp_path / "turned.npz", "--final-relu", "--transpose")
    assert turned.stdout.splitlines()[1:] == run.stdout.splitlines()[1:]
    assert run_main("check", tmp_path / "net.npz", "--key", "W1").returncode == 0


@pytest.mark.parametrize(
    ("layers", "options", "code", "said"),
    [
        ((SPLIT.weights, FOLD.weights), ("--final-relu",), 1, "not injective on all of R^2"),
        # No layer behind the first is injective on the whole orthant: the proof is one of regions.
        ((SPLIT.weights, np.array([[1.0, 0, -1, 0], [0, 1, 0, -1]])), (), 0, "injective on all of R^2"),
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


def test_no_certificate_of_the_whole_where_layers_are_proven_alone(tmp_path, run_main):
    np.savez(tmp_path / "net.npz", W1=np.vstack([np.eye(2), -np.eye(2)]), W2=np.eye(4))
    run = run_main("check", tmp_path / "net.npz", "--certificate", tmp_path / "c.json")
    assert run.returncode == 0
    assert "each layer is proven on its own" in run.stderr
    assert not (tmp_path / "c.json").exists()


def test_a_certificate_of_a_layer_is_refused_for_a_network(tmp_path, run_main):
    net, saved = tmp_path / "net.npz", tmp_path / "c.json"
    np.savez(net, W1=SPLIT.weights, W2=FOLD.weights)
    assert run_main("check", net, "--key", "W1", "--certificate", saved).returncode == 0
    run = run_main("verify", saved, net, "--final-relu")
    assert run.returncode == 1
    assert "of one layer" in run.stdout
    assert run_main("verify", tmp_path / "lost.json", net).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.npz", "--ball", "1"), "--ball is for one layer"),
        (("net.npz", "--nonnegative"), "--nonnegative is for one layer"),
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
        "w": SPLIT.weights.astype(np.float32),
        **{name: np.full(4, value, dtype=np.float32) for name, value in (("g", 2), ("b", 0), ("m", 0), ("v", 3))},
    }
    evil = "norm\nnetwork: injective\x1b[2J\u202e" + "x" * 500
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], name="first\nvalid: yes", transB=1),
        helper.make_node("BatchNormalization", ["a", "g", "b", "m", "v"], ["c"], name=evil),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "u"], ["y"], name="last", transB=1),
    ]
    stored["u"] = JOIN.weights.astype(np.float32)
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


def test_a_claim_that_assumes_something():
    layers = [SPLIT, NetworkLayer(np.concatenate([np.eye(4), -np.eye(4)]), np.ones(8), "relu", "wide")]
    check = check_network(network(*layers))
    assert check.claim == "injective on all of R^2"
    assert replace(check, assumes_general_position=True).claim == (
        "injective on all of R^2, if the rows are in general position"
    )

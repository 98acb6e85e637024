"""Networks of the shapes of public verification benchmarks: read, beside a runtime, judged, and verdicts replayed.

    POLYINJ_JUDGE_ALL=1 pytest tests/networks/test_benchmark_shapes.py

judges those too that take a second and more each.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks.runtime import Runtime, finish, save

from polyinj import Verdict, bound_network, check_network, read_network

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmark_networks.py"
spec = importlib.util.spec_from_file_location("benchmark_networks", SCRIPT)
benchmark_networks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark_networks)

NAMES = list(benchmark_networks.SHAPES)
# The one that is one-to-one by its construction.
INJECTIVE = {"coupling_flow"}
# Its first layer merges points in a cell that may be too narrow for the runtime's float32 to tell them apart.
NARROW = {"autoencoder"}
# Judged only where all are.
DEAR = {"mnist_256x2", "mnist_256x4", "mnist_256x6", "mnist_conv_medium", "mnist_conv_maxpool", "cifar_conv_small"}
DEAR |= {"cifar_wide", "cifar_deep", "cifar_resnet_2b", "cifar_resnet_4b_norm", "squeezenet_small", "detector_small"}
DEAR |= {"unet_small", "upsampling_small", "residual_mlp", "cifar_base", "vgg_small"}


def test_there_are_thirty():
    assert len(set(NAMES) - DEAR) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shapes(name, tmp_path):
    model = benchmark_networks.make_model(name)
    network = read_network(save(model, tmp_path / f"{name}.onnx"))
    runtime = Runtime(model)
    assert runtime.inputs == network.widths[0]
    rng = np.random.default_rng(0)
    for point in rng.standard_normal((3, network.widths[0])):
        outputs, expected = finish(network, model, network.apply([point])[0]), runtime(point)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=2e-5)
    exact = [layer for layer in network.layers if object in (layer.weights.dtype, getattr(layer.bias, "dtype", None))]
    if network.widths[0] <= 30 and max(network.widths) <= 100 and not exact:
        bounds = bound_network(network, point - 0.01, point + 0.01, "crown-ibp")
        found = network.apply([point])[0]
        assert (bounds.lower <= found).all()
        assert (bounds.upper >= found).all()
    if name in DEAR and not os.environ.get("POLYINJ_JUDGE_ALL"):
        return
    check = check_network(network, time_limit=0.5)
    wrong = Verdict.NOT_INJECTIVE if name in INJECTIVE else Verdict.INJECTIVE
    assert check.verdict is not wrong
    if check.verdict is not Verdict.UNDECIDED:
        check.verify()
    if check.collision is not None:
        assert replay(runtime, check.collision) or name in NARROW


def replay(runtime, pair):
    """Two inputs with one output up to its rounding; whether the runtime tells the inputs apart."""
    first, second = (np.array([float(entry) for entry in point]) for point in pair)
    size = max(1.0, np.abs([first, second]).max())
    np.testing.assert_allclose(runtime(first), runtime(second), rtol=1e-4, atol=1e-5 * size)
    return bool((first.astype(np.float32) != second.astype(np.float32)).any())


def test_the_script_writes_them(tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path / "made"), "acasxu", "two_heads"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == f"wrote 2 networks to {tmp_path / 'made'}\n"
    assert read_network(tmp_path / "made" / "acasxu.onnx").describe().startswith("5 -> 50 relu -> 50 relu")
    assert benchmark_networks.make_model("acasxu") == benchmark_networks.make_model("acasxu")
    refused = subprocess.run([*command, "nothing"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "no shapes nothing" in refused.stderr

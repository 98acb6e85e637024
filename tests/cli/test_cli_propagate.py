"""`polyinj propagate`: it runs what was asked for, compares laws and refuses bad names."""

import numpy as np
import pytest

from polyinj import Propagation, RandomNetwork, propagate
from polyinj.cli import propagate as propagate_command
from polyinj.propagation.initialisation import gaussian_inputs


@pytest.mark.slow
def test_a_law_is_run(run_main, tmp_path):
    design = ["--width", 24, "--depth", 6, "--batch", 8, "--networks", 2, "--seed", 3]
    laws = [
        "--sigma-w",
        "1.2",
        "--sigma-b",
        "0.1",
        "--normalisation",
        "layer",
        "--residual",
        "0.5",
        "--dtype",
        "float32",
        "--inputs",
        "gaussian",
    ]
    ran = run_main("propagate", *design, *laws, "--out", tmp_path)
    assert ran.returncode == 0
    assert "wrote" in ran.stdout
    network = RandomNetwork(24, 6, "gaussian", 1.2, 0.1, "layer", False, 0.5)
    run = propagate(network, gaussian_inputs(8, 24, seed=3), networks=2, seed=3, dtype="float32")
    loaded = Propagation.load(tmp_path)
    assert np.array_equal(loaded.values, run.values)
    assert np.array_equal(loaded.theory()["effective_rank"], run.theory()["effective_rank"])


@pytest.mark.slow
def test_laws_are_compared(monkeypatch, run_main, tmp_path):
    laws = propagate_command.comparison(16, 4)
    assert len(laws) == 8
    chosen = {name: laws[name] for name in ("orthogonal", "residual, batch norm")}
    monkeypatch.setattr(propagate_command, "comparison", lambda width, depth: chosen)
    design = ["--width", 16, "--depth", 4, "--batch", 6, "--networks", 2]
    ran = run_main("propagate", *design, "--compare", "--out", tmp_path)
    assert ran.returncode == 0
    assert "batch norm" in ran.stdout
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
    assert Propagation.load(tmp_path / "residual-batch-norm").network.normalisation == "batch"


def test_unknown_names_are_refused(run_main, tmp_path):
    ran = run_main("propagate", "--init", "haar", "--out", tmp_path / "nothing")
    assert ran.returncode == 2
    assert "initialisation is 'haar'" in ran.stderr
    assert not (tmp_path / "nothing").exists()
    for options, message in ((["--inputs", "uniform"], "inputs is 'uniform'"), (["--inputs", "gaussian"], "cosine is")):
        ran = run_main("propagate", *options, "--cosine", "0.5", "--out", tmp_path / "nothing")
        assert ran.returncode == 2
        assert message in ran.stderr

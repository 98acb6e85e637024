"""`polyinj inspect`: what it prints, saves and refuses."""

import json

import numpy as np
import pytest

WEIGHTS = {
    "W1": np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]),
    "W2": np.array([[1.0, 0, 1, 0], [0, 1, 0, -1]]),
}


@pytest.mark.slow
def test_inspect_prints_and_saves(tmp_path, run_main):
    np.savez(tmp_path / "net.npz", **WEIGHTS)
    np.save(tmp_path / "x.npy", np.array([[1.0, 2], [-1, 2], [3, -1]]))
    out = tmp_path / "results"
    run = run_main(
        "inspect", tmp_path / "net.npz", "--data", tmp_path / "x.npy", "--pairs", "0-1, 0-2", "--exact", "--out", out
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "2 -> 4 relu -> 2: 3 inputs, exact ranks; neurons on [-1, 3] x [-1, 2]" in " ".join(run.stdout.split())
    lines = [" ".join(line.split()) for line in run.stdout.splitlines()]
    assert any(line.startswith("1 W1 4 4 0 0 2 (2..2) 2 (2..2) 0.0% 1 1") for line in lines)
    assert "0, 1 layer 2 0" in lines
    assert any(line.startswith("0, 2 none") for line in lines)
    assert lines[-1].startswith("wrote ")
    document = json.loads((out / "information.json").read_text())
    assert [pair["layer"] for pair in document["pairs"]] == [2, 0]
    assert (out / "information.png").stat().st_size > 1000


@pytest.mark.slow
def test_inspect_of_a_box_alone(tmp_path, run_main):
    np.savez(tmp_path / "net.npz", **WEIGHTS)
    run = run_main("inspect", tmp_path / "net.npz", "--box", "1:2", "--out", tmp_path)
    assert run.returncode == 0
    lines = [" ".join(line.split()) for line in run.stdout.splitlines()]
    assert "1 W1 4 4 2 2" in lines
    assert "2 W2 2 0 0 0" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.npz",), "neither data nor a box is given"),
        (("w.npy", "--box", "0:1"), "w.npy is no network"),
        (("lost.onnx", "--box", "0:1"), "is no file"),
        (("net.npz", "--data", "lost.npy"), "is no file"),
        (("net.npz", "--data", "x.txt"), "has the suffix"),
        (("net.npz", "--data", "w.npy"), "data has shape (4, 3); expected (k, 2)"),
        (("net.npz", "--data", "x.npy", "--pairs", "0:1"), "--pairs is '0:1'; expected places of inputs"),
        (("net.npz", "--data", "x.npy", "--pairs", "0-9"), "two places in the data, from 0 to 1"),
        (("net.npz", "--box", "0:inf"), "a side without end"),
        (("net.npz", "--box", "0"), "expected LOW:HIGH"),
        (("net.npz", "--box", "0:1", "--relaxation", "best"), "best"),
        (("net.npz", "--box", "0:1", "--until", "x"), "holds arrays"),
    ],
)
def test_what_inspect_refuses(tmp_path, run_main, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    np.savez("net.npz", **WEIGHTS)
    np.save("w.npy", np.ones((4, 3)))
    np.save("x.npy", np.ones((2, 2)))
    run = run_main("inspect", *arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1

"""Files written by earlier versions load, verify and go on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import polyinj
from polyinj import Ball
from polyinj.studies.deep_networks import DeepGaussianEnsemble, InjectiveLayers

FOLDER = Path(__file__).parent / "written_before"


def network(name):
    with np.load(FOLDER / f"{name}.npz") as file:
        return [file["0.weight"], file["1.weight"]]


@pytest.mark.parametrize(
    ("name", "layer", "kind"),
    [
        ("layer.json", "layer.npy", "InjectivityProof"),
        ("layer.json.gz", "layer.npy", "InjectivityProof"),
        ("collision.json", "collision_layer.npy", "Collision"),
    ],
)
def test_certificates_of_layers(name, layer, kind):
    weights = np.load(FOLDER / layer)
    certificate = polyinj.load_certificate(FOLDER / name)
    assert type(certificate).__name__ == kind
    certificate.verify(weights)
    with pytest.raises(polyinj.CertificateError):
        certificate.verify(weights + 1)


def test_a_certificate_of_depth():
    proof = polyinj.load_certificate(FOLDER / "depth.json")
    proof.verify_depth(np.load(FOLDER / "depth_layer.npy"))
    assert proof.budget == 1


def test_a_certificate_on_a_ball():
    with np.load(FOLDER / "ball_layer.npz") as file:
        polyinj.load_certificate(FOLDER / "ball.json").verify(file["weights"], file["bias"], Ball([0, 0], 1))


@pytest.mark.parametrize("ending", ["json", "json.gz"])
@pytest.mark.parametrize(
    ("name", "kind"), [("network", polyinj.NetworkProof), ("network_collision", polyinj.NetworkCollision)]
)
def test_certificates_of_networks(name, kind, ending):
    certificate = polyinj.load_network_certificate(FOLDER / f"{name}.{ending}")
    assert isinstance(certificate, kind)
    certificate.verify(network(name))
    with pytest.raises(polyinj.CertificateError):
        certificate.verify([2 * weights for weights in network(name)])


@pytest.mark.parametrize(
    ("name", "kind", "rows"),
    [
        ("transition", polyinj.Transition, 3),
        ("counts.csv", polyinj.Transition, 3),
        ("transition.store", polyinj.Transition, 3),
        ("deep", polyinj.DeepTransition, 4),
        ("angles", polyinj.AngleInjectivity, 2),
        ("witnesses", polyinj.WitnessSweep, 2),
        ("robustness", polyinj.RobustnessStudy, 2),
        ("relaxations", polyinj.RelaxationStudy, 2),
    ],
)
def test_results(name, kind, rows):
    result = kind.load(FOLDER / name)
    assert len(result.rows) == rows


def test_propagation():
    assert polyinj.Propagation.load(FOLDER / "propagation").layers == (0, 1, 2, 3, 4)


@pytest.mark.slow
def test_loaded_results_are_those_that_are_computed_today():
    run = polyinj.estimate_transition([2], [2, 3, 4], 20, seed=0, workers=1, progress=False)
    for name in ("transition", "transition.store"):
        assert polyinj.Transition.load(FOLDER / name).rows == run.rows
    deep = polyinj.estimate_deep_transition([2], [1, 2], [3.0, 4.0], 10, seed=0, workers=1, progress=False)
    before = [replace(row, widths="", kept=0, kept_low=0, kept_high=0) for row in deep.rows]
    loaded = polyinj.DeepTransition.load(FOLDER / "deep")
    # What a row says beyond these came later.
    assert [replace(row, kept=0, kept_low=0, kept_high=0) for row in loaded.rows] == before
    assert loaded.kept_points == ()


def test_stores_go_on(tmp_path):
    """What a store calls an ensemble and a statistic does not follow the files in which they stand."""
    store = tmp_path / "deep.store"
    store.write_bytes((FOLDER / "deep.store").read_bytes())
    with ThreadPoolExecutor(1) as executor:
        run = polyinj.simulate(
            DeepGaussianEnsemble(6, 2, 2),
            InjectiveLayers(1000),
            5,
            seed=0,
            executor=executor,
            store=store,
            progress=False,
        )
        fresh = polyinj.simulate(
            DeepGaussianEnsemble(6, 2, 2), InjectiveLayers(1000), 5, seed=0, executor=executor, progress=False
        )
    np.testing.assert_array_equal(run.values, fresh.values)
    transition = tmp_path / "transition.store"
    transition.write_bytes((FOLDER / "transition.store").read_bytes())
    again = polyinj.estimate_transition([2], [2, 3, 4], 25, seed=0, workers=1, store=transition, progress=False)
    assert {row.trials for row in again.rows} == {25}

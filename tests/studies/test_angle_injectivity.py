"""The study of angles: least singular values of regions, verdicts beside them, files and the shell."""

import math

import numpy as np
import pytest

from polyinj import (
    AngleInjectivity,
    InputError,
    RandomNetwork,
    Verdict,
    decide_network_injectivity,
    inverse_lipschitz,
    propagate,
    relate_angles_to_injectivity,
)
from polyinj.studies.angle_injectivity import singular_values_of_regions


@pytest.fixture(scope="module")
def study():
    return relate_angles_to_injectivity(10, 4, 25, seed=2)


def test_singular_values_of_regions_are_those_of_jacobians():
    """Against finite differences in many directions: every region found has its values, and all angles add up."""
    weights = [layer.weights for layer in RandomNetwork(9, 3, inputs=2).layers(4, 0)]
    found = singular_values_of_regions(weights)
    # First layer: 2 m cells of a central arrangement in the plane.
    assert len(found[0]) == 18
    for depth, values in enumerate(found, 1):
        found = set()
        for angle in np.random.default_rng(0).uniform(0, 2 * math.pi, 3000):
            x, jacobian = np.array([math.cos(angle), math.sin(angle)]), np.eye(2)
            for matrix in weights[:depth]:
                active = matrix @ x > 0
                x, jacobian = np.where(active, matrix @ x, 0), active[:, None] * (matrix @ jacobian)
            found.add(tuple(np.linalg.svd(jacobian, compute_uv=False).round(9)))
        known = {tuple(row) for row in values.round(9)}
        assert found <= known
        # Regions narrower than a thousandth of the circle may be missed.
        assert len(found) > 0.8 * len(known)


@pytest.mark.slow
def test_injectivity_beside_angles(study):
    law = RandomNetwork(width=10, depth=4, inputs=2)
    weights = [[math.exp(layer.log_scale) * layer.weights for layer in law.layers(study.seed, k)] for k in range(25)]
    one = [inverse_lipschitz(w[0]).upper for w in weights]
    first = study.rows[0]
    assert first.least == pytest.approx(np.median(one))
    assert first.injective == sum(value > 0 for value in one)
    for row, after in zip(study.rows, study.rows[1:], strict=False):
        assert after.injective <= row.injective
        assert after.regions > row.regions
    for depth in range(1, 5):
        decided = [decide_network_injectivity(w[:depth], certificate=False).verdict for w in weights]
        assert study.rows[depth - 1].injective == decided.count(Verdict.INJECTIVE)
    cosines = propagate(law, batch=2, networks=25, probes=0, seed=study.seed).observable("cosine")
    assert study.rows[3].cosine == pytest.approx(np.nanmean(cosines[:, 4]))


@pytest.mark.slow
def test_files_and_shell(run_main, tmp_path, study):
    design = ["--injectivity", "--width", "10", "--depth", "4", "--networks", "25", "--seed", "2"]
    ran = run_main("propagate", *design, "--out", tmp_path)
    assert ran.returncode == 0
    assert "P(injective)" in ran.stdout
    assert AngleInjectivity.load(tmp_path) == study
    with pytest.raises(InputError, match="expected at least 2, 1 and 0"):
        relate_angles_to_injectivity(1, 1, 1, seed=0)

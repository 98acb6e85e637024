"""Laws of matrices, how they are described, and that no verdict about discrete ones rests on general position."""

from dataclasses import dataclass
from functools import partial
from math import isnan

import numpy as np
import pytest
from reference.injectivity import brute_force_injective
from scipy.stats import kstest, norm, t

from polyinj import Arrangement, GaussianEnsemble, InputError, simulate
from polyinj.simulation import statistics
from polyinj.simulation.ensembles import (
    OrthonormalEnsemble,
    RademacherEnsemble,
    ResampledRowsEnsemble,
    SparseGaussianEnsemble,
    SphereEnsemble,
    StudentEnsemble,
)
from polyinj.simulation.executors import InProcess
from polyinj.simulation.store.fingerprint import describe_ensemble, describe_statistic, readable

# Every statistical test below fails by chance with probability at most this, for a seed drawn at random.
FALSE_ALARM = 1e-7
TRAINED = np.random.default_rng(9).standard_normal((10, 3))
ENSEMBLES = [
    GaussianEnsemble(8, 3),
    RademacherEnsemble(8, 3),
    SphereEnsemble(8, 3),
    SparseGaussianEnsemble(8, 3, 0.4),
    StudentEnsemble(8, 3, 1.5),
    OrthonormalEnsemble(8, 3),
    ResampledRowsEnsemble(8, TRAINED),
]


def draw(ensemble, count, seed=0):
    return np.array([ensemble.sample(np.random.default_rng((seed, k))) for k in range(count)])


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=lambda e: type(e).__name__)
def test_samples_repeat_and_have_their_shape(ensemble):
    samples = draw(ensemble, 3)
    assert ensemble.shape == samples[0].shape == (8, 3)
    assert np.array_equal(samples, draw(ensemble, 3))
    assert not np.array_equal(samples[0], samples[1])
    assert samples.dtype == np.float64


def fits(values, distribution):
    return kstest(np.ravel(values), distribution).pvalue > FALSE_ALARM


def test_entries_have_their_law():
    samples = {type(ensemble): draw(ensemble, 400, seed=1) for ensemble in ENSEMBLES}
    assert fits(samples[GaussianEnsemble], norm.cdf)
    assert fits(samples[StudentEnsemble], t(1.5).cdf)
    signs = samples[RademacherEnsemble]
    assert set(np.unique(signs)) == {-1.0, 1.0}
    # 9600 fair coins: the standard deviation of their mean is 1/98.
    assert abs(signs.mean()) * 98 < norm.isf(FALSE_ALARM / 2)
    sparse = samples[SparseGaussianEnsemble]
    assert abs((sparse != 0).mean() - 0.4) * np.sqrt(9600 / 0.24) < norm.isf(FALSE_ALARM / 2)
    assert fits(sparse[sparse != 0], norm.cdf)
    # Archimedes: a coordinate of a uniform point on the sphere in R^3 is uniform.
    assert np.allclose((samples[SphereEnsemble] ** 2).sum(axis=2), 1)
    assert fits((samples[SphereEnsemble][:, :, 0] + 1) / 2, "uniform")


def test_orthonormal_columns_are_uniform():
    columns = draw(OrthonormalEnsemble(3, 2), 2000, seed=2)
    assert np.allclose(columns.transpose(0, 2, 1) @ columns, np.eye(2))
    # Each column, and the cross product of both, is a uniform point on the sphere.
    for j in range(2):
        assert fits((columns[:, :, j] @ [0.6, 0, 0.8] + 1) / 2, "uniform")
    assert fits((np.cross(columns[:, :, 0], columns[:, :, 1])[:, 0] + 1) / 2, "uniform")
    square = draw(OrthonormalEnsemble(40, 40), 1)[0]
    assert np.allclose(square @ square.T, np.eye(40), atol=1e-12)


def test_resampled_rows_are_rows():
    lines = set(map(tuple, TRAINED.tolist()))
    drawn = draw(ResampledRowsEnsemble(8, TRAINED), 50)
    assert set(map(tuple, drawn.reshape(-1, 3).tolist())) == lines
    assert any(len(set(map(tuple, sample.tolist()))) < 8 for sample in drawn)
    for sample in draw(ResampledRowsEnsemble(10, TRAINED, replace=False), 5):
        assert set(map(tuple, sample.tolist())) == lines


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RademacherEnsemble(3, 0), "at least one row"),
        (lambda: SparseGaussianEnsemble(3, 2, 0), "density is 0"),
        (lambda: SparseGaussianEnsemble(3, 2, 1.5), "density is 1.5"),
        (lambda: StudentEnsemble(3, 2, 0.01), "degrees is 0.01"),
        (lambda: StudentEnsemble(3, 2, np.nan), "degrees is nan"),
        (lambda: OrthonormalEnsemble(3, 4), "at least as many rows"),
        (lambda: ResampledRowsEnsemble(3, [1.0, 2.0]), "matrix has shape"),
        (lambda: ResampledRowsEnsemble(3, [[1.0, np.inf]]), "finite numbers"),
        (lambda: ResampledRowsEnsemble(3, TRAINED[:2], replace=False), "m is 3; expected 1 to 2"),
        (lambda: ResampledRowsEnsemble(0, TRAINED), "m is 0"),
    ],
)
def test_bad_parameters(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_descriptions_tell_families_apart_but_not_shapes():
    families = [describe_ensemble(ensemble).text for ensemble in ENSEMBLES]
    others = [
        SparseGaussianEnsemble(8, 3, 0.41),
        StudentEnsemble(8, 3, 1.0),
        ResampledRowsEnsemble(8, -TRAINED),
        ResampledRowsEnsemble(8, TRAINED, replace=False),
    ]
    families += [describe_ensemble(ensemble).text for ensemble in others]
    assert len(set(families)) == len(families)
    assert describe_ensemble(GaussianEnsemble(90, 2)).text == families[0]
    assert describe_ensemble(ResampledRowsEnsemble(5, TRAINED.copy())).text == families[6]
    assert readable(families[3]) == "SparseGaussianEnsemble(density=0.4)"
    assert readable(describe_statistic(partial(statistics.decision, node_limit=9)).text) == "decision(node_limit=9)"


@dataclass(frozen=True)
class Cauchy:
    """An ensemble of one's own."""

    rows: int
    columns: int
    scale: float = 1.0

    @property
    def shape(self):
        return self.rows, self.columns

    @property
    def description(self):
        return f"scale {self.scale}"

    def sample(self, rng):
        return self.scale * rng.standard_cauchy(self.shape)


def test_own_ensembles():
    assert describe_ensemble(Cauchy(5, 2)).text == describe_ensemble(Cauchy(9, 3)).text
    assert describe_ensemble(Cauchy(5, 2)).text != describe_ensemble(Cauchy(5, 2, 3.0)).text
    run = simulate(Cauchy(8, 2), statistics.depth, 20, seed=0, executor=InProcess(), progress=False)
    assert len(run.values) == 20
    with pytest.raises(InputError, match="which Cauchy does not declare"):
        simulate(Cauchy(8, 2), statistics.decision, 20, seed=0, executor=InProcess(), progress=False)


# ---- Verdicts about matrices that are not in general position ----

DISCRETE = [ensemble for ensemble in ENSEMBLES if not ensemble.continuous]


@pytest.mark.parametrize("ensemble", DISCRETE, ids=lambda e: type(e).__name__)
def test_decisions_that_assume_general_position_are_refused(ensemble):
    for statistic in (statistics.decision, partial(statistics.decision_and_euler_characteristic, chi_max_n=3)):
        with pytest.raises(InputError, match=r"assumes that any n rows are independent.*decision_by_rank"):
            simulate(ensemble, statistic, 5, seed=0, executor=InProcess(), progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "ensemble",
    [
        RademacherEnsemble(9, 3),
        SparseGaussianEnsemble(14, 3, 0.7),
        ResampledRowsEnsemble(14, np.vstack([TRAINED[:6], -TRAINED[:6]])),
        # Three rows in a plane of R^3, and their opposites: depth 3 or more without spanning.
        ResampledRowsEnsemble(10, np.vstack([np.eye(3), -np.eye(3), [[1, 1, 0], [-1, -1, 0], [1, -1, 0], [-1, 1, 0]]])),
    ],
    ids=["rademacher", "sparse", "trained", "planes"],
)
def test_ranked_verdicts_are_those_of_brute_force(ensemble):
    run = simulate(ensemble, statistics.decision_by_rank, 25, seed=4, executor=InProcess(), progress=False)
    for trial, injective in enumerate(run.column("injective")):
        m, n = ensemble.shape
        rng = np.random.default_rng(np.random.SeedSequence(4, spawn_key=(n, m, trial)))
        assert injective == brute_force_injective(ensemble.sample(rng).tolist())
    assert 0 < run.column("injective").sum() < 25
    assert run.undecided == 0


def test_counting_would_have_been_wrong():
    """The reason for the refusal: verdicts by counting alone, on matrices without general position."""
    ensemble = RademacherEnsemble(12, 4)
    wrong = 0
    for trial in range(15):
        matrix = ensemble.sample(np.random.default_rng(trial))
        counted = Arrangement(matrix).depth >= 4
        wrong += counted and not statistics.decision_by_rank(matrix)["injective"]
    assert wrong > 0


# ---- Budgets ----


def test_spent_budgets_are_undecided():
    matrix = np.random.default_rng(3).standard_normal((40, 7))
    columns = statistics.decision(matrix, node_limit=1)
    assert columns == {"injective": 0.0, "not_injective": 0.0, "undecided": 1.0}
    assert isnan(statistics.depth(matrix, time_limit=1e-9))
    small = matrix[:12, :3]
    for statistic in (statistics.euler_characteristic, statistics.component_count):
        assert isnan(statistic(small, max_cells=5))
        assert not isnan(statistic(small))
    for statistic in (statistics.betti_numbers, statistics.face_counts):
        spent, full = statistic(small, max_cells=5), statistic(small)
        assert tuple(spent) == tuple(full)
        assert all(map(isnan, spent.values()))
        assert not any(map(isnan, full.values()))
    run = simulate(
        GaussianEnsemble(42, 6), partial(statistics.decision, node_limit=1), 20, seed=0, executor=InProcess(),
        progress=False,
    )  # fmt: skip
    assert run.undecided == run.column("undecided").sum() > 0
    assert f"{run.undecided} undecided" in repr(run)


def test_topology_statistics_agree():
    for matrix in draw(GaussianEnsemble(9, 3), 20, seed=6):
        betti, counts = statistics.betti_numbers(matrix), statistics.face_counts(matrix, max_positive=2)
        assert betti["b0"] == statistics.component_count(matrix)
        assert betti["chi"] == statistics.euler_characteristic(matrix)
        # Faces of dimension d >= 1 are open balls of dimension d - 1 on the sphere.
        faces = [sum(counts[f"F{d},{p}"] for p in range(3)) for d in (1, 2, 3)]
        assert faces[0] - faces[1] + faces[2] == betti["chi"]

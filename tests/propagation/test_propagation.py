"""Propagation: against plain arrays, rationals and theory; scales that no double holds; seeds, files, bad input."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from reference import propagation
from scipy.special import ndtr

from polyinj import (
    GivenNetwork,
    InputError,
    Propagation,
    RandomNetwork,
    propagate,
    small_angle_step,
)
from polyinj.propagation.initialisation import equiangular_inputs, identity, orthogonal, single_normals
from polyinj.propagation.observables import OBSERVABLES
from polyinj.propagation.vector_pairs import Pairs, Scaled, log_abs_expm1
from polyinj.theory.finite_width import expected_log_sin2, log_length_step
from polyinj.theory.propagation import CENTRED_VARIANCE

# 5.4 standard errors of a normal mean, two-sided: 7e-8 a comparison; fewer than 15 comparisons a test, so below 1e-6.
SIGMAS = 5.4
BROCK = math.sqrt(CENTRED_VARIANCE)

NETWORKS = {
    "plain": {},
    "orthogonal": {"initialisation": "orthogonal"},
    "identity": {"initialisation": "identity"},
    "bias": {"bias_std": 0.5, "weight_std": 1.2},
    "batch norm": {"normalisation": "batch"},
    "layer norm": {"normalisation": "layer", "bias_std": 0.2},
    "centred": {"centred": True, "weight_std": BROCK},
    "residual": {"residual": 0.7},
    "residual, bias": {"residual": 0.7, "bias_std": 0.3},
    "residual, batch norm": {"residual": 0.7, "normalisation": "batch"},
    "residual, layer norm, centred": {"residual": 0.7, "normalisation": "layer", "centred": True},
    "tapered": {"inputs": 11},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_twin_on_plain_arrays(name):
    network = RandomNetwork(width=14, depth=6, **NETWORKS[name])
    rng = np.random.default_rng(2)
    # Inputs of different lengths, and one pair at an obtuse angle.
    inputs = rng.standard_normal((8, network.input_dimension)) * rng.uniform(0.1, 10, (8, 1))
    inputs[4] = inputs[4] - 2 * inputs[0]
    run = propagate(network, inputs, networks=2, seed=3, probes=0)
    for number in range(2):
        for layer, found in enumerate(propagation.activations(network, inputs, 3, number)):
            expected = propagation.observables(found)
            for observable in set(OBSERVABLES) - {"log_sensitivity"}:
                got = run.observable(observable)[number, layer]
                assert got == pytest.approx(expected[observable], rel=1e-7, abs=1e-9), (observable, layer)


def test_layers_behind_a_linear_map_of_the_directions():
    """Sensitivity: the growth of a difference of 1e-5 by plain arrays, over that of the spread of the inputs."""
    network = RandomNetwork(width=40, depth=5)
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((6, 40))
    run = propagate(network, inputs, networks=1, seed=9, probes=1)
    direction = np.random.default_rng(np.random.SeedSequence(9, spawn_key=(0, 40))).standard_normal(40)
    step = 1e-5 * np.linalg.norm(inputs[0]) * direction / np.linalg.norm(direction)
    plain = propagation.activations(network, np.vstack([inputs, inputs[0] + step]), 9, 0)
    noise = np.array([np.linalg.norm(a[6] - a[0]) for a in plain])
    signal = np.array([np.sqrt(np.square(a[3:6] - a[:3]).sum()) for a in plain])
    growth = np.log(noise / signal)
    assert run.observable("log_sensitivity")[0] == pytest.approx(growth - growth[0], abs=1e-3)


def test_angles_that_no_double_resolves():
    """Matrices near rank one contract angles by 1e-7 a layer: rationals against logarithms, to below 1e-300."""
    rng = np.random.default_rng(1)
    weights = [np.ones((4, 4)) + 1e-7 * rng.standard_normal((4, 4)) for _ in range(30)]
    x, y = rng.uniform(0, 1, 4), rng.uniform(0, 1, 4)
    exact = np.array(propagation.exact_log_sin2(weights, [None] * 30, x, y))
    run = propagate(weights, [x, y], seed=0, probes=0)
    assert exact[-1] < -690
    assert run.observable("log_sin2")[0, 1:] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize(("weight_scale", "bias_scale"), [(1e-20, 1e-60), (1e20, 1.0), (1e-20, 1.0), (1.0, 1e-30)])
def test_any_balance_of_weights_and_biases(weight_scale, bias_scale):
    """Biases that take over from the weights within the network, that never do, or at once; rationals decide."""
    rng = np.random.default_rng(6)
    # Entries of mean 1/2 keep some neurons active.
    weights = [weight_scale * (0.5 + rng.standard_normal((7, 7))) for _ in range(9)]
    biases = [bias_scale * (0.5 + rng.standard_normal(7)) for _ in range(9)]
    x = rng.uniform(0, 1, 7)
    y = x + 1e-9 * rng.standard_normal(7)
    exact = np.array(propagation.exact_log_sin2(weights, biases, x, y))
    run = propagate(GivenNetwork(weights, biases), [x, y], seed=0, probes=0)
    # The step between the inputs is known to 1e-7 of its length only through them; from there nothing is lost.
    assert run.observable("log_sin2")[0, 1:] == pytest.approx(exact, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "weight_std", "more"),
    [
        ("float32", 1e100, {}),
        ("float64", 1e-100, {}),
        ("float64", 1e-300, {"bias_std": 1e-200}),
        ("float32", 1e150, {"bias_std": 1e150}),
    ],
)
def test_nothing_overflows_at_depth_5000(dtype, weight_std, more):
    """pytest turns every warning of floating point into an error."""
    network = RandomNetwork(width=32, depth=5000, weight_std=weight_std, **more)
    run = propagate(network, batch=4, networks=1, probes=1, layers=[0, 1, 10, 5000], seed=2, dtype=dtype)
    assert np.isfinite(
        run.values[:, :, [list(OBSERVABLES).index(n) for n in OBSERVABLES if n != "log_sensitivity"]]
    ).all()
    assert (run.observable("dead") == 0).all()
    if not more or weight_std > 1:
        # ln |x|^2 grows by 2 ln(sigma_w / 2^(1/2)) + a random walk with known steps, here within 5.4 deviations.
        step = log_length_step(32)
        free = 5000 * (2 * math.log(weight_std) - math.log(2) + step.mean)
        slack = SIGMAS * math.sqrt(5000 * step.variance) + 3 * math.log(2)
        assert abs(run.observable("log_length")[0, -1] - free) < slack
    else:
        # The bias alone is left: a rectified Gaussian of sigma_b, the same for all inputs.
        assert run.observable("log_length")[0, -1] == pytest.approx(2 * math.log(1e-200), abs=3)
        assert run.observable("log_sin2")[0, -1] < -1e6
    assert run.observable("gap")[0, -1] < 1e-10


def test_scale_changes_nothing_but_the_length():
    small, large = (
        propagate(RandomNetwork(width=20, depth=8, weight_std=s), batch=6, networks=2, seed=1) for s in (1e-80, 1e80)
    )
    for observable in set(OBSERVABLES) - {"log_length"}:
        assert small.observable(observable) == pytest.approx(
            large.observable(observable), rel=1e-9, abs=1e-9, nan_ok=True
        )
    normed = [
        propagate(RandomNetwork(width=20, depth=8, weight_std=s, normalisation="batch"), batch=6, networks=2, seed=1)
        for s in (1e-80, 1e80)
    ]
    assert normed[0].observable("log_length")[:, 1:] == pytest.approx(
        normed[1].observable("log_length")[:, 1:], abs=1e-9
    )


def test_float32_follows_float64():
    network = RandomNetwork(width=64, depth=5, bias_std=0.1)
    double = propagate(network, batch=8, networks=1, seed=1)
    inputs = equiangular_inputs(np.random.default_rng(0), 8, 64, 0.3)
    weights = [layer.weights * math.exp(layer.log_scale) for layer in network.layers(1, 0)]
    single, twice = (propagate(weights, inputs, seed=1, dtype=d) for d in ("float32", "float64"))
    assert single.observable("log_sin2") == pytest.approx(twice.observable("log_sin2"), abs=1e-4)
    assert single.observable("log_sensitivity") == pytest.approx(twice.observable("log_sensitivity"), abs=1e-4)
    assert double.dtype == "float64"
    assert propagate(network, batch=8, networks=1, seed=1, dtype="float32").observable("cosine")[0, 1] < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("initialisation", ["gaussian", "orthogonal"])
def test_lengths_and_small_angles_over_many_layers(initialisation):
    """Steps of the two logarithms are independent with exact mean and variance; 5.4 sigma each, six comparisons."""
    width, depth = 24, 1500
    network = RandomNetwork(width=width, depth=depth, initialisation=initialisation)
    run = propagate(network, batch=2, cosine=1 - 1e-10, networks=1, seed=6, layers=range(depth + 1), probes=0)
    turned = initialisation == "orthogonal"
    # Both inputs have one length to 1e-5, and an angle of 1e-5 adds 2 / (3 pi) of itself to a step.
    for observable, law in (
        ("log_length", log_length_step(width, orthogonal=turned)),
        ("log_sin2_pair", small_angle_step(width, orthogonal=turned)),
    ):
        steps = np.diff(run.observable(observable)[0])
        fourth = np.mean((steps - steps.mean()) ** 4)
        assert abs(steps.mean() - law.mean) < SIGMAS * math.sqrt(law.variance / depth) + 1e-5
        assert abs(steps.var() - law.variance) < SIGMAS * math.sqrt((fourth - law.variance**2) / depth) + 1e-5
        assert abs(np.corrcoef(steps[1:], steps[:-1])[0, 1]) < SIGMAS / math.sqrt(depth)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["plain", "orthogonal", "bias", "layer norm", "centred", "residual", "residual, layer norm, centred"]
)
def test_cosines_and_lengths_are_those_of_the_mean_field(name):
    """Student's t with 39 degrees of freedom at 1e-8 (7.2), and 3 layers / width for what infinite width leaves out."""
    width, depth, count = 300, 4, 40
    network = RandomNetwork(width=width, depth=depth, **NETWORKS[name])
    run = propagate(network, batch=8, networks=count, seed=4, cosine=0.1)
    theory = run.theory()
    for observable in ("cosine", "log_length", "mean_shift"):
        values = run.observable(observable)
        error = values.std(axis=0, ddof=1) / math.sqrt(count)
        allowed = 7.2 * error + 3 * np.arange(depth + 1) / width + 1e-12
        assert (np.abs(values.mean(axis=0) - theory[observable]) < allowed).all(), observable


def test_batch_norm_keeps_the_cosine_where_theory_says():
    run = propagate(RandomNetwork(width=600, depth=12, normalisation="batch"), batch=8, networks=4, seed=1)
    assert run.observable("cosine").mean(axis=0)[6:] == pytest.approx(run.theory()["cosine"][6:], abs=0.02)


@pytest.mark.slow
def test_finite_width_moves_the_angle():
    """ln sin^2 from orthogonal inputs, width 32: the expansion within 5.4 standard errors and 5 %, mean field not."""
    count = 150
    run = propagate(RandomNetwork(width=32, depth=50), batch=2, networks=count, seed=3, layers=[20, 50], probes=0)
    mean, deviation = expected_log_sin2(0.0, 32, 50)
    values = run.observable("log_sin2")
    for place, layer in enumerate(run.layers):
        error = deviation[layer - 1] / math.sqrt(count)
        difference = values[:, place].mean() - mean[layer - 1]
        assert abs(difference) < SIGMAS * error + 0.05 * abs(mean[layer - 1])
        assert values[:, place].std() == pytest.approx(deviation[layer - 1], rel=0.2 + SIGMAS / math.sqrt(2 * count))
    assert values[:, 1].mean() < run.theory()["log_sin2"][1] - SIGMAS * error


def test_observables_bound_each_other():
    """For every Gram matrix: stable rank <= 1 / mean shift, stable rank <= (tr G)^2 / |G|_F^2 <= rank."""
    for name in ("plain", "batch norm", "centred", "residual"):
        run = propagate(RandomNetwork(width=24, depth=20, **NETWORKS[name]), batch=10, networks=3, seed=5)
        stable, bound = run.observable("stable_rank"), run.observable("rank_bound")
        assert (stable * run.observable("mean_shift") <= 1 + 1e-9).all()
        assert (stable <= bound + 1e-9).all()
        assert (bound <= run.observable("numerical_rank") + 1e-6).all()
        assert run.observable("orthogonality_gap") == pytest.approx(
            np.sqrt(np.maximum(0, 1 / bound - 1 / 10)), abs=1e-7
        )


def test_dead_inputs_are_counted():
    """A layer that kills half of the inputs, then one that kills all."""
    keeps = np.array([[1.0, 0.0], [1.0, 0.0]])
    inputs = np.array([[1.0, 2.0], [-1.0, 1.0], [2.0, 1.0], [-3.0, 1.0]])
    run = propagate([keeps, np.eye(2), -np.eye(2)], inputs, seed=0, probes=1)
    assert run.observable("dead")[0].tolist() == [0, 0.5, 0.5, 1]
    assert np.isnan(run.observable("cosine")[0, 3])
    assert run.observable("gap")[0, 1] == pytest.approx(0, abs=1e-15)
    # A bias brings the dead to life.
    alive = propagate(GivenNetwork([-keeps, keeps], [None, [1.0, 2.0]]), np.abs(inputs), seed=0, probes=1)
    assert alive.observable("dead")[0].tolist() == [0, 1, 0]
    assert alive.observable("log_length")[0, 2] == pytest.approx(math.log(2.5))


def test_initialisations():
    rng = np.random.default_rng(3)
    for m, n in ((7, 4), (4, 7), (5, 5)):
        frame = orthogonal(rng, m, n)
        square = frame.T @ frame / max(m / n, 1) if m >= n else frame @ frame.T
        assert square == pytest.approx(np.eye(min(m, n)), abs=1e-12)
    assert identity(rng, 4, 2).tolist() == [[2**0.5, 0], [0, 2**0.5], [0, 0], [0, 0]]
    inputs = equiangular_inputs(rng, 5, 9, 0.4)
    assert inputs @ inputs.T / 9 == pytest.approx(0.4 + 0.6 * np.eye(5), abs=1e-12)
    # Haar: the first entry of a column is symmetric, and its square has mean 1/n; 5.4 sigma.
    entries = np.array([orthogonal(rng, 6, 6)[0, 0] for _ in range(4000)])
    assert abs(entries.mean()) < SIGMAS * math.sqrt(1 / 6 / 4000)
    assert abs((entries**2).mean() - 1 / 6) < SIGMAS * math.sqrt((3 / 48 - 1 / 36) / 4000)
    rows = [layer.weights.sum(axis=1) for layer in RandomNetwork(width=9, depth=2, centred=True).layers(0, 0)]
    assert np.abs(rows).max() < 1e-13


def test_pairs_hold_vectors():
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((2, 5, 8))
    y[0] = x[0]
    y[1] = -x[1]
    y[2] = 3 * x[2]
    x[3] = 0
    pairs = Pairs.of(Scaled.of(x), Scaled.of(y, 300.0))
    second = pairs.second()
    # Lengths 300 apart, as logarithms.
    assert second.values * np.exp(second.logs - 300)[:, None] == pytest.approx(y, abs=1e-9)
    gap, _ = pairs.angles()
    assert gap[[0, 1, 2]] == pytest.approx([0, 2, 0], abs=1e-15)
    assert np.isnan(gap[3])
    for value in (1e-300, 1e-8, 0.3, 50.0, 800.0):
        assert log_abs_expm1(np.array([value]))[0] == pytest.approx(
            value + math.log(-math.expm1(-value)) if value > 1e-3 else math.log(value) + value / 2
        )
        assert log_abs_expm1(np.array([-value]))[0] == pytest.approx(math.log(-math.expm1(-value)))


def test_seeds_and_executors(tmp_path):
    network = RandomNetwork(width=20, depth=4)
    one, same = (propagate(network, batch=6, networks=3, seed=8) for _ in range(2))
    assert np.array_equal(one.values, same.values)
    with ThreadPoolExecutor(2) as threads:
        other = propagate(network, batch=6, networks=3, seed=8, executor=threads)
    assert np.array_equal(one.values, other.values)
    assert not np.array_equal(one.values, propagate(network, batch=6, networks=3, seed=9).values)
    # A deeper network begins alike; fewer networks are the first ones.
    deep = propagate(RandomNetwork(width=20, depth=9), batch=6, networks=2, seed=8, layers=range(5))
    assert np.array_equal(deep.values, one.values[:2])
    drawn = propagate(network, batch=6, networks=1, seed=None)
    assert np.array_equal(drawn.values, propagate(network, batch=6, networks=1, seed=drawn.seed).values)


def test_recorded_layers():
    assert propagate(RandomNetwork(width=6, depth=3), batch=2, networks=1, seed=0).layers == (0, 1, 2, 3)
    run = propagate(RandomNetwork(width=4, depth=1000), batch=2, networks=1, seed=0, probes=0)
    assert run.layers[:4] == (0, 1, 2, 3)
    assert run.layers[-1] == 1000
    assert len(run.layers) < 201


def test_intervals_are_students():
    run = propagate(RandomNetwork(width=20, depth=2), batch=4, networks=5, seed=0)
    values = run.observable("cosine")[:, 2]
    mean, low, high = (part[2] for part in run.summary("cosine"))
    assert (mean - low) * math.sqrt(5) / values.std(ddof=1) == pytest.approx(2.7764, abs=1e-4)
    assert high - mean == pytest.approx(mean - low)
    single = propagate(RandomNetwork(width=20, depth=2), batch=4, networks=1, seed=0)
    assert np.isnan(single.summary("cosine")[1]).all()
    with pytest.raises(InputError, match="observable is 'nothing'"):
        run.observable("nothing")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RandomNetwork(width=0, depth=1), "width, depth, inputs are"),
        (lambda: RandomNetwork(width=4, depth=1, initialisation="haar"), "'haar'; expected one of gaussian"),
        (lambda: RandomNetwork(width=4, depth=1, normalisation="group"), "'group'; expected one of batch"),
        (lambda: RandomNetwork(width=4, depth=1, weight_std=math.inf), "weight_std is inf"),
        (lambda: RandomNetwork(width=4, depth=1, bias_std=-1.0), "bias_std is -1.0"),
        (lambda: RandomNetwork(width=4, depth=1, residual=1.0, inputs=3), "leave inputs out"),
        (lambda: GivenNetwork([]), "no weights"),
        (lambda: GivenNetwork([np.eye(2), np.eye(3)]), "layer 2 has 3 columns"),
        (lambda: GivenNetwork([np.eye(2)], []), "0 biases for 1 layers"),
        (lambda: GivenNetwork([[[math.nan]]]), "weights of layer 1"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), batch=3, seed=0), "has 3 inputs"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), batch=6, seed=0), "fewer inputs or a wider"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), batch=2, cosine=1.0, seed=0), "cosine is 1.0"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), batch=2, networks=0, seed=0), "networks is 0"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), batch=2, probes=2, seed=0), "probes is 2"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), batch=2, seed=-1), "seed is -1"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), batch=2, seed=0, dtype="int8"), "dtype is 'int8'"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), batch=2, probes=0, seed=0, layers=[2]), "within 0..1"),
        (lambda: propagate(RandomNetwork(width=4, depth=1), np.ones((2, 3)), seed=0), "expected \\(B, 4\\)"),
        (lambda: propagate(RandomNetwork(width=2, depth=1), [[math.inf, 0], [0, 1]], seed=0), "inputs"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.slow
def test_files(tmp_path):
    run = propagate(RandomNetwork(width=16, depth=3, weight_std=1e-160), batch=4, networks=2, seed=5)
    paths = run.save(tmp_path)
    assert [path.name for path in paths] == ["propagation.csv", "propagation.json", "propagation.png"]
    assert paths[0].read_text().count("\n") == 5
    loaded = Propagation.load(tmp_path)
    assert np.array_equal(loaded.values, run.values, equal_nan=True)
    assert repr(loaded) == repr(run)
    assert loaded.theory().keys() == run.theory().keys()
    table = run.to_pandas()
    assert table["cosine"].to_numpy() == pytest.approx(run.summary("cosine")[0])
    paths[1].write_text("{}")
    with pytest.raises(InputError, match="no saved propagation"):
        Propagation.load(tmp_path)
    given = propagate([np.eye(3), np.ones((2, 3))], [[1, 2, 3], [3, 1, 1]], seed=0, probes=1)
    given.save(tmp_path / "given")
    assert repr(Propagation.load(tmp_path / "given")) == repr(given)
    assert given.theory() == {}


def test_normal_numbers_in_float32_have_their_law():
    """Dvoretzky-Kiefer-Wolfowitz for the law, and correlations within pairs: each false alarm below 1e-6."""
    count = 2**20 + 1
    normals = single_normals(np.random.default_rng(5), count, 0.5)
    assert normals.dtype == np.float32
    assert normals.shape == (count,)
    assert np.isfinite(normals).all()
    assert np.array_equal(normals, single_normals(np.random.default_rng(5), count, 0.5))
    law = ndtr(np.sort(normals.astype(float)) / 0.5)
    steps = np.arange(count + 1) / count
    off = max(np.abs(law - steps[1:]).max(), np.abs(law - steps[:-1]).max())
    assert off < math.sqrt(math.log(2e6) / (2 * count))
    # Of one block: cosines stand before sines. Pairs share their radius, so squares tell whether it has its law.
    first, second = normals[: 2**15].astype(float), normals[2**15 : 2**16].astype(float)
    for power in (1, 2):
        assert abs(np.corrcoef(first**power, second**power)[0, 1]) < 5.5 / 2**7.5
        assert abs(np.corrcoef(first[1:] ** power, first[:-1] ** power)[0, 1]) < 5.5 / 2**7.5

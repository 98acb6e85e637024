"""Gram matrices behind infinitely wide layers: against ball arithmetic, identities, symmetries, limits."""

import math

import flint
import numpy as np
import pytest

from polyinj import InputError, RandomNetwork, mean_field, propagate, wide_gram
from polyinj.exact.precision import precision
from polyinj.theory.propagation import CENTRED_VARIANCE, equal_cosine_observables

LAWS = {
    "plain": {},
    "bias": {"weight_std": 1.2, "bias_std": 0.4},
    "layer norm": {"layer_norm": True, "bias_std": 0.1},
    "residual": {"residual": 0.6},
    "residual, bias": {"residual": 0.6, "bias_std": 0.3},
    "centred": {"centred": True, "weight_std": math.sqrt(CENTRED_VARIANCE)},
    "centred, residual": {"centred": True, "residual": 0.5},
}


def random_gram(count, seed, spread=3.0):
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((count, 2 * count)) * 10 ** rng.uniform(-spread, spread, (count, 1))
    return inputs @ inputs.T


def with_balls(gram, depth, weight_std=2**0.5, bias_std=0.0, centred=False, layer_norm=False, residual=0.0):
    """The twin: covariances, in so many bits that cancellation does not matter."""
    g = [[flint.arb(float(x)) for x in row] for row in gram]
    count, pi = len(g), flint.arb.pi()
    w2, b2, r2 = (flint.arb(x) ** 2 for x in (weight_std, bias_std, residual))
    seen = g
    for _ in range(depth):
        z = [[w2 * x + b2 for x in row] for row in seen]
        h = [[flint.arb(0)] * count for _ in range(count)]
        for i in range(count):
            for j in range(count):
                size = (z[i][i] * z[j][j]).sqrt()
                c = z[i][j] / size if i != j else flint.arb(1)
                if layer_norm:
                    size = flint.arb(1)
                k = ((1 - c * c).sqrt() + (pi - c.acos()) * c) / pi if i != j else flint.arb(1)
                h[i][j] = size / 2 * (k - 1 / pi if centred else k)
                if not residual and centred:
                    h[i][j] = size / 2 * k
        if residual:
            g = [[g[i][j] + r2 * h[i][j] for j in range(count)] for i in range(count)]
            seen = g
        else:
            g, seen = h, h
            if centred:
                seen = [[h[i][j] - (h[i][i] * h[j][j]).sqrt() / pi for j in range(count)] for i in range(count)]
    return g


@pytest.mark.parametrize("name", LAWS)
def test_the_twin_in_balls(name):
    depth, gram = 40, random_gram(4, seed=1)
    found = wide_gram(gram, [depth], **LAWS[name])
    with precision(3000):
        balls = with_balls(gram, depth, **LAWS[name])
        for i in range(4):
            assert float(balls[i][i].log()) == pytest.approx(found.log_lengths[0, i], rel=1e-13, abs=1e-13)
            for j in range(i):
                gap = 1 - balls[i][j] / (balls[i][i] * balls[j][j]).sqrt()
                assert float(gap.log()) == pytest.approx(found.log_gaps[0, i, j], abs=1e-12)


def test_one_cosine_and_one_length_is_the_mean_field():
    for law in LAWS.values():
        gram = np.full((6, 6), 0.3) + 0.7 * np.eye(6)
        found = wide_gram(gram, range(1, 31), **law)
        field = mean_field(30, 0.3, **law)
        assert found.log_lengths[:, 2] == pytest.approx(field.log_length, abs=1e-12)
        assert found.log_gaps[:, 1, 4] == pytest.approx(field.log_gap, abs=1e-12)
        seen = found.observables()
        for observable, curve in equal_cosine_observables(field.log_gap, 6).items():
            assert seen[observable] == pytest.approx(curve, rel=1e-9), observable


def test_observables_of_the_input_are_those_of_the_vectors():
    inputs = np.random.default_rng(3).standard_normal((8, 12)) * np.arange(1, 9)[:, np.newaxis]
    run = propagate(RandomNetwork(width=12, depth=1), inputs, networks=1, probes=0, seed=0)
    seen = wide_gram(inputs @ inputs.T / 12, [0]).observables()
    for observable, values in seen.items():
        assert values[0] == pytest.approx(run.observable(observable)[0, 0], rel=1e-9), observable


def test_order_and_scale_of_the_inputs():
    gram = random_gram(6, seed=2, spread=0.5)
    order, scale = np.random.default_rng(0).permutation(6), np.diag([1.0, 2, 4, 8, 1, 0.5])
    first = wide_gram(gram, [1, 7])
    other = wide_gram((scale @ gram @ scale)[np.ix_(order, order)], [1, 7])
    # Without biases a layer is homogeneous: lengths scale, angles stay.
    assert other.log_gaps == pytest.approx(first.log_gaps[:, order][:, :, order], abs=1e-12)
    shift = 2 * np.log(np.diagonal(scale))[order]
    assert other.log_lengths == pytest.approx(first.log_lengths[:, order] + shift, abs=1e-12)


def test_any_depth_and_scale():
    gram = random_gram(4, seed=5, spread=0.2)
    deep = wide_gram(gram, [2000])
    assert np.exp(deep.log_gaps[0, 0, 1]) * 2 * 2000**2 / (9 * math.pi**2) == pytest.approx(1, abs=0.02)
    narrow = wide_gram(gram, [1999, 2000], weight_std=0.1, bias_std=1.0)
    # sigma_w^2 / 2 is the slope at c = 1; e^-10000 is far below the range of doubles.
    assert np.diff(narrow.log_gaps[:, 0, 1]) == pytest.approx(math.log(0.005), rel=1e-9)
    assert all(np.isfinite(values).all() for values in narrow.observables().values())
    huge = wide_gram(gram, [300], weight_std=1e100)
    growth = 300 * (200 * math.log(10) - math.log(2))
    assert huge.log_lengths[0] == pytest.approx(np.log(np.diagonal(gram)) + growth)
    one = wide_gram(np.ones((4, 4)), [0, 5])
    assert (one.cosines == 1).all()
    assert np.isnan(one.observables()["effective_rank"]).all()


def test_the_effective_rank_of_gaussian_inputs_falls_by_their_lengths():
    """32 inputs in R^128. One batch has 12.2, 7.2, 2.2, 1.16, 1.02; at equal lengths the rank tends to 16."""
    layers = [10, 30, 100, 300, 1000]
    inputs = np.random.default_rng(159).standard_normal((32, 128))
    rank = wide_gram(inputs @ inputs.T / 128, layers).observables()["effective_rank"]
    assert [f"{r:.3g}" for r in rank] == ["12.2", "7.15", "2.2", "1.16", "1.02"]
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    rank = wide_gram(inputs @ inputs.T, layers).observables()["effective_rank"]
    assert (np.diff(rank) > 0).all()
    assert rank[-1] > 15.9


@pytest.mark.slow
def test_wide_networks_follow_it():
    """Gaussian inputs: Student's t with 19 degrees of freedom at 1e-8 (9.6), and 2 % for what infinite width leaves
    out of the first two layers; six comparisons."""
    inputs = np.random.default_rng(4).standard_normal((8, 60)) * np.array([1, 2, 1, 1, 1, 0.5, 1, 1])[:, np.newaxis]
    run = propagate(RandomNetwork(width=1200, depth=2, inputs=60), inputs, networks=20, probes=0, seed=1)
    theory = run.theory()
    for observable in ("cosine", "mean_shift", "effective_rank"):
        values = run.observable(observable)[:, 1:]
        error = 9.6 * values.std(axis=0, ddof=1) / math.sqrt(20)
        assert (np.abs(values.mean(axis=0) / theory[observable][1:] - 1) < 0.02 + error).all(), observable


@pytest.mark.parametrize(
    ("gram", "options", "message"),
    [
        ([[1, 2], [2, 1]], {}, "outside \\[-1, 1\\]|positive semidefinite"),
        ([[1, 0.5], [0.2, 1]], {}, "not symmetric"),
        ([[1, 0, 0], [0, 0, 0], [0, 0, 1]], {}, "leave inputs 0 out"),
        ([[1, 0]], {}, "shape \\(1, 2\\)"),
        ([["a"]], {}, "no array of real numbers"),
        (np.eye(3), {"layers": [-1]}, "a layer is -1; expected an integer, at least 0"),
        (np.eye(3), {"layers": []}, "one or more"),
        (np.eye(3), {"residual": -1}, "residual is -1"),
        (np.eye(3), {"weight_std": 0.0}, "no angle"),
    ],
)
def test_bad_input(gram, options, message):
    layers = options.pop("layers", [1])
    with pytest.raises(InputError, match=message):
        wide_gram(gram, layers, **options)


def test_pairs_need_an_even_number():
    with pytest.raises(InputError, match="expected an even number"):
        wide_gram(np.eye(3), [1]).observables()

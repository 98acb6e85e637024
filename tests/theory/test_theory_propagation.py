"""Theory of propagation: fixed numbers, asymptotics, identities, and the exact laws of one layer against simulation."""

import math

import flint
import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import digamma
from scipy.stats import beta, binom, chi2

from polyinj import InputError, arc_cosine_map, cosine_sequence, jakub_nica_rate, mean_field, small_angle_step
from polyinj.theory.finite_width import angle_step, expected_log_sin2, log_length_step
from polyinj.theory.propagation import (
    CENTRED_VARIANCE,
    batch_norm_cosine,
    correlation_depth,
    equal_cosine_observables,
    length_fixed_point,
)

# 5.4 standard errors of a normal mean, two-sided: 7e-8 a comparison.
SIGMAS = 5.4


def dkw(samples, false_alarm=1e-7):
    """Dvoretzky-Kiefer-Wolfowitz: P(sup |F_n - F| > this) <= false_alarm, for every law and n."""
    return math.sqrt(math.log(2 / false_alarm) / (2 * samples))


def distance(sample, cdf):
    """sup |F_n - F|."""
    sample = np.sort(sample)
    at = cdf(sample)
    steps = np.arange(len(sample) + 1) / len(sample)
    return max(np.abs(at - steps[1:]).max(), np.abs(at - steps[:-1]).max())


def test_cosines_of_the_literature():
    sequence = cosine_sequence(0, 100)
    expected = [0.318310, 0.493731, 0.604826, 0.680954, 0.735946, 0.871536, 0.996423]
    assert sequence[[0, 1, 2, 3, 4, 9, 99]] == pytest.approx(expected, abs=5e-7)


def test_the_arc_cosine_map_is_the_gaussian_integral():
    for c in (-0.7, 0.2, 0.9):
        s = math.sqrt(1 - c * c)

        def integrand(y, x, c=c, s=s):
            return x * (c * x + s * y) * math.exp(-(x * x + y * y) / 2) / (2 * math.pi)

        value, error = dblquad(integrand, 0, 9, lambda x, c=c, s=s: -c * x / s, 40, epsabs=1e-9)
        assert float(arc_cosine_map(c)) == pytest.approx(2 * value, abs=2 * error + 1e-8)


def test_the_arc_cosine_map_is_accurate_to_the_last_digits_at_both_ends():
    rng = np.random.default_rng(0)
    near = 10.0 ** -rng.uniform(0, 16, 300)
    cosines = np.concatenate([near - 1, 1 - near, rng.uniform(-1, 1, 300), np.nextafter([-1, 1], 0)])
    with flint.ctx.workprec(300):
        for c, found in zip(cosines.tolist(), arc_cosine_map(cosines).tolist(), strict=True):
            x = flint.arb(c)
            exact = ((1 - x * x).sqrt() + (flint.arb.pi() - x.acos()) * x) / flint.arb.pi()
            assert abs(float(flint.arb(found) / exact - 1)) < 1e-15


def test_cosines_beyond_one_by_rounding_are_read_as_one():
    assert arc_cosine_map([-1 - 2.0**-52, -1.0, 1.0, 1 + 2.0**-50]).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert mean_field(3, 1 + 2.0**-52).cosine.tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(InputError, match="outside"):
        arc_cosine_map(1 + 2.0**-49)
    for bad in ("x", [[1.0], [0.5, 0.5]], np.nan, 1j):
        with pytest.raises(InputError, match="cosine"):
            arc_cosine_map(bad)


@pytest.mark.slow
def test_cosines_approach_one_like_the_square_of_the_depth():
    depth = 20_000
    gap = math.exp(mean_field(depth, 0.0).log_gap[-1])
    assert gap * 2 * depth**2 / (9 * math.pi**2) == pytest.approx(1, abs=3 * math.log(depth) / math.sqrt(depth))


def test_tiny_gaps_are_relative():
    """The gap behind a layer of two almost parallel inputs, by the series of the kernel."""
    angle = 1e-7
    field = mean_field(1, math.cos(1e-3))
    t = 1e-3
    assert math.exp(field.log_gap[0]) == pytest.approx(t * t / 2 - t**3 / (3 * math.pi) - t**4 / 24, rel=1e-9)
    step = mean_field(300, 0.0, weight_std=0.1, bias_std=1.0)
    # sigma_w^2 / 2 is the slope at c = 1: each layer multiplies the gap by 0.005, far below the range of doubles.
    assert np.diff(step.log_gap)[-1] == pytest.approx(math.log(0.005), rel=1e-12)
    assert step.log_gap[-1] < -1500
    assert angle_step(angle, 100).mean == pytest.approx(-2 / 100, rel=1e-5)


def test_lengths_and_depth_scales():
    field = mean_field(400, 0.3, weight_std=1.2, bias_std=0.4)
    fixed = length_fixed_point(1.2, 0.4)
    assert math.exp(field.log_length[-1]) == pytest.approx(fixed / 2, rel=1e-12)
    assert fixed == pytest.approx(1.2**2 * fixed / 2 + 0.4**2)
    assert np.diff(field.log_gap)[-1] == pytest.approx(-1 / correlation_depth(1.2), rel=1e-9)
    assert correlation_depth(math.sqrt(2) + 1e-9) == math.inf
    assert length_fixed_point(2.0, 0.1) == math.inf
    huge = mean_field(5000, 0.0, weight_std=1e100)
    assert huge.log_length[-1] == pytest.approx(5000 * (200 * math.log(10) - math.log(2)))


def test_the_mean_is_what_aligns():
    """Centred weights: the cosine behind W tends to 0, behind the ReLU to 1/pi, at Brock's gain; lengths stay."""
    field = mean_field(200, 0.5, weight_std=math.sqrt(CENTRED_VARIANCE), centred=True)
    assert field.cosine[-1] == pytest.approx(1 / math.pi, abs=1e-9)
    assert np.diff(field.log_length) == pytest.approx(0, abs=1e-12)
    assert math.sqrt(CENTRED_VARIANCE) == pytest.approx(math.sqrt(2 / (1 - 1 / math.pi)))


def test_residual_branches_slow_the_collapse_down():
    plain, branch = (mean_field(50, 0.0, residual=r).cosine[-1] for r in (0.0, 0.3))
    assert branch < 0.9 < plain
    # c' = (c + r^2 k(c)) / (1 + r^2) at sigma_w^2 = 2.
    assert mean_field(1, 0.4, residual=0.3).cosine[0] == pytest.approx((0.4 + 0.09 * float(arc_cosine_map(0.4))) / 1.09)


def test_batches_see_their_own_mean():
    assert batch_norm_cosine(2) == 0.0
    assert batch_norm_cosine(10**9) == pytest.approx(1 / math.pi)


def test_observables_of_equal_cosines_are_those_of_the_matrix():
    for count, c in ((6, 0.3), (9, 0.95)):
        gram = np.full((count, count), c) + (1 - c) * np.eye(count)
        values = np.linalg.eigvalsh(gram)
        seen = equal_cosine_observables(math.log(1 - c), count)
        assert seen["stable_rank"] == pytest.approx(values.sum() / values.max())
        assert seen["rank_bound"] == pytest.approx(values.sum() ** 2 / (values**2).sum())
        gap = np.linalg.norm(gram / count - np.eye(count) / count)
        assert seen["orthogonality_gap"] == pytest.approx(gap)
        assert seen["mean_shift"] == pytest.approx(gram.sum() / count**2)
        assert seen["log_sin2"] == pytest.approx(math.log(1 - c * c))


@pytest.mark.slow
def test_jakub_and_nicas_constants():
    assert jakub_nica_rate(256) == pytest.approx(0.0092984, abs=5e-8)
    for width in (10**4, 10**6):
        # Both are 2/n and 8/n to first order; the second order of rho differs from the exact one.
        step = small_angle_step(width)
        assert jakub_nica_rate(width) * width == pytest.approx(2, abs=110 / width)
        assert step.mean * width == pytest.approx(-2, abs=10 / width)
        assert step.variance * width == pytest.approx(8, abs=40 / width)
        halves = small_angle_step(width, orthogonal=True)
        assert halves.mean * width == pytest.approx(-1, abs=10 / width)
        assert halves.variance * width == pytest.approx(4, abs=40 / width)
    # Infinite width: 2 / (3 pi) times the angle is left of the arc-cosine map.
    step = angle_step(1e-3, 10**9)
    assert step.mean == pytest.approx(-2 / (3 * math.pi) * 1e-3, rel=1e-2)


def one_layer(angle, width, trials, rng, orthogonal=False):
    """cos, ln(sin^2 / sin^2) and ln(2/n |relu|^2)-style length of pairs at an angle behind one He layer."""
    logs, lengths, cosines = [], [], []
    for _ in range(trials):
        frame = rng.standard_normal((width, 2))
        if orthogonal:
            frame = np.linalg.qr(frame)[0] * np.sign(rng.standard_normal(2)) * math.sqrt(width)
        x = frame[:, 0]
        a = np.maximum(x, 0)
        if angle == 0:
            d = np.where(x > 0, frame[:, 1], 0)
            across = d @ d - (d @ a) ** 2 / (a @ a)
            logs.append(math.log(across / (a @ a)))
        else:
            b = np.maximum(math.cos(angle) * x + math.sin(angle) * frame[:, 1], 0)
            cosines.append(a @ b / math.sqrt((a @ a) * (b @ b)))
        lengths.append(math.log(2 * (a @ a) / width))
    if angle:
        logs = np.log1p(-np.square(cosines)) - 2 * math.log(math.sin(angle))
    return np.array(logs), np.array(lengths)


@pytest.mark.slow
@pytest.mark.parametrize("orthogonal", [False, True])
def test_laws_of_one_layer(orthogonal):
    """Lengths against their exact law, for every n (DKW: 1e-7); means and variances of small angles (5.4 sigma)."""
    width, trials = 24, 12_000
    rng = np.random.default_rng(5)
    logs, lengths = one_layer(0, width, trials, rng, orthogonal)
    active = np.arange(1, width + 1)
    shares = binom.pmf(active, width, 0.5)

    def cdf(values):
        r = np.exp(values)[:, None] * width / 2
        if orthogonal:
            # 2 |relu|^2 / n; all neurons active is the whole length.
            part = np.where(active < width, beta.cdf(r / width, active / 2, np.maximum(width - active, 1) / 2), 0.0)
        else:
            part = chi2.cdf(r, active)
        return part @ shares

    assert distance(lengths, cdf) < dkw(trials) + 2.0**-width
    for step, sample in (
        (small_angle_step(width, orthogonal=orthogonal), logs),
        (log_length_step(width, orthogonal=orthogonal), lengths),
    ):
        fourth = np.mean((sample - sample.mean()) ** 4)
        assert abs(sample.mean() - step.mean) < SIGMAS * math.sqrt(step.variance / trials)
        assert abs(sample.var() - step.variance) < SIGMAS * math.sqrt((fourth - step.variance**2) / trials)
    # The test has the power to tell the two laws, and rho(n), from each other.
    other = small_angle_step(width, orthogonal=not orthogonal)
    assert abs(logs.mean() - other.mean) > SIGMAS * math.sqrt(other.variance / trials)
    if not orthogonal:
        assert abs(logs.mean() + jakub_nica_rate(width)) > SIGMAS * math.sqrt(other.variance / trials)


@pytest.mark.slow
@pytest.mark.parametrize("angle", [0.4, 1.2, 2.0])
def test_finite_width_at_any_angle(angle):
    """5.4 sigma of the sample, plus 20 / n^2 for the order that the expansion leaves out."""
    width, trials = 400, 8_000
    logs, _ = one_layer(angle, width, trials, np.random.default_rng(8))
    step = angle_step(angle, width)
    assert abs(logs.mean() - step.mean) < SIGMAS * logs.std() / math.sqrt(trials) + 20 / width**2
    assert logs.var() == pytest.approx(step.variance, rel=SIGMAS * math.sqrt(8 / trials) + 0.15)
    limit = math.log1p(-(float(arc_cosine_map(math.cos(angle))) ** 2)) - 2 * math.log(math.sin(angle))
    assert angle_step(angle, 10**9).mean == pytest.approx(limit, abs=1e-7)


def test_many_layers_end_at_the_small_angle_rate():
    mean, deviation = expected_log_sin2(0.0, 64, 2000)
    rate = small_angle_step(64)
    assert np.diff(mean)[-1] == pytest.approx(rate.mean, rel=1e-3)
    assert np.diff(deviation**2)[-1] == pytest.approx(rate.variance, rel=1e-2)


def test_the_exact_means_are_those_of_digamma():
    """n = 3 by hand: K = 2, 3 with weights 3 : 1."""
    by_hand = sum(w * (digamma((k - 1) / 2) - digamma(k / 2)) for k, w in ((2, 0.75), (3, 0.25)))
    assert small_angle_step(3).mean == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: arc_cosine_map([0.5, 1.5]), "outside"),
        (lambda: mean_field(0, 0.5), "depth is 0"),
        (lambda: mean_field(1, 2.0), "cosine has an entry outside"),
        (lambda: mean_field(1, 0.0, length=0.0), "length is 0.0"),
        (lambda: mean_field(1, 0.0, weight_std=-1.0), "weight_std is -1.0"),
        (lambda: batch_norm_cosine(1), "batch is 1"),
        (lambda: equal_cosine_observables(0.0, 1), "batch is 1"),
        (lambda: small_angle_step(2), "width is 2"),
        (lambda: angle_step(0.0, 10), "angle is 0.0"),
        (lambda: expected_log_sin2(1.0, 10, 1), "cosine is 1.0"),
        (lambda: expected_log_sin2(0.0, 10, 0), "depth is 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()

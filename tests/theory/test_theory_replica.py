"""The Parisi functional against a slow reference, its gradient, and the replica predictions."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import erf, erfc

from polyinj.errors import InputError
from polyinj.theory.parisi import parisi_functional, parisi_terms
from polyinj.theory.replica import full_rsb_energy, full_rsb_threshold, replica_energy, replica_threshold
from polyinj.theory.thresholds import gordon_threshold, known_thresholds

ALPHAS = range(3, 11)
SYMMETRIC = [0.097516, 0.248013, 0.428926, 0.631492, 0.850706, 1.083324, 1.327080, 1.580309]
FULL = [0.117639, 0.310589, 0.544262, 0.805408, 1.086836, 1.384072, 1.694095, 2.014728]

STEPS = {
    1: (0.06, [0.7], [3.0]),
    2: (0.035, [0.6, 0.95], [2.0, 6.0]),
    4: (0.028, [0.3, 0.75, 0.78, 0.98], [1.0, 2.0, 4.5, 9.0]),
}


def gauss_legendre(edges, points=40):
    x, w = np.polynomial.legendre.leggauss(points)
    low, high = np.array(edges[:-1])[:, None], np.array(edges[1:])[:, None]
    return ((high - low) / 2 * x + (high + low) / 2).ravel(), ((high - low) / 2 * w).ravel()


def functional_by_nested_quadrature(alpha, chi, q, c, kappa):
    """Every convolution a dense sum over panels that end at the kinks of V."""
    edge = math.sqrt(2 * chi)
    y, w = gauss_legendre([*np.linspace(-9, 0, 17), *np.linspace(0, edge, 3)[1:], *np.linspace(edge, 9, 17)[1:]])
    f = -np.minimum(1, np.maximum(y, 0) ** 2 / (2 * chi))
    widths = np.diff([*q, 1.0])
    for c_i, width in reversed(list(zip(c, widths, strict=True))):
        kernel = np.exp(-((y[:, None] - y) ** 2) / (2 * width)) * w
        f = np.log((kernel @ np.exp(c_i * f)) / kernel.sum(axis=1)) / c_i
    density = np.exp(-((y + kappa) ** 2) / (2 * q[0])) * w
    reward = -(density @ f) / density.sum()
    s, ds = gauss_legendre([0.0, *q, 1.0], 200)
    slope = np.array([0.0, *c])[np.searchsorted(q, s)]
    ends = chi + np.array([sum(a * b for a, b in zip(c[i:], widths[i:], strict=True)) for i in range(len(q) + 1)])
    upper = np.array([*q, 1.0])[np.searchsorted(q, s)]
    return alpha * reward - 0.5 * np.sum(ds / (ends[np.searchsorted(q, s)] + slope * (upper - s)))


@pytest.mark.parametrize("kappa", [0.0, 0.6, -0.8])
@pytest.mark.parametrize("k", STEPS)
def test_functional_agrees_with_nested_quadrature(k, kappa):
    chi, q, c = STEPS[k]
    slow = functional_by_nested_quadrature(6.7, chi, q, c, kappa)
    assert parisi_functional(6.7, chi, q, c, kappa=kappa) == pytest.approx(slow, abs=2e-10)


@pytest.mark.parametrize("kappa", [0.0, 0.6, -0.8])
@pytest.mark.parametrize("k", [0, *STEPS])
def test_gradients_agree_with_differences(k, kappa):
    point = np.concatenate([np.atleast_1d(part) for part in STEPS.get(k, (0.5, [], []))]).astype(float)

    def terms(values):
        return parisi_terms(values[0], values[1 : k + 1], values[k + 1 :], kappa, 10.0)

    exact = terms(point)
    for j, value in enumerate(point):
        step = np.zeros_like(point)
        step[j] = 1e-3 * min(value, 1 - value if 0 < j <= k else value, 0.1)
        near, far = ((terms(point + i * step), terms(point - i * step)) for i in (1, 2))
        for name in ("reward", "penalty"):
            first, second = (getattr(pair[0], name) - getattr(pair[1], name) for pair in (near, far))
            assert getattr(exact, f"{name}_gradient")[j] == pytest.approx(
                (8 * first - second) / (12 * step[j]), rel=1e-7, abs=1e-9
            )


def test_quadrature_error_falls_faster_than_any_power():
    chi, q, c = STEPS[4]
    values = [parisi_terms(chi, np.array(q), np.array(c), 0.0, resolution).reward for resolution in (3, 4.5, 6, 12)]
    errors = [abs(value - values[-1]) for value in values[:-1]]
    assert errors[0] < 1e-7
    assert errors[1] < 1e-10
    assert errors[2] < 2e-13


def test_equal_steps_collapse():
    chi, q, c = 0.05, 0.8, 3.0
    one = parisi_functional(6.7, chi, [q], [c])
    assert parisi_functional(6.7, chi, [q, 0.9], [c, c]) == pytest.approx(one, abs=1e-13)
    assert parisi_functional(6.7, chi, [q, 0.85, 0.97], [c, c, c]) == pytest.approx(one, abs=1e-13)


def test_no_steps_is_the_closed_form():
    # alpha [erf(sqrt chi)/2 - sqrt(chi/pi) exp(-chi)] = 1 and e = alpha Q(sqrt(2 chi)).
    for alpha, value in zip(ALPHAS, SYMMETRIC, strict=True):
        solution = replica_energy(alpha, 0)
        chi = solution.chi
        moment = erf(math.sqrt(chi)) / 2 - math.sqrt(chi / math.pi) * math.exp(-chi)
        assert alpha * moment == pytest.approx(1, abs=1e-14)
        assert solution.value == pytest.approx(alpha * erfc(math.sqrt(chi)) / 2, abs=1e-13)
        assert solution.value == pytest.approx(parisi_functional(alpha, chi, [], []), abs=1e-13)
        assert solution.value == pytest.approx(value, abs=6e-7)


def test_symmetric_threshold_is_gordons():
    solution = replica_threshold(0)
    assert solution.value == pytest.approx(gordon_threshold(), abs=1e-13)
    assert abs(solution.value - gordon_threshold()) <= solution.error < 1e-12


def test_one_step():
    solution = replica_threshold(1)
    assert solution.value == pytest.approx(6.7156968376712, abs=1e-12)
    assert solution.error < 1e-11
    assert solution.chi == pytest.approx(0.05330080256, abs=1e-10)
    assert solution.q == (pytest.approx(0.77723075226, abs=1e-9),)
    assert solution.c == (pytest.approx(3.28665775714, abs=1e-8),)
    assert replica_energy(solution.value, 1).value == pytest.approx(1, abs=1e-12)


def test_two_and_three_steps():
    assert replica_threshold(3).sequence == pytest.approx([7.6477, 6.7157, 6.7004, 6.6987], abs=5.1e-5)


def test_one_step_is_found_from_random_starts():
    from polyinj.theory import replica_search

    best = replica_energy(7.0, 1)
    rng = np.random.default_rng(5)
    for _ in range(10):
        start = rng.uniform([-4, -1.5, -1], [1, 1.5, 3])
        found = replica_search._optimise(start, replica_search._Problem(7.0, 0.0, 1.0))
        assert found is None or found.value <= best.value + 1e-9


@pytest.mark.slow
def test_energies_increase_and_thresholds_decrease_with_the_levels():
    energies = replica_energy(7.0, 4)
    assert all(low < high for low, high in pairwise(energies.sequence))
    thresholds = replica_threshold(4)
    assert all(low > high for low, high in pairwise(thresholds.sequence))
    for solution in (energies, thresholds):
        assert solution.gradient < 1e-7
        assert solution.curvature > 0
        assert solution.error < 1e-9
        assert len(solution.sequence) == 5
        assert all(low < high for low, high in pairwise(solution.c))


@pytest.mark.slow
def test_full_threshold_lies_in_the_published_interval_and_its_error_is_honest():
    coarse, fine = full_rsb_threshold(levels=5), full_rsb_threshold(levels=8)
    published = next(row for row in known_thresholds() if row.name == "full-rsb")
    assert published.lower <= fine.value <= published.upper
    # Levels up to 20 give 6.69805085998 with an error below 1e-9.
    assert fine.error < 1e-6
    assert coarse.error < 1e-4
    for solution in (coarse, fine):
        assert abs(solution.value - 6.69805086) <= solution.error
        assert solution.value < solution.sequence[-1]


@pytest.mark.slow
def test_full_energies_are_near_the_published_ones():
    # Those are from 200 unoptimised steps; the functional is a supremum and no optimum found here comes closer.
    for alpha, value in zip((3, 7, 10), (FULL[0], FULL[4], FULL[7]), strict=True):
        solution = full_rsb_energy(alpha, levels=5)
        assert solution.value == pytest.approx(value, abs=6e-5)
        assert solution.value < value


def test_the_energy_vanishes_up_to_capacity():
    for levels in (0, 2):
        solution = replica_energy(2.0, levels)
        assert solution.value == 0
        assert solution.chi == math.inf
        assert solution.sequence == (0.0,) * (levels + 1)
    assert 0 < replica_energy(2.05, 1).value < 0.003
    assert full_rsb_energy(1.5).value == 0


@pytest.mark.slow
def test_margins():
    thresholds = [replica_threshold(1, kappa=kappa) for kappa in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    assert all(low.value < high.value for low, high in pairwise(thresholds))
    for solution in thresholds:
        again = replica_energy(solution.value, 1, kappa=solution.kappa)
        assert again.value == pytest.approx(1, abs=1e-11)
        assert parisi_functional(
            solution.value, solution.chi, solution.q, solution.c, kappa=solution.kappa
        ) == pytest.approx(1, abs=1e-11)


def test_order_parameter_is_the_step_function():
    solution = replica_threshold(2)
    low, high = solution.q
    assert solution.order_parameter([[0, low / 2], [low, 1]]).tolist() == [[0, 0], [solution.c[0], solution.c[1]]]
    assert solution.order_parameter(high) == solution.c[1]
    with pytest.raises(InputError, match=r"overlaps lie in \[0, 1\]"):
        solution.order_parameter(1.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replica_energy(0, 1), r"alpha is 0\.0; expected a finite number above 0"),
        (lambda: replica_energy(math.nan, 1), "alpha is nan"),
        (lambda: replica_energy(3, -1), "levels is -1; expected an integer, at least 0"),
        (lambda: replica_threshold(1.5), "levels is 1.5"),
        (lambda: replica_threshold(1, kappa=9), r"kappa is 9\.0; expected a finite number above -4 and below 4"),
        (lambda: full_rsb_threshold(levels=3), "levels is 3; expected an integer, at least 4"),
        (lambda: parisi_functional(5, -1, [], []), r"chi is -1\.0"),
        (lambda: parisi_functional(5, 1, [0.5], []), r"q and c have shapes \(1,\) and \(0,\)"),
        (lambda: parisi_functional(5, 1, [0.5, 0.4], [1, 2]), r"q is \[0\.5, 0\.4\]; expected increasing"),
        (lambda: parisi_functional(5, 1, [0.5], [-1]), r"c is \[-1\.0\]; expected positive"),
    ],
)
def test_input_outside_the_domain_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()

"""Descent cones of the l1 norm: volumes against closed forms and samples, recovery against linear programs."""

from math import acos, pi, sqrt

import numpy as np
import pytest
from flint import arb
from scipy.integrate import quad
from scipy.optimize import linprog
from scipy.special import erf

from polyinj.errors import InputError
from polyinj.exact.precision import precision
from polyinj.fitting.intervals import clopper_pearson
from polyinj.geometry.cone import Cone
from polyinj.theory import l1_recovery
from polyinj.theory.l1_recovery import (
    enclose_l1_descent_volumes,
    l1_recovery_probability,
    l1_recovery_threshold,
    l1_statistical_dimension,
)

# A wrong alarm in one of 10^6 runs of each check.
LEVEL = 1 - 1e-6


def descent_cone(d, s):
    """The vertices of the cross polytope as seen from the middle of a face with s of them, times s."""
    rays = np.vstack([s * np.eye(d, dtype=int), -s * np.eye(d, dtype=int)])
    rays[:, :s] -= 1
    return Cone.from_rays(rays[rays.any(axis=1)])


@pytest.mark.parametrize(("d", "s"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (4, 2), (4, 3)])
def test_volumes_agree_with_the_angles_of_the_cone(d, s):
    found = enclose_l1_descent_volumes(d, s)
    assert [float(v) for v in found] == pytest.approx(descent_cone(d, s).conic_intrinsic_volumes().values, abs=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "s"), [(7, 1), (8, 3)])
def test_volumes_agree_with_sampling(d, s):
    sampled = descent_cone(d, s).estimate_conic_intrinsic_volumes(1500, seed=d)
    volumes = [float(v) for v in enclose_l1_descent_volumes(d, s)]
    intervals = sampled.simultaneous_intervals(level=LEVEL)
    assert all(i.low <= volume <= i.high for i, volume in zip(intervals, volumes, strict=True))
    dimension = sampled.statistical_dimension(level=LEVEL)
    assert dimension.low <= l1_statistical_dimension(d, s) <= dimension.high
    for k in range(1, d):
        lost = sampled.expected_euler_characteristic(d - k, level=LEVEL)
        assert lost.low <= 1 - l1_recovery_probability(d, s, k) <= lost.high


@pytest.mark.parametrize(("d", "s"), [(5, 5), (9, 1), (24, 3), (41, 20)])
def test_volumes_of_either_parity_sum_to_a_half(d, s):
    volumes = enclose_l1_descent_volumes(d, s)
    assert len(volumes) == d + 1
    assert all(volume.rad() < 1e-15 for volume in volumes)
    assert all(volume == 0 for volume in volumes[: s - 1])
    assert all(volume > 0 for volume in volumes[s - 1 :])
    with precision(128):
        for parity in (0, 1):
            assert sum(volumes[parity::2], arb(0)).contains(arb(1) / 2)


def test_angles_of_regular_simplices():
    with precision(128):
        assert float(l1_recovery._inner_angle(1, 2)) == pytest.approx(1 / 2, abs=1e-16)
        assert float(l1_recovery._inner_angle(1, 3)) == pytest.approx(1 / 6, abs=1e-16)
        assert float(l1_recovery._inner_angle(2, 4)) == pytest.approx(acos(1 / 3) / (2 * pi), abs=1e-16)
        corner = (3 * acos(1 / 3) - pi) / (4 * pi)
        assert float(l1_recovery._inner_angle(1, 4)) == pytest.approx(corner, abs=1e-16)
        for n, d in ((1, 4), (3, 30), (12, 13)):
            integral, _ = quad(lambda t, n=n, d=d: np.exp(-n * t * t / 2) * erf(t / sqrt(2)) ** (d - n), 0, 12)
            assert float(l1_recovery._normal_angle(n, d)) == pytest.approx(sqrt(n / (2 * pi)) * integral, rel=1e-8)


def test_recovery_grows_with_measurements_and_is_sure_with_all():
    shares = [l1_recovery_probability(20, 3, k) for k in range(1, 21)]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert shares[:2] == [0, 0]
    assert 0 < shares[2] < 0.01
    assert [l1_recovery_probability(6, 6, k) for k in (3, 5, 6)] == [0, 0, 1]
    assert l1_recovery_probability(20, 4, 10) < shares[9]


@pytest.mark.slow
def test_linear_programs_recover_as_often():
    d, trials = 16, 150
    for s, k in ((2, 7), (5, 11)):
        target = np.zeros(d)
        target[:s] = 1
        found = 0
        for t in range(trials):
            matrix = np.random.default_rng([s, t]).standard_normal((k, d))
            program = linprog(np.ones(2 * d), A_eq=np.hstack([matrix, -matrix]), b_eq=matrix @ target)
            found += bool(np.abs(program.x[:d] - program.x[d:] - target).max() < 1e-6)
        low, high = clopper_pearson(found, trials, level=LEVEL)
        assert low <= l1_recovery_probability(d, s, k) <= high


def test_the_threshold_is_the_limit_of_the_statistical_dimension():
    for d, s in ((20, 2), (60, 6), (60, 30)):
        gap = l1_recovery_threshold(s / d) - l1_statistical_dimension(d, s) / d
        assert 0 < gap < 2 / sqrt(s * d)
    # Half of the measurements recover a share of 0.1928 nonzeros (Donoho, Tanner 2009, weak threshold 0.3857 / 2).
    assert l1_recovery_threshold(0.19284) == pytest.approx(0.5, abs=2e-4)
    assert l1_statistical_dimension(9, 9) == 8.5


def test_what_is_no_problem_is_refused():
    for arguments, message in (
        ((0, 1), "dimension is 0"),
        ((5, 6), "nonzeros is 6; expected at most 5, the dimension"),
        ((5, 2.0), "nonzeros is 2.0; expected an integer"),
    ):
        with pytest.raises(InputError, match=message):
            enclose_l1_descent_volumes(*arguments)
    with pytest.raises(InputError, match="measurements is 9; expected at most 5"):
        l1_recovery_probability(5, 2, 9)
    with pytest.raises(InputError, match=r"sparsity is 1\.0; expected a finite number above 0 and below 1"):
        l1_recovery_threshold(1)

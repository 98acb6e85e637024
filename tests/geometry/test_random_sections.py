"""Statistical dimensions, Crofton and the kinematic formula: exact and sampled, on cones with known volumes."""

from fractions import Fraction
from math import comb, cos, factorial, pi, sin

import numpy as np
import pytest
from scipy.stats import binom, special_ortho_group

from polyinj.errors import InputError
from polyinj.fitting.intervals import clopper_pearson
from polyinj.geometry.cone import Cone
from polyinj.geometry.cone_union import ConeUnion
from polyinj.geometry.face_union import FaceUnion
from polyinj.geometry.orthants import OrthantUnion
from polyinj.geometry.random_sections import Estimate, binomial_interval, chernoff_interval

# A wrong alarm in one of 10^6 runs of each check.
LEVEL = 1 - 1e-6


def product_polynomial(roots):
    """Coefficients of the product of (t + root), the constant first."""
    coefficients = [1]
    for root in roots:
        coefficients = [low * root + high for low, high in zip([*coefficients, 0], [0, *coefficients], strict=True)]
    return coefficients


def chamber(kind, n):
    """The Weyl chamber of type A (increasing coordinates) or B (and the first one positive), and its volumes.

    Stirling numbers of the first kind: coefficients of t (t+1) ... (t+n-1) over n!, and of (t+1) (t+3) ... (t+2n-1)
    over 2^n n! (Drton, Klivans 2010).
    """
    rows = np.eye(n, dtype=int, k=0) - np.eye(n, dtype=int, k=-1)
    if kind == "A":
        return Cone.from_inequalities(rows[1:]), [Fraction(c, factorial(n)) for c in product_polynomial(range(n))]
    return Cone.from_inequalities(rows), [
        Fraction(c, 2**n * factorial(n)) for c in product_polynomial(range(1, 2 * n, 2))
    ]


def sections(volumes, n):
    return 2 * sum(volumes[len(volumes) - n :: 2])


def rotations(first, second):
    m = len(first) - 1
    return 2 * sum(a * b for i, a in enumerate(first) for j, b in enumerate(second) if i + j > m and (i + j - m) % 2)


def holds(estimate, value):
    return estimate.low <= float(value) <= estimate.high


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n"), [("A", 5), ("B", 4)])
def test_sampled_volumes_of_chambers(kind, n):
    cone, volumes = chamber(kind, n)
    assert sum(volumes) == 1
    found = cone.estimate_conic_intrinsic_volumes(1500, seed=3)
    assert all(
        holds(interval, volume)
        for interval, volume in zip(found.simultaneous_intervals(level=LEVEL), volumes, strict=True)
    )
    dimension = found.statistical_dimension(level=LEVEL)
    assert holds(dimension, sum(k * v for k, v in enumerate(volumes)))
    assert dimension.high - dimension.low < 1
    for size in range(1, n + 1):
        assert holds(found.expected_euler_characteristic(size, level=LEVEL), sections(volumes, size))
    # Rotated orthants, and another sample of itself.
    orthant = Cone.orthant([1] * n).conic_intrinsic_volumes()
    exact = [Fraction(comb(n, k), 2**n) for k in range(n + 1)]
    for first, second in ((found, orthant), (orthant, found)):
        assert holds(first.meeting_probability(second, level=LEVEL), rotations(volumes, exact))
    other = cone.estimate_conic_intrinsic_volumes(1200, seed=4)
    both = found.meeting_probability(other, level=LEVEL)
    assert holds(both, rotations(volumes, volumes))
    assert both.high - both.low < 0.25
    with pytest.raises(InputError, match="both cones were sampled with seed 3; expected two seeds"):
        found.meeting_probability(found)


@pytest.mark.parametrize("kind", ["A", "B"])
def test_exact_volumes_of_chambers(kind):
    cone, volumes = chamber(kind, 3)
    found = cone.conic_intrinsic_volumes()
    assert found.values == pytest.approx([float(v) for v in volumes], abs=1e-15)
    assert holds(found.statistical_dimension(), sum(k * v for k, v in enumerate(volumes)))
    for size in (1, 2, 3):
        assert holds(found.expected_euler_characteristic(size), sections(volumes, size))
        assert found.expected_euler_characteristic(size).high - float(sections(volumes, size)) < 1e-14
    assert holds(found.meeting_probability(found), rotations(volumes, volumes))
    assert [interval.value for interval in found.simultaneous_intervals()] == list(found.values)


def test_a_cone_of_many_rays_is_nearly_circular():
    """v_3 = (1 - cos a)/2, v_2 = sin(a)/2, v_1 = cos(a)/2, v_0 = (1 - sin a)/2 at half angle a."""
    a, rays = 0.6, 200
    turns = 2 * pi * np.arange(rays) / rays
    cone = Cone.from_rays(np.column_stack([np.cos(turns) * sin(a), np.sin(turns) * sin(a), np.full(rays, cos(a))]))
    found = cone.conic_intrinsic_volumes()
    circular = [(1 - sin(a)) / 2, cos(a) / 2, sin(a) / 2, (1 - cos(a)) / 2]
    assert found.values == pytest.approx(circular, abs=5 / rays**2)
    # A random plane meets it with probability sin a, a random line with 1 - cos a.
    assert found.expected_euler_characteristic(2).value == pytest.approx(sin(a), abs=10 / rays**2)
    assert found.expected_euler_characteristic(1).value == pytest.approx(1 - cos(a), abs=10 / rays**2)


def test_subspaces_are_spheres_and_have_no_meeting_probability():
    plane = Cone.subspace([[1, 0], [0, 1], [0, 0], [0, 0]])
    exact = plane.conic_intrinsic_volumes()
    assert exact.statistical_dimension() == Estimate(2.0, 2.0, 2.0)
    assert [exact.expected_euler_characteristic(n).value for n in (1, 2, 3, 4)] == [0, 0, 2, 0]
    sampled = plane.estimate_conic_intrinsic_volumes(20, seed=0)
    for pair in ((exact, exact), (exact, sampled)):
        with pytest.raises(InputError, match="expected one that is no subspace"):
            pair[0].meeting_probability(pair[1])
    line = Cone.subspace([[1], [1], [0], [2]]).conic_intrinsic_volumes()
    assert exact.rotated_euler_characteristic(line).value == 0
    # A half line and a random hyperplane are known by one part that is no subspace.
    ray = Cone.from_rays([[1, 0, 0, 0]]).conic_intrinsic_volumes()
    hyperplane = Cone.from_inequalities(np.empty((0, 4)), [[1, 0, 0, 0]]).conic_intrinsic_volumes()
    assert ray.meeting_probability(hyperplane).value == 0
    assert Cone.from_inequalities([[1, 0, 0, 0]]).conic_intrinsic_volumes().meeting_probability(ray).value == 0.5


def test_the_kinematic_formula_agrees_with_rotations():
    """Is there x != 0 with x >= 0 and Q'x >= 0? Two orthants of R^4: with probability 1/2."""
    orthant = Cone.orthant([1] * 4).conic_intrinsic_volumes()
    assert orthant.meeting_probability(orthant).value == 0.5
    trials = 250
    turns = special_ortho_group(4, seed=8).rvs(trials)
    union = OrthantUnion(8, 0)
    met = sum(union.meets(-np.vstack([np.eye(4), turn])) for turn in turns)
    low, high = clopper_pearson(met, trials, level=LEVEL)
    assert low <= 0.5 <= high


# ---- Unions ----


def as_cones(vectors):
    return ConeUnion([Cone.orthant(s) for s in vectors])


@pytest.mark.parametrize(
    "vectors",
    [
        [[1, 1, 1], [1, 1, -1]],
        [[1, 0, -1, 1], [-1, 1, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]],
        [[1, 1], [1, 1], [-1, -1]],
        [[0, 0]],
    ],
)
def test_unions_of_orthants_agree_with_their_faces(vectors):
    union, faces = as_cones(vectors), FaceUnion(vectors)
    volumes = union.conic_intrinsic_volumes()
    assert volumes.values == pytest.approx([float(v) for v in faces.conic_intrinsic_volumes()], abs=1e-14)
    for n in range(1, faces.m + 1):
        assert holds(volumes.expected_euler_characteristic(n), faces.expected_euler_characteristic(n))
    signs = np.array(np.meshgrid(*[(-1, 0, 1)] * faces.m)).reshape(faces.m, -1).T
    assert [union.contains(s) for s in signs] == faces.contains_faces(signs).tolist()


def test_sampled_unions():
    """Two chambers of R^4 that share a wall, sampled as a union."""
    cone, _ = chamber("B", 4)
    rows = np.array(cone.definition.rows)
    beside = Cone.from_inequalities(rows * np.array([-1, 1, 1, 1]))
    union = ConeUnion([cone, beside])
    (shared,) = [term for term, count in union.signed_intersections().items() if count == -1]
    found = union.estimate_conic_intrinsic_volumes(800, seed=6)
    # Together they are convex: coordinates with |x_1| <= x_2 <= x_3 <= x_4, the chamber of type D.
    together = [Fraction(c, 192) for c in product_polynomial((1, 3, 5, 3))]
    wall = shared.estimate_conic_intrinsic_volumes(1, seed=0)
    assert len(wall.values) == 5
    intervals = found.simultaneous_intervals(level=LEVEL)
    assert all(holds(interval, volume) for interval, volume in zip(intervals, together, strict=True))
    assert holds(found.statistical_dimension(level=LEVEL), sum(k * v for k, v in enumerate(together)))
    assert sum(found.values) == pytest.approx(1)
    orthant = Cone.orthant([1] * 4).conic_intrinsic_volumes()
    exact = [Fraction(comb(4, k), 16) for k in range(5)]
    assert holds(found.rotated_euler_characteristic(orthant, level=LEVEL), rotations(together, exact))
    with pytest.raises(InputError, match="expected two convex cones"):
        found.meeting_probability(orthant)


# ---- Intervals ----


def test_chernoff_intervals_cover():
    """Of every number of successes, whether the interval holds p: enough probability, by the binomial law."""
    for p, samples in ((0.5, 40), (0.07, 90)):
        counts = np.arange(samples + 1)
        ends = np.array([chernoff_interval(k / samples, samples, 0.9) for k in counts])
        covered = binom.pmf(counts, samples, p)[(ends[:, 0] <= p) & (p <= ends[:, 1])].sum()
        assert covered >= 0.9
    assert chernoff_interval(0.0, 10, 0.9)[0] == 0
    assert chernoff_interval(1.0, 10, 0.9)[1] == 1


def test_binomial_intervals_are_those_of_clopper_and_pearson():
    for count, samples in ((0, 5), (3, 7), (7, 7)):
        found = binomial_interval(count, samples, 0.97)
        assert (found.low, found.high) == clopper_pearson(count, samples, 0.97)


def test_statistical_dimensions_cover_with_few_samples():
    cone = Cone.orthant([1] * 3)
    runs = [cone.estimate_conic_intrinsic_volumes(12, seed=seed).statistical_dimension() for seed in range(15)]
    assert all(estimate.low <= 1.5 <= estimate.high for estimate in runs)
    assert cone.estimate_conic_intrinsic_volumes(1, seed=0).statistical_dimension().high == 3


def test_what_is_no_problem_is_refused():
    volumes = Cone.orthant([1, 1]).conic_intrinsic_volumes()
    with pytest.raises(InputError, match=r"cones lie in R\^2 and R\^3; expected one space"):
        volumes.meeting_probability(Cone.orthant([1] * 3).conic_intrinsic_volumes())
    with pytest.raises(InputError, match="level is 1"):
        volumes.statistical_dimension(level=1)
    with pytest.raises(InputError, match="n is 0; expected an integer from 1 to 2"):
        volumes.expected_euler_characteristic(0)
    with pytest.raises(InputError, match="cones has 0 entries; expected 1 to 10"):
        ConeUnion([])
    with pytest.raises(InputError, match=r"dimension \[2, 3\]; expected one space"):
        ConeUnion([Cone.orthant([1, 1]), Cone.orthant([1, 1, 1])])
    union = as_cones([[1, 1], [1, -1]])
    assert repr(union) == "ConeUnion(2 cones in R^2)"
    assert repr(union.conic_intrinsic_volumes()) == "UnionVolumes(0, 0.5, 0.5; 3 convex parts, 0 of them sampled)"
    assert union.conic_intrinsic_volumes().expected_euler_characteristic(np.int64(1)).value == 1

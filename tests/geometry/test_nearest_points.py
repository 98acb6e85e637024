"""The kernel that counts the faces of nearest points, against exact projections, scipy's solver and ties."""

import numpy as np
import pytest
from scipy.optimize import nnls

from polyinj import Cone
from polyinj._nearest_points import count_supports
from polyinj.geometry.exact_projection import project_exactly
from polyinj.geometry.projection import _Projector


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_supports_are_those_of_exact_projections():
    """Of generators in general position, every support is the only one."""
    rng = np.random.default_rng(5)
    for n, k in ((1, 1), (2, 3), (3, 5), (4, 3), (5, 9)):
        generators = rng.integers(-9, 10, (k, n))
        generators = np.where((generators.sum(axis=1) >= 0)[:, None], generators, -generators)
        generators[~generators.any(axis=1)] = 1
        cone = Cone.from_rays(generators)
        points = rng.integers(-9, 10, (12, n))
        supports, violations, angles = count_supports(unit(generators.astype(float)), points.astype(float))
        for point, support, violation, angle in zip(points.tolist(), supports, violations, angles, strict=True):
            exact = project_exactly(cone.definition, point)
            assert support in (-1, sum(multiplier > 0 for multiplier in exact.multipliers))
            assert support == -1 or max(violation, abs(angle)) < 1e-12 * (1 + np.abs(point).sum())
        assert (supports >= 0).sum() >= 6


def test_supports_are_those_of_least_squares():
    rng = np.random.default_rng(6)
    for n, k in ((3, 4), (6, 12), (8, 40)):
        generators = unit(rng.standard_normal((k, n)) + 0.3)
        points = rng.standard_normal((200, n))
        supports = count_supports(generators, points)[0]
        assert (supports >= 0).all()
        assert supports.tolist() == [(nnls(generators.T, point)[0] > 0).sum() for point in points]


def test_ties_and_generators_near_one_another_stay_open():
    square = np.eye(2)
    assert count_supports(square, np.array([[1.0, 0.0], [1.0, -1e-12], [1.0, 1e-12]]))[0].tolist() == [-1, -1, -1]
    assert count_supports(square, np.array([[1.0, -1e-3], [1.0, 1e-3], [-1.0, -1.0]]))[0].tolist() == [1, 2, 0]
    near = unit(np.array([[1.0, 0.0, 0.0], [1.0, 1e-4, 0.0], [0.0, 0.0, 1.0]]))
    assert count_supports(near, np.array([[2.0, 1e-4, 1.0]]))[0].tolist() == [-1]
    with pytest.raises(ValueError, match="points of length 3"):
        count_supports(square, np.ones((1, 3)))


def test_faces_with_more_rays_than_dimensions():
    """The cone over a square: its facets have two rays, all of it four."""
    pyramid = unit(np.array([[1.0, 0, 1], [0, 1, 1], [-1, 0, 1], [0, -1, 1]]))
    points = np.random.default_rng(0).standard_normal((400, 3))
    supports = count_supports(pyramid, points)[0]
    assert (supports >= 0).all()
    assert supports.tolist() == [(nnls(pyramid.T, point)[0] > 0).sum() for point in points]


@pytest.mark.parametrize("kind", [Cone.from_rays, Cone.from_inequalities])
def test_dimensions_of_many_points_are_those_of_each(kind):
    rng = np.random.default_rng(7)
    cones = [
        kind(rng.standard_normal((6, 4))),
        kind(rng.integers(-2, 3, (7, 3)), [[1, 1, 1]]),
        kind([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0], [1e-5, 1, 0]]),
        kind(np.empty((0, 3)), [[1, 2, 3]]),
        kind(np.empty((0, 2))),
    ]
    for cone in cones:
        projector = _Projector(cone.definition)
        points = np.concatenate(
            [rng.standard_normal((60, cone.ambient_dimension)), rng.integers(-1, 2, (20, cone.ambient_dimension))]
        )
        points = points[points.any(axis=1)]
        each = [projector.project(point) for point in points]
        dimensions, residual = projector.face_dimensions(points)
        assert dimensions.tolist() == [projection.face_dimension for projection in each]
        assert residual < 1e-12


def test_samples_do_not_depend_on_how_many_are_taken_at_a_time(monkeypatch):
    cone = Cone.from_rays(np.random.default_rng(1).standard_normal((5, 4)))
    whole = cone.estimate_conic_intrinsic_volumes(500, seed=3)
    monkeypatch.setattr("polyinj.geometry.projection._POINTS_AT_A_TIME", 64)
    assert cone.estimate_conic_intrinsic_volumes(500, seed=3).counts == whole.counts
    assert sum(whole.counts) == 500

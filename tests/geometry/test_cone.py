"""Cones: both descriptions, certificates, the checked float path, projections and conic intrinsic volumes."""

import dataclasses
import doctest
from fractions import Fraction
from math import acos, comb, pi
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.injectivity import dot

import polyinj.geometry.cone_conversion as conversion
from polyinj.errors import CertificateError, InputError
from polyinj.geometry.cone import Cone
from polyinj.geometry.cone_certificate import ConeInside, ConeOutside, ExactProjection, PointInside, PointOutside
from polyinj.geometry.cone_conversion import EXACT, FLOAT, REPAIRED
from polyinj.geometry.exact_cone import double_description
from polyinj.testing import cones, subspaces

HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


# Descriptions


@given(st.booleans().flatmap(lambda floats: cones(floats=floats)))
def test_round_trips(cone):
    assert Cone.from_inequalities(cone.facets, cone.equations).description == cone.description or not cone.exact
    assert Cone.from_rays(cone.rays, cone.lines).description == cone.description or not cone.exact
    assert cone.polar().polar() == cone
    assert cone.dual().dual() == cone
    assert cone.dual().description == Cone(cone.definition.dual, exact=cone.exact).description
    assert cone.dimension + cone.dual().lineality_dimension == cone.ambient_dimension
    assert cone.rank == cone.dual().dimension
    assert cone.is_pointed == (cone.lineality_dimension == 0)
    assert cone.is_subspace == (cone.dimension == cone.lineality_dimension)
    assert cone.incidence.shape == (len(cone.facets), len(cone.rays))
    assert (cone.incidence == cone.dual().incidence.T).all()


def test_polar_is_the_negative_of_the_dual():
    cone = Cone.from_rays([[1, 0], [1, 1]])
    assert cone.polar() == Cone.from_inequalities([[-1, 0], [-1, -1]])
    assert cone.polar() != cone.dual()


@given(cones(floats=True))
def test_float_cones_equal_exact_ones(cone):
    rows, equalities = ([list(row) for row in part] for part in (cone.definition.rows, cone.definition.equalities))
    expected = double_description(rows, equalities, cone.ambient_dimension)
    assert cone.description == (expected if cone.definition.kind == "inequalities" else expected.dual)
    assert cone.rays.dtype == cone.lines.dtype == cone.facets.dtype == cone.equations.dtype == np.float64
    assert not len(cone.rays) or (np.abs(cone.rays).max(axis=1) == 1).all()


def test_known_cones():
    n = 3
    eye = np.eye(n, dtype=int)
    whole = Cone.from_inequalities(np.zeros((0, n), dtype=int))
    origin = Cone.from_rays(np.zeros((0, n)))
    line = Cone.subspace([[1], [2], [3]])
    half = Cone.from_inequalities([[0, 0, 5]])
    orthant = Cone.orthant([1, 1, 1])
    assert [c.dimension for c in (whole, origin, line, half, orthant)] == [3, 0, 1, 3, 3]
    assert [c.lineality_dimension for c in (whole, origin, line, half, orthant)] == [3, 0, 1, 2, 0]
    assert whole.is_subspace
    assert origin.is_pointed
    assert origin.polar() == whole
    assert whole == Cone.from_rays(np.vstack([eye, -eye]))
    assert origin == Cone.from_rays([[0, 0, 0]]) == Cone.from_inequalities(np.vstack([eye, -eye]))
    assert half == Cone.from_rays([[0, 0, 1]], [[1, 0, 0], [0, 1, 0]])
    assert half.dual() == Cone.from_rays([[0, 0, 1]])
    assert orthant.dual() == orthant
    assert line.polar() == Cone.from_inequalities([[0, 0, 0]], [[1, 2, 3]])
    assert hash(orthant) == hash(Cone.from_rays(eye))
    assert Cone.orthant([1, 0]) == Cone.from_rays([[1, 0]])


def test_incidence_of_a_square():
    cone = square()
    assert cone.incidence.sum(axis=0).tolist() == cone.incidence.sum(axis=1).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("edges", [3, 8, 40])
def test_circular_approximations(edges):
    """Cones over regular polygons; the polar cone has as many edges, and the volume approaches the circular cone's."""
    angles = 2 * pi * np.arange(edges) / edges
    cone = Cone.from_rays(np.column_stack([np.cos(angles), np.sin(angles), np.ones(edges)]))
    method = FLOAT if edges == 3 else EXACT
    assert (len(cone.rays), len(cone.facets), cone.method) == (edges, edges, method)
    share = edges * acos((1 + np.cos(2 * pi / edges)) / 2)
    volumes = cone.conic_intrinsic_volumes()
    assert volumes.values[2] * 4 * pi == pytest.approx(share, rel=1e-12)
    if edges == 40:
        assert volumes.values[3] == pytest.approx((1 - np.sqrt(0.5)) / 2, rel=5e-3)


@pytest.mark.slow
@given(cones(3), cones(3), subspaces(3, 2), st.lists(st.integers(-1, 1), min_size=3, max_size=3), st.data())
def test_intersections_hold_the_common_points(first, second, subspace, signs, data):
    parts = (first, second, Cone.subspace(subspace), Cone.orthant(signs))
    both = parts[0].intersection(*parts[1:])
    assert all(part.contains_cone(both) for part in parts)
    point = data.draw(st.lists(st.integers(-2, 2), min_size=3, max_size=3))
    assert both.contains(point) == all(part.contains(point) for part in parts)


def test_exactness_is_tracked_and_shown():
    exact_cone, rounded = Cone.orthant([1, 1]), Cone.from_inequalities([[1.0, 0.1]])
    assert repr(exact_cone) == "Cone(2 inequalities, 0 equations in R^2, exact)"
    assert repr(rounded) == "Cone(1 inequalities, 0 equations in R^2, float64: arrays are rounded, decisions exact)"
    assert rounded.method == FLOAT
    assert "cddlib" in repr(rounded)
    assert exact_cone.method == EXACT
    assert not exact_cone.intersection(rounded).exact
    assert all(isinstance(entry, Fraction) for entry in exact_cone.rays.flat)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Cone.from_inequalities([1, 2]),
        lambda: Cone.from_inequalities([[np.nan, 1.0]]),
        lambda: Cone.from_rays([[1, 0]], [[1, 0, 0]]),
        lambda: Cone.orthant([]),
        lambda: Cone.orthant([2]),
        lambda: Cone.orthant([1]).intersection(Cone.orthant([1, 1])),
        lambda: Cone.orthant([1]).contains([1, 1]),
        lambda: Cone.orthant([1]).contains_cone(Cone.orthant([1, 1])),
        lambda: Cone.orthant([1]).estimate_conic_intrinsic_volumes(0),
        lambda: Cone.orthant([1]).estimate_conic_intrinsic_volumes(10, level=1.0),
    ],
)
def test_bad_input(build):
    with pytest.raises(InputError):
        build()


# The float path


@pytest.fixture
def cddlib(monkeypatch):
    """Cones of floats go by cddlib, as those that are not simple do."""
    monkeypatch.setattr(conversion, "wide_rays", lambda rows, columns: None)


def square():
    return Cone.from_inequalities([[1.0, 0, 1], [-1.0, 0, 1], [0, 1.0, 1], [0, -1.0, 1], [0, 0, 1]])


WRONG = {
    "a missing ray": lambda sets: sets[1:],
    "a repeated ray": lambda sets: [*sets, sets[0]],
    "a ray outside": lambda sets: [{0, 1}, *sets[1:]],
    "no ray": lambda sets: [],
    "one tight row only": lambda sets: [{0}, *sets[1:]],
    "an extra tight row": lambda sets: [{0, 1, 2, 3}, *sets[1:]],
}


@pytest.mark.usefixtures("cddlib")
@pytest.mark.parametrize("fault", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_float_result_is_refused_and_repaired(monkeypatch, fault):
    right = square()
    assert right.method == FLOAT
    proposals = conversion._cdd_tight_sets
    monkeypatch.setattr(conversion, "_cdd_tight_sets", lambda rows: fault(proposals(rows)))
    repaired = square()
    assert repaired.method == REPAIRED
    assert repaired == right


@pytest.mark.usefixtures("cddlib")
def test_cddlib_that_gives_up_is_repaired(monkeypatch):
    import cdd

    def give_up(*_args, **_keywords):
        raise RuntimeError("numerical problem")

    monkeypatch.setattr(cdd, "polyhedron_from_matrix", give_up)
    assert square().method == REPAIRED


@pytest.mark.parametrize("power", [-30, -40, -50, -52])
def test_nearly_parallel_rows_are_never_misjudged(power):
    """Below the tolerance of cddlib (1e-9) its rays merge; the exact result keeps them apart."""
    rows = np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, -(2.0**power), 0], [-1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    cone = Cone.from_inequalities(rows)
    assert cone == Cone.from_inequalities([[Fraction(v) for v in row] for row in rows.tolist()])
    assert (1, 2**-power, 0) in cone.description.rays


def test_floats_by_cddlib_equal_those_of_many_limbs(monkeypatch):
    rng = np.random.default_rng(2)
    for n, m in ((3, 7), (4, 8), (5, 9)):
        rows = rng.standard_normal((m, n)) + 0.5
        wide = Cone.from_inequalities(rows)
        assert wide.description == wide.description.dual.dual
        with monkeypatch.context() as patched:
            patched.setattr(conversion, "wide_rays", lambda rows, columns: None)
            checked = Cone.from_inequalities(rows)
            assert checked == wide
            assert (checked.method, wide.method) == (FLOAT, EXACT)


def test_exact_cones_never_load_cdd(monkeypatch):
    monkeypatch.setattr(conversion, "_cdd_tight_sets", None)
    assert len(Cone.from_inequalities([[1, 0], [1, 3]]).rays) == 2


# Certificates


@given(cones(3), st.lists(st.integers(-2, 2), min_size=3, max_size=3), st.integers(1, 5))
def test_points_come_with_proof(cone, point, denominator):
    point = [Fraction(entry, denominator) for entry in point]
    certificate = cone.decide_point(point)
    certificate.verify(cone.definition)
    described = cone.description
    inside = all(dot(row, point) >= 0 for row in described.facets)
    inside = inside and not any(dot(row, point) for row in described.equations)
    assert isinstance(certificate, PointInside) == inside == cone.contains(point)
    for tampered in _tampered_points(certificate):
        with pytest.raises(CertificateError):
            tampered.verify(cone.definition)
    with pytest.raises(CertificateError, match="another cone"):
        certificate.verify(Cone.orthant([1, 1, 1, 1]).definition)


def _tampered_points(certificate):
    """The certificate with one entry changed so that it must be wrong."""
    point = certificate.point
    yield dataclasses.replace(certificate, point=point[1:])
    if isinstance(certificate, PointOutside):
        yield dataclasses.replace(certificate, row=tuple(-v for v in certificate.row))
        yield dataclasses.replace(certificate, row=(0,) * len(point))
    elif certificate.cone.kind == "rays":
        for i, ray in enumerate(certificate.cone.rows):
            if any(ray):
                changed = list(certificate.multipliers)
                changed[i] += 1
                yield dataclasses.replace(certificate, multipliers=tuple(changed))
                yield dataclasses.replace(certificate, point=tuple(a + b for a, b in zip(point, ray, strict=True)))
        yield dataclasses.replace(certificate, multipliers=(*certificate.multipliers, Fraction(0)))
        yield dataclasses.replace(certificate, line_multipliers=(*certificate.line_multipliers, Fraction(0)))


def test_negative_multipliers_are_refused():
    cone = Cone.from_rays([[1, 0], [0, 1], [1, 1]])
    one = Fraction(1)
    forged = PointInside(cone.definition, (-one, one), (-one, one, 0 * one))
    with pytest.raises(CertificateError, match="negative"):
        forged.verify(cone.definition)


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (PointInside(Cone.orthant([1, 0]).definition, (Fraction(-1), Fraction(0))), "violates inequality 0"),
        (PointInside(Cone.orthant([1, 0]).definition, (Fraction(1), Fraction(1))), "violates equation 0"),
        (
            PointOutside(Cone.from_rays([[1, 0], [0, 1]]).definition, (Fraction(1), Fraction(1)), (1, -2)),
            "negative at ray 1",
        ),
        (
            PointOutside(Cone.from_rays([[1, 0]], [[0, 1]]).definition, (Fraction(1), Fraction(-2)), (1, 1)),
            "not zero on line 0",
        ),
    ],
)
def test_forged_point_certificates(certificate, reason):
    with pytest.raises(CertificateError, match=reason):
        certificate.verify(certificate.cone)


def test_rows_that_are_not_of_the_cone_separate_nothing():
    cone = Cone.from_inequalities([[1, 0]])
    forged = PointOutside(cone.definition, (Fraction(1), Fraction(-1)), (0, 1))
    with pytest.raises(CertificateError, match="not one of"):
        forged.verify(cone.definition)


@given(cones(3), cones(3))
def test_containment_comes_with_proof(first, second):
    certificate = second.decide_cone(first)
    contained = all(second.contains(list(v)) for v in first._as_rays.generators)
    assert isinstance(certificate, ConeInside) == contained
    inner = certificate.inner if isinstance(certificate, ConeInside) else first.definition
    certificate.verify(inner, second.definition)
    assert inner == first.definition or (first.definition.kind, second.definition.kind) == ("inequalities", "rays")
    assert first.contains_cone(first)
    if isinstance(certificate, ConeInside):
        for k in range(len(certificate.members)):
            tampered = dataclasses.replace(certificate, members=certificate.members[:k] + certificate.members[k + 1 :])
            with pytest.raises(CertificateError):
                tampered.verify(inner, second.definition)
    else:
        origin = (Fraction(0),) * 3
        tampered = dataclasses.replace(certificate, outside=dataclasses.replace(certificate.outside, point=origin))
        with pytest.raises(CertificateError):
            tampered.verify(inner, second.definition)
        with pytest.raises(CertificateError):
            certificate.verify(second.definition, first.definition)


def test_tampered_cone_certificates():
    small, large = Cone.from_rays([[1, 0], [1, 1]]), Cone.orthant([1, 1])
    certificate = large.decide_cone(small)
    assert isinstance(certificate, ConeInside)
    swapped = dataclasses.replace(certificate, members=certificate.members[::-1])
    with pytest.raises(CertificateError, match="stands for"):
        swapped.verify(small.definition, large.definition)
    outside = small.decide_cone(large)
    assert isinstance(outside, ConeOutside)
    moved = dataclasses.replace(outside, inside=large.decide_point([5, 1]))
    with pytest.raises(CertificateError, match="two different points"):
        moved.verify(large.definition, small.definition)
    forged = ConeInside(large.definition, small.definition, ())
    with pytest.raises(CertificateError, match="needs an outer cone"):
        forged.verify(large.definition, small.definition)


def test_floats_are_the_rationals_they_store():
    cone = Cone.from_inequalities([[1.0, -0.1]])
    tenth = Fraction(0.1)
    assert cone.contains([tenth, 1])
    assert not cone.contains([Fraction(1, 10), 1])


# Projections


@given(st.booleans().flatmap(lambda floats: cones(floats=floats)), st.integers(0, 10**6))
def test_projections_are_nearest_points(cone, seed):
    point = np.random.default_rng(seed).standard_normal(cone.ambient_dimension)
    found = cone.project(point)
    assert found.residual < 1e-9
    rays, lines, facets = (array.astype(float) for array in (cone.rays, cone.lines, cone.facets))
    far = point - found.projection
    assert (facets @ found.projection >= -1e-9).all()
    assert np.abs(cone.equations.astype(float) @ found.projection).max(initial=0) < 1e-9
    assert (rays @ far <= 1e-9).all()
    assert np.abs(lines @ far).max(initial=0) < 1e-9
    assert found.distance == pytest.approx(np.linalg.norm(far))
    # Moreau: the rest is the projection to the polar cone.
    assert cone.polar().project(point).projection == pytest.approx(far, abs=1e-9)


@given(st.booleans().flatmap(lambda floats: cones(floats=floats)), st.data())
def test_exact_projections_come_with_proof(cone, data):
    n = cone.ambient_dimension
    point = [Fraction(v, 2) for v in data.draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n))]
    found = cone.project_exactly(point)
    found.verify(cone.definition)
    assert [float(v) for v in found.projection] == pytest.approx(cone.project(point).projection, abs=1e-9)
    assert (found.squared_distance == 0) == cone.contains(point)
    nowhere = tuple(v + 1 for v in found.projection)
    for tampered in (
        dataclasses.replace(found, projection=nowhere),
        dataclasses.replace(found, multipliers=tuple(v - 1 for v in found.multipliers)),
        dataclasses.replace(found, multipliers=found.multipliers[1:]),
    ):
        with pytest.raises(CertificateError):
            tampered.verify(cone.definition)
    with pytest.raises(CertificateError, match="another cone"):
        found.verify(Cone.orthant([0] * 5).definition)


@pytest.mark.parametrize(
    ("cone", "projection", "multipliers", "reason"),
    [
        (Cone.from_rays([[1, 0], [0, 1]]), (1, 0), (1, 0), "not in its polar"),
        (Cone.from_rays([[1, 0], [0, 1]]), (3, 1), (3, 1), "not in its polar|not orthogonal"),
        (Cone.from_rays([[1, 0], [1, 1]]), (2, 1), (1, 0), "do not give"),
        (Cone.from_inequalities([[1, 0]]), (3, 1), (1,), "not orthogonal"),
        (Cone.from_inequalities([[-1, 0]]), (1, 1), (1,), "not in its polar"),
    ],
)
def test_forged_projections(cone, projection, multipliers, reason):
    point, projection, multipliers = (tuple(map(Fraction, v)) for v in ((2, 1), projection, multipliers))
    with pytest.raises(CertificateError, match=reason):
        ExactProjection(cone.definition, point, projection, multipliers, ()).verify(cone.definition)


def test_known_projections():
    cone = Cone.from_rays([[1, 1]])
    assert cone.project([2, 0]).projection == pytest.approx([1, 1])
    assert cone.project([-1, 0]).face_dimension == 0
    assert cone.project([0, 0]).residual == 0
    assert Cone.subspace([[1], [0]]).project([3, 4]).distance == pytest.approx(4)
    assert Cone.from_inequalities([[0, 0]]).project([3, 4]).face_dimension == 2
    for size in (1e-250, 1e250):
        found = Cone.orthant([1, 1]).project([size, -size])
        assert found.projection / size == pytest.approx([1, 0])
        assert found.distance / size == pytest.approx(1)


# Conic intrinsic volumes


@settings(max_examples=60)
@given(cones(max_ambient=3))
def test_intrinsic_volumes_satisfy_the_identities(cone):
    volumes = cone.conic_intrinsic_volumes()
    values, n = volumes.values, cone.ambient_dimension
    assert len(values) == n + 1
    slack = 8 * volumes.error + 1e-15
    assert sum(values) == pytest.approx(1, abs=slack)
    if not cone.is_subspace:
        assert sum(values[::2]) - sum(values[1::2]) == pytest.approx(0, abs=slack)
    assert min(values) >= -slack
    assert cone.polar().conic_intrinsic_volumes().values == pytest.approx(values[::-1], abs=slack)
    assert not any(values[: cone.lineality_dimension])
    assert not any(values[cone.dimension + 1 :])
    for value, rational in zip(values, volumes.rational, strict=True):
        assert rational is None or value == float(rational)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_orthants_have_binomial_volumes(n):
    volumes = Cone.orthant([1] * n).conic_intrinsic_volumes()
    assert volumes.rational == tuple(Fraction(comb(n, k), 2**n) for k in range(n + 1))


def test_subspaces_have_one_volume():
    assert Cone.subspace([[1, 0], [1, 1], [2, 0]]).conic_intrinsic_volumes().rational == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("rays", "turns"),
    [([[1, 0], [1, 1]], Fraction(1, 8)), ([[1, 0], [-1, 1]], Fraction(3, 8)), ([[1, 0], [0, 1]], QUARTER)],
)
def test_known_plane_angles(rays, turns):
    assert Cone.from_rays(rays).conic_intrinsic_volumes().rational == (HALF - turns, HALF, turns)


def test_angles_of_sixty_degrees_in_space():
    """Two roots of A_2 in the plane x + y + z = 0, and its Weyl chamber."""
    assert Cone.from_rays([[1, -1, 0], [1, 0, -1]]).conic_intrinsic_volumes().rational[2] == Fraction(1, 6)
    chamber = Cone.from_inequalities([[1, -1, 0], [0, 1, -1]]).conic_intrinsic_volumes()
    assert chamber.rational == (0, Fraction(1, 3), HALF, Fraction(1, 6))


def test_chambers_of_the_cube():
    """x >= y >= z >= 0 is one of 48; volumes from (t+1)(t+3)(t+5) / 48 (Klivans and Swartz 2011)."""
    chamber = Cone.from_inequalities([[1, -1, 0], [0, 1, -1], [0, 0, 1]]).conic_intrinsic_volumes()
    assert chamber.values == pytest.approx([15 / 48, 23 / 48, 9 / 48, 1 / 48], abs=1e-15)
    assert chamber.rational[3] == Fraction(1, 48)


def test_a_solid_angle_in_closed_form():
    """Van Oosterom and Strackee 1983: tan(omega / 2) of three vectors."""
    rays = np.array([[1, 2, 2], [3, 0, 4], [0, 1, 5]])
    lengths = np.linalg.norm(rays, axis=1)
    a, b, c = rays / lengths[:, None]
    omega = 2 * np.arctan2(abs(np.linalg.det([a, b, c])), 1 + a @ b + b @ c + c @ a)
    volumes = Cone.from_rays(rays).conic_intrinsic_volumes()
    assert volumes.values[3] == pytest.approx(omega / (4 * pi), rel=1e-13)
    assert volumes.error < 1e-16


def test_product_rule_in_five_dimensions():
    """A sector times a cone of three dimensions, both without rational angles, turned by a rational rotation."""
    sector, solid = [[1, 0], [1, 2]], [[1, 0, 0], [0, 1, 0], [1, 1, 3], [2, 0, 1]]
    rays = [[*ray, 0, 0, 0] for ray in sector] + [[0, 0, *ray] for ray in solid]
    mirror = np.array([1, 2, 0, -1, 3])
    turned = [(15 * np.array(ray) - 2 * np.dot(ray, mirror) * mirror).tolist() for ray in rays]
    parts = [np.array(Cone.from_rays(part).conic_intrinsic_volumes().values) for part in (sector, solid)]
    whole = Cone.from_rays(turned).conic_intrinsic_volumes()
    assert whole.values == pytest.approx(np.convolve(*parts), abs=1e-15)
    assert Cone.from_rays(turned).dimension == 5


def test_volumes_do_not_depend_on_the_space_around():
    solid, mirror = [[1, 0, 0], [0, 1, 0], [1, 1, 3], [2, 0, 1]], np.array([1, 2, 0, -1, 3])
    turned = [(15 * np.array([*ray, 0, 0]) - 2 * np.dot([*ray, 0, 0], mirror) * mirror).tolist() for ray in solid]
    alone = Cone.from_rays(solid).conic_intrinsic_volumes()
    assert Cone.from_rays(turned).conic_intrinsic_volumes().values == pytest.approx([*alone.values, 0, 0], abs=1e-15)


def test_closed_forms_end_at_three_dimensions():
    with pytest.raises(InputError, match="estimate_conic_intrinsic_volumes"):
        Cone.from_rays([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]).conic_intrinsic_volumes()


# 24 intervals of level 1 - 4e-8 miss with probability at most 1e-6 together.
LEVEL = 1 - 4e-8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cone", "expected"),
    [
        (Cone.orthant([1, -1, 1, 1, 1]), [comb(5, k) / 32 for k in range(6)]),
        (Cone.from_inequalities([[1, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1]]), [0, 6 / 24, 11 / 24, 6 / 24, 1 / 24]),
        (Cone.from_rays([[1, 0, 0], [1, 2, 0], [1, 1, 3], [4, 1, 9]]), None),
        (Cone.from_inequalities([[1.0, 0.5, 0.0], [0.0, 1.0, 0.0]]), None),
        (Cone.subspace([[1, 1], [0, 1], [1, 2]]), [0, 0, 1, 0]),
    ],
)
def test_estimates_hold_the_true_volumes(cone, expected):
    expected = cone.conic_intrinsic_volumes().values if expected is None else expected
    estimate = cone.estimate_conic_intrinsic_volumes(4000, seed=7, level=LEVEL)
    assert all(low <= v <= high for low, v, high in zip(estimate.low, expected, estimate.high, strict=True))
    assert sum(estimate.counts) == estimate.samples == 4000
    assert estimate.largest_residual < 1e-12
    assert estimate == cone.estimate_conic_intrinsic_volumes(4000, seed=7, level=LEVEL)


def test_the_seed_is_drawn_and_kept():
    cone = Cone.orthant([1, 1])
    first = cone.estimate_conic_intrinsic_volumes(50)
    assert cone.estimate_conic_intrinsic_volumes(50, seed=first.seed) == first


def test_the_page_runs():
    page = Path(__file__).parents[2] / "docs" / "cones.md"
    assert doctest.testfile(str(page), module_relative=False, encoding="utf-8").failed == 0


def test_points_beyond_doubles_are_projected_exactly_or_refused():
    cone = Cone.from_inequalities([[1, 1]])
    with pytest.raises(InputError, match="try project_exactly"):
        cone.project([10**400, 0])
    assert cone.project_exactly([-(10**400), 0]).projection == (-(10**400) / Fraction(2), 10**400 / Fraction(2))
    largest = float(np.finfo(float).max)
    with pytest.raises(InputError, match="beyond the range"):
        Cone.from_rays([[1, 0.1]]).project([largest, largest])

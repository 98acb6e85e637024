"""Tukey depth of the origin."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from helpers import gaussian
from hypothesis import given, settings
from reference import face_lattice

from polyinj import CertificateError, GaussianEnsemble, tukey_depth
from polyinj.certificates.layer import read_layer
from polyinj.injectivity.problem import Problem
from polyinj.simulation.trials import matrix_of
from polyinj.testing import integer_matrices


@pytest.mark.slow
@pytest.mark.parametrize(
    ("m", "n", "depths"), [(35, 5, [7, 5, 7]), (54, 6, [9, 9, 10]), (48, 8, [10, 7, 9]), (56, 8, [12])]
)
def test_known_depths(m, n, depths):
    for seed, depth in enumerate(depths):
        result = tukey_depth(gaussian(m, n, seed))
        assert result.depth == depth
        result.verify()


def test_depth_of_degenerate_rows():
    assert tukey_depth([[0, 0], [0, 0]]).depth == 2
    assert tukey_depth([[1, 0], [1, 0], [0, 0]]).depth == 1
    assert tukey_depth([[1, 0], [-1, 0], [1, 0], [-1, 0]]).depth == 2
    assert tukey_depth([[1], [-1], [-1], [0]]).depth == 2
    assert tukey_depth([[1], [2]]).depth == 0


@settings(max_examples=60)
@given(integer_matrices(max_rows=8, max_columns=3))
def test_depth_equals_the_reference(rows):
    # Over x != 0: the zero sign vector counts only where the rows have a kernel.
    faces = face_lattice.covectors(rows.tolist())
    depth = min(sum(sign >= 0 for sign in signs) for signs, dimension in faces.items() if dimension > 0)
    result = tukey_depth(rows)
    assert result.depth == depth
    result.verify()


def test_a_cell_too_narrow_for_doubles():
    """Rounded to doubles, the direction of least depth that the search comes to has 19 active rows."""
    result = tukey_depth(matrix_of(GaussianEnsemble(80, 10), 1, 290), time_limit=60)
    assert result.depth == 16
    result.verify()


def test_a_witness_in_fractions_is_not_rounded():
    """In a cell less than 2^-53 wide."""
    problem = Problem.of(read_layer([[-1.0, 3.0], [1.0, -3.0 - 2.0**-51], [1.0, 1.0]]))
    inside = problem.direction([3 * 2**53 + 1, 2**53])
    assert problem.witness(inside) is inside
    assert problem.point(inside) == [1, Fraction(2**53, 3 * 2**53 + 1)]
    outside = np.array([Fraction(1), Fraction(1)], dtype=object)
    assert problem.witness(outside) is None


def test_a_tampered_depth_is_refused():
    result = tukey_depth(gaussian(20, 3))
    with pytest.raises(CertificateError, match="active along the direction"):
        replace(result, depth=result.depth + 1).verify()
    with pytest.raises(CertificateError, match="no proof"):
        replace(result, certificate=None).verify()
    with pytest.raises(CertificateError, match="is zero"):
        replace(result, direction=(0, 0, 0)).verify()

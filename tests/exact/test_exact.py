"""Exact reading of matrices, and the linear algebra on what was read."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import injectivity

from polyinj import InputError
from polyinj.exact import algebra, arrays
from polyinj.testing import integer_matrices

numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70), st.fractions())


@pytest.mark.slow
@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=4))
def test_reading_rounds_nothing(entries):
    read = arrays.read_matrix(np.array(entries, dtype=object))
    assert arrays.fractions(read) == [[Fraction(entry) for entry in row] for row in entries]


@pytest.mark.slow
@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3), min_size=1))
def test_integer_rows_are_positive_multiples(entries):
    for row, integers in zip(entries, arrays.integer_rows(arrays.read_matrix(entries)), strict=True):
        ratios = {Fraction(b) / Fraction(a) for a, b in zip(row, integers, strict=True) if a}
        assert len(ratios) <= 1
        assert all(ratio > 0 for ratio in ratios)
        assert [bool(entry) for entry in row] == [bool(entry) for entry in integers]


@given(st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=3))
def test_float_rows_are_as_near_as_they_say(entries):
    read = arrays.read_matrix(np.array(entries, dtype=object))
    for matrix in (read, arrays.read_matrix(np.array(entries, dtype=np.float64))):
        floats, error = arrays.float_rows(matrix)
        for row, scaled in zip(arrays.fractions(matrix), floats.tolist(), strict=True):
            largest = max(map(abs, row))
            assert not any(scaled) or 0.5 <= max(map(abs, scaled)) <= 1
            power = Fraction(2) ** -np.frexp(float(largest))[1].item()
            near = any(
                all(abs(Fraction(b) - a * scale) <= Fraction(error) for a, b in zip(row, scaled, strict=True))
                for scale in (power, 1 / largest if largest else Fraction(1))
            )
            assert near


def test_mixed_lists_keep_large_integers():
    assert arrays.fractions(arrays.read_matrix([[2**60 + 1, 0.5]])) == [[2**60 + 1, Fraction(1, 2)]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"shape \(0,\); expected \(rows, columns\)"),
        ([1.0, 2.0, 3.0], r"shape \(3,\)"),
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        ([[1, 2], [3]], "not a rectangular array"),
        ([[1.0, np.nan]], r"weights\[0, 1\] is nan"),
        ([[np.inf, 1.0]], r"weights\[0, 0\] is inf"),
        ([[1 + 2j]], "dtype complex128"),
        (np.ones((2, 2), dtype=np.float16), "dtype float16"),
        (np.ones((2, 2), dtype=np.longdouble), "dtype (float128|longdouble)"),
        ([[True, False]], "dtype bool"),
        ([["a", "b"]], "dtype <U1"),
        (np.array([[1, None]], dtype=object), r"weights\[0, 1\] is None \(NoneType\)"),
        (np.array([[1, True]], dtype=object), r"weights\[0, 1\] is True \(bool\)"),
        (np.array([[1, float("nan")]], dtype=object), r"weights\[0, 1\] is nan"),
    ],
)
def test_bad_matrices_are_refused_in_one_line(values, message):
    with pytest.raises(InputError, match=message) as refused:
        arrays.read_matrix(values)
    assert "\n" not in str(refused.value)


@given(integer_matrices(max_rows=5, max_columns=4))
def test_rank_and_kernel(rows):
    rows = rows.tolist()
    n = len(rows[0])
    basis = algebra.kernel(rows, n)
    assert algebra.rank(rows) == injectivity.rank(rows)
    assert len(basis) == n - algebra.rank(rows)
    assert algebra.rank(basis) == len(basis)
    assert all(not any(algebra.product(rows, x)) for x in basis)


def test_hash_separates_weights_bias_and_domain():
    weights, bias = arrays.read_matrix([[1, 2], [3, 4]]), arrays.read_vector([5, 6], 2)
    texts = {
        arrays.hash_layer(weights),
        arrays.hash_layer(weights, bias),
        arrays.hash_layer(weights, bias, "box 0:inf 0:inf"),
    }
    assert len(texts) == 3
    assert arrays.hash_layer(arrays.read_matrix([[1.0, 2.0], [3.0, 4.0]])) in texts


@pytest.mark.parametrize("odd", [Fraction(1, 3), 2**53 + 1, 10**400, Fraction(1, 2**1080)])
def test_hash_depends_on_values_alone(odd):
    assert arrays.hash_layer(arrays.read_matrix([[0.0, 2.0]])) == arrays.hash_layer(arrays.read_matrix([[-0.0, 2.0]]))
    near = arrays.read_matrix(np.array([[odd, 2]], dtype=object))
    assert arrays.hash_layer(near) == arrays.hash_layer(arrays.read_matrix(np.array([[Fraction(odd), Fraction(2)]])))
    assert arrays.hash_layer(near) != arrays.hash_layer(arrays.read_matrix([[0, 2]]))


def test_fractions_of_numpy_integers_do_not_overflow():
    entry = Fraction(np.int64(2**62), np.int64(3))
    (read,) = arrays.read_matrix(np.array([[entry]], dtype=object)).flat
    assert read * 4 == Fraction(2**64, 3)
    assert type(read.numerator) is type(read.denominator) is int

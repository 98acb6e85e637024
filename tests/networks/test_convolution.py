"""Unrolled convolutions against the definition, entry by entry."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyinj import InputError
from polyinj.networks.convolution import output_shape, unroll_convolution


def convolve(kernel, image, stride, padding, dilation, groups):
    """The definition, one output entry at a time."""
    outputs, taken, *window = kernel.shape
    wide = np.pad(image, [(0, 0), *padding])
    spatial = [
        (size - step * (length - 1) - 1) // jump + 1
        for size, step, length, jump in zip(wide.shape[1:], dilation, window, stride, strict=True)
    ]
    result = np.zeros((outputs, *spatial), dtype=kernel.dtype)
    for channel in range(outputs):
        first = channel // (outputs // groups) * taken
        for place in product(*map(range, spatial)):
            for inner in range(taken):
                for tap in product(*map(range, window)):
                    at = tuple(o * s + t * d for o, s, t, d in zip(place, stride, tap, dilation, strict=True))
                    result[(channel, *place)] += kernel[(channel, inner, *tap)] * wide[(first + inner, *at)]
    return result


@st.composite
def convolutions(draw):
    axes = draw(st.integers(1, 3))

    def numbers(low, high):
        return draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes))

    groups, taken, times = (draw(st.integers(1, 2)) for _ in range(3))
    window, stride, dilation = numbers(1, 3), numbers(1, 3), numbers(1, 2)
    padding = list(zip(numbers(0, 2), numbers(0, 2), strict=True))
    sizes = [
        max(1, (length - 1) * step + 1 - sum(pads)) + more
        for length, step, pads, more in zip(window, dilation, padding, numbers(0, 2), strict=True)
    ]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    # Small integers: every sum is exact.
    kernel = rng.integers(-9, 10, (groups * times, taken, *window)).astype(np.float64)
    image = rng.integers(-9, 10, (groups * taken, *sizes)).astype(np.float64)
    return kernel, image, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


@settings(max_examples=120, deadline=None)
@given(convolutions())
def test_the_matrix_is_the_convolution(case):
    kernel, image, options = case
    expected = convolve(kernel, image, **options)
    assert output_shape(kernel.shape, image.shape, **options) == expected.shape
    matrix = unroll_convolution(kernel, image.shape, **options)
    assert matrix.shape == (expected.size, image.size)
    np.testing.assert_array_equal(matrix @ image.ravel(), expected.ravel())
    # Every entry is one tap: none is met twice, and none is a sum.
    assert matrix.has_canonical_format or len(set(zip(*matrix.nonzero(), strict=True))) == matrix.count_nonzero()
    assert set(matrix.data.tolist()) <= set(kernel.ravel().tolist())


def test_identity_kernels():
    np.testing.assert_array_equal(unroll_convolution(np.ones((1, 1, 1, 1)), (1, 3, 4)).toarray(), np.eye(12))


@pytest.mark.parametrize(
    ("kernel", "image", "options", "message"),
    [
        ((2, 2, 3), (3, 5), {}, "takes 2 channels"),
        ((3, 1, 3), (2, 5), {"groups": 2}, "a multiple of 2 outputs"),
        ((1, 1, 6), (1, 5), {}, "does not fit into inputs"),
        ((1, 1, 3), (1, 5, 5), {}, "does not fit inputs of shape (1, 5, 5)"),
        ((1, 1, 3), (1, 5), {"stride": [0]}, "expected positive numbers"),
        ((1, 1, 3), (1, 5), {"stride": [1, 1]}, "with as many spatial axes"),
        ((1, 1, 3), (1, 5), {"padding": [(-1, 0)]}, "padding of at least 0"),
    ],
)
def test_convolutions_that_do_not_fit(kernel, image, options, message):
    with pytest.raises(InputError) as error:
        unroll_convolution(np.ones(kernel), image, **options)
    assert message in str(error.value)

"""The inverse Lipschitz constant of matrices of every family against all cells in rationals.

    POLYINJ_FUZZ_CASES=100000 POLYINJ_FUZZ_SEED=1000000 pytest tests/fuzz/test_inverse_lipschitz_fuzz.py

tries 100,000 others.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import nextafter

import numpy as np
import pytest
from reference.injectivity import cells, rank

from fuzz import families
from polyinj import InputError
from polyinj.exact.arrays import fractions, integer_rows, read_matrix
from polyinj.injectivity.active_rank import active_rank
from polyinj.injectivity.inverse_lipschitz import inverse_lipschitz
from polyinj.injectivity.reconstruct import reconstruct

# Constant 0; the cell that is least in floats has another, so that 1e-16 to 1e-18 was called exact.
ZERO = [
    [
        *([-1.223523873072643, 1.223523873072643], [-1.245763156441854, 1.2457631564418543]),
        *([-1.9556028826315341, 1.9556028826315341], [1.6313784038599626, -1.6313784038599624]),
        *([1.5061699920014333, -1.5061699920014335], [1.421951368203613, -1.421951368203613]),
    ],
    [
        *([-3.9999999998550733, -2.0000000000638036], [1.999999999999968, 1.0000000000000164], [-4.0, -2.0]),
        *([-4.0, -2.0], [0.0, -1.5346107629738967e-18], [3.9999999999859726, 2.0]),
    ],
    [[-2, 1], [4, -2], [0, 3.378873122145055e-13], [4, -2], [0, 8.600450922655541e-10], [-6.05e-17, -5.77e-17]],
    [[3e-310, 0], [0, 1e300], [-3e-310, 0]],
    [[5e-324, 0], [0, 5e-324], [-5e-324, 0]],
]


def least_square(weights):
    """The square of the constant, cell by cell, from below to 2^-60 of its size."""
    rows = fractions(read_matrix(weights))
    best = None
    for signs in cells(integer_rows(read_matrix(weights)), len(rows[0])):
        active = [row for row, sign in zip(rows, signs, strict=True) if sign > 0]
        if rank(active) < len(rows[0]):
            return 0
        if best is None or not is_positive(gram_of(active), best):
            best = least_eigenvalue(active)
    return best


def gram_of(rows):
    columns = list(zip(*rows, strict=True))
    return [[sum(a * b for a, b in zip(u, v, strict=True)) for v in columns] for u in columns]


def least_eigenvalue(rows):
    """Of the Gram matrix, from below to 2^-60 of its size: halving by counting negative pivots of G - t."""
    gram = gram_of(rows)
    high = min(gram[i][i] for i in range(len(gram)))
    if is_positive(gram, high * (1 - Fraction(2) ** -70)):
        return high
    # First the power of two, then its digits: entries span many orders.
    exponents = [0, 1]
    while not is_positive(gram, high / 2 ** exponents[-1]):
        exponents.append(2 * exponents[-1])
    below, above = exponents[-1], exponents[-2]
    while below - above > 1:
        middle = (below + above) // 2
        if is_positive(gram, high / 2**middle):
            below = middle
        else:
            above = middle
    low, high = high / 2**below, high / 2**above
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_positive(gram, middle) else (low, middle)
    return low


def is_positive(gram, t):
    """Whether G - t is positive definite, by its pivots."""
    rows = [[entry - (t if i == j else 0) for j, entry in enumerate(row)] for i, row in enumerate(gram)]
    for i, pivot in enumerate(rows):
        if pivot[i] <= 0:
            return False
        for k in range(i + 1, len(rows)):
            factor = rows[k][i] / pivot[i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], pivot, strict=True)]
    return True


def assert_is_root(found, square):
    """The ends enclose, or are within a part in 10^12 of, the root of a rational number."""
    low, high = (Fraction(end) if end != float("inf") else None for end in (found.lower, found.upper))
    slack = (1 + Fraction(1, 10**12)) ** 2
    assert low**2 <= square * slack
    assert high is None or high**2 * slack >= square
    if found.lower < found.upper:
        assert found.upper <= nextafter(nextafter(found.lower, 9), 9) < 1e-307 or found.upper == float("inf")


def try_case(seed):
    """One matrix, one that is the same by symmetry, and branch and bound."""
    rng = np.random.default_rng(seed)
    name, weights = families.draw_matrix(rng)
    try:
        square = least_square(weights)
        for rows in (weights, *symmetric(weights, rng)):
            found = inverse_lipschitz(rows)
            assert found.exact
            if square == 0:
                assert (found.lower, found.upper) == (0.0, 0.0)
            else:
                assert_is_root(found, square)
            chosen = fractions(read_matrix(rows))
            if square:
                assert_is_root(found, least_eigenvalue([chosen[i] for i in found.active_rows]))
        interval = inverse_lipschitz(weights, cell_limit=1, node_limit=2000, seed=seed)
        slack = (1 + Fraction(1, 10**12)) ** 2
        assert Fraction(interval.lower) ** 2 <= square * slack
        assert interval.upper == float("inf") or square <= Fraction(interval.upper) ** 2 * slack
        for call in (check_active_rank, check_reconstruct):
            call(weights, rng)
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(f"seed {seed}, {name}: {kind}: {error}\n{weights!r}") from error
    return name, square > 0


def symmetric(weights, rng):
    """Rows permuted and columns permuted with signs changed; neither changes the constant."""
    m, n = weights.shape
    yield weights[rng.permutation(m)][:, rng.permutation(n)] * rng.choice([-1, 1], n)


def check_active_rank(weights, rng):
    points = rng.integers(-2, 3, (3, weights.shape[1])) * 2.0 ** rng.integers(-300, 300, (3, 1))
    found = active_rank(weights, points)
    for t, point in enumerate(points.tolist()):
        active = [
            row
            for row in fractions(read_matrix(weights))
            if sum(a * Fraction(x) for a, x in zip(row, point, strict=True)) >= 0
        ]
        assert (found.active_count[t], found.active_rank[t]) == (len(active), rank(active) if active else 0)


def check_reconstruct(weights, rng):
    """An input, or a refusal; never anything else."""
    try:
        found = reconstruct(weights, np.abs(rng.integers(0, 3, len(weights))) * 1.0)
    except InputError:
        return
    assert np.isfinite(found).all()


@pytest.mark.parametrize("weights", ZERO)
def test_constants_that_are_zero(weights):
    found = inverse_lipschitz(weights)
    assert (found.lower, found.upper, found.exact) == (0.0, 0.0, True)


def test_what_is_beyond_doubles_is_answered_or_refused():
    """Warnings and OverflowErrors once; and a constant far below the largest entry."""
    assert active_rank([[10**400, 0], [-1, 1]], [[1, 10**400]]).active_rank.tolist() == [2]
    with pytest.raises(InputError, match="beyond the range"):
        reconstruct([[10**400]], [1.0])
    with pytest.raises(InputError, match="beyond the range"):
        reconstruct([[5e-324]], [1e300])
    assert reconstruct([[1e300]], [1e-300]).tolist() == [0.0]
    assert reconstruct([[1.7e308], [1.7e308]], [1.7e308, 1.7e308]).tolist() == pytest.approx([1.0])
    tiny = inverse_lipschitz([[5e-324, 0], [0, 5e-324], [-5e-324, 0], [0, -1.7e308]])
    assert 0 <= tiny.lower <= 5e-324 <= tiny.upper <= 1e-323
    huge = inverse_lipschitz([[10**400], [-(10**400)]])
    assert (huge.lower, huge.upper) == (np.finfo(float).max, np.inf)


@pytest.mark.slow
@families.in_parts(60, 30)
def test_matrices_of_every_family(seeds):
    seen = Counter()
    for seed in seeds:
        seen[try_case(seed)] += 1
    families.assert_both(injective for _, injective in seen)

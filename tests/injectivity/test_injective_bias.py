"""The largest bias: against the bottleneck bases of all vertices, and against verdicts on either side."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import flint
import numpy as np
import pytest

from polyinj import Ball, Box, CertificateError, InputError, decide_injectivity, largest_injective_bias
from polyinj.exact.algebra import rank
from polyinj.injectivity.decision import Verdict


def bottleneck(weights, values):
    """The largest t for which the rows with values >= t span."""
    for t in sorted(set(values), reverse=True):
        if rank([row for row, value in zip(weights, values, strict=True) if value >= t]) == len(weights[0]):
            return t
    raise AssertionError("the weights span")


def least_bottleneck(weights, offset, direction, box):
    """The least bottleneck over all vertices of the arrangement of equal values and sides: slow and obvious."""
    n = len(weights[0])
    lines = [([int(k == j) for k in range(n)], side) for j in range(n) for side in (box.lower[j], box.upper[j])]
    scaled = [
        ([Fraction(w) / d for w in row], Fraction(o) / d) for row, o, d in zip(weights, offset, direction, strict=True)
    ]
    for (a, o), (b, p) in combinations(scaled, 2):
        lines.append(([x - y for x, y in zip(a, b, strict=True)], o - p))
    best = None
    for chosen in combinations(lines, n):
        left = flint.fmpq_mat([[flint.fmpq(*Fraction(e).as_integer_ratio()) for e in row] for row, _ in chosen])
        if left.det() == 0:
            continue
        right = flint.fmpq_mat([[flint.fmpq(*Fraction(side).as_integer_ratio())] for _, side in chosen])
        solved = left.solve(right)
        point = [Fraction(int(solved[i, 0].p), int(solved[i, 0].q)) for i in range(n)]
        if box.contains(point):
            values = [sum(w * x for w, x in zip(row, point, strict=True)) - o for row, o in scaled]
            t = bottleneck(weights, values)
            best = t if best is None else min(best, t)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_equal_to_the_least_bottleneck(seed):
    random = np.random.default_rng(seed)
    n, m = (1, 5) if seed % 3 == 0 else (2, 6)
    weights = random.integers(-3, 4, (m, n))
    weights[:n] = np.eye(n, dtype=int)
    offset, direction = random.integers(-2, 3, m), random.integers(1, 4, m)
    box = Box([int(v) for v in random.integers(-3, 0, n)], [int(v) for v in random.integers(1, 4, n)])
    found = largest_injective_bias(weights, box, offset=offset, direction=direction)
    assert found.exact
    assert found.upper == least_bottleneck(weights.tolist(), offset.tolist(), direction.tolist(), box)
    found.verify(weights, box)
    for t, verdict in ((found.upper, Verdict.INJECTIVE), (found.upper + Fraction(1, 10**9), Verdict.NOT_INJECTIVE)):
        assert decide_injectivity(weights, found.bias(t), domain=box).verdict is verdict


@pytest.mark.slow
@pytest.mark.parametrize("domain", [Box([-1] * 3, [1] * 3), Ball([0] * 3, 1), Ball([Fraction(1, 2), 0, 1], 2)])
def test_verdicts_on_either_side(domain):
    weights = np.random.default_rng(3).standard_normal((14, 3))
    found = largest_injective_bias(weights, domain)
    found.verify(weights, domain)
    # On the ball around the origin the end is 0, from the middle.
    assert found.exact == (not isinstance(domain, Ball) or domain.radius == 1)
    assert found.lower <= found.upper <= found.lower + Fraction(1, 10**7)
    above = found.bias(found.upper + Fraction(1, 10**6))
    assert decide_injectivity(weights, above, domain=domain).verdict is Verdict.NOT_INJECTIVE
    # The threshold does not mind positive factors of rows, and moves with the offset.
    again = largest_injective_bias(2 * weights, domain)
    assert float(again.upper) == pytest.approx(float(found.upper), rel=1e-6)
    lengths = np.linalg.norm(weights, axis=1)
    moved = largest_injective_bias(weights, domain, offset=lengths / 4)
    assert float(moved.upper) == pytest.approx(float(found.upper) - 1 / 4, rel=1e-6)


def test_in_closed_form():
    # Rows +-e_i on [-1, 1]^n: at the middle all values are 0, and no row may be lost there.
    rows = np.concatenate([np.eye(2), -np.eye(2)])
    found = largest_injective_bias(rows, Box([-1, -1], [1, 1]))
    assert (found.upper, found.exact) == (0, True)
    # Away from the middle only two of them matter: the least of x_1 and x_2.
    assert largest_injective_bias(rows, Box([1, 2], [3, 4])).upper == 1
    # On a ball around the origin as well; one of a smaller radius has a larger threshold for offset rows.
    assert float(largest_injective_bias(np.eye(2), Ball([0, 0], 1)).upper) == pytest.approx(-1, abs=1e-8)
    assert repr(found) == f"InjectiveBias(0, exact; {found.decisions} decisions)"


def test_spoiled_ends_do_not_verify():
    rows, box = np.concatenate([np.eye(2), -np.eye(2)]), Box([1, 2], [3, 4])
    found = largest_injective_bias(rows, box)
    for spoiled, message in [
        (replace(found, upper=found.upper - 1), "span"),
        (replace(found, point=(Fraction(9), Fraction(9))), "not in the domain"),
        (replace(found, exact=False), "stated is"),
        (replace(found, proof=None), "no proof"),
    ]:
        with pytest.raises(CertificateError, match=message):
            spoiled.verify(rows, box)


@pytest.mark.parametrize(
    ("weights", "domain", "options", "message"),
    [
        ([[1, 1], [2, 2]], Box([0, 0], [1, 1]), {}, "rank below 2"),
        ([[1, 0], [0, 1]], Box([0, 0], [1, None]), {}, "finite sides"),
        ([[1, 0], [0, 1]], Ball([0], 1), {}, "of 2 columns"),
        ([[1, 0], [0, 1]], Ball([0, 0], 1), {"direction": [1, 0]}, "expected positive"),
        ([[1, 0], [0, 1]], Ball([0, 0], 1), {"time_limit": 0}, "time_limit is 0"),
    ],
)
def test_bad_input(weights, domain, options, message):
    with pytest.raises(InputError, match=message):
        largest_injective_bias(weights, domain, **options)
    unknown = largest_injective_bias(np.eye(2), Ball([0, 0], 1), time_limit=1e-9)
    assert unknown.lower is None
    with pytest.raises(InputError, match="no lower end"):
        unknown.bias()

"""A slow, obvious reference of the Lipschitz constant: every sign pattern, each with a linear program in Fractions."""

from fractions import Fraction
from itertools import combinations, product

from polyinj import Ball, Box
from reference.injectivity import dot, nearest_in_flat


def is_feasible(rows):
    """Whether some x has row.(x, 1) > 0 for every row: Fourier-Motzkin elimination of strict inequalities."""
    rows = [[Fraction(entry) for entry in row] for row in rows]
    while rows and len(rows[0]) > 1:
        up, down, rest = [], [], []
        for row in rows:
            (up if row[0] > 0 else down if row[0] < 0 else rest).append(row)
        rows = [row[1:] for row in rest]
        for a, b in product(up, down):
            rows.append([x * -b[0] + y * a[0] for x, y in zip(a[1:], b[1:], strict=True)])
        rows = [list(row) for row in {tuple(_shorten(row)) for row in rows}]
    return all(row[0] > 0 for row in rows)


def _shorten(row):
    size = max(map(abs, row), default=0)
    return [entry / size for entry in row] if size else row


def meets_ball(weights, bias, signs, ball):
    """Whether the closure of a cell that exists has a point in the open ball: its nearest point, by active sets."""
    centre, n = list(ball.centre), len(ball.centre)
    for size in range(n + 1):
        for chosen in combinations([i for i, row in enumerate(weights) if any(row)], size):
            near = nearest_in_flat([weights[i] for i in chosen], [bias[i] for i in chosen], centre)
            if near is None:
                continue
            gap = [a - b for a, b in zip(near, centre, strict=True)]
            values = [dot(row, near) + b for row, b in zip(weights, bias, strict=True)]
            if dot(gap, gap) < ball.radius**2 and all(s * v >= 0 for s, v in zip(signs, values, strict=True)):
                return True
    return False


def jacobians(weights, bias, output, domain=None):
    """{signs: Jacobian} of all open cells that meet the open domain; output is a list of rows."""
    k, n = len(weights), len(weights[0])
    bias = [0] * k if bias is None else bias
    sides = []
    if isinstance(domain, Box):
        for j, (low, high) in enumerate(zip(domain.lower, domain.upper, strict=True)):
            unit = [int(i == j) for i in range(n)]
            sides += [] if low is None else [[*unit, -low]]
            sides += [] if high is None else [[*(-e for e in unit), high]]
    constant = {i: (bias[i] > 0) - (bias[i] < 0) for i in range(k) if not any(weights[i])}
    found = {}
    for signs in product((-1, 1), repeat=k):
        signs = tuple(constant.get(i, s) for i, s in enumerate(signs))
        cut = [[s * e for e in (*row, b)] for s, row, b in zip(signs, weights, bias, strict=True) if any(row)]
        if signs in found or not is_feasible([*cut, *sides]):
            continue
        if isinstance(domain, Ball) and not meets_ball(weights, bias, signs, domain):
            continue
        found[signs] = [
            [sum(row[i] * Fraction(weights[i][j]) for i in range(k) if signs[i] > 0) for j in range(n)]
            for row in output
        ]
    return found


def norm_power(jacobian, norm):
    """The norm (1, inf) or its square (2, one input or output)."""
    if norm == 2:
        assert 1 in (len(jacobian), len(jacobian[0]))
        return sum(dot(row, row) for row in jacobian)
    lines = jacobian if norm > 2 else zip(*jacobian, strict=True)
    return max(sum(map(abs, line)) for line in lines)

"""References: slow and obvious, and they share no code with polyinj."""

from __future__ import annotations

import hashlib
import struct
import sys
from fractions import Fraction
from itertools import combinations, product
from math import lcm, prod
from operator import mul


def eliminate(rows, columns):
    """Rank of the first columns, and the rows after elimination; those beyond the rank are zero there."""
    rows, found = [list(row) for row in rows], 0
    for column in range(columns):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(found + 1, len(rows)):
            factor = Fraction(rows[i][column]) / rows[found][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found, rows


def rank(rows):
    return eliminate(rows, len(rows[0]))[0] if rows else 0


# The verifier of docs/certificate-format.md


class Refused(Exception):
    """The document is not a proof."""


def need(condition, fault):
    if not condition:
        raise Refused(fault)


def ratio(entry):
    return f"{Fraction(entry).numerator}/{Fraction(entry).denominator}"


def is_double(entry):
    return abs(entry) <= sys.float_info.max and Fraction(float(entry)) == entry


def need_layer(document, weights, bias):
    """The domain of a document, and its intervals if it is a box; Refused unless it speaks of this layer."""
    m, n, domain = len(weights), len(weights[0]), document["domain"]
    if domain is not None and "lower" in domain and not any(domain["lower"] + domain["upper"]):
        domain = None
    entries, shifts = [entry for row in weights for entry in row], list(bias or [])
    doubles = all(is_double(entry) for entry in entries + shifts)
    write = (lambda x: struct.pack("<d", x)) if doubles else (lambda x: f"{ratio(x)}\n".encode())
    hashed = f"{m} {n} {'binary64' if doubles else 'ratios'}\n".encode() + b"".join(map(write, entries))
    hashed += b"" if bias is None else b"bias\n" + b"".join(map(write, shifts))
    ball = domain is not None and "radius" in domain
    intervals = [] if domain is None or ball else list(zip(domain["lower"], domain["upper"], strict=True))
    where = ["ball", domain["radius"], *domain["centre"]] if ball else ["box"]
    where += [f"{lower or '-inf'}:{upper or 'inf'}" for lower, upper in intervals]
    hashed += b"" if domain is None else f"domain\n{' '.join(where)}\n".encode()
    need(document["sha256"] == hashlib.sha256(hashed).hexdigest(), "another layer")
    need((document["rows"], document["columns"], document["bias"]) == (m, n, bias is not None), "another shape")
    return domain, intervals


def homogeneous(document, weights, bias, domain, intervals):
    """The rows and, behind them, the sides, as the page on the format has them."""
    m, n = len(weights), len(weights[0])
    ball = domain is not None and "radius" in domain
    lifted = bias is not None or any(side and Fraction(side) for pair in intervals for side in pair)
    cuts = [[*map(Fraction, cut)] for cut in document.get("cuts", [])]
    if ball:
        centre, radius = [*map(Fraction, domain["centre"])], Fraction(domain["radius"])
        need(radius > 0 and len(centre) == n, "no ball")
        lifted = lifted or dot(centre, centre) >= radius**2
        need(lifted or not cuts, "directions are not cut")
        need(all(len(cut) == n and dot(cut, cut) >= radius**2 for cut in cuts), "a cut is short")
    vectors = [[*map(Fraction, row)] + [Fraction(b)] * lifted for row, b in zip(weights, bias or [0] * m, strict=True)]
    vectors += [[Fraction(0)] * n + [Fraction(1)]] * lifted
    for j, pair in enumerate(intervals):
        for sign, side in zip((1, -1), pair, strict=True):
            if side is not None:
                vectors.append([Fraction(sign * (i == j)) for i in range(n)] + [-sign * Fraction(side)] * lifted)
    vectors += [[*(-entry for entry in cut), dot(cut, cut) + dot(cut, centre)] for cut in cuts]
    return vectors


def verify_spectral(document, weights, bias=None):
    """Raise Refused unless second moments of the rows show more than `budget` active ones."""
    m, budget = len(weights), document["budget"]
    domain, intervals = need_layer(document, weights, bias)
    need({"multipliers", "sides", "basis"} <= set(document) and "cuts" not in document, "other fields")
    need(document["assumes_general_position"] is True, "a count assumes general position")
    vectors = homogeneous(document, weights, bias, domain, intervals)
    c, s = ([*map(Fraction, document[key])] for key in ("multipliers", "sides"))
    basis = [[*map(Fraction, row)] for row in document["basis"]]
    size = len(vectors[0])
    need(budget >= 0 and len(c) == m and len(s) == len(vectors) - m and min(c + s) >= 0, "multipliers")
    need(all(any(row) or not x for row, x in zip(weights, c, strict=True)), "a row without weights")
    need(len(basis) == size and all(len(row) == size for row in basis), "the basis")
    columns = list(zip(*basis, strict=True))
    y = [[x * dot(vector, column) for column in columns] for x, vector in zip(c, vectors, strict=False)]
    moments = [[sum(row[j] * row[k] for row in y) for k in range(size)] for j in range(size)]
    low = min(moments[j][j] - sum(abs(moments[j][k]) for k in range(size) if k != j) for j in range(size))
    rest = [sum(row[j] for row in y) for j in range(size)]
    for x, vector in zip(s, vectors[m:], strict=True):
        rest = [have - x * dot(vector, column) for have, column in zip(rest, columns, strict=True)]
    longest = max(dot(row, row) for row in y)
    left = low - 2 * budget * longest
    need(left > 0 and longest * dot(rest, rest) < left**2, "the moments show no such count")


def verify_proof(document, weights, bias=None):
    """Raise Refused unless the parsed JSON document proves its claim about the layer (lists of exact numbers)."""
    n, budget = len(weights[0]), document["budget"]
    domain, intervals = need_layer(document, weights, bias)
    need(("cuts" in document) == (domain is not None and "radius" in domain), "a ball, and nothing else, has cuts")
    vectors = homogeneous(document, weights, bias, domain, intervals)
    blocks, trees = document["blocks"], document["trees"]
    counted = [row for block in blocks for row in block]
    spanning = {i for i, row in enumerate(weights) if any(row)}
    need(len(set(counted)) == len(counted) and set(counted) <= spanning, "blocks")
    if document["claim"] == "spanning":
        need(not blocks and len(trees) == 1 and budget == n - 1, "a spanning proof has one tree")
    else:
        need(
            document["claim"] == "depth" and len(trees) == len(blocks) >= 1 and budget >= 0, "a depth proof has blocks"
        )
        need(all(blocks) and len(blocks) <= budget + 1 and budget < len(counted), "sizes of the blocks")
    verify_trees(document["circuits"], trees, vectors, weights, blocks, budget)


def verify_trees(circuits, trees, vectors, weights, blocks=(), budget=None):
    """The circuits and trees alone: a row of the weights is the linear part of the vector with its number, and the
    vectors behind are sides. One tree for each block, or, without blocks, one that spans."""
    m = len(weights)
    named = {i + 1 for i in range(m) if any(weights[i])}
    for clause in circuits:
        need(0 < len(clause) <= len(vectors[0]) + 1, "a clause has 1 to N + 1 literals")
        need(len({abs(a) for a in clause}) == len(clause), "literals of a clause")
        need(all(abs(a) in named or -len(vectors) <= a < -m for a in clause), "a literal names no row or side")
        need(is_circuit([[entry * a for entry in vectors[abs(a) - 1]] for a in clause]), "not a circuit")
    clauses = [[a for a in clause if a >= -m] for clause in circuits]
    for r, tree in enumerate(trees):
        turned, budgets = [*blocks[r:], *blocks[:r]], {}
        for j in range(1, len(blocks) + 1):
            budgets[j] = {row + 1 for block in turned[:j] for row in block}, budget * j // len(blocks)
        if len(blocks) == 2 and r == 1:
            budgets[1] = budgets[1][0], (budget - 1) // 2
        walk(tree, clauses, named, budgets, weights)


def verify_collision(x, y, weights, bias=None, domain=None):
    """Raise Refused unless two different points of the domain have the same image, entry by entry."""
    bias = bias or [0] * len(weights)
    need(x != y, "one point")
    for row, b in zip(weights, bias, strict=True):
        need(max(dot(row, x) + b, 0) == max(dot(row, y) + b, 0), "two images")
    for point in (x, y) if domain is not None else ():
        if hasattr(domain, "radius"):
            gap = [a - c for a, c in zip(point, domain.centre, strict=True)]
            need(dot(gap, gap) <= domain.radius**2, "a point outside of the ball")
            continue
        for entry, lower, upper in zip(point, domain.lower, domain.upper, strict=True):
            need(lower is None or entry >= lower, "a point below the box")
            need(upper is None or entry <= upper, "a point above the box")


def verify_point(document, weights, bias=None):
    """Raise Refused unless the parsed JSON document has an interior point whose active rows do not span."""
    n = len(weights[0])
    domain, intervals = need_layer(document, weights, bias)
    need({"point", "direction"} <= set(document), "a field is missing")
    x = [*map(Fraction, document["point"])]
    need(len(x) == n, "a point of another length")
    for entry, (lower, upper) in zip(x, intervals or [(None, None)] * n, strict=True):
        need(lower is None or entry > Fraction(lower), "a point not above the lower side")
        need(upper is None or entry < Fraction(upper), "a point not below the upper side")
    if domain is not None and "radius" in domain:
        gap = [a - Fraction(c) for a, c in zip(x, domain["centre"], strict=True)]
        need(dot(gap, gap) < Fraction(domain["radius"]) ** 2, "a point outside of the open ball")
    active = [row for row, b in zip(weights, bias or [0] * len(weights), strict=True) if dot(row, x) + b >= 0]
    if document["direction"] is None:
        need(sum(map(any, active)) < n, "n active rows")
        return
    v = [*map(Fraction, document["direction"])]
    need(len(v) == n and any(v), "no direction")
    need(not any(dot(row, v) for row in active), "an active row is not orthogonal to the direction")


def is_circuit(vectors):
    """Whether the relations among the vectors are the multiples of one relation, all of whose entries are positive."""
    columns, size = len(vectors[0]), len(vectors)
    beside = [[*vector, *(int(i == j) for j in range(size))] for i, vector in enumerate(vectors)]
    found, rows = eliminate(beside, columns)
    relation = rows[-1][columns:]
    return found == size - 1 and (min(relation) > 0 or max(relation) < 0)


def walk(tree, clauses, named, budgets, weights):
    entries, waiting, state, transversals = iter(tree), [], {}, 0

    def take(choices):
        value = next(entries, None)
        need(value is not None and value in choices, "an entry is missing or out of range")
        return value

    def take_clause():
        clause = clauses[take(range(len(clauses)))]
        need(not any(state.get(abs(a)) == (a > 0) for a in clause), "a literal of the clause is true")
        return [a for a in clause if abs(a) not in state]

    def take_packing():
        packing = [take_clause() for _ in range(take(range(2**31)))]
        need(all(a > 0 for live in packing for a in live), "a live literal of the clause is negative")
        return packing

    def flat(*more):
        return rank([weights[i - 1] for i in (*(i for i in state if state[i]), *more)])

    while True:
        code = take((1, 2, 3, 4, 5) if budgets else (1, 3, 5, 6, 7))
        if code == 1:
            live = take_clause()
            need(len(live) == 1, "not one live literal")
            state[abs(live[0])] = live[0] > 0
        elif code in (2, 4):
            rows, bound = budgets[take(budgets)]
            packing = take_packing()
            packed = [a for live in packing for a in live]
            need(len(set(packed)) == len(packed) and set(packed) <= rows, "the packing overlaps or leaves its rows")
            least = sum(state.get(i, False) for i in rows) + len(packing)
            need(least > bound or (code == 2 and least == bound), "the packing is too small")
            if code == 2:
                state |= {i: False for i in rows if i not in state and i not in packed}
        elif code == 3:
            row = take(range(len(weights))) + 1
            need(row in named and row not in state, "not a free row")
            waiting.append(state | {row: False})
            state[row] = True
        elif code == 5:
            need(not take_clause(), "a literal is live")
        elif code == 6:
            packing, columns = take_packing(), len(weights[0])
            need(len(packing) >= columns - flat(), "not one clause for each dimension that is missing")
            transversals += prod(map(len, packing))
            need(prod(map(len, packing)) <= 10**6, "too many transversals of a node")
            need(transversals <= 10**6 + 20 * len(tree), "too many transversals together")
            need(all(flat(*chosen) == columns for chosen in product(*packing)), "a transversal does not span")
        elif code == 7:
            need(flat() == len(weights[0]) - 1, "the flat is no hyperplane")
            state |= {i: False for i in named if i not in state and flat(i) == len(weights[0])}
        if code in (4, 5, 6):
            if not waiting:
                need(next(entries, None) is None, "the tree goes on")
                return
            state = waiting.pop()


# The criterion of injectivity, cell by cell


def cells(rows, dimension):
    """The open cells of a central arrangement: {signs of the integer rows: an integer point inside}.

    Deletion and restriction: a new hyperplane cuts exactly the cells that the others have on it; zero rows have sign 0.
    """
    found = {(): [0] * dimension}
    for k, row in enumerate(rows):
        pivot = next((j for j in range(dimension) if row[j]), None)
        if pivot is None:
            found = {(*signs, 0): point for signs, point in found.items()}
            continue
        others = [j for j in range(dimension) if j != pivot]
        # x -> (row[pivot] x_j, and at the pivot -sum row_j x_j) parametrises the hyperplane.
        restricted = [[old[j] * row[pivot] - old[pivot] * row[j] for j in others] for old in rows[:k]]
        on_plane, cut = cells(restricted, dimension - 1), {}
        far = 1 + max((abs(dot(old, row)) for old in rows[:k]), default=0)
        for signs, point in found.items():
            if signs not in on_plane:
                cut[(*signs, 1 if dot(row, point) > 0 else -1)] = point
                continue
            inner = [row[pivot] * x for x in on_plane[signs]]
            inner.insert(pivot, -sum(row[j] * x for j, x in zip(others, on_plane[signs], strict=True)))
            cut[(*signs, 1)] = [far * x + w for x, w in zip(inner, row, strict=True)]
            cut[(*signs, -1)] = [far * x - w for x, w in zip(inner, row, strict=True)]
        found = cut
    return found


def dot(row, point):
    return sum(map(mul, row, point))


def brute_force_injective(weights, bias=None, domain=None):
    """Whether the active rows span R^n in every open cell inside the domain; domain has tuples lower and upper."""
    m, n = len(weights), len(weights[0])
    lifted = bias is not None or domain is not None
    rows = [[*row, b][: n + lifted] for row, b in zip(weights, [0] * m if bias is None else bias, strict=True)]
    sides = [[0] * n + [1]] * lifted
    for j in range(n if domain is not None else 0):
        unit = [int(i == j) for i in range(n)]
        sides += [] if domain.lower[j] is None else [[*unit, -domain.lower[j]]]
        sides += [] if domain.upper[j] is None else [[*(-entry for entry in unit), domain.upper[j]]]
    integers = []
    for row in sides + rows:
        scale = lcm(*(Fraction(entry).denominator for entry in row))
        integers.append([int(Fraction(entry) * scale) for entry in row])
    return all(
        rank([weights[i] for i in range(m) if signs[len(sides) + i] > 0]) == n
        for signs in cells(integers, n + lifted)
        if all(sign > 0 for sign in signs[: len(sides)])
    )


def brute_force_injective_on_ball(weights, bias, centre, radius):
    """Whether the active rows span R^n in every open cell that meets the open ball.

    The point of a closed cell that is nearest to the centre is nearest to it also in the flat of the hyperplanes on
    which it lies. So the nearest points of all flats are tried: is one of them in the open ball and in the closure of a
    cell without span?
    """
    m, n = len(weights), len(weights[0])
    bias = [0] * m if bias is None else bias
    lifted = []
    for row in ([0] * n + [1], *([*row, b] for row, b in zip(weights, bias, strict=True))):
        scale = lcm(*(Fraction(entry).denominator for entry in row))
        lifted.append([int(Fraction(entry) * scale) for entry in row])
    bad = [
        signs[1:]
        for signs in cells(lifted, n + 1)
        if signs[0] > 0 and rank([weights[i] for i in range(m) if signs[i + 1] > 0]) < n
    ]
    for size in range(n + 1) if bad else ():
        for chosen in combinations([i for i in range(m) if any(weights[i])], size):
            near = nearest_in_flat([weights[i] for i in chosen], [bias[i] for i in chosen], centre)
            if near is None or dot(gap := [a - b for a, b in zip(near, centre, strict=True)], gap) >= radius**2:
                continue
            values = [dot(row, near) + b for row, b in zip(weights, bias, strict=True)]
            if any(all(sign * value >= 0 for sign, value in zip(signs, values, strict=True)) for signs in bad):
                return False
    return True


def nearest_in_flat(rows, shifts, centre):
    """The point of {x : row.x + shift = 0 for each row} nearest to the centre; None for dependent rows."""
    if rank(rows) < len(rows):
        return None
    # x = centre + sum u_i row_i with (rows rows') u = -(rows centre + shifts)
    right = [-dot(row, centre) - shift for row, shift in zip(rows, shifts, strict=True)]
    _, system = eliminate([[*(dot(a, b) for b in rows), r] for a, r in zip(rows, right, strict=True)], len(rows))
    weights = [Fraction(0)] * len(rows)
    for i in reversed(range(len(rows))):
        rest = sum((system[i][j] * weights[j] for j in range(i + 1, len(rows))), Fraction(0))
        weights[i] = (system[i][-1] - rest) / Fraction(system[i][i])
    moves = [sum((u * row[j] for u, row in zip(weights, rows, strict=True)), Fraction(0)) for j in range(len(centre))]
    return [c + move for c, move in zip(centre, moves, strict=True)]

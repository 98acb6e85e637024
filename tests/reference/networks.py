"""A slow, obvious reference of deep networks: every sign vector of every neuron, every pair of open faces, exactly."""

from fractions import Fraction

from polyinj.exact.farkas import solve_strictly


def first_failing_layer(weights, biases=None, sides=()):
    """The first layer (from 1) behind which two points share an image, for integer weights; None when there is none.

    `sides`, with biases: rows that are >= 0 at the (x, 1) of a polyhedron, which is the domain with its boundary.

    A face is the set of points with given signs -, 0, + of all neurons; on it the network is linear. Points x of face F
    and y of face G share an image iff the same neurons are positive there and have the same values. That, and x != y in
    some coordinate, is a homogeneous system of equations and strict inequalities in (x, y), with biases (x, t, y, t).
    """
    affine = biases is not None
    n = len(weights[0][0]) + affine
    identity = [[int(i == j) for j in range(n)] for i in range(n)]
    faces = [([identity[-1]] if affine else [], [], identity)]
    for side in sides:
        faces = [
            part
            for strict, zero, outputs in faces
            for part in (([*strict, side], zero, outputs), (strict, [*zero, side], outputs))
            if solve_strictly(part[0], part[1], n) is not None
        ]
    for layer, matrix in enumerate(weights, start=1):
        rows = [[*row, b] for row, b in zip(matrix, biases[layer - 1], strict=True)] if affine else matrix
        rows = [*rows, [0] * len(matrix[0]) + [1]] if affine else rows
        faces = [below for face in faces for below in faces_below(face, rows, n)]
        if any(collide(f, g, n) for f in faces for g in faces):
            return layer
    return None


def faces_below(face, rows, n):
    """The faces of one more layer inside a face: (strict rows, zero rows, outputs as rows in the input)."""
    strict, zero, outputs = face
    parts = [(strict, zero, [])]
    for row in rows:
        value = [sum(c * line[j] for c, line in zip(row, outputs, strict=True)) for j in range(n)]
        opposite = [-entry for entry in value]
        parts = [
            part
            for strict, zero, below in parts
            for part in (
                ([*strict, value], zero, [*below, value]),
                (strict, [*zero, value], [*below, [0] * n]),
                ([*strict, opposite], zero, [*below, [0] * n]),
            )
            if solve_strictly(part[0], part[1], n) is not None
        ]
    return parts


def collide(first, second, n):
    """Whether points x != y of two faces have the same image."""
    if [any(row) for row in first[2]] != [any(row) for row in second[2]]:
        return False
    nothing = [0] * n
    strict = [[*row, *nothing] for row in first[0]] + [[*nothing, *row] for row in second[0]]
    equal = [[*row, *nothing] for row in first[1]] + [[*nothing, *row] for row in second[1]]
    equal += [[*a, *(-entry for entry in b)] for a, b in zip(first[2], second[2], strict=True) if any(a)]
    # Pairs are met in either order, so x_j > y_j will do.
    differences = ([*(int(i == j) for i in range(n)), *(-int(i == j) for i in range(n))] for j in range(n))
    return any(solve_strictly([*strict, row], equal, 2 * n) is not None for row in differences)


def images(weights, biases, point):
    """Of each layer the values before its ReLUs and behind, in Fractions."""
    found, values = [], [Fraction(entry) for entry in point]
    for k, matrix in enumerate(weights):
        shift = [0] * len(matrix) if biases is None or biases[k] is None else biases[k]
        before = [
            sum((Fraction(w) * x for w, x in zip(row, values, strict=True)), Fraction(b))
            for row, b in zip(matrix, shift, strict=True)
        ]
        values = [max(value, Fraction(0)) for value in before]
        found.append((before, values))
    return found


def is_collision(weights, biases, x, y, layer, holds=lambda point: True):
    """Whether x != y lie where `holds` and have one image behind a layer, from 1, and two before it."""
    of_x, of_y = images(weights, biases, x), images(weights, biases, y)
    before = (of_x[layer - 2][1], of_y[layer - 2][1]) if layer > 1 else (list(x), list(y))
    return holds(x) and holds(y) and before[0] != before[1] and of_x[layer - 1][1] == of_y[layer - 1][1]


def is_narrow(weights, biases, layer, point=None, inside=lambda point: True):
    """Whether the rows of a layer, with a point those >= 0 there, have a rank below the number of inputs."""
    rows = [[Fraction(entry) for entry in row] for row in weights[layer - 1]]
    if point is not None:
        if not inside(point):
            return False
        before = images(weights, biases, point)[layer - 1][0]
        rows = [row for row, value in zip(rows, before, strict=True) if value >= 0]
    return rank(rows) < len(weights[0][0])


def rank(rows):
    """By elimination."""
    rows, found = [list(row) for row in rows], 0
    for j in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(found, len(rows)) if rows[i][j]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(found + 1, len(rows)):
            share = rows[i][j] / rows[found][j]
            rows[i] = [a - share * b for a, b in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found

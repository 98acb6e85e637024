"""A slow, obvious reference of deep networks: every sign vector of every neuron, every pair of open faces, exactly."""

from polyinj.exact.farkas import solve_strictly


def first_failing_layer(weights, biases=None):
    """The first layer (from 1) behind which two points share an image, for integer weights; None when there is none.

    A face is the set of points with given signs -, 0, + of all neurons; on it the network is linear. Points x of face F
    and y of face G share an image iff the same neurons are positive there and have the same values. That, and x != y in
    some coordinate, is a homogeneous system of equations and strict inequalities in (x, y), with biases (x, t, y, t).
    """
    affine = biases is not None
    n = len(weights[0][0]) + affine
    identity = [[int(i == j) for j in range(n)] for i in range(n)]
    faces = [([identity[-1]] if affine else [], [], identity)]
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

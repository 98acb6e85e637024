"""What several tests draw: layers, networks."""

import random

import numpy as np


def gaussian(m, n, seed=0):
    return np.random.default_rng(seed).standard_normal((m, n))


FOLD = [[[1, 0], [0, 1], [-1, 0], [0, -1]], [[0, 1, -1, 1], [1, 1, 1, 1], [1, 2, 1, 0]]]


def gaussian_network(n, m, depth, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((m, k)) for k in (n, *[m] * (depth - 1))]


def small_network(seed, n):
    """Small integers, rich in zero, repeated and dependent rows; often [I; -I] first and nearly the identity later."""
    rng = random.Random(seed)
    depth = rng.choice([1, 2, 2, 3])
    bound = rng.choice([1, 1, 2])

    def matrix(rows, columns):
        return [[rng.randint(-bound, bound) for _ in range(columns)] for _ in range(rows)]

    def identity(size, sign=1):
        return [[sign * (i == j) for j in range(size)] for i in range(size)]

    weights = []
    columns = n
    for layer in range(depth):
        if layer == 0 and rng.random() < 0.7:
            rows = identity(n) + identity(n, -1) + matrix(rng.randint(0, 1), n)
        elif layer and rng.random() < 0.5:
            rows = identity(columns)
            for _ in range(rng.randint(0, 2)):
                rows[rng.randrange(columns)][rng.randrange(columns)] += rng.choice([-1, 1])
            rows += matrix(rng.randint(0, 1), columns)
        else:
            rows = matrix(rng.randint(2, 2 * n + 1), columns)
        weights.append(rows)
        columns = len(rows)
    if rng.random() < 0.65:
        return weights, None
    return weights, [[rng.randint(-bound, bound) for _ in rows] for rows in weights]

"""Slow, obvious references of propagation: plain arrays and definitions, and rational arithmetic."""

import math
from fractions import Fraction

import numpy as np


def activations(network, inputs, seed, number):
    """The activations behind layers 0, 1, ..., as plain float64 arrays."""
    a = np.array(inputs, dtype=np.float64)
    found = [a]
    for layer in network.layers(seed, number):
        z = a @ (math.exp(layer.log_scale) * layer.weights).T
        if layer.bias is not None:
            z = z + math.exp(layer.log_bias) * layer.bias
        if layer.normalisation == "batch":
            z = (z - z.mean(axis=0)) / z.std(axis=0)
        if layer.normalisation == "layer":
            z = (z - z.mean(axis=1, keepdims=True)) / z.std(axis=1, keepdims=True)
        h = np.maximum(z, 0)
        a = h if layer.branch_end is None else a + math.exp(layer.log_residual) * h @ layer.branch_end.T
        found.append(a)
    return found


def observables(a):
    """The observables of a (B, m) matrix of activations, by their definitions."""
    count = len(a)
    half = count // 2
    unit = a / np.linalg.norm(a, axis=1, keepdims=True)
    cosines = unit @ unit.T
    pairs = np.array([cosines[k, k + half] for k in range(half)])
    gram = a @ a.T
    singular = np.linalg.svd(a, compute_uv=False)
    means = a.mean(axis=0)
    d = a[half:] - a[:half]
    covariance = d.T @ d
    return {
        "log_length": np.mean([math.log(row @ row / len(row)) for row in a]),
        "cosine": np.mean([cosines[i, j] for i in range(count) for j in range(i)]),
        "gap": np.mean(1 - pairs),
        "log_sin2": np.mean(np.log(1 - pairs**2)),
        "log_sin2_pair": math.log(1 - pairs[0] ** 2),
        "stable_rank": np.linalg.norm(a, "fro") ** 2 / np.linalg.norm(a, 2) ** 2,
        "numerical_rank": np.linalg.matrix_rank(a),
        "rank_bound": np.trace(gram) ** 2 / np.linalg.norm(gram, "fro") ** 2,
        "orthogonality_gap": np.linalg.norm(gram / np.trace(gram) - np.eye(count) / count, "fro"),
        "mean_shift": (means**2).sum() / ((means**2).sum() + a.var(axis=0).sum()),
        "effective_rank": np.trace(covariance) / np.linalg.norm(covariance, 2),
        "dead": np.mean(~a.any(axis=1)),
        "singular": singular,
    }


def exact_log_sin2(weights, biases, x, y):
    """ln sin^2 of the angle behind each layer, in rationals."""
    x, y = ([Fraction(e) for e in v] for v in (x, y))
    found = []
    for matrix, bias in zip(weights, biases, strict=True):
        rows = [[Fraction(e) for e in row] for row in matrix.tolist()]
        shift = [Fraction(0)] * len(rows) if bias is None else [Fraction(e) for e in bias.tolist()]
        x, y = (
            [max(sum(w * e for w, e in zip(row, v, strict=True)) + b, 0) for row, b in zip(rows, shift, strict=True)]
            for v in (x, y)
        )
        xx, yy, xy = (sum(p * q for p, q in zip(u, v, strict=True)) for u, v in ((x, x), (y, y), (x, y)))
        part = 1 - xy * xy / (xx * yy)
        found.append(math.log(part.numerator) - math.log(part.denominator))
    return found

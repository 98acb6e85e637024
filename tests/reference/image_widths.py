"""How wide the directions behind each layer of a Gaussian network are, from below: docs/every-depth.md.

python -m tests.reference.image_widths
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from polyinj.theory.deep_gordon import width_behind


def greatest_products(widths, networks, rng, angles=4000):
    """max over the directions behind each layer of their product with a Gaussian vector, shape (networks, layers + 1).

    For n = 2: on a grid of angles, that is, from below.
    """
    grid = 2 * np.pi * np.arange(angles) / angles
    circle = np.array([np.cos(grid), np.sin(grid)])
    found = np.empty((networks, len(widths) + 1))
    for network in found:
        values = circle
        network[0] = (rng.standard_normal(2) @ values).max()
        for k, m in enumerate(widths, 1):
            values = np.maximum(rng.standard_normal((m, len(values))) @ values, 0)
            lengths = np.linalg.norm(values, axis=0)
            values = values[:, lengths > 0] / lengths[lengths > 0]
            network[k] = (rng.standard_normal(m) @ values).max(initial=-np.inf)
    return found


def ascend(n, m, layers, rng, starts=4):
    """The same behind the last layer of one network of any n, by ascent from random points."""
    weights = [rng.standard_normal((m, n))]
    # The scale changes nothing but keeps the numbers within range.
    weights += [rng.standard_normal((m, m)) / np.sqrt(m / 2) for _ in range(layers - 1)]
    target = rng.standard_normal(m)

    def loss(x):
        values, masks = x, []
        for layer in weights:
            values = layer @ values
            masks.append(values > 0)
            values = values * masks[-1]
        length = np.linalg.norm(values)
        product = target @ values / length
        gradient = target / length - product * values / length**2
        for layer, mask in zip(weights[::-1], masks[::-1], strict=True):
            gradient = layer.T @ (gradient * mask)
        return -product, -gradient

    points = (rng.standard_normal(n) for _ in range(starts))
    options = {"maxiter": 400}
    return max(-minimize(loss, x, jac=True, method="L-BFGS-B", options=options).fun for x in points)


def main():
    print("| m | sphere | behind layer 1 | 2 | 3 | 4 |\n|---|---|---|---|---|---|")
    for m in (12, 24, 48):
        found = greatest_products([m] * 4, 500, np.random.default_rng(m))
        errors = found.std(axis=0) / np.sqrt(len(found))
        cells = [f"{mean:.3f} ± {error:.3f}" for mean, error in zip(found.mean(axis=0), errors, strict=True)]
        print(f"| {m} | {' | '.join(cells)} |")
    print("\n| layer | at most, n → ∞ | found, n = 40 |\n|---|---|---|")
    n, ratio, square, rng = 40, 11.6, 1.0, np.random.default_rng(0)
    for layer in range(1, 9):
        square = width_behind(square, ratio)
        if layer in (1, 2, 4, 8):
            found = np.array([ascend(n, round(ratio * n), layer, rng) for _ in range(12)]) / np.sqrt(n)
            print(f"| {layer} | {np.sqrt(square):.3f} | {found.mean():.3f} ± {found.std() / np.sqrt(12):.3f} |")


if __name__ == "__main__":
    main()

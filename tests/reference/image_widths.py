"""How wide the directions behind each layer of a Gaussian network are, for n = 2 on a grid: docs/every-depth.md.

python -m tests.reference.image_widths
"""

from __future__ import annotations

import numpy as np


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


def main():
    print("| m | sphere | behind layer 1 | 2 | 3 | 4 |\n|---|---|---|---|---|---|")
    for m in (12, 24, 48):
        found = greatest_products([m] * 4, 500, np.random.default_rng(m))
        errors = found.std(axis=0) / np.sqrt(len(found))
        cells = [f"{mean:.3f} ± {error:.3f}" for mean, error in zip(found.mean(axis=0), errors, strict=True)]
        print(f"| {m} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

"""Rays on which given neurons of a deep network vanish, counted, beside what the lemma of docs/log-depth.md says.

python -m tests.reference.rays
"""

from __future__ import annotations

import itertools
from math import comb, sqrt

import numpy as np


def count_rays(n, m, named, networks, rng):
    """Rays of R^n (n = 2, 3) on which the named neurons vanish and no layer before the last of them is dead.

    named[k] neurons of layer k + 1; all widths are m. By activation patterns of the other neurons: each makes the
    network linear, the ray is the kernel of the named rows, and it counts where it has the pattern assumed.
    """
    last = len(named) - 1
    weights = [rng.standard_normal((networks, m, n if k == 0 else m)) for k in range(last + 1)]
    counts = np.zeros(networks, dtype=int)
    for pattern in itertools.product((False, True), repeat=sum(m - count for count in named[:-1])):
        rest, maps, forms, others, alive = list(pattern), np.eye(n)[None], [], [], True
        for k, count in enumerate(named):
            inputs = weights[k] @ maps
            forms.append(inputs[:, :count])
            if k < last:
                active = np.array([False] * count + rest[: m - count])
                rest = rest[m - count :]
                alive &= bool(active.any())
                others.append((inputs[:, count:], active[count:]))
                maps = inputs * active[:, None]
        rows = np.concatenate(forms, axis=1)
        ray = np.cross(rows[:, 0], rows[:, 1]) if n == 3 else np.stack([-rows[:, 0, 1], rows[:, 0, 0]], axis=1)
        # Dependent rows, and rays on the border of a pattern, differ from none by rounding only.
        clear = alive & (length(ray) > 1e-10 * length(rows).prod(axis=1))
        for sign in (1, -1):
            found = clear.copy()
            for passed, active in others:
                values = sign * (passed @ ray[:, :, None])[:, :, 0]
                found &= (np.where(active, values, -values) > 1e-10 * length(passed) * length(ray)[:, None]).all(axis=1)
            counts += found
    return counts


def length(vectors):
    return np.linalg.norm(vectors, axis=-1)


def expected_rays(m, named):
    """2 prod over k < l of P(Bin(m - n_k, 1/2) > p_k)."""
    above, product = named[-1], 2.0
    for count in reversed(named[:-1]):
        product *= 1 - sum(comb(m - count, k) for k in range(above + 1)) / 2 ** (m - count)
        above += count
    return product


CASES = [
    (2, 3, (0, 1)),
    (2, 3, (0, 0, 1)),
    (3, 3, (2,)),
    (3, 4, (0, 2)),
    (3, 4, (1, 1)),
    (3, 4, (0, 1, 1)),
    (3, 3, (1, 0, 1)),
    (3, 4, (0, 0, 2)),
]


def main():
    print("| n | m | of N in layers 1, 2, ... | expected | counted | standard error |\n|---|---|---|---|---|---|")
    for n, m, named in CASES:
        counts = count_rays(n, m, named, 20_000, np.random.default_rng(11))
        values = f"{expected_rays(m, named):.4f} | {counts.mean():.4f} | {counts.std() / sqrt(len(counts)):.4f}"
        print(f"| {n} | {m} | {', '.join(map(str, named))} | {values} |")


if __name__ == "__main__":
    main()

"""Cones: double description and conic intrinsic volumes, CPU milliseconds of one thread beside peers in the same run.

    python benchmarks/cones.py

Integers: from inequalities to `rays`, arrays read out included, beside the Parma Polyhedra Library (pplpy), which reads
the constraints and minimises its generators. Floats: the same beside cddlib, from a list of lists to its generators,
which nothing checks; ours are proven. Volumes: 2,000 samples beside scipy's nnls in a loop over the same number of
points, which gives the faces alone. Where pplpy is not installed, its column holds what it took once (0.8.10) on the
machine of docs/cones.md.

Goals: ppl's time; within 2 times cddlib; 10 times nnls.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cdd
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from polyinj import Cone

try:
    import ppl
except ImportError:
    ppl = None

# n, inequalities, and what ppl took once.
SHAPES = [(5, 10, 0.14), (6, 18, 0.78), (7, 14, 0.57), (8, 20, 2.1), (9, 18, 5.9), (10, 20, 19.0)]
SAMPLED = [(4, 6), (6, 10), (8, 16), (10, 30)]


def rows_of(n: int, m: int) -> NDArray[np.int64]:
    """Inequalities that hold at one point, entries up to 9."""
    rng = np.random.default_rng(0)
    inside = rng.integers(-9, 10, n)
    rows = rng.integers(-9, 10, (4 * m, n))
    return rows[rows @ inside > 0][:m]


def by_ppl(rows: NDArray[np.int64]) -> int:
    system = ppl.Constraint_System()
    for row in rows.tolist():
        system.insert(ppl.Linear_Expression(row, 0) >= 0)
    # The vertex at the origin is no ray.
    return len(ppl.C_Polyhedron(system).minimized_generators()) - 1


def by_cdd(rows: NDArray[np.float64]) -> int:
    table = [[0.0, *row] for row in rows.tolist()]
    matrix = cdd.matrix_from_array(table, rep_type=cdd.RepType.INEQUALITY)
    return len(cdd.copy_generators(cdd.polyhedron_from_matrix(matrix)).array)


def best(run: Callable[[], Any], repeats: int = 5) -> tuple[float, Any]:
    """Least CPU milliseconds (user and system) of some runs, and the result."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = run()
        times.append(1000 * (time.process_time() - start))
    return min(times), result


def main() -> None:
    print("double description, inequalities with entries up to 9, seed 0 (floats: with noise of 1e-3); best of 5")
    print("  n     m   rays   integers       ppl   ratio     floats    cddlib   ratio")
    for n, m, saved in SHAPES:
        rows = rows_of(n, m)
        floats = rows + 1e-3 * np.random.default_rng(1).standard_normal(rows.shape)
        own, rays = best(lambda rows=rows: len(Cone.from_inequalities(rows).rays))
        peer, found = best(lambda rows=rows: by_ppl(rows)) if ppl else (saved, rays)
        own_floats, float_rays = best(lambda floats=floats: len(Cone.from_inequalities(floats).rays))
        cddlib, listed = best(lambda floats=floats: by_cdd(floats))
        assert (rays, float_rays) == (found, listed)
        print(
            f"{n:3}{m:6}{rays:7}{own:11.3f}{peer:10.3f}{peer / own:7.1f}x"
            f"{own_floats:11.3f}{cddlib:10.3f}{cddlib / own_floats:7.2f}x"
        )
    print("conic intrinsic volumes from 2,000 samples, of n-dimensional cones of k random rays; best of 5")
    print("  n     k       ours      nnls   ratio")
    for n, k in SAMPLED:
        rays = np.random.default_rng(0).standard_normal((k, n))
        rays = np.where((rays.sum(axis=1) > 0)[:, None], rays, -rays)
        unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        points = np.random.default_rng(1).standard_normal((2000, n))
        own, estimate = best(lambda rays=rays: Cone.from_rays(rays).estimate_conic_intrinsic_volumes(2000, seed=1))
        peer, faces = best(lambda unit=unit, points=points: [(nnls(unit.T, point)[0] > 0).sum() for point in points])
        assert list(estimate.counts) == np.bincount(faces, minlength=n + 1).tolist()
        print(f"{n:3}{k:6}{own:11.3f}{peer:10.3f}{peer / own:7.1f}x")


if __name__ == "__main__":
    main()

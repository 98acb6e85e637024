"""Statistics of the witness set {x on the sphere : fewer than n rows positive}: its topology and its faces.

Each sees few faces where few rows are positive, so (m, n) = (40, 5) takes milliseconds a matrix.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from polyinj.geometry.arrangement import Arrangement


def betti_numbers(matrix: NDArray[Any]) -> dict[str, float]:
    """Columns b0, ..., b{n-1}: Betti numbers over GF(2), and chi, their alternating sum."""
    betti = Arrangement(matrix).betti_numbers()
    chi = sum(betti[::2]) - sum(betti[1::2])
    return {**{f"b{i}": b for i, b in enumerate(betti)}, "chi": chi}


def component_count(matrix: NDArray[Any]) -> float:
    """Number of connected components."""
    return len(Arrangement(matrix).components())


def face_counts(matrix: NDArray[Any]) -> dict[str, float]:
    """Columns F[d,p]: faces of linear dimension d = 1..n with p = 0..n-1 positives."""
    n = matrix.shape[1]
    counts = Arrangement(matrix).face_counts(n - 1)
    return {f"F[{d},{p}]": int(counts[d, p]) for d in range(1, n + 1) for p in range(n) if p < counts.shape[1]}

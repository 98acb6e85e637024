"""Descent of a smoothed count of active rows on the sphere, from many starts side by side, in single precision.

One thing here is exact: the same rows and starts give the same steps, bit by bit, on every processor. Points found are
candidates; the caller checks them. A descent releases the interpreter's lock while it runs: one thread each.
"""

import numpy as np
from numpy.typing import NDArray

STARTS: int

class Descent:
    """rows (m, N), float32, of length about sqrt(N), so that values on the unit sphere are of order 1."""

    def __init__(self, rows: NDArray[np.float32]) -> None: ...
    def start(
        self,
        points: NDArray[np.float32],
        first: float,
        ratio: float,
        *,
        margin: float,
        rate: float,
        friction: float,
    ) -> None:
        """Begin at points (N, STARTS), of any length but zero: scales first, first * ratio, ... of the count at the
        steps to come. friction: the share of the velocity that a step keeps."""

    def run(self, max_steps: int, target: int) -> bool:
        """Step on; True as soon as best_count falls and is at most `target`, False after max_steps."""

    @property
    def steps(self) -> int:
        """Steps since `start`."""

    @property
    def best_count(self) -> int:
        """Fewest active rows of a point since `start`, as single precision counts them."""

    @property
    def best_point(self) -> NDArray[np.float64]:
        """Where that was, shape (N,)."""

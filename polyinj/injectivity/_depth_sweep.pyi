import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status

HIGHEST_RANK: int
MOST_VECTORS: int

class DepthSweep:
    def __init__(
        self,
        vectors: NDArray[np.float64],
        error: float,
        weights: NDArray[np.int32] | None = None,
        *,
        whole: bool = True,
        least: int,
        room: int,
    ) -> None: ...
    def run(self, max_pencils: int) -> Status: ...
    @property
    def whole(self) -> bool: ...
    @property
    def zeros(self) -> int: ...
    @property
    def least(self) -> int: ...
    @property
    def spans(self) -> bool: ...
    @property
    def tight(self) -> tuple[int, ...]: ...
    def direction(self) -> NDArray[np.float64] | None: ...
    @property
    def left_open(self) -> list[tuple[int, tuple[int, ...]]]: ...

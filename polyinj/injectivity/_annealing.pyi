import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status

STARTS: int

class Annealing:
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
    ) -> None: ...
    def run(self, max_steps: int, target: int) -> Status: ...
    @property
    def steps(self) -> int: ...
    @property
    def best_count(self) -> int: ...
    @property
    def points(self) -> NDArray[np.float32]: ...
    @property
    def best_point(self) -> NDArray[np.float64]: ...

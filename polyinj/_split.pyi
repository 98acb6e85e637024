from typing import Any

from numpy.typing import NDArray

from polyinj._status import Status

class ConeSplitter:
    m: int
    n: int
    limit: int
    nodes: int

    def __init__(
        self, rows: NDArray[Any], error: float, limit: int, face_dimension: int, first_positive: bool
    ) -> None: ...
    @property
    def path(self) -> list[tuple[int, int]]: ...
    def grow(self) -> None: ...
    def fill(self, out: NDArray[Any], nodes: int) -> tuple[Status, int]: ...

from typing import Any

from numpy.typing import NDArray

from polyinj._core import RaySweep
from polyinj._status import Status

class FaceWriter(RaySweep):
    def __init__(
        self,
        rows: NDArray[Any],
        error: float,
        forms: NDArray[Any],
        flats: int,
        slices: int,
        part: int,
        parts: int,
        face_dimension: int,
        max_positive: int,
        antipodes: bool,
    ) -> None: ...
    def fill(self, out: NDArray[Any], pencils: int) -> tuple[Status, int]: ...

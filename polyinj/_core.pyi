from typing import Any

from numpy.typing import NDArray

from polyinj._status import Status

class RaySweep:
    m: int
    n: int
    flat: int
    slice: int
    fewest_positives: int
    fewest_antipode: bool
    histogram: NDArray[Any]

    def __init__(
        self, rows: NDArray[Any], error: float, forms: NDArray[Any], flats: int, slices: int, part: int, parts: int
    ) -> None: ...
    @property
    def prefix(self) -> tuple[int, ...]: ...
    @property
    def fewest_tight(self) -> tuple[int, ...]: ...
    def run(self, pencils: int) -> Status: ...

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyinj._status import Status

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

LARGEST_DIMENSION: int

class _Search:
    blocks: Ints
    status: Status
    def run(self, max_nodes: int) -> Status: ...
    @property
    def pending(self) -> tuple[int, ...]: ...
    def settle(self, signs: Sequence[int] | None) -> None: ...
    @property
    def decided(self) -> list[int]: ...
    def admit(self, literals: Sequence[int]) -> None: ...
    @property
    def degenerate(self) -> bool: ...
    @property
    def best_count(self) -> int: ...
    @property
    def best_direction(self) -> Floats: ...
    @property
    def nodes(self) -> int: ...
    @property
    def solves(self) -> int: ...
    @property
    def pivots(self) -> int: ...
    @property
    def circuits(self) -> int: ...
    def proof(self) -> tuple[Ints, list[Ints]]: ...
    def give_away(self, number: int) -> tuple[int, list[int]] | None: ...
    def assume(self, rotation: int, literals: Sequence[int]) -> None: ...

class CountSearch(_Search):
    def __init__(
        self,
        rows: Floats,
        error: float = 0.0,
        side: Floats | None = None,
        *,
        budget: int,
        linear: int | None = None,
        blocks: int | Any | None = None,
        common: Floats | None = None,
        record: bool = True,
        memory_limit: int = ...,
    ) -> None: ...

class RankSearch(_Search):
    def __init__(
        self,
        rows: Floats,
        error: float = 0.0,
        side: Floats | None = None,
        *,
        linear: int | None = None,
        record: bool = True,
        memory_limit: int = ...,
    ) -> None: ...

def splice(
    circuits: Ints, trees: Sequence[Ints], parts: Mapping[int, tuple[Ints, Ints]]
) -> tuple[Ints, list[Ints]]: ...

from typing import Any

from numpy.typing import NDArray

from polyinj._status import Status

class SpectralTree:
    """A cursor over sign patterns of rows (m, n) of doubles: is the smallest singular value of the positive rows at
    least tau in every cell? Singular values are bounded below for certain, with `share` of the trace for rounding.

        while (status := tree.run(nodes, tau)) != Status.DONE:
            if status == Status.STUCK:   # no clause branches `node`
                tree.learn(has, lacks) a clause that does, or tree.close(): its value is known
    """

    m: int
    n: int
    words: int
    nodes: int
    def __init__(self, rows: NDArray[Any], share: float) -> None: ...
    def restart(self) -> None:
        """Back to the root; clauses are kept."""

    def learn(self, has: NDArray[Any], lacks: NDArray[Any]) -> None:
        """Clauses as bits (k, words) of uint64: in every cell some row of `has` is positive or one of `lacks` not."""

    @property
    def node(self) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def close(self) -> None: ...
    def run(self, max_nodes: int, tau: float) -> Status: ...

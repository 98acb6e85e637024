"""Looks for a witness on the way through a search: each longer than the one before, and after more nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from polyinj.injectivity.limits import Limits

# Within limits that may end it; by True it found what makes the search needless.
Look = Callable[[Limits], bool]


class Looks:
    """What is due at which number of nodes."""

    def __init__(self, schedule: Iterable[tuple[int, Look]] = ()) -> None:
        self._schedule = iter(schedule)
        self._next = next(self._schedule, None)

    @property
    def due_at(self) -> int:
        """Nodes after which the next look is due; 2^62 if none is left."""
        return 2**62 if self._next is None else self._next[0]

    def take(self, nodes: int) -> Look | None:
        """The look that is due after so many nodes, if one is; the caller calls it."""
        if self._next is None or nodes < self._next[0]:
            return None
        look = self._next[1]
        self._next = next(self._schedule, None)
        return look

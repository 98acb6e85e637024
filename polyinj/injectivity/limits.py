"""What a search may use: nodes, time, and a stop from another thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event

_OPERATIONS_A_SECOND = 2e9


@dataclass(slots=True)
class Limits:
    """What a search may use; `stop` ends it from another thread, and so does the end of the limits around these."""

    nodes: int | None = None
    deadline: float | None = None
    stop: Event = field(default_factory=Event)
    around: Limits | None = None

    def allow(self, operations: float) -> bool:
        """Whether the time that is left is enough for a dense product of so many multiplications, on one slow core."""
        left = float("inf") if self.deadline is None else self.deadline - time.monotonic()
        return operations <= left * _OPERATIONS_A_SECOND and (self.around is None or self.around.allow(operations))

    def leave(self, used: int) -> int:
        """Nodes that may still be visited: 0 when a limit is reached."""
        if self.stop.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline):
            return 0
        if self.around is not None and not self.around.leave(0):
            return 0
        return 2**62 if self.nodes is None else max(self.nodes - used, 0)

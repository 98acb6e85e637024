"""What a search may use: nodes, time, and a stop from another thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event


@dataclass(slots=True)
class Limits:
    """What a search may use; `stop` ends it from another thread, and so does the end of the limits around these."""

    nodes: int | None = None
    deadline: float | None = None
    stop: Event = field(default_factory=Event)
    around: Limits | None = None

    def leave(self, used: int) -> int:
        """Nodes that may still be visited: 0 when a limit is reached."""
        if self.stop.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline):
            return 0
        if self.around is not None and not self.around.leave(0):
            return 0
        return 2**62 if self.nodes is None else max(self.nodes - used, 0)

"""The working precision of Arb, which python-flint keeps once for all threads of a process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flint import ctx

_in_use = threading.RLock()

# What Arb works with where nobody asks for more.
DOUBLE = 53


def _renew() -> None:
    """A process that was forked while another thread computed has no thread that would release its lock."""
    global _in_use
    _in_use = threading.RLock()


os.register_at_fork(after_in_child=_renew)


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work with this many bits; threads that compute with balls take turns, so that none changes another's precision.

    >>> from flint import arb
    >>> with precision(128):
    ...     print(arb(2).sqrt().str(30, radius=False))
    1.41421356237309504880168872421
    """
    with _in_use, ctx.workprec(bits):
        yield

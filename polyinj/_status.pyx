"""How a run of a kernel ended: the one enum that all kernels return (csrc/status.h)."""

from enum import IntEnum

from polyinj cimport _status as c


class Status(IntEnum):
    """How a run of a kernel ended.

    DONE: all is walked, or proved. RUNNING: the slice is over, call again. UNCERTAIN: floating point leaves a sign
    open, which the caller settles in exact arithmetic. STUCK: what is known decides nothing more; the caller adds to
    it, or takes another way. OUT_OF_MEMORY: the memory allowed is used up. WITNESS: what the kernel looks for is found,
    as far as floating point can tell.
    """

    DONE = c.DONE
    RUNNING = c.RUNNING
    UNCERTAIN = c.UNCERTAIN
    STUCK = c.STUCK
    OUT_OF_MEMORY = c.OUT_OF_MEMORY
    WITNESS = c.WITNESS

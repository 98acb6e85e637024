"""How a run of a kernel ended, for the kernels."""

cdef extern from "status.h" nogil:
    enum kernel_status:
        DONE
        RUNNING
        UNCERTAIN
        STUCK
        OUT_OF_MEMORY
        WITNESS

/* How a run of a kernel ended: one enum for all of them. Python sees it as polyinj._status.Status. */
#ifndef POLYINJ_STATUS_H
#define POLYINJ_STATUS_H

enum kernel_status {
    DONE,          /* all is walked, or proved: nothing is left to do */
    RUNNING,       /* the slice is over: call again */
    UNCERTAIN,     /* floating point leaves a sign open: the caller settles it in exact arithmetic */
    STUCK,         /* what is known here decides nothing more: the caller adds to it, or takes another way */
    OUT_OF_MEMORY, /* the memory allowed is used up */
    WITNESS        /* what the kernel looks for is found, as far as floating point can tell */
};

#endif

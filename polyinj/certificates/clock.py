"""Seconds for a check."""

from __future__ import annotations

import time

from polyinj.errors import CertificateError, InputError, printable


class Clock:
    """A time limit in seconds, or None for none; InputError for what is not positive."""

    def __init__(self, time_limit: float | None) -> None:
        if time_limit is not None and not time_limit > 0:
            raise InputError(f"time_limit is {printable(time_limit)}; expected seconds > 0, or None")
        self.time_limit = time_limit
        self.deadline = None if time_limit is None else time.monotonic() + time_limit

    def check(self) -> None:
        """CertificateError when the time is over: nothing is then known of the certificate."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise CertificateError(
                f"the check did not end in the {self.time_limit:g} seconds of its time limit; that says nothing of the "
                "certificate"
            )

"""What polyinj raises."""

from __future__ import annotations


class PolyinjError(Exception):
    """Base of all errors raised by polyinj."""


class InputError(PolyinjError, ValueError):
    """The input is not usable. The message says what came, what is allowed and what to try."""


class BudgetExceeded(PolyinjError):
    """A stated budget was spent before the answer was known.

    Attributes
    ----------
    counted : int or None
        What was counted until then, where something is counted.
    """

    def __init__(self, message: str, counted: int | None = None) -> None:
        super().__init__(message)
        self.counted = counted


class CertificateError(PolyinjError):
    """A certificate does not prove what it claims."""


class StoreError(PolyinjError):
    """The file of a store cannot be used: it is damaged, no store, in use, or its disk is full."""

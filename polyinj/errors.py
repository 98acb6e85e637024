"""What polyinj raises, and how text from outside stands in a message."""

from __future__ import annotations

import reprlib


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


class InternalError(PolyinjError):
    """A fault of polyinj itself: a proof that it found was refused by its own checker. The message repeats the case."""


class StoreError(PolyinjError):
    """The file of a store cannot be used: it is damaged, no store, in use, or its disk is full."""


class _Short(reprlib.Repr):
    """A repr of bounded length and depth that never writes out a long integer."""

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() <= 256 else f"an integer of {x.bit_length()} bits"


_SHORT = _Short()


def require(condition: bool, fault: str) -> None:
    """CertificateError unless the condition holds."""
    if not condition:
        raise CertificateError(fault)


def printable(value: object, limit: int = 120) -> str:
    """What came from outside as part of one line: no control characters, no half surrogates, cut to a length.

    A file or its name may hold line feeds, control sequences of a terminal and marks that turn the writing.
    Text stays as it is otherwise; anything else is shown by its repr. To what is printed by rich with markup, add
    `rich.markup.escape`.

    Examples
    --------
    >>> printable("K\\nvalid: yes")
    'K\\\\nvalid: yes'
    """
    text = value if isinstance(value, str) else _SHORT.repr(value)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."

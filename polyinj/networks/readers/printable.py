"""Text from a file, fit to be printed."""

from __future__ import annotations


def printable(text: str, limit: int = 120) -> str:
    """The text with what is no visible character escaped, cut to a length.

    A name in a file may hold line feeds, control sequences of a terminal, marks that turn the direction of writing, and
    half of a surrogate pair.

    Examples
    --------
    >>> printable("fc1\\nnetwork: injective")
    'fc1\\\\nnetwork: injective'
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."

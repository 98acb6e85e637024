"""What every command prints alike, and the exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from polyinj.errors import printable

INJECTIVE, NOT_INJECTIVE, REFUSED, BAD_INPUT, UNDECIDED, INTERNAL_ERROR, INTERRUPTED = 0, 1, 1, 2, 3, 70, 130

# Characters of a message of one line; a report of an internal error repeats a whole layer.
_MESSAGE = 1_000_000

# Columns of output that no terminal cuts, wider than any table.
_UNCUT = 1000


def output_console() -> Console:
    """Prints tables to stdout: as wide as the terminal; into a file or a pipe, which have no width, in full."""
    cut = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if cut else _UNCUT)


def one_line(text: object) -> str:
    """The text without control characters, whatever a file or an option put into it."""
    return printable(str(text), _MESSAGE)


def print_written(paths: Iterable[Path]) -> None:
    """The last line of a command that wrote files."""
    print(f"wrote {', '.join(map(one_line, paths))}")

"""What a run shows while it lasts: trials done, their rate, time left, undecided ones, and what the caller adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from polyinj.simulation.trials import Batch

# Called with the index of a job and more of its trials; the text it returns is shown, for instance an estimate so far.
Note = Callable[[int, Batch], str]


class RunProgress:
    """A progress bar on stderr, and below it what the caller adds.

    Parameters
    ----------
    shown : bool
    total, done : int
        Trials asked for, and those that were read from a store.
    note : callable, optional
        Text for the line below the bar.
    """

    def __init__(self, shown: bool, total: int, done: int, note: Note | None = None) -> None:
        self._note = note
        self._undecided = self._failed = 0
        self._bar = _BarAndNote(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[said]}"),
            console=Console(stderr=True),
            disable=not shown,
            # Drawing takes milliseconds, which the trials would miss.
            refresh_per_second=2,
        )
        self._task = self._bar.add_task("trials", total=total, completed=done, said="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def advance(self, index: int, batch: Batch) -> None:
        """A batch of job `index` is done."""
        self._undecided += batch.undecided
        self._failed += len(batch.failures)
        said = [
            f"{count} {what}" for count, what in ((self._undecided, "undecided"), (self._failed, "failed")) if count
        ]
        if self._note is not None:
            self._bar.note = self._note(index, batch) or self._bar.note
        self._bar.update(self._task, advance=batch.stop - batch.start, said=", ".join(said))


class _BarAndNote(Progress):
    """A bar with one more line below it, which may be long."""

    note = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.note:
            yield Text(self.note, no_wrap=True, overflow="ellipsis")


class _Rate(ProgressColumn):
    """Trials a second, of late."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.3g}/s")

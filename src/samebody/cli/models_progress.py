"""The progress bar of ``samebody models pull``."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Column

from samebody.models.pulling import PullResult, SilentPull

if TYPE_CHECKING:
    from samebody.models.record import ModelRecord


class Quiet(AbstractContextManager[SilentPull]):
    """Shows nothing."""

    def __enter__(self) -> SilentPull:
        return SilentPull()

    def __exit__(self, *exc: object) -> None:
        return None


class PullProgress(SilentPull, AbstractContextManager["PullProgress"]):
    """A bar for the file that travels now, and one line on standard error for each record that is done."""

    def __init__(self, count: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            BarColumn(bar_width=16),
            DownloadColumn(table_column=Column(no_wrap=True)),
            TransferSpeedColumn(table_column=Column(no_wrap=True)),
            expand=True,
            console=self._console,
            transient=True,
        )
        self._count, self._done = count, 0
        self._identifier = ""
        self._task: TaskID | None = None

    def __enter__(self) -> PullProgress:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def begin(self, record: ModelRecord) -> None:
        """Show the record's id."""
        self._identifier = record.id
        self._done += 1
        self._replace(f"{record.id}: looking for a source", None)

    def waiting(self) -> None:
        """Say that another process is at work."""
        self._replace(f"{self._identifier}: waiting for another process that is pulling", None)

    def step(self, text: str, total: int | None) -> None:
        """Begin a bar."""
        self._replace(f"{self._identifier}: {text}", total)

    def advance(self, count: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.advance(self._task, count)

    def end(self, result: PullResult) -> None:
        """Print the record's line."""
        colour = {"present": "dim", "pulled": "green", "derived": "green", "failed": "red"}[result.action]
        text = f"[{self._done}/{self._count}] {result.action:<8} {result.id}"
        if result.error is not None:
            text += f"  {result.error.code}"
        elif result.source:
            text += f"  from {result.source}"
        self._console.print(text, style=colour, markup=False, soft_wrap=True)

    def _replace(self, text: str, total: int | None) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(text, total=total)

"""Progress of long jobs, on standard error; silent unless that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .start import deferred

if TYPE_CHECKING:
    from rich.progress import TaskID

    from musenet.generation.request import Request

_REDRAW_SECONDS = 0.1


class ProgressDisplay:
    """One line per stage of a job, shown while the `with` block runs.

    Args:
        unit: what is counted, such as "files".
    """

    def __init__(self, unit: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._unit = unit
        self._lines = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}
        self._said = ""

    def __enter__(self) -> ProgressDisplay:
        self._lines.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.stop()

    def __call__(self, stage: str, done: float, total: float | None = None) -> None:
        """Update a stage; `total` is None if it is not known."""
        if stage not in self._tasks:
            self._tasks[stage] = self._lines.add_task(stage, total=None, count="")
        count = f"{done:,.0f} {self._unit}" if self._unit else ""
        self._lines.update(self._tasks[stage], completed=done, total=total, count=count)

    def say(self, text: str, done: float | None = None) -> None:
        """Print a line that stays; one with the share that is `done` makes way for the next one.

        Where standard error is no terminal, every line stays.
        """
        if done is None or self._lines.disable:
            print(text, file=sys.stderr, flush=True)
            return
        if self._said not in self._tasks:
            self._tasks[text] = self._lines.add_task(text, total=1.0, count="")
        else:
            self._tasks[text] = self._tasks.pop(self._said)
        self._said = text
        self._lines.update(self._tasks[text], description=text, completed=done)


def watched(request: Request, steps: Iterator[float]) -> None:
    """Run a request to its end, showing its progress.

    Raises:
        KeyboardInterrupt: after the step in which Ctrl-C was pressed.
    """
    bars, (begin, end) = request.bars, request.span
    first, shown = bars.number(begin) - 1, 0.0
    with deferred() as stopped, ProgressDisplay("bars") as progress:
        progress("reading the prompt", 0)
        for tick in steps:
            if stopped():
                raise KeyboardInterrupt
            now = time.perf_counter()
            if now - shown >= _REDRAW_SECONDS:
                shown = now
                last = bars.number(end - 1) - first
                progress("generating", bars.number(int(tick)) - first, last)


def counted(number: int, what: str) -> str:
    """A number of things: "1 note", "1,200 notes"."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def minutes(seconds: float) -> str:
    """A time as "3:05"."""
    whole, rest = divmod(round(seconds), 60)
    return f"{whole}:{rest:02d}"

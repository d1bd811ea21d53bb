"""A line that moves while music is made, where somebody may look at it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from musenet.generation.session import Continuation

_REDRAW_SECONDS = 0.1


def watched(continuation: Continuation, steps: Iterator[float]) -> None:
    """Go through all the steps of a continuation; at a terminal with a line of progress."""
    if sys.stderr.isatty():
        _with_progress(continuation, steps)
    else:
        for _ in steps:
            pass


def _with_progress(continuation: Continuation, steps: Iterator[float]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    begin, end = continuation.prompt.boundary, continuation.end
    seconds = continuation.prompt.score.seconds
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("listening to the prompt", total=max(1, end - begin))
        shown = 0.0
        for tick in steps:
            now = time.perf_counter()
            if now - shown < _REDRAW_SECONDS:
                continue
            shown = now
            bar = continuation.bars.number(int(tick)) - continuation.bars.number(begin) + 1
            music = float(seconds(int(tick))) - float(seconds(begin))
            words = f"bar {bar} · {minutes(music)} of music"
            progress.update(task, completed=min(tick, end) - begin, description=words)


def minutes(seconds: float) -> str:
    """A time as "3:05"."""
    whole, rest = divmod(round(seconds), 60)
    return f"{whole}:{rest:02d}"

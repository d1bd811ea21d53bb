"""Engines: what runs `make_chunk` on batch after batch, within limits; and the one on threads.

    processes   workers of this machine, each file with a limit of time and memory (default)
    threads     threads of this process: no start-up cost, but a file that hangs cannot be stopped
    ray         tasks on a Ray cluster (the optional extra `ray`)

The chunks are the same with any engine and any number of workers.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from .chunks import make_chunk
from .worker import FileBatch, Preprocessing

CRASHED = ("crashed", "the process reading it died")
"""The reason for a file that killed its worker."""


@dataclass(frozen=True)
class Limits:
    """Resource limits of a run.

    Attributes:
        workers: processes, threads or tasks at a time.
        seconds: time for one file; a file that takes longer is dropped. No limit on threads.
        megabytes: memory of one worker (Linux); a file that needs more is dropped.
    """

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    seconds: float = 60.0
    megabytes: int = 3072

    @property
    def time_exceeded(self) -> tuple[str, str]:
        """The reason for a file that took too long."""
        return "time_limit", f"reading it took more than {self.seconds:g} s"

    def apply_to_memory(self) -> None:
        """Make allocations beyond the limit fail in this process, if the system supports it."""
        try:
            import resource
        except ImportError:
            return
        size = self.megabytes << 20
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (size, size))


Engine = Callable[[Iterator[FileBatch], Preprocessing, Limits], Iterator[FileBatch]]
"""Takes batches and returns each when its chunk is written, in any order."""


def on_threads(
    batches: Iterator[FileBatch], preprocessing: Preprocessing, limits: Limits
) -> Iterator[FileBatch]:
    """Run batches on threads of this process, as many ahead as there are threads."""
    if limits.workers == 1:  # two threads would only wait for each other
        for batch in batches:
            make_chunk(batch, preprocessing)
            yield batch
        return
    with ThreadPoolExecutor(limits.workers) as pool:
        waiting: dict[Future[Any], FileBatch] = {}
        for batch in batches:
            waiting[pool.submit(make_chunk, batch, preprocessing)] = batch
            if len(waiting) >= 2 * limits.workers:
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)


def _finished(waiting: dict[Future[Any], FileBatch]) -> Iterator[FileBatch]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        yield waiting.pop(future)

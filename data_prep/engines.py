"""Engines: who runs `make_chunk` on batch after batch, and what happens to one that hangs.

    processes   workers of this machine, each file with a limit of time and memory (default)
    threads     threads of this process: nothing to start, but a file that hangs cannot be stopped
    ray         tasks on a Ray cluster (the optional extra `ray`)

The chunks are the same with any engine and any number of workers.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from typing import Any

from tokenizer.errors import InputError, unknown

from .chunks import make_chunk
from .examine import TOGETHER, Batch, Recipe

NOTHING = -1
"""In place of a file's: none is begun yet."""

CRASHED = ("crashed", "the process reading it died")


def too_late(limits: Limits) -> tuple[str, str]:
    """The reason for which a file is dropped that took too long."""
    return "time_limit", f"reading it took more than {limits.seconds:g} s"


Engine = Callable[[Iterator[Batch], Recipe, "Limits"], Iterator[Batch]]
"""Takes batches and gives each back when its chunk is written, in any order."""


@dataclass(frozen=True)
class Limits:
    """What a run may take.

    Attributes:
        workers: processes, threads or tasks at a time.
        seconds: time for one file; a file that takes longer is dropped. No limit on threads.
        megabytes: memory of one worker (Linux); a file that needs more is dropped.
    """

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    seconds: float = 60.0
    megabytes: int = 3072


def engine(name: str) -> Engine:
    """The engine of a name.

    Raises:
        InputError: if there is none.
    """
    if name not in _ENGINES:
        raise unknown("engine", name, _ENGINES)
    return _ENGINES[name]


def on_threads(batches: Iterator[Batch], recipe: Recipe, limits: Limits) -> Iterator[Batch]:
    """Run batches on threads of this process, as many ahead as there are threads."""
    if limits.workers == 1:  # two threads would only wait for each other
        for batch in batches:
            make_chunk(batch, recipe)
            yield batch
        return
    with ThreadPoolExecutor(limits.workers) as pool:
        waiting: dict[Future[Any], Batch] = {}
        for batch in batches:
            waiting[pool.submit(make_chunk, batch, recipe)] = batch
            if len(waiting) >= 2 * limits.workers:
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)


def _finished(waiting: dict[Future[Any], Batch]) -> Iterator[Batch]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        yield waiting.pop(future)


@dataclass
class _Worker:
    """A process with what it works on.

    `begun` is memory that both sides see: the place of the file begun, `TOGETHER` for several at
    once, `NOTHING` at first, and when that was. A message for each file would cost as much as
    reading a short one.
    """

    process: Any
    pipe: Connection
    begun: Any
    batch: Batch | None = None

    @property
    def place(self) -> int:
        """The place in the batch of the file begun last."""
        return int(self.begun[0])

    def deadline(self, limits: Limits) -> float:
        """When its file will have taken too long, or when to look again if it has begun none."""
        since = self.begun[1] if self.place != NOTHING else time.monotonic()
        return float(since) + limits.seconds

    def give(self, batch: Batch) -> None:
        """Send a batch."""
        self.batch, self.begun[0] = batch, NOTHING
        with contextlib.suppress(OSError):  # it died: `_replaced` will find that
            self.pipe.send(batch)

    def is_late(self, limits: Limits) -> bool:
        """Whether it has had its file for too long."""
        return self.batch is not None and time.monotonic() > self.deadline(limits)

    def stop(self) -> None:
        """End the process."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


def on_processes(batches: Iterator[Batch], recipe: Recipe, limits: Limits) -> Iterator[Batch]:
    """Run batches on processes; replace a process that hangs or dies, without the file at fault."""
    workers: list[_Worker] = []
    undone: list[Batch] = []
    try:
        more = True
        while True:
            while more and len(undone) < limits.workers - _busy(workers):
                batch = next(batches, None)
                more = batch is not None
                undone += [] if batch is None else [batch]
            while undone and _busy(workers) < limits.workers:
                _idle(workers, recipe, limits).give(undone.pop(0))
            if _busy(workers) == 0:
                return
            _wait(workers, limits)
            yield from _heard(workers)
            undone += _replaced(workers, limits)
    finally:
        for worker in workers:
            worker.stop()


def _busy(workers: list[_Worker]) -> int:
    return sum(worker.batch is not None for worker in workers)


def _idle(workers: list[_Worker], recipe: Recipe, limits: Limits) -> _Worker:
    """A worker with nothing to do, started if there is none."""
    for worker in workers:
        if worker.batch is None:
            return worker
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    begun = context.RawArray("d", [NOTHING, 0.0])
    given = (theirs, begun, recipe, limits.megabytes)
    process = context.Process(target=_work, args=given, daemon=True)
    process.start()
    theirs.close()
    workers.append(_Worker(process, ours, begun))
    return workers[-1]


def _wait(workers: list[_Worker], limits: Limits) -> None:
    """Wait until a worker says something, dies, or is late."""
    busy = [worker for worker in workers if worker.batch is not None]
    timeout = max(0.0, min(w.deadline(limits) for w in busy) - time.monotonic())
    wait_for_any([*(w.pipe for w in busy), *(w.process.sentinel for w in busy)], timeout)


def _heard(workers: list[_Worker]) -> Iterator[Batch]:
    """Take in what workers say: None for a batch that is done, or what went wrong."""
    for worker in workers:
        with contextlib.suppress(EOFError, OSError):  # it died: `_replaced` will find that
            while worker.batch is not None and worker.pipe.poll():
                said = worker.pipe.recv()
                if said is not None:
                    raise InputError(said) from None
                yield worker.batch
                worker.batch = None


def _replaced(workers: list[_Worker], limits: Limits) -> list[Batch]:
    """Stop workers that are late, forget those that died, and give what they left undone."""
    left = []
    for worker in list(workers):
        late = worker.is_late(limits)
        if late or not worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
            left += [] if worker.batch is None else [_without_culprit(worker, limits, late)]
            worker.stop()
            workers.remove(worker)
    return left


def _without_culprit(worker: _Worker, limits: Limits, late: bool) -> Batch:
    """The worker's batch with the file at fault refused; file by file where that is not known."""
    code = worker.process.exitcode
    if worker.batch is None or worker.place == NOTHING:
        raise InputError(f"a worker process could not be started (exit code {code})")
    if worker.place == TOGETHER:
        return replace(worker.batch, alone=True)
    reason = too_late(limits) if late else CRASHED
    return replace(worker.batch, refused={**worker.batch.refused, worker.place: reason})


def _work(pipe: Connection, begun: Any, recipe: Recipe, megabytes: int) -> None:
    """A worker's life: batches come in; None for "done" and errors go out."""
    keep_freed_memory()
    limit_memory(megabytes)

    def begin(place: int) -> None:
        begun[1] = time.monotonic()  # first: the other side must never see a place with an old time
        begun[0] = place

    while True:
        try:
            batch = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            make_chunk(batch, recipe, begin)
            pipe.send(None)
        except InputError as error:
            pipe.send(str(error))
        except OSError:  # nobody listens any more: the run was killed
            return


def limit_memory(megabytes: int) -> None:
    """Let allocations beyond a limit fail in this process, where the system can do that."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


def keep_freed_memory() -> None:
    """Let glibc keep freed arrays for the next: the page faults cost a tenth of a worker's time."""
    import ctypes

    trim_threshold, mmap_threshold = -1, -3
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_threshold, 1 << 28)
        libc.mallopt(trim_threshold, 1 << 28)


def on_ray(batches: Iterator[Batch], recipe: Recipe, limits: Limits) -> Iterator[Batch]:
    """Run batches on Ray, which is imported only now."""
    from .on_ray import on_ray as run

    return run(batches, recipe, limits)


_ENGINES: dict[str, Engine] = {
    "processes": on_processes,
    "threads": on_threads,
    "ray": on_ray,
}

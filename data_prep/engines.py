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
from multiprocessing.connection import wait as wait_connections
from typing import Any

from tokenizer.errors import unknown

from .chunks import make_chunk
from .examine import Batch, Recipe

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
    """A process with what it works on: `place` is the file, begun at `since`."""

    process: Any
    pipe: Connection
    batch: Batch | None = None
    place: int = -1
    since: float = 0.0


def on_processes(batches: Iterator[Batch], recipe: Recipe, limits: Limits) -> Iterator[Batch]:
    """Run batches on processes; replace a process that hangs or dies, without the file at fault."""
    context = multiprocessing.get_context("spawn")
    workers: list[_Worker] = []
    again: list[Batch] = []
    with contextlib.ExitStack() as stack:
        stack.callback(_stop_all, workers)
        more = True
        while more or again or any(worker.batch for worker in workers):
            idle = [worker for worker in workers if worker.batch is None]
            while (more or again) and (idle or len(workers) < limits.workers):
                batch = again.pop() if again else next(batches, None)
                if batch is None:
                    more = False
                    break
                if not idle:
                    workers.append(_started(context, recipe, limits))
                    idle.append(workers[-1])
                _give(idle.pop(), batch)
            yield from _heard(workers, limits)
            again += _replaced(workers, limits)


def _started(context: Any, recipe: Recipe, limits: Limits) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, recipe, limits.megabytes), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _give(worker: _Worker, batch: Batch) -> None:
    worker.batch, worker.place, worker.since = batch, -1, time.monotonic()
    with contextlib.suppress(OSError):  # a worker that died is found by `_replaced`
        worker.pipe.send(batch)


def _heard(workers: list[_Worker], limits: Limits) -> Iterator[Batch]:
    """Take what workers say: the file begun, or None for a batch that is done."""
    busy = {worker.pipe: worker for worker in workers if worker.batch is not None}
    deadline = min((w.since + limits.seconds for w in busy.values()), default=0.0)
    for pipe in wait_connections(list(busy), max(0.0, deadline - time.monotonic())):
        worker = busy[pipe]  # type: ignore[index]
        with contextlib.suppress(EOFError, OSError):
            while worker.batch is not None and worker.pipe.poll():
                place = worker.pipe.recv()
                if isinstance(place, Exception):
                    raise place
                worker.since = time.monotonic()
                if place is None:
                    yield worker.batch
                    worker.batch = None
                else:
                    worker.place = place


def _replaced(workers: list[_Worker], limits: Limits) -> list[Batch]:
    """Stop workers that hang, forget those that died, and give what they left undone."""
    left = []
    for worker in list(workers):
        late = worker.batch is not None and time.monotonic() > worker.since + limits.seconds
        if not late and worker.process.is_alive():
            continue
        if worker.batch is not None:
            if worker.pipe.poll() and not late:
                continue  # it died after saying something that is still to be heard
            left.append(_without_culprit(worker, limits, late=late))
        _stop_all([worker])
        workers.remove(worker)
    return left


def _without_culprit(worker: _Worker, limits: Limits, *, late: bool) -> Batch:
    """The worker's batch with the file at fault refused."""
    batch = worker.batch
    if batch is None or worker.place < 0:
        code = worker.process.exitcode
        raise RuntimeError(f"a worker process could not be started (exit code {code})")
    if late:
        reason = ("time_limit", f"reading it took more than {limits.seconds:g} s")
    else:
        reason = ("crashed", f"the process reading it died (exit code {worker.process.exitcode})")
    return replace(batch, refused={**batch.refused, worker.place: reason})


def _stop_all(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        worker.process.kill()
        worker.process.join()


def _work(pipe: Connection, recipe: Recipe, megabytes: int) -> None:
    """A worker's life: batches in, places of files and None for "done" out."""
    _limit_memory(megabytes)
    while True:
        try:
            batch = pipe.recv()
        except EOFError:
            return
        try:
            make_chunk(batch, recipe, pipe.send)
        except Exception as error:
            pipe.send(error)
            return
        pipe.send(None)


def _limit_memory(megabytes: int) -> None:
    """Let allocations beyond a limit fail in this process, where the system can do that."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


_ENGINES: dict[str, Engine] = {"processes": on_processes, "threads": on_threads}

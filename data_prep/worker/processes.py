"""The engine that runs on processes of this machine: one that hangs or dies is replaced.

The file that it was reading is left out, and the rest of its batch goes to another process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from typing import Any

from tokenizer.errors import InputError
from tokenizer.malloc import keep_freed_memory

from .chunks import make_chunk
from .engines import CRASHED, Limits
from .worker import TOGETHER, FileBatch, Preprocessing

NOTHING = -1
"""In place of a file index: no file has been started."""


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
    batch: FileBatch | None = None

    @property
    def place(self) -> int:
        """The place in the batch of the file begun last."""
        return int(self.begun[0])

    def deadline(self, limits: Limits) -> float:
        """When its file will have taken too long, or when to look again if it has begun none."""
        since = self.begun[1] if self.place != NOTHING else time.monotonic()
        return float(since) + limits.seconds

    def send(self, batch: FileBatch) -> None:
        """Send a batch."""
        self.batch, self.begun[0] = batch, NOTHING
        with contextlib.suppress(OSError):  # it died: `_replaced` will find that
            self.pipe.send(batch)

    def is_overdue(self, limits: Limits) -> bool:
        """Whether it has had its file for too long."""
        return self.batch is not None and time.monotonic() > self.deadline(limits)

    def stop(self) -> None:
        """End the process."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


def on_processes(
    batches: Iterator[FileBatch], preprocessing: Preprocessing, limits: Limits
) -> Iterator[FileBatch]:
    """Run batches on processes; replace a process that hangs or dies, without the file at fault."""
    workers: list[_Worker] = []
    undone: list[FileBatch] = []
    try:
        more = True
        while True:
            while more and len(undone) < limits.workers - _busy(workers):
                batch = next(batches, None)
                more = batch is not None
                undone += [] if batch is None else [batch]
            while undone and _busy(workers) < limits.workers:
                _idle(workers, preprocessing, limits).send(undone.pop(0))
            if _busy(workers) == 0:
                return
            _wait(workers, limits)
            yield from _received(workers)
            undone += _replaced(workers, limits)
    finally:
        for worker in workers:
            worker.stop()


def _busy(workers: list[_Worker]) -> int:
    return sum(worker.batch is not None for worker in workers)


def _idle(workers: list[_Worker], preprocessing: Preprocessing, limits: Limits) -> _Worker:
    """A worker with nothing to do, started if there is none."""
    for worker in workers:
        if worker.batch is None:
            return worker
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    begun = context.RawArray("d", [NOTHING, 0.0])
    given = (theirs, begun, preprocessing, limits)
    process = context.Process(target=_work, args=given, daemon=True)
    process.start()
    theirs.close()
    workers.append(_Worker(process, ours, begun))
    return workers[-1]


def _wait(workers: list[_Worker], limits: Limits) -> None:
    """Wait until a worker sends a message, dies, or is overdue."""
    busy = [worker for worker in workers if worker.batch is not None]
    timeout = max(0.0, min(w.deadline(limits) for w in busy) - time.monotonic())
    wait_for_any([*(w.pipe for w in busy), *(w.process.sentinel for w in busy)], timeout)


def _received(workers: list[_Worker]) -> Iterator[FileBatch]:
    """The batches that are done, by the workers' messages: None, or what went wrong."""
    for worker in workers:
        with contextlib.suppress(EOFError, OSError):  # it died: `_replaced` will find that
            while worker.batch is not None and worker.pipe.poll():
                error = worker.pipe.recv()
                if error is not None:
                    raise InputError(error) from None
                yield worker.batch
                worker.batch = None


def _replaced(workers: list[_Worker], limits: Limits) -> list[FileBatch]:
    """Stop workers that are overdue, forget those that died, and give what they left undone."""
    left = []
    for worker in list(workers):
        overdue = worker.is_overdue(limits)
        if overdue or not worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
            left += [] if worker.batch is None else [_without_culprit(worker, limits, overdue)]
            worker.stop()
            workers.remove(worker)
    return left


def _without_culprit(worker: _Worker, limits: Limits, overdue: bool) -> FileBatch:
    """The worker's batch with the file at fault refused; file by file where that is not known."""
    code = worker.process.exitcode
    if worker.batch is None or worker.place == NOTHING:
        raise InputError(f"a worker process could not be started (exit code {code})")
    if worker.place == TOGETHER:
        return replace(worker.batch, alone=True)
    reason = limits.time_exceeded if overdue else CRASHED
    return replace(worker.batch, refused={**worker.batch.refused, worker.place: reason})


def _work(pipe: Connection, begun: Any, preprocessing: Preprocessing, limits: Limits) -> None:
    """The main function of a worker: receives batches, sends None for "done" or an error."""
    keep_freed_memory()
    limits.apply_to_memory()

    def begin(place: int) -> None:
        begun[1] = time.monotonic()  # first: the other side must never see a place with an old time
        begun[0] = place

    while True:
        try:
            batch = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        answer = None
        try:
            make_chunk(batch, preprocessing, begin)
        except InputError as error:
            answer = str(error)
        except OSError as error:  # of files that are read there is none: these are refused
            answer = f"cannot write {batch.target}: {error.strerror or error}"
        try:
            pipe.send(answer)
        except OSError:  # the run was killed
            return

"""The engine that runs on Ray (https://docs.ray.io): one machine, or a cluster of any size.

Files are read here and sent to the nodes, which send records back, so the nodes need this package
but no shared disk. A batch whose task dies or takes too long is run again file by file, to find the
one at fault.
"""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.sources.find import MidiFile
from tokenizer import InputError
from tokenizer.malloc import keep_freed_memory
from tokenizer.midi.read import LARGEST_FILE

from .chunks import write_chunk
from .engines import CRASHED, Limits
from .worker import FileBatch, FileRecord, Preprocessing, examine_batch


def on_ray(
    batches: Iterator[FileBatch], preprocessing: Preprocessing, limits: Limits
) -> Iterator[FileBatch]:
    """Run batches as Ray tasks, `limits.workers` at a time.

    It joins the cluster that `RAY_ADDRESS` names, or the one this process is connected to
    already; without either it starts one on this machine.

    Raises:
        InputError: if Ray is not installed.
    """
    cluster = _Cluster.joined(preprocessing, limits)
    waiting: dict[Any, FileBatch] = {}
    for batch in batches:
        waiting[cluster.submit(batch.files)] = batch
        if len(waiting) >= limits.workers:
            yield from _finished(cluster, waiting)
    while waiting:
        yield from _finished(cluster, waiting)


def _finished(cluster: _Cluster, waiting: dict[Any, FileBatch]) -> Iterator[FileBatch]:
    done, _ = cluster.ray.wait(list(waiting), num_returns=1)
    for task in done:
        batch = waiting.pop(task)
        write_chunk(batch.target, cluster.records(task, batch.files))
        yield batch


@dataclass(frozen=True)
class _Cluster:
    """Ray, with what every task needs already sent to it."""

    ray: Any
    task: Any
    preprocessing: Any
    limits: Limits

    @classmethod
    def joined(cls, preprocessing: Preprocessing, limits: Limits) -> _Cluster:
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise InputError(
                "the ray engine needs Ray; install it with: pip install 'musenet[ray]'"
            ) from error
        if not ray.is_initialized():
            address = os.environ.get("RAY_ADDRESS")
            local = {} if address else {"num_cpus": limits.workers, "include_dashboard": False}
            ray.init(address=address, log_to_driver=False, **local)
        task = ray.remote(max_retries=0)(_examine)
        return cls(ray, task, ray.put(preprocessing), limits)

    def submit(self, files: Sequence[MidiFile]) -> Any:
        """Begin a task; what it returns are the files' records."""
        loaded = [_loaded(file) for file in files]
        return self.task.remote(loaded, self.preprocessing, self.limits)

    def records(self, task: Any, files: Sequence[MidiFile]) -> Sequence[FileRecord]:
        """The records of a task's files; where it failed, of each file by itself."""
        try:
            found: Sequence[FileRecord] = self.ray.get(task)
        except self.ray.exceptions.WorkerCrashedError:
            return [self._alone(file) for file in files]
        return found

    def _alone(self, file: MidiFile) -> FileRecord:
        begun = time.monotonic()
        try:
            [record] = self.ray.get(self.submit([file]))
        except self.ray.exceptions.WorkerCrashedError:
            overdue = time.monotonic() > begun + self.limits.seconds
            reason = self.limits.time_exceeded if overdue else CRASHED
            return FileRecord(file.corpus, file.name, *reason)
        found: FileRecord = record
        return found


def _loaded(file: MidiFile) -> MidiFile:
    """A file with its bytes: a node may not have its path."""
    if file.path is None or file.size > LARGEST_FILE:
        return file
    try:
        return file._replace(path=None, data=file.read())
    except OSError:
        return file  # the task says why it cannot be read


def _examine(
    files: Sequence[MidiFile], preprocessing: Preprocessing, limits: Limits
) -> Sequence[FileRecord]:
    """A task: its process ends itself when a file takes too long, because nothing else can."""
    keep_freed_memory()
    limits.apply_to_memory()
    watch = _Watch(limits.seconds)
    try:
        return examine_batch(FileBatch(0, Path(), tuple(files)), preprocessing, watch.begun)
    finally:
        watch.stop()


class _Watch:
    """Ends this process unless a next file is begun in time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def begun(self, place: int) -> None:
        """Give the file at `place` its time."""
        del place
        self.stop()
        self._timer = threading.Timer(self._seconds, os._exit, [1])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """End the watch."""
        if self._timer is not None:
            self._timer.cancel()

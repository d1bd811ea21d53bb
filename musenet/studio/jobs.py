"""Jobs that make music: a queue, a few threads that work on it, and a log of each job's events.

    submit ─▶ queue ─▶ worker: note, note, … ─▶ done, cancelled or failed

A job's log stands until it is long finished, so a listener that lost its connection reads on where
it was. Its place in the queue and its progress are no events of the log: only the latest counts.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from tokenizer.errors import InputError

MOST_WAITING = 1000
"""Jobs that may wait; a burst of more is refused."""

_MOST_FINISHED = 1000  # jobs whose end is remembered
_MOST_LOGGED = 32  # finished jobs whose notes are remembered

QUEUED, RUNNING, DONE, CANCELLED, FAILED = "queued", "running", "done", "cancelled", "failed"
FINISHED = (DONE, CANCELLED, FAILED)

Work = Callable[["Job"], list[Any]]
"""Makes the music of a job, asks it whether to stop, and returns what it made."""


class Event(NamedTuple):
    """An event of a job: its number from 1, its name and its data as JSON."""

    number: int
    name: str
    data: str


class Reading(NamedTuple):
    """What a listener has not read yet.

    Attributes:
        events: of the log.
        place: how many jobs come before it, or None if it has begun.
        share: how much of it is done, 0 to 1.
        finished: whether nothing more will come.
    """

    events: list[Event]
    place: int | None
    share: float
    finished: bool


@dataclass(eq=False)
class Job:
    """A request for music.

    Attributes:
        id: its name, not to be guessed or met again.
        node: the number of the node that it starts from; None for music that came with it.
        action: continue, fill or accompany.
        work: what makes the music.
        makes: what it returns: numbers of new "nodes", or "takes" that are in no tree.
        takes: how many are asked for.
        state: queued, running, done, cancelled or failed.
        stopping: whether it should stop at the next note.
        share: how much is done, 0 to 1.
    """

    node: int | None
    action: str
    work: Work
    makes: str = "nodes"
    takes: int = 1
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: str = QUEUED
    stopping: bool = False
    share: float = 0.0
    log: list[Event] = field(default_factory=list)
    listeners: set[Callable[[], None]] = field(default_factory=set)

    def tell(self, name: str, **data: Any) -> None:
        """Add an event to the log and wake who listens."""
        number = self.log[-1].number + 1 if self.log else 1
        self.log.append(Event(number, name, msgspec.json.encode(data).decode()))
        self.wake()

    def wake(self) -> None:
        """Let every listener read."""
        for listener in tuple(self.listeners):
            listener()


class Jobs:
    """The queue and its workers.

    Args:
        workers: how many jobs are worked on at once.
    """

    def __init__(self, workers: int) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._known: dict[str, Job] = {}
        self._finished: deque[Job] = deque()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"studio-{n}", daemon=True)
            for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> int:
        """Put a job into the queue; returns how many come before it.

        Raises:
            InputError: if too many wait, or the server is closing.
        """
        with self._changed:
            if self._closed:
                raise InputError("the server is closing")
            if len(self._waiting) >= MOST_WAITING:
                raise InputError(f"{MOST_WAITING:,} jobs wait already; cancel some, or wait")
            place = len(self._waiting)
            self._waiting.append(job)
            self._known[job.id] = job
            self._changed.notify()
            return place

    def find(self, name: str) -> Job | None:
        """The job of an id, or None if there is none or it is long finished."""
        with self._changed:
            return self._known.get(name)

    def all(self) -> list[tuple[Job, int | None]]:
        """The jobs that wait or run, each with its place in the queue."""
        with self._changed:
            places = {job.id: place for place, job in enumerate(self._waiting)}
            known = [job for job in self._known.values() if job.state not in FINISHED]
            return [(job, places.get(job.id)) for job in known]

    def cancel(self, job: Job) -> None:
        """Stop a job at its next note, or before it begins; one that has ended stays as it is."""
        with self._changed:
            job.stopping = True
            if job not in self._waiting:
                return
            self._waiting.remove(job)
            self._end(job, CANCELLED, **{job.makes: []})

    def forget(self, job: Job) -> None:
        """Stop a job that nobody asks for any more, and drop what it made."""
        self.cancel(job)
        with self._changed:
            self._known.pop(job.id, None)
            if job.state in FINISHED:
                job.log.clear()

    def read(self, job: Job, after: int) -> Reading:
        """The events of a job after the one of a number, and where it is."""
        with self._changed:
            finished = job.state in FINISHED
            place = self._waiting.index(job) if job.state == QUEUED else None
            first = job.log[0].number if job.log else 1
            return Reading(job.log[max(after + 1 - first, 0) :], place, job.share, finished)

    def close(self, seconds: float = 10.0) -> None:
        """Stop all jobs and wait until what they made is saved."""
        with self._changed:
            self._closed = True
            for job in list(self._known.values()):
                self.cancel(job)
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                job = self._waiting.popleft()
                job.state = RUNNING
                for each in (job, *self._waiting):
                    each.wake()
            state, data = self._run(job)
            with self._changed:
                self._end(job, state, **data)

    def _run(self, job: Job) -> tuple[str, dict[str, Any]]:
        """Work on a job; its state and the data of its last event."""
        try:
            made = job.work(job)
        except InputError as error:
            return FAILED, {"error": str(error)}
        except Exception:
            logging.getLogger(__name__).exception("a job failed")
            return FAILED, {"error": "the server met an error of its own; its terminal says which"}
        return (CANCELLED if job.stopping else DONE), {job.makes: made}

    def _end(self, job: Job, state: str, **data: Any) -> None:
        job.state = state
        job.tell(state, **data)
        if job.id not in self._known:  # nobody asks for it any more
            job.log.clear()
            return
        self._finished.append(job)
        if len(self._finished) > _MOST_LOGGED:
            old = self._finished[-_MOST_LOGGED - 1]
            del old.log[: -1 if old.makes == "nodes" else None]  # takes are files
        if len(self._finished) > _MOST_FINISHED:
            self._known.pop(self._finished.popleft().id, None)

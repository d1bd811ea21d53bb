"""The queue: nothing is lost and nothing hangs, whatever is cancelled when."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from musenet.studio import jobs as queue
from musenet.studio.jobs import FINISHED, Job, Jobs
from tokenizer.errors import InputError

Make = Callable[[int], Jobs]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Jobs] = []

    def start(workers: int) -> Jobs:
        made.append(Jobs(workers))
        return made[-1]

    yield start
    for each in made:
        each.close()


def until(reached: Callable[[], bool]) -> None:
    for _ in range(2000):
        if reached():
            return
        time.sleep(0.005)
    pytest.fail("it never happened")


def counted(notes: int) -> Callable[[Job], list[int]]:
    """Work that tells some notes, and stops when it is asked to."""

    def work(job: Job) -> list[int]:
        for number in range(notes):
            if job.stopping:
                return [number]
            job.tell("note", number=number)
        return [notes]

    return work


@pytest.mark.parametrize("workers", [1, 3])
def test_bursts_with_cancels_lose_nothing(make: Make, workers: int) -> None:
    jobs, rng = make(workers), np.random.default_rng(workers)
    made: list[Job] = []
    for _ in range(20):
        burst = [Job(1, "continue", counted(int(rng.integers(0, 30)))) for _ in range(30)]
        for job in burst:
            jobs.submit(job)
        for index in rng.permutation(30)[:12].tolist():
            jobs.cancel(burst[index])
        made += burst
    until(lambda: all(job.state in FINISHED for job in made))
    assert len(made) == 600
    assert jobs.all() == []
    for job in made:
        *notes, last = job.log
        assert last.name == job.state
        assert [event.name for event in notes] == ["note"] * len(notes) or len(job.log) == 1
        assert jobs.find(job.id) is job
    assert set(Counter(job.state for job in made)) == {"done", "cancelled"}
    assert sum(len(job.log) > 1 for job in made) <= 32 + workers  # memory stays flat


def test_jobs_run_in_the_order_they_came(make: Make) -> None:
    jobs, order, gate = make(1), list[int](), threading.Event()

    def work(number: int) -> Callable[[Job], list[int]]:
        def run(_: Job) -> list[int]:
            gate.wait()
            order.append(number)
            return []

        return run

    made = [Job(1, "continue", work(n)) for n in range(5)]
    places = [jobs.submit(job) for job in made]
    until(lambda: made[0].state == "running")
    assert [jobs.read(job, 0).place for job in made] == [None, 0, 1, 2, 3]
    assert places[0] == 0
    jobs.cancel(made[2])
    assert [jobs.read(job, 0).place for job in made] == [None, 0, None, 1, 2]
    gate.set()
    until(lambda: all(job.state in FINISHED for job in made))
    assert order == [0, 1, 3, 4]


def test_an_error_is_the_end_of_one_job_only(make: Make) -> None:
    jobs = make(1)

    def refused(_: Job) -> list[int]:
        raise InputError("there is no such thing")

    def broken(_: Job) -> list[int]:
        raise ZeroDivisionError

    made = [Job(1, "continue", work) for work in (refused, broken, counted(1))]
    for job in made:
        jobs.submit(job)
    until(lambda: all(job.state in FINISHED for job in made))
    assert [job.state for job in made] == ["failed", "failed", "done"]
    assert "there is no such thing" in made[0].log[-1].data
    assert "an error of its own" in made[1].log[-1].data


def test_a_full_queue_and_a_closed_one_refuse(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_WAITING", 3)
    jobs, gate = make(1), threading.Event()
    made = [Job(1, "continue", lambda job: [int(gate.wait())]) for _ in range(4)]
    jobs.submit(made[0])
    until(lambda: made[0].state == "running")
    for job in made[1:]:
        jobs.submit(job)
    with pytest.raises(InputError, match="3 jobs wait already"):
        jobs.submit(Job(1, "continue", counted(1)))
    gate.set()
    jobs.close()
    assert all(job.state in FINISHED for job in made)
    with pytest.raises(InputError, match="closing"):
        jobs.submit(Job(1, "continue", counted(1)))


def test_closing_keeps_what_was_made(make: Make) -> None:
    jobs, begun = make(1), threading.Event()

    def slow(job: Job) -> list[int]:
        begun.set()
        while not job.stopping:
            time.sleep(0.001)
        return [7]

    made = [Job(1, "continue", slow) for _ in range(3)]
    for job in made:
        jobs.submit(job)
    begun.wait()
    jobs.close()
    assert [job.state for job in made] == ["cancelled"] * 3
    assert '"nodes":[7]' in made[0].log[-1].data
    assert '"nodes":[]' in made[1].log[-1].data


def test_only_the_ends_of_old_jobs_are_remembered(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_MOST_FINISHED", 40)
    jobs = make(1)
    made = [Job(1, "continue", counted(3)) for _ in range(60)]
    for job in made:
        jobs.submit(job)
    until(lambda: all(job.state in FINISHED for job in made))
    assert [jobs.find(job.id) is not None for job in made] == [False] * 20 + [True] * 40
    old = jobs.read(made[21], 0)
    assert [event.name for event in old.events] == ["done"]
    assert [event.number for event in old.events] == [4]
    assert jobs.read(made[21], 4).events == []
    assert len(jobs.read(made[59], 2).events) == 2

"""The loop by itself: the learning rate, the order of events, and how often it waits."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from musenet.training.checkpoints import TrainingState
from musenet.training.loop import (
    SIGNALS,
    Ended,
    Event,
    RunLength,
    SampleDue,
    SaveDue,
    StepsReported,
    StopSignal,
    TrainingLoop,
    ValidationDue,
    rate_factor,
)
from musenet.training.metrics import StepTotals
from musenet.training.settings import Settings
from musenet.training.start import start_run

Small = Callable[..., Settings]


def test_the_rate_goes_up_stays_and_goes_down() -> None:
    assert rate_factor(0.0, 0, warmup=10, decay=0.5) == pytest.approx(0.1)
    assert rate_factor(0.0, 9, warmup=10, decay=0.5) == 1.0
    assert rate_factor(0.5, 500, warmup=10, decay=0.5) == 1.0
    assert rate_factor(0.75, 750, warmup=10, decay=0.5) == pytest.approx(0.5)
    assert rate_factor(1.0, 1000, warmup=10, decay=0.5) == 0.0
    assert rate_factor(0.99, 1000, warmup=0, decay=0.0) == 1.0


def test_minutes_count_over_all_sessions() -> None:
    length = RunLength(steps=None, seconds=600.0)
    assert length.fraction_done(5, 150.0) == 0.25
    assert length.fraction_done(5_000, 700.0) == 1.0
    assert length.seconds_left(5, 150.0) == 450.0
    by_steps = RunLength(steps=100, seconds=None)
    assert by_steps.fraction_done(25, 1e9) == 0.25
    assert by_steps.seconds_left(25, 10.0) == 30.0


@contextlib.contextmanager
def loop_of(dataset: Path, folder: Path, settings: Settings) -> Iterator[TrainingLoop]:
    """The loop of a new run."""
    loop = start_run(dataset, folder, settings)._loop()
    with contextlib.closing(loop.batches):
        yield loop


def test_events_come_when_their_steps_have_come(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    settings = small(steps=6, validate_steps=2, save_steps=3, sample_minutes=1e-9)
    state = TrainingState()
    found: list[tuple[int, Event]] = []
    with loop_of(dataset, tmp_path / "run", settings) as loop:
        found = [(state.step, event) for event in loop.events(state, StopSignal())]

    def steps(kind: type[Event]) -> list[int]:
        return [step for step, event in found if isinstance(event, kind)]

    # What is due at the very end is the business of whoever is told that the run has ended.
    assert steps(ValidationDue) == [2, 4]
    assert steps(SaveDue) == [3]
    assert steps(SampleDue) == [1, 2, 3, 4, 5]
    assert steps(StepsReported)[-1] == 6
    assert found[-1] == (6, Ended(0))
    assert sum(isinstance(event, Ended) for _, event in found) == 1


def test_a_signal_ends_the_run_after_the_step(dataset: Path, tmp_path: Path, small: Small) -> None:
    state, stop = TrainingState(), StopSignal()
    with loop_of(dataset, tmp_path / "run", small(steps=50, save_steps=2)) as loop:
        for event in loop.events(state, stop):
            if isinstance(event, SaveDue):
                stop.signal = 15
    assert event == Ended(15)
    assert state.step == 3


def long_call(seconds: float) -> None:
    """One call into C that lets other threads run, and looks at no signal until it returns."""
    begun = time.perf_counter()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000)
    rounds = int(100_000 * seconds / (time.perf_counter() - begun))
    hashlib.pbkdf2_hmac("sha256", b"", b"", rounds)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_heard_before_the_step_returns(number: signal.Signals) -> None:
    seen: list[int] = []
    stop = StopSignal(lambda: seen.append(stop.signal))
    timer = threading.Timer(0.3, signal.raise_signal, [number])
    with stop.listening():
        timer.start()
        long_call(2.0)
        assert seen == [0], "told, while Python had not yet come to its own handler"
        assert stop.signal == number
    timer.join()


def test_two_ctrl_c_within_one_step_leave_without_saving() -> None:
    """Python calls its handler once for both."""
    stop = StopSignal()
    timers = [threading.Timer(at, signal.raise_signal, [signal.SIGINT]) for at in (0.3, 0.6)]
    with stop.listening():
        for timer in timers:
            timer.start()
        with pytest.raises(KeyboardInterrupt):
            long_call(2.0)
    for timer in timers:
        timer.join()


def test_ctrl_c_and_sigterm_within_one_step_still_save() -> None:
    stop = StopSignal()
    timers = [
        threading.Timer(at, signal.raise_signal, [number])
        for at, number in ((0.3, signal.SIGINT), (0.6, signal.SIGTERM))
    ]
    with stop.listening():
        for timer in timers:
            timer.start()
        long_call(2.0)
    assert stop.signal in SIGNALS
    for timer in timers:
        timer.join()


def test_it_is_told_once_and_a_second_ctrl_c_leaves() -> None:
    told: list[None] = []
    stop = StopSignal(lambda: told.append(None))
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert told == [None]


def test_handlers_and_wakeup_are_as_before_afterwards() -> None:
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    first = signal.set_wakeup_fd(writer.fileno())
    before = [signal.getsignal(number) for number in SIGNALS]
    threads = threading.active_count()
    with StopSignal().listening():
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert signal.set_wakeup_fd(first) == writer.fileno()
    assert threading.active_count() == threads
    reader.close()
    writer.close()


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what makes a program wait for a GPU: values and tensors that come to the CPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0
        for name in ("cpu", "tolist", "numpy", "item"):
            monkeypatch.setattr(torch.Tensor, name, self._counting(getattr(torch.Tensor, name)))

    def _counting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(tensor: torch.Tensor, *arguments: Any, **options: Any) -> Any:
            self.count += 1
            return method(tensor, *arguments, **options)

        return counted

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "changes", [{}, {"optimizer": "adamw", "mixup": 0.3}, {"optimizer": "half"}]
)
def test_a_step_waits_as_often_in_many_parts_as_in_one(
    dataset: Path,
    tmp_path: Path,
    small: Small,
    changes: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    for accumulate in (1, 2, 8):
        settings = small(steps=2, batch=8, accumulate=accumulate, **changes)
        with loop_of(dataset, tmp_path / f"run-{accumulate}", settings) as loop:
            loop._step(TrainingState(), StepTotals())
            with monkeypatch.context() as patched, Waits(patched) as waits:
                loop._step(TrainingState(step=1), StepTotals())
        found.append(waits.count)
    assert found[0] == found[1] == found[2] > 0

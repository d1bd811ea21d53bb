"""The training loop: a generator of events between optimizer steps.

The consumer of `TrainingLoop.events` reports, validates, saves and samples when an event says so;
the loop itself knows neither files nor the command line. It synchronises with the device once per
step, whatever the number of gradient accumulation parts.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from types import FrameType
from typing import TypeAlias

import torch
from torch import Tensor

from musenet.model.likelihood import Batch
from tokenizer.errors import InputError

from .batches import AHEAD, Batches, WindowSource
from .checkpoints import TrainingState
from .distributed import Cost, Group
from .metrics import MetricsRow, StepTotals
from .mixup import draw_mixups
from .optimizers import Optimizers
from .reports import memory
from .settings import Settings
from .variants.moving_average import MovingAverage

REPORT_SECONDS = 5.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class NotFiniteError(InputError):
    """A loss or gradient that is infinite or no number."""


@dataclass(frozen=True)
class StepsReported:
    """The metrics of the steps since the last report."""

    row: MetricsRow


@dataclass(frozen=True)
class ValidationDue:
    """It is time to score held-out music."""


@dataclass(frozen=True)
class SaveDue:
    """It is time to write a checkpoint."""


@dataclass(frozen=True)
class SampleDue:
    """It is time to generate a piece."""


@dataclass(frozen=True)
class Ended:
    """The last event: the run's length is reached, or a signal (its number, else 0) ended it."""

    signal: int


Event: TypeAlias = StepsReported | ValidationDue | SaveDue | SampleDue | Ended


@dataclass(frozen=True)
class RunLength:
    """The length of a run: exactly one of optimizer steps and seconds is not None.

    Seconds count the training time of all sessions of the run, so stopping and resuming does not
    change the decay of the learning rate.
    """

    steps: int | None
    seconds: float | None

    def fraction_done(self, step: int, seconds: float) -> float:
        """The fraction of the run that is done, 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        return min(1.0, seconds / (self.seconds or 1.0))

    def seconds_left(self, step: int, seconds: float) -> float:
        """An estimate of the remaining time in seconds."""
        if self.seconds is not None:
            return round(max(0.0, self.seconds - seconds), 1)
        return round(((self.steps or 0) - step) * seconds / max(1, step), 1)


def rate_factor(fraction_done: float, step: int, *, warmup: int, decay: float) -> float:
    """The factor on the learning rates: linear warm-up, then linear decay to zero.

    Args:
        fraction_done: of the run.
        step: steps done; the factor of step 0 is `1 / warmup`.
        warmup: number of warm-up steps.
        decay: fraction of the run, at its end, in which the rate decays.
    """
    up = min(1.0, (step + 1) / warmup) if warmup else 1.0
    down = min(1.0, (1.0 - fraction_done) / decay) if decay else 1.0
    return min(up, down)


class StopSignal:
    """A request to stop, from Ctrl-C or the system.

    A step can last a minute, and Python's own handler runs only when PyTorch returns, once for all
    Ctrl-C until then. So a thread reads the bytes that the interpreter writes as signals come.

    Args:
        heard: called once, from another thread, as soon as a signal has come.

    Attributes:
        signal: the signal received, or 0.
    """

    def __init__(self, heard: Callable[[], None] | None = None) -> None:
        self.signal = 0
        self._heard = heard
        self._first = self._again = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Treat SIGINT and SIGTERM as a request to stop; a second SIGINT stops immediately."""
        with _told(self._came):
            old = {number: signal.signal(number, self._ask) for number in SIGNALS}
            try:
                yield
            finally:
                for number, handler in old.items():
                    signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and (self.signal or self._again):
            raise KeyboardInterrupt
        self.signal = number

    def _came(self, number: int) -> None:
        """Called from another thread, mostly before `_ask`."""
        self._again = self._again or (self._first and number == signal.SIGINT)
        if not self._first and self._heard is not None:
            self._heard()
        self._first = True


@contextmanager
def _told(call: Callable[[int], None]) -> Iterator[None]:
    """Call a function from another thread with the number of each of the signals that comes."""
    reader, writer = os.pipe()
    if sys.platform != "win32":  # which takes a pipe that blocks, as its pipes did before 3.12
        os.set_blocking(writer, False)

    def listen() -> None:
        while numbers := os.read(reader, 16):
            for number in (each for each in numbers if each in SIGNALS):
                call(number)

    thread = Thread(target=listen, daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)
        thread.join()
        os.close(reader)


@dataclass
class _Timer:
    """Decides when something periodic, in minutes or steps, is due."""

    seconds: float
    steps: int
    last: float = field(default_factory=time.monotonic)

    def is_due(self, step: int) -> bool:
        by_time = self.seconds > 0 and time.monotonic() - self.last >= self.seconds
        by_step = self.steps > 0 and step % self.steps == 0
        if by_time or by_step:
            self.last = time.monotonic()
        return by_time or by_step


@dataclass
class TrainingLoop:
    """Everything that training needs.

    Attributes:
        settings: of the run.
        group: the processes that run it.
        cost: the model with its objective.
        optimizers: of the model's parameters.
        batches: training batches from the current step on.
        final_windows: the source of batches in the final part of the run, if it differs.
        length: of the run.
        device: of the model.
        average: of the weights, updated after every step, or None.
    """

    settings: Settings
    group: Group
    cost: Cost
    optimizers: Optimizers
    batches: Batches
    final_windows: WindowSource | None
    length: RunLength
    device: torch.device
    average: MovingAverage | None = None

    def events(self, state: TrainingState, stop: StopSignal) -> Iterator[Event]:
        """Train until the run's length is reached or `stop` is set, updating `state`.

        Raises:
            NotFiniteError: if the loss or the gradient is not finite; the weights are then those
                before the step.
        """
        settings = self.settings
        reports = _Timer(REPORT_SECONDS, 0)
        duties: dict[Event, _Timer] = {
            ValidationDue(): _Timer(60 * settings.validate_minutes, settings.validate_steps),
            SaveDue(): _Timer(60 * settings.save_minutes, settings.save_steps),
            SampleDue(): _Timer(60 * settings.sample_minutes, 0),
        }
        totals, clock, stopped = StepTotals(), time.monotonic(), 0
        while not stopped and self._fraction_done(state) < 1.0:
            begin = time.perf_counter()
            self._step(state, totals)
            totals.seconds += time.perf_counter() - begin
            now = time.monotonic()
            due = [timer.is_due(state.step) for timer in (reports, *duties.values())]
            # The first process decides what depends on the clock or a signal.
            state.seconds, asked, report, *wanted = self.group.agreed(
                [state.seconds + now - clock, stop.signal, *due]
            )
            clock, stopped = now, int(asked)
            self._change_windows(state)
            done = self._fraction_done(state) >= 1.0
            if report or done:
                yield StepsReported(self._row(state, totals))
                totals = StepTotals()
            if not done:
                yield from (event for event, want in zip(duties, wanted, strict=True) if want)
        yield Ended(stopped)

    def backward(self, batch: Batch, notes: Tensor, step: int) -> Tensor:
        """Accumulate the gradients over the parts of a batch; returns the nats per field, `(F,)`.

        Args:
            batch: this process's share of the step's windows.
            notes: the number of notes in all processes, on the device.
            step: seeds the random choices.

        Processes average their gradients, hence the factor of their number. A mixed window counts
        the notes of its first piece, whatever it is mixed with: over many batches that is
        equivalent.
        """
        settings, group = self.settings, self.group
        factor = (self.optimizers.loss_scale * group.size / notes.clamp_min(1)).float()
        parts = batch.to(self.device).split(settings.accumulate)
        first = (step * group.size + group.rank) * settings.accumulate
        mixups = draw_mixups(
            len(parts[0].tokens),
            settings.mixup,
            settings.seed,
            range(first, first + len(parts)),
            self.device,
        )
        total = torch.zeros(batch.tokens.shape[-1], device=self.device)
        for number, (part, mixup) in enumerate(zip(parts, mixups, strict=True), 1):
            with self.cost.part(last=number == len(parts)):
                nats, weighted = self.cost(part.tokens, part.structure, part.counted, mixup)
                torch.autograd.backward(weighted.sum() * factor)
            total += nats.detach()
        return total

    def _step(self, state: TrainingState, totals: StepTotals) -> None:
        """One optimizer step."""
        waited = self.batches.waited
        batch = next(self.batches)
        totals.waited += self.batches.waited - waited
        factor = rate_factor(
            self._fraction_done(state),
            state.step,
            warmup=self.settings.warmup,
            decay=self.settings.decay,
        )
        self.optimizers.set_rate(factor)
        counts = torch.tensor([batch.notes, batch.rows], dtype=torch.float64, device=self.device)
        counts = self.group.total(counts)
        cost = self.group.total(self.backward(batch, counts[0], state.step).double())
        norm = self.optimizers.clip(self.settings.clip).double().reshape(1)
        # The only synchronisation with the device in a step.
        notes, rows, length, *nats = torch.cat((counts, norm, cost)).tolist()
        finite = math.isfinite(length) or self.optimizers.skips
        if not (finite and all(map(math.isfinite, nats))):
            self.optimizers.zero_grad()
            raise NotFiniteError(
                f"the loss is not finite at step {state.step + 1}; lower the learning rates"
            )
        self.optimizers.step()
        state.step += 1
        state.notes += int(notes)
        state.tokens += int(rows)
        totals.add(nats, int(notes), int(rows), length, self.settings.clip)
        if self.average is not None:
            self.average.update(state.step)

    def _fraction_done(self, state: TrainingState) -> float:
        return self.length.fraction_done(state.step, state.seconds)

    def _change_windows(self, state: TrainingState) -> None:
        """Switch to the final augmentation when the final part of the run begins."""
        is_final = self._fraction_done(state) >= 1 - self.settings.final_share
        if self.final_windows and state.final_from is None and is_final:
            state.final_from = state.step + AHEAD + 2
            self.batches.change(state.final_from, self.final_windows)

    def _row(self, state: TrainingState, totals: StepTotals) -> MetricsRow:
        """A row of training metrics."""
        return {
            "kind": "train",
            "step": state.step,
            "notes": state.notes,
            "seconds": round(state.seconds, 1),
            "fraction_done": round(self._fraction_done(state), 5),
            "seconds_left": self.length.seconds_left(state.step, state.seconds),
            **totals.row(),
            "learning_rate": self.optimizers.rates,
            "memory_mb": memory.used_mb(),
        }

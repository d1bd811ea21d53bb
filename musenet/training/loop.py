"""The training loop: a batch, a gradient, a step; and now and then a report.

Everything that the loop needs is built in `run` and handed over in `Parts`; it knows neither
files of settings nor the command line.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from musenet.model.likelihood import Batch
from tokenizer.errors import InputError

from .batches import AHEAD, Batches, Numbered
from .checkpoints import Progress
from .distributed import Cost, Group
from .metrics import Meter, Row, memory_mb
from .mixup import draw
from .optimizers import Optimizers
from .schedule import Length, rate
from .settings import Settings

REPORT_SECONDS = 5.0


@dataclass
class Parts:
    """What the loop works with.

    Attributes:
        settings: of the run.
        group: the processes that run it.
        cost: the model with its objective.
        optimizers: of the model's parameters.
        batches: training batches from the current step on.
        late_windows: where batches come from at the end of the run, if not from there.
        length: of the run.
        device: where the model is.
        report: called with each row of training metrics.
        validate: scores held-out music and reports it.
        save: writes a checkpoint.
        sample: writes a sampled piece.
        flops_per_token: floating-point operations of a training step, a token.
        peak: operations a second of the machine, for MFU.
    """

    settings: Settings
    group: Group
    cost: Cost
    optimizers: Optimizers
    batches: Batches
    late_windows: Numbered | None
    length: Length
    device: torch.device
    report: Callable[[Row], None]
    validate: Callable[[Progress], None]
    save: Callable[[Progress], None]
    sample: Callable[[Progress], None]
    flops_per_token: float
    peak: float


class Stop:
    """Whether the run was asked to end: by Ctrl-C or by the system.

    Attributes:
        signal: the signal that asked, or 0.
    """

    def __init__(self) -> None:
        self.signal = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as a wish to end; a second SIGINT ends at once."""
        old = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


@dataclass
class _Due:
    """When something that is done every so many minutes or steps is to be done next."""

    seconds: float
    steps: int
    last: float = field(default_factory=time.monotonic)

    def now(self, step: int) -> bool:
        by_time = self.seconds > 0 and time.monotonic() - self.last >= self.seconds
        by_step = self.steps > 0 and step % self.steps == 0
        if by_time or by_step:
            self.last = time.monotonic()
        return by_time or by_step


def fit(parts: Parts, progress: Progress, stop: Stop) -> None:
    """Train until the run's length is reached or `stop` is asked for; `progress` is kept true.

    Raises:
        InputError: if the loss or the gradient is no longer finite; the weights are then those
            before the step.
    """
    settings, group = parts.settings, parts.group
    due = [
        _Due(REPORT_SECONDS, 0),
        _Due(60 * settings.validate_minutes, settings.validate_steps),
        _Due(60 * settings.save_minutes, settings.save_steps),
        _Due(60 * settings.sample_minutes, 0),
    ]
    meter = Meter()
    clock = time.monotonic()
    stopped = False
    while not stopped and parts.length.progress(progress.step, progress.seconds) < 1.0:
        begin = time.perf_counter()
        _step(parts, progress, meter)
        meter.seconds += time.perf_counter() - begin
        now = time.monotonic()
        wishes = [d.now(progress.step) for d in due]
        seconds, asked, *wanted = group.agreed(
            [progress.seconds + now - clock, stop.signal, *wishes]
        )
        clock, progress.seconds, stopped = now, seconds, asked != 0
        _begin_end(parts, progress)
        done = parts.length.progress(progress.step, progress.seconds) >= 1.0
        if wanted[0] or done:
            parts.report(_row(parts, progress, meter))
            meter = Meter()
        for want, act in zip(wanted[1:], (parts.validate, parts.save, parts.sample), strict=True):
            if want and not done:
                act(progress)


def _begin_end(parts: Parts, progress: Progress) -> None:
    """Change the augmentation where the end of the run begins."""
    part = parts.length.progress(progress.step, progress.seconds)
    if parts.late_windows and progress.late_from < 0 and part >= 1 - parts.settings.late:
        progress.late_from = progress.step + AHEAD + 2
        parts.batches.change(progress.late_from, parts.late_windows)


def _step(parts: Parts, progress: Progress, meter: Meter) -> None:
    """One optimizer step."""
    settings = parts.settings
    batch = next(parts.batches)
    part = parts.length.progress(progress.step, progress.seconds)
    parts.optimizers.set_rate(
        rate(part, progress.step, warmup=settings.warmup, decay=settings.decay)
    )
    notes, tokens = (int(n) for n in parts.group.total([batch.notes, batch.rows]))
    own = backward(parts, batch, notes, progress.step)
    nats = torch.tensor(parts.group.total(own.double().tolist()), dtype=torch.float64)
    norm = parts.optimizers.clip(settings.clip)
    finite = math.isfinite(norm) or parts.optimizers.skips
    if not (finite and bool(torch.isfinite(nats).all())):
        parts.optimizers.zero_grad()
        raise InputError(
            f"the loss is no longer a finite number at step {progress.step + 1}; the last "
            "checkpoint is kept: resume with lower learning rates"
        )
    parts.optimizers.step()
    progress.step += 1
    progress.notes += notes
    progress.tokens += tokens
    meter.add(nats, notes, tokens)


def backward(parts: Parts, batch: Batch, notes: int, step: int) -> Tensor:
    """Add up the gradients of the loss over a batch's parts; gives the nats a field, `(F,)`.

    Args:
        parts: of the run.
        batch: this process's share of the step's windows.
        notes: those of all processes.
        step: for what is drawn at random.

    Processes take the mean of their gradients, hence the factor of their number. A mixed window
    counts for the notes of its own, whatever it is mixed with: over many batches that is the same.
    """
    settings, group = parts.settings, parts.group
    factor = parts.optimizers.loss_scale * group.size / max(1, notes)
    total = torch.zeros(batch.tokens.shape[-1])
    for number, part in enumerate(batch.split(settings.accumulate)):
        here = part.to(parts.device)
        mix = None
        if settings.mixup:
            place = (step * group.size + group.rank) * settings.accumulate + number
            mix = draw(len(here.tokens), settings.mixup, settings.seed, place)
        with parts.cost.part(last=number == settings.accumulate - 1):
            nats, weighted = parts.cost(here.tokens, here.structure, here.counted, mix)
            torch.autograd.backward(weighted.sum() * factor)
        total += nats.detach().cpu()
    return total


def _row(parts: Parts, progress: Progress, meter: Meter) -> dict[str, Any]:
    """A row of training metrics."""
    row = meter.row()
    size = parts.settings.batch * parts.settings.context
    rate_ = size * meter.steps * parts.flops_per_token / max(meter.seconds, 1e-9)
    done = parts.length.progress(progress.step, progress.seconds)
    return {
        "kind": "train",
        "step": progress.step,
        "notes": progress.notes,
        "seconds": round(progress.seconds, 1),
        "part": round(done, 5),
        "seconds_left": _left(parts.length, progress),
        **row,
        "mfu": round(rate_ / parts.peak, 4) if parts.peak else None,
        "memory_mb": memory_mb(),
    }


def _left(length: Length, progress: Progress) -> float:
    if length.seconds is not None:
        return round(max(0.0, length.seconds - progress.seconds), 1)
    steps = (length.steps or 0) - progress.step
    return round(steps * progress.seconds / max(1, progress.step), 1)


def is_better(bits: float, progress: Progress) -> bool:
    """Whether a validation beats the best so far."""
    return math.isfinite(bits) and bits < progress.best

"""A session of a training run, from start to stop.

    RUN/settings.json    the dataset and the resolved settings
        initial.json     the initial weights, if any
        config.json      the model's whole configuration
        checkpoints/     for resuming (`checkpoints`)
        metrics.jsonl    every report (`metrics`)
        curve.png        the same as a picture
        samples/         music generated during training, if requested
        best/  last/     models for `generate.py --weights`

`start` creates sessions.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from data_prep.dataset.windows import Dataset
from musenet.export import piano_roll
from musenet.generation.session import Continuation
from musenet.model.adapter import AdapterRecord, save_adapter
from musenet.model.checkpoint import Checkpoint, save_checkpoint
from musenet.model.transformer import Transformer
from musenet.options.generate_options import GenerateOptions
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError
from tokenizer.files import write_bytes
from tokenizer.malloc import keep_freed_memory
from tokenizer.records import from_json

from .batches import Batches, training_windows
from .checkpoints import (
    GENERATOR,
    Snapshot,
    TrainingState,
    generator_state,
    prune_snapshots,
    what_is_kept,
    write_snapshot,
)
from .distributed import Cost, Group, share_of, weights
from .loop import (
    Ended,
    Event,
    NotFiniteError,
    RunLength,
    SampleDue,
    SaveDue,
    StepsReported,
    StopSignal,
    TrainingLoop,
    ValidationDue,
)
from .metrics import Journal, MetricsRow
from .optimizers import Optimizers
from .reports import memory
from .reports.trackers import trackers_of
from .settings import Settings
from .validation import Validation, validation_row
from .variants import low_rank
from .variants.moving_average import MovingAverage
from .warm_start import InitialWeights

SAMPLE_BARS = 8

Show = Callable[[MetricsRow], None]


def _silent(_row: MetricsRow) -> None:
    pass


@dataclass
class Session:
    """A run under way.

    Attributes:
        folder: of the run.
        dataset: the dataset folder.
        settings: of the run.
        group: the processes of the run; only the first writes.
        model: on its device, sharded if the settings say so.
        cost: the model with its objective.
        tokenizer: of the dataset.
        optimizers: of the model's parameters.
        state: the progress of the run.
        held_out: the windows that validations score.
        average: of the weights, which then stands for them wherever they are used.
        encoding: the learned encoding that the model writes, if it does not write rows.
    """

    folder: Path
    dataset: Path
    settings: Settings
    group: Group
    model: Transformer
    cost: Cost
    tokenizer: Tokenizer
    optimizers: Optimizers
    state: TrainingState
    held_out: Validation
    average: MovingAverage | None = None
    encoding: LearnedTokenizer | None = None

    def __post_init__(self) -> None:
        """Open the training windows, which may be refused, then the journal."""
        self._show: Show = _silent
        self._trained_from, self._warned = 0.0, set[str]()
        settings = self.settings
        self._windows = training_windows(self.dataset, settings, transpose=settings.transpose)
        self._final_windows = self._windows_of_final_part()
        self._journal: Journal | None = None
        if self.group.is_first:
            step = self.state.step
            trackers = trackers_of(self.folder, step, settings, asdict(settings))
            self._journal = Journal(self.folder, step, trackers)

    @property
    def length(self) -> RunLength:
        """The length of the run."""
        minutes = self.settings.minutes
        return RunLength(self.settings.steps, None if minutes is None else 60 * minutes)

    @property
    def is_over(self) -> bool:
        """Whether the run has reached its length."""
        return self.length.fraction_done(self.state.step, self.state.seconds) >= 1.0

    def train(self, show: Show = _silent, stopping: Callable[[], None] | None = None) -> int:
        """Train to the end or until stopped; returns the signal that stopped it, or 0.

        Args:
            show: called with every row of metrics, in the first process.
            stopping: called there from another thread as soon as Ctrl-C or SIGTERM has come.

        A finished run is not changed.

        Raises:
            InputError: if the loss is not finite, or a file cannot be written.
        """
        if self.is_over:
            return 0
        keep_freed_memory()
        self._trained_from, self._warned = time.perf_counter(), set[str]()
        self._show = show
        stop, loop = StopSignal(stopping if self.group.is_first else None), self._loop()
        self.model.train()
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.closing(loop.batches))
            if self._journal is not None:
                stack.enter_context(contextlib.closing(self._journal))
            stack.enter_context(stop.listening())
            try:
                for event in loop.events(self.state, stop):
                    self._handle(event)
            except NotFiniteError as error:
                raise InputError(f"{error}; {what_is_kept(self.folder)}") from error
            except (MemoryError, RuntimeError) as error:
                if not memory.is_exhausted(error):
                    raise
                raise InputError(f"{memory.ADVICE}; {what_is_kept(self.folder)}") from error
        return stop.signal

    def _handle(self, event: Event) -> None:
        match event:
            case StepsReported(row):
                self._report(row)
                self._warn_of_warmup(row["fraction_done"])
            case ValidationDue():
                self.validate()
            case SaveDue():
                self.save()
            case SampleDue():
                self._sample()
            case Ended(signal):
                self._finish(completed=signal == 0)

    def validate(self) -> None:
        """Score the held-out windows; save the model as `best` if none was better.

        Without a validation split there is no best model.
        """
        if not self.held_out.windows:
            return
        begun, state = time.perf_counter(), self.state
        with self._averaged(), self.cost.gathered():
            held_out = self.held_out
            figures = validation_row(held_out.scores(self.model), held_out.task_bits(self.model))
        bits = figures["bits_per_note"]
        is_best = math.isfinite(bits) and (state.best is None or bits < state.best)
        if is_best:
            state.best, state.best_step = bits, state.step
        self._report(
            {
                "kind": "validation",
                "step": state.step,
                "notes": state.notes,
                "seconds": round(state.seconds, 1),
                **figures,
                "is_best": is_best,
                "took": round(time.perf_counter() - begun, 1),
            }
        )
        self._warn_of_validation(time.perf_counter() - begun, begun - self._trained_from)
        if is_best:
            self.save()
            self.write_model("best")
        self._trained_from = time.perf_counter()
        if self._journal is not None:
            self._journal.draw()

    def save(self) -> None:
        """Write a checkpoint, and delete old ones."""
        average = {} if self.average is None else self.average.tensors()
        optimizer = {**self.optimizers.tensors(), **average, GENERATOR: generator_state()}
        snapshot = Snapshot(weights(self.model), optimizer, self.state)
        if self.group.is_first:
            write_snapshot(self.folder, snapshot)
            prune_snapshots(self.folder, self.settings.keep, self.state.best_step)
        self.group.wait()

    def write_model(self, name: str) -> None:
        """Write the current model to `RUN/best` or `RUN/last`."""
        model = self._whole_model()
        if model is not None:
            facts = training_facts(self.settings, self.dataset, self.state, self.group.size)
            file = self.folder / "initial.json"
            if file.exists():
                facts["initial"] = asdict(from_json(InitialWeights, file.read_bytes(), str(file)))
            save_checkpoint(self.folder / name, model, self.encoding or self.tokenizer, facts)
            if self.settings.lora:
                self._write_adapter(name, facts)
        self.group.wait()

    def _write_adapter(self, name: str, facts: dict[str, Any]) -> None:
        """Write the changes alone to `RUN/best-adapter` or `RUN/last-adapter`."""
        initial = facts["initial"]
        record = AdapterRecord(initial["name"], initial["hash"], self.settings.lora)
        with self._averaged():
            data = low_rank.parts_bytes(self.model.state_dict())
        save_adapter(self.folder / f"{name}-adapter", data, record, facts)

    def _report(self, row: MetricsRow) -> None:
        """Write a row to the journal, and show it."""
        if self._journal is not None:
            self._journal.write(row)
            self._show(row)

    def _warn(self, about: str, text: str) -> None:
        """Say something once a session."""
        if about not in self._warned:
            self._warned.add(about)
            self._report({"kind": "warning", "step": self.state.step, "text": text})

    def _warn_of_warmup(self, fraction_done: float) -> None:
        """Warn of a run that is about to end before its learning rates have gone up."""
        warmup, expected = self.settings.warmup, self.state.step / max(fraction_done, 1e-9)
        if self.state.step < warmup and expected <= warmup:
            self._warn(
                "warmup",
                f"the run will end after about {expected:,.0f} steps, within its warm-up of "
                f"{warmup:,}; give it more time, or a smaller warmup",
            )

    def _warn_of_validation(self, took: float, trained: float) -> None:
        if took > trained:
            self._warn(
                "validation",
                f"a validation took {took:.1f} s after {trained:.1f} s of training; raise "
                "validate_minutes or validate_steps, or lower validate_windows",
            )

    def _finish(self, *, completed: bool) -> None:
        """Save the model; a stopped run is not validated, so that it ends soon."""
        if completed:
            self.validate()
        self.save()
        self.write_model("last")
        if self._journal is not None:
            self._journal.draw()

    def _loop(self) -> TrainingLoop:
        settings, device = self.settings, self.optimizers.device
        return TrainingLoop(
            settings=settings,
            group=self.group,
            cost=self.cost,
            optimizers=self.optimizers,
            batches=self._batches(),
            final_windows=self._final_windows,
            length=self.length,
            device=device,
            average=self.average,
        )

    def _batches(self) -> Batches:
        final_windows, final_from = self._final_windows, self.state.final_from
        return Batches(
            self._windows,
            share_of(self.settings, self.group),
            first_step=self.state.step,
            share=(self.group.rank, self.group.size),
            final=None
            if final_windows is None or final_from is None
            else (final_from, final_windows),
        )

    def _windows_of_final_part(self) -> Dataset | None:
        """The windows of the final part, if they differ; with steps its start is known."""
        settings = self.settings
        if settings.final_transpose is None:
            return None
        if settings.steps is not None:
            self.state.final_from = math.ceil((1 - settings.final_share) * settings.steps)
        return training_windows(self.dataset, settings, transpose=settings.final_transpose)

    def _whole_model(self) -> Transformer | None:
        """A full copy on the CPU in the first process; all processes must call this."""
        with self._averaged():
            state = {name: tensor.clone() for name, tensor in weights(self.model).items()}
        if not self.group.is_first:
            return None
        model = Transformer(self.model.config)
        model.load_state_dict(low_rank.merged(state))
        return model.eval()

    def _averaged(self) -> contextlib.AbstractContextManager[None]:
        """A context in which the model has the weights that are used."""
        return contextlib.nullcontext() if self.average is None else self.average.in_place()

    def _sample(self) -> None:
        """Write a short generated piece as MIDI, with its piano roll."""
        model = self._whole_model()
        if model is not None:
            file = self.folder / "samples" / f"{self.state.step:08d}.mid"
            write_sample(model, self.tokenizer, file, seed=self.state.step, encoding=self.encoding)
        self.group.wait()


def write_sample(
    model: Transformer,
    tokenizer: Tokenizer,
    file: Path,
    *,
    seed: int,
    encoding: LearnedTokenizer | None = None,
) -> None:
    """Generate `SAMPLE_BARS` bars without a prompt: a MIDI file, and its piano roll as PNG."""
    loaded = Checkpoint(
        source=model,
        tokenizer=tokenizer,
        config=model.config,
        training={},
        hash="",
        folder=file.parent,
        encoding=encoding,
    )
    continuation = Continuation(loaded, None, GenerateOptions(bars=SAMPLE_BARS, seed=seed))
    for _ in continuation.steps():
        pass
    (result,) = continuation.results()
    write_bytes(file, result.data)
    bar_lines = continuation.bars.lines(0, max(result.score.end, result.end))
    piano_roll.save(result.score, bar_lines, file.with_suffix(".png"), title=continuation.title)


def training_facts(
    settings: Settings, dataset: Path, state: TrainingState, processes: int
) -> dict[str, Any]:
    """The training record for `training.json`."""
    return {
        "dataset": dataset.name,
        # Local paths mean nothing to users of the model.
        "settings": {**asdict(settings), "initial": Path(settings.initial).name},
        "steps": state.step,
        "notes": state.notes,
        "tokens": state.tokens,
        "hours": round(state.seconds / 3600, 4),
        "sessions": state.sessions,
        "processes": processes,
        "validation_bits_per_note": state.best,
        "validation_step": state.best_step,
        "torch": torch.__version__,
    }

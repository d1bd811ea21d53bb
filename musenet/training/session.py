"""A session of a training run: its folder and all that it holds in memory, from start to stop.

    RUN/settings.json    the dataset and the resolved settings
        initial.json     the weights that it began with, if it did
        config.json      the model's whole configuration
        checkpoints/     to go on from (`snapshots`)
        metrics.jsonl    every report
        curve.png        the same as a picture
        samples/         music made on the way, where it is asked for
        best/  last/     models to use: what `generate.py --weights` takes

How a session begins is `run`'s business.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data_prep.dataset.windows import Dataset
from musenet.model.checkpoint import save_checkpoint
from musenet.model.precision import matmul_dtype
from musenet.model.transformer import Transformer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.malloc import keep_freed_memory

from . import checkpoints, curves, metrics, validation
from .batches import Batches, training_windows
from .checkpoints import Progress, Snapshot
from .distributed import Cost, Group, share_of, weights
from .journal import Journal
from .loop import Parts, Stop, fit, is_better
from .metrics import Row
from .optimizers import Optimizers
from .schedule import Length
from .settings import Settings, to_table


@dataclass
class Session:
    """A run under way.

    Attributes:
        folder: of the run.
        dataset: the dataset folder.
        settings: of the run.
        group: the processes that share the work; only the first writes.
        model: on its device, divided among the processes where they share weights.
        cost: the model with its objective.
        tokenizer: of the dataset.
        optimizers: of the model's parameters.
        progress: how far the run is.
        held_out: what validations score.
    """

    folder: Path
    dataset: Path
    settings: Settings
    group: Group
    model: Transformer
    cost: Cost
    tokenizer: Tokenizer
    optimizers: Optimizers
    progress: Progress
    held_out: validation.Validation

    def __post_init__(self) -> None:
        """Open the journal."""
        self._journal = Journal(self.folder, self.progress.step, self.settings, self.group)

    def report(self, row: Row) -> None:
        """Write a row of training metrics to the journal and the terminal."""
        self._journal.write(row)
        if self.group.is_first:
            line = metrics.progress_line(row, part=row["part"], seconds_left=row["seconds_left"])
            end = "\r" if sys.stderr.isatty() else "\n"
            print(line, end=end, file=sys.stderr, flush=True)

    def validate(self, progress: Progress) -> None:
        """Score the held-out windows; keep the model as `best` where none was better.

        A dataset without a validation split is trained on all the same; there is then no best.
        """
        if not self.held_out.windows:
            return
        start = time.perf_counter()
        with self.cost.gathered():
            row = validation.row(self.held_out.scores(self.model))
        where = {"step": progress.step, "notes": progress.notes}
        self._journal.write(
            {"kind": "validation", **where, "seconds": round(progress.seconds, 1), **row}
        )
        better = is_better(row["bits_per_note"], progress)
        if better:
            progress.best, progress.best_step = row["bits_per_note"], progress.step
            self.save(progress)
            self.write_model("best")
        self._draw()
        if self.group.is_first:
            took = time.perf_counter() - start
            mark = ", the best so far" if better else ""
            print(
                f"\nvalidation at step {progress.step}: {row['bits_per_note']:.4f} bits/note{mark}"
                f" ({took:.0f} s)",
                file=sys.stderr,
                flush=True,
            )

    def save(self, progress: Progress) -> None:
        """Write a checkpoint, and delete those that are no longer kept."""
        state = {**self.optimizers.tensors(), checkpoints.GENERATOR: checkpoints.generator_state()}
        snapshot = Snapshot(weights(self.model), state, progress)
        if self.group.is_first:
            checkpoints.save(self.folder, snapshot)
            checkpoints.prune(self.folder, self.settings.keep, progress.best_step)
        self.group.wait()

    def write_model(self, name: str) -> None:
        """Write the model as it is to `RUN/best` or `RUN/last`, ready to be used."""
        facts = training_facts(self.settings, self.dataset, self.progress, self.group.size)
        with contextlib.suppress(FileNotFoundError):
            facts["initial"] = json.loads((self.folder / "initial.json").read_bytes())
        state = weights(self.model)
        if self.group.is_first:
            plain = Transformer(self.model.config)
            plain.load_state_dict(state)
            save_checkpoint(self.folder / name, plain, self.tokenizer, facts)
        self.group.wait()

    @property
    def length(self) -> Length:
        """How long the run is."""
        minutes = self.settings.minutes
        return Length(self.settings.steps, None if minutes is None else 60 * minutes)

    def train(self) -> int:
        """Train to the end or until asked to stop; gives the signal that stopped it, or 0.

        A run that has come to its end stays as it is.
        """
        if self.length.progress(self.progress.step, self.progress.seconds) >= 1.0:
            print(f"{self.folder} has come to its end; give it more steps or minutes to go on")
            return 0
        keep_freed_memory()
        stop, batches = Stop(), self._batches()
        self.model.train()
        begun = time.perf_counter()
        with contextlib.closing(batches), contextlib.closing(self._journal), stop.listening():
            fit(self._parts(batches), self.progress, stop)
            if not stop.signal:
                self.validate(self.progress)
            self.save(self.progress)
            self.write_model("last")
        self._draw()
        waited = batches.waited / max(1e-9, time.perf_counter() - begun)
        if self.group.is_first:
            print(f"\nwaiting for data took {100 * waited:.1f} % of the time", file=sys.stderr)
        return stop.signal

    def _draw(self) -> None:
        if self.group.is_first:
            curves.draw(metrics.read(self.folder / "metrics.jsonl"), self.folder / "curve.png")

    def _batches(self) -> Batches:
        settings, progress = self.settings, self.progress
        self._late = self._late_windows()
        return Batches(
            training_windows(self.dataset, settings, transpose=settings.transpose),
            share_of(settings, self.group),
            first_step=progress.step,
            share=(self.group.rank, self.group.size),
            late=(progress.late_from, self._late)
            if self._late and progress.late_from >= 0
            else None,
        )

    def _late_windows(self) -> Dataset | None:
        """The windows of the run's end, where they differ; with steps it is known when it is."""
        settings = self.settings
        if settings.late_transpose is None:
            return None
        if settings.steps is not None:
            self.progress.late_from = math.ceil((1 - settings.late) * settings.steps)
        return training_windows(self.dataset, settings, transpose=settings.late_transpose)

    def _parts(self, batches: Batches) -> Parts:
        settings, device = self.settings, self.optimizers.device
        inside = sum(p.numel() for p in self.model.hidden_matrices())
        return Parts(
            settings=settings,
            group=self.group,
            cost=self.cost,
            optimizers=self.optimizers,
            batches=batches,
            late_windows=self._late,
            length=self.length,
            device=device,
            report=self.report,
            validate=self.validate,
            save=self.save,
            sample=self._sample,
            flops_per_token=6.0 * inside,
            peak=metrics.matmul_rate(matmul_dtype(settings.precision), device) * self.group.size,
        )

    def _sample(self, progress: Progress) -> None:
        """Write a short piece of the model's as MIDI, with its piano roll."""
        from .samples import sample

        state = weights(self.model)
        if self.group.is_first:
            plain = Transformer(self.model.config)
            plain.load_state_dict(state)
            sample(plain, self.tokenizer, self.folder / "samples", progress.step)
        self.group.wait()


def training_facts(
    settings: Settings, dataset: Path, progress: Progress, processes: int
) -> dict[str, Any]:
    """What a model's `training.json` says of how it was made."""
    return {
        "dataset": dataset.name,
        # A folder's place means nothing to those who get the model.
        "settings": {**to_table(settings), "initial": Path(settings.initial).name},
        "steps": progress.step,
        "notes": progress.notes,
        "tokens": progress.tokens,
        "hours": round(progress.seconds / 3600, 4),
        "sessions": progress.sessions,
        "processes": processes,
        "validation_bits_per_note": None if progress.best_step < 0 else progress.best,
        "validation_step": progress.best_step,
        "torch": torch.__version__,
    }

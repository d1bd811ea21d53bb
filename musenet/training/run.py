"""A training run: its folder, how it begins, how it goes on after a stop, and how it ends.

RUN/settings.json    the dataset and the resolved settings
    config.json      the model's whole configuration
    checkpoints/     to go on from (`snapshots`)
    metrics.jsonl    every report
    curve.png        the same as a picture
    best/  last/     models to use: what `generate.py --weights` takes
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data_prep.windows import Dataset
from musenet import checkpoint
from musenet.config import ModelConfig, preset
from musenet.evaluation.pieces import dataset_pieces, dataset_tokenizer
from musenet.transformer import Transformer
from tokenizer.errors import InputError, unknown
from tokenizer.files import write_text
from tokenizer.structure import STRUCTURE_SIZES
from tokenizer.tokenizer import Tokenizer

from . import curves, metrics, optimizers, snapshots, validation
from .batches import Batches, training_windows
from .half import store_in_half
from .loop import Parts, Stop, fit, is_better
from .metrics import Journal, Row
from .objective import NoteCost
from .precision import device_of, matmul_dtype
from .schedule import Length
from .settings import Settings, checked, resolve, to_table
from .snapshots import Progress, Snapshot


@dataclass
class Run:
    """A run that is under way: its folder and all that it holds in memory."""

    folder: Path
    dataset: Path
    settings: Settings
    model: Transformer
    tokenizer: Tokenizer
    optimizers: optimizers.Optimizers
    progress: Progress
    journal: Journal
    held_out: validation.Validation
    device: torch.device

    def report(self, row: Row) -> None:
        """Write a row of training metrics to the journal and the terminal."""
        self.journal.write(row)
        line = metrics.progress_line(row, part=row["part"], seconds_left=row["seconds_left"])
        end = "\r" if sys.stderr.isatty() else "\n"
        print(line, end=end, file=sys.stderr, flush=True)

    def validate(self, progress: Progress) -> None:
        """Score the held-out windows; keep the model as `best` where none was better."""
        start = time.perf_counter()
        scores = self.held_out.scores(self.model)
        row = validation.row(scores)
        self.journal.write(
            {
                "kind": "validation",
                "step": progress.step,
                "notes": progress.notes,
                "seconds": round(progress.seconds, 1),
                **row,
            }
        )
        better = is_better(row["bits_per_note"], progress)
        if better:
            progress.best, progress.best_step = row["bits_per_note"], progress.step
            self.save(progress)
            self.write_model("best")
        curves.draw(metrics.read(self.folder / "metrics.jsonl"), self.folder / "curve.png")
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
        state = {**self.optimizers.tensors(), snapshots.GENERATOR: snapshots.generator_state()}
        snapshots.save(self.folder, Snapshot(self.model.state_dict(), state, progress))
        snapshots.prune(self.folder, self.settings.keep, progress.best_step)

    def write_model(self, name: str) -> None:
        """Write the model as it is to `RUN/best` or `RUN/last`, ready to be used."""
        facts = training_facts(self.settings, self.dataset, self.progress)
        with torch.no_grad():
            checkpoint.save(self.folder / name, self.model, self.tokenizer, facts)


def training_facts(settings: Settings, dataset: Path, progress: Progress) -> dict[str, Any]:
    """What a model's `training.json` says of how it was made."""
    return {
        "dataset": dataset.name,
        "settings": to_table(settings),
        "steps": progress.step,
        "notes": progress.notes,
        "tokens": progress.tokens,
        "hours": round(progress.seconds / 3600, 4),
        "sessions": progress.sessions,
        "validation_bits_per_note": None if progress.best_step < 0 else progress.best,
        "validation_step": progress.best_step,
        "torch": torch.__version__,
    }


def start(dataset: Path, folder: Path, settings: Settings) -> Run:
    """A new run in an empty folder.

    Raises:
        InputError: if the folder already holds a run, or the dataset or a setting is no good.
    """
    settings.check_length()
    if snapshots.steps(folder) or (folder / "settings.json").exists():
        raise InputError(
            f"{folder} already holds a run; go on with --resume, or choose another folder"
        )
    tokenizer = dataset_tokenizer(dataset)
    torch.manual_seed(settings.seed)
    device = device_of(settings.device)
    config = model_config(settings, tokenizer)
    model = _build(config, settings).to(device)
    run = _assemble(dataset, folder, settings, model, tokenizer, Progress())
    table = {"dataset": str(dataset.resolve()), **to_table(settings)}
    write_text(folder / "settings.json", json.dumps(table, indent=1) + "\n")
    write_text(folder / "config.json", config.to_json())
    return run


def resume(folder: Path, dataset: Path | None, overrides: dict[str, Any]) -> Run:
    """A run that goes on from its last whole checkpoint.

    Args:
        folder: of the run.
        dataset: where the dataset is now, if it was moved.
        overrides: settings to change; the model's shape stays.

    Raises:
        InputError: if there is no run, or its last checkpoint is damaged.
    """
    table = _read_table(folder / "settings.json")
    data = dataset or Path(table.pop("dataset", ""))
    table.pop("dataset", None)
    settings = resolve(checked(table, str(folder / "settings.json")), overrides)
    if settings.model != table["model"] or settings.preset != table["preset"]:
        raise InputError("a run cannot change its model; start a new run, or leave out the change")
    found = snapshots.steps(folder)
    if not found:
        return _restart(folder, data, settings)
    snapshot = snapshots.load(folder, found[-1])
    tokenizer = dataset_tokenizer(data)
    config = ModelConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
    torch.manual_seed(settings.seed)
    model = _build(config, settings).to(device_of(settings.device))
    model.load_state_dict(dict(snapshot.weights))
    run = _assemble(data, folder, settings, model, tokenizer, snapshot.progress)
    state = dict(snapshot.optimizer)
    torch.set_rng_state(state.pop(snapshots.GENERATOR))
    run.optimizers.load(state)
    return run


def _restart(folder: Path, dataset: Path, settings: Settings) -> Run:
    """A run that was stopped before its first checkpoint begins again."""
    (folder / "settings.json").unlink()
    return start(dataset, folder, settings)


def _read_table(file: Path) -> dict[str, Any]:
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no run in {file.parent} to resume") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({error})") from error
    if not isinstance(table, dict):
        raise InputError(f"{file} holds no settings")
    return table


def model_config(settings: Settings, tokenizer: Tokenizer) -> ModelConfig:
    """The preset for the tokenizer's vocabulary, with the settings' changes.

    The model's context is that of the windows it is trained on, so that nobody reads further
    than it has learned to; a longer one must be asked for.

    Raises:
        InputError: for an unknown entry, or a context that the model has not.
    """
    config = preset(settings.preset, tokenizer.vocabulary.sizes, STRUCTURE_SIZES)
    known = [f.name for f in dataclasses.fields(ModelConfig)]
    for name in settings.model:
        if name not in known:
            raise unknown("model setting", name, known)
    changed = dataclasses.replace(config, **{"context": settings.context, **settings.model})
    if settings.context > changed.context:
        raise InputError(
            f"context {settings.context} is longer than the model's {changed.context}; "
            "give a shorter one, or model.context=… as well"
        )
    return changed


def _build(config: ModelConfig, settings: Settings) -> Transformer:
    model = Transformer(config, matmul_dtype(settings.precision))
    model.recompute = settings.recompute
    if settings.optimizer == "half":
        store_in_half(model)
    return model


def _assemble(
    dataset: Path,
    folder: Path,
    settings: Settings,
    model: Transformer,
    tokenizer: Tokenizer,
    progress: Progress,
) -> Run:
    if settings.threads:
        torch.set_num_threads(settings.threads)
    pieces = dataset_pieces(dataset, "validation")
    held_out = validation.draw(
        pieces, tokenizer, context=settings.context, windows=settings.validate_windows
    )
    progress.sessions += 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        journal = Journal(folder / "metrics.jsonl", step=progress.step)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from error
    return Run(
        folder=folder,
        dataset=dataset,
        settings=settings,
        model=model,
        tokenizer=tokenizer,
        optimizers=optimizers.create(model, settings),
        progress=progress,
        journal=journal,
        held_out=held_out,
        device=next(model.parameters()).device,
    )


def _late_windows(run: Run) -> Dataset | None:
    """The windows of the run's end, where they differ; with steps it is known when it begins."""
    settings = run.settings
    if settings.late_transpose is None:
        return None
    if settings.steps is not None:
        run.progress.late_from = math.ceil((1 - settings.late) * settings.steps)
    return training_windows(run.dataset, settings, transpose=settings.late_transpose)


def train(run: Run) -> int:
    """Train until the end or until asked to stop; gives the signal that stopped it, or 0."""
    settings, stop = run.settings, Stop()
    windows = training_windows(run.dataset, settings, transpose=settings.transpose)
    late = _late_windows(run)
    batches = Batches(
        windows,
        settings.batch,
        first_step=run.progress.step,
        late=(run.progress.late_from, late) if late and run.progress.late_from >= 0 else None,
    )
    seconds = None if settings.minutes is None else 60 * settings.minutes
    cost = NoteCost(run.model)
    if settings.compile:
        cost.compile()
    parts = Parts(
        settings=settings,
        cost=cost,
        optimizers=run.optimizers,
        batches=batches,
        late_windows=late,
        length=Length(settings.steps, seconds),
        device=run.device,
        report=run.report,
        validate=run.validate,
        save=run.save,
        sample=lambda _progress: None,
        flops_per_token=6.0 * sum(p.numel() for p in run.model.hidden_matrices()),
        peak=metrics.matmul_rate(matmul_dtype(settings.precision), run.device),
    )
    run.model.train()
    begun = time.perf_counter()
    with contextlib.closing(batches), contextlib.closing(run.journal), stop.listening():
        fit(parts, run.progress, stop)
        if not stop.signal:
            run.validate(run.progress)
        run.save(run.progress)
        run.write_model("last")
    curves.draw(metrics.read(run.folder / "metrics.jsonl"), run.folder / "curve.png")
    waited = batches.waited / max(1e-9, time.perf_counter() - begun)
    print(f"\nwaiting for data took {100 * waited:.1f} % of the time", file=sys.stderr)
    return stop.signal

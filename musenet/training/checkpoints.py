"""Training checkpoints: everything needed to resume a run without any difference.

    RUN/checkpoints/00001200/model.safetensors      weights in fp32
                             optimizer.safetensors  every optimizer's state, and the generator's
                             state.json             step, notes, seconds, the best so far

A checkpoint is written under a temporary name and renamed when it is complete, so a run that is
killed at any moment leaves only complete ones. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tokenizer.errors import InputError
from tokenizer.files import replacing_folder
from tokenizer.records import from_json, to_json

GENERATOR = "generator"
"""The optimizer file's entry for the state of torch's random generator."""


@dataclass
class TrainingState:
    """The progress of a run.

    Attributes:
        step: optimizer steps done.
        notes: notes seen.
        tokens: tokens seen, without padding.
        seconds: wall-clock seconds in the training loop, over all sessions.
        best: lowest validation bits per note so far; None before the first validation.
        best_step: its step.
        sessions: how often the run was started.
        final_from: the first step of the run's final part, in which augmentation changes; None
            if not yet known.
    """

    step: int = 0
    notes: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int | None = None
    sessions: int = 0
    final_from: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """A training checkpoint in memory."""

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    state: TrainingState


def snapshots_folder(run: Path) -> Path:
    """Where a run's checkpoints are."""
    return run / "checkpoints"


def snapshot_steps(run: Path) -> list[int]:
    """The steps of a run's complete checkpoints, ascending."""
    folder = snapshots_folder(run)
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit())


def snapshot_path(run: Path, step: int) -> Path:
    """The folder of a step's checkpoint."""
    return snapshots_folder(run) / f"{step:08d}"


def write_snapshot(run: Path, snapshot: Snapshot) -> Path:
    """Write a checkpoint atomically.

    Raises:
        InputError: if the disk is full or not writable; earlier checkpoints stay.
    """
    target = snapshot_path(run, snapshot.state.step)
    try:
        with replacing_folder(target) as fresh:
            _save(snapshot.weights, fresh / "model.safetensors")
            _save(snapshot.optimizer, fresh / "optimizer.safetensors")
            (fresh / "state.json").write_text(to_json(snapshot.state, indent=1), encoding="utf-8")
            for file in fresh.iterdir():
                _sync(file)
        _sync(target.parent)
    except InputError as error:
        raise InputError(f"{error}; {what_is_kept(run)}") from error
    return target


def what_is_kept(run: Path) -> str:
    """What a run that had to stop can continue from, as part of a sentence."""
    kept = snapshot_steps(run)
    if kept:
        return f"the last good checkpoint is step {kept[-1]}, continue with --resume"
    return "there is no earlier checkpoint, so --resume begins anew"


def _save(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Write tensors; what the system refuses is the OSError that Python would raise."""
    try:
        save_file(_contiguous(tensors), file)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def _sync(file: Path) -> None:
    """Flush a file to disk, where the system supports it."""
    with contextlib.suppress(PermissionError):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_snapshot(run: Path, step: int) -> Snapshot:
    """Read a checkpoint.

    Raises:
        InputError: if it is damaged.
    """
    folder = snapshot_path(run, step)
    try:
        state = (folder / "state.json").read_bytes()
        return Snapshot(
            load_file(folder / "model.safetensors"),
            load_file(folder / "optimizer.safetensors"),
            from_json(TrainingState, state, str(folder / "state.json")),
        )
    except (OSError, SafetensorError, InputError) as error:
        raise InputError(
            f"the checkpoint {folder} is damaged ({error}); delete that folder and resume "
            "from the one before"
        ) from error


def prune_snapshots(run: Path, keep: int, best_step: int | None) -> None:
    """Delete all checkpoints except the last `keep` and the best, and leftovers of broken saves."""
    for step in snapshot_steps(run)[:-keep]:
        if step != best_step:
            shutil.rmtree(snapshot_path(run, step))
    for leftover in snapshots_folder(run).glob(".*-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def generator_state() -> Tensor:
    """The state of torch's random generator on the CPU."""
    return torch.get_rng_state()


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

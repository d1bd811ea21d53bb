"""The checkpoints of a run: all that is needed to go on as if nothing had happened.

    RUN/checkpoints/00001200/model.safetensors      weights in fp32
                             optimizer.safetensors  every optimizer's state, and the generator's
                             state.json             step, notes, seconds, the best so far

A checkpoint is written beside its final name and renamed when it is whole, so that a run that
is killed at any moment leaves only whole ones. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tokenizer.errors import InputError

GENERATOR = "generator"
"""The optimizer file's entry for the state of torch's random generator."""


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: optimizer steps done.
        notes: notes seen.
        tokens: tokens seen, padding left out.
        seconds: wall-clock seconds in the training loop, over all sessions.
        best: lowest validation bits per note so far.
        best_step: its step, or −1 before the first validation.
        sessions: how often the run was started.
        late_from: the first step of the run's end, where augmentation changes; −1 is not yet.
    """

    step: int = 0
    notes: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    best_step: int = -1
    sessions: int = 0
    late_from: int = -1


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint in memory."""

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    progress: Progress


def folder(run: Path) -> Path:
    """Where a run's checkpoints are."""
    return run / "checkpoints"


def steps(run: Path) -> list[int]:
    """The steps of a run's whole checkpoints, ascending."""
    if not folder(run).is_dir():
        return []
    return sorted(int(p.name) for p in folder(run).iterdir() if p.name.isdigit())


def path(run: Path, step: int) -> Path:
    """The folder of a step's checkpoint."""
    return folder(run) / f"{step:08d}"


def save(run: Path, snapshot: Snapshot) -> Path:
    """Write a checkpoint whole or not at all.

    Raises:
        InputError: if the disk is full or cannot be written; what was there stays.
    """
    target = path(run, snapshot.progress.step)
    try:
        with filling(target) as fresh:
            save_file(_contiguous(snapshot.weights), fresh / "model.safetensors")
            save_file(_contiguous(snapshot.optimizer), fresh / "optimizer.safetensors")
            state = json.dumps(_finite(asdict(snapshot.progress)), indent=1)
            (fresh / "state.json").write_text(state, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        kept = steps(run)
        last = f"the last good one is step {kept[-1]}" if kept else "there is no earlier one"
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot write the checkpoint {target}: {reason}; {last}; "
            "make room and start again with --resume"
        ) from error
    return target


@contextlib.contextmanager
def filling(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target` that takes its place when the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield fresh
        for file in fresh.iterdir():
            _sync(file)
        fresh.chmod(0o755)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".old-{target.name}-", dir=target.parent))
            target.replace(old / target.name)
            fresh.replace(target)
            shutil.rmtree(old)
        else:
            fresh.replace(target)
        _sync(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _sync(file: Path) -> None:
    """Have the disk hold what was written, where the system can be asked for that."""
    with contextlib.suppress(PermissionError):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load(run: Path, step: int) -> Snapshot:
    """Read a checkpoint.

    Raises:
        InputError: if it is damaged.
    """
    source = path(run, step)
    try:
        state = json.loads((source / "state.json").read_text(encoding="utf-8"))
        state["best"] = float("inf") if state["best"] is None else state["best"]
        return Snapshot(
            load_file(source / "model.safetensors"),
            load_file(source / "optimizer.safetensors"),
            Progress(**state),
        )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the checkpoint {source} is damaged ({error}); delete that folder and resume "
            "from the one before"
        ) from error


def prune(run: Path, keep: int, best_step: int) -> None:
    """Delete all checkpoints but the last `keep` and the best, and what broken saves left."""
    for step in steps(run)[:-keep]:
        if step != best_step:
            shutil.rmtree(path(run, step))
    for leftover in folder(run).glob(".*-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def generator_state() -> Tensor:
    """The state of torch's random generator on the CPU."""
    return torch.get_rng_state()


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _finite(state: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: None stands for it."""
    return {k: None if v == float("inf") else v for k, v in state.items()}

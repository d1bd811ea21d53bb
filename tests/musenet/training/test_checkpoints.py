"""Checkpoints of a run on disk: what is written is read, what is no longer kept goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from musenet.training.checkpoints import (
    Snapshot,
    TrainingState,
    prune_snapshots,
    read_snapshot,
    snapshot_path,
    snapshot_steps,
    snapshots_folder,
    write_snapshot,
)
from tokenizer.errors import InputError


def snapshot(step: int) -> Snapshot:
    random = torch.Generator().manual_seed(step)
    weights = {"a.weight": torch.randn(3, 4, generator=random).T}
    optimizer = {"adamw/a.weight/step": torch.tensor(float(step))}
    return Snapshot(weights, optimizer, TrainingState(step=step, notes=7 * step, best=3.25))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = snapshot(12)
    write_snapshot(tmp_path, written)
    found = read_snapshot(tmp_path, 12)
    assert found.state == written.state
    assert torch.equal(found.weights["a.weight"], written.weights["a.weight"])
    assert torch.equal(found.optimizer["adamw/a.weight/step"], torch.tensor(12.0))
    assert {file.name for file in snapshot_path(tmp_path, 12).iterdir()} == {
        "model.safetensors",
        "optimizer.safetensors",
        "state.json",
    }


def test_the_last_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4, 5):
        write_snapshot(tmp_path, snapshot(step))
    (snapshots_folder(tmp_path) / ".00000006-broken").mkdir()
    prune_snapshots(tmp_path, keep=2, best_step=1)
    assert snapshot_steps(tmp_path) == [1, 4, 5]
    assert not list(snapshots_folder(tmp_path).glob(".*"))
    assert snapshot_steps(tmp_path / "nothing") == []


@pytest.mark.parametrize("text", ["{", '{"step": "twelve"}', '{"stop": 1}'])
def test_a_damaged_state_is_named(tmp_path: Path, text: str) -> None:
    write_snapshot(tmp_path, snapshot(3))
    (snapshot_path(tmp_path, 3) / "state.json").write_text(text)
    with pytest.raises(InputError, match=r"00000003 is damaged.*resume from the one before"):
        read_snapshot(tmp_path, 3)

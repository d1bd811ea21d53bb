"""What a run shows on the way: sampled music with piano rolls, and TensorBoard's files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from musenet.training import checkpoints, metrics
from musenet.training.settings import Settings
from musenet.training.start import start_run
from tokenizer import read
from tokenizer.errors import InputError

Small = Callable[..., Settings]


def test_sampled_music_comes_with_a_piano_roll_and_changes_nothing(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    start_run(dataset, tmp_path / "silent", small(steps=3)).train()
    start_run(dataset, tmp_path / "sampled", small(steps=3, sample_minutes=1e-6)).train()
    files = sorted((tmp_path / "sampled" / "samples").glob("*.mid"))
    # After every step but the last, at which the run is done.
    assert [file.stem for file in files] == ["00000001", "00000002"]
    for file in files:
        read(file)
        assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "silent" / "samples").exists()
    silent, sampled = (
        checkpoints.read_snapshot(tmp_path / name, 3).weights for name in ("silent", "sampled")
    )
    for name, tensor in silent.items():
        assert torch.equal(tensor, sampled[name]), name


def test_tensorboard_holds_the_metrics(dataset: Path, tmp_path: Path, small: Small) -> None:
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    start_run(dataset, tmp_path / "run", small(steps=3, tensorboard=True)).train()
    found = board.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()
    for row in metrics.read_metrics(tmp_path / "run" / "metrics.jsonl"):
        scalars = found.Scalars(f"{row['kind']}/bits_per_note")
        (value,) = [scalar.value for scalar in scalars if scalar.step == row["step"]]
        assert value == pytest.approx(row["bits_per_note"], abs=1e-3)
    assert "validation/per_field/pitch" in found.Tags()["scalars"]


def test_without_tensorboard_a_run_that_wants_it_says_so(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="tensorboard is not installed"):
        start_run(dataset, tmp_path / "run", small(steps=3, tensorboard=True))

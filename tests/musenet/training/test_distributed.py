"""Two processes on the CPU against one with the same batch, by DDP and by FSDP2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from musenet.training import checkpoints, metrics
from musenet.training.objective import NoteCost
from musenet.training.publish import export
from musenet.training.settings import settings_of
from musenet.training.start import resume_run, start_run
from tokenizer.errors import InputError

TRAIN = Path(__file__).resolve().parents[3] / "train.py"
SETTINGS: dict[str, Any] = {
    "context": 64,
    "batch": 4,
    "steps": 6,
    "warmup": 2,
    "threads": 1,
    "validate_windows": 2,
    "validate_steps": 2,
    "device": "cpu",
    "precision": "fp32",
    "optimizer": "adamw",
    "model": {"layers": 3, "width": 32, "heads": 2, "row_length": 16, "context": 128},
}


def together(processes: int, *arguments: str, **changes: Any) -> None:
    """`torchrun train.py …` with the settings and changes."""
    words = [f"--set={key}={json.dumps(value)}" for key, value in {**SETTINGS, **changes}.items()]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", str(TRAIN), *arguments, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def validations(run: Path) -> list[float]:
    rows = metrics.read_metrics(run / "metrics.jsonl")
    return [row["bits_per_note"] for row in rows if row["kind"] == "validation"]


def last(run: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoints.read_snapshot(run, checkpoints.snapshot_steps(run)[-1]).weights)


@pytest.fixture(scope="module")
def alone(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "run"
    start_run(dataset, out, settings_of(SETTINGS)).train()
    return out


def assert_close(one: Path, other: Path) -> None:
    """Equal losses, and weights that differ as little as sums in another order let them."""
    assert len(validations(one)) >= 3
    assert validations(one) == pytest.approx(validations(other), rel=1e-5)
    first, second = last(one), last(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert float((tensor - second[name]).norm() / tensor.norm()) < 1e-4, name


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"shard": True, "accumulate": 2}, {"shard": True, "ema": 0.5}]
)
def test_two_processes_are_one(
    dataset: Path, tmp_path: Path, alone: Path, changes: dict[str, Any]
) -> None:
    together(2, str(dataset), "--out", str(tmp_path / "run"), **changes)
    if "ema" in changes:
        alone = tmp_path / "alone"
        start_run(dataset, alone, settings_of(SETTINGS, {"ema": changes["ema"]})).train()
    assert_close(alone, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "model", which="last")
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "1 session(s) with 2 processes of 1 thread(s)" in card
    assert "torchrun --standalone --nproc-per-node 2 train.py" in card


@pytest.mark.slow
def test_muon_on_divided_matrices_gives_the_same_losses(dataset: Path, tmp_path: Path) -> None:
    """Weights are not compared: Muon orthogonalises rounding where a gradient has no full rank."""
    start_run(dataset, tmp_path / "one", settings_of(SETTINGS, {"optimizer": "muon"})).train()
    together(2, str(dataset), "--out", str(tmp_path / "two"), optimizer="muon", shard=True)
    one, two = validations(tmp_path / "one"), validations(tmp_path / "two")
    assert one == pytest.approx(two, rel=1e-4)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(
    dataset: Path, tmp_path: Path, alone: Path
) -> None:
    out = tmp_path / "run"
    together(2, str(dataset), "--out", str(out), shard=True, save_steps=3, keep=10)
    for step in [found for found in checkpoints.snapshot_steps(out) if found > 3]:
        for file in checkpoints.snapshot_path(out, step).iterdir():
            file.unlink()
        checkpoints.snapshot_path(out, step).rmdir()
    resumed = resume_run(out, None, {"shard": False})
    assert resumed.state.step == 3
    resumed.train()
    assert_close(alone, out)


def test_parts_of_a_batch_are_the_batch(dataset: Path, tmp_path: Path, alone: Path) -> None:
    out = tmp_path / "run"
    start_run(dataset, out, settings_of(SETTINGS, {"accumulate": 4})).train()
    assert_close(alone, out)


@pytest.mark.parametrize("how", ["selective", "full"])
def test_recompute_changes_no_bit(dataset: Path, tmp_path: Path, alone: Path, how: str) -> None:
    out = tmp_path / "run"
    start_run(dataset, out, settings_of(SETTINGS, {"recompute": how})).train()
    for name, tensor in last(alone).items():
        assert torch.equal(tensor, last(out)[name]), name


def test_a_compiled_run_is_the_same(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Captured and differentiated as by `compile`, without the minute of a C++ compiler."""
    compiled = []

    def compile_(module: torch.nn.Module) -> None:
        compiled.append(module)
        torch.nn.Module.compile(module, backend="aot_eager")

    monkeypatch.setattr(NoteCost, "compile", compile_, raising=False)
    short = {"steps": 3, "validate_steps": 1}
    start_run(dataset, tmp_path / "one", settings_of(SETTINGS, short)).train()
    changed = settings_of(SETTINGS, short, {"compile": True, "accumulate": 2})
    start_run(dataset, tmp_path / "two", changed).train()
    assert compiled
    assert_close(tmp_path / "one", tmp_path / "two")


def test_a_batch_must_be_shared_equally(dataset: Path, tmp_path: Path) -> None:
    from musenet.training.distributed import Group

    with pytest.raises(InputError, match="make it a multiple of 3"):
        start_run(dataset, tmp_path / "run", settings_of(SETTINGS), Group(0, 3))

"""Runs on a tiny dataset: that they learn, resume bit for bit, and survive being killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError

from musenet.model.checkpoint import load_checkpoint
from musenet.training import checkpoints, metrics
from musenet.training.settings import Settings
from musenet.training.start import model_entries, resume_run, start_run
from tokenizer.errors import InputError

TRAIN = Path(__file__).resolve().parents[3] / "train.py"

Small = Callable[..., Settings]


def final(folder: Path) -> dict[str, torch.Tensor]:
    last = checkpoints.read_snapshot(folder, checkpoints.snapshot_steps(folder)[-1])
    return {**last.weights, **last.optimizer}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_a_run_learns_and_leaves_what_it_promises(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    out = tmp_path / "run"
    assert start_run(str(dataset), str(out), small(steps=80, validate_steps=40)).train() == 0
    rows = metrics.read_metrics(out / "metrics.jsonl")
    held_out = [row["bits_per_note"] for row in rows if row["kind"] == "validation"]
    # Uniform values cost Σ log₂(size) ≈ 38 bits; knowing what is constant costs about 9.
    assert held_out[-1] < 12.0
    assert set(rows[-1]["per_source"]) == {"down"}
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    loaded = load_checkpoint(out / "last")
    assert loaded.training["steps"] == 80
    assert checkpoints.snapshot_steps(out)[-1] == 80
    with pytest.raises(InputError, match=r"give one of its models: \S+best or \S+last$"):
        load_checkpoint(out)


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "half"])
def test_resuming_is_bit_for_bit(
    dataset: Path, tmp_path: Path, optimizer: str, small: Small
) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    settings = small(steps=12, optimizer=optimizer, precision="bf16", save_steps=7)
    start_run(dataset, whole, settings).train()
    start_run(dataset, parted, settings).train()
    for step in checkpoints.snapshot_steps(parted)[1:]:
        (checkpoints.snapshot_path(parted, step) / "state.json").unlink()
        (checkpoints.snapshot_path(parted, step) / "model.safetensors").unlink()
        (checkpoints.snapshot_path(parted, step) / "optimizer.safetensors").unlink()
        checkpoints.snapshot_path(parted, step).rmdir()
    assert checkpoints.snapshot_steps(parted) == [7]
    resumed = resume_run(str(parted))
    assert resumed.state.step == 7
    resumed.train()
    assert_same(final(whole), final(parted))


def test_a_killed_run_goes_on_to_the_same_weights(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    settings = small(steps=40, save_steps=3)
    start_run(dataset, whole, settings).train()
    command = [sys.executable, str(TRAIN), str(dataset), "--out", str(killed)]
    for key, value in asdict(settings).items():
        command += ["--set", f"{key}={json.dumps(value)}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for extra in ([], ["--resume"]):
        process = subprocess.Popen([*command, *extra], stderr=subprocess.DEVNULL, env=environment)
        before = len(checkpoints.snapshot_steps(killed))
        deadline = time.monotonic() + 60
        while len(checkpoints.snapshot_steps(killed)) <= before and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    resume_run(killed, None, {}).train()
    assert_same(final(whole), final(killed))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(
    dataset: Path, tmp_path: Path, number: signal.Signals, small: Small
) -> None:
    out = tmp_path / "run"
    run = start_run(dataset, out, small(steps=100_000))

    def interrupt(_row: dict[str, Any]) -> None:
        signal.raise_signal(number)

    told: list[str] = []
    assert run.train(interrupt, lambda: told.append("stopping")) == number
    assert told == ["stopping"]
    assert checkpoints.snapshot_steps(out)[-1] == run.state.step > 0
    assert load_checkpoint(out / "last").training["steps"] == run.state.step


def test_a_loss_that_is_not_finite_stops_and_keeps_the_weights(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    run = start_run(dataset, tmp_path / "run", small(steps=10, save_steps=1))
    with torch.no_grad():
        run.model.embedding.weight[1] = float("nan")
    with pytest.raises(InputError, match=r"not finite at step 1; .*; there is no earlier check"):
        run.train()
    assert checkpoints.snapshot_steps(tmp_path / "run") == []


def test_a_refused_start_or_change_leaves_the_folder_as_it_was(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    out = tmp_path / "run"
    for typo in ({"weights": {"upp": 2.0}}, {"fill": 0.5, "batch": 2**30}):
        with pytest.raises(InputError, match=r"corpus called 'upp'|not enough memory"):
            start_run(dataset, out, small(steps=1, **typo))
        assert not out.exists()
    start_run(dataset, out, small(steps=1, weights={"up": 2.0})).train()
    before = (out / "settings.json").read_bytes()
    with pytest.raises(InputError, match=r"corpus called 'upp'"):
        resume_run(out, None, {"weights": {"upp": 2.0}, "steps": 2})
    assert (out / "settings.json").read_bytes() == before


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] can't allocate memory"),
    ],
)
def test_a_step_that_memory_is_too_small_for_says_so(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small, error: Exception
) -> None:
    run = start_run(dataset, tmp_path / "run", small(steps=1))

    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(run.cost, "_cost", fail)
    with pytest.raises(InputError, match=r"not enough memory for a training step; .*smaller batch"):
        run.train()


def test_a_full_disk_keeps_the_last_checkpoint(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small
) -> None:
    run = start_run(dataset, tmp_path / "run", small(steps=4, save_steps=1))
    write = safetensors.torch.save_file

    def full(tensors: dict[str, torch.Tensor], file: Path) -> None:
        if "00000003" in str(file):
            file.write_bytes(b"half of it")
            raise OSError(28, "No space left on device")
        write(tensors, file)

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(
        InputError, match=r"No space left on device; .*; the last good checkpoint is step 2"
    ):
        run.train()
    assert checkpoints.snapshot_steps(tmp_path / "run") == [1, 2]
    assert not list(checkpoints.snapshots_folder(tmp_path / "run").glob(".*"))


def test_a_disk_that_safetensors_finds_full_is_named(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small
) -> None:
    run = start_run(dataset, tmp_path / "run", small(steps=4, save_steps=1))

    def full(_tensors: dict[str, torch.Tensor], _file: Path) -> None:
        # what it says on a full tmpfs
        raise SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        )

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(InputError) as caught:
        run.train()
    folder = checkpoints.snapshot_path(tmp_path / "run", 1)
    assert str(caught.value) == (
        f"cannot write {folder}: No space left on device; make room and run this again; "
        "there is no earlier checkpoint, so --resume begins anew"
    )


def test_a_run_without_a_checkpoint_resumes_from_its_initial_weights(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    start_run(dataset, tmp_path / "first", small(steps=1)).train()
    weights = str(tmp_path / "first" / "last")
    begun = start_run(dataset, tmp_path / "run", replace(small(steps=2), initial=weights, model={}))
    resumed = resume_run(tmp_path / "run", None, {})
    for name, weight in resumed.model.state_dict().items():
        assert torch.equal(weight, begun.model.state_dict()[name])


def test_a_started_folder_is_not_written_over(dataset: Path, tmp_path: Path, small: Small) -> None:
    start_run(dataset, tmp_path / "run", small(steps=1)).train()
    with pytest.raises(InputError, match="already contains a run"):
        start_run(dataset, tmp_path / "run", small(steps=1))
    with pytest.raises(InputError, match="cannot change its model"):
        resume_run(tmp_path / "run", None, {"model": {"width": 64}})
    with pytest.raises(InputError, match="no run in"):
        resume_run(tmp_path / "none", None, {})


def test_a_run_does_not_go_into_a_dataset(dataset: Path, small: Small) -> None:
    before = sorted(path.name for path in dataset.iterdir())
    with pytest.raises(InputError, match="is a dataset; choose another folder"):
        start_run(dataset, dataset, small(steps=1))
    assert sorted(path.name for path in dataset.iterdir()) == before


def test_a_change_at_resume_is_kept(dataset: Path, tmp_path: Path, small: Small) -> None:
    out = tmp_path / "run"
    start_run(dataset, out, small(steps=1)).train()
    resume_run(out, None, {"steps": 2, "clip": 0.5}).train()
    again = resume_run(out, None, {"steps": 3})
    assert (again.settings.clip, again.state.step) == (0.5, 2)


def test_endings_weigh_as_much_as_the_settings_say(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    for name, weight in (("plain", 1.0), ("same", 1.0), ("weighted", 8.0)):
        settings = small(steps=2, ending_weight=weight, length_dropout=0.0)
        start_run(dataset, tmp_path / name, settings).train()
    plain, same, weighted = (final(tmp_path / n) for n in ("plain", "same", "weighted"))
    assert_same(plain, same)
    assert any(not torch.equal(plain[name], weighted[name]) for name in plain)


def test_a_damaged_checkpoint_is_named(dataset: Path, tmp_path: Path, small: Small) -> None:
    start_run(dataset, tmp_path / "run", small(steps=2)).train()
    file = checkpoints.snapshot_path(tmp_path / "run", 2) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match="00000002 is damaged"):
        resume_run(tmp_path / "run", None, {})


@pytest.mark.parametrize("head", ["delay", "flatten"])
def test_heads_of_several_steps_a_row_have_room_for_a_window(
    dataset: Path, tmp_path: Path, small: Small, head: str
) -> None:
    settings = small(steps=1, context=64)
    model = {k: v for k, v in settings.model.items() if k != "context"} | {"head": head}
    settings = replace(settings, model=model)
    assert start_run(dataset, tmp_path / "run", settings).train() == 0
    assert load_checkpoint(tmp_path / "run" / "last").model.context_rows == 64
    short = replace(settings, model={**model, "context": 64})
    with pytest.raises(InputError, match=r"context 64 takes \d+ positions and is longer"):
        start_run(dataset, tmp_path / "other", short)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"layers": "x"}, "wrong value for model.layers: Expected `int`"),
        ({"patterns": "dense"}, "wrong value for model.patterns: Expected `array`"),
        ({"dropout": 2}, "no model setting called 'dropout'"),
    ],
)
def test_wrong_entries_of_the_model_are_named(entries: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        model_entries(entries)

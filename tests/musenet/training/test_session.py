"""What a run shows on the way: sampled music with piano rolls, and TensorBoard's files."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import musenet
from data_prep.dataset.pieces import Pieces
from musenet.evaluation.report import EvaluationRequest, evaluate
from musenet.generation.session import Continuation
from musenet.model.checkpoint import load_checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.training import checkpoints, metrics
from musenet.training.settings import Settings
from musenet.training.start import resume_run, start_run
from tests.musenet.training.conftest import write_dataset
from tokenizer import read
from tokenizer.encoding import load
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


@pytest.mark.parametrize("encoding", ["chordwise", "onsets"])
def test_a_model_of_a_learned_encoding_is_trained_resumed_and_sampled(
    tmp_path: Path, small: Small, encoding: str
) -> None:
    """With a head of one field: its bits are per note, as those of compound rows are."""
    data = write_dataset(tmp_path / "data")
    pieces = Pieces(data, "train")
    bodies = [pieces.tokens(piece) for piece in range(len(pieces))]
    plain = load.LEARNED[encoding](pieces.tokenizer, volumes=1)
    plain.learned(bodies, 200 if encoding == "chordwise" else 0).save(data / "encoding.json")
    run = tmp_path / "run"
    start_run(data, run, small(steps=30)).train()
    resume_run(run, data, {"steps": 60}).train()
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    bits = [row["bits_per_note"] for row in rows if row["kind"] == "validation"]
    assert list(rows[-1]["per_field"]) == ["token"]
    assert bits[-1] < 0.8 * rows[0]["bits_per_note"]
    with pytest.raises(InputError, match=f"write the {encoding} encoding"):
        load_checkpoint(run / "best")
    checkpoint = load_checkpoint(run / "best", learned=True)
    assert checkpoint.encoding == load.load(data / "encoding.json")
    found = evaluate(EvaluationRequest((data,), str(run / "best"), "validation"))
    assert found.figures["bits_per_note"] < 0.8 * rows[0]["bits_per_note"]
    assert found.figures["notes"] == Pieces(data, "validation").notes.sum()
    continuation = Continuation(checkpoint, None, GenerateOptions(bars=4, seed=3))
    for _ in continuation.steps():
        pass
    (result,) = continuation.results()
    assert 0 < result.notes == len(result.score.notes)
    assert result.score.notes["start"].max() < 4 * 4 * result.score.ticks_per_quarter
    assert len(musenet.load(run / "best").generate(bars=4, seed=3)[0].score.notes) == result.notes
    with pytest.raises(InputError, match=f"write the {encoding} encoding"):
        musenet.load(run / "best").score(result.score)
    with pytest.raises(InputError, match="cannot heed form"):
        Continuation(checkpoint, None, GenerateOptions(form="A B"))


def test_tensorboard_holds_the_metrics(dataset: Path, tmp_path: Path, small: Small) -> None:
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    start_run(dataset, tmp_path / "run", small(steps=3, tensorboard=True)).train()
    found = board.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()
    for row in metrics.read_metrics(tmp_path / "run" / "metrics.jsonl"):
        if row["kind"] == "warning":
            continue
        scalars = found.Scalars(f"{row['kind']}/bits_per_note")
        (value,) = [scalar.value for scalar in scalars if scalar.step == row["step"]]
        assert value == pytest.approx(row["bits_per_note"], abs=1e-3)
    assert "validation/per_field/pitch" in found.Tags()["scalars"]


def test_without_tensorboard_a_run_that_wants_it_says_so(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"tensorboard is not installed; pip install 'musenet"):
        start_run(dataset, tmp_path / "run", small(steps=3, tensorboard=True))


def test_weights_and_biases_takes_the_metrics_offline(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small
) -> None:
    pytest.importorskip("wandb.sdk", reason="wandb is not installed")
    records = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    start_run(dataset, tmp_path / "run", small(steps=3, wandb="tests")).train()
    (file,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    # A header of 7 bytes, then records as in LevelDB's logs: checksum, length, kind, a message.
    data, place, found = file.read_bytes(), 7, dict[str, float]()
    while place < len(data):
        length = int.from_bytes(data[place + 4 : place + 6], "little")
        record = records.Record()
        record.ParseFromString(data[place + 7 : place + 7 + length])
        place += 7 + length
        for item in record.history.item:
            found["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
    rows = metrics.read_metrics(tmp_path / "run" / "metrics.jsonl")
    last = [row for row in rows if row["kind"] == "validation"][-1]
    assert found["validation/bits_per_note"] == pytest.approx(last["bits_per_note"])
    assert found["step"] == 3


def test_without_weights_and_biases_a_run_that_wants_it_says_so(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"wandb is not installed; pip install 'musenet\[wandb\]'"):
        start_run(dataset, tmp_path / "run", small(steps=3, wandb="tests"))
    assert not (tmp_path / "run" / "settings.json").exists()


def test_any_tracker_takes_the_numbers_of_the_rows(tmp_path: Path) -> None:
    class Kept:
        def __init__(self) -> None:
            self.rows: list[tuple[int, dict[str, float]]] = []

        def log(self, step: int, values: Mapping[str, float]) -> None:
            self.rows.append((step, dict(values)))

        def close(self) -> None:
            self.rows.append((-1, {}))

    kept = Kept()
    with contextlib.closing(metrics.Journal(tmp_path, 0, [kept])) as journal:
        journal.write({"kind": "train", "step": 2, "bits_per_note": 3.5, "per_field": {"wait": 1}})
        journal.write({"kind": "warning", "step": 3, "text": "beware"})
    assert kept.rows == [
        (2, {"train/bits_per_note": 3.5, "train/per_field/wait": 1}),
        (3, {}),
        (-1, {}),
    ]


def test_a_run_shows_its_rates_and_norms(dataset: Path, tmp_path: Path, small: Small) -> None:
    start_run(dataset, tmp_path / "run", small(steps=4, warmup=0, decay=0.5, clip=0.01)).train()
    (row,) = [
        row for row in metrics.read_metrics(tmp_path / "run" / "metrics.jsonl")
        if row["kind"] == "train"
    ]  # fmt: skip
    # The last of four steps: half of the decay over the last two.
    assert row["learning_rate"] == pytest.approx({"muon": 2e-3, "adamw": 1.5e-3})
    assert row["gradient_norm"] > row["gradient_norm_clipped"] == pytest.approx(0.01)
    assert row["tokens_per_second"] >= row["notes_per_second"] > 0


def test_a_run_warns_of_its_warmup_and_its_validations(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small
) -> None:
    said: list[dict[str, Any]] = []
    run = start_run(dataset, tmp_path / "run", small(steps=4, warmup=100, validate_steps=1))
    score = type(run.held_out).scores

    def slow(*arguments: Any) -> Any:
        time.sleep(0.5)
        return score(*arguments)

    monkeypatch.setattr(type(run.held_out), "scores", slow)
    monkeypatch.setattr("musenet.training.loop.REPORT_SECONDS", 0.0)
    run.train(said.append)
    texts = [row["text"] for row in said if row["kind"] == "warning"]
    assert len(texts) == 2, "each of them once"
    assert any("will end after about 4 steps, within its warm-up of 100" in text for text in texts)
    assert any("a validation took 0." in text for text in texts)
    quiet: list[dict[str, Any]] = []
    start_run(dataset, tmp_path / "other", small(steps=4, warmup=2)).train(quiet.append)
    assert not any("warm-up" in row.get("text", "") for row in quiet)

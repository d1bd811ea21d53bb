"""Fine-tuning on folders of all sizes, down to one file, from a tiny checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from musenet.cli.main import app
from musenet.evaluation.likelihood import Scores
from musenet.model.checkpoint import load_checkpoint, save_checkpoint
from musenet.model.transformer import Transformer
from musenet.training.finetune import Comparison, describe_comparison
from musenet.training.reports import memory
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError

FILES = sorted((Path(__file__).parents[2] / "fixtures" / "midi").glob("*.mid"))


@pytest.fixture(scope="module")
def tiny(model_for: Callable[..., Transformer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer.default(composers=["bach"], styles=["baroque"])
    folder = tmp_path_factory.mktemp("from") / "tiny"
    facts = {"steps": 10, "notes": 1000, "hours": 0.1}
    save_checkpoint(folder, model_for(tokenizer), tokenizer, facts)
    return folder


def folder_of(files: list[Path], where: Path) -> Path:
    where.mkdir(parents=True)
    for file in files:
        shutil.copy(file, where / file.name)
    return where


def tune(music: Path, tiny: Path, out: Path, *more: str, steps: int = 6) -> str:
    words = ["finetune", str(music), "--from", str(tiny), "--out", str(out), "--threads", "1"]
    options = ["steps=" + str(steps), "batch=2", "warmup=1", "validate_windows=2"]
    words += [word for option in options for word in ("--set", option)]
    words += ["--set", "adam_rate=0.01", "--set", "muon_rate=0.01", *more]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def splits(work: Path) -> dict[str, int]:
    report = json.loads((work / "data" / "report.json").read_text(encoding="utf-8"))
    return {name: part["pieces"] for name, part in report["splits"].items()}


def test_a_folder_becomes_a_model(tiny: Path, tmp_path: Path) -> None:
    music = folder_of(FILES, tmp_path / "music")
    out = tmp_path / "mine"
    output = tune(music, tiny, out, "--composer", "Jane Doe", steps=30)
    assert splits(tmp_path / "mine-run") == {"train": 10, "validation": 1, "test": 1}
    made = load_checkpoint(out)
    vocabulary = made.tokenizer.vocabulary
    assert vocabulary.controls[: len(vocabulary.controls) - 1] == (
        Tokenizer.load(tiny / "tokenizer.json").vocabulary.controls
    )
    assert vocabulary.names("composer") == ("bach", "jane_doe")
    facts = made.training["fine_tuning"]
    assert facts["split"] == "test"
    assert facts["pieces"] == 1
    assert facts["after"] < facts["before"]
    assert made.training["initial"]["name"] == "tiny"
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "Fine-tuned from tiny." in card
    assert "So few pieces are not reliable." in card
    assert f"{facts['before']:.3f} before" in output
    shown = CliRunner().invoke(app, ["generate", "--weights", str(out), "--list", "composers"])
    assert "Jane Doe" in shown.output


def test_figures_are_those_of_evaluate(tiny: Path, tmp_path: Path) -> None:
    """What it says of before and after, another command finds on the same pieces."""
    music = folder_of(FILES[:9], tmp_path / "music")
    tune(music, tiny, tmp_path / "mine")
    facts = load_checkpoint(tmp_path / "mine").training["fine_tuning"]
    for weights, when in ((tiny, "before"), (tmp_path / "mine", "after")):
        words = ["evaluate", str(tmp_path / "mine-run" / "data"), "--weights", str(weights)]
        figures = tmp_path / f"{when}.json"
        words += ["--json", str(figures)]
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert json.loads(figures.read_text())["bits_per_note"] == pytest.approx(
            facts[when], abs=2e-3
        )


@pytest.mark.parametrize(
    ("count", "expected", "words"),
    [
        (1, {"train": 1}, "No piece was held out"),
        (3, {"train": 3}, "No piece was held out"),
        (5, {"train": 4, "validation": 1}, "selected the model"),
    ],
)
def test_a_few_files_are_enough_to_train_on(
    tiny: Path, tmp_path: Path, count: int, expected: dict[str, int], words: str
) -> None:
    music = folder_of(FILES[3 : 3 + count], tmp_path / "music")
    output = tune(music, tiny, tmp_path / "mine", steps=3)
    assert splits(tmp_path / "mine-run") == expected
    assert words in output
    assert words in (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    state = load_checkpoint(tmp_path / "mine").model.state_dict()
    assert any(
        not torch.equal(tensor, state[name])
        for name, tensor in load_checkpoint(tiny).model.state_dict().items()
        if tensor.shape == state[name].shape
    )


def test_a_stopped_run_goes_on(tiny: Path, tmp_path: Path) -> None:
    """Stopped after three steps and resumed, it ends with the weights of a run of six."""
    music = folder_of(FILES[:5], tmp_path / "music")
    tune(music, tiny, tmp_path / "whole", "--set", "decay=0")
    words = [str(music), "--from", str(tiny), "--out", str(tmp_path / "parts")]
    tune(music, tiny, tmp_path / "parts", "--set", "decay=0", steps=3)
    result = CliRunner().invoke(app, ["finetune", *words])
    assert isinstance(result.exception, InputError)
    assert "--resume" in str(result.exception)
    result = CliRunner().invoke(
        app, ["finetune", *words, "--resume", "--set", "steps=6"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    whole, parts = (
        load_checkpoint(tmp_path / f"{name}-run" / "last").model.state_dict()
        for name in ("whole", "parts")
    )
    for name, tensor in whole.items():
        assert torch.equal(tensor, parts[name]), name


def test_a_folder_without_music_is_refused(tiny: Path, tmp_path: Path) -> None:
    empty = folder_of([], tmp_path / "music")
    words = ["finetune", str(empty), "--from", str(tiny), "--out", str(tmp_path / "mine")]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, InputError)
    assert "contains no MIDI files" in str(result.exception)
    assert not (tmp_path / "mine").exists()


def test_a_context_that_cannot_fit_is_refused_before_the_music_is_read(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = folder_of(FILES[:1], tmp_path / "music")
    monkeypatch.setattr(memory, "_available_bytes", lambda _: 4.0 * 2**30)
    words = ["finetune", str(music), "--from", str(tiny), "--out", str(tmp_path / "mine")]
    result = CliRunner().invoke(app, [*words, "--set", "context=1000000"])
    assert isinstance(result.exception, InputError)
    assert "not enough memory" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def test_a_taken_place_is_refused(tiny: Path, tmp_path: Path) -> None:
    music = folder_of(FILES[:1], tmp_path / "music")
    words = ["finetune", str(music), "--from", str(tiny), "--out", str(tiny)]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, InputError)
    assert "already exists" in str(result.exception)


def test_no_gain_is_said() -> None:
    nats = np.full((6, 5), 10.0)
    comparison = Comparison("test", Scores(nats, np.full(6, 10)), Scores(nats + 1, np.full(6, 10)))
    text = describe_comparison(comparison.facts())
    assert "did not improve on them" in text
    assert "not reliable" not in text
    facts = {"pieces": 2, "notes": 9, "before": 4.3941, "after": 4.3940, "split": "test"}
    text = describe_comparison({**facts, "change_interval": (-0.0002, -0.0001)})
    assert "(+0.000; 95 % over pieces: +0.000 to +0.000). It did not improve" in text
    # Five fields of one nat more in ten notes: half a nat a note, the same in every piece.
    assert comparison.interval == pytest.approx((0.5 / np.log(2),) * 2)

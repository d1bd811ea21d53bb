"""`musenet evaluate` from MIDI files to figures."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from musenet.cli.evaluate import evaluate as command
from musenet.evaluation.inputs import dataset_pieces, find_pieces
from musenet.evaluation.page import page
from musenet.evaluation.report import EvaluationRequest, evaluate, trained_context
from musenet.model.checkpoint import load_checkpoint, save_checkpoint
from musenet.model.config import preset
from musenet.model.transformer import Transformer
from tokenizer import InputError, Tokenizer, write
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.score.score import NOTES, TIME_SIGNATURES, Score, Track


def tune(seed: int, notes: int = 60) -> Score:
    random = np.random.default_rng(seed)
    rows = np.zeros(notes, dtype=NOTES)
    rows["start"] = np.cumsum(random.choice([12, 24, 48], notes))
    rows["duration"] = 24
    rows["pitch"] = 60 + np.cumsum(random.integers(-3, 4, notes)).clip(-20, 20)
    rows["velocity"] = 80
    meter = np.array([(0, 3, 4)], dtype=TIME_SIGNATURES)
    return Score(48, (Track("piano", 0, False),), notes=rows, time_signatures=meter)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora of twenty tunes each, and a file that is no MIDI."""
    root = tmp_path_factory.mktemp("music")
    for corpus in ("hills", "shore"):
        for i in range(20):
            seed = i + 100 * (corpus == "shore")
            write(tune(seed), root / corpus / f"{i}.mid")
    (root / "hills" / "broken.mid").write_bytes(b"this is no music")
    return root


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Path:
    out = folder.parent / "dataset"
    plan = Plan(shares=Shares(validation=0.3, test=0.3))
    prepare([folder / "hills", folder / "shore"], out, plan=plan)
    return out


@pytest.fixture(scope="module")
def weights(dataset: Path, model_for: Callable[..., Transformer]) -> Path:
    """A model that has learned nothing: its output tables are zero."""
    tokenizer = Tokenizer.load(dataset / "tokenizer.json")
    out = dataset.parent / "weights"
    model = model_for(tokenizer, row_length=8, context=64)
    save_checkpoint(out, model, tokenizer, {"settings": {"context": 48}})
    return out


def test_a_model_of_zeros_costs_uniform_values(folder: Path, weights: Path) -> None:
    result = evaluate(EvaluationRequest((folder / "hills", folder / "shore"), str(weights))).figures
    tokenizer = load_checkpoint(weights).tokenizer
    sizes = tokenizer.vocabulary.sizes
    assert result["pieces"] == 40
    assert result["notes"] == 40 * 60
    # One end row a piece costs its first field as well.
    expected = sum(math.log2(size) for size in sizes) + math.log2(sizes[0]) / 60
    assert result["bits_per_note"] == pytest.approx(expected, rel=2e-3)
    assert set(result["per_source"]) == {"hills", "shore"}
    assert sum(result["per_field"].values()) == pytest.approx(result["bits_per_note"])
    assert list(result["refused"]) == ["hills/broken.mid"]
    assert result["context"] == 48
    low, high = result["interval"]
    # All pieces cost the same here, but for the last bits of the sums.
    assert low - 1e-6 <= result["bits_per_note"] <= high + 1e-6


def test_a_dataset_is_scored_by_its_split(dataset: Path, weights: Path) -> None:
    test = evaluate(
        EvaluationRequest((dataset,), str(weights), split="test", baselines=dataset)
    ).figures
    validation = evaluate(EvaluationRequest((dataset,), str(weights), split="validation")).figures
    assert 0 < test["pieces"] < 40
    assert 0 < validation["pieces"] < 40
    names = test["baselines"]
    assert names["order_1"]["bits_per_note"] < test["bits_per_note"] / 2
    assert names["best_pairs"]["bits_per_note"] < names["order_0"]["bits_per_note"]


def test_prefixes_hold_what_the_model_knows(dataset: Path) -> None:
    theirs = Tokenizer.load(dataset / "tokenizer.json").vocabulary
    kept = tuple(name for name in theirs.controls if not name.startswith("instrument:"))
    ours = Tokenizer(Vocabulary(theirs.grid, kept))
    for piece in find_pieces([dataset], ours, "test").pieces:
        names = [ours.vocabulary.name(value) for value in piece.prefix[:, 0].tolist()]
        assert "time_signature:3/4" in names
        assert [theirs.name(value) for value in dataset_prefix(dataset, piece.name)] == [
            *names[:1],
            "instrument:0",
            *names[1:],
        ]


def dataset_prefix(dataset: Path, name: str) -> list[int]:
    """Field 0 of a piece's prefix in the dataset's own tokens."""
    (found,) = (piece for piece in dataset_pieces(dataset, "test") if piece.name == name)
    values: list[int] = found.prefix[:, 0].tolist()
    return values


def test_the_command_writes_what_it_promises(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    view = tmp_path / "figures.html"
    command([folder / "hills"], weights=str(weights), json=out, html=view)
    figures = json.loads(out.read_text())
    assert f"{figures['bits_per_note']:.3f} bits per note" in view.read_text(encoding="utf-8")
    promised = {"notes", "pieces", "bits_per_note", "interval", "per_field", "per_source"}
    assert promised <= set(figures)
    assert "bits per note" in capsys.readouterr().out


def test_the_command_measures_listening(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    hills = [folder / "hills"]
    command(hills, weights=str(weights), json=out, listening=True, listening_pieces=3)
    figures = json.loads(out.read_text())["listening"]
    found = [(row["bars"], row["music"], row["figures"]) for row in figures["copy_gain"]]
    assert found[2:4] == [(2, "as it is", 3), (2, "disguised", 3)]
    assert figures["continuations"] is None  # the tunes are short
    assert "copy gain" in capsys.readouterr().out
    command(hills, weights=str(weights), json=out)
    assert "listening" not in json.loads(out.read_text())


def test_generated_music_is_described_and_compared(
    folder: Path, dataset: Path, weights: Path, tmp_path: Path
) -> None:
    for i in range(8):
        write(tune(1000 + i), tmp_path / "made" / f"{i}.mid")
    copied = tune(0)
    write(copied.transpose(3), tmp_path / "made" / "copy.mid")
    made = (tmp_path / "made",)
    found = evaluate(
        EvaluationRequest((dataset,), str(weights), split="test", music=made, library=dataset)
    )
    result = found.figures
    statistics = result["music"]["statistics"]
    assert result["music"]["made"] == 9
    assert statistics["polyphony"]["ours"] == pytest.approx(
        statistics["polyphony"]["real"], rel=0.1
    )
    assert abs(statistics["pitch_class_entropy"]["distance"]) < 4
    json.dumps(result, allow_nan=False)
    training = [piece.name for piece in dataset_pieces(dataset, "train")]
    close = {piece["name"]: piece for piece in result["originality"]["too_close"]}
    assert ("copy.mid" in close) == ("hills/0.mid" in training)
    if "copy.mid" in close:
        assert close["copy.mid"]["longest"] == 60
        assert close["copy.mid"]["piece"] == "hills/0.mid"
    text = page(result, found.music)
    assert "Originality" in text
    assert text.count("data:audio/midi;base64,") == 8


def test_what_cannot_be_scored_is_said(dataset: Path, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mid").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"no music to score.*bad\.mid"):
        evaluate(EvaluationRequest((tmp_path,), str(weights)))
    with pytest.raises(InputError, match="does not exist"):
        evaluate(EvaluationRequest((tmp_path / "none",), str(weights)))
    with pytest.raises(InputError, match="context is 64 tokens"):
        evaluate(EvaluationRequest((dataset,), str(weights), context=100))
    other = Tokenizer.load(dataset / "tokenizer.json")
    grid = dataclasses.replace(other.vocabulary.grid, resolution=12)
    coarse = Tokenizer(dataclasses.replace(other.vocabulary, grid=grid))
    config = dataclasses.replace(
        preset("mini", coarse.vocabulary.sizes, STRUCTURE_SIZES), layers=3, width=32, heads=2
    )
    save_checkpoint(tmp_path / "coarse", Transformer(config), coarse, {})
    with pytest.raises(InputError, match="tokenized with resolution 24"):
        evaluate(EvaluationRequest((dataset,), str(tmp_path / "coarse")))


def test_the_context_is_that_of_training() -> None:
    assert trained_context({"settings": {"context": 512}}, 4096) == 512
    assert trained_context({}, 4096) == 4096

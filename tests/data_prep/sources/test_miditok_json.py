"""MidiTok's JSON files come back as the music that MidiTok itself decodes."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from data_prep.dataset.pieces import Pieces, splits_of
from data_prep.sources.miditok_json import midi_files
from musenet.cli.main import app
from tokenizer import InputError, read

PROMPTS = Path(__file__).parents[3] / "examples" / "prompts"


def saved(folder: Path, kind: str, *, trained: bool = False) -> Any:
    """Two prompts as MidiTok writes them, and the tokenizer."""
    miditok = pytest.importorskip("miditok", reason="MidiTok is not installed")
    config = miditok.TokenizerConfig(use_programs=True)
    tokenizer = getattr(miditok, kind)(config)
    files = [PROMPTS / "pop.mid", PROMPTS / "folk.mid"]
    if trained:
        tokenizer.train(vocab_size=len(tokenizer) + 50, files_paths=files)
    (folder / "inner").mkdir(parents=True)
    for file in files:
        tokenizer.save_tokens(tokenizer.encode(file), folder / "inner" / f"{file.stem}.json")
    tokenizer.save(folder / "tokenizer.json")
    return tokenizer


@pytest.mark.parametrize(("kind", "trained"), [("TSD", False), ("REMI", False), ("REMI", True)])
def test_the_notes_are_those_that_miditok_decodes(tmp_path: Path, kind: str, trained: bool) -> None:
    tokenizer = saved(tmp_path / "tokens", kind, trained=trained)
    found = dict(midi_files(tmp_path / "tokens"))
    assert list(found) == ["inner/folk.mid", "inner/pop.mid"]
    (tmp_path / "pop.mid").write_bytes(found["inner/pop.mid"])
    expected = tokenizer.decode(tokenizer.encode(PROMPTS / "pop.mid"))
    score = read(tmp_path / "pop.mid")
    pitches = np.sort(np.concatenate([t.notes.numpy()["pitch"] for t in expected.tracks]))
    assert np.sort(score.notes["pitch"]).tolist() == pitches.tolist()
    assert len(score.notes) == 253


def test_the_command_makes_a_dataset(tmp_path: Path) -> None:
    saved(tmp_path / "tokens", "TSD")
    words = ["dataset", "import", str(tmp_path / "tokens"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "2 pieces of 2" in result.output
    sources = [
        s for split in splits_of(tmp_path / "out") for s in Pieces(tmp_path / "out", split).sources
    ]
    assert sorted(sources) == ["inner/folk.mid", "inner/pop.mid"]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    saved(tmp_path / "tokens", "TSD")
    (tmp_path / "tokens" / "inner" / "folk.json").write_text('{"ids": [99999999]}')
    with pytest.raises(InputError, match=r"folk\.json holds no tokens of this MidiTok"):
        list(midi_files(tmp_path / "tokens"))
    (tmp_path / "tokens" / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="holds no parameters of a MidiTok"):
        list(midi_files(tmp_path / "tokens"))
    (tmp_path / "tokens" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"cannot read MidiTok's parameters .* with --parameters"):
        list(midi_files(tmp_path / "tokens"))


def test_without_miditok_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = builtins.__import__

    def missing(name: str, *arguments: Any) -> Any:
        if name == "miditok":
            raise ImportError
        return there(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"pip install 'musenet\[miditok\]'"):
        list(midi_files(tmp_path))

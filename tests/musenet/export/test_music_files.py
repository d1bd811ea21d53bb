"""The file that music is written to."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from musenet.export.music_files import check_library, is_musicxml, named_chords, save_music
from tokenizer.errors import InputError
from tokenizer.midi.read import to_bytes
from tokenizer.notation.read import read_musicxml
from tokenizer.score.score import NO_TRACK, NOTES, TEXTS, Score

SCORE = Score(
    notes=np.array([(0, 1920, 60, 80, 0, 0), (1920, 1920, 57, 80, 0, 0)], NOTES),
    markers=np.array([(0, NO_TRACK, "C"), (1920, NO_TRACK, "Am")], TEXTS),
)


def test_the_suffix_decides(tmp_path: Path) -> None:
    data = to_bytes(SCORE)
    save_music(data, tmp_path / "a.mid", title="A")
    save_music(data, tmp_path / "a.musicxml", title="A")
    assert (tmp_path / "a.mid").read_bytes() == data
    assert read_musicxml(tmp_path / "a.musicxml").notes["pitch"].tolist() == [60, 57]
    assert [is_musicxml(Path(n)) for n in ("a.MXL", "a.xml", "a.mid")] == [True, True, False]


def test_chords_that_the_file_names_are_written_unless_others_are_given(tmp_path: Path) -> None:
    assert named_chords(SCORE) == [(0, "C"), (1920, "Am")]
    data = to_bytes(SCORE)
    save_music(data, tmp_path / "a.musicxml", title="A")
    save_music(data, tmp_path / "b.musicxml", title="A", chords=[(0, "F")])
    texts = [read_musicxml(tmp_path / f"{n}.musicxml").markers["text"].tolist() for n in "ab"]
    assert texts == [["C", "Am"], ["F"]]


def test_a_missing_library_is_said_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("stream", "musicxml.m21ToXml"):
        monkeypatch.setitem(sys.modules, f"music21.{module}", None)
    check_library(Path("a.mid"))
    with pytest.raises(InputError, match="music21"):
        check_library(Path("a.mxl"))

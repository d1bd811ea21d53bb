"""Chord tones on strong beats, counted by hand, and the whole table once."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.chord_tones import chart_after, heard, line, measured
from musenet.generation.held_out import HeldOut, held_out
from musenet.model.checkpoint import load_checkpoint
from tokenizer import Score, Track
from tokenizer.chords.chart import chart
from tokenizer.chords.symbols import parse_chord
from tokenizer.score.columns import NOTES

LOOP = ((48, 64, 67, 72), (45, 60, 64, 69), (41, 60, 65, 69), (43, 59, 62, 67))  # C, Am, F, G


def loop(bars: int) -> Score:
    rows = [
        (1920 * bar + 480 * beat, 480, pitch, 80, 0, 0)
        for bar in range(bars)
        for beat in range(4)
        for pitch in LOOP[bar % 4]
    ]
    return Score(480, (Track("Piano", 0),), np.array(rows, NOTES))


def test_the_chart_of_what_follows() -> None:
    assert chart(chart_after(loop(12), 4, 4)) == "C | Am | F | G"


def test_only_notes_on_strong_beats_count() -> None:
    """D on the second beat is left out; B on the third, a hair late, is no tone of C."""
    rows = [(0, 60), (480, 62), (970, 59), (960, 64), (1920, 67), (1920, 65)]
    notes = np.array([(start, 240, pitch, 80, 0, 0) for start, pitch in rows], NOTES)
    score = Score(480, (Track("Piano", 0),), notes)
    chords = np.array([0]), np.array([parse_chord("C").number])
    assert heard(score, 0, 2, *chords).tones == pytest.approx(3 / 5)
    assert heard(score, 1, 1, *chords).tones == pytest.approx(1 / 2)
    assert np.isnan(heard(score, 0, 2, chords[0], np.array([0])).tones)


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model that goes on as the pieces do."""
    monkeypatch.setattr(HeldOut, "continued", lambda piece, *_: piece.score)
    pieces = held_out([("a", loop(16)), ("b", loop(15))], 2, prompt_bars=8, bars=4)
    found = measured(pieces, load_checkpoint("mini"), 4)
    assert found["real, own chords"] == found["chart"] == [(1.0, 1.0)] * 2
    names = ["real, own chords", "real, other chart", "chart", "chart unguided", "kept", "no chart"]
    assert list(found) == names
    assert line("chart", found["chart"]).split() == ["chart", "2", *["1.00", "(1.00–1.00)"] * 2]

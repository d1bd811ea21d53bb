"""The agreement of chords, on beats that can be counted by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.chords import METHODS, UNKNOWN, Piece, agreement, pieces
from tokenizer import Score, Track, write
from tokenizer.chords.chord import CHORDS
from tokenizer.chords.symbols import parse_chord
from tokenizer.score.columns import NOTES
from tokenizer.typing import Ints

TRIADS = ((48, 64, 67), (45, 60, 64), (41, 60, 69), (43, 62, 71))  # C, Am, F, G


def numbers(*symbols: str) -> Ints:
    return np.array([parse_chord(symbol).number for symbol in symbols])


def block_chords(tracks: tuple[int, int, int]) -> Score:
    """Bass, tenor and melody of four bars, each on a track."""
    rows = [
        (1920 * bar, 1920, pitch, 80, 0, track)
        for bar, triad in enumerate(TRIADS)
        for pitch, track in zip(triad, tracks, strict=True)
    ]
    names = ("Melody", "Chords", "Bass")
    notes = np.array(rows, NOTES)
    return Score(480, tuple(Track(name, 0) for name in names), notes)


def test_agreement() -> None:
    found = numbers("C", "C7", "Cm", "Dm7", "G")
    written = numbers("C", "C", "C", "F", "N.C.")
    assert agreement(found, written).tolist() == [4, 3, 2, 1]
    assert agreement(found[:1], np.array([UNKNOWN])).tolist() == [0, 0, 0, 0]


def test_symbols_stand_on_the_beats_of_their_times() -> None:
    piece = Piece.of(block_chords((2, 1, 0)), 0, [(1920, 5), (3000, 7)])
    assert piece.symbols.tolist() == [UNKNOWN] * 4 + [5, 5, 7, 7] + [7] * 8
    assert piece.melody.sum() == 4


def test_methods_on_block_chords() -> None:
    piece = Piece.of(block_chords((2, 1, 0)), 0, [(0, 1)])
    everything = slice(None)
    bars = np.repeat(numbers("C", "Am", "F", "G"), 4).tolist()
    assert METHODS["estimate_chords"](piece, everything).tolist() == bars
    assert METHODS["tonic triad"](piece, everything).tolist() == numbers("C").tolist() * 16


def test_the_nearest_template_of_a_bar() -> None:
    notes = [(0, 960, pitch, 80, 0, 0) for pitch in (60, 64, 67, 70)]
    piece = Piece.of(Score(480, notes=np.array(notes, NOTES)), 0, [(0, 1)])
    assert METHODS["template per bar"](piece, slice(None)).tolist() == numbers("C7", "C7").tolist()


def folder(path: Path, *rows: Mapping[str, object]) -> Path:
    lines = (json.dumps(row) + "\n" for row in (*rows, {"file": "missing.mid"}))
    (path / "manifest.jsonl").write_text("".join(lines))
    return path


def symbols(piece: Piece) -> str:
    """The symbol on every second beat."""
    return " ".join(CHORDS[n].symbol for n in piece.symbols[::2])


def test_pieces_with_chords_in_their_manifest(tmp_path: Path) -> None:
    write(block_chords((2, 1, 0)), tmp_path / "a.mid")
    chords = ["C", "Am7 F6/C", "F", "G7"]
    row = {"file": "a.mid", "chords": chords, "roles": {"Melody": "lead"}}
    (piece,) = pieces(folder(tmp_path, row))
    assert symbols(piece) == "C C Am7 F F F G7 G7"
    assert piece.melody.sum() == 4


def test_pieces_that_play_their_symbols(tmp_path: Path) -> None:
    chords = [(1920 * bar, 1920, p % 12 + 48, 60, 0, 1) for bar, t in enumerate(TRIADS) for p in t]
    score = block_chords((2, 1, 0))
    notes = np.concatenate([score.notes[score.notes["track"] != 1], np.array(chords, NOTES)])
    write(Score(480, score.tracks, notes), tmp_path / "a.mid")
    (piece,) = pieces(folder(tmp_path, {"file": "a.mid"}))
    assert symbols(piece) == "C C Am Am F F G G"

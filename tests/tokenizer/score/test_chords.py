"""Chords of scores: block chords that are known, texts written by hand, and charts in ticks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tokenizer.chords.chart import chart, parse_chart
from tokenizer.chords.chord import CHORDS
from tokenizer.score.bars import Bars
from tokenizer.score.chords import (
    chart_ticks,
    file_chords,
    score_chart,
    score_chords,
)
from tokenizer.score.columns import NOTES
from tokenizer.score.score import DRUMS, NO_TRACK, Score

TRIADS = {"C": (48, 64, 67), "Am": (45, 60, 64), "F": (41, 60, 69), "G": (43, 62, 71)}


def score(*chords: str, bar: int = 1920, **columns: Any) -> Score:
    """A bar of each triad, with drums that would be notes of other chords."""
    rows = [
        (number * bar, bar, pitch, 80, 0, 0)
        for number, name in enumerate(chords)
        for pitch in TRIADS[name]
    ]
    rows += [(number * bar // 2, 240, 42, 80, DRUMS, 1) for number in range(2 * len(chords))]
    return Score(480, notes=np.array(rows, NOTES), **columns)


def named(found: tuple[Any, Any] | None) -> list[tuple[int, str]]:
    assert found is not None
    return [
        (tick, CHORDS[n].symbol) for tick, n in zip(*map(np.ndarray.tolist, found), strict=True)
    ]


def test_chords_are_estimated_without_drums() -> None:
    piece = score("C", "Am", "Am", "F", "G")
    assert named(score_chords(piece)) == [(0, "C"), (1920, "Am"), (5760, "F"), (7680, "G")]
    assert chart(score_chart(piece, *score_chords(piece))) == "C | Am | Am | F\nG"


def test_time_signatures_make_the_beats() -> None:
    piece = score("C", "F", "G", "C", bar=1440, time_signatures=[(0, 6, 8)])
    assert named(score_chords(piece)) == [(0, "C"), (1440, "F"), (2880, "G"), (4320, "C")]
    assert chart(score_chart(piece, *score_chords(piece))) == "C | F | G | C"


def test_a_score_without_notes_has_no_chord() -> None:
    assert named(score_chords(Score(480))) == [(0, "N.C.")]


@pytest.mark.parametrize("kind", ["markers", "lyrics"])
def test_chords_are_read_from_texts(kind: str) -> None:
    texts = [
        *(
            (0, NO_TRACK, "Intro"),
            (0, NO_TRACK, "Am7"),
            (960, NO_TRACK, "[D7]"),
            (1920, NO_TRACK, " "),
        ),
        *((1920, NO_TRACK, "(G/B)"), (2880, NO_TRACK, "G"), (3840, NO_TRACK, "N.C.")),
    ]
    found = file_chords(score("C", "C", "C", bar=1920, **{kind: texts}))
    assert named(found) == [(0, "Am7"), (960, "D7"), (1920, "G"), (3840, "N.C.")]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["Verse", "A", "Chorus"],
        ["Twin", "kle", "D", "lit", "tle", "A"],
        ["A", "B", "A", "C"],  # rehearsal letters
    ],
)
def test_other_texts_are_no_chords(words: list[str]) -> None:
    texts = [(480 * n, NO_TRACK, word) for n, word in enumerate(words)]
    assert file_chords(score("C", "F", markers=texts)) is None


def test_the_track_whose_lyrics_name_most_chords_is_read() -> None:
    lyrics = [(0, 0, "Go"), (480, 0, "down"), (0, 1, "E"), (480, 1, "A"), (960, 1, "B7")]
    piece = score("C", lyrics=lyrics)
    assert named(file_chords(piece)) == [(0, "E"), (480, "A"), (960, "B7")]


def test_chords_between_beats_go_to_the_nearest_beat() -> None:
    piece = score("C", "C")
    ticks, chords = np.array([5, 950, 1900]), np.array([1, 2, 3])
    assert chart(score_chart(piece, ticks, chords)) == "C C# | D"


def test_a_chart_in_ticks() -> None:
    meters = [(0, 4, 4), (1920, 3, 4)]
    bars = Bars(score("C", time_signatures=meters).time_signatures, 480)
    ticks, chords = chart_ticks(parse_chart("C / / G7 | Am | F G C"), bars)
    assert named((ticks, chords)) == [
        *((0, "C"), (1440, "G7"), (1920, "Am")),
        *((3360, "F"), (3840, "G"), (4320, "C")),
    ]


def test_a_chart_comes_back_from_ticks() -> None:
    text = "C | Am / F F | N.C. | G7"
    piece = score("C", "C", "C", "C")
    ticks, chords = chart_ticks(parse_chart(text), Bars(piece.time_signatures, 480))
    assert parse_chart(chart(score_chart(piece, ticks, chords))) == parse_chart(text)

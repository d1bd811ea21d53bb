"""Chords of tokens against those of the score that they encode."""

from __future__ import annotations

import numpy as np
import pytest

from tokenizer.chords.chord import CHORDS
from tokenizer.encoding.chords import token_chords
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.score.chords import score_chords
from tokenizer.score.columns import NOTES, TIME_SIGNATURES
from tokenizer.score.score import DRUMS, Score

STEPS = 24
TRIADS = [(48, 64, 67), (45, 60, 64), (41, 60, 69), (43, 62, 71), (36, 64, 67)]


def piece(meter: tuple[int, int], changes: list[tuple[int, int, int]] | None = None) -> Score:
    bar = 4 * 480 * meter[0] // meter[1]
    rows = [
        (number * bar + beat, 480, pitch, 80, 0, 0)
        for number, triad in enumerate(TRIADS)
        for beat in range(0, bar, 480)
        for pitch in triad
    ]
    rows += [(240 * n, 240, 37 + n % 5, 80, DRUMS, 1) for n in range(len(TRIADS) * bar // 240)]
    meters = np.array(changes or [(0, *meter)], TIME_SIGNATURES)
    return Score(480, notes=np.array(rows, NOTES), time_signatures=meters)


@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (2, 2)])
def test_chords_of_a_piece(meter: tuple[int, int]) -> None:
    score, tokenizer = piece(meter), Tokenizer.default()
    tokens = tokenizer.encode(score)
    times, chords = token_chords(
        tokens, row_times(tokens, tokenizer.vocabulary), tokenizer.vocabulary
    )
    ticks, expected = score_chords(score)
    assert [CHORDS[n].symbol for n in chords] == ["C", "Am", "F", "G", "C"]
    assert (times.tolist(), chords.tolist()) == ((ticks * STEPS // 480).tolist(), expected.tolist())


def test_a_window_in_the_middle_knows_its_meter_and_bar_lines() -> None:
    score, tokenizer = piece((3, 4)), Tokenizer.default()
    tokens = tokenizer.encode(score)
    times = row_times(tokens, tokenizer.vocabulary)
    window = (times >= 100) & tokenizer.vocabulary.is_note(tokens)
    found, chords = token_chords(
        tokens[window], times[window] + 5, tokenizer.vocabulary, meter=(3, 4), bar_line=5
    )
    assert [CHORDS[n].symbol for n in chords] == ["Am", "F", "G", "C"]
    assert found.tolist() == [times[window][0] + 5, 149, 221, 293]


def test_time_signatures_among_the_tokens_count() -> None:
    score = piece((3, 4), [(0, 4, 4), (1440, 3, 4)])
    tokenizer = Tokenizer.default()
    tokens = tokenizer.encode(score)
    times = row_times(tokens, tokenizer.vocabulary)
    found, _ = token_chords(tokens, times, tokenizer.vocabulary)
    assert found.tolist() == [0, 72, 144, 216, 288]


def test_the_seconds_clock_takes_half_a_second_for_a_beat() -> None:
    tokenizer = Tokenizer(Vocabulary.create(Grid.seconds()))
    tokens = tokenizer.encode(piece((4, 4)))  # at 120 quarters per minute
    times = row_times(tokens, tokenizer.vocabulary)
    found, chords = token_chords(tokens, times, tokenizer.vocabulary)
    assert [CHORDS[n].symbol for n in chords] == ["C", "Am", "F", "G", "C"]
    assert found.tolist() == [0, 200, 400, 600, 800]


def test_nothing_has_no_chords() -> None:
    vocabulary = Tokenizer.default().vocabulary
    times, chords = token_chords(np.empty((0, 5), np.int16), np.empty(0, np.int64), vocabulary)
    assert len(times) == len(chords) == 0

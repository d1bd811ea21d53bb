"""The rows of the table that need no model: the prompt looped, and bars of another song."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.parts_kept import Case, borrowed, is_band, line, looped
from musenet.generation.prompt import read_prompt
from tokenizer.score.columns import NOTES
from tokenizer.score.score import Score, Track

BAR = 1920


def song(*programs: int, pitch: int = 48, bars: int = 8) -> Score:
    """Each part plays half notes, one after another a third higher, or a drum."""
    rows = [
        (BAR * bar + 960 * half, 900, 36 if program == 128 else pitch + 4 * part, 80, program, part)
        for bar in range(bars)
        for half in range(2)
        for part, program in enumerate(programs)
    ]
    tracks = tuple(Track(f"part {part}", p, p == 128) for part, p in enumerate(programs))
    return Score(480, tracks, notes=np.array(rows, NOTES))


def case(score: Score) -> Case:
    return Case(read_prompt(score))


def test_the_prompt_looped_keeps_everything() -> None:
    assert looped(case(song(0, 33, 128))).score == pytest.approx(1)
    assert looped(case(song(0, 33, 128, bars=5))).score == pytest.approx(1)


def test_parts_of_another_song_by_instrument_and_family() -> None:
    mine, same = case(song(0, 33, 128)), case(song(128, 33, 0))
    found = borrowed(mine, same, 4)
    assert [part.notes for part in found.scored] == [(16, 8)] * 3
    assert found.scored[2].kept == pytest.approx(1)
    related = borrowed(mine, case(song(1, 38)), 4)  # another piano and another bass
    assert [part.notes for part in related.scored] == [(16, 8), (16, 8), (16, 0)]
    assert related.parts == pytest.approx(2 / 3)
    others = borrowed(mine, case(song(80, 90)), 4)
    assert others.parts == 0


def test_bands_have_drums_and_three_parts() -> None:
    assert is_band(song(0, 33, 128))
    assert not is_band(song(0, 33, 40))
    assert not is_band(song(0, 128))
    few = song(0, 33, 128)
    notes = few.notes[(few.notes["track"] != 1) | (few.notes["start"] < BAR)]
    assert not is_band(Score(480, few.tracks, notes=notes))


def test_a_row_holds_means_over_all_and_an_interval_over_cases() -> None:
    other = borrowed(case(song(0, 33)), case(song(80, pitch=54)), 4)  # no pitch class in common
    kept = [[looped(case(song(0, 33, 128)))], [other]]
    cells = line("two", kept).split()
    assert cells[:3] == ["two", "2", "0.50"]
    assert cells[-1] == "0.00–1.00"

from __future__ import annotations

import random

import pytest

from tokenizer import Score
from tokenizer.notation.measures import QUARTER, MeasureGrid, measures_of
from tokenizer.notation.quantise import divisions, quantised, without_small_rests


def grid(bars: int = 4) -> MeasureGrid:
    return measures_of(Score(), bars * 4 * 480)


@pytest.mark.parametrize(
    ("places", "step"),
    [
        ([0], 12),
        ([0, 12], 12),
        ([0, 6, 12, 18], 6),
        ([0, 18], 6),
        ([0, 8, 16], 8),
        ([0, 16], 8),
        ([0, 4, 8, 12, 16, 20], 4),
        ([0, 3, 6, 9, 12, 15, 18, 21], 3),
    ],
)
def test_a_beat_gets_the_coarsest_division_that_its_onsets_fit(
    places: list[float], step: int
) -> None:
    assert divisions(places, grid()).steps[0] == step


@pytest.mark.parametrize("places", [[0, 12], [0, 6, 12, 18], [0, 8, 16]])
def test_playing_that_is_a_little_off_does_not_change_the_division(places: list[int]) -> None:
    exact = divisions(places, grid()).steps[0]
    draw = random.Random(1)
    for _ in range(100):
        played = [place + draw.uniform(0, 0.6) * draw.choice((1, -1)) for place in places]
        assert divisions([max(place, 0) for place in played], grid()).steps[0] == exact


def test_notes_on_the_grid_stay_and_those_beside_it_come_to_it() -> None:
    notes = [(0, 12, 60, 80), (12.4, 23.8, 62, 80), (24, 32, 64, 80), (32.2, 47.7, 65, 80)]
    placed = quantised(notes, divisions([note[0] for note in notes], grid()))
    assert [(n.start, n.end) for n in placed] == [(0, 12), (12, 24), (24, 32), (32, 48)]


def test_no_note_is_shorter_than_its_beats_division_or_lies_behind_the_last_bar() -> None:
    end = 4 * 4 * QUARTER
    notes = [(0.0, 0.5, 60, 80), (end - 0.2, end, 62, 80)]
    placed = quantised(notes, divisions([0.0], grid()))
    assert [(n.start, n.end) for n in placed] == [(0, 12), (end - 12, end)]


def test_unisons_at_one_place_become_one_note() -> None:
    notes = [(0.0, 12.0, 60, 70), (0.3, 24.0, 60, 90)]
    (note,) = quantised(notes, divisions([0.0], grid()))
    assert (note.end, note.velocity) == (24, 90)


@pytest.mark.parametrize(
    ("start", "end", "following", "written"),
    [(0, 22, 24, 24), (0, 12, 24, 12), (0, 18, 24, 24), (0, 24, 96, 24), (0, 20, 96, 20)],
)
def test_small_rests_are_not_written(start: int, end: int, following: int, written: int) -> None:
    assert without_small_rests(start, end, following) == written

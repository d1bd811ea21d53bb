"""Lead sheets in ABC: pitches, lengths and repeats, against what the notation says."""

from __future__ import annotations

import pytest

from data_prep.bands.notation.pattern import TICKS
from data_prep.bands.tunes.abc import LeadSheet, parse
from tokenizer.chords.chart import chart
from tokenizer.errors import InputError

HEAD = "X:1\nT:A tune\nM:4/4\nL:1/8\nK:{}\n"


def tune(body: str, key: str = "C") -> LeadSheet:
    return parse(HEAD.format(key) + body, "a.abc")


def pitches(sheet: LeadSheet) -> list[int]:
    return [pitch for _, _, pitch in sheet.notes]


def test_pitches_follow_key_octave_and_accidentals() -> None:
    sheet = tune('"G"FGAB cd\'^c,=f | f2 _B2 B2 =B2|]', "G")
    assert pitches(sheet) == [66, 67, 69, 71, 72, 86, 61, 77, 78, 70, 70, 71]


def test_an_accidental_lasts_until_the_bar_line() -> None:
    assert pitches(tune('"C"^F2F2 F4 | F8|]')) == [66, 66, 66, 65]


def test_lengths_ties_triplets_and_dots() -> None:
    sheet = tune('"C"C3/2D/ E/F/ (3GAB c2 | d>e f4-f2- | f8|]')
    eighth = TICKS // 2
    assert [length for _, length, _ in sheet.notes] == [
        3 * eighth // 2, eighth // 2, eighth // 2, eighth // 2, *[2 * eighth // 3] * 3, 2 * eighth,
        3 * eighth // 2, eighth // 2, 14 * eighth,
    ]  # fmt: skip


def test_repeats_and_endings() -> None:
    sheet = tune('|:"C"C8|1 "F"F8 :|2 "G"G8 | "C"c8|]')
    assert pitches(sheet) == [60, 65, 60, 67, 72]
    assert [bar[0][1].root for bar in sheet.chords] == [0, 5, 0, 7, 0]


def test_what_stands_before_a_repeat_is_played_once() -> None:
    assert pitches(tune('"C"C8|:"F"F8|"G"G8:|c8|]')) == [60, 65, 67, 65, 67, 72]


def test_an_upbeat_stands_before_the_first_bar() -> None:
    sheet = tune('G2|"C"c4 e4|"G7"d6|]')
    assert [start for start, _, _ in sheet.notes] == [-TICKS, 0, 2 * TICKS, 4 * TICKS]
    assert len(sheet.chords) == 2


def test_chords_stand_at_their_times_and_go_on() -> None:
    sheet = tune('"C"C4 "Am7"A,4|E8|"Dm7"D4"G7"G4|]')
    named = [[(t, c.root, c.quality) for t, c in bar] for bar in sheet.chords]
    assert named == [
        [(0, 0, ""), (2 * TICKS, 9, "m7")],
        [(0, 9, "m7")],
        [(0, 2, "m7"), (2 * TICKS, 7, "7")],
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [("C8|]", "no chords"), ('"C"C8|C6|C8|]', "does not fill"), ('"C"C8|[M:3/4]C6|]', "meter")],
)
def test_what_is_no_lead_sheet_is_refused(body: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        tune(body)


def test_the_chart_of_a_sheet() -> None:
    sheet = tune('G2|"C"E4 "Am7/G"A4 | "G7b9"G6 "F6"A2 | C8|]')
    assert chart(sheet.chart) == "C Am7 | G7 / / F | F"

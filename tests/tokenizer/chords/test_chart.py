"""Charts as text, against charts written out by hand, and there and back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.chords.chart import ChartChord, chart, nearest, parse_chart
from tokenizer.chords.chord import CHORDS, Chord
from tokenizer.chords.symbols import parse_chord
from tokenizer.errors import InputError

HALF = Fraction(1, 2)


def rows(text: str) -> list[tuple[int, object, str]]:
    return [(bar, place, chord.symbol) for bar, place, chord in parse_chart(text)]


def test_a_chord_a_bar() -> None:
    assert rows("C | Am | F | G7") == [(0, 0, "C"), (1, 0, "Am"), (2, 0, "F"), (3, 0, "G7")]


@pytest.mark.parametrize(
    "text", ["| C | Am |\n| F | G7 |", "C|Am\nF|G7\n", "\nC | Am ||\n\n F | G7 |]"]
)
def test_bar_lines_at_the_ends_and_line_breaks(text: str) -> None:
    assert parse_chart(text) == parse_chart("C | Am | F | G7")


def test_several_chords_share_a_bar() -> None:
    third = Fraction(1, 3)
    assert rows("C G7 | C / / G7 | C F G | C C") == [
        *((0, 0, "C"), (0, HALF, "G7"), (1, 0, "C"), (1, Fraction(3, 4), "G7")),
        *((2, 0, "C"), (2, third, "F"), (2, 2 * third, "G"), (3, 0, "C")),
    ]


def test_repeats() -> None:
    assert rows("C G | % | % | / Am") == [
        *((0, 0, "C"), (0, HALF, "G"), (1, 0, "C"), (1, HALF, "G")),
        *((2, 0, "C"), (2, HALF, "G"), (3, 0, "G"), (3, HALF, "Am")),
    ]


def test_four_bars_a_line() -> None:
    text = "C | Am | F / / G7 | N.C.\nC"
    assert chart(parse_chart(text)) == text


def test_a_chord_goes_on_over_bars_without_one() -> None:
    found = [ChartChord(1, HALF, Chord(9, "min")), ChartChord(3, Fraction(0), Chord(5, "maj"))]
    assert chart(found) == "N.C. | N.C. Am | Am | F"
    assert chart([]) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no bars"),
        (" \n| |\n", "has no bars"),
        ("C | | F", "bar 2 of the chart is empty"),
        ("C\nAm | Hm", "bar 3 of the chart: 'Hm' is no chord symbol"),
        ("% | C", "no bar before"),
        ("/ C", "bar 1 of the chart"),
        ("C % | F", "'%' is no chord"),
    ],
)
def test_what_is_no_chart_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_chart(text)


@given(st.lists(st.lists(st.sampled_from(CHORDS), min_size=1, max_size=6), min_size=1, max_size=9))
def test_there_and_back(bars: list[list[Chord]]) -> None:
    text = " | ".join(" ".join(chord.symbol for chord in bar) for bar in bars)
    found = parse_chart(text)
    assert parse_chart(chart(found)) == found
    for number, bar in enumerate(bars):  # what sounds at each share, by looking it up
        for share, chord in enumerate(bar):
            place = (number, Fraction(share, len(bar)))
            assert [row.chord for row in found if row[:2] <= place][-1] == chord


def test_symbols_are_those_of_parse_chord() -> None:
    assert [row.chord for row in parse_chart("B♭ø F-7/C")] == [
        parse_chord("Bbm7b5"),
        parse_chord("Fm7"),
    ]


def test_symbols_that_stand_for_a_simpler_chord() -> None:
    taken = nearest("C6 | Dm9 / G13 | C6 C | % | N.C.")
    assert {symbol: chord.symbol for symbol, chord in taken.items()} == {
        "C6": "C",
        "Dm9": "Dm7",
        "G13": "G7",
    }

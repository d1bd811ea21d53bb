"""Roman numerals, symbols and scales, against textbook spellings."""

from __future__ import annotations

import pytest

from data_prep.bands.harmony.chords import Key, interval_of, parse_symbol, roman, scale_of
from tokenizer.errors import InputError

C, A_MINOR = Key(0), Key(9, "minor")


@pytest.mark.parametrize(
    ("numeral", "key", "symbol"),
    [
        ("I", C, "C"),
        ("ii7", C, "Dm7"),
        ("V7/ii", C, "A7"),
        ("iiø/vi", C, "Bm7b5"),
        ("bVII", C, "A#"),
        ("bVII", Key(5), "Eb"),
        ("IV/3", C, "F/A"),
        ("V/3", Key(7), "D/F#"),
        ("IV@1", C, "F/C"),
        ("#ivdim7", C, "F#dim7"),
        ("i", A_MINOR, "Am"),
        ("bVI", A_MINOR, "F"),
        ("iiø", A_MINOR, "Bm7b5"),
        ("V7b9", A_MINOR, "E7b9"),
        ("imaj7", A_MINOR, "AmMaj7"),
    ],
)
def test_numerals(numeral: str, key: Key, symbol: str) -> None:
    assert roman(numeral, key).symbol(key) == symbol


@pytest.mark.parametrize("numeral", ["", "H", "IIII", "VI7x", "V7/8/2", "bb"])
def test_what_is_no_numeral_is_refused(numeral: str) -> None:
    with pytest.raises(InputError):
        roman(numeral, C)


@pytest.mark.parametrize("symbol", ["C", "F#m7b5", "Bbmaj7", "Eb7/G", "G7sus4", "Adim"])
def test_symbols_come_back(symbol: str) -> None:
    key = Key(5) if "b" in symbol[:2] else C
    assert parse_symbol(symbol).symbol(key) == symbol


def test_degrees_are_the_chords_then_the_keys() -> None:
    minor, dominant = roman("vi", C), roman("V7", C)
    assert [interval_of(minor, C, degree, 0) for degree in (1, 2, 3, 4, 5, 6, 7, 8, 9)] == [
        0, 2, 3, 5, 7, 8, 10, 12, 14,
    ]  # fmt: skip
    assert interval_of(dominant, C, 7, 0) == 10
    assert interval_of(dominant, C, 3, -1) == 3
    assert interval_of(roman("IV", C), C, 4, 0) == 6


def test_scales_give_way_to_the_chord() -> None:
    a_major_seventh = roman("V7/ii", C)  # A C# E G
    assert 1 in scale_of(a_major_seventh, C)
    assert 0 not in scale_of(a_major_seventh, C)
    assert scale_of(roman("I", C), C) == (0, 2, 4, 5, 7, 9, 11)
    assert scale_of(roman("I7", C), C, "blues") == (0, 3, 5, 6, 7, 10)


def test_signatures() -> None:
    assert [Key(tonic).fifths for tonic in (0, 7, 5, 10, 3)] == [0, 1, -1, -2, -3]
    assert [Key(tonic, "minor").fifths for tonic in (9, 4, 2, 0)] == [0, 1, -1, -3]

"""Chord symbols against a table written by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.chords.chord import CHORDS, QUALITIES, Chord
from tokenizer.chords.symbols import is_chord, is_exact, parse_chord, split_symbol
from tokenizer.errors import InputError

SUFFIXES = {
    "maj": "maj major M 6 6/9 69 add9 (add9) 2 add2 5 add#11 6add9",
    "min": "m - min mi minor m6 madd9 m(add9) mMaj7 m(maj7) -Δ7 m/maj7 m69",
    "7": "7 9 11 13 7b9 7#9 7#11 7b13 7-9 7(b9) 7(b9,#5) 7#5 7b5 7+5 9b5 13b9 7alt alt dom7 "
    "aug7 +7 7+ 7add13 7no5",
    "maj7": "maj7 Maj7 M7 ma7 Δ Δ7 △7 ∆ ^7 7M maj9 maj13 maj7#11 maj7(#11) M9",
    "min7": "m7 -7 min7 mi7 m9 m11 m13 -9 m7add11 min9",
    "dim": "dim ° o º",
    "dim7": "dim7 °7 o7 º7",
    "m7b5": "ø ø7 Ø m7b5 -7b5 m7(b5) min7b5 m7-5 m7♭5 m9b5",
    "aug": "aug + +5 (#5)",
    "sus4": "sus sus4 4 7sus sus7 7sus4 9sus 9sus4 13sus4 sus2 7sus2 sus(add9)",
}
TABLE = [("C" + s, Chord(0, q)) for q, words in SUFFIXES.items() for s in words.split()]


@pytest.mark.parametrize(("text", "chord"), TABLE)
def test_suffixes(text: str, chord: Chord) -> None:
    assert parse_chord(text) == chord


@pytest.mark.parametrize(
    ("text", "root"),
    [
        *(("C", 0), ("C#", 1), ("Db", 1), ("D♭", 1), ("D", 2), ("D#", 3), ("E♭", 3), ("E", 4)),
        *(("Fb", 4), ("E#", 5), ("F", 5), ("F♯", 6), ("Gb", 6), ("G", 7), ("G#", 8), ("Ab", 8)),
        *(("A", 9), ("A#", 10), ("Bb", 10), ("B", 11), ("Cb", 11), ("B#", 0), ("Bbb", 9)),
    ],
)
def test_roots(text: str, root: int) -> None:
    assert parse_chord(text) == Chord(root, "maj")
    assert parse_chord(text + "m7") == Chord(root, "min7")


@pytest.mark.parametrize("text", ["N.C.", "NC", "n.c.", "N. C.", "none", "no chord"])
def test_no_chord(text: str) -> None:
    assert parse_chord(text) == Chord(None, "none")


def test_a_bass_note_is_split_off() -> None:
    assert parse_chord("Bbm7b5/Db") == Chord(10, "m7b5")
    assert parse_chord("C6/9/E") == parse_chord("C/G") == Chord(0, "maj")
    assert split_symbol("F#m7/E") == (6, "m7", 4)
    assert split_symbol("Eb") == (3, "", 3)
    assert split_symbol("xyz") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "H", "H7", "c", "am", "Cx", "C/", "C/H", "/G", "Cmm", "C77", "C7x", "Cm5", "C|"),
        *("Dad", "Be", "Gee", "Amen", "Da", "Baby", "Fa", "Come", "Every", "C55", "C 1"),
    ],
)
def test_what_is_no_symbol_is_refused(text: str) -> None:
    assert not is_chord(text)
    with pytest.raises(InputError, match="is no chord symbol"):
        parse_chord(text)


def test_the_german_h_is_explained() -> None:
    with pytest.raises(InputError, match="B natural is written B"):
        parse_chord("Hm7")


@given(st.sampled_from(CHORDS))
def test_printed_symbols_are_read_back(chord: Chord) -> None:
    assert parse_chord(chord.symbol) == chord


@given(st.text(max_size=12))
def test_any_text_is_a_chord_or_refused(text: str) -> None:
    if is_chord(text):
        assert parse_chord(text).quality in QUALITIES


@pytest.mark.parametrize(
    "text", ["C", "C-", "Cmaj", "CΔ7", "G7", "C-7", "Bø", "F#°7", "Gsus", "C+", "N.C.", "C/C"]
)
def test_spellings_of_a_quality_are_exact(text: str) -> None:
    assert is_exact(text)


@pytest.mark.parametrize("text", ["C6", "Cadd9", "C5", "Dm9", "G13", "CmMaj7", "G7sus4", "C/E"])
def test_what_a_quality_only_stands_for_is_not_exact(text: str) -> None:
    assert not is_exact(text)

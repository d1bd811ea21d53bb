"""The list of chord progressions: what is in it, and how its numerals are understood."""

from __future__ import annotations

import pytest

from data_prep.bands.harmony import library
from data_prep.bands.harmony.chords import Key, roman
from data_prep.bands.harmony.library import Progression, progressions, suited


def symbols(text: str, key: Key) -> list[str]:
    return [roman(numeral, key).symbol(key) for numeral in text.split(" | ")]


@pytest.mark.parametrize(
    ("of", "numerals", "key", "chords"),
    [
        ("prog_maj", "I I7 Idom7 IV", Key(0), "C Cmaj7 C7 F"),
        ("prog_maj", "I IV vii iii", Key(0), "C F Bdim Em"),
        ("prog_maj", "ii7 V7 I", Key(0), "Dm7 G7 C C"),
        ("prog_min", "i VI III VII", Key(9, "minor"), "Am F C G"),
        ("prog_min", "i ii v VI7", Key(9, "minor"), "Am Bdim Em Fmaj7"),
        ("prog_min", "i iv v7 ii5", Key(9, "minor"), "Am Dm Em7 B5"),
        ("prog_modal", "im bVIM ivm9 V", Key(9, "minor"), "Am F Dm9 E"),
        ("prog_modal", "I bVIIM7 bVIIm IVM", Key(5), "F Ebmaj7 Ebm Bb"),
    ],
)
def test_numerals_are_read_as_their_list_means_them(
    of: str, numerals: str, key: Key, chords: str
) -> None:
    row = Progression(of, tuple(numerals.split()), "")
    assert symbols(row.written(), key) == chords.split()


def test_all_of_the_list_but_one_chord_can_be_said() -> None:
    assert len(progressions()) == 190
    refused = [row for row in progressions() if not library._can_be_written(row)]
    assert [set(row.numerals) & {"IM-5"} for row in refused] == [{"IM-5"}]  # a flat fifth


def test_moods_choose_and_modes_are_kept() -> None:
    every = library.moods()
    assert len(every) == 21
    assert not set(suited("major", ("Sad",))) - set(suited("major", every))
    assert len(suited("major", every)) > 50
    assert len(suited("minor", every)) > 50
    assert suited("minor", ()) == ()
    for mode in ("dorian", "mixolydian", "lydian", "phrygian"):
        assert suited(mode, every)
        for text in suited(mode, every):
            for numeral in text.split(" | "):
                chord = roman(numeral, Key(2, mode))
                assert set(chord.classes) <= set(Key(2, mode).scale)

"""Voicings: the chord's notes, in range, with voices that move little."""

from __future__ import annotations

from itertools import pairwise

import pytest

from data_prep.bands.harmony.chords import Key, roman
from data_prep.bands.harmony.voicing import VOICINGS, voiced

PROGRESSION = ["I", "vi7", "ii7", "V7", "iii7", "VI7", "IVmaj7", "iv6", "I", "V7/V", "V7", "I"]


@pytest.mark.parametrize("kind", VOICINGS)
@pytest.mark.parametrize("tonic", range(12))
def test_only_notes_of_the_chord_in_range(kind: str, tonic: int) -> None:
    key = Key(tonic)
    before: tuple[int, ...] = ()
    for numeral in PROGRESSION:
        chord = roman(numeral, key)
        before = voiced(chord, kind, 4, 48, 76, before)
        colours = {(chord.root + 2) % 12} if kind == "rootless" else set()
        assert {pitch % 12 for pitch in before} <= {*chord.classes, *colours, chord.bass}
        assert min(before) >= 48
        assert max(before) <= 76
        assert list(before) == sorted(set(before))


@pytest.mark.parametrize("kind", ["close", "rootless"])
@pytest.mark.parametrize("tonic", range(12))
def test_voices_move_a_few_semitones(kind: str, tonic: int) -> None:
    voicings: list[tuple[int, ...]] = []
    for numeral in PROGRESSION * 2:
        before = voicings[-1] if voicings else ()
        voicings.append(voiced(roman(numeral, Key(tonic)), kind, 4, 50, 72, before))
    for old, new in pairwise(voicings):
        furthest = max(min(abs(pitch - other) for other in old) for pitch in new)
        assert furthest <= 4

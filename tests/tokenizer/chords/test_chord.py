"""Chords, their numbers and controls, against counted facts."""

from __future__ import annotations

from itertools import combinations

import pytest

from tokenizer.chords.chord import (
    CHORDS,
    NO_CHORD,
    QUALITIES,
    Chord,
    chord_of_control,
)
from tokenizer.errors import InputError


def test_there_is_a_chord_for_each_root_and_quality_and_one_for_none() -> None:
    assert len(CHORDS) == len(set(CHORDS)) == 1 + 12 * (len(QUALITIES) - 1)
    assert [chord.number for chord in CHORDS] == list(range(len(CHORDS)))


@pytest.mark.parametrize(
    ("chord", "control", "symbol", "pitch_classes"),
    [
        (Chord(0, "maj7"), "chord:C:maj7", "Cmaj7", {0, 4, 7, 11}),
        (Chord(10, "min"), "chord:Bb:min", "Bbm", {10, 1, 5}),
        (Chord(6, "m7b5"), "chord:F#:m7b5", "F#m7b5", {6, 9, 0, 4}),
        (Chord(8, "aug"), "chord:Ab:aug", "Abaug", {8, 0, 4}),
        (Chord(7, "sus4"), "chord:G:sus4", "Gsus4", {7, 0, 2}),
        (NO_CHORD, "chord:none", "N.C.", set()),
    ],
)
def test_names(chord: Chord, control: str, symbol: str, pitch_classes: set[int]) -> None:
    assert (chord.control, chord.symbol) == (control, symbol)
    assert chord.pitch_classes == pitch_classes


def test_controls_come_back() -> None:
    assert len({chord.control for chord in CHORDS}) == len(CHORDS)
    assert [chord_of_control(chord.control) for chord in CHORDS] == list(CHORDS)


def test_qualities_have_different_notes_on_every_root_but_symmetric_and_inverted_ones() -> None:
    same = {
        frozenset({a.quality, b.quality})
        for a, b in combinations(CHORDS, 2)
        if a.pitch_classes == b.pitch_classes
    }
    assert same == {frozenset({"dim7"}), frozenset({"aug"})}  # their own inversions


def test_transposition_moves_the_notes() -> None:
    for chord in CHORDS:
        moved = chord.transposed(5)
        assert moved.quality == chord.quality
        assert moved.pitch_classes == {(note + 5) % 12 for note in chord.pitch_classes}
        assert moved.transposed(7) == chord


@pytest.mark.parametrize(
    ("root", "quality"), [(12, "maj"), (-1, "maj"), (0, "none"), (None, "maj"), (0, "major")]
)
def test_what_is_no_chord_is_refused(root: int | None, quality: str) -> None:
    with pytest.raises(InputError):
        Chord(root, quality)


@pytest.mark.parametrize("name", ["chord", "chord:C", "chord:H:maj", "chord:C:none", "key:C major"])
def test_what_is_no_control_of_a_chord_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        chord_of_control(name)

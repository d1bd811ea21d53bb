"""What stayed of a file, and likeness of bars, on examples worked out by hand."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest

from benchmarks.editing_figures import band, outside_changed, similar
from tokenizer.midi.read import read
from tokenizer.score.score import NOTES, Score

BAR = 480 * 4


def file(*messages: mido.Message, more: tuple[mido.Message, ...] = ()) -> bytes:
    """A file with messages whose times are absolute, and others that do not change."""
    made, track = mido.MidiFile(), mido.MidiTrack()
    made.tracks.append(track)
    now = 0
    for message in sorted([*messages, *more], key=lambda m: m.time):
        track.append(message.copy(time=message.time - now))
        now = message.time
    data = io.BytesIO()
    made.save(file=data)
    return data.getvalue()


def note(start: int, end: int, pitch: int, channel: int = 0) -> tuple[mido.Message, mido.Message]:
    return (
        mido.Message("note_on", note=pitch, velocity=70, channel=channel, time=start),
        mido.Message("note_off", note=pitch, velocity=64, channel=channel, time=end),
    )


PEDAL = mido.Message("control_change", control=64, value=127, time=BAR + 100)
AROUND = (*note(0, 300, 60), *note(BAR - 50, BAR + 200, 62), *note(3 * BAR, 3 * BAR + 9, 60), PEDAL)


def test_new_notes_in_the_hole_change_nothing_outside() -> None:
    old = file(*AROUND, *note(BAR + 10, BAR + 300, 64), *note(BAR, BAR + 5, 40, channel=1))
    new = file(*AROUND, *note(BAR + 90, BAR + 390, 67), *note(BAR, BAR + 5, 40, channel=1))
    assert outside_changed(old, new, (BAR, 2 * BAR), {0}) == []
    assert outside_changed(old, new, (BAR, BAR + 50), {0}) != []
    assert outside_changed(old, new, (BAR, 2 * BAR), {1}) != []


@pytest.mark.parametrize("lost", range(len(AROUND)))
def test_whatever_is_lost_outside_is_found(lost: int) -> None:
    left = [one for index, one in enumerate(AROUND) if index != lost]
    assert outside_changed(file(*AROUND), file(*left), (BAR, 2 * BAR), {0})


def test_of_overlapping_notes_the_first_ends_first() -> None:
    overlapping = (*note(BAR + 900, 2 * BAR + 20, 60), *note(2 * BAR + 10, 2 * BAR + 40, 60))
    old = file(*AROUND, *overlapping)
    new = file(*AROUND, *note(2 * BAR + 10, 2 * BAR + 40, 60))
    assert outside_changed(old, new, (BAR, 2 * BAR), {0}) == []


def notes(*rows: tuple[int, int, int, int]) -> np.ndarray:
    made = np.zeros(len(rows), NOTES)
    for index, (start, duration, pitch, program) in enumerate(rows):
        made[index] = (start, duration, pitch, 80, program, 0)
    return made


def test_bars_are_as_alike_as_worked_out_by_hand() -> None:
    lines = np.arange(4) * BAR
    played = notes((0, 480, 60, 0), (BAR, 480, 60, 0), (BAR + 480, 480, 67, 0), (2 * BAR, 9, 62, 0))
    found = similar(played, lines, slice(1, 2))
    # C and G for a quarter each beside C, and beside D; slots 0 and 6 of 24 beside slot 0.
    assert found.chroma == pytest.approx((1 / np.sqrt(2) + 0) / 2)
    assert found.groove == pytest.approx(1 - 1 / 24)
    same = notes(*((bar * BAR, 480, 60, 0) for bar in range(3)))
    assert similar(same, lines, slice(1, 2)) == pytest.approx((1, 1))


def test_a_bass_on_roots_and_a_kit_of_two_keys() -> None:
    messages = [m for bar in range(2) for m in note(bar * BAR, bar * BAR + 100, 36)]
    score: Score = read(file(*messages, *note(0, 2 * BAR - 1, 60, channel=1)))
    played = notes(
        *((bar * BAR + half * BAR // 2, 100, 36, 33) for bar in range(2) for half in range(2)),
        *((bar * BAR, 10, key, 128) for bar in range(2) for key in (36, 42)),
    )
    c_major = next(n for n in range(1, 200) if _tones(n) == {0, 4, 7})
    found = band(score, played, np.array([0]), np.array([c_major]))
    assert (found.on_beat, found.tones, found.roots) == (1, 1, 1)
    assert (found.keys, found.hits) == (2, 2)


def _tones(number: int) -> set[int]:
    from tokenizer.chords.chord import CHORDS

    return set(CHORDS[number].pitch_classes) if number < len(CHORDS) else set()

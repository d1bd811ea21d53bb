from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tokenizer.notation.quantise import WrittenNote
from tokenizer.notation.voices import voices_of

PLACES = st.integers(0, 30).map(lambda n: 6 * n)
NOTES = st.builds(
    lambda start, length, pitch: WrittenNote(start, start + 6 * length, pitch, 80),
    PLACES,
    st.integers(1, 16),
    st.integers(40, 80),
)


def ordered(notes: list[WrittenNote]) -> list[WrittenNote]:
    alone = {(note.start, note.pitch): note for note in notes}
    return sorted(alone.values(), key=lambda note: (note.start, -note.pitch))


@given(st.lists(NOTES, max_size=40))
def test_every_note_stands_in_one_voice_and_no_voice_overlaps(notes: list[WrittenNote]) -> None:
    given_notes = ordered(notes)
    voices = voices_of(given_notes)
    assert 1 <= len(voices) <= 2
    written = [(n.start, n.pitch) for voice in voices for chord in voice for n in chord.notes]
    assert sorted(written) == sorted((n.start, n.pitch) for n in given_notes)
    for voice in voices:
        assert all(one.end <= other.start for one, other in pairwise(voice))
        for chord in voice:
            assert {note.start for note in chord.notes} == {chord.start}
            assert max(note.end for note in chord.notes) == chord.end > chord.start


def test_a_tune_with_legato_is_one_voice() -> None:
    tune = [WrittenNote(12 * n, 12 * n + 14, 60 + n % 5, 80) for n in range(32)]
    (voice,) = voices_of(tune)
    assert [chord.end - chord.start for chord in voice[:-1]] == [12] * 31


def test_a_held_note_above_a_moving_one_makes_two_voices() -> None:
    notes = ordered(
        [WrittenNote(0, 96, 76, 80)]
        + [WrittenNote(12 * n, 12 * n + 12, 60 + n, 80) for n in range(8)]
    )
    upper, lower = voices_of(notes)
    assert [(c.start, c.end) for c in upper] == [(0, 96)]
    assert [(c.start, c.end) for c in lower] == [(12 * n, 12 * n + 12) for n in range(8)]

"""A song to a MIDI file and back: every note under its index, and what changed between."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from typing import Any

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musenet.bridges.song import TICKS, Changes, ClipNote, ClipTrack, Song, changes
from musenet.options.parse import Place
from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.midi.read import read

TRACKS = (ClipTrack("Bäss"), ClipTrack("Lead", 81), ClipTrack("Drums", DRUMS))


@st.composite
def songs(draw: st.DrawFn) -> Song:
    """Songs in which a pitch sounds once at a time on a track and channel, as MIDI can hold."""
    free: Counter[tuple[int, int, int]] = Counter()
    notes = []
    for _ in range(draw(st.integers(0, 30))):
        track, channel = draw(st.integers(0, 2)), draw(st.integers(0, 15))
        pitch, velocity = draw(st.integers(0, 127)), draw(st.integers(1, 127))
        begin = free[track, channel, pitch] + draw(st.integers(0, 4 * TICKS))
        end = begin + draw(st.integers(1, 4 * TICKS))
        free[track, channel, pitch] = end
        notes.append(ClipNote(track, begin / TICKS, end / TICKS, channel, pitch, velocity))
    return Song(TRACKS, tuple(draw(st.permutations(notes))), end=200.0)


@given(songs(), st.data())
def test_what_is_taken_out_and_put_in_is_found(song: Song, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(range(len(song.notes))))) if song.notes else set()
    new = tuple(ClipNote(t, 190.0 + t, 195.0, 3, 60, 77) for t in range(4))
    kept = tuple(note for index, note in enumerate(song.notes) if index not in gone)
    other = Song((*TRACKS, ClipTrack("Strings", 48)), kept + new, end=200.0)
    found = changes(song, other.to_midi())
    # Of two notes that are alike either may be the one that is gone.
    assert Counter(song.notes[n] for n in found.removed) == Counter(song.notes[n] for n in gone)
    assert Counter(found.added) == Counter(new)
    assert found.tracks == (ClipTrack("Strings", 48),)
    assert changes(song, song.to_midi()) == Changes((), ())


def test_the_file_is_what_mido_reads() -> None:
    song = Song(
        TRACKS,
        (ClipNote(0, 0.5, 1.0, 0, 40, 100), ClipNote(2, 0.0, 0.25, 9, 36, 90)),
        end=12.0,
        meters=((0.0, 3, 4), (6.0, 6, 8)),
        tempos=((0.0, 90.0), (6.0, 120.5)),
    )
    file = mido.MidiFile(file=io.BytesIO(song.to_midi()), charset="utf-8")
    assert [track.name for track in file.tracks] == ["", "Bäss", "Lead", "Drums"]
    assert {sum(message.time for message in track) for track in file.tracks} == {12 * TICKS}
    meters = [m for m in file.tracks[0] if m.type == "time_signature"]
    assert [(m.numerator, m.denominator) for m in meters] == [(3, 4), (6, 8)]
    assert not [m for track in file.tracks for m in track if m.type == "program_change"]
    score = read(song.to_midi())
    assert score.notes["start"].tolist() == [0, TICKS // 2]
    assert score.tempos["microseconds"].tolist() == [666_667, 497_925]


def test_places_are_bars_where_they_are() -> None:
    song = Song(TRACKS, (ClipNote(0, 0.0, 1.0, 0, 40, 100),), end=24.0, meters=((0.0, 3, 4),))
    assert song.place(0.0) == Place(bar=1)
    assert song.place(6.0) == Place(bar=3)
    assert song.place(6.0, end=True) == Place(bar=2)
    assert song.place(7.0) == Place(seconds=3.5)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("meters", ((0.0, 4, 5),), "the meter 4/5"),
        ("meters", ((0.0, 0, 4),), "the meter 0/4"),
        ("tempos", ((0.0, 0.0),), "the tempo 0 "),
        ("tempos", ((0.0, float("inf")),), "the tempo inf"),
        ("end", -1.0, "ends at quarter note -1"),
    ],
)
def test_meters_and_tempos_that_midi_lacks(kind: str, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(Song(TRACKS, (), end=4.0), **{kind: value})


@pytest.mark.parametrize(
    "wrong",
    [
        ClipNote(3, 0.0, 1.0, 0, 60, 64),
        ClipNote(0, -1.0, 1.0, 0, 60, 64),
        ClipNote(0, 1.0, 1.0, 0, 60, 64),
        ClipNote(0, 0.0, 1.0, 16, 60, 64),
        ClipNote(0, 0.0, 1.0, 0, 128, 64),
        ClipNote(0, 0.0, 1.0, 0, 60, 0),
        ClipNote(0, 0.0, 1e9, 0, 60, 64),
        ClipNote(0, float("nan"), 1.0, 0, 60, 64),
    ],
)
def test_what_midi_cannot_hold_is_refused(wrong: ClipNote) -> None:
    with pytest.raises(InputError, match="no note of the song"):
        Song(TRACKS, (wrong,), end=4.0)

"""Music as workstations hold it, in quarter notes and by tracks; to a MIDI file, and what changed.

A workstation's tracks state no programs, so the file states none either: the model hears each by
its name and its notes, as it hears the exports of workstations.
"""

from __future__ import annotations

import io
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import mido

from musenet.options.parse import Place
from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.midi.read import read
from tokenizer.midi.smf import DRUM_CHANNEL
from tokenizer.score.bars import Bars

TICKS = 960
"""Ticks of a quarter note, as many as workstations have."""

MOST_QUARTERS = 100_000
_DENOMINATORS = (1, 2, 4, 8, 16, 32, 64)
_SLOWEST, _FASTEST = 4, 10_000


class ClipNote(NamedTuple):
    """A note: its track, start and end in quarter notes, channel 0–15, pitch, velocity."""

    track: int
    start: float
    end: float
    channel: int
    pitch: int
    velocity: int


class ClipTrack(NamedTuple):
    """A track: its name, and its program 0–128 (128 is drums) if one is stated."""

    name: str
    program: int | None = None


@dataclass(frozen=True)
class Song:
    """What is sent to the model; quarter note 0 is a bar line.

    Attributes:
        tracks: in their order.
        notes: in any order; the index of a note is its name in `Changes`.
        end: the quarter note at which it ends.
        meters: the quarter note, the numerator and the denominator of each change.
        tempos: the quarter note and the quarter notes per minute of each change.
    """

    tracks: tuple[ClipTrack, ...]
    notes: tuple[ClipNote, ...]
    end: float
    meters: tuple[tuple[float, int, int], ...] = ((0.0, 4, 4),)
    tempos: tuple[tuple[float, float], ...] = ((0.0, 120.0),)

    def __post_init__(self) -> None:
        """Reject what a MIDI file cannot hold."""
        for note in self.notes:
            inside = 0 <= note.start < note.end <= MOST_QUARTERS
            bytes_ = 0 <= note.channel < 16 and 0 <= note.pitch < 128 and 0 < note.velocity < 128
            if not (inside and bytes_ and 0 <= note.track < len(self.tracks)):
                raise InputError(f"{tuple(note)} is no note of the song; MIDI cannot hold it")
        if not 0 <= self.end <= MOST_QUARTERS:
            raise InputError(f"the song ends at quarter note {self.end:g}; 0 to {MOST_QUARTERS:,}")
        for _, numerator, denominator in self.meters:
            if not (1 <= numerator <= 255 and denominator in _DENOMINATORS):
                raise InputError(f"a MIDI file cannot hold the meter {numerator}/{denominator}")
        for _, bpm in self.tempos:
            if not _SLOWEST <= bpm <= _FASTEST:
                raise InputError(
                    f"the tempo {bpm:g} is outside {_SLOWEST} to {_FASTEST} quarters a minute"
                )

    def to_midi(self) -> bytes:
        """A type 1 file: a conductor track, then one track for each of the song's."""
        file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
        conductor: list[tuple[int, Any]] = []
        for at, numerator, denominator in self.meters:
            message = mido.MetaMessage(
                "time_signature", numerator=numerator, denominator=denominator
            )
            conductor.append((ticks(at), message))
        for at, bpm in self.tempos:
            message = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))
            conductor.append((ticks(at), message))
        file.tracks.append(_track(conductor, ticks(self.end)))
        for number, track in enumerate(self.tracks):
            file.tracks.append(_track(self._messages(number, track), ticks(self.end)))
        out = io.BytesIO()
        file.save(file=out)
        return out.getvalue()

    def _messages(self, number: int, track: ClipTrack) -> list[tuple[int, Any]]:
        """The messages of a track at their ticks; a note ends before another begins."""
        found: list[tuple[int, Any]] = [(0, mido.MetaMessage("track_name", name=track.name))]
        own = [note for note in self.notes if note.track == number]
        if track.program is not None and track.program != DRUMS:
            for channel in sorted({note.channel for note in own} - {DRUM_CHANNEL}):
                message = mido.Message("program_change", channel=channel, program=track.program)
                found.append((0, message))
        for note in own:
            begin = ticks(note.start)
            places = {"channel": note.channel, "note": note.pitch}
            off = mido.Message("note_off", velocity=64, **places)
            found.append((begin, mido.Message("note_on", velocity=note.velocity, **places)))
            found.append((max(ticks(note.end), begin + 1), off))
        return found

    def place(self, quarter: float, *, end: bool = False) -> Place:
        """A quarter note as options name it: the bar that begins (or ends) there, or the time."""
        score = read(self.to_midi())
        bars, tick = Bars(score.time_signatures, TICKS), ticks(quarter)
        bar = bars.number(tick)
        if bars.tick(bar) == tick and (bar or not end):
            return Place(bar=bar if end else bar + 1)
        return Place(seconds=float(score.seconds([tick])[0]))


@dataclass(frozen=True)
class Changes:
    """What is new in a file that was made from a song.

    Attributes:
        removed: the indices of the song's notes that are gone.
        added: the new notes; those of track `len(song.tracks)` and beyond are on new tracks.
        tracks: the new tracks.
    """

    removed: tuple[int, ...]
    added: tuple[ClipNote, ...]
    tracks: tuple[ClipTrack, ...] = field(default=())


def changes(song: Song, data: bytes) -> Changes:
    """What is new in a MIDI file that was made from `song.to_midi()`."""
    before, after = _file_notes(song.to_midi()), _file_notes(data)
    names = _names(song)
    left: dict[tuple[int, ...], deque[int]] = defaultdict(deque)
    for number, note in enumerate(before):
        left[note].append(names[number])
    added = []
    for note in after:
        if left[note]:
            left[note].popleft()
        else:
            track, start, end, *rest = note
            added.append(ClipNote(track, start / TICKS, end / TICKS, *rest))
    gone = sorted(name for names in left.values() for name in names)
    return Changes(tuple(gone), tuple(added), tuple(_new_tracks(data, len(song.tracks))))


def together(song: Song, takes: Sequence[Changes]) -> tuple[list[ClipTrack], list[Changes]]:
    """The new tracks of several takes, those of one name and program once, and the takes with them.

    A take in which an instrument stays silent has no track for it.
    """
    known, first = list[ClipTrack](), len(song.tracks)
    found = []
    for take in takes:
        known += [track for track in take.tracks if track not in known]
        places = [*range(first), *(first + known.index(track) for track in take.tracks)]
        added = tuple(note._replace(track=places[note.track]) for note in take.added)
        found.append(replace(take, added=added))
    return known, found


def _names(song: Song) -> list[int]:
    """The indices in the song of the notes of its file, in the order of `_file_notes`."""

    def place(index: int) -> tuple[int, ...]:
        note = song.notes[index]
        return note.track, ticks(note.start), note.channel, note.pitch, note.velocity

    return sorted(range(len(song.notes)), key=place)


def _file_notes(data: bytes) -> list[tuple[int, ...]]:
    """Track, start, end, channel, pitch and velocity of each note, in the order of `_names`.

    Tracks are counted behind the conductor's.
    """
    found: list[tuple[int, ...]] = []
    for number, track in enumerate(_read(data).tracks[1:]):
        now, open_ = 0, defaultdict[tuple[int, int], deque[tuple[int, int]]](deque)
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            key = message.channel, message.note
            if message.type == "note_on" and message.velocity:
                open_[key].append((now, message.velocity))
            elif open_[key]:
                begin, velocity = open_[key].popleft()
                found.append((number, begin, now, *key, velocity))
    return sorted(found, key=lambda note: (*note[:2], *note[3:]))


def _new_tracks(data: bytes, known: int) -> Iterator[ClipTrack]:
    """The tracks behind those of the song."""
    for track in _read(data).tracks[known + 1 :]:
        program = next((m.program for m in track if m.type == "program_change"), None)
        if any(m.type == "note_on" and m.channel == DRUM_CHANNEL for m in track):
            program = DRUMS
        yield ClipTrack(track.name, program)


def _read(data: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(data), charset="utf-8", clip=True)


def ticks(quarter: float) -> int:
    """The tick nearest to a quarter note."""
    return round(quarter * TICKS)


def _track(messages: list[tuple[int, Any]], end: int) -> mido.MidiTrack:
    """A track of messages at ticks; it ends at `end` or with its last message."""
    track, now = mido.MidiTrack(), 0
    # What ends stands before what begins at the same tick, what is no note before both.
    order = {"note_off": 1, "note_on": 2}
    for tick, message in sorted(messages, key=lambda each: (each[0], order.get(each[1].type, 0))):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(end - now, 0)))
    return track

"""Merging the continuation into the user's file.

All events of the file stay unchanged, byte for byte. The continuation goes into the tracks of the
parts that are heard as its instruments; other instruments get new, named tracks. At the boundary,
the prompt's channels are reset: held pedals are released and pitch bends centred, because they were
not meant for the music that follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS, name
from tokenizer.midi.events import META, Event, File, meta, text
from tokenizer.midi.smf import (
    BEND,
    CONTROL,
    DRUM_CHANNEL,
    KEY,
    MARKER,
    NAME,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    TEMPO,
    TIME,
)
from tokenizer.score.columns import SUSTAIN, disjoint_notes
from tokenizer.typing import Floats, Ints, Notes

from .parts import Part, channels_with_notes, free_channels, name_of, parts_of, port_of

_SOSTENUTO = 66
_CENTRE = b"\x00\x40"


def add_notes(
    file: File, notes: Notes, boundary: int, known: Sequence[Part] | None = None
) -> Notes:
    """Put notes (`tokenizer.score.score.NOTES`, in the file's ticks) into their parts.

    Each goes to a part with its program; among several (two violins, two hands) to the one in whose
    register it lies. A program without a part gets a new track on a free channel; if no channel
    is free, it shares the part of the nearest program. On each channel a pitch sounds once at a
    time: a note ends where the next of its pitch starts, and a note that overlaps one held from
    before the boundary starts when that ends, or is dropped. Tracks that share a channel and are
    heard as different instruments have a channel of their own each in an audio workstation.

    Args:
        file: the file to add to.
        notes: with the programs that the parts are heard as.
        boundary: the tick at which the new music starts.
        known: the parts of the file, as they are heard; by default as the file states them.

    Returns:
        The notes as written, sorted by start: shortened where necessary, with the program and track
        of their part.
    """
    notes = notes[np.argsort(notes["start"], kind="stable")]
    parts = list(parts_of(file) if known is None else known)
    track = np.zeros(len(notes), dtype=np.int64)
    channel = np.zeros(len(notes), dtype=np.int64)
    program_of = np.zeros(len(notes), dtype=np.int64)
    for program in np.unique(notes["program"]).tolist():
        own = np.flatnonzero(notes["program"] == program)
        mine = [part for part in parts if part.program == program]
        if not mine:
            mine = [new_part(file, parts, program)]
            parts += [part for part in mine if part not in parts]
        for part, chosen in zip(mine, shared_out(notes[own], mine), strict=True):
            program_of[own[chosen]] = part.program
            track[own[chosen]] = part.track
            channel[own[chosen]] = part.port << 4 | part.channel
    notes["program"], notes["track"] = program_of, track
    added: dict[int, list[Event]] = {}
    written = [notes[:0]]
    for each, program in np.unique(np.stack([channel, program_of]), axis=1).T.tolist():
        same = {part.track for part in parts if part.program == program}
        held = sounding_at(file, boundary, each, same)
        clear, _ = disjoint_notes(notes[(channel == each) & (program_of == program)], held)
        written.append(clear)
        for index in np.unique(clear["track"]).tolist():
            events = note_events(clear[clear["track"] == index], each & 15)
            added.setdefault(index, []).extend(events)
    for index, events in added.items():
        insert(file, index, events)
    placed = np.concatenate(written)
    return placed[np.argsort(placed["start"], kind="stable")]


def new_part(file: File, parts: Sequence[Part], program: int) -> Part:
    """A new track for a program, or the part of the nearest one if no channel is free.

    Raises:
        InputError: if no channel is free, and there are only drums.
    """
    if program == DRUMS:
        channel = DRUM_CHANNEL
    else:
        free = free_channels(file)
        melodic = [part for part in parts if part.program != DRUMS]
        if not free and not melodic:
            raise InputError(
                f"no channel is free for {name(program)}: the file's events use all sixteen"
            )
        if not free:
            return min(melodic, key=lambda part: abs(part.program - program))
        channel = free[0]
    track = [Event(0, text(NAME, name(program)))]
    if program != DRUMS:
        track.append(Event(0, bytes((PROGRAM | channel, program))))
    file.tracks.append(track)
    return Part(len(file.tracks) - 1, channel, program)


def shared_out(notes: Notes, parts: Sequence[Part]) -> list[Ints]:
    """For each part, the indices of its notes; chords are distributed by register."""
    if len(parts) == 1:
        return [np.arange(len(notes))]
    if parts[0].program == DRUMS:
        return _shared_by_key(notes, parts)
    rising = sorted(range(len(parts)), key=lambda i: parts[i].centre)
    centres = np.array([parts[i].centre for i in rising])
    chosen: list[list[int]] = [[] for _ in parts]
    _, first, count = np.unique(notes["start"], return_index=True, return_counts=True)
    for begin, size in zip(first.tolist(), count.tolist(), strict=True):
        chord = begin + np.argsort(notes["pitch"][begin : begin + size], kind="stable")
        for rank, index in enumerate(chord.tolist()):
            if size == 1:
                place = int(np.abs(centres - float(notes["pitch"][index])).argmin())
            else:
                place = (
                    rank * len(parts) // size
                    if size >= len(parts)
                    else _near(centres, notes["pitch"][chord], rank)
                )
            chosen[rising[place]].append(index)
    return [np.array(indices, dtype=np.int64) for indices in chosen]


def _shared_by_key(notes: Notes, parts: Sequence[Part]) -> list[Ints]:
    """For each part of a kit, the indices of its notes: those on the keys that it plays most."""
    often = np.array([np.bincount(part.pitches, minlength=128) for part in parts])
    apart = np.abs(np.array([[part.centre] for part in parts]) - np.arange(128))
    nearest = np.where(often.any(axis=0), often.argmax(axis=0), apart.argmin(axis=0))
    place = nearest[notes["pitch"]]
    return [np.flatnonzero(place == index) for index in range(len(parts))]


def _near(centres: Floats, chord: npt.NDArray[np.uint8], rank: int) -> int:
    """The part nearest to a note of a chord, leaving one each for the notes below and above."""
    low, high = rank, len(centres) - len(chord) + rank
    return low + int(np.abs(centres[low : high + 1] - float(chord[rank])).argmin())


def note_events(notes: Notes, channel: int) -> list[Event]:
    """Note-ons and note-offs; a note-off carries the velocity 64 that means "none given"."""
    events = []
    for start, duration, pitch, velocity in zip(
        notes["start"].tolist(),
        notes["duration"].tolist(),
        notes["pitch"].tolist(),
        notes["velocity"].tolist(),
        strict=True,
    ):
        events.append(Event(start, bytes((NOTE_ON | channel, pitch, velocity))))
        events.append(Event(start + duration, bytes((NOTE_OFF | channel, pitch, 64))))
    return events


def insert(file: File, track: int, events: Sequence[Event]) -> None:
    """Insert events into a track after those of the same tick: texts, then offs, then ons."""
    rank = {META: 1, CONTROL: 2, BEND: 2, PROGRAM: 2, NOTE_OFF: 3, NOTE_ON: 4}
    keyed = [(e.tick, 0, i, e) for i, e in enumerate(file.tracks[track])]
    keyed += [(e.tick, rank[e.kind], i, e) for i, e in enumerate(events)]
    keyed.sort(key=lambda item: item[:3])
    file.tracks[track] = [item[3] for item in keyed]


def add_texts(file: File, texts: Sequence[tuple[int, int, str]]) -> None:
    """Add `(tick, kind, words)` to the first track, where a DAW looks for markers."""
    insert(file, 0, [Event(tick, text(kind, words)) for tick, kind, words in texts])


def release(file: File, at: int) -> None:
    """Release pedals and centre pitch bends at a tick, on each channel that needs it."""
    for index, track in enumerate(file.tracks):
        held: dict[bytes, Event] = {}
        for event in track:
            if event.tick > at:
                break
            if event.kind == CONTROL and event.data[1] in (SUSTAIN, _SOSTENUTO):
                freed = Event(at, event.data[:2] + b"\x00")
                _hold(held, event.data[:2], freed, event.data[2] >= 64)
            elif event.kind == BEND:
                freed = Event(at, event.data[:1] + _CENTRE)
                _hold(held, event.data[:1], freed, event.data[1:] != _CENTRE)
        if held:
            insert(file, index, list(held.values()))


def set_tempo(file: File, at: int, tempo: float | None) -> None:
    """Set the tempo in BPM from a tick on; None leaves that of the file."""
    if tempo is not None:
        microseconds = min(round(60e6 / tempo), (1 << 24) - 1)
        insert(file, 0, [Event(at, meta(TEMPO, microseconds.to_bytes(3, "big")))])


def _hold(held: dict[bytes, Event], key: bytes, freed: Event, down: bool) -> None:
    if down:
        held[key] = freed
    else:
        held.pop(key, None)


def sounding_at(file: File, at: int, place: int, tracks: set[int]) -> dict[int, int]:
    """The pitches that sound across a tick, mapped to the tick where the last of each ends.

    Args:
        file: the file.
        at: the tick.
        place: the channel, as port × 16 + channel.
        tracks: the indices of the tracks that count.
    """
    ends: dict[int, int] = {}
    for index in sorted(tracks):
        begun: dict[int, int] = {}
        port = port_of(file.tracks[index])
        for event in file.tracks[index]:
            if event.kind not in (NOTE_OFF, NOTE_ON) or port << 4 | event.data[0] & 15 != place:
                continue
            pitch = event.data[1]
            if event.kind == NOTE_ON and event.data[2] > 0:
                begun[pitch] = event.tick
            elif pitch in begun and begun.pop(pitch) < at < event.tick:
                ends[pitch] = max(ends.get(pitch, 0), event.tick)
    return ends


def stems(file: File) -> list[tuple[str, File]]:
    """One named file per track with notes, all with the same length and tempo map.

    The first track of each contains the tempo, meter, key and markers of all tracks.
    """
    shared = (TEMPO, TIME, KEY, MARKER)
    conductor: list[Event] = []
    for track in file.tracks:
        conductor += [event for event in track if event.meta in shared]
    conductor.sort(key=lambda event: event.tick)
    end = max([file.end, *(track[-1].tick for track in file.tracks if track)])
    found = []
    for track in file.tracks:
        if channels_with_notes(track):
            own = [event for event in track if event.meta not in shared]
            found.append((name_of(track), File(file.division, [conductor, own], end)))
    return found

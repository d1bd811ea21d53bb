"""The parts of a MIDI file: who plays where, so that new notes find the track they belong to.

A part is what a track plays under one program, on however many channels (a controller that bends
each note by itself uses one channel a note); a change of program within a track does not split it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tokenizer.instruments import DRUMS, name
from tokenizer.midi.events import Event, File, text, words
from tokenizer.midi.smf import DRUM_CHANNEL, NAME, NOTE_OFF, NOTE_ON, PORT, PROGRAM

_LATEST = 64


@dataclass(frozen=True)
class Part:
    """A part of a file.

    A channel is a number 0–15 on a port; files of more than 16 channels have several ports.

    Attributes:
        track: the index of its track.
        channel: the channel of its last note, to which new ones go.
        program: the program 0–128 that it is heard as.
        port: the port of its channels.
        channels: all of its channels.
        stated: the program in force at the end, of the track or else of the channel; None where
            the file states none.
        pitches: its latest pitches, used to assign notes among parts with the same program.
    """

    track: int
    channel: int
    program: int
    port: int = 0
    channels: tuple[int, ...] = ()
    stated: int | None = None
    pitches: tuple[int, ...] = field(default=(), repr=False)

    @property
    def centre(self) -> float:
        """The mean of its latest pitches."""
        return float(np.mean(self.pitches)) if self.pitches else 60.0


def parts_of(file: File) -> list[Part]:
    """The parts of a file in the order of its tracks, each heard as the program that it states."""
    anywhere = _programs([event for track in file.tracks for event in track])
    return [
        part for index, track in enumerate(file.tracks) for part in _parts(index, track, anywhere)
    ]


def _programs(events: Sequence[Event]) -> dict[int, int]:
    """The program of each channel at the end of the events."""
    last = sorted((e for e in events if e.kind == PROGRAM), key=lambda event: event.tick)
    return {event.data[0] & 15: event.data[1] for event in last}


def _parts(index: int, track: Sequence[Event], anywhere: dict[int, int]) -> list[Part]:
    own = anywhere | _programs(track)
    pitches: dict[int | None, list[int]] = defaultdict(list)
    channels: dict[int | None, list[int]] = defaultdict(list)
    for event in track:
        if event.kind == NOTE_ON and event.data[2] > 0:
            channel = event.data[0] & 15
            stated = DRUMS if channel == DRUM_CHANNEL else own.get(channel)
            pitches[stated].append(event.data[1])
            channels[stated].append(channel)
    return [
        Part(
            index,
            channels[stated][-1],
            stated or 0,
            port_of(track),
            tuple(sorted(set(channels[stated]))),
            stated,
            tuple(pitches[stated][-_LATEST:]),
        )
        for stated in sorted(channels, key=lambda stated: min(channels[stated]))
    ]


def port_of(track: Sequence[Event]) -> int:
    """The port of a track's channels."""
    ports = [event.data[3] for event in track if event.meta == PORT and len(event.data) == 4]
    return ports[-1] if ports else 0


def name_of(track: Sequence[Event]) -> str:
    """The name of a track, or ""."""
    return next((words(event).strip() for event in track if event.meta == NAME), "")


def channels_with_notes(track: Sequence[Event]) -> list[int]:
    """The channels on which a track plays."""
    channels = {e.channel for e in track if e.kind == NOTE_ON and e.channel is not None}
    return sorted(channels)


def free_channels(file: File) -> list[int]:
    """The non-drum channels that the file does not use, lowest first."""
    used = {event.channel for track in file.tracks for event in track}
    return [c for c in range(16) if c not in used and c != DRUM_CHANNEL]


def one_part_a_track(file: File) -> File:
    """Split a file of type 0 into one with a track for each channel with notes.

    Other files stay as they are, also those of type 0 that have several tracks all the same. Events
    without a channel stay first.
    """
    if file.kind != 0 or len(file.tracks) != 1:
        return file
    (track,) = file.tracks
    sounding = channels_with_notes(track)
    if not sounding:
        return file
    others = {event.channel for event in track} - set(sounding)
    tracks = [[event for event in track if event.channel in others]]
    tracks += [[e for e in track if e.channel == channel] for channel in sounding]
    return File(file.division, tracks, file.end)


def numbers_of(file: File) -> list[int]:
    """The number by which users name each track of the score that a file reads as, in its order.

    Tracks of a file count from 1, one without notes too; where all is in one track, its channels.
    """
    places = places_of(file)
    if len(file.tracks) > 1:
        return [track + 1 for track, _ in places]
    channels = sorted({channel for _, channel in places})
    return [channels.index(channel) + 1 for _, channel in places]


def named(file: File, parts: Sequence[Part]) -> File:
    """The file with a name for each unnamed track with a part: that of its instrument."""
    tracks = list(file.tracks)
    for part in reversed(parts):
        own = file.tracks[part.track]
        if not any(event.meta == NAME for event in own):
            tracks[part.track] = [Event(0, text(NAME, name(part.program))), *own]
    return replace(file, tracks=tracks)


def places_of(file: File) -> list[tuple[int, int]]:
    """The (track, channel) of each track of the score that a file reads as, in its order.

    A score has a track for each program that a channel of a track plays; notes are paired first in,
    first out.
    """
    found: set[tuple[int, int, int]] = set()
    for index, track in enumerate(file.tracks):
        programs: dict[int, int] = {}
        begun: dict[tuple[int, int], deque[int]] = defaultdict(deque)
        for event in track:
            channel = event.data[0] & 15
            if event.kind == PROGRAM:
                programs[channel] = event.data[1]
            elif event.kind == NOTE_ON and event.data[2] > 0:
                begun[channel, event.data[1]].append(programs.get(channel, 0))
            elif event.kind in (NOTE_ON, NOTE_OFF) and begun[channel, event.data[1]]:
                found.add((index, channel, begun[channel, event.data[1]].popleft()))
    return [(track, channel) for track, channel, _ in sorted(found)]

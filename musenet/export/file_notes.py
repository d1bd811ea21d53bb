"""The notes of a user's file: the events that begin and end each, and the program it has."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tokenizer.instruments import DRUMS
from tokenizer.midi import smf
from tokenizer.midi.events import Event, File
from tokenizer.midi.smf import NOTE_OFF, NOTE_ON
from tokenizer.midi.to_score import drum_channels
from tokenizer.typing import Array, Integers

FILE_NOTES = np.dtype(
    [(name, np.int64) for name in ("start", "end", "pitch", "velocity", "program")]
    + [(name, np.int64) for name in ("track", "channel", "port", "on", "off")]
)
"""Notes of a file: ticks, the program as a score has it, where they stand, and the numbers of their
two events in the track."""

_FOREVER = 1 << 40

Spot = tuple[int, int]
"""A track and a channel."""


@dataclass(frozen=True)
class FileNotes:
    """The notes of a file and what else matters to notes that are put beside them.

    Attributes:
        notes: `FILE_NOTES`, by start.
        busy: for each port × 16 + channel and pitch, the ticks between which nothing may be put:
            notes that never end, and note-offs without a note, which would end another.
        programs: the ticks and values of the program changes of each track and channel.
        drums: (port, channel) of drum parts.
        ports: of each track.
        heard: programs of tracks and channels that are heard as others than the file states.
    """

    notes: Array
    busy: dict[tuple[int, int], list[tuple[int, int]]]
    programs: dict[Spot, list[tuple[int, int]]]
    drums: frozenset[tuple[int, int]]
    ports: tuple[int, ...]
    heard: Mapping[Spot, int] = field(default_factory=dict)

    @cached_property
    def spots(self) -> tuple[Spot, ...]:
        """The tracks and channels with notes or a program."""
        with_notes = set(zip(*(self.notes[n].tolist() for n in ("track", "channel")), strict=True))
        return tuple(sorted(with_notes | set(self.programs)))

    def program_at(self, spot: Spot, tick: int) -> int:
        """The program of a track and channel at a tick; before its first change, that one's."""
        track, channel = spot
        if spot in self.heard:
            return self.heard[spot]
        if (self.ports[track], channel) in self.drums:
            return DRUMS
        changes = self.programs.get(spot, [])
        before = bisect_right([at for at, _ in changes], tick)
        return changes[max(before - 1, 0)][1] if changes else 0


def file_notes(file: File, heard: Mapping[Spot, int] | None = None) -> FileNotes:
    """The notes of a file, paired and with their programs as `tokenizer.midi.read` has them.

    Args:
        file: the file.
        heard: other programs of some tracks and channels, which they are heard as.
    """
    heard = heard or {}
    parsed: list[smf.Events] = []
    rows: list[tuple[int, ...]] = []
    busy: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    programs: dict[Spot, list[tuple[int, int]]] = {}
    for number, track in enumerate(file.tracks):
        into = smf.Events()
        offs, strays, unfinished = _read(track, into)
        parsed.append(into)
        for (start, length, pitch, velocity, program, channel, on), off in zip(
            into.notes, offs, strict=True
        ):
            row = (start, start + length, pitch, velocity, program)
            rows.append((*row, number, channel, into.port, on, off))
        for begin, end, channel, pitch in [*strays, *unfinished]:
            busy[into.port << 4 | channel, pitch].append((begin, end))
        for time, _, channel, program in into.programs:
            programs.setdefault((number, channel), []).append((time, program))
    drums = drum_channels(parsed)
    notes = np.array(rows, dtype=FILE_NOTES) if rows else np.empty(0, FILE_NOTES)
    percussion = np.array(
        [(port, c) in drums for port, c in zip(notes["port"], notes["channel"], strict=True)], bool
    )
    notes["program"][percussion] = DRUMS
    for (number, channel), program in heard.items():
        mine = (notes["track"] == number) & (notes["channel"] == channel)
        notes["program"][mine] = program
    ports = tuple(events.port for events in parsed)
    # Channel 10 is for drums where it has no notes too.
    silent = {(port, smf.DRUM_CHANNEL) for port in ports} - {
        (port, channel) for port, channel in zip(notes["port"], notes["channel"], strict=True)
    }
    order = np.lexsort((notes["on"], notes["track"], notes["start"]))
    return FileNotes(notes[order], dict(busy), programs, frozenset(drums | silent), ports, heard)


def _read(
    track: Sequence[Event], into: smf.Events
) -> tuple[list[int], list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Read a track: the events that end its notes, note-offs without a note, notes without an end.

    The last two as (begin, end, channel, pitch).
    """
    channels = smf.Channels(into)
    offs: list[int] = []
    strays: list[tuple[int, ...]] = []
    for number, (tick, data) in enumerate(track):
        status = data[0]
        if status >= 0xF0:
            smf.read_special(data, 0, len(data), tick, into)
            continue
        before = len(into.notes)
        channels.event(status, data[1], data[2] if len(data) > 2 else 0, tick, number)
        if len(into.notes) > before:
            offs.append(number)
        elif status & 0xF0 == NOTE_OFF or (status & 0xF0 == NOTE_ON and not data[2]):
            strays.append((tick, tick, status & 0x0F, data[1]))
    unfinished: list[tuple[int, ...]] = [
        (start, _FOREVER, channel, pitch)
        for waiting in channels.sounding.values()
        for start, pitch, _, _, channel, _ in waiting
    ]
    return offs, strays, unfinished


def spots_of(here: FileNotes, tracks: Integers | Iterable[int]) -> tuple[Spot, ...]:
    """The tracks and channels of some tracks."""
    wanted = set(tracks)
    return tuple(spot for spot in here.spots if spot[0] in wanted)

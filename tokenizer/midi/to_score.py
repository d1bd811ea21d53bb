"""From the parsed tracks of a MIDI file to the columns of a score.

A track of a score is what one track of the file plays on one channel with one program, in the order
of file track, channel and program; tracks without notes are left out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tokenizer.errors import MidiError
from tokenizer.instruments import DRUMS
from tokenizer.score import columns
from tokenizer.score.columns import LAST_TICK, NO_TRACK, SUSTAIN
from tokenizer.score.score import Score, Track
from tokenizer.typing import Array

from . import smf
from .layout import Layout, quarter_of_smpte
from .repair import SharedChannel

BANK, XG_DRUM_BANKS = 0, 126  # the control of the bank's upper part, and the first with drum kits

Place = tuple[int, int, int]  # file track, channel, program


def assembled(layout: Layout, parsed: list[smf.Events], by_channel: bool) -> Score:
    """A score of the parsed tracks of a file.

    Args:
        layout: the file's header; SMPTE time becomes quarters of the same length.
        parsed: a file's tracks; type 2 is laid out one song after another.
        by_channel: give each note the program that its channel has at that time, whichever track
            set it, as a synthesiser does; otherwise the one its own track set.

    Raises:
        MidiError: if the music is too long for 31 bits of ticks even at one tick a quarter.
    """
    ticks_per_quarter, tempos = layout.division, None
    if layout.division >= 0x8000:
        ticks_per_quarter, microseconds = quarter_of_smpte(layout.division)
        tempos = [(0, microseconds)]
    offsets = _offsets(layout, parsed)
    ticks_per_quarter, divisor = _resolution(ticks_per_quarter, parsed, offsets)
    times = [_Times(offset, divisor) for offset in offsets]
    notes = _notes(parsed, times, by_channel)
    if len(notes) >= NO_TRACK:
        raise MidiError(f"the file has {len(notes)} parts; at most {NO_TRACK - 1} can be held")
    numbers = {place: i for i, place in enumerate(sorted(notes))}
    drums = drum_channels(parsed)
    is_drum = {place: (parsed[place[0]].port, place[1]) in drums for place in numbers}
    known: dict[str, Array] = {
        "notes": _sorted_notes(notes, numbers, is_drum),
        "tempos": _column("tempos", tempos or _tempos(layout, parsed, times)),
        "time_signatures": _column("time_signatures", _timed(parsed, times, "time_signatures")),
        "key_signatures": _column("key_signatures", _timed(parsed, times, "key_signatures")),
    }
    known |= _rest(parsed, times, numbers, known["notes"])
    tracks = tuple(_track(place, parsed, drum) for place, drum in is_drum.items())
    return Score.trusted(ticks_per_quarter, tracks, known)


def text_of(data: bytes) -> str:
    """A text of a MIDI file: UTF-8, or Latin-1 where it is no UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def shared_channels(parsed: list[smf.Events]) -> tuple[SharedChannel, ...]:
    """The channels on which several tracks play, and how many notes that gives another program."""
    played = defaultdict(list)
    for number, events in enumerate(parsed):
        for note in events.notes:
            played[events.port, note[5]].append((number, note))
    changes = _Programs(parsed)
    found = []
    for (port, channel), notes in sorted(played.items()):
        tracks = tuple(sorted({number for number, _ in notes}))
        if len(tracks) < 2:
            continue
        differing = sum(changes.at(port, note) != note[4] for _, note in notes)
        found.append(SharedChannel(port, channel, tracks, len(notes), differing))
    return tuple(found)


def drum_channels(parsed: list[smf.Events]) -> set[tuple[int, int]]:
    """The (port, channel) of every drum part with notes: channel 10, and what GS or XG makes one.

    What holds when the first note of the channel begins holds for all of them.
    """
    begins: dict[tuple[int, int], int] = {}
    banks, parts = defaultdict(list), defaultdict(list)
    for events in parsed:
        for start, _, _, _, _, channel, _ in events.notes:
            place = events.port, channel
            begins[place] = min(start, begins.get(place, start))
        for time, number, value, channel, _ in events.controls:
            if number == BANK:
                banks[events.port, channel].append((time, value >= XG_DRUM_BANKS))
        for time, channel, is_drum in events.drum_parts:
            parts[events.port, channel].append((time, is_drum))
    xg = any(events.xg for events in parsed)
    found = set()
    for place, begin in begins.items():
        is_drum = place[1] == smf.DRUM_CHANNEL
        if xg:
            is_drum |= _in_force(banks[place], begin, False)
        if _in_force(parts[place], begin, is_drum):
            found.add(place)
    return found


def _in_force(changes: list[tuple[int, bool]], time: int, otherwise: bool) -> bool:
    """The last of changes at or before a tick."""
    before = sorted((at, number, value) for number, (at, value) in enumerate(changes) if at <= time)
    return before[-1][2] if before else otherwise


def pedals_of(controls: Array, end: int) -> Array:
    """The times for which each track's sustain pedal is down (64 or more), as `PEDALS`.

    Args:
        controls: as in a score.
        end: where a pedal that is never released goes up, or at the last control if that is later.
    """
    presses = controls[controls["number"] == SUSTAIN]
    if not len(presses):
        return _column("pedals", [])
    end = max(end, int(controls["time"][-1]))
    rows = []
    for track in np.unique(presses["track"]).tolist():
        mine = presses[presses["track"] == track]
        down = mine["value"] >= 64
        changes = np.flatnonzero(np.diff(down, prepend=False))
        times = mine["time"][changes].tolist()
        times += [end] if len(times) % 2 else []
        rows += [(on, off - on, track) for on, off in zip(times[::2], times[1::2], strict=True)]
    return _column("pedals", sorted(rows))


class _Times:
    """A file track's ticks as the score's: moved, and coarser where they would not fit."""

    def __init__(self, offset: int, divisor: int) -> None:
        self.offset = offset
        self.divisor = divisor
        self.unchanged = offset == 0 and divisor == 1

    def __call__(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        if self.unchanged:
            return rows
        return [((row[0] + self.offset) // self.divisor, *row[1:]) for row in rows]

    def notes(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        if self.unchanged:
            return rows
        result = []
        for start, duration, *others in rows:
            begin = (start + self.offset) // self.divisor
            end = (start + duration + self.offset) // self.divisor
            result.append((begin, max(end - begin, min(duration, 1)), *others))
        return result


class _Programs:
    """The program of each port's channels over the time of the whole file."""

    def __init__(self, parsed: Iterable[smf.Events]) -> None:
        changes = defaultdict(list)
        for events in parsed:
            for time, offset, channel, program in events.programs:
                changes[events.port, channel].append((time, offset, program))
        self.changes = {place: sorted(rows) for place, rows in changes.items()}

    def at(self, port: int, note: tuple[int, ...]) -> int:
        """The program that plays a note: at the same tick, the file's order decides."""
        start, _, _, _, _, channel, offset = note
        rows = self.changes.get((port, channel), [])
        index = bisect_right(rows, (start, offset, -1))
        return rows[index - 1][2] if index else 0


def _offsets(layout: Layout, parsed: list[smf.Events]) -> list[int]:
    """The tick at which each file track begins: 0, but in type 2 after the song before it."""
    if layout.format != 2:
        return [0] * len(parsed)
    ends = np.cumsum([0, *(events.end for events in parsed)])
    return [int(end) for end in ends[:-1]]


def _resolution(ticks: int, parsed: list[smf.Events], offsets: list[int]) -> tuple[int, int]:
    """Ticks per quarter note, and what to divide times by, so that the last event fits."""
    last = max((e.end + offset for e, offset in zip(parsed, offsets, strict=True)), default=0)
    for divisor in range(last // (LAST_TICK + 1) + 1, ticks + 1):
        if ticks % divisor == 0:
            return ticks // divisor, divisor
    raise MidiError(f"the music lasts {last} ticks, more than {LAST_TICK} quarters")


def _notes(
    parsed: list[smf.Events], times: list[_Times], by_channel: bool
) -> dict[Place, Sequence[tuple[Any, ...]]]:
    """The notes by the place they are played at."""
    changes = _Programs(parsed) if by_channel else None
    places = defaultdict(list)
    for number, events in enumerate(parsed):
        for note in events.notes:
            program = note[4] if changes is None else changes.at(events.port, note)
            places[number, note[5], program].append(note)
    return {place: times[place[0]].notes(rows) for place, rows in places.items()}


def _sorted_notes(
    groups: dict[Place, Sequence[tuple[Any, ...]]],
    numbers: dict[Place, int],
    is_drum: dict[Place, bool],
) -> Array:
    rows = [
        (
            start,
            duration,
            pitch,
            velocity,
            DRUMS if is_drum[place] else place[2],
            numbers[place],
        )
        for place, notes in groups.items()
        for start, duration, pitch, velocity, *_ in notes
    ]
    return _column("notes", rows)


def _tempos(layout: Layout, parsed: list[smf.Events], times: list[_Times]) -> list[tuple[int, int]]:
    """The tempos of all tracks; in type 2 each song begins with its own, or with 120."""
    rows = [row for events, at in zip(parsed, times, strict=True) for row in at(events.tempos)]
    if layout.format == 2 and rows:
        starts = [(at.offset // at.divisor, columns.DEFAULT_TEMPO) for at in times]
        rows = starts + rows  # the sort is stable: a song's own tempo replaces the default
    return rows


def _timed(parsed: list[smf.Events], times: list[_Times], kind: str) -> list[tuple[Any, ...]]:
    return [
        row for events, at in zip(parsed, times, strict=True) for row in at(getattr(events, kind))
    ]


def _column(kind: str, rows: Sequence[tuple[Any, ...]]) -> Array:
    array = columns.ordered(kind, np.array(rows, columns.DTYPES[kind]))
    array.flags.writeable = False
    return array


def _track(place: Place, parsed: list[smf.Events], is_drum: bool) -> Track:
    number, _, program = place
    name = text_of(parsed[number].name)
    if is_drum:
        return Track(name, DRUMS, True, program)
    return Track(name, program)


def _rest(
    parsed: list[smf.Events], times: list[_Times], numbers: dict[Place, int], notes: Array
) -> dict[str, Array]:
    """The columns that belong to tracks beside the notes, and the markers."""
    owners = _Owners(parsed, numbers)
    controls, bends, lyrics, markers = [], [], [], []
    karaoke = any(text.startswith(smf.KARAOKE) for e in parsed for _, text in e.texts)
    for number, (events, at) in enumerate(zip(parsed, times, strict=True)):
        for time, control, value, channel, program in at(events.controls):
            owner = owners.of(number, channel, program)
            if owner is not None:
                controls.append((time, control, value, owner))
        for time, value, channel, program in at(events.pitch_bends):
            owner = owners.of(number, channel, program)
            if owner is not None:
                bends.append((time, value, owner))
        first = owners.first_of_track.get(number, NO_TRACK)
        sung = [row for row in events.texts if not row[1].startswith(b"@")] if karaoke else []
        lyrics += [(t, first, text_of(text)) for t, text in at(events.lyrics + sung) if text]
        markers += [(t, NO_TRACK, text_of(text)) for t, text in at(events.markers) if text]
    result = {
        "controls": _column("controls", controls),
        "pitch_bends": _column("pitch_bends", bends),
        "lyrics": _column("lyrics", lyrics),
        "markers": _column("markers", markers),
    }
    result["pedals"] = pedals_of(result["controls"], columns.end(notes))
    return result


class _Owners:
    """Which track of the score a channel's controls belong to.

    The one with the channel's program at that time; else, of the tracks that the same file track
    plays on that channel, the one with the lowest program; else the first that plays on the
    channel at all. A channel without notes has none: nobody hears its controls.
    """

    def __init__(self, parsed: list[smf.Events], numbers: dict[Place, int]) -> None:
        self.numbers = numbers
        self.ports = [events.port for events in parsed]
        self.first_of_track: dict[int, int] = {}
        self.in_track: dict[tuple[int, int], int] = {}
        self.on_channel: dict[tuple[int, int], int] = {}
        for (track, channel, _), number in numbers.items():
            self.first_of_track.setdefault(track, number)
            self.in_track.setdefault((track, channel), number)
            self.on_channel.setdefault((self.ports[track], channel), number)

    def of(self, track: int, channel: int, program: int) -> int | None:
        found = self.numbers.get((track, channel, program))
        if found is None:
            found = self.in_track.get((track, channel))
        return self.on_channel.get((self.ports[track], channel)) if found is None else found

"""Salvage: what can be read of a truncated or header-damaged MIDI file, and what was lost.

`tokenizer.midi.read.read(…, repair=True)` uses it. Everything before the damage is kept as it is
and nothing after it is guessed: with flipped or inserted bytes, 40–73 % of the notes that could be
'recovered' after the damage are wrong. Two things are certain enough to read on: an end of track
with sound events behind it, and a data byte above 127 after which all is sound to the end, and
would not be if another byte were missing: in 400 files with bit 7 of one byte flipped that keeps
13.8 % more notes, 59,630 in all, one of them wrong (`benchmarks/repair.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizer.errors import MidiError

from . import smf
from .layout import Layout, check_division, foreign, unwrapped

DEFAULT_DIVISION = 480  # ticks per quarter note where the header's own number cannot be


@dataclass(frozen=True)
class SharedChannel:
    """A channel on which notes of several tracks are played.

    Attributes:
        port: the MIDI port.
        channel: 0–15.
        tracks: the numbers of the file's tracks with notes on it, from 0.
        notes: how many notes they play.
        differing: how many of these a synthesiser plays with another program than their own
            track asks for, because another track changed it; `programs="channel"` reads them so.
    """

    port: int
    channel: int
    tracks: tuple[int, ...]
    notes: int
    differing: int


@dataclass(frozen=True)
class Report:
    """What was met in a file beside its music.

    Attributes:
        format: the file's type, 0, 1 or 2.
        damage: what was broken and how it was read, in words; empty for a sound file.
        oddities: what is unusual but was read without doubt, in words.
        notes: notes kept.
        unfinished: notes without an end; they are dropped.
        bytes_dropped: bytes behind damage that were not read.
        shared_channels: channels that several tracks play on.
    """

    format: int = 1
    damage: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    notes: int = 0
    unfinished: int = 0
    bytes_dropped: int = 0
    shared_channels: tuple[SharedChannel, ...] = ()

    @property
    def repaired(self) -> bool:
        """Whether anything was broken."""
        return bool(self.damage)


@dataclass
class Salvage:
    """The outcome of `salvaged`: the parts of a file, and what was done to get them."""

    layout: Layout
    tracks: list[smf.Events]
    damage: list[str]
    bytes_dropped: int


def salvaged(data: bytes) -> Salvage | None:
    """Read as much as stands before the damage in each track of a file; None without a track."""
    damage: list[str] = []
    data = _out_of_riff(data, damage)
    if b"MTrk" not in data or foreign(data) is not None:
        return None
    layout = _header(data, damage)
    starts = _track_starts(data)
    tracks = []
    dropped = max(starts[0] - 14, 0)
    for number, (at, after) in enumerate(zip(starts, [*starts[1:], len(data)], strict=True)):
        begin = min(at + 8, len(data))
        size = int.from_bytes(data[at + 4 : begin], "big")
        if size != after - begin:
            damage.append(
                f"track {number + 1} says it has {size} bytes and has {after - begin}; "
                "read to where it ends"
            )
        events = smf.Events()
        dropped += after - _read_track(data, begin, after, events, number, damage)
        tracks.append(events)
        layout.tracks.append((begin, after))
    return Salvage(layout, tracks, damage, dropped)


def read_past_ends(data: bytes, layout: Layout, tracks: list[smf.Events]) -> list[str]:
    """Read on where an end of track stands before a track's last event; what was done, in words.

    Args:
        data: a file that strict reading accepts, out of its wrapping.
        layout: its chunks.
        tracks: what strict reading found, replaced where there is more.
    """
    damage: list[str] = []
    for number, (begin, after) in enumerate(layout.tracks):
        end = smf.read_events(data, begin, after, smf.Events())
        if end < after:
            events = smf.Events()
            _read_track(data, begin, after, events, number, damage)
            tracks[number] = events
    return damage


def _read_track(
    data: bytes, begin: int, after: int, events: smf.Events, number: int, damage: list[str]
) -> int:
    """Read what can be read of a track, noting its damage; the offset up to which it is read."""
    reader = smf.TrackReader(data, begin, after, events)
    while True:
        try:
            end = reader.read()
        except MidiError as error:
            offset = begin if error.offset is None else error.offset
            if _is_certain(reader, offset):
                reader.skip_bad_data()
                damage.append(f"track {number + 1}, byte {offset}: {error.reason}; passed over")
                continue
            damage.append(
                f"track {number + 1} is kept up to byte {offset} (tick {events.end}): "
                f"{error.reason}"
            )
            return offset
        if end == after or not _goes_on(data, end, after):
            return end
        damage.append(f"track {number + 1} has an end at byte {end}, before its last event")


def _is_certain(reader: smf.TrackReader, bad: int) -> bool:
    """Whether it can be told where the event after one with a bad data byte begins.

    The broken event must have its status: after damage elsewhere, what is taken for running status
    need not be one. All that follows must be sound to the end of the track, and must not be if a
    byte is missing instead, so that the bad one is the first of a delta.
    """
    data, status, stop = reader.data, reader.status, reader.stop
    if not status or data[bad : bad + 1] < b"\x80" or data[bad - 1] != status:
        return False
    longer, shorter = (
        smf.TrackReader(data, at, stop, smf.Events())
        for at in (bad + smf.DATA_BYTES[status & 0xF0], bad)
    )
    longer.status = shorter.status = status
    return _is_sound(longer) and not _is_sound(shorter)


def _is_sound(reader: smf.TrackReader) -> bool:
    """Whether the rest of a track has no fault, up to an end where it should be."""
    try:
        return reader.read() == reader.stop and smf.NO_END not in reader.into.oddities
    except MidiError:
        return False


def _goes_on(data: bytes, end: int, after: int) -> bool:
    """Whether sound events with notes, up to another end, stand behind the end of a track."""
    reader = smf.TrackReader(data, end, after, smf.Events())
    return _is_sound(reader) and bool(reader.into.notes)


def _out_of_riff(data: bytes, damage: list[str]) -> bytes:
    """Take RIFF wrapping off, even one with wrong sizes."""
    if data[:4] == b"RIFF" and data[8:12] != b"WAVE":
        at = data.find(b"MThd")
        inner = data[at:] if at > 0 else b""
        try:
            whole, _ = unwrapped(data)
        except MidiError as error:
            damage.append(error.reason)
            return inner
        if len(whole) < len(inner) and b"MTrk" in inner[len(whole) :]:
            damage.append("the RIFF wrapping gives too small a size; read on")
            return inner
        return whole
    return data


def _header(data: bytes, damage: list[str]) -> Layout:
    """The header, with a usable value for each field that is broken."""
    if data[:4] == b"MThd" and len(data) >= 14:
        kind = int.from_bytes(data[8:10], "big")
        division = int.from_bytes(data[12:14], "big")
        if int.from_bytes(data[4:8], "big") != 6:
            damage.append("the header's length is wrong; read as 6 bytes")
    else:
        at = data.find(b"MTrk")
        # the fields stand right before the first track, whatever became of what is before them
        kind = int.from_bytes(data[max(at - 6, 0) : max(at - 4, 0)], "big")
        division = int.from_bytes(data[max(at - 2, 0) : at], "big")
        damage.append("the header is broken; its fields are taken from before the first track")
    if kind > 2:
        damage.append(f"the file says it is of type {kind}; read as type 1")
        kind = 1
    try:
        check_division(division)
    except MidiError as error:
        damage.append(f"{error.reason}; read as {DEFAULT_DIVISION} ticks per quarter note")
        division = DEFAULT_DIVISION
    return Layout(kind, division)


def _track_starts(data: bytes) -> list[int]:
    """Where each track's chunk begins: every 'MTrk' that an event of another does not hold."""
    starts = []
    at = data.find(b"MTrk")
    while at >= 0:
        starts.append(at)
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        after = at + 8 + size
        inside = data[after : after + 4] == b"MTrk" or after == len(data)
        at = data.find(b"MTrk", after if inside else at + 4)
    return starts

"""A Standard MIDI File as tracks of timed raw bytes: a user's events pass through untouched.

`tokenizer.midi.smf` reads music; this reads none. It knows where one event ends and the next begins
and nothing of what they mean, so every kind of event (System Exclusive, aftertouch, texts in any
encoding, meta events nobody has heard of) comes out as it went in. Only running status is written
out, and the end of a track is put where its last event is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tokenizer.errors import MidiError

from .smf import END, body_of, data_bytes, read_length

META, EXCLUSIVE, ESCAPE = 0xFF, 0xF0, 0xF7
LONGEST_DELTA = 2**28 - 1


class Event(NamedTuple):
    """One event: when, in ticks from the beginning, and its bytes with status and without delta."""

    tick: int
    data: bytes

    @property
    def kind(self) -> int:
        """The status without channel, 0x80–0xE0, or the whole status of the others (0xF0–0xFF)."""
        return self.data[0] & 0xF0 if self.data[0] < 0xF0 else self.data[0]

    @property
    def channel(self) -> int | None:
        """The channel 0–15, or None where the event has none."""
        return self.data[0] & 0x0F if self.data[0] < 0xF0 else None

    @property
    def meta(self) -> int | None:
        """The type of a meta event, or None."""
        return self.data[1] if self.data[0] == META else None


@dataclass
class File:
    """What a file holds.

    Attributes:
        division: ticks per quarter note.
        tracks: the events of each track in order of time, without its end.
        end: the tick at which the file says it ends; `dump` never ends before the last event.
        kind: the file's type: 0 where one track holds all channels, else 1, as `dump` writes it.
    """

    division: int
    tracks: list[list[Event]]
    end: int = 0
    kind: int = 1


class UnsupportedMidi(ValueError):
    """Bytes that are not a well-formed type 0 or 1 file with ticks per quarter note."""


def parse(data: bytes) -> File:
    """Split a file into its events.

    Raises:
        UnsupportedMidi: for a file that needs repair, is of type 2 or uses SMPTE time.
    """
    try:
        if data[:8] != b"MThd\x00\x00\x00\x06":
            raise UnsupportedMidi("no MIDI header")
        kind, _, division = struct.unpack(">HHH", data[8:14])
        if kind > 1 or not 0 < division < 0x8000:
            raise UnsupportedMidi("type 2 or SMPTE time")
        read = [_track(chunk) for name, chunk in _chunks(data, 14) if name == b"MTrk"]
        end = max((end for _, end in read), default=0)
        return File(division, [events for events, _ in read], end, kind)
    except (IndexError, MidiError, struct.error) as error:
        raise UnsupportedMidi(str(error) or "cut off") from error


def _chunks(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """The name and the bytes of each chunk."""
    while at < len(data):
        name, length = struct.unpack(">4sI", data[at : at + 8])
        at += 8
        if at + length > len(data):
            raise UnsupportedMidi("cut off")
        yield name, data[at : at + length]
        at += length


def _track(data: bytes) -> tuple[list[Event], int]:
    """The events of a track, and the tick of its end."""
    events: list[Event] = []
    at, tick, running = 0, 0, 0
    while True:
        delta, at = read_length(data, at, len(data))
        tick += delta
        status = data[at]
        if status < 0x80:
            status = running
        else:
            at += 1
        start = at
        if status >= 0xF0:
            if status not in (META, EXCLUSIVE, ESCAPE):
                raise UnsupportedMidi("a status that files do not have")
            _, at = body_of(data, start - 1, len(data))
            if at > len(data):
                raise UnsupportedMidi("cut off")
            if status == META and data[start] == END:
                return events, tick
            # Meta and exclusive events end running status; some writers go on with it all the same.
        else:
            if status < 0x80:
                raise UnsupportedMidi("data without a status")
            running = status
            _, _, at = data_bytes(data, at, len(data), status)
        events.append(Event(tick, bytes((status,)) + data[start:at]))


def variable_length(value: int) -> bytes:
    """A number as one to four bytes of seven bits, as deltas and lengths are written."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def _delta(ticks: int) -> bytes:
    """A delta; one that four bytes cannot hold is cut into several by empty texts."""
    if ticks < 0:  # written as 2^28 ticks less, it would move the rest of the track
        raise ValueError("the events of a track must be in order of time")
    count, rest = divmod(ticks, LONGEST_DELTA)
    return (variable_length(LONGEST_DELTA) + meta(1, b"")) * count + variable_length(rest)


def meta(kind: int, data: bytes) -> bytes:
    """A meta event."""
    return bytes((META, kind)) + variable_length(len(data)) + data


def text(kind: int, words: str) -> bytes:
    """A meta event with text, in UTF-8: 1 text, 3 track name, 5 lyric, 6 marker."""
    return meta(kind, words.encode("utf-8", "surrogateescape"))


def dump(file: File) -> bytes:
    """A type 1 file of the tracks; all of them end where the last one does."""
    end = max([file.end, *(track[-1].tick for track in file.tracks if track)])
    chunks = [(b"MTrk", _body(track, end)) for track in file.tracks]
    return _joined(1, len(file.tracks), file.division, chunks)


def dump_over(data: bytes, file: File) -> bytes:
    """The bytes of a file made from another by changing tracks, or adding or dropping the last.

    Tracks that are as in `data`, chunks of other kinds and the ends of tracks stay byte for byte.

    Raises:
        UnsupportedMidi: if `parse` does not take `data`.
    """
    end = parse(data).end
    chunks, number = [], 0
    for name, chunk in _chunks(data, 14):
        if name == b"MTrk":
            number += 1
            if number > len(file.tracks):
                continue
            events, own_end = _track(chunk)
            if file.tracks[number - 1] != events:
                chunk = _body(file.tracks[number - 1], own_end)
        chunks.append((name, chunk))
    chunks += [(b"MTrk", _body(track, end)) for track in file.tracks[number:]]
    kind = struct.unpack(">H", data[8:10])[0] if len(file.tracks) <= number else 1
    return _joined(kind, len(file.tracks), file.division, chunks)


def _body(track: list[Event], end: int) -> bytes:
    """The bytes of a track that ends at a tick, or with its last event if that is later."""
    body = bytearray()
    now = 0
    for event in [*track, Event(max([end, *(e.tick for e in track[-1:])]), meta(END, b""))]:
        body += _delta(event.tick - now) + event.data
        now = event.tick
    return bytes(body)


def _joined(kind: int, tracks: int, division: int, chunks: list[tuple[bytes, bytes]]) -> bytes:
    header = struct.pack(">4sIHHH", b"MThd", 6, kind, tracks, division)
    packed = [struct.pack(">4sI", name, len(chunk)) + chunk for name, chunk in chunks]
    return b"".join([header, *packed])


def body(event: Event) -> bytes:
    """What a meta event holds, without its type and length."""
    _, start = read_length(event.data, 2, len(event.data))
    return event.data[start:]


def words(event: Event) -> str:
    """The text of a meta event; bytes that are not UTF-8 are replaced."""
    return body(event).decode("utf-8", "replace")

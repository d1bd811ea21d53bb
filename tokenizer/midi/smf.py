"""The Standard MIDI File, byte by byte: which chunks a file has, and the events of one track.

Every byte is checked: what breaks the format raises `MidiError` with its offset, and what is odd
but unambiguous is noted in words. `tokenizer.midi.read` uses it for files that symusic does not
read exactly and for the columns that symusic does not give in full, `tokenizer.midi.repair` to keep
what came before the damage.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from tokenizer.errors import MidiError

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0} | dict.fromkeys(
    (0xF8, 0xFA, 0xFB, 0xFC, 0xFE), 0
)
TEXT, NAME, LYRIC, MARKER, PORT, END, TEMPO, TIME, KEY = 1, 3, 5, 6, 0x21, 0x2F, 0x51, 0x58, 0x59
DRUM_CHANNEL = 9  # counted from 0
NO_END = "no end-of-track event"
KARAOKE = b"@KMIDI KARAOKE"
FRAMES_PER_SECOND = (24, 25, 29, 30)  # 29 stands for 30000/1001

# What other files saved as .mid begin with, and what to tell their owner.
FOREIGN = (
    (b"PK\x03\x04", "this is a zip archive, not a MIDI file; unpack it first"),
    (b"\x1f\x8b", "this is a gzip archive, not a MIDI file; unpack it first"),
    (b"\xfd7zXZ", "this is an xz archive, not a MIDI file; unpack it first"),
    (b"7z\xbc\xaf", "this is a 7z archive, not a MIDI file; unpack it first"),
    (b"Rar!", "this is a rar archive, not a MIDI file; unpack it first"),
    (b"XMF_", "this is an XMF file, which packs MIDI and sounds; export its MIDI track first"),
    (b"ID3", "this is an MP3 recording, not a MIDI file"),
    (b"OggS", "this is an Ogg recording, not a MIDI file"),
    (b"fLaC", "this is a FLAC recording, not a MIDI file"),
    (b"%PDF", "this is a PDF document, not a MIDI file"),
    (b"\x89PNG", "this is a picture, not a MIDI file"),
    (b"<?xml", "this is XML (perhaps MusicXML), not a MIDI file; export it as MIDI"),
)


@dataclass
class Layout:
    """Where the parts of a file are.

    Attributes:
        format: 0, 1 or 2.
        division: ticks per quarter note, or 0x8000 and more for SMPTE time.
        tracks: the first byte and the byte after the last of each track's events.
        oddities: what is odd about header and chunks, in words.
    """

    format: int
    division: int
    tracks: list[tuple[int, int]] = field(default_factory=list)
    oddities: list[str] = field(default_factory=list)


@dataclass
class Events:
    """What one track of a file holds; times in ticks from its beginning.

    Attributes:
        notes: (start, duration, pitch, velocity, program, channel, offset of the note-on); on the
            percussion channel the program is the kit.
        controls: (time, number, value, channel, program).
        pitch_bends: (time, value, channel, program).
        programs: (time, offset, channel, program) of each program change.
        tempos, time_signatures, key_signatures: rows of the columns of a score.
        lyrics, texts, markers: (time, bytes).
        name: the track's name; the last one if it has several.
        port: the MIDI port its channels are on.
        end: the tick of its last event.
        unfinished: how many notes never end; they are not in `notes`.
        oddities: how often each odd thing was met.
    """

    notes: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    controls: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    pitch_bends: list[tuple[int, int, int, int]] = field(default_factory=list)
    programs: list[tuple[int, int, int, int]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    time_signatures: list[tuple[int, int, int]] = field(default_factory=list)
    key_signatures: list[tuple[int, int, bool]] = field(default_factory=list)
    lyrics: list[tuple[int, bytes]] = field(default_factory=list)
    texts: list[tuple[int, bytes]] = field(default_factory=list)
    markers: list[tuple[int, bytes]] = field(default_factory=list)
    name: bytes = b""
    port: int = 0
    end: int = 0
    unfinished: int = 0
    oddities: Counter[str] = field(default_factory=Counter)


def unwrapped(data: bytes) -> tuple[bytes, int]:
    """The MIDI file inside RIFF (`RMID`) wrapping, and its offset; other data as it is, and 0.

    Raises:
        MidiError: for a RIFF file that holds no MIDI.
    """
    if data[:4] != b"RIFF":
        return data, 0
    if data[8:12] != b"RMID":
        kind = data[8:12].decode("latin-1").strip()
        what = "a WAVE recording" if kind == "WAVE" else f"a RIFF file of kind '{kind}'"
        raise MidiError(f"this is {what}, not a MIDI file", offset=8)
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return data[at + 8 : at + 8 + size], at + 8
        at += 8 + size + size % 2
    raise MidiError("the RIFF file has no 'data' chunk, so no music", offset=min(at, len(data)))


def foreign(data: bytes) -> str | None:
    """What kind of file this is, in words, if it is known and no MIDI file."""
    for magic, words in FOREIGN:
        if data.startswith(magic):
            return words
    start = data[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")):
        return "this is a web page (HTML), not a MIDI file; download the file itself"
    return None


def layout(data: bytes) -> Layout:
    """Find the header and the tracks.

    Raises:
        MidiError: if the header breaks the format or a chunk reaches past the file's end.
    """
    found, at = _header(data)
    announced = int.from_bytes(data[10:12], "big")
    while at < len(data):
        kind = data[at : at + 4]
        left = len(data) - at - 8
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        alien = kind != b"MTrk" and (left < 0 or size > left or not kind.isalnum())
        if alien and len(found.tracks) >= announced:
            found.oddities.append(f"{len(data) - at} bytes follow the last track")
            break
        if left < 0 and b"MTrk".startswith(kind):
            raise MidiError("the file is cut off inside a track's header", offset=at)
        if alien:
            raise MidiError(
                f"track {len(found.tracks) + 1} of {announced} should begin here and does not",
                offset=at,
            )
        if size > left:
            raise MidiError(
                f"track {len(found.tracks) + 1} should have {size} bytes and the file has only "
                f"{max(left, 0)} more",
                offset=at,
            )
        if size == 0 and left and data[at + 8 : at + 12] != b"MTrk":
            raise MidiError(f"track {len(found.tracks) + 1} says it has no bytes", offset=at + 4)
        if kind == b"MTrk":
            found.tracks.append((at + 8, at + 8 + size))
        else:
            found.oddities.append(f"a chunk '{kind.decode('latin-1')}' is not known; passed over")
        at += 8 + size
    if len(found.tracks) != announced:
        found.oddities.append(f"the header says {announced} tracks, there are {len(found.tracks)}")
    if found.format == 0 and len(found.tracks) > 1:
        found.oddities.append(f"type 0 with {len(found.tracks)} tracks instead of one")
    return found


def _header(data: bytes) -> tuple[Layout, int]:
    """The header's fields, and the offset of the first chunk."""
    if not data:
        raise MidiError("the file is empty", offset=0)
    if data[:4] != b"MThd":
        raise MidiError(foreign(data) or "this is not a MIDI file (no 'MThd')", offset=0)
    if len(data) < 14:
        raise MidiError("the file is cut off inside its header", offset=len(data))
    size = int.from_bytes(data[4:8], "big")
    if size < 6 or size > len(data) - 8:
        raise MidiError(f"the header says that it has {size} bytes; it has 6", offset=4)
    kind = int.from_bytes(data[8:10], "big")
    if kind > 2:
        raise MidiError(f"the file says it is of type {kind}; there are types 0, 1 and 2", offset=8)
    division = int.from_bytes(data[12:14], "big")
    check_division(division)
    odd = [f"the header has {size} bytes instead of 6"] if size > 6 else []
    return Layout(kind, division, oddities=odd), 8 + size


def check_division(division: int) -> None:
    """Raise MidiError if a header's division gives no length to a tick."""
    if division == 0:
        raise MidiError("the header gives 0 ticks per quarter note, so no tempo", offset=12)
    if division >= 0x8000 and (
        256 - (division >> 8) not in FRAMES_PER_SECOND or not division & 0xFF
    ):
        raise MidiError(
            f"the header counts {256 - (division >> 8)} frames per second of {division & 0xFF} "
            "ticks; SMPTE has 24, 25, 29 or 30 frames",
            offset=12,
        )


def quarter_of_smpte(division: int) -> tuple[int, int]:
    """Ticks and microseconds of a quarter that make a tick exactly as long as SMPTE has it."""
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames == 29:
        return 15 * ticks, 500_500  # a tick is 1001 / (30000 * ticks) seconds
    if frames * ticks % 2 == 0:
        return frames * ticks // 2, 500_000
    return frames * ticks, 1_000_000


def read_length(data: bytes, at: int, stop: int) -> tuple[int, int]:
    """A variable-length number, and the offset after it."""
    value = 0
    for place in range(at, min(at + 4, stop)):
        byte = data[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    if stop - at < 4:
        raise MidiError("the track ends in the middle of a number", offset=at)
    raise MidiError("a number has more than four bytes", offset=at)


def read_events(data: bytes, start: int, stop: int, into: Events) -> int:
    """Read the events of `data[start:stop]` into `into`, up to the end of the track.

    Notes are paired first in, first out, as every library does it.

    Returns:
        The offset after the end of the track.

    Raises:
        MidiError: at the first event that breaks the format; `into` holds all that came before.
    """
    channels = _Channels(into)
    at = start
    time = 0
    status = 0
    after_system = False
    try:
        while at < stop:
            begin = at
            delta, at = read_length(data, at, stop)
            time += delta
            if at >= stop:
                raise MidiError("the track ends in the middle of an event", offset=begin)
            byte = data[at]
            if byte >= 0xF0:
                at, ended = _special(data, at, stop, time, into)
                after_system |= byte != 0xFF
                if ended:
                    into.end = max(into.end, time)
                    return at
                continue
            if byte >= 0x80:
                status = byte
                at += 1
            elif not status:
                raise MidiError("an event without a status byte before it", offset=at)
            elif after_system:
                into.oddities["running status goes on after a system message"] += 1
            after_system = False
            first, second, at = data_bytes(data, at, stop, status)
            channels.event(status, first, second, time, begin)
        into.oddities[NO_END] += 1
        return at
    finally:
        into.unfinished = channels.sounding_notes()


def check_end(data: bytes, start: int, stop: int, events: Events) -> None:
    """Raise MidiError if a track has no end and something else than a track follows it."""
    if NO_END in events.oddities and stop < len(data) and data[stop : stop + 4] != b"MTrk":
        raise MidiError(
            f"the track goes on after the {stop - start} bytes it should have", offset=stop
        )


class _Channels:
    """The state of a track's sixteen channels: their programs, and the notes that still sound."""

    def __init__(self, into: Events) -> None:
        self.into = into
        self.programs = [0] * 16
        self.sounding: dict[int, deque[tuple[int, int, int, int, int, int]]] = {}

    def event(self, status: int, first: int, second: int, time: int, offset: int) -> None:
        """Take one channel event, with 0 where it has no second data byte."""
        kind, channel = status & 0xF0, status & 0x0F
        into = self.into
        into.end = time
        program = self.programs[channel]
        if kind == NOTE_ON and second:
            waiting = self.sounding.setdefault(channel << 7 | first, deque())
            waiting.append((time, first, second, program, channel, offset))
        elif kind in (NOTE_ON, NOTE_OFF):
            self.note_off(time, first, channel)
        elif kind == CONTROL:
            into.controls.append((time, first, second, channel, program))
        elif kind == BEND:
            into.pitch_bends.append((time, (first | second << 7) - 8192, channel, program))
        elif kind == PROGRAM:
            self.programs[channel] = first
            into.programs.append((time, offset, channel, first))

    def note_off(self, time: int, pitch: int, channel: int) -> None:
        """End the note of this pitch that began first."""
        waiting = self.sounding.get(channel << 7 | pitch)
        if waiting:
            start, pitch, velocity, program, channel, offset = waiting.popleft()
            note = (start, time - start, pitch, velocity, program, channel, offset)
            self.into.notes.append(note)
        else:
            self.into.oddities["note-off without a note"] += 1

    def sounding_notes(self) -> int:
        """How many notes have not ended."""
        return sum(map(len, self.sounding.values()))


def data_bytes(data: bytes, at: int, stop: int, status: int) -> tuple[int, int, int]:
    """The one or two data bytes of a channel event (0 for a missing second), and what is next."""
    count = DATA_BYTES[status & 0xF0]
    if at + count > stop:
        raise MidiError("the track ends in the middle of an event", offset=at)
    first = data[at]
    second = data[at + 1] if count == 2 else 0
    if first > 127 or second > 127:
        bad = at if first > 127 else at + 1
        raise MidiError(f"a data byte is {data[bad]}; at most 127 may stand here", offset=bad)
    return first, second, at + count


def _special(data: bytes, at: int, stop: int, time: int, into: Events) -> tuple[int, bool]:
    """Read a System Exclusive or meta event; the next offset, and whether the track has ended."""
    status = data[at]
    if status in SYSTEM_DATA_BYTES:
        into.oddities["a system message, which belongs on a cable; passed over"] += 1
        return min(at + 1 + SYSTEM_DATA_BYTES[status], stop), False
    if status not in (0xF0, 0xF7, 0xFF):
        raise MidiError(f"a status byte (0x{status:02X}) that MIDI does not have", offset=at)
    body, end = body_of(data, at, stop)
    if status == 0xFF and data[at + 1] == END:
        if end > body:
            into.oddities["an end-of-track event with data"] += 1
        end = min(end, stop)
        if end < stop:
            into.oddities["bytes after the end of the track"] += 1
        return end, True
    if status == 0xFF:
        _meta(data[at + 1], data[body:end], time, into)
    return end, False


def body_of(data: bytes, at: int, stop: int) -> tuple[int, int]:
    """Where the body of the meta or System Exclusive event at `at` begins, and where it ends."""
    meta = data[at] == 0xFF
    size, body = read_length(data, at + 1 + meta, stop)
    if body + size > stop and not (meta and data[at + 1] == END):
        had = f"an event should have {size} bytes and the track has only {stop - body} more"
        raise MidiError(had, offset=at)
    return body, body + size


def _meta(kind: int, body: bytes, time: int, into: Events) -> None:
    """Keep a meta event of the kinds that a score holds; note one whose value makes no sense."""
    if kind == TEMPO:
        value = int.from_bytes(body, "big")
        if len(body) == 3 and value:
            into.tempos.append((time, value))
        else:
            into.oddities["a tempo that is none; ignored"] += 1
    elif kind == TIME:
        if len(body) >= 2 and body[0] and body[1] < 16:
            into.time_signatures.append((time, body[0], 1 << body[1]))
        else:
            into.oddities["a time signature that is none; ignored"] += 1
    elif kind == KEY:
        fifths = int.from_bytes(body[:1], "big", signed=True)
        if len(body) >= 2 and -7 <= fifths <= 7 and body[1] < 2:
            into.key_signatures.append((time, fifths, bool(body[1])))
        else:
            into.oddities["a key signature that is none; ignored"] += 1
    elif kind == NAME:
        into.name = body
    elif kind == LYRIC:
        into.lyrics.append((time, body))
    elif kind == TEXT:
        into.texts.append((time, body))
    elif kind == MARKER:
        into.markers.append((time, body))
    elif kind == PORT and len(body) == 1:
        into.port = body[0]
    elif kind >= 0x80:
        into.oddities["a meta event of a kind above 127"] += 1

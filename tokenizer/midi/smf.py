"""The events of one track of a Standard MIDI File, byte by byte.

Every byte is checked: what breaks the format raises `MidiError` with its offset, and what is odd
but unambiguous is noted in words. `tokenizer.midi.read` uses it for files that are not
read in one pass, `tokenizer.midi.repair` to keep what came before the damage.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from tokenizer.errors import MidiError

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
TEXT, NAME, LYRIC, MARKER, PORT, END, TEMPO, TIME, KEY = 1, 3, 5, 6, 0x21, 0x2F, 0x51, 0x58, 0x59
SEQUENCER_SPECIFIC = 0x7F
DRUM_CHANNEL = 9  # counted from 0
NO_END = "no end-of-track event"
KARAOKE = b"@KMIDI KARAOKE"
# System Exclusive messages that say which channels are drums: those of GS begin with 41 dd 42 12 40
# and go on with the part and the parameter, those of XG with 43 1d 4C 08, part and parameter.
ROLAND, GS_PART, GS_PART_MODE = b"\x41", b"\x42\x12\x40", b"\x15"
YAMAHA, XG_PART, XG_PART_MODE, XG_ON = b"\x43", b"\x4c\x08", 7, b"\x4c\x00\x00\x7e"


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
        drum_parts: (time, channel, whether it becomes one) of GS and XG messages.
        xg: whether XG is switched on, where bank 126 or 127 is one of drum kits.
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
    drum_parts: list[tuple[int, int, bool]] = field(default_factory=list)
    xg: bool = False
    name: bytes = b""
    port: int = 0
    end: int = 0
    unfinished: int = 0
    oddities: Counter[str] = field(default_factory=Counter)


def read_length(data: bytes, at: int, stop: int) -> tuple[int, int]:
    """A variable-length number, and the offset after it.

    Raises:
        MidiError: if the track ends in it, or it has more than four bytes.
    """
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
    return TrackReader(data, start, stop, into).read()


class TrackReader:
    """Reads one track, and can go on after an event that breaks the format.

    Attributes:
        at: the offset of the event that comes next, or of the one that broke the format.
        time: the ticks of the event before it.
    """

    def __init__(self, data: bytes, start: int, stop: int, into: Events) -> None:
        self.data, self.stop, self.into = data, stop, into
        self.channels = Channels(into)
        self.at = start
        self.time = 0
        self.status = 0

    def read(self) -> int:
        """Read on, up to the end of the track; see `read_events`."""
        data, stop, into = self.data, self.stop, self.into
        after_system = False
        try:
            while self.at < stop:
                begin = self.at
                delta, at = read_length(data, begin, stop)
                time = self.time + delta
                if at >= stop:
                    raise MidiError("the track ends in the middle of an event", offset=begin)
                byte = data[at]
                if byte >= 0xF0:
                    self.at, ended = read_special(data, at, stop, time, into)
                    self.time = time
                    after_system |= byte != 0xFF
                    if ended:
                        into.end = max(into.end, time)
                        return self.at
                    continue
                if byte >= 0x80:
                    self.status = byte
                    at += 1
                elif not self.status:
                    raise MidiError("an event without a status byte before it", offset=at)
                elif after_system:
                    into.oddities["running status goes on after a system message"] += 1
                after_system = False
                first, second, self.at = data_bytes(data, at, stop, self.status)
                self.time = time
                self.channels.event(self.status, first, second, time, begin)
            into.oddities[NO_END] += 1
            return self.at
        finally:
            into.unfinished = self.channels.unfinished()

    def skip_bad_data(self) -> None:
        """Pass over the channel event that has just raised for a data byte above 127."""
        delta, at = read_length(self.data, self.at, self.stop)
        at += self.data[at] == self.status
        self.channels.damaged(self.status, self.data[at], self.time + delta)
        self.at = at + DATA_BYTES[self.status & 0xF0]
        self.time += delta


def check_end(data: bytes, start: int, stop: int, events: Events) -> None:
    """Raise MidiError if a track has no end and something else than a track follows it."""
    if NO_END in events.oddities and stop < len(data) and data[stop : stop + 4] != b"MTrk":
        raise MidiError(
            f"the track goes on after the {stop - start} bytes it should have", offset=stop
        )


class Channels:
    """The state of a track's sixteen channels: their programs, and the notes that still sound."""

    def __init__(self, into: Events) -> None:
        self.into = into
        self.programs = [0] * 16
        self.sounding: dict[int, deque[tuple[int, int, int, int, int, int]]] = {}
        self.doubtful: set[int] = set()  # keys whose sounding notes may have ended in damage
        self.dropped = 0

    def event(self, status: int, first: int, second: int, time: int, offset: int) -> None:
        """Take one channel event, with 0 where it has no second data byte."""
        kind, channel = status & 0xF0, status & 0x0F
        into = self.into
        into.end = time
        program = self.programs[channel]
        if kind == NOTE_ON and second:
            key = channel << 7 | first
            waiting = self.sounding.setdefault(key, deque())
            if key in self.doubtful:
                self.doubtful.remove(key)
                self.dropped += len(waiting)
                waiting.clear()
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

    def damaged(self, status: int, first: int, time: int) -> None:
        """Take what is certain of a channel event with a byte above 127 among its data.

        Where it may have ended notes, those of the key, or if that is not known of the channel, are
        dropped when the key is played again.
        """
        kind, channel = status & 0xF0, status & 0x0F
        if kind == NOTE_OFF and first < 128:
            self.note_off(time, first, channel)
        elif kind in (NOTE_ON, NOTE_OFF):
            keys = [channel << 7 | first] if first < 128 else range(channel << 7, channel + 1 << 7)
            self.doubtful.update(key for key in keys if self.sounding.get(key))

    def unfinished(self) -> int:
        """How many notes have not ended, or nobody knows when."""
        return self.dropped + sum(map(len, self.sounding.values()))


def data_bytes(data: bytes, at: int, stop: int, status: int) -> tuple[int, int, int]:
    """The one or two data bytes of a channel event (0 for a missing second), and what is next.

    Raises:
        MidiError: if the track ends in them, or one is above 127.
    """
    count = DATA_BYTES[status & 0xF0]
    if at + count > stop:
        raise MidiError("the track ends in the middle of an event", offset=at)
    first = data[at]
    second = data[at + 1] if count == 2 else 0
    if first > 127 or second > 127:
        bad = at if first > 127 else at + 1
        raise MidiError(f"a data byte is {data[bad]}; at most 127 may stand here", offset=bad)
    return first, second, at + count


def read_special(data: bytes, at: int, stop: int, time: int, into: Events) -> tuple[int, bool]:
    """Read a System Exclusive or meta event; the next offset, and whether the track has ended.

    Raises:
        MidiError: if it is neither, or the track ends in it.
    """
    status = data[at]
    if status not in (0xF0, 0xF7, 0xFF):
        raise MidiError(f"a status byte (0x{status:02X}) that MIDI files do not have", offset=at)
    body, end = body_of(data, at, stop)
    if status == 0xFF and data[at + 1] == END:
        if end > body:
            into.oddities["an end-of-track event with data"] += 1
        end = min(end, stop)
        if end < stop:
            into.oddities[f"{stop - end} bytes after the end of the track; not read"] += 1
        return end, True
    if status == 0xFF:
        keep_meta(data[at + 1], data[body:end], time, into)
    elif changes_drums(data[body:end]):
        into.xg |= data[body:end].startswith(XG_ON, 2)
        into.drum_parts += _drum_parts(data[body:end], time)
    return end, False


def changes_drums(body: bytes) -> bool:
    """Whether a System Exclusive message can make drums of a channel: a part mode, or XG itself."""
    if body[:1] == ROLAND:
        return body[2:5] == GS_PART and body[5:6] < b"\x20" and body[6:7] == GS_PART_MODE
    return body[:1] == YAMAHA and (body[2:4] == XG_PART or body.startswith(XG_ON, 2))


def _drum_parts(body: bytes, time: int) -> list[tuple[int, int, bool]]:
    """Which channel becomes a drum part or ceases to be one, if a message says that."""
    if body[:1] == ROLAND and len(body) > 7:
        block = body[5] & 0x0F  # GS counts part 10 first
        return [(time, 9 if block == 0 else block - (block < 10), body[7] > 0)]
    if body[:1] == YAMAHA and body[2:4] == XG_PART and len(body) > 6 and body[5] == XG_PART_MODE:
        return [(time, body[4] & 0x0F, body[6] > 0)]
    return []


def body_of(data: bytes, at: int, stop: int) -> tuple[int, int]:
    """Where the body of the meta or System Exclusive event at `at` begins, and where it ends.

    Raises:
        MidiError: if the track ends in it.
    """
    meta = data[at] == 0xFF
    size, body = read_length(data, at + 1 + meta, stop)
    if body + size > stop and not (meta and data[at + 1] == END):
        had = f"an event should have {size} bytes and the track has only {stop - body} more"
        raise MidiError(had, offset=at)
    return body, body + size


def keep_meta(kind: int, body: bytes, time: int, into: Events) -> None:
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

"""The chunks of a Standard MIDI File: its header and where its tracks are; other files by name."""

from __future__ import annotations

from dataclasses import dataclass, field

from tokenizer.errors import MidiError

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
    (
        b"<?xml",
        "this is XML (perhaps MusicXML), not a MIDI file; name it .musicxml, or export it as MIDI",
    ),
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


def layout_of(data: bytes) -> Layout:
    """Find the header and the tracks.

    Raises:
        MidiError: if the header breaks the format or a chunk reaches past the file's end.
    """
    found, at = _header(data)
    announced = int.from_bytes(data[10:12], "big")
    while at < len(data):
        if len(found.tracks) == announced:
            what = " (with a track of their own)" if b"MTrk" in data[at:] else ""
            found.oddities.append(f"{len(data) - at} bytes follow the last track{what}; not read")
            break
        kind = data[at : at + 4]
        left = len(data) - at - 8
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        alien = kind != b"MTrk" and (left < 0 or size > left or not kind.isalnum())
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
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if division >= 0x8000 and frames not in FRAMES_PER_SECOND:
        raise MidiError(
            f"the header counts {frames} frames per second; SMPTE has 24, 25, 29 or 30", offset=12
        )
    if division >= 0x8000 and not ticks:
        raise MidiError("the header gives SMPTE time of 0 ticks per frame", offset=13)


def quarter_of_smpte(division: int) -> tuple[int, int]:
    """Ticks and microseconds of a quarter that make a tick exactly as long as SMPTE has it."""
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames == 29:
        return 15 * ticks, 500_500  # a tick is 1001 / (30000 * ticks) seconds
    if frames * ticks % 2 == 0:
        return frames * ticks // 2, 500_000
    return frames * ticks, 1_000_000

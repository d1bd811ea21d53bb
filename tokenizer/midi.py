"""Reading a MIDI file into a score, and writing one.

The door of the ground floor. A file without anything unusual goes through symusic, whose columns
are joined into the score's; what symusic leaves out (controls on other channels, raw texts) is
read from the bytes when it is first asked for. Every other file goes, byte by byte, through
`tokenizer.smf`. Both ways give the same score.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import symusic.core

from . import assembly, columns, files, repair, smf
from .columns import DRUMS, NOTES
from .errors import InputError, MidiError, unknown
from .midi_writer import score_to_bytes
from .plain import is_plain
from .repair import Report
from .score import LAZY, Score, Track

Array = npt.NDArray[Any]
Programs = Literal["track", "channel"]

LARGEST_FILE = 16 * 2**20  # the longest opera has under 2 MB
# The fields of symusic's columns that hold for the whole score, in the order of our own.
SETTLED = {
    "tempos": ("time", "mspq"),
    "time_signatures": ("time", "numerator", "denominator"),
    "key_signatures": ("time", "key", "tonality"),
}
EMPTY = {kind: columns.prepared(kind, []) for kind in columns.DTYPES}


def read(
    source: str | os.PathLike[str] | bytes, *, repair: bool = False, programs: Programs = "track"
) -> Score:
    """Read a MIDI file.

    Args:
        source: a path, whatever its extension, or the file's bytes.
        repair: salvage a truncated or header-damaged file instead of refusing it; what was lost
            is told by `read_reporting`.
        programs: "track" gives each note the program that its own track set last, as every library
            does; "channel" the one that any track set last on its channel, as synthesisers do.

    Raises:
        MidiError: for a file that breaks the format, with the byte at which it does.
        InputError: for a file that cannot be opened.
    """
    if programs not in ("track", "channel"):
        raise unknown("way to read programs", programs, ("track", "channel"))
    data, name = _bytes_of(source)
    try:
        score = _read_plain(data) if programs == "track" else None
        return score or _read_fully(data, repair, programs)[0]
    except MidiError as error:
        raise MidiError(error.reason, file=name, offset=error.offset) from None


def read_reporting(
    source: str | os.PathLike[str] | bytes, *, repair: bool = False, programs: Programs = "track"
) -> tuple[Score, Report]:
    """Read a MIDI file as `read` does, and tell what was odd, broken or left out."""
    if programs not in ("track", "channel"):
        raise unknown("way to read programs", programs, ("track", "channel"))
    data, name = _bytes_of(source)
    try:
        return _read_fully(data, repair, programs)
    except MidiError as error:
        raise MidiError(error.reason, file=name, offset=error.offset) from None


def write(score: Score, path: str | os.PathLike[str]) -> None:
    """Write a score as a type-1 MIDI file, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    files.write_bytes(path, to_bytes(score))


def to_bytes(score: Score) -> bytes:
    """The bytes of a score as a type-1 MIDI file; see `tokenizer.midi_writer`."""
    return score_to_bytes(score)


def _bytes_of(source: str | os.PathLike[str] | bytes) -> tuple[bytes, str | None]:
    """The bytes of a file or of what is given as bytes, and the file's name."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, name = bytes(source), None
    else:
        name = str(Path(source))
        try:
            with Path(source).open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except OSError as error:
            raise InputError(f"cannot read {name}: {error.strerror}") from error
    if len(data) > LARGEST_FILE:
        largest = f"{LARGEST_FILE >> 20} MiB"
        raise MidiError(f"it has more than {largest}, too many for music", file=name, offset=0)
    return data, name


def _read_fully(data: bytes, salvage: bool, programs: Programs) -> tuple[Score, Report]:
    """Read every byte, and where that fails and `salvage` is set, what stands before the damage."""
    damage: list[str] = []
    dropped = 0
    try:
        layout, parsed = _parsed(data)
    except MidiError as error:
        saved = repair.salvaged(data) if salvage else None
        if saved is None or not any(events.notes for events in saved.tracks):
            raise error
        layout, parsed = saved.layout, saved.tracks
        damage, dropped = saved.damage or [error.reason], saved.bytes_dropped
    score = assembly.assembled(layout, parsed, programs == "channel")
    unfinished = sum(events.unfinished for events in parsed)
    report = Report(
        format=layout.format,
        damage=tuple(damage),
        oddities=tuple(_oddities(layout, parsed)),
        notes=len(score.notes),
        unfinished=unfinished,
        bytes_dropped=dropped,
        shared_channels=assembly.shared_channels(parsed),
    )
    return score, report


def _parsed(data: bytes) -> tuple[smf.Layout, list[smf.Events]]:
    inner, offset = smf.unwrapped(data)
    try:
        layout = smf.layout(inner)
        parsed = []
        for start, stop in layout.tracks:
            events = smf.Events()
            smf.read_events(inner, start, stop, events)
            smf.check_end(inner, start, stop, events)
            parsed.append(events)
    except MidiError as error:
        at = None if error.offset is None else error.offset + offset
        raise MidiError(error.reason, offset=at) from None
    if offset:
        layout.oddities.append("wrapped in RIFF (RMID)")
    return layout, parsed


def _oddities(layout: smf.Layout, parsed: list[smf.Events]) -> list[str]:
    found = list(layout.oddities)
    if layout.format == 2:
        found.append(f"type 2: its {len(parsed)} songs follow each other")
    if layout.division >= 0x8000:
        found.append("SMPTE time: ticks are parts of a second, its tempos are ignored")
    for number, events in enumerate(parsed):
        for words, count in events.oddities.items():
            times = f" ({count} times)" if count > 1 else ""
            found.append(f"track {number + 1}: {words}{times}")
        if events.unfinished:
            found.append(f"track {number + 1}: {events.unfinished} notes never end; dropped")
    return found


def _read_plain(data: bytes) -> Score | None:
    """Read a file through symusic, or give None where that might not be exact."""
    try:
        if not is_plain(data):
            return None
        found = symusic.core.ScoreTick.from_midi(data)
    except (MidiError, IndexError, RuntimeError, ValueError):
        return None
    tracks, notes = _notes_of(found)
    if any("\ufffd" in track.name for track in tracks):
        return None  # symusic puts this for bytes that are not UTF-8
    known = {"notes": notes}
    for kind, fields in SETTLED.items():
        values = getattr(found, kind).numpy()
        known[kind] = _settled(kind, [values[name] for name in fields])
    complete = {kind: column for kind, column in known.items() if column is not None}
    if len(complete) < len(known):
        return None
    return Score.trusted(found.ticks_per_quarter, tracks, complete, lambda: _lazy(data))


def _notes_of(found: symusic.core.ScoreTick) -> tuple[tuple[Track, ...], Array | None]:
    """The tracks of a symusic score that have notes, and their notes as one sorted column."""
    tracks = []
    parts = []
    for track in found.tracks:
        part = track.notes.numpy()
        if not len(part["time"]):
            continue
        parts.append(part)
        kit = track.program
        name = track.name
        tracks.append(Track(name, DRUMS, True, kit) if track.is_drum else Track(name, kit))
    if not tracks:
        return (), EMPTY["notes"]
    notes = np.empty(sum(len(part["time"]) for part in parts), NOTES)
    at = 0
    for number, part in enumerate(parts):
        block = notes[at : at + len(part["time"])]
        block["start"] = part["time"]
        block["duration"] = part["duration"]
        block["pitch"] = part["pitch"]
        block["velocity"] = part["velocity"]
        block["program"] = tracks[number].program
        block["track"] = number
        at += len(block)
    notes = notes[columns.note_order(notes)]
    if notes["start"][0] < 0 or notes["duration"].min() < 0:
        return (), None
    notes.flags.writeable = False
    return tuple(tracks), notes


def _settled(kind: str, fields: list[Array]) -> Array | None:
    """A column for the whole score, one event a tick; None where events of a tick disagree."""
    if not len(fields[0]):
        return EMPTY[kind]
    array = np.empty(len(fields[0]), columns.DTYPES[kind])
    for name, values in zip(array.dtype.names or (), fields, strict=True):
        array[name] = values
    try:
        columns.check(kind, array)
    except InputError:
        return None
    if kind == "key_signatures" and fields[2].max() > 1:
        return None
    if kind == "key_signatures":
        array = columns.ordered(kind, array)
    elif len(array) > 1:
        same = array["time"][1:] == array["time"][:-1]
        if same.any():
            if (array[1:][same] != array[:-1][same]).any():
                return None  # which one comes last is in the bytes
            array = array[np.append(True, ~same)]
    array.flags.writeable = False
    return array


def _lazy(data: bytes) -> dict[str, Array]:
    """The columns that `_read_plain` leaves out."""
    score, _ = _read_fully(data, salvage=True, programs="track")
    return {kind: getattr(score, kind) for kind in LAZY}

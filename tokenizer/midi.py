"""Reading a MIDI file into a score, and writing one.

The door of the ground floor. A file without anything unusual goes through symusic, whose columns
are joined into the score's; what symusic leaves out (controls on other channels, raw texts) is
read from the bytes when it is first asked for. Every other file goes, byte by byte, through
`tokenizer.smf`. Both ways give the same score.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Literal

import numpy.typing as npt

from . import assembly, files, repair, smf
from .columns import GLOBAL
from .errors import InputError, MidiError, unknown
from .midi_writer import score_to_bytes
from .repair import Report
from .score import Score
from .symusic_reader import read_plain

Array = npt.NDArray[Any]
Programs = Literal["track", "channel"]

STATED = re.compile(rb"\xff[\x51\x58\x59]")  # tempos, time signatures, key signatures
LARGEST_FILE = 16 * 2**20  # the longest opera has under 2 MB


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
        if programs == "track":
            score = read_plain(data, _columns)
            if score is not None:
                return score
        return _read_fully(data, repair, programs)[0]
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
        name = os.fspath(source)
        try:
            with open(name, "rb", buffering=0) as file:  # noqa: PTH123 (a Path costs as much again)
                too_large = os.fstat(file.fileno()).st_size > LARGEST_FILE
                data = file.read(LARGEST_FILE + 1) if too_large else file.read()
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


def _parsed(
    data: bytes, holding: re.Pattern[bytes] | None = None
) -> tuple[smf.Layout, list[smf.Events]]:
    """Every track's events; of tracks without bytes that `holding` matches, none."""
    inner, offset = smf.unwrapped(data)
    try:
        layout = smf.layout(inner)
        parsed = []
        for start, stop in layout.tracks:
            events = smf.Events()
            if holding is None or holding.search(inner, start, stop):
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


def _columns(data: bytes, kind: str) -> dict[str, Array]:
    """A column of a file and others that are read with it, byte by byte.

    What holds for the whole score mostly stands in a track of its own, and only that one is read.
    """
    if kind in GLOBAL:
        with contextlib.suppress(MidiError):
            score = assembly.assembled(*_parsed(data, holding=STATED), by_channel=False)
            return {kind: getattr(score, kind) for kind in GLOBAL}
    return _read_fully(data, salvage=True, programs="track")[0].columns()

"""Reading a MIDI file into a score, and writing one.

The events of files in which every byte is sound become columns, many files at a time, in
`table_scores`; every other file is parsed byte by byte with `smf`. Both give the same score, at
once: nothing of a score is read later, and it does not hold its file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, overload

from tokenizer import files
from tokenizer.errors import InputError, MidiError, unknown
from tokenizer.score.batch import batches
from tokenizer.score.score import Score

from . import repair, smf, to_score
from .layout import Layout, layout_of, unwrapped
from .repair import Report
from .sound_files import SoundFile, sound_file
from .table_scores import scores_of
from .write import score_to_bytes

Programs = Literal["track", "channel"]
Source = str | os.PathLike[str] | bytes

LARGEST_FILE = 16 * 2**20  # the longest opera has under 2 MB


def read(source: Source, *, repair: bool = False, programs: Programs = "track") -> Score:
    """Read a MIDI file.

    Args:
        source: a path, whatever its extension, or the file's bytes.
        repair: salvage a truncated or header-damaged file instead of refusing it; what was lost
            is what `read_reporting` tells.
        programs: "track" gives each note the program that its own track set last, as every library
            does; "channel" the one that any track set last on its channel, as synthesisers do.

    Raises:
        MidiError: for a file that breaks the format, with the byte at which it does.
        InputError: for a file that cannot be opened.
    """
    _check(programs)
    return _or_raise(next(_scores([_opened(source, programs)], repair, programs)))


@overload
def read_all(
    sources: Iterable[Source], *, repair: bool = ..., programs: Programs = ...
) -> Iterator[Score]: ...


@overload
def read_all(
    sources: Iterable[Source],
    *,
    repair: bool = ...,
    programs: Programs = ...,
    errors: Literal["raise", "return"],
) -> Iterator[Score | InputError]: ...


def read_all(
    sources: Iterable[Source],
    *,
    repair: bool = False,
    programs: Programs = "track",
    errors: Literal["raise", "return"] = "raise",
) -> Iterator[Score | InputError]:
    """Read MIDI files one by one as `read` does, their notes sorted many files at a time.

    Args:
        sources: paths, or the bytes of files; up to `MAX_ITEMS` are read before the first is
            given.
        repair: as in `read`.
        programs: as in `read`.
        errors: "raise" raises what `read` would when a bad file's turn comes; "return" gives the
            error in place of the file's score, and goes on.

    Raises:
        InputError: as `read` does, unless `errors` is "return".
    """
    _check(programs)
    if errors not in ("raise", "return"):
        raise unknown("way to treat errors", errors, ("raise", "return"))
    results = _results(sources, repair, programs)
    return map(_or_raise, results) if errors == "raise" else results


def read_reporting(
    source: Source, *, repair: bool = False, programs: Programs = "track"
) -> tuple[Score, Report]:
    """Read a MIDI file as `read` does, and tell what was odd, broken or left out.

    Raises:
        MidiError: as `read` does.
    """
    _check(programs)
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
    """The bytes of a score as a type-1 MIDI file; see `tokenizer.midi.write`."""
    return score_to_bytes(score)


def _check(programs: str) -> None:
    if programs not in ("track", "channel"):
        raise unknown("way to read programs", programs, ("track", "channel"))


def _or_raise(found: Score | InputError) -> Score:
    if isinstance(found, InputError):
        raise found
    return found


def _results(
    sources: Iterable[Source], salvage: bool, programs: Programs
) -> Iterator[Score | InputError]:
    opened = (_opened(source, programs) for source in sources)
    for batch in batches(opened, _size):
        yield from _scores(batch, salvage, programs)


class _Opened(NamedTuple):
    """A file's bytes and name, and its chunks if they are sound."""

    data: bytes
    name: str | None
    sound: SoundFile | None


def _opened(source: Source, programs: Programs) -> _Opened | InputError:
    """What a file holds, or why it cannot be read."""
    try:
        data, name = _bytes_of(source)
    except InputError as error:
        return error
    return _Opened(data, name, sound_file(data) if programs == "track" else None)


def _size(file: _Opened | InputError) -> int:
    """About as many notes as a file has."""
    return 0 if isinstance(file, InputError) else len(file.data) >> 3


def _scores(
    batch: Sequence[_Opened | InputError], salvage: bool, programs: Programs
) -> Iterator[Score | InputError]:
    """The results of opened files."""
    sound = [f.sound for f in batch if not isinstance(f, InputError) and f.sound is not None]
    scores = iter(scores_of(sound))
    for file in batch:
        if isinstance(file, InputError):
            yield file
        else:
            score = None if file.sound is None else next(scores)
            yield score or _score_or_error(file.data, file.name, salvage, programs)


def _score_or_error(
    data: bytes, name: str | None, salvage: bool, programs: Programs
) -> Score | InputError:
    try:
        return _read_fully(data, salvage, programs)[0]
    except MidiError as error:
        return MidiError(error.reason, file=name, offset=error.offset)


def _bytes_of(source: Source) -> tuple[bytes, str | None]:
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
        if salvage:
            damage = repair.read_past_ends(unwrapped(data)[0], layout, parsed)
    except MidiError as error:
        saved = repair.salvaged(data) if salvage else None
        if saved is None or not any(events.notes for events in saved.tracks):
            raise error
        layout, parsed = saved.layout, saved.tracks
        damage, dropped = saved.damage or [error.reason], saved.bytes_dropped
    score = to_score.assembled(layout, parsed, programs == "channel")
    unfinished = sum(events.unfinished for events in parsed)
    report = Report(
        format=layout.format,
        damage=tuple(damage),
        oddities=tuple(_oddities(layout, parsed)),
        notes=len(score.notes),
        unfinished=unfinished,
        bytes_dropped=dropped,
        shared_channels=to_score.shared_channels(parsed),
    )
    return score, report


def _parsed(data: bytes) -> tuple[Layout, list[smf.Events]]:
    """Every track's events."""
    inner, offset = unwrapped(data)
    try:
        layout = layout_of(inner)
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


def _oddities(layout: Layout, parsed: list[smf.Events]) -> list[str]:
    found = list(layout.oddities)
    if layout.format == 2:
        found.append(f"type 2: its {len(parsed)} songs follow each other")
    if layout.division >= 0x8000:
        found.append("SMPTE time: ticks are parts of a second, its tempos are ignored")
    for port, channel in sorted(to_score.drum_channels(parsed)):
        if channel != smf.DRUM_CHANNEL:
            found.append(f"channel {channel + 1} of port {port} is a drum part of GS or XG")
    for number, events in enumerate(parsed):
        for words, count in events.oddities.items():
            times = f" ({count} times)" if count > 1 else ""
            found.append(f"track {number + 1}: {words}{times}")
        if events.unfinished:
            found.append(f"track {number + 1}: {events.unfinished} notes never end; dropped")
    return found

"""The prompt: a user's file, the part that the model reads, and where the continuation starts.

Without `--to` the continuation starts where a composer would continue: at the last bar line of the
prompt if the music reaches it, otherwise where the music stops inside its last bar, which is then
completed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from musenet.export.excerpts import cut
from musenet.export.hearing import Hearing, as_heard, hear
from musenet.export.music_files import is_musicxml
from musenet.export.parts import Part, named, one_part_a_track, places_of
from musenet.export.retiming import Retiming, found_beats
from musenet.options.parse import Place
from tokenizer.errors import InputError, MidiError
from tokenizer.midi import events
from tokenizer.midi.read import Source, read, to_bytes
from tokenizer.notation.read import read_musicxml
from tokenizer.score.bars import Bars
from tokenizer.score.score import TEMPOS, TIME_SIGNATURES, Score
from tokenizer.theory import Key

MOST_NOTES = 200_000


@dataclass(frozen=True)
class Prompt:
    """A MIDI file to continue.

    Attributes:
        name: the file's name without suffix, for titles.
        file: its events up to the boundary; a file of one track has one per part here.
        score: the whole file as music, in its own ticks, each part as it is heard.
        music: the part to continue; its tick 0 is `origin` in the file.
        origin: the tick of the file at which `music` begins.
        boundary: the tick of the file at which the continuation starts.
        digest: the first 12 hexadecimal digits of the SHA-256 of the file.
        hearing: its parts, and the instrument that the model hears each as.
        timing: the beats that were found, if the music does not keep to those of the file: then
            all ticks here are those in which it is heard.
        own: the file's music in its own ticks; None without a prompt.
        beats: a sentence about the beats, or "".
    """

    name: str
    file: events.File
    score: Score
    music: Score
    origin: int
    boundary: int
    digest: str
    hearing: Hearing = field(default_factory=Hearing)
    timing: Retiming | None = None
    own: Score | None = None
    beats: str = ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the file, as they are heard."""
        return self.hearing.parts

    @property
    def bars(self) -> Bars:
        """The bar lines of the file."""
        return Bars(self.score.time_signatures, self.score.ticks_per_quarter)


def read_prompt(
    music: Source | Score,
    *,
    begin: Place | None = None,
    stop: Place | None = None,
    hear_as: Mapping[str, int] | None = None,
    find_beats: bool = True,
) -> Prompt:
    """Read a MIDI file to be continued.

    Args:
        music: the path of a file, the bytes of a MIDI file, or its music as a score.
        begin: start of the part to continue; by default the beginning of the file.
        stop: end of the part to continue; a bar is included whole.
        hear_as: programs by the names of tracks, to hear them as.
        find_beats: whether beats are found where the music does not keep to those of the file.

    Raises:
        MidiError: if it is not a MIDI file, or damaged.
        InputError: if it has no notes, none in the selected part, or too many; if `hear_as` names
            a track that it lacks.
        TypeError: for anything else in place of music.
    """
    if isinstance(music, Score):
        data = to_bytes(music)  # in a file a track without notes is none, and order may change
        return _prompt("the score", "score", data, read(data), begin, stop, hear_as, find_beats)
    (data, score), (display_name, name) = read_file(music), names_of(music)
    return _prompt(display_name, name, data, score, begin, stop, hear_as, find_beats)


def prompt_of(
    data: bytes,
    name: str,
    display_name: str,
    *,
    begin: Place | None = None,
    stop: Place | None = None,
    hear_as: Mapping[str, int] | None = None,
    find_beats: bool = True,
) -> Prompt:
    """The prompt in the bytes of a MIDI file; see `read_prompt`.

    Args:
        data: the file.
        name: its name without suffix, for titles.
        display_name: its name in error messages.
        begin: where the part that is continued begins; by default at the file's beginning.
        stop: where in it the continuation starts, a bar being used whole.
        hear_as: programs by the names of tracks, to hear them as.
        find_beats: whether beats are found where the music does not keep to those of the file.

    Raises:
        MidiError: if it is no MIDI file, or a damaged one.
        InputError: if it has no notes, or none in the part asked for, or too many.
    """
    return _prompt(
        display_name, name, data, _score(data, display_name), begin, stop, hear_as, find_beats
    )


def read_file(source: Source) -> tuple[bytes, Score]:
    """The bytes of a MIDI file and its music; of MusicXML, those of a MIDI file with its music.

    Raises:
        MidiError: if it is no MIDI file, or a damaged one.
        InputError: if it cannot be read.
        TypeError: for what is neither a path nor bytes.
    """
    if isinstance(source, bytes):
        return source, read(source)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            "music is given as a path, as the bytes of a MIDI file or as a tokenizer.Score, "
            f"not as {type(source).__name__}"
        )
    if is_musicxml(Path(source)):
        data = to_bytes(read_musicxml(source))
        return data, read(data)
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    return data, _score(data, str(source))


def names_of(source: Source) -> tuple[str, str]:
    """What errors call a file, and its name for titles."""
    if isinstance(source, bytes):
        return "MIDI data", "music"
    return str(source), Path(source).stem


def _score(data: bytes, display_name: str) -> Score:
    try:
        return read(data)
    except MidiError as error:
        raise MidiError(error.reason, file=display_name, offset=error.offset) from None


def _prompt(
    path: str,
    name: str,
    data: bytes,
    score: Score,
    begin: Place | None,
    stop: Place | None,
    hear_as: Mapping[str, int] | None,
    find_beats: bool,
) -> Prompt:
    """The prompt in a file that has been read; `path` is its name in error messages."""
    if not len(score.notes):
        raise InputError(f"{path} has no notes; give a prompt with music, or none at all")
    plain = plain_file(data, score)
    file = one_part_a_track(plain)
    first = 1 if file is plain else 0  # the track in front of the channels does not count
    own, (timing, beats) = score, found_beats(score) if find_beats else (None, "")
    if timing is not None:
        file = timing.heard(file)
        score = timing.timed(read(events.dump(file)), own)
    places = places_of(file)
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    boundary = boundary_of(score, bars, file.end) if stop is None else tick_of(stop, score, bars, 1)
    last = bars.number(max(score.end - 1, 0)) + 1
    if stop is not None and boundary > max(bars.tick(last), file.end):
        raise InputError(f"--to lies beyond the end of {path}, which has {last} bars; leave it out")
    origin = 0 if begin is None else tick_of(begin, score, bars, 0)
    if timing is not None and begin is None:  # what comes before the first bar line is no music
        origin = bars.tick(bars.number(int(score.notes["start"].min())))
    if stop is not None:
        file, score = cut(file, boundary), between(score, 0, boundary)
    hearing = hear(file, score, places, hear_as or {}, first=first)
    score = as_heard(score, places, hearing.parts)
    music = between(score, origin, boundary) if origin < boundary else None
    if music is None or not len(music.notes):
        raise InputError(
            f"{path} has no notes between --from and --to; its music ends in bar {last}"
        )
    if len(music.notes) > MOST_NOTES:
        raise InputError(
            f"{path} has {len(music.notes):,} notes, but a prompt may have {MOST_NOTES:,} at most; "
            "use a part of it with --from and --to"
        )
    return Prompt(
        name=name,
        file=named(file, hearing.parts),
        score=score,
        music=music,
        origin=origin,
        boundary=boundary,
        digest=hashlib.sha256(data).hexdigest()[:12],
        hearing=hearing,
        timing=timing,
        own=own,
        beats=beats,
    )


def blank(tempo: float, meter: tuple[int, int], key: Key | None) -> Prompt:
    """A prompt without music: an empty file with a tempo (BPM), meter and key."""
    numerator, denominator = meter
    microseconds = round(60e6 / tempo)
    opening = [
        events.meta(0x51, microseconds.to_bytes(3, "big")),
        events.meta(0x58, bytes((numerator, denominator.bit_length() - 1, 24, 8))),
    ]
    if key is not None:
        opening.append(events.meta(0x59, bytes((key[0] & 0xFF, int(key[1])))))
    score = Score(
        tempos=np.array([(0, microseconds)], TEMPOS),
        time_signatures=np.array([(0, numerator, denominator)], TIME_SIGNATURES),
    )
    file = events.File(score.ticks_per_quarter, [[events.Event(0, data) for data in opening]])
    return Prompt("", file, score, score, 0, 0, "")


def boundary_of(score: Score, bars: Bars, file_end: int) -> int:
    """Where a composer would continue a score, in ticks.

    That is the last bar line that the music reaches, or misses by less than a beat; if it stops
    earlier in a bar, the end of its last note. A file whose end-of-track lies on the next bar line,
    like a clip exported from a DAW, ends there.
    """
    last_start = int(score.notes["start"].max())
    line = bars.tick(bars.number(score.end + bars.beat(score.end) - 1))
    if line > last_start:
        return line
    following = bars.tick(bars.number(score.end) + 1)
    return following if file_end == following else max(score.end, last_start + 1)


def plain_file(data: bytes, score: Score) -> events.File:
    """The file's own events, or those of the score where the file had to be interpreted."""
    try:
        file = events.parse(data)
    except events.UnsupportedMidi:
        return events.parse(to_bytes(score))
    if file.division != score.ticks_per_quarter:
        return events.parse(to_bytes(score))
    return file


def tick_of(place: Place, score: Score, bars: Bars, after: int) -> int:
    """The tick of a position: the bar line of its bar, or `after` bars later."""
    if place.bar is not None:
        return bars.tick(place.bar - 1 + after)
    return int(score.ticks(np.array([place.seconds]))[0])


def between(score: Score, start: int, stop: int) -> Score:
    """A slice whose notes keep their full length."""
    notes = score.notes[(score.notes["start"] >= start) & (score.notes["start"] < stop)].copy()
    notes["start"] -= start
    return replace(score.slice(start, stop), notes=notes)

"""MusicXML files as scores: repeats played out, at sounding pitch, ties joined, chords as texts."""

from __future__ import annotations

import os
import re
import warnings
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.midi.read import read_reporting, to_bytes
from tokenizer.midi.repair import Report
from tokenizer.score.columns import DEFAULT_TEMPO
from tokenizer.score.score import (
    KEY_SIGNATURES,
    LAST_TICK,
    NO_TRACK,
    NOTES,
    TEMPOS,
    TEXTS,
    TIME_SIGNATURES,
    Score,
    Track,
)
from tokenizer.track_names import instrument_in

from .library import MUSICXML_SUFFIXES, music21
from .percussion import make_pitched
from .xml_bytes import read_bytes_of, xml_root

TICKS = 480
MOST_ELEMENTS = 2_000_000
_VELOCITY = 80


def read_musicxml(path: str | os.PathLike[str]) -> Score:
    """Read a MusicXML file, .musicxml, .xml or .mxl.

    Drums come with their MIDI keys, velocities from the file or its dynamics, chord symbols as
    markers. Grace notes are left out.

    Raises:
        InputError: if it cannot be read, or music21 is missing.
    """
    return musicxml_score(read_bytes_of(Path(path)), str(path))


def read_music(path: str | os.PathLike[str], *, repair: bool = False) -> tuple[Score, Report]:
    """Read a MIDI or, by its suffix, a MusicXML file, with what is irregular in it.

    Raises:
        InputError: if it cannot be read.
    """
    if Path(path).suffix.lower() in MUSICXML_SUFFIXES:
        return read_reporting(to_bytes(read_musicxml(path)))
    return read_reporting(path, repair=repair)


def musicxml_score(data: bytes, said: str = "the file") -> Score:
    """The music in a MusicXML file's bytes; see `read_musicxml`.

    Args:
        data: the file.
        said: its name in error messages.

    Raises:
        InputError: if it cannot be read, or music21 is missing.
    """
    root = xml_root(data, said)
    drums = _drums_as_pitches(root, said)
    importer = music21("musicxml.xmlToM21").MusicXMLImporter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importer.xmlRootToScore(root, importer.stream)
            identifiers = _identifiers(importer)
            return _score(_played(importer.stream), identifiers, drums, _instruments(root))
    except InputError:
        raise
    except RecursionError as error:
        raise InputError(f"{said} cannot be read as MusicXML: it is nested too deep") from error
    except Exception as error:  # the library raises what its internals do
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{said} cannot be read as MusicXML: {reason}") from error


def _drums_as_pitches(root: Element, said: str) -> set[str]:
    """Make unpitched notes pitched by their keys; the identifiers of the parts of drums."""
    if sum(1 for _ in root.iter()) > MOST_ELEMENTS:
        raise InputError(f"{said} is too large: it has more than {MOST_ELEMENTS:,} elements")
    parts = {part.get("id"): part for part in root.findall("part")}
    found = set()
    for score_part in root.iter("score-part"):
        identifier = score_part.get("id")
        part = parts.get(identifier)
        if part is not None and identifier and make_pitched(score_part, part):
            found.add(identifier)
    return found


def _instruments(root: Element) -> dict[str, tuple[str, int | None]]:
    """Name and program of each part by its identifier, as the file states them."""
    found = {}
    for part in root.iter("score-part"):
        stated = (part.findtext("midi-instrument/midi-program") or "").strip()
        program = int(stated) - 1 if stated.isdecimal() and 1 <= int(stated) <= 128 else None
        found[part.get("id") or ""] = ((part.findtext("part-name") or "").strip(), program)
    return found


def _played(stream: Any) -> Any:
    """The music as it is played: at sounding pitch, repeats written out where that is possible."""
    sounding = stream.toSoundingPitch()
    try:
        return sounding.expandRepeats()
    except Exception:  # repeats that do not match are played once
        return sounding


def _score(
    stream: Any,
    identifiers: list[str],
    drums: set[str],
    stated: dict[str, tuple[str, int | None]],
) -> Score:
    """A music21 score as columns; `identifiers` are those of its parts' staves."""
    parts = list(stream.parts)
    tracks: list[Track] = []
    notes: list[tuple[int, int, int, int, int, int]] = []
    staves = zip(identifiers, parts, strict=True)
    for identifier, group in groupby(staves, key=lambda pair: pair[0]):
        own = [part for _, part in group]
        name, program = stated.get(identifier, ("", None))
        name = name or (own[0].partName or "")
        if identifier in drums:
            track = Track(name, DRUMS, True)
        else:
            track = Track(name, _program(own[0], name) if program is None else program)
        rows = [row for part in own for row in _notes(part, track.program, len(tracks))]
        if rows:
            tracks.append(track)
            notes += rows
    first = parts[0] if parts else stream
    return Score(
        ticks_per_quarter=TICKS,
        tracks=tuple(tracks),
        notes=np.array(notes, NOTES) if notes else np.empty(0, NOTES),
        tempos=np.array(_tempos(stream), TEMPOS),
        time_signatures=np.array(_meters(first), TIME_SIGNATURES),
        key_signatures=np.array(_keys(first), KEY_SIGNATURES),
        markers=np.array(_chords(stream), TEXTS),
    )


def _identifiers(importer: Any) -> list[str]:
    """For each staff, the identifier in the file of the part that it belongs to."""
    known = {id(part): name for name, part in importer.m21PartObjectsById.items()}
    return [re.sub(r"-Staff\d+$", "", known[id(part)]) for part in importer.stream.parts]


def _program(part: Any, name: str) -> int:
    """The instrument of a part whose program is not stated, by its name."""
    player = part.getInstrument(returnDefault=True)
    named = instrument_in(name)
    if named is not None and named != DRUMS:
        return named
    return 0 if player.midiProgram is None else int(player.midiProgram)


def _tick(quarters: Any) -> int:
    tick = round(Fraction(quarters) * TICKS)
    if tick > LAST_TICK:
        raise InputError("it is longer than a MIDI file can be")
    return tick


def _notes(part: Any, program: int, track: int) -> list[tuple[int, int, int, int, int, int]]:
    """Rows of `NOTES`: start, duration, pitch, velocity, program, track."""
    rows: list[tuple[int, int, int, int, int, int]] = []
    open_ties: dict[int, int] = {}
    loudness = _VELOCITY
    for element in part.flatten().getElementsByClass(("Dynamic", "NotRest")):
        if "Dynamic" in element.classes:
            loudness = min(max(round(127 * (element.volumeScalar or 0.63)), 1), 127)
            continue
        if "ChordSymbol" in element.classes or "NoChord" in element.classes:
            continue
        if element.duration.isGrace or "Unpitched" in element.classes:
            continue
        start = _tick(element.offset)
        length = max(_tick(element.offset + element.duration.quarterLength) - start, 1)
        for note in getattr(element, "notes", (element,)):
            pitch = int(note.pitch.midi)
            if not 0 <= pitch <= 127:
                continue
            tie = note.tie.type if note.tie is not None else None
            before = open_ties.get(pitch)
            if tie in ("stop", "continue") and before is not None:
                row = rows[before]
                if row[0] + row[1] == start:
                    rows[before] = (row[0], row[1] + length, *row[2:])
                    if tie == "stop":
                        del open_ties[pitch]
                    continue
            velocity = note.volume.velocity or element.volume.velocity or loudness
            rows.append((start, length, pitch, min(max(int(velocity), 1), 127), program, track))
            if tie in ("start", "continue"):
                open_ties[pitch] = len(rows) - 1
    return rows


def _tempos(stream: Any) -> list[tuple[int, int]]:
    found = {}
    for mark in stream.flatten().getElementsByClass("MetronomeMark"):
        quarters = mark.getQuarterBPM()
        if quarters and 4 <= quarters <= 1000:
            found[_tick(mark.offset)] = round(60e6 / quarters)
    if found:
        found.setdefault(0, DEFAULT_TEMPO if min(found) > 4 * TICKS else found[min(found)])
    return sorted(found.items())


def _meters(part: Any) -> list[tuple[int, int, int]]:
    """The meters; an upbeat is a measure of its own, as long as it is."""
    found: dict[int, tuple[int, int]] = {}
    measures = list(part.getElementsByClass("Measure"))
    meter = (4, 4)
    for number, measure in enumerate(measures):
        if measure.timeSignature is not None:
            meter = measure.timeSignature.numerator, measure.timeSignature.denominator
        shown = meter
        if number == 0 and len(measures) > 1:
            length = Fraction(measures[1].offset - measure.offset)
            if 0 < length < Fraction(4 * meter[0], meter[1]):
                shown = _fraction(length)
        place = _tick(measure.offset)
        if not found or found[max(found)] != shown:
            found[place] = shown
    return [
        (tick, *meter)
        for tick, meter in sorted(found.items())
        if 1 <= meter[0] <= 255 and meter[1] in (1, 2, 4, 8, 16, 32, 64)
    ]


def _fraction(quarters: Fraction) -> tuple[int, int]:
    """A meter of so many quarter notes."""
    for denominator in (4, 8, 16, 32):
        numerator = quarters * denominator / 4
        if numerator.denominator == 1:
            return int(numerator), denominator
    return 4, 4


def _keys(part: Any) -> list[tuple[int, int, bool]]:
    found = {}
    for key in part.flatten().getElementsByClass("KeySignature"):
        if key.sharps is not None and -7 <= key.sharps <= 7:
            found[_tick(key.offset)] = (key.sharps, getattr(key, "mode", None) == "minor")
    return [(tick, *key) for tick, key in sorted(found.items())]


def _chords(stream: Any) -> list[tuple[int, int, str]]:
    """The chord symbols as texts of markers."""
    found: dict[int, str] = {}
    for symbol in stream.flatten().getElementsByClass(("ChordSymbol", "NoChord")):
        found.setdefault(_tick(symbol.offset), chord_text(symbol))
    return [(tick, NO_TRACK, text) for tick, text in sorted(found.items())]


def chord_text(symbol: Any) -> str:
    """A chord symbol as a lead sheet has it, with the notes of its kind."""
    if "NoChord" in symbol.classes or symbol.root() is None:
        return "N.C."
    root = symbol.root().name.replace("-", "b")
    bass = symbol.bass().name.replace("-", "b")
    kind = _SUFFIXES.get(symbol.chordKind)
    if kind is None:
        kind = symbol.chordKindStr or ""
    return root + kind + ("" if bass == root else f"/{bass}")


_SUFFIXES = {
    "major": "",
    "minor": "m",
    "augmented": "aug",
    "diminished": "dim",
    "dominant": "7",
    "dominant-seventh": "7",
    "major-seventh": "maj7",
    "minor-seventh": "m7",
    "diminished-seventh": "dim7",
    "augmented-seventh": "7#5",
    "half-diminished": "m7b5",
    "half-diminished-seventh": "m7b5",
    "minor-major-seventh": "mM7",
    "major-minor": "mM7",
    "major-sixth": "6",
    "minor-sixth": "m6",
    "dominant-ninth": "9",
    "major-ninth": "maj9",
    "minor-ninth": "m9",
    "dominant-11th": "11",
    "major-11th": "maj11",
    "minor-11th": "m11",
    "dominant-13th": "13",
    "major-13th": "maj13",
    "minor-13th": "m13",
    "suspended-second": "sus2",
    "suspended-fourth": "sus4",
    "power": "5",
}

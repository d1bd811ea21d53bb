"""Scores as MusicXML files that players and notation programs read."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tokenizer import instruments
from tokenizer.chords.symbols import parse_chord
from tokenizer.errors import InputError
from tokenizer.files import write_bytes
from tokenizer.score.score import Score
from tokenizer.theory import Key

from .durations import TRIPLET_VALUES, VALUES, Symbol
from .layout import Layout, Staff, WrittenPart, laid_out
from .library import MUSICXML_SUFFIXES, music21
from .measures import QUARTER
from .percussion import make_unpitched
from .quantise import WrittenNote
from .staves import BASS, BASS_8VB, PERCUSSION, TREBLE, TREBLE_8VB

_CLEFS = {
    TREBLE: "TrebleClef",
    BASS: "BassClef",
    TREBLE_8VB: "Treble8vbClef",
    BASS_8VB: "Bass8vbClef",
    PERCUSSION: "PercussionClef",
}
_KINDS = {
    "maj": "major",
    "min": "minor",
    "7": "dominant",
    "maj7": "major-seventh",
    "min7": "minor-seventh",
    "dim": "diminished",
    "dim7": "diminished-seventh",
    "m7b5": "half-diminished-seventh",
    "aug": "augmented",
    "sus4": "suspended-fourth",
}
_LETTERS = "FCGDAEB"
_IDENTIFIED = ("part", "score-part", "score-instrument", "midi-instrument", "instrument")
_CHANNELS = (*range(9), *range(10, 16))
_HEADER = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    b'"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)


def write_musicxml(
    score: Score,
    path: str | os.PathLike[str],
    *,
    title: str = "",
    chords: Sequence[tuple[int, str]] = (),
) -> None:
    """Write a score as MusicXML, whole or not at all: .musicxml or .xml, or .mxl compressed.

    Args:
        score: the music.
        path: the file.
        title: above the music.
        chords: chord symbols at ticks, above the first part that is no drums.

    Raises:
        InputError: if music21 is missing, the score has no notes, or the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in MUSICXML_SUFFIXES:
        raise InputError(f"'{target.name}' must end in {' or '.join(MUSICXML_SUFFIXES)}")
    data = to_musicxml(score, title=title, chords=chords)
    write_bytes(target, compressed(data) if target.suffix.lower() == ".mxl" else data)


def to_musicxml(score: Score, *, title: str = "", chords: Sequence[tuple[int, str]] = ()) -> bytes:
    """A score as MusicXML text, as `write_musicxml` writes it.

    Raises:
        InputError: if music21 is missing, or the score has no notes.
    """
    layout = laid_out(score, chords)
    if not layout.parts:
        raise InputError("there are no notes to write as MusicXML")
    exporter = music21("musicxml.m21ToXml").ScoreExporter(
        _Writer(layout).score(title), makeNotation=False
    )
    with contextlib.redirect_stderr(io.StringIO()):  # it remarks that more than 15 parts play
        root = exporter.parse()
    named = {part.get("id"): part for part in root.iter("score-part")}
    own = zip(root.findall("part"), layout.parts, strict=True)
    for part, written in own:
        if written.track.is_drum:
            make_unpitched(named[part.get("id")], part)
    _settle(root)
    return _HEADER + ElementTree.tostring(root, encoding="unicode").encode()


def _settle(root: ElementTree.Element) -> None:
    """Make the same music give the same bytes, and say nothing that is not so."""
    identification = root.find("identification")
    if identification is not None:
        for creator in identification.findall("creator"):
            identification.remove(creator)  # the library names itself where no composer is known
        for encoding in identification.findall("encoding"):
            for date in encoding.findall("encoding-date"):
                encoding.remove(date)
    for title in root.findall("movement-title"):
        root.remove(title)
    named: dict[str, str] = {}
    for number, part in enumerate(root.iter("score-part"), 1):
        named[part.get("id", "")] = f"P{number}"
        for place, instrument in enumerate(part.iter("score-instrument"), 1):
            named.setdefault(instrument.get("id", ""), f"P{number}-I{place}")
    for element in root.iter():
        if element.tag in _IDENTIFIED:
            element.set("id", named[element.get("id", "")])
    ElementTree.indent(root)


def _printable(text: str) -> str:
    """A text without the characters that XML cannot hold."""
    return "".join(c for c in text if c.isprintable()).strip()


def compressed(data: bytes) -> bytes:
    """MusicXML text as the archive that .mxl files are."""
    container = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<container><rootfiles><rootfile '
        'full-path="score.musicxml" media-type="application/vnd.recordare.musicxml+xml"/>'
        "</rootfiles></container>\n"
    )
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("META-INF/container.xml", container), ("score.musicxml", data)):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return held.getvalue()


def speller(key: Key) -> Callable[[int], str]:
    """How the pitches of a key are spelled: from three fifths below its tonic to eight above."""

    def spelled(pitch: int) -> str:
        # fifths above C of the pitch class, in the window of twelve around the key
        fifths = (7 * pitch - (key.fifths - 3)) % 12 + key.fifths - 3
        letter = _LETTERS[(fifths + 1) % 7]
        accidentals = (fifths + 1) // 7
        octave = (pitch - accidentals) // 12 - 1
        return letter + ("#" * accidentals or "-" * -accidentals) + str(octave)

    return spelled


class _Writer:
    """Makes a music21 score of a layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._stream, self._note, self._chord = map(music21, ("stream", "note", "chord"))
        self._duration, self._meter, self._key = map(music21, ("duration", "meter", "key"))
        self._instrument, self._tempo, self._clef = map(music21, ("instrument", "tempo", "clef"))
        self._tie, self._pitch, self._harmony = map(music21, ("tie", "pitch", "harmony"))

    def score(self, title: str) -> Any:
        """The score."""
        found = self._stream.Score()
        metadata = music21("metadata").Metadata()
        metadata.title = _printable(title) or None
        found.insert(0, metadata)
        channels = iter(_CHANNELS * (1 + len(self._layout.parts)))
        pitched = (n for n, part in enumerate(self._layout.parts) if not part.track.is_drum)
        chief = next(pitched, 0)  # whose top staff has the tempos and chord symbols
        for number, part in enumerate(self._layout.parts):
            channel = 9 if part.track.is_drum else next(channels)
            streams = [
                self._staff(part, staff, channel, top=number == chief and place == 0)
                for place, staff in enumerate(part.staves)
            ]
            for each in streams:
                found.insert(0, each)
            if len(streams) > 1:
                group = music21("layout").StaffGroup(streams, symbol="brace", barTogether=True)
                group.name = self._name(part)
                found.insert(0, group)
        return found

    @staticmethod
    def _name(part: WrittenPart) -> str:
        return _printable(part.track.name) or instruments.name(part.track.program).capitalize()

    def _staff(self, part: WrittenPart, staff: Staff, channel: int, *, top: bool) -> Any:
        made = self._stream.PartStaff() if len(part.staves) > 1 else self._stream.Part()
        made.partName = self._name(part)
        player = self._instrument.Instrument(made.partName)
        player.instrumentName = instruments.name(part.track.program)
        player.midiProgram = 0 if part.track.is_drum else part.track.program
        player.midiChannel = channel
        made.insert(0, player)
        keys, meter, signature = dict(self._layout.keys), None, None
        spelled = speller(self._layout.keys[0][1] if self._layout.keys else Key(0, False))
        for number, measure in enumerate(self._layout.measures):
            bar = self._stream.Measure(number=number + 1)
            if number == 0:
                bar.insert(0, getattr(self._clef, _CLEFS[staff.clef])())
            if number in keys:
                spelled = speller(keys[number])
                if not part.track.is_drum:
                    bar.insert(0, self._key.KeySignature(keys[number].fifths))
            if measure.meter != meter:
                meter = measure.meter
                signature = self._meter.TimeSignature(f"{meter[0]}/{meter[1]}")
                bar.insert(0, signature)
            if top:
                self._directions(bar, measure.start, measure.stop)
            rows = staff.measures[number]
            for voice, row in enumerate(rows, 1):
                target = bar if len(rows) == 1 else self._stream.Voice(id=str(voice))
                for symbol in row:
                    place = Fraction(symbol.start - measure.start, QUARTER)
                    target.insert(place, self._symbol(symbol, spelled, voice, len(rows)))
                self._beam(target, signature)
                if len(rows) > 1:
                    bar.insert(0, target)
            if number == len(self._layout.measures) - 1:
                bar.rightBarline = "final"
            made.insert(Fraction(measure.start, QUARTER), bar)
        if not part.track.is_drum:
            made.makeAccidentals(inPlace=True, cautionaryNotImmediateRepeat=False)
        return made

    @staticmethod
    def _beam(row: Any, signature: Any) -> None:
        """Beam the notes of a voice in a measure by its meter."""
        symbols = list(row.notesAndRests)
        for symbol, beams in zip(symbols, signature.getBeams(symbols), strict=True):
            if beams is not None and not symbol.isRest:
                symbol.beams = beams

    def _directions(self, bar: Any, start: int, stop: int) -> None:
        """The tempos and chord symbols of a measure."""
        for place, tempo in self._layout.tempos:
            if start <= place < stop:
                mark = self._tempo.MetronomeMark(number=round(tempo, 2))
                bar.insert(Fraction(place - start, QUARTER), mark)
        for place, text in self._layout.chords:
            if start <= place < stop:
                bar.insert(Fraction(place - start, QUARTER), self._chord_symbol(text))

    def _chord_symbol(self, text: str) -> Any:
        chord = parse_chord(text)
        if chord.root is None:
            return self._harmony.NoChord()
        kind = _KINDS[chord.quality]
        root = text[0] + text[1:2].replace("b", "-") if text[1:2] in ("#", "b") else text[0]
        return self._harmony.ChordSymbol(root=root, kind=kind)

    def _symbol(
        self, symbol: Symbol, spelled: Callable[[int], str], voice: int, voices: int
    ) -> Any:
        """The note, chord or rest of a symbol."""
        if symbol.chord is None:
            made = self._note.Rest()
            if symbol.whole:
                made.fullMeasure = True
        else:
            sounding = [n for n in reversed(symbol.chord.notes) if n.end > symbol.start]
            notes = [self._head(note, symbol, spelled) for note in sounding]
            made = notes[0] if len(notes) == 1 else self._chord.Chord(notes)
            if voices > 1:
                made.stemDirection = "up" if voice == 1 else "down"
        made.duration = self._length(symbol)
        return made

    def _head(self, note: WrittenNote, symbol: Symbol, spelled: Callable[[int], str]) -> Any:
        made = self._note.Note(self._pitch.Pitch(spelled(note.pitch)))
        made.volume.velocity = note.velocity
        ties = symbol.ties and note.end > symbol.start + symbol.length
        if symbol.tied or ties:
            kind = "start" if not symbol.tied else "continue" if ties else "stop"
            made.tie = self._tie.Tie(kind)
        return made

    def _length(self, symbol: Symbol) -> Any:
        if symbol.whole:
            return self._duration.Duration(Fraction(symbol.length, QUARTER))
        table = VALUES if symbol.triplet is None else TRIPLET_VALUES
        name, dots = table[symbol.length]
        made = self._duration.Duration(name, dots=dots)
        if symbol.triplet is not None:
            tuplet = self._duration.Tuplet(3, 2, "eighth")
            tuplet.type = {"both": "startStop", "inside": None}.get(symbol.triplet, symbol.triplet)
            made.appendTuplet(tuplet)
        return made

"""Lead sheets in ABC notation: a melody with chord symbols, repeats written out.

Reads what lead sheets use of the standard (abcnotation.com, version 2.1): one voice, keys, meters,
lengths, accidentals, ties, triplets, chord symbols, repeats with first and second endings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from data_prep.bands.harmony.chords import Chord, parse_symbol
from data_prep.bands.notation.pattern import TICKS, Meter
from tokenizer.chords.chart import ChartChord
from tokenizer.errors import InputError

_WHOLE = 4 * TICKS
_TOKEN = re.compile(
    r'"(?P<chord>[^"]*)"'
    r"|(?P<bar>\|\]|\|\||\|:|::|:\||\||\[\||:)"
    r"|\[(?P<field>[A-Z]):(?P<value>[^\]]*)\]"
    r"|(?P<tuplet>\(\d)"
    r"|(?P<accidental>[_^=]*)(?P<note>[A-Ga-gzx])(?P<octave>[,']*)(?P<length>\d*/*\d*)"
    r"|(?P<broken>[<>])|(?P<tie>-)|(?P<ending>\d)|(?P<skip>\{[^}]*\}|![^!]*!|[()\s\\.~uvHTk]|.)"
)
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARPS = "FCGDAEB"
_TONICS = {
    "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F#": 6, "C#": 7, "F": -1, "Bb": -2, "Eb": -3,
    "Ab": -4, "Db": -5, "Gb": -6, "Cb": -7,
}  # fmt: skip
_MODES = {"": 0, "maj": 0, "m": -3, "min": -3, "mix": -1, "dor": -2, "phr": -4, "lyd": 1}


@dataclass
class Measure:
    """What stands between two bar lines, in ticks from the first."""

    notes: list[tuple[int, int, int]] = field(default_factory=list)
    tied: bool = False  # whether the last note goes on in the next measure
    joins: bool = False  # whether the first note is the end of one before
    chords: list[tuple[int, Chord]] = field(default_factory=list)
    length: int = 0
    opens: bool = False
    closes: bool = False
    ending: int = 0


@dataclass(frozen=True)
class LeadSheet:
    """A tune as it is played, repeats and all.

    Attributes:
        title: as the file has it.
        meter: of the whole tune.
        notes: (start, duration, pitch), in ticks from the first full bar; an upbeat is before.
        chords: for each bar, ticks from its line and the chord that begins there.
    """

    title: str
    meter: Meter
    notes: tuple[tuple[int, int, int], ...]
    chords: tuple[tuple[tuple[int, Chord], ...], ...]

    @property
    def chart(self) -> list[ChartChord]:
        """The chords as a chart, reduced to those that a vocabulary knows."""
        return [
            ChartChord(number, Fraction(tick, self.meter.bar), chord.reduced)
            for number, bar in enumerate(self.chords)
            for tick, chord in bar
        ]


def parse(text: str, name: str) -> LeadSheet:
    """Read the first tune of an ABC file.

    Raises:
        InputError: if it has no chords, changes its meter, or its bars do not add up.
    """
    header: dict[str, str] = {}
    body = []
    for line in text.splitlines():
        if line.startswith("%") or not line.strip():
            continue
        if re.match(r"[A-Za-z]:", line):
            header.setdefault(line[0], line[2:].split("%")[0].strip())
        else:
            body.append(line.split("%")[0])
    for needed in "MK":
        if needed not in header:
            raise InputError(f"{name} has no line {needed}:")
    meter = _meter(header["M"], name)
    reader = _Reader(meter, _unit(header.get("L", "1/8")), _signature(header["K"], name), name)
    measures = _expanded(reader.read("\n".join(body)))
    return _laid_out(header.get("T", name), meter, _whole(measures, meter), name)


def _meter(text: str, name: str) -> Meter:
    text = {"C": "4/4", "C|": "2/2"}.get(text, text)
    above, _, below = text.partition("/")
    if not (above.isdecimal() and below.isdecimal()):
        raise InputError(f"{name} has the meter '{text}'")
    return Meter(int(above), int(below))


def _unit(text: str) -> int:
    above, _, below = text.partition("/")
    return _WHOLE * int(above) // int(below or 1)


def _signature(text: str, name: str) -> dict[str, int]:
    """The accidentals of a key, by letter."""
    match = re.match(r"([A-G][b#]?)\s*([a-z]{0,3})", text)
    if match is None or match[1] not in _TONICS or match[2] not in _MODES:
        raise InputError(f"{name} has the key '{text}'")
    fifths = _TONICS[match[1]] + _MODES[match[2]]
    if fifths >= 0:
        return dict.fromkeys(_SHARPS[:fifths], 1)
    return dict.fromkeys(_SHARPS[fifths:], -1)


class _Reader:
    """Reads a tune's body, measure by measure."""

    def __init__(self, meter: Meter, unit: int, signature: dict[str, int], name: str) -> None:
        self._meter = meter
        self._unit = unit
        self._signature = signature
        self._name = name
        self._measures = [Measure()]
        self._raised: dict[str, int] = {}
        self._triplet = 0
        self._pending_tie = False
        self._broken = 0

    def read(self, body: str) -> list[Measure]:
        """All measures with anything in them."""
        for match in _TOKEN.finditer(body):
            kind = match.lastgroup
            here = self._measures[-1]
            if match["chord"] is not None:
                self._chord(match["chord"], here)
            elif match["bar"]:
                self._bar(match["bar"])
            elif match["field"]:
                self._field(match["field"], match["value"])
            elif match["tuplet"]:
                self._triplet = 3 if match["tuplet"] == "(3" else 0
            elif match["note"]:
                self._note(match)
            elif kind == "broken":
                self._broken = 1 if match["broken"] == ">" else -1
            elif kind == "tie":
                here.tied = bool(here.notes)
                self._pending_tie = here.tied
            elif kind == "ending" and not here.length:
                here.ending = int(match["ending"])
        return [measure for measure in self._measures if measure.length]

    def _chord(self, text: str, here: Measure) -> None:
        symbol = re.sub(r"\s", "", text)
        if re.match(r"[A-G]", symbol):
            here.chords = [(t, c) for t, c in here.chords if t != here.length]
            here.chords.append((here.length, parse_symbol(symbol)))

    def _bar(self, text: str) -> None:
        here = self._measures[-1]
        if here.length:
            here.closes = text in (":|", "::", ":")
            self._measures.append(Measure())
            self._raised = {}
        elif text in (":|", "::") and len(self._measures) > 1:
            self._measures[-2].closes = True
        self._measures[-1].opens |= text in ("|:", "::")

    def _field(self, kind: str, value: str) -> None:
        if kind == "K":
            self._signature = _signature(value, self._name)
        elif kind == "M" and _meter(value, self._name) != self._meter:
            raise InputError(f"{self._name} changes its meter")
        elif kind == "L":
            self._unit = _unit(value)

    def _note(self, match: re.Match[str]) -> None:
        here = self._measures[-1]
        length = self._length(match["length"])
        if self._triplet:
            length = length * 2 // 3
            self._triplet -= 1
        if self._broken and here.notes:
            start, before, pitch = here.notes[-1]
            shift = self._broken * min(before, length) // 2  # one longer by half, one shorter
            here.notes[-1] = (start, before + shift, pitch)
            here.length += shift
            length -= shift
        self._broken = 0
        letter = match["note"]
        if letter not in "zx":
            pitch = self._pitch(letter, match["accidental"], match["octave"])
            if self._pending_tie and not here.notes and not here.length:
                here.joins = True
            here.notes.append((here.length, length, pitch))
            if here.tied and len(here.notes) > 1 and here.notes[-2][2] == pitch:
                start, before, _ = here.notes[-2]
                here.notes[-2:] = [(start, before + length, pitch)]
        self._pending_tie = False
        here.tied = False
        here.length += length

    def _length(self, text: str) -> int:
        above, slash, below = text.partition("/")
        size = self._unit * int(above or 1)
        if slash:
            halvings = below.count("/") + 1
            digits = below.replace("/", "")
            size = size // int(digits) if digits else size >> halvings
        return size

    def _pitch(self, letter: str, accidental: str, octave: str) -> int:
        name = letter.upper()
        place = name + octave + letter
        if accidental:
            self._raised[place] = accidental.count("^") - accidental.count("_")
        shift = self._raised.get(place, self._signature.get(name, 0))
        base = 60 if letter.isupper() else 72
        return base + _LETTERS[name] + shift + 12 * (octave.count("'") - octave.count(","))


def _expanded(measures: list[Measure]) -> list[Measure]:
    """Repeats written out, first and second endings each in their turn."""
    found: list[Measure] = []
    begin = 0
    place = 0
    while place < len(measures):
        if measures[place].opens:
            begin = place
        if measures[place].closes:
            first = next((n for n in range(begin, place + 1) if measures[n].ending == 1), place + 1)
            found += measures[begin : place + 1] + measures[begin:first]
            begin = place + 1
        elif not any(m.closes for m in measures[place:]) or _plain(measures, begin, place):
            found.append(measures[place])
            begin = place + 1
        place += 1
    return found


def _plain(measures: list[Measure], begin: int, place: int) -> bool:
    """Whether a measure stands before the next repeat's beginning, and is played once."""
    opening = next((n for n in range(place + 1, len(measures)) if measures[n].opens), None)
    closing = next((n for n in range(place, len(measures)) if measures[n].closes), None)
    return (
        opening is not None
        and closing is not None
        and opening <= closing
        and not measures[begin].opens
    )


def _whole(measures: list[Measure], meter: Meter) -> list[Measure]:
    """Measures that a repeat sign cuts in two, put together again."""
    found: list[Measure] = []
    for measure in measures:
        last = found[-1] if found else None
        if last and len(found) > 1 and last.length + measure.length == meter.bar:
            shift = last.length
            found[-1] = Measure(
                [*last.notes, *((s + shift, d, p) for s, d, p in measure.notes)],
                measure.tied,
                last.joins,
                [*last.chords, *((t + shift, c) for t, c in measure.chords)],
                meter.bar,
            )
        else:
            found.append(measure)
    return found


def _laid_out(title: str, meter: Meter, measures: list[Measure], name: str) -> LeadSheet:
    """Notes and chords on one time line, ties joined, every bar with a chord at its beginning."""
    if not measures or not any(measure.chords for measure in measures):
        raise InputError(f"{name} has no chords")
    upbeat = measures[0].length if measures[0].length < meter.bar else 0
    for number, measure in enumerate(measures[bool(upbeat) : -1]):
        if measure.length != meter.bar:
            raise InputError(f"{name}: bar {number + 1} does not fill {meter}")
    notes: list[tuple[int, int, int]] = []
    chords: list[tuple[tuple[int, Chord], ...]] = []
    time = -upbeat
    tied = False
    sounding = next(m.chords[0][1] for m in measures if m.chords)
    for number, measure in enumerate(measures):
        for place, (start, duration, pitch) in enumerate(measure.notes):
            joins = place == 0 and tied and measure.joins and notes and notes[-1][2] == pitch
            if joins:
                notes[-1] = (notes[-1][0], notes[-1][1] + duration, pitch)
            else:
                notes.append((time + start, duration, pitch))
        tied = measure.tied
        if number or not upbeat:
            here = [(t, c) for t, c in measure.chords if t < meter.bar]
            if not here or here[0][0]:
                here = [(0, sounding), *here]
            chords.append(tuple(here))
        if measure.chords:
            sounding = measure.chords[-1][1]
        time += measure.length if number or not upbeat else upbeat
        if (number or not upbeat) and measure.length < meter.bar:
            time = time - measure.length + meter.bar
    return LeadSheet(title, meter, tuple(notes), tuple(chords))

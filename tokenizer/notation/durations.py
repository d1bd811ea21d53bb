"""A voice in a measure as written durations: tied over bar lines and beats, with rests, in tuplets.

As engravers write it: a note that begins on a beat may last over later ones, one that begins
between two beats ends at the next one, but for a quarter note between two off-beat eighths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .measures import QUARTER, Measure
from .quantise import Divisions
from .voices import WrittenChord

VALUES = {
    3: ("32nd", 0),
    6: ("16th", 0),
    9: ("16th", 1),
    12: ("eighth", 0),
    18: ("eighth", 1),
    24: ("quarter", 0),
    36: ("quarter", 1),
    48: ("half", 0),
    72: ("half", 1),
    96: ("whole", 0),
    144: ("whole", 1),
}
"""The name and the number of dots of each length, in steps."""
TRIPLET_VALUES = {4: ("16th", 0), 8: ("eighth", 0), 12: ("eighth", 1), 16: ("quarter", 0)}
"""The same inside a beat of triplets."""


class Symbol(NamedTuple):
    """A note, chord or rest as it is written.

    Attributes:
        start: in steps.
        length: in steps.
        chord: what sounds; None for a rest.
        tied: whether it goes on what the symbol before began.
        ties: whether the next symbol goes on with it.
        triplet: "start", "inside" or "stop" in a group of triplets, else None; "both" if alone.
        whole: whether it is a rest for a whole measure.
    """

    start: int
    length: int
    chord: WrittenChord | None
    tied: bool = False
    ties: bool = False
    triplet: str | None = None
    whole: bool = False


def symbols(chords: Sequence[WrittenChord], measure: Measure, divisions: Divisions) -> list[Symbol]:
    """What a voice has in a measure, rests included.

    Args:
        chords: those that sound in the measure, in order.
        measure: the measure.
        divisions: how the beats are divided.
    """
    if not chords:
        return [Symbol(measure.start, measure.length, None, whole=True)]
    found: list[Symbol] = []
    here = measure.start
    for chord in chords:
        start, end = max(chord.start, measure.start), min(chord.end, measure.stop)
        found += (Symbol(s, n, None) for s, n in _split(here, start, measure, divisions, True))
        parts = list(_split(start, end, measure, divisions, False))
        found += (
            Symbol(s, n, chord, tied=s > chord.start, ties=s + n < chord.end) for s, n in parts
        )
        here = end
    found += (Symbol(s, n, None) for s, n in _split(here, measure.stop, measure, divisions, True))
    return _bracketed(found, divisions)


def _split(
    start: int, end: int, measure: Measure, divisions: Divisions, rest: bool
) -> Iterator[tuple[int, int]]:
    """The written lengths of a stretch of a measure, as (start, length)."""
    while start < end:
        beat = divisions.beat(start)
        opens, closes = divisions.beats[beat], divisions.beats[beat + 1]
        inside = divisions.is_triplet(beat) and (start > opens or end < closes)
        if inside:
            stop = min(end, closes)
            length = max(n for n in TRIPLET_VALUES if n <= stop - start)
        else:
            last = divisions.beat(end - 1)
            cut = divisions.is_triplet(last) and end < divisions.beats[last + 1]
            stop = divisions.beats[last] if cut else end
            left = stop - start
            fits = (n for n in VALUES if n <= left and _fits(start, n, measure, rest or n < left))
            length = max(fits)
        yield start, length
        start += length


def _fits(start: int, length: int, measure: Measure, strict: bool) -> bool:
    """Whether so many steps may begin there; `strict` for rests and the parts of tied notes."""
    if length == 3:
        return True
    beats = measure.beats
    number = max(n for n, place in enumerate(beats[:-1]) if place <= start)
    end = start + length
    if end <= beats[number + 1]:
        return (start - beats[number]) % 6 == 0
    if start == beats[number]:
        dotted = not measure.compound and not strict and length == QUARTER * 3 // 2
        return (end in beats or dotted) and not (strict and length % (2 * QUARTER) == QUARTER)
    middle = (measure.start + measure.stop) // 2
    return (
        not strict
        and not measure.compound
        and length == QUARTER
        and (start - beats[number]) == QUARTER // 2
        and not start < middle < end
    )


def _bracketed(row: Sequence[Symbol], divisions: Divisions) -> list[Symbol]:
    """The symbols of a measure with the groups of triplets marked."""
    beats = [divisions.beat(symbol.start) for symbol in row]

    def in_triplet(number: int) -> bool:
        beat = beats[number]
        whole = row[number].length >= divisions.beats[beat + 1] - divisions.beats[beat]
        return divisions.is_triplet(beat) and not whole

    found = []
    for number, symbol in enumerate(row):
        if in_triplet(number):
            first = number == 0 or beats[number - 1] != beats[number]
            last = number == len(row) - 1 or beats[number + 1] != beats[number]
            place = "both" if first and last else "start" if first else "stop" if last else "inside"
            symbol = symbol._replace(triplet=place)
        found.append(symbol)
    return found

"""Published chord progressions with moods, for sections of any style that names a mood.

The list is Ludovic Drolez's (free-midi-chords, MIT License; `chord_progressions/` has its text and
its licence). It writes sevenths as the key has them (`I7` is Imaj7, `Idom7` is I7), and minor
progressions in degrees of the natural minor scale, so numerals are translated into those of
`chords.roman`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec

from tokenizer.errors import InputError

from .chords import Key, roman

FILE = Path(__file__).parents[1] / "chord_progressions" / "progressions.json"

_NUMERAL = re.compile(r"([b#]?)([IViv]+)(.*)")
_FLAT_IN_MINOR = ("III", "VI", "VII")
_TRIADS = {("prog_min", "ii"): "iidim", ("prog_maj", "vii"): "viidim"}  # of the scale, unmarked
_MAJOR_SEVENTHS = {"prog_maj": ("I", "IV"), "prog_min": ("III", "VI")}
_NO_MOODS = {"New", "Cadence"}  # marks of the list's editor
_LENGTHS = (3, 4, 8)  # that fill sections of four and eight bars; the third of three lasts twice


class Progression(msgspec.Struct, frozen=True):
    """A progression of the list: which of its three lists it is in, its numerals, its moods."""

    list: str
    numerals: tuple[str, ...]
    mood: str

    @property
    def moods(self) -> frozenset[str]:
        """Such as "Joyful"."""
        return frozenset(self.mood.split()) - _NO_MOODS

    def written(self) -> str:
        """The progression as a style file has it, a chord to a bar: "I | V | vi | IV".

        Raises:
            InputError: if it has a chord that a style file cannot say.
        """
        bars = [_translated(numeral, self.list) for numeral in self.numerals]
        return " | ".join([*bars, bars[-1]] if len(bars) == 3 else bars)


@cache
def progressions() -> tuple[Progression, ...]:
    """The whole list."""
    return tuple(msgspec.json.decode(FILE.read_bytes(), type=list[Progression]))


@cache
def moods() -> tuple[str, ...]:
    """The moods of the list, in alphabetical order."""
    return tuple(sorted({mood for row in progressions() for mood in row.moods}))


@cache
def suited(mode: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Progressions of four and eight bars with one of some moods, as style files write them.

    In major and minor, all that begin or rest on the mode's tonic chord and none on the other's
    (borrowed chords are welcome); in other modes, those whose every note is of the mode.
    """
    found = dict.fromkeys(
        row.written()
        for row in progressions()
        if len(row.numerals) in _LENGTHS and row.moods & set(wanted) and _can_be_written(row)
    )
    return tuple(text for text in found if _is_in(text, mode))


def _translated(numeral: str, of: str) -> str:
    """A numeral of a list as `roman` reads it."""
    match = _NUMERAL.fullmatch(numeral)
    if match is None:
        raise InputError(f"'{numeral}' is no Roman numeral")
    accidental, degree, suffix = match.groups()
    if (of, numeral) in _TRIADS:
        return _TRIADS[of, numeral]
    is_minor = degree.islower()
    if suffix == "7" and degree in _MAJOR_SEVENTHS.get(of, ()):
        suffix = "maj7"
    if of == "prog_min" and degree in _FLAT_IN_MINOR and not accidental:
        accidental = "b"
    if suffix == "5":
        degree = degree.upper()
    suffix = suffix.replace("dom", "")
    if is_minor and suffix.startswith("m"):
        suffix = suffix[1:]
    elif suffix == "M7":
        suffix = "maj7"
    elif suffix.startswith("M"):
        suffix = suffix[1:]
    return accidental + degree + suffix


def _can_be_written(row: Progression) -> bool:
    try:
        for numeral in row.written().split(" | "):
            roman(numeral, Key(0))
    except InputError:
        return False
    return True


def _is_in(text: str, mode: str) -> bool:
    key = Key(0, mode)
    chords = [roman(numeral, key) for numeral in text.split(" | ")]
    if mode not in ("major", "minor"):
        return all(set(chord.classes) <= set(key.scale) for chord in chords)
    thirds = {(chord.classes[1] - chord.root) % 12 for chord in chords if chord.root == 0}
    return (3 if key.is_minor else 4) in thirds and (4 if key.is_minor else 3) not in thirds

"""Chords: their qualities, Roman numerals in a key, symbols, and the scale that goes with each.

The beginning of a song by rule. Pitch classes are 0–11 with C as 0; a numeral's degree is counted
in the major scale of the tonic, so that `bVI` is the same chord in C major and in C minor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from tokenizer import theory
from tokenizer.chords import chord as plain
from tokenizer.chords.symbols import nearest_quality, split_symbol
from tokenizer.errors import InputError, unknown

QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "69": (0, 4, 7, 9, 14),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "mMaj7": (0, 3, 7, 11),
    "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "7#5": (0, 4, 8, 10),
    "7b5": (0, 4, 6, 10),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
    "9sus4": (0, 5, 7, 10, 14),
    "add9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "9": (0, 4, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "m9": (0, 3, 7, 10, 14),
    "m11": (0, 3, 7, 10, 14, 17),
    "7b9": (0, 4, 7, 10, 13),
    "7#9": (0, 4, 7, 10, 15),
    "7#11": (0, 4, 7, 10, 18),
    "maj7#11": (0, 4, 7, 11, 18),
    "13": (0, 4, 7, 10, 14, 21),
}
"""Intervals above the root, by the suffix of a chord symbol."""

_NUMERALS = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_MAJOR_STEPS = (0, 2, 4, 5, 7, 9, 11)
_ROMAN = re.compile(r"([b#]?)([IViv]+)([^/@]*)(?:/([b#]?[IViv]+|\d))?(?:@([b#]?\d))?")
_MINOR_SUFFIXES = {"": "m", "6": "m6", "7": "m7", "9": "m9", "11": "m11", "add9": "madd9"}
_SPELLED = {"o": "dim", "o7": "dim7", "ø": "m7b5", "ø7": "m7b5", "+": "aug", "M7": "maj7"}

_SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
# Signatures of the twelve major keys, spelled with the fewest accidentals (six flats, not sharps).
_FIFTHS = (0, -5, 2, -3, 4, -1, -6, 1, -4, 3, -2, 5)

_SIZES = {1: (2, 1, 3), 2: (4, 3), 3: (5, 6), 4: (7, 6, 8), 5: (9, 8), 6: (10, 11, 9)}
"""Semitones that a second … seventh may have, the usual one first."""
_STACKED = (2, 4, 6)  # third, fifth and seventh: a chord states them

SCALES: dict[str, tuple[int, ...]] = theory.SCALES | {
    "minor": theory.SCALES["natural minor"],
    "phrygian dominant": (0, 1, 4, 5, 7, 8, 10),
    "major blues": (0, 2, 3, 4, 7, 9),
}
"""Semitones above the tonic, by name; plain minor is the natural one."""

MINOR_SCALES = ("minor", "dorian", "phrygian", "harmonic minor", "melodic minor")
MODES = (
    "major", "minor", "dorian", "phrygian", "phrygian dominant", "lydian", "mixolydian",
    "harmonic minor",
)  # fmt: skip


@dataclass(frozen=True)
class Key:
    """A tonic's pitch class and a mode out of `MODES`."""

    tonic: int
    mode: str = "major"

    @property
    def scale(self) -> tuple[int, ...]:
        """Seven pitch classes from the tonic upwards."""
        return tuple((self.tonic + step) % 12 for step in SCALES[self.mode])

    @property
    def is_minor(self) -> bool:
        """Whether the tonic's chord is minor."""
        return self.mode in MINOR_SCALES

    @property
    def fifths(self) -> int:
        """The key signature of the plain major or minor key on the tonic, −7…7."""
        return _FIFTHS[(self.tonic + 3) % 12 if self.is_minor else self.tonic]

    @property
    def name(self) -> str:
        """Such as "Eb minor"."""
        return f"{pitch_class_name(self.tonic, self)} {self.mode}"

    def transposed(self, semitones: int) -> Key:
        """The same mode on another tonic."""
        return replace(self, tonic=(self.tonic + semitones) % 12)


@dataclass(frozen=True)
class Chord:
    """A root's pitch class, a quality out of `QUALITIES`, and the pitch class in the bass."""

    root: int
    quality: str
    bass: int

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes from the root upwards, the bass note left out unless it is one of them."""
        return tuple((self.root + interval) % 12 for interval in QUALITIES[self.quality])

    @property
    def reduced(self) -> plain.Chord:
        """The nearest of the chords that a vocabulary knows, without the bass note."""
        return plain.Chord(self.root, nearest_quality({n % 12 for n in QUALITIES[self.quality]}))

    def transposed(self, semitones: int) -> Chord:
        """The same chord, higher."""
        return Chord((self.root + semitones) % 12, self.quality, (self.bass + semitones) % 12)

    def symbol(self, key: Key) -> str:
        """Such as "Bbmaj7/D", spelled for the key."""
        name = pitch_class_name(self.root, key) + self.quality
        return name if self.bass == self.root else f"{name}/{pitch_class_name(self.bass, key)}"


def pitch_class_name(pitch_class: int, key: Key) -> str:
    """A pitch class as it is spelled in a key: flats in keys with flats, sharps in the others."""
    return (_FLATS if key.fifths < 0 else _SHARPS)[pitch_class % 12]


def pitch_class(name: str) -> int:
    """The pitch class of "C", "F#" or "Bb".

    Raises:
        InputError: if the name is none.
    """
    note = name[:1].upper() + name[1:]
    if not re.fullmatch(r"[A-G][#b]*", note):
        raise InputError(f"there is no note called '{name}'; write C, F# or Bb")
    return theory.pitch_class(note)


@lru_cache(maxsize=8192)
def roman(text: str, key: Key) -> Chord:
    """The chord that a Roman numeral names in a key.

    `I`, `vi7`, `bVII`, `V7/ii` (of another degree), `IV/3` (its third in the bass), `IV@1` (over
    the first degree of the key as a pedal point).

    Raises:
        InputError: if the text is no Roman numeral.
    """
    match = _ROMAN.fullmatch(text)
    if match is None or match[2].casefold() not in _NUMERALS:
        raise InputError(f"'{text}' is no Roman numeral; write I, vi7, bVII, V7/ii, IV/3 or IV@1")
    accidental, numeral, suffix, below, pedal = match.groups()
    root = key.tonic + _NUMERALS[numeral.casefold()] + _shift(accidental)
    if below and not below.isdecimal():
        root += _degree_of_numeral(below, text)
    quality = _quality(numeral, suffix, text)
    bass = root
    if below and below.isdecimal():
        bass = root + interval_of(Chord(root % 12, quality, root % 12), key, int(below), 0)
    if pedal:
        bass = key.tonic + _MAJOR_STEPS[int(pedal[-1]) - 1] + _shift(pedal[:-1])
    return Chord(root % 12, quality, bass % 12)


def _shift(accidental: str) -> int:
    return accidental.count("#") - accidental.count("b")


def _degree_of_numeral(numeral: str, text: str) -> int:
    degree = _NUMERALS.get(numeral.lstrip("b#").casefold())
    if degree is None:
        raise InputError(f"'{text}' is of no degree: '{numeral}' is no Roman numeral")
    return degree + _shift(numeral[0])


def _quality(numeral: str, suffix: str, text: str) -> str:
    suffix = _SPELLED.get(suffix, suffix)
    quality = _MINOR_SUFFIXES.get(suffix, suffix) if numeral.islower() else suffix
    if numeral.islower() and quality == "maj7":
        quality = "mMaj7"
    if quality not in QUALITIES:
        raise unknown(f"chord quality in '{text}'", suffix, QUALITIES)
    return quality


@lru_cache(maxsize=16384)
def interval_of(chord: Chord, key: Key, degree: int, accidental: int) -> int:
    """Semitones from a chord's root to a degree (1–9) of the chord, as a band musician counts.

    Thirds, fifths and sevenths are the chord's; steps that it lacks are the key's. With an
    accidental the degree is of the major scale, altered: `b3` is a minor third over any chord.
    """
    octave, step = divmod(degree - 1, 7)
    plain = _MAJOR_STEPS[step]
    if accidental:
        return plain + accidental + 12 * octave
    if step == 0:
        return 12 * octave
    sizes = _SIZES[step]
    stated = {interval % 12 for interval in QUALITIES[chord.quality]}
    if step in _STACKED:
        for size in sizes:
            if size in stated:
                return size + 12 * octave
    for size in sizes:
        if (chord.root + size) % 12 in key.scale:
            return size + 12 * octave
    return plain + 12 * octave


@lru_cache(maxsize=16384)
def scale_of(chord: Chord, key: Key, name: str = "") -> tuple[int, ...]:
    """Pitch classes that fit over a chord, ascending from 0, in a tuple.

    The scale is the key's (or `name` out of `SCALES` on the tonic), bent to the chord: a scale
    note a semitone beside a chord note outside the scale gives way to it.
    """
    steps = SCALES[name] if name else SCALES[key.mode]
    scale = {(key.tonic + step) % 12 for step in steps}
    if name not in ("blues", "minor pentatonic", "major blues"):
        for tone in chord.classes:
            if tone not in scale:
                scale -= {(tone + 1) % 12, (tone - 1) % 12} - set(chord.classes)
                scale.add(tone)
    return tuple(sorted(scale))


def parse_symbol(text: str) -> Chord:
    """The chord of a lead sheet's symbol, such as "F#m7b5" or "C7/G".

    Raises:
        InputError: if it is none.
    """
    parts = split_symbol(text.strip())
    if parts is None:
        raise InputError(f"'{text}' is no chord symbol")
    root, suffix, bass = parts
    quality = {"+": "aug", "maj": "", "min": "m", "743": "7", "7+": "7#5", "o": "dim"}.get(
        suffix, suffix
    )
    if quality not in QUALITIES:
        raise unknown(f"chord quality in '{text}'", suffix, QUALITIES)
    return Chord(root, quality, bass)

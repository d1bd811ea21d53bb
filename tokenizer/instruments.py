"""The 128 General MIDI programs and drums: names, families, playable ranges, aliases.

A program here is one number, 0–127 as General MIDI Level 1 (1991) orders them and 128 for the drum
kit. MIDI manuals often count the same programs from 1; this package never does.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import SupportsIndex

from .aliases import INSTRUMENTS, folded
from .errors import InputError, unknown

DRUMS = 128

PROGRAM_NAMES: tuple[str, ...] = (
    "Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano",
    "Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavinet", "Celesta", "Glockenspiel",
    "Music Box", "Vibraphone", "Marimba", "Xylophone", "Tubular Bells", "Dulcimer",
    "Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ", "Reed Organ", "Accordion",
    "Harmonica", "Tango Accordion", "Acoustic Guitar (nylon)", "Acoustic Guitar (steel)",
    "Electric Guitar (jazz)", "Electric Guitar (clean)", "Electric Guitar (muted)",
    "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics", "Acoustic Bass",
    "Electric Bass (finger)", "Electric Bass (pick)", "Fretless Bass", "Slap Bass 1",
    "Slap Bass 2", "Synth Bass 1", "Synth Bass 2", "Violin", "Viola", "Cello", "Contrabass",
    "Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani", "String Ensemble 1",
    "String Ensemble 2", "Synth Strings 1", "Synth Strings 2", "Choir Aahs", "Voice Oohs",
    "Synth Choir", "Orchestra Hit", "Trumpet", "Trombone", "Tuba", "Muted Trumpet", "French Horn",
    "Brass Section", "Synth Brass 1", "Synth Brass 2", "Soprano Sax", "Alto Sax", "Tenor Sax",
    "Baritone Sax", "Oboe", "English Horn", "Bassoon", "Clarinet", "Piccolo", "Flute", "Recorder",
    "Pan Flute", "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina", "Lead 1 (square)",
    "Lead 2 (sawtooth)", "Lead 3 (calliope)", "Lead 4 (chiff)", "Lead 5 (charang)",
    "Lead 6 (voice)", "Lead 7 (fifths)", "Lead 8 (bass + lead)", "Pad 1 (new age)",
    "Pad 2 (warm)", "Pad 3 (polysynth)", "Pad 4 (choir)", "Pad 5 (bowed)", "Pad 6 (metallic)",
    "Pad 7 (halo)", "Pad 8 (sweep)", "FX 1 (rain)", "FX 2 (soundtrack)", "FX 3 (crystal)",
    "FX 4 (atmosphere)", "FX 5 (brightness)", "FX 6 (goblins)", "FX 7 (echoes)", "FX 8 (sci-fi)",
    "Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bagpipe", "Fiddle", "Shanai", "Tinkle Bell",
    "Agogo", "Steel Drums", "Woodblock", "Taiko Drum", "Melodic Tom", "Synth Drum",
    "Reverse Cymbal", "Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet",
    "Telephone Ring", "Helicopter", "Applause", "Gunshot", "Drums",
)  # fmt: skip
"""129 names: `PROGRAM_NAMES[p]` is program p, and the last is the drum kit."""

FAMILIES: MappingProxyType[str, range] = MappingProxyType(
    {
        "piano": range(0, 8),
        "chromatic percussion": range(8, 16),
        "organ": range(16, 24),
        "guitar": range(24, 32),
        "bass": range(32, 40),
        "strings": range(40, 48),
        "ensemble": range(48, 56),
        "brass": range(56, 64),
        "reed": range(64, 72),
        "pipe": range(72, 80),
        "synth lead": range(80, 88),
        "synth pad": range(88, 96),
        "synth effects": range(96, 104),
        "ethnic": range(104, 112),
        "percussive": range(112, 120),
        "sound effects": range(120, 128),
        "drums": range(DRUMS, DRUMS + 1),
    }
)
"""General MIDI's families, and the drum kit as one of its own."""

# Sounding pitches, lowest and highest, of the instrument as its players use it (S. Adler, The Study
# of Orchestration, appendix A); electronic sounds reach as far as a keyboard does.
_RANGES: dict[int, tuple[int, int]] = {
    **dict.fromkeys(range(DRUMS), (21, 108)),
    **dict.fromkeys(range(24, 32), (40, 88)),
    **dict.fromkeys(range(32, 40), (28, 67)),
    **dict.fromkeys(range(48, 52), (28, 103)),
    **dict.fromkeys(range(52, 55), (38, 84)),
    6: (29, 89), 7: (29, 88), 8: (60, 108), 9: (79, 108), 10: (60, 96), 11: (53, 89),
    12: (36, 96), 13: (65, 108), 14: (60, 77), 15: (48, 86), 16: (24, 108), 17: (24, 108),
    18: (24, 108), 19: (24, 108), 20: (36, 96), 21: (41, 101), 22: (48, 96), 23: (41, 101),
    40: (55, 103), 41: (48, 91), 42: (36, 84), 43: (28, 67), 44: (28, 103), 45: (28, 103),
    46: (23, 103), 47: (36, 60), 56: (54, 86), 57: (34, 77), 58: (26, 65), 59: (54, 86),
    60: (34, 77), 61: (34, 86), 64: (56, 88), 65: (49, 81), 66: (44, 76), 67: (36, 69),
    68: (58, 93), 69: (52, 81), 70: (34, 77), 71: (50, 94), 72: (74, 108), 73: (59, 98),
    74: (60, 98), 75: (60, 96), 76: (60, 96), 77: (50, 89), 78: (60, 96), 79: (60, 96),
    104: (48, 77), 105: (48, 86), 106: (50, 84), 107: (55, 84), 108: (60, 79), 109: (57, 84),
    110: (55, 103), 111: (60, 84), 114: (52, 83),
    DRUMS: (27, 87),
}  # fmt: skip


def program(name: str | SupportsIndex) -> int:
    """The program number, 0–128, of an instrument's name or of a number.

    Names are matched without regard to case, accents and punctuation: the General MIDI names
    ("Acoustic Grand Piano") and the usual short ones ("piano", "strings", "sax", "drums").

    Raises:
        InputError: if there is no such instrument; the message names the nearest one.
    """
    if not isinstance(name, str):
        return _checked(name.__index__())
    key = folded(name)
    if key.isdecimal():
        return _checked(int(key))
    found = _BY_NAME.get(key)
    if found is None:
        raise unknown("instrument", name, _BY_NAME)
    return found


def name(program: int) -> str:
    """The General MIDI name of a program 0–127, or "Drums" for 128.

    Raises:
        InputError: if the number is outside 0–128.
    """
    return PROGRAM_NAMES[_checked(program)]


def family_of(program: int) -> str:
    """The family in `FAMILIES` of a program 0–128.

    Raises:
        InputError: if the number is outside 0–128.
    """
    number = _checked(program)
    return next(family for family, programs in FAMILIES.items() if number in programs)


def range_of(program: int) -> tuple[int, int]:
    """The lowest and highest pitch that the instrument plays (both included).

    Raises:
        InputError: if the number is outside 0–128.
    """
    return _RANGES[_checked(program)]


def _checked(number: int) -> int:
    if not 0 <= number <= DRUMS:
        raise InputError(
            f"there is no instrument number {number}; give 0 to 127 (General MIDI) or 128 (drums)"
        )
    return int(number)


_BY_NAME: dict[str, int] = {
    **{folded(text): number for number, text in enumerate(PROGRAM_NAMES)},
    **INSTRUMENTS,
}

"""Chords: a root and one of a few qualities, numbered, and their names as controls and symbols.

Qualities are those that notes alone can tell apart: no two have the same pitch classes, so a sixth
chord is the triad that it extends, and a ninth chord the seventh chord.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizer.errors import InputError
from tokenizer.theory import PITCH_CLASSES

NONE = "none"
QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    NONE: (),
}
"""Semitones above the root, by quality; `none` says that no chord sounds."""

_SUFFIXES = {"maj": "", "min": "m", "min7": "m7"}
_ROOTS = {name: number for number, name in enumerate(PITCH_CLASSES)}


@dataclass(frozen=True)
class Chord:
    """A chord without its voicing.

    Attributes:
        root: a pitch class, 0 (C) to 11 (B); None for no chord.
        quality: a name in `QUALITIES`.

    Raises:
        InputError: if there is no such root or quality, or only one of both says "no chord".
    """

    root: int | None
    quality: str

    def __post_init__(self) -> None:
        if self.quality not in QUALITIES or (self.root is None) != (self.quality == NONE):
            raise InputError(
                f"there is no chord with the root {self.root} and the quality '{self.quality}'; "
                f"qualities are {', '.join(QUALITIES)}, and '{NONE}' alone has no root"
            )
        if self.root is not None and not 0 <= self.root <= 11:
            raise InputError(f"a root is a pitch class, 0 to 11, not {self.root}")

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The pitch classes that sound; empty for no chord."""
        root = self.root or 0
        return frozenset((root + interval) % 12 for interval in QUALITIES[self.quality])

    @property
    def control(self) -> str:
        """The control that stands for it in a vocabulary: `chord:Bb:min7`, or `chord:none`."""
        return f"chord:{NONE}" if self.root is None else f"chord:{self._name}:{self.quality}"

    @property
    def symbol(self) -> str:
        """As a lead sheet has it: "C", "Am", "Bbm7", "F#dim7"; "N.C." for no chord."""
        if self.root is None:
            return "N.C."
        return self._name + _SUFFIXES.get(self.quality, self.quality)

    @property
    def number(self) -> int:
        """Its place in `CHORDS`."""
        return _NUMBERS[self]

    def transposed(self, semitones: int) -> Chord:
        """The same quality on another root."""
        return self if self.root is None else Chord((self.root + semitones) % 12, self.quality)

    @property
    def _name(self) -> str:
        return PITCH_CLASSES[self.root or 0]


NO_CHORD = Chord(None, NONE)

CHORDS = (
    NO_CHORD,
    *(Chord(root, quality) for quality in QUALITIES if quality != NONE for root in range(12)),
)
"""Every chord, in the order of its number: none, then the twelve roots of each quality."""

_NUMBERS = {chord: number for number, chord in enumerate(CHORDS)}


def chord_of_control(name: str) -> Chord:
    """The chord of a control such as `chord:Bb:min7`.

    Raises:
        InputError: if the control names no chord.
    """
    if name == NO_CHORD.control:
        return NO_CHORD
    kind, root, quality = [*name.split(":"), "", ""][:3]
    if kind != "chord" or root not in _ROOTS:
        raise InputError(f"'{name}' is no chord; write such as chord:Bb:min7 or chord:{NONE}")
    return Chord(_ROOTS[root], quality)

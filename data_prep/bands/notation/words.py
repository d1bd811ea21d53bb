"""The words of a pattern line: which note or chord, and how it is played.

Lines of single notes (bass, riff) hold degrees of the chord (`1`, `b3`, `5`), of the key (`k1`) and
ways to the next chord (`a`, `s`, `w`, `n`); lines of chords hold `c`, `t`, `b`, `f`, `n` and the
numbers of voices. Both take `x` for a dead note, `(…)` for a ghost note and the marks `! ^ ? ' ,`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from tokenizer.errors import InputError

_WORD = re.compile(r"(\()?(k?[b#]?[1-9]|[a-zA-Z])([!^?',]*)(\))?")
_LINE = ("a", "s", "w", "n", "x")
_CHORD = ("c", "t", "b", "f", "n", "x")

CHORD_ROLES = ("chords", "arpeggio", "pad")


class Word(NamedTuple):
    """A word taken apart.

    Attributes:
        core: the letter, or the degree's accidental and number.
        degree: 1–9, 0 for a letter.
        accidental: −1, 0 or 1.
        of_key: whether the degree is counted from the tonic.
        octave: how many octaves higher.
        accent: whether it is louder.
        ghost: whether it is hardly to be heard.
        short: whether it is cut short.
        maybe: whether it may be left out.
    """

    core: str
    degree: int
    accidental: int
    of_key: bool
    octave: int
    accent: bool
    ghost: bool
    short: bool
    maybe: bool


@lru_cache(maxsize=4096)
def word(text: str) -> Word:
    """Take a word apart.

    Raises:
        InputError: if it is none.
    """
    match = _WORD.fullmatch(text)
    if match is None or bool(match[1]) != bool(match[4]):
        raise InputError(
            f"'{text}' is no word of a pattern; see the table of words in docs/bands.md"
        )
    core, marks = match[2], match[3]
    digits = core.lstrip("k")
    return Word(
        core,
        int(digits[-1]) if digits[-1].isdecimal() else 0,
        digits.count("#") - (digits.count("b") if digits[-1].isdecimal() else 0),
        core.startswith("k"),
        marks.count("'") - marks.count(","),
        "!" in marks,
        bool(match[1]),
        "^" in marks,
        "?" in marks,
    )


def check_word(text: str, role: str) -> None:
    """Raise InputError if a word is none, or none that a part of this role can play."""
    found = word(text)
    is_chord = role in CHORD_ROLES
    if found.degree:
        if is_chord and (found.accidental or found.of_key):
            raise InputError(f"'{text}' is a degree; a part of chords counts its voices, 1 to 8")
        return
    known = _CHORD if is_chord else _LINE
    if found.core not in known:
        raise InputError(f"'{text}' cannot be played by {role}; letters are {', '.join(known)}")

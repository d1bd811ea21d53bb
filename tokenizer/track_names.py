"""Which instrument a track's name speaks of: "Sub Bass", "E-Gitarre", "Batería", "ベース".

The words stand in `track_names.json`, by instrument, in a dozen languages, so that anybody can add
one without reading code; the names of General MIDI and their usual aliases are known as well. A
phrase wins over a word ("bass drum" is a drum), a word for an instrument over one for its role
("lead guitar" is a guitar), a later word over an earlier one.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from .aliases import INSTRUMENTS
from .instruments import PROGRAM_NAMES, program

_TABLE: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))

HANDS = frozenset(_TABLE["hands"])
"""Words for one hand of a keyboard player, or one of his two staves."""

VOICES = frozenset(_TABLE["voices"])
"""Words for a voice of a choir; beside one of them a bass is a singer."""

_ROLES = frozenset(_TABLE["roles"])
_LONGEST_PHRASE = 4
_SHORTEST_HEAD = 5  # letters of a word that compounds may end in: Rhythmus-gitarre


def instrument_in(name: str) -> int | None:
    """The program 0–128 that a track's name speaks of, or None.

    Args:
        name: as the file has it; bytes that were not UTF-8 may have been read as Latin-1.
    """
    found = _found(name)
    return _found(_japanese(name)) if found is None else found


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, lower-case and without accents: "01 SubBass_L" is sub, bass, l."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name))
    return tuple(re.findall(r"[^\W\d_]+|\d+", _plain(split)))


def _found(name: str) -> int | None:
    words = words_of(name)
    table = _table()
    best: tuple[int, bool, int] = (0, False, 0)
    found = None
    for first in range(len(words)):
        for length in range(1, min(_LONGEST_PHRASE, len(words) - first) + 1):
            phrase = words[first : first + length]
            known = _program_of(phrase, table)
            rank = (length, phrase[0] not in _ROLES, first + length)
            if known is not None and rank > best:
                best, found = rank, known
    return found


def _program_of(phrase: tuple[str, ...], table: dict[str, int]) -> int | None:
    known = table.get("".join(phrase))
    if known is None and len(phrase) == 1:
        word = phrase[0]
        known = table.get(word.removesuffix("s"))
        if known is None:
            known = _part_of_word(word, table)
    return known


def _part_of_word(word: str, table: dict[str, int]) -> int | None:
    """The program of the longest known word that a compound ends in, or contains without spaces."""
    unspaced = not word.isascii() and not re.search(r"[a-zа-яё]", word)
    for length in range(len(word) - 1, 1 if unspaced else _SHORTEST_HEAD - 1, -1):
        starts = range(len(word) - length + 1) if unspaced else (len(word) - length,)
        for start in starts:
            known = table.get(word[start : start + length])
            if known is not None:
                return known
    return None


def _japanese(name: str) -> str:
    """A name whose Shift-JIS bytes were read as Latin-1, as it was meant; else nothing."""
    try:
        meant = name.encode("latin-1").decode("cp932")
    except UnicodeError:
        return ""
    return meant if re.search("[ぁ-ヿ一-鿿]", meant) else ""


def _plain(text: str) -> str:
    """Lower-case, and Latin and Cyrillic letters without accents; kana keep their marks."""
    kept = []
    for letter in text.casefold():
        base = unicodedata.normalize("NFD", letter)
        kept.append(base[0] if base[0] < "\u3040" and letter != "й" else letter)
    return unicodedata.normalize("NFC", "".join(kept)).replace("œ", "oe")


@cache
def _table() -> dict[str, int]:
    """Program by name, in plain letters and without spaces."""
    known = {name: number for number, name in enumerate(PROGRAM_NAMES)} | INSTRUMENTS
    for instrument, names in _TABLE["instruments"].items():
        known |= dict.fromkeys(names, program(instrument))
    return {"".join(words_of(name)): number for name, number in known.items()}

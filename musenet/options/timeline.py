"""The course of a piece in words: its sections, and labels that change on the way.

A A B A                        sections of the same length; a prompt is the first of them
intro:4 verse:8 verse chorus   a length in bars where a section first appears
bar 17: composer chopin, instruments piano
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tokenizer.errors import InputError, unknown
from tokenizer.instruments import name as instrument_name
from tokenizer.theory import Key, key_name

from . import parse

Changes = str | Sequence[str]
"""What `--then` takes, once or several times."""

_TEMPI = (10.0, 400.0)
_KINDS = {
    "composer": "composer",
    "style": "styles",
    "styles": "styles",
    "instrument": "instruments",
    "instruments": "instruments",
    "tempo": "tempo",
    "key": "key",
}


def parse_form(text: str) -> str:
    """A form in one notation: names with lengths where given, separated by spaces.

    Raises:
        InputError: if it is none, or gives a section two lengths.
    """
    lengths: dict[str, str] = {}
    words = text.replace(",", " ").split()
    for word in words:
        name, _, bars = word.partition(":")
        if not re.fullmatch(r"[^:]+(:[1-9]\d{0,3})?", word):
            raise InputError(
                f"--form takes names of sections such as A A B A or verse:8 chorus:8, not '{word}'"
            )
        if bars and lengths.setdefault(name, bars) != bars:
            raise InputError(
                f"--form gives section {name} {lengths[name]} and {bars} bars; "
                "a section that returns keeps its length"
            )
    if not words:
        raise InputError("--form is empty; give sections such as A A B A")
    return " ".join(words)


def ends_anew(form: str) -> bool:
    """Whether the last section of a form is not an earlier one again."""
    names = [word.partition(":")[0] for word in form.split()]
    return names[-1] not in names[:-1]


@dataclass(frozen=True)
class Change:
    """What is asked for from a bar on; the rest stays as it was.

    Attributes:
        bar: counted from 1, from the beginning of the file.
        composer: as `GenerateOptions.composer`.
        styles: as `GenerateOptions.styles`.
        instruments: the programs that play from there on; empty if they stay.
        tempo: in quarter notes per minute.
        key: of the music.
    """

    bar: int
    composer: str | None = None
    styles: tuple[str, ...] = ()
    instruments: tuple[int, ...] = ()
    tempo: float | None = None
    key: Key | None = None

    def __str__(self) -> str:
        said = [
            ("composer", self.composer),
            ("style", " and ".join(self.styles)),
            ("instruments", ", ".join(map(instrument_name, self.instruments))),
            ("tempo", None if self.tempo is None else f"{self.tempo:g}"),
            ("key", None if self.key is None else key_name(*self.key)),
        ]
        return f"bar {self.bar}: {', '.join(f'{kind} {value}' for kind, value in said if value)}"


def parse_changes(given: Changes | Sequence[Change]) -> tuple[Change, ...]:
    """The changes in the order of their bars.

    Raises:
        InputError: if something is no change, or two begin with the same bar.
    """
    texts = [given] if isinstance(given, str) else given
    found = sorted(
        (one if isinstance(one, Change) else _change(one) for one in texts),
        key=lambda change: change.bar,
    )
    for earlier, later in pairwise(found):
        if earlier.bar == later.bar:
            raise InputError(f"--then names bar {later.bar} twice; put both into one")
    return tuple(found)


def _change(text: str) -> Change:
    """The change that a text such as "bar 17: composer chopin" asks for."""
    place = re.fullmatch(r"\s*(?:bar\s+)?(\d{1,5})\s*:\s*(\S.*)", text, re.DOTALL)
    if place is None or int(place[1]) < 1:
        raise InputError(
            "--then takes a bar and what changes there, such as "
            f"'bar 17: composer chopin, instruments piano', not '{text}'"
        )
    values: dict[str, Any] = {}
    for kind, words in _items(place[2], text):
        if kind in values:
            raise InputError(f"--then '{text}' gives {kind} twice; give it once")
        values[kind] = _value(kind, words)
    return Change(int(place[1]), **values)


def _items(text: str, whole: str) -> list[tuple[str, str]]:
    """The kinds and values of "composer chopin, instruments piano, violin"."""
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        word, _, rest = part.strip().partition(" ")
        if word.casefold() in _KINDS and rest.strip():
            found.append((_KINDS[word.casefold()], rest.strip()))
        elif found and part.strip():
            found[-1] = (found[-1][0], f"{found[-1][1]},{part.strip()}")
        elif part.strip():
            raise InputError(f"--then '{whole}': {unknown('word', word, sorted(_KINDS))}")
    return found


def _value(kind: str, words: str) -> Any:
    """The value of an item."""
    if kind == "tempo":
        try:
            tempo = float(words)
        except ValueError:
            tempo = 0.0
        if not _TEMPI[0] <= tempo <= _TEMPI[1]:
            raise InputError(f"--then takes a tempo of 10 to 400 quarter notes, not '{words}'")
        return tempo
    parsers = {
        "composer": parse.composer,
        "styles": parse.styles,
        "instruments": parse.programs,
        "key": parse.key,
    }
    return parsers[kind](words)

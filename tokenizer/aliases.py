"""The one table of names: how composers, styles and instruments are called, and by whom else.

The table itself is `aliases.json`, so that anybody can add a name without reading code:

    "instruments": {alias: program}
    "composers":   {id: [display name, period or null, [aliases]]}
    "styles":      {id: [kind, [aliases]]}          kind is "genre" or "period"
    "nobody":      [what people write where they do not know the composer]
    "style phrases": {phrase: [style ids]}      whole phrases that mean several styles, or none

Here it becomes dictionaries from a folded name to an id. Keys that follow from a composer's display
name ("Johann Sebastian Bach" gives "js bach") are derived, and dropped where two composers share
them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

# Letters that Unicode does not decompose into a base letter and an accent.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i", "ħ": "h"}
)


def folded(name: str) -> str:
    """A name as the table's keys are written: lower-case ASCII words with one space between.

    Accents are dropped, punctuation separates words, and initials stand together: "J. S. Bach" and
    "JS Bach" are both "js bach".
    """
    text = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    ascii_text = re.sub(r"[’'`]", "", text.encode("ascii", "ignore").decode())
    words = re.sub(r"[^a-z0-9]+", " ", ascii_text).strip()
    return re.sub(r"\b([a-z]) (?=[a-z]\b)", r"\1", words)


class Composer(NamedTuple):
    """A composer in the table: the name as it is printed, and the period or None."""

    name: str
    period: str | None


def _name_keys(name: str) -> set[str]:
    """The surname after all forenames, the first one, all initials, or the first initial."""
    fore, _, last = name.rpartition(" ")  # a surname with a hyphen is one word
    surname, forenames = folded(last), folded(fore).split()
    if not forenames:
        return {surname}
    initials = "".join(word[0] for word in forenames)
    variants = (" ".join(forenames), forenames[0], initials, initials[0])
    return {folded(f"{variant} {surname}") for variant in variants}


_TABLE = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

INSTRUMENTS: dict[str, int] = {folded(key): value for key, value in _TABLE["instruments"].items()}
"""Program by folded alias."""

COMPOSERS: dict[str, Composer] = {
    who: Composer(name, period) for who, (name, period, _) in _TABLE["composers"].items()
}
"""Display name and period by composer id."""

NOBODY: frozenset[str] = frozenset(map(folded, _TABLE["nobody"]))
"""Folded names that mean that the composer is not known."""

STYLE_KINDS: dict[str, str] = {style: kind for style, (kind, _) in _TABLE["styles"].items()}
"""Kind, "genre" or "period", by style id."""


@cache
def composer_keys() -> dict[str, str]:
    """Composer id by folded name."""
    rows = _TABLE["composers"]
    derived = {who: _name_keys(name) for who, (name, _, _) in rows.items()}
    shared = Counter(key for keys in derived.values() for key in keys)
    table = {key: who for who, keys in derived.items() for key in keys if shared[key] == 1}
    # The id, the whole name and what the table says outright win over what was derived.
    for who, (name, _, aliases) in rows.items():
        table |= {folded(key): who for key in (who, name, *aliases)}
    return table


@cache
def style_keys() -> dict[str, tuple[str, ...]]:
    """Style ids by folded name; a phrase may stand for several, or for none."""
    names = {
        folded(key): (style,)
        for style, (_, aliases) in _TABLE["styles"].items()
        for key in (style, *aliases)
    }
    return names | {folded(key): tuple(styles) for key, styles in _TABLE["style phrases"].items()}

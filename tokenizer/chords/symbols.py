"""Chord symbols as people write them: "Bbm7b5/Db", "C-7", "CΔ7", "F♯ø", "Gsus", "N.C.".

A symbol becomes the set of its intervals, and this the nearest quality with the same
third and seventh.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache

from tokenizer.errors import InputError
from tokenizer.theory import pitch_class

from .chord import NO_CHORD, NONE, QUALITIES, Chord

_SYMBOL = re.compile(r"([A-G](?:##?|bb?)?)(.*?)(?:/([A-G](?:##?|bb?)?))?")
_NO_CHORD = {"nc", "nochord", NONE}
_SIGNS = str.maketrans("♯♭−–△∆ºᵒØ", "#b--ΔΔ°°ø")
_SEPARATORS = re.compile(r"[(),\s]|(?<=\w)/(?=\w)")

_WORDS = re.compile(
    r"(?P<altered>(?:(?<=\d)[-+]|[#b])(?:5|9|11|13))"
    r"|(?P<major>major|maj|Maj|MAJ|MA|Ma|ma(?!dd)|M|Δ|\^)"
    r"|(?P<half_diminished>ø7?)"
    r"|(?P<diminished>dim|°|o(?!m))"
    r"|(?P<minor>minor|min|Min|MIN|Mi|mi|m|-)"
    r"|(?P<suspended>sus[24]?)"
    r"|(?P<added>add[#b]?(?:2|4|6|9|11|13))"
    r"|(?P<omitted>(?:no|omit)[135])"
    r"|(?P<augmented>aug|\+5?)"
    r"|(?P<altered_dominant>7?alt)"
    r"|(?P<dominant>dom(?=7|9|11|13))"
    r"|(?P<extended>7|9|11|13)"
    r"|(?P<sixth>69|6)"
    r"|(?P<second>2)|(?P<fourth>4)|(?P<power>5)"
)
_REPEATABLE = {"altered", "added", "omitted"}
_DEGREES = {"1": 0, "2": 2, "3": 4, "4": 5, "5": 7, "6": 9, "7": 10, "9": 2, "11": 5, "13": 9}
_SHIFTS = {"#": 1, "+": 1, "b": -1, "-": -1}
_EXTENSIONS = {"7": "", "9": "9", "11": "9 11", "13": "9 13"}


def split_symbol(text: str) -> tuple[int, str, int] | None:
    """Root, suffix and bass note of a symbol: "F#m7/E" is (6, "m7", 4); None if it has no root."""
    match = _SYMBOL.fullmatch(text)
    if match is None:
        return None
    root = pitch_class(match[1])
    return root, match[2], pitch_class(match[3]) if match[3] else root


@lru_cache(maxsize=4096)
def parse_chord(text: str) -> Chord:
    """The chord that a symbol names, reduced to the nearest quality; a bass note is left out.

    Read are triads, sixths, sevenths, ninths to thirteenths, suspensions, added, altered and
    omitted notes, in English spelling (B is below C), with # b or ♯ ♭, and N.C. for no chord.

    Raises:
        InputError: if it is no chord symbol.
    """
    root, intervals = _intervals(text)
    return NO_CHORD if root is None else Chord(root, nearest_quality(intervals))


def is_exact(text: str) -> bool:
    """Whether a chord symbol names a quality of `QUALITIES` itself, and no bass note.

    Raises:
        InputError: if it is no chord symbol.
    """
    root, intervals = _intervals(text)
    parts = split_symbol(_plain(text))
    bass = root if parts is None else parts[2]
    return bass == root and intervals == set(QUALITIES[parse_chord(text).quality])


def _plain(text: str) -> str:
    return text.strip().translate(_SIGNS)


def _intervals(text: str) -> tuple[int | None, set[int]]:
    """Root and intervals of a chord symbol; no root for no chord.

    Raises:
        InputError: if it is no chord symbol.
    """
    plain = _plain(text)
    if re.sub(r"[\s.]", "", plain).casefold() in _NO_CHORD:
        return None, set()
    parts = split_symbol(plain)
    degrees = _degrees(_SEPARATORS.sub("", parts[1])) if parts else None
    if parts is None or degrees is None:
        hint = "; B natural is written B" if plain.startswith("H") else ""
        raise InputError(
            f"'{text}' is no chord symbol; write such as C, F#m7, Bbmaj7, G7sus4 or N.C.{hint}"
        )
    return parts[0], set(degrees.values())


def is_chord(text: str) -> bool:
    """Whether a text is a chord symbol."""
    try:
        parse_chord(text)
    except InputError:
        return False
    return True


def _degrees(suffix: str) -> dict[str, int] | None:
    """Semitones above the root, 0 to 11, by degree of the chord; None if the suffix is none."""
    words: list[tuple[str, str]] = []
    place = 0
    while place < len(suffix):
        match = _WORDS.match(suffix, place)
        if match is None or match.lastgroup is None:
            return None
        words.append((match.lastgroup, match[0]))
        place = match.end()
    kinds = [kind for kind, _ in words if kind not in _REPEATABLE]
    if len(set(kinds)) < len(kinds) or ("power" in kinds and len(words) > 1):
        return None
    return _spelled(words)


def _spelled(words: list[tuple[str, str]]) -> dict[str, int]:
    """The degrees that the words of a suffix spell."""
    said = dict(words)
    degrees = {"1": 0, "3": 3 if "minor" in said else 4, "5": 7}
    seventh = 11 if "major" in said else 10
    if "half_diminished" in said:
        degrees |= {"3": 3, "5": 6, "7": 10}
    if "diminished" in said:
        degrees |= {"3": 3, "5": 6}
        seventh = 9
    if "augmented" in said:
        degrees["5"] = 8
    if "extended" in said or "altered_dominant" in said or said.get("major") in ("Δ", "^"):
        degrees["7"] = seventh
    for degree in _EXTENSIONS[said.get("extended", "7")].split() + list(said.get("sixth", "")):
        degrees[degree] = _DEGREES[degree]
    if {"suspended", "fourth", "power"} & said.keys():
        del degrees["3"]
    if "fourth" in said or said.get("suspended") in ("sus", "sus4"):
        degrees["4"] = _DEGREES["4"]
    if "second" in said or said.get("suspended") == "sus2":
        degrees["2"] = _DEGREES["2"]
    for kind, word in words:
        if kind in ("added", "altered"):
            shifted = word.removeprefix("add")
            degree = shifted.lstrip("-+#b")
            sign = shifted.removesuffix(degree)
            # An altered ninth may stand beside another one.
            key = degree if degree == "5" else sign + degree
            degrees[key] = (_DEGREES[degree] + _SHIFTS.get(sign, 0)) % 12
        elif kind == "omitted":
            degrees.pop(word[-1], None)
    return degrees


def nearest_quality(intervals: Set[int]) -> str:
    """The quality that shares most with intervals (0 to 11), of those with the same guide tones.

    These are the third and the seventh; the seventh counts where a quality has both. Without a
    third, a second or a fourth makes it a suspension; else it counts as major.
    """
    third = 4 if 4 in intervals or not intervals & {2, 3, 5} else 3 if 3 in intervals else 5
    sevenths = intervals & {10, 11}
    alike = [quality for quality, own in QUALITIES.items() if third in own]
    guided = [quality for quality in alike if sevenths & set(QUALITIES[quality])]

    def shared(quality: str) -> float:
        own = frozenset(QUALITIES[quality])
        return len(own & intervals) / len(own | intervals)

    return max(guided or alike, key=shared)

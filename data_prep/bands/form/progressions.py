"""The chords of a section, bar by bar: a progression of the style, changed as players change it.

Progressions are lists of bars of Roman numerals; a bar's numerals divide it equally. Changes work
on the numerals, before there is a key: secondary dominants, ii–V chains, borrowed and passing
chords, suspensions, tritone substitutes, pedal points, turnarounds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from data_prep.bands.harmony.chords import Chord, Key, roman
from data_prep.bands.notation.pattern import Meter
from data_prep.bands.notation.style import Style

Numerals = list[list[str]]
ChordBar = tuple[tuple[int, Chord], ...]
"""Ticks from the bar line, and the chord that begins there."""

_DEGREE = re.compile(r"[b#]?[IViv]+")
_FALLBACKS = {
    "intro": ("verse", "a", "head"),
    "outro": ("chorus", "a", "verse", "head"),
    "prechorus": ("bridge", "verse"),
    "bridge": ("b", "prechorus", "verse"),
    "solo": ("verse", "a", "head", "chorus"),
    "interlude": ("intro", "verse", "a"),
    "break": ("verse", "a"),
    "build": ("verse", "chorus"),
    "drop": ("chorus", "verse"),
    "head": ("a", "verse"),
    "chorus": ("a", "verse"),
    "verse": ("a", "head"),
    "a": ("verse", "head"),
    "b": ("bridge", "chorus", "verse"),
    "c": ("chorus", "verse"),
}


def parse(progression: str) -> Numerals:
    """The numerals of a progression by bar; `.` and `%` go on with the chord before."""
    return [bar.split() for bar in progression.split("|")]


def progressions_for(kinds: dict[str, tuple[str, ...]], kind: str) -> tuple[str, ...]:
    """The progressions that a style gives for a kind of section, or for the nearest kind."""
    for name in (kind, *_FALLBACKS.get(kind, ())):
        if name in kinds:
            return kinds[name]
    return next(iter(kinds.values()))


def fitted(numerals: Numerals, bars: int) -> Numerals:
    """A progression repeated, or cut, to so many bars."""
    return [list(numerals[number % len(numerals)]) for number in range(bars)]


def reharmonised(numerals: Numerals, style: Style, mode: str, random: Random) -> Numerals:
    """Change one or two things, as the style allows; the first bar stays as it is."""
    found = [list(bar) for bar in numerals]
    if not style.reharmonise:
        return found
    for _ in range(random.randint(1, 2)):
        way = random.choice(style.reharmonise)
        if way == "pedal":
            if len(found) <= 8 and not any("@" in n or "/" in n for bar in found for n in bar):
                pedal = random.choice(("@1", "@5", "@1"))
                found = [[n if n in ".%" else n + pedal for n in bar] for bar in found]
            continue
        places = [i for i in range(1, len(found)) if len(found[i]) == 1]
        random.shuffle(places)
        for place in places:
            after = found[(place + 1) % len(found)][0]
            changed = _change(way, found[place][0], after, mode)
            if changed:
                found[place] = changed
                break
    return found


def _change(way: str, numeral: str, after: str, mode: str) -> list[str] | None:
    """Two chords instead of one, or None where the way does not fit there."""
    target = _DEGREE.match(after)
    core = _DEGREE.match(numeral)
    if target is None or core is None or "/" in numeral or "@" in numeral:
        return None
    degree, towards = core[0], target[0]
    is_minor = mode not in ("major", "mixolydian", "lydian")
    if way == "secondary" and towards in ("ii", "iii", "IV", "V", "vi", "iv", "v", "bVI", "bIII"):
        return [numeral, f"V7/{towards}"] if degree != towards else None
    if way == "two-five" and towards in ("I", "ii", "IV", "V", "vi", "i", "iv") and degree != "V":
        minor = towards.islower()
        return [f"{'iiø' if minor else 'ii7'}/{towards}", f"{'V7b9' if minor else 'V7'}/{towards}"]
    if way == "borrowed" and not is_minor and degree == "IV" and numeral in ("IV", "IVmaj7", "IV6"):
        return [numeral, "iv6" if numeral != "IV" else "iv"]
    if way == "borrowed" and is_minor and numeral in ("v", "v7"):
        return [numeral, "V7"]
    if way == "tritone" and degree == "V" and towards in ("I", "i"):
        return [numeral, "bII7"]
    if way == "sus" and numeral in ("V", "V7"):
        return ["Vsus4" if numeral == "V" else "V7sus4", numeral]
    if way == "passing" and degree == "I" and towards in ("ii", "V"):
        return [numeral, "#idim7" if towards == "ii" else "#ivdim7"]
    if way == "passing" and degree == "IV" and towards in ("I", "V"):
        return [numeral, "#ivdim7"]
    return None


def with_turnaround(numerals: Numerals, style: Style, random: Random) -> Numerals:
    """The last bars replaced by one of the style's turnarounds, if it is short enough."""
    if not style.turnarounds:
        return numerals
    turn = parse(random.choice(style.turnarounds))
    return numerals if 2 * len(turn) > len(numerals) else [*numerals[: -len(turn)], *turn]


def in_key(numerals: Numerals, key: Key, meter: Meter) -> tuple[ChordBar, ...]:
    """The chords of each bar in a key."""
    found: list[ChordBar] = []
    before: Chord | None = None
    for bar in numerals:
        size = meter.bar // len(bar)
        chords: list[tuple[int, Chord]] = []
        for slot, numeral in enumerate(bar):
            if numeral in (".", "%"):
                if not slot and before is not None:
                    chords.append((0, before))
                continue
            before = roman(numeral, key)
            start = _beat(slot * size, meter) if meter.bar % len(bar) else slot * size
            chords.append((start, before))
        found.append(tuple(chords))
    return tuple(found)


def _beat(tick: int, meter: Meter) -> int:
    """The eighth note at or before a tick: where a bar cannot be cut evenly."""
    return tick // (meter.beat // 2) * (meter.beat // 2)


def chord_at(chords: ChordBar, tick: int) -> Chord:
    """The chord that sounds at a tick of its bar."""
    found = chords[0][1]
    for start, chord in chords:
        if start > tick:
            break
        found = chord
    return found


def symbols(chords: Sequence[tuple[int, Chord]], key: Key) -> str:
    """A bar's chords as a lead sheet writes them, such as "Dm7 G7"."""
    return " ".join(chord.symbol(key) for _, chord in chords)

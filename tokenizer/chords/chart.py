"""Chord charts as text, a chord or several to a bar: "C | Am | F G7 | %"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby
from math import lcm
from typing import NamedTuple

import numpy as np

from tokenizer.errors import InputError
from tokenizer.typing import Ints

from .beats import BAR_LINE, Beats
from .chord import CHORDS, NO_CHORD, Chord
from .symbols import is_exact, parse_chord

REPEAT_BAR = "%"
REPEAT_CHORD = "/"
BARS_PER_LINE = 4


class ChartChord(NamedTuple):
    """A chord of a chart: the bar, counted from 0, the place in it, 0 ≤ place < 1, the chord."""

    bar: int
    place: Fraction
    chord: Chord


def parse_chart(text: str) -> list[ChartChord]:
    """The chords of a chart, in order: the first of every bar, and every change within a bar.

    Bars stand between `|` or line breaks; the chords of a bar share it evenly, so that `C G7` has
    two halves and `C / / G7` changes on the last of four beats. `%` repeats the bar before, `/` the
    chord before.

    Raises:
        InputError: if a chord cannot be read, a bar is empty, or there is nothing to repeat.
    """
    found: list[ChartChord] = []
    for bar, words in enumerate(_bars(text)):
        if words == [REPEAT_BAR]:
            repeated = [row for row in found if row.bar == bar - 1]
            if not repeated:
                raise InputError("bar 1 of the chart is %, but there is no bar before to repeat")
            found += [row._replace(bar=bar) for row in repeated]
            continue
        for share, word in enumerate(words):
            chord = found[-1].chord if word == REPEAT_CHORD and found else _chord(word, bar)
            if share == 0 or chord != found[-1].chord:
                found.append(ChartChord(bar, Fraction(share, len(words)), chord))
    return found


def nearest(text: str) -> dict[str, Chord]:
    """The symbols of a chart that are taken for a simpler chord, and that chord, in order.

    Raises:
        InputError: as `parse_chart`.
    """
    words = [word for bar in _bars(text) for word in bar if word not in (REPEAT_BAR, REPEAT_CHORD)]
    return {word: parse_chord(word) for word in words if not is_exact(word)}


def chart(chords: Iterable[ChartChord]) -> str:
    """The text of chords in order, four bars to a line; a chord lasts until the next one.

    Before the first chord there is none. `parse_chart` reads the text back.
    """
    by_bar = {bar: list(rows) for bar, rows in groupby(chords, lambda row: row.bar)}
    bars: list[str] = []
    sounding = NO_CHORD
    for bar in range(max(by_bar, default=-1) + 1):
        rows = by_bar.get(bar, [])
        shares = lcm(*(row.place.denominator for row in rows))
        at = {int(row.place * shares): row.chord for row in rows}
        words = [at.get(0, sounding).symbol]
        words += [at[n].symbol if n in at else REPEAT_CHORD for n in range(1, shares)]
        bars.append(" ".join(words))
        sounding = rows[-1].chord if rows else sounding
    lines = [bars[n : n + BARS_PER_LINE] for n in range(0, len(bars), BARS_PER_LINE)]
    return "\n".join(" | ".join(line) for line in lines)


def charted(changes: Ints, chords: Ints, beats: Beats) -> list[ChartChord]:
    """A chart of chords by their numbers in `CHORDS`, each from a beat on, ascending.

    As in `parse_chart`, every bar from the first chord on has a chord at its beginning.
    """
    opens = beats.accents == BAR_LINE
    bar = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)
    in_bar = np.diff(np.append(first, len(opens)))
    at = dict(zip(changes.tolist(), chords.tolist(), strict=True))
    found: list[ChartChord] = []
    for beat in sorted({*at, *first[first > changes.min(initial=len(opens))].tolist()}):
        chord = CHORDS[at[beat]] if beat in at else found[-1].chord
        place = Fraction(beat - int(first[bar[beat]]), int(in_bar[bar[beat]]))
        found.append(ChartChord(int(bar[beat]), place, chord))
    return found


def _bars(text: str) -> list[list[str]]:
    """The words of each bar; bar lines at the ends of a text line and double ones count once."""
    bars: list[list[str]] = []
    for line in text.splitlines():
        inner = re.sub(r"\|[|\]]|\[\|", "|", line.strip()).strip("|").strip()
        for bar in inner.split("|") if inner else ():
            if not bar.strip():
                raise InputError(
                    f"bar {len(bars) + 1} of the chart is empty; write % to repeat the bar before, "
                    "or N.C. for no chord"
                )
            bars.append(bar.split())
    if not bars:
        raise InputError("the chart has no bars; write such as C | Am | F | G7")
    return bars


def _chord(word: str, bar: int) -> Chord:
    try:
        return parse_chord(word)
    except InputError as error:
        raise InputError(f"bar {bar + 1} of the chart: {error}") from error

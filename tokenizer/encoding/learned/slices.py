"""Music as slices: what sounds from one change to the next, and how it changed.

A slice begins wherever a note begins or ends or a control stands. What sounds in it is its chord:
a code for each note, ascending, with its key, its class of loudness, and whether it is held from
the slice before, struck now, or struck and shorter than any slice.

Of notes of one key and loudness the one that began first is held to end first, unless `offs` and
`ons` say otherwise: where that is not so, the slice has no chord.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from tokenizer.encoding.compound import decode_rows
from tokenizer.typing import Tokens

from .symbols import PITCHES, Symbols

HELD, STRUCK, SHORT = range(3)

Chord = tuple[int, ...]
"""Codes of notes, ascending: see `code_of`."""


def code_of(key: int, volume: int, kind: int) -> int:
    """A note of a chord as a number: key, loudness (5 bits), and HELD, STRUCK or SHORT (2 bits)."""
    return (key << 5 | volume) << 2 | kind


def parts_of(code: int) -> tuple[int, int, int]:
    """Key, loudness and kind of a code."""
    return code >> 7, code >> 2 & 31, code & 3


def chord_words(chord: Chord) -> str:
    """A chord as text: `program:pitch:volume` of each note, with + if struck and ! if short."""
    words = []
    for key, volume, kind in map(parts_of, chord):
        words.append(f"{key // PITCHES}:{key % PITCHES}:{volume}{('', '+', '!')[kind]}")
    return " ".join(words)


def parsed_chord(text: str) -> Chord:
    """The inverse of `chord_words`; raises ValueError."""
    codes = []
    for word in text.split():
        program, pitch, volume = word.rstrip("+!").split(":")
        kind = {"+": STRUCK, "!": SHORT}.get(word[-1], HELD)
        codes.append(code_of(int(program) * PITCHES + int(pitch), int(volume), kind))
    return tuple(codes)


class Slice(NamedTuple):
    """One change of what sounds.

    Attributes:
        time: in steps.
        controls: field 0's values of the controls that stand here.
        chord: what sounds from here on, or None if no chord says it.
        offs: which notes end, as (key, how many of that key began earlier and go on).
        ons: which begin, as (key, loudness, whether they are short).
    """

    time: int
    controls: list[int]
    chord: Chord | None
    offs: list[tuple[int, int]]
    ons: list[tuple[int, int, bool]]


class Sounding:
    """The notes that sound: for each key `(start, loudness, end)`, the first one begun first."""

    def __init__(self) -> None:
        self.notes: dict[int, list[tuple[int, int, int]]] = defaultdict(list)

    def ended(self, time: int, keys: list[int]) -> tuple[list[tuple[int, int]], bool]:
        """Take out the notes of some keys that end now: which, and whether in order of beginning.

        Returns:
            The `offs` of a slice; whether no note ends before one of its key and loudness that
            began earlier.
        """
        offs, in_order = [], True
        for key in keys:
            kept: list[tuple[int, int, int]] = []
            left: set[int] = set()
            for note in self.notes[key]:
                if note[2] > time:
                    kept.append(note)
                    left.add(note[1])
                    continue
                offs.append((key, len(kept)))
                in_order = in_order and note[1] not in left
            self.notes[key] = kept
            if not kept:
                del self.notes[key]
        return offs, in_order


def slices(rows: Tokens, symbols: Symbols, *, cut: bool) -> Iterator[Slice]:
    """The slices of compound rows `(T, 5)` without prefix, in order of time.

    Args:
        rows: the music; its end, if there is one, stands in no slice.
        symbols: classes of loudness.
        cut: whether those later than the last row are left out.
    """
    sounding = Sounding()
    for time, found in groupby(_events(rows, symbols, cut=cut), itemgetter(0)):
        controls, ending, begun = [], list[int](), list[tuple[int, int, int]]()
        for _, kind, value, volume, end in found:
            if kind == _CONTROL:
                controls.append(value)
            elif kind == _END:
                ending.append(value)
            else:
                begun.append((value, volume, end))
        offs, in_order = sounding.ended(time, sorted({*ending}))
        ons = sorted((key, volume, end <= time) for key, volume, end in begun)
        if not offs and not ons:
            yield Slice(time, controls, None, offs, ons)
            continue
        chord = _chord(sounding, ons) if in_order else None
        for key, volume, end in begun:
            if end > time:
                insort(sounding.notes[key], (time, volume, end))
        yield Slice(time, controls, chord, offs, ons)


_CONTROL, _END, _BEGIN = range(3)

_Event = tuple[int, int, int, int, int]
"""Time, kind, key or control, loudness, end."""


def _events(rows: Tokens, symbols: Symbols, *, cut: bool) -> list[_Event]:
    music = decode_rows(rows, symbols.vocabulary)
    start = music.start
    end = start + symbols.vocabulary.grid.durations[music.duration_class]
    key = music.program.astype(np.int64) * PITCHES + music.pitch
    volume = symbols.volume_of_bin(music.velocity.astype(np.int64) >> 2)
    nothing = np.zeros_like(key)
    begins = np.stack([start, np.full_like(key, _BEGIN), key, volume, end], axis=1)
    ends = np.stack([end, np.full_like(key, _END), key, nothing, nothing], axis=1)[end > start]
    piece = music.controls != symbols.vocabulary.end
    times, values = music.control_times[piece], music.controls[piece].astype(np.int64)
    zeros = np.zeros_like(times)
    controls = np.stack([times, zeros + _CONTROL, values, zeros, zeros], axis=1)
    events = np.concatenate([controls, ends, begins])
    if cut and piece.all():
        last = max(int(start.max(initial=0)), int(times.max(initial=0)))
        events = events[events[:, 0] <= last]
    events = events[np.argsort(events[:, 0], kind="stable")]
    return [tuple(event) for event in events.tolist()]


def _chord(sounding: Sounding, ons: list[tuple[int, int, bool]]) -> Chord:
    codes = [
        code_of(key, volume, HELD)
        for key, notes in sounding.notes.items()
        for _, volume, _ in notes
    ]
    codes += [code_of(key, volume, SHORT if short else STRUCK) for key, volume, short in ons]
    return tuple(sorted(codes))

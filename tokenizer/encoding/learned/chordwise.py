"""MuseNet's chordwise encoding: one token for all that sounds together.

    wait, chord, wait, chord, …

"We initially tried chordwise encoding that considered every combination of notes sounding at one
time as an individual 'chord', and assigned a token to each chord" (Payne 2019). A chord is what
sounds from one change to the next: instruments, pitches, classes of loudness, and which notes are
struck anew (`slices`). The chords with tokens are the most frequent ones of a corpus. A change to
any other is spelled note by note: which notes end, which begin, and how loud. So nothing is lost
that the compound encoding keeps, but for loudness where there are fewer than 32 classes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tokenizer.encoding.vocabulary import WAIT
from tokenizer.typing import Ints, Tokens

from .learned import SIGN_CLASS, LearnedTokenizer, Spelled, frequent_keys
from .slices import (
    HELD,
    SHORT,
    Chord,
    chord_words,
    parsed_chord,
    parts_of,
    slices,
)
from .symbols import (
    BEGIN,
    CONTROL,
    END,
    INSTRUMENT,
    LEARNED,
    LOUDNESS,
    PITCH,
    PITCHES,
    SIGN,
    TIME,
    Symbols,
    key_words,
)

if TYPE_CHECKING:
    from typing_extensions import Self

ON, OFF, LATER, SHORT_NOTE = range(4)
SIGNS = ("on", "off", "the one after", "short")
"""A key without an id begins by instrument, pitch, `on`, and ends by instrument, pitch, `off`.
`the one after` before an ending passes over one note of the key that began earlier; `short` behind
a beginning makes it a note of no steps."""

MOST_COUNTED = 200_000
"""How many different chords are counted at a time; beyond that the rarest are forgotten."""


@dataclass(frozen=True, repr=False)
class ChordwiseTokenizer(LearnedTokenizer):
    """The chordwise encoding.

    Attributes:
        chords: those that have tokens, the most frequent first.
    """

    encoding: ClassVar[str] = "chordwise"

    chords: tuple[Chord, ...] = ()

    @cached_property
    def symbols(self) -> Symbols:
        """What the ids mean."""
        return Symbols(
            self.vocabulary,
            self.first,
            self.keys,
            self.volumes,
            durations=False,
            ends=True,
            signs=SIGNS,
            learned=len(self.chords),
        )

    def learned(self, bodies: Iterable[Tokens], size: int) -> Self:
        """The same encoding with the `size` most frequent chords of music, and its keys."""
        counts, symbols = ChordCounts(), self.symbols
        for rows in bodies:
            found = slices(rows, symbols, cut=False)
            counts.add(one.chord for one in found if one.chord is not None)
        first, keys = self.vocabulary.sizes[WAIT], frequent_keys(bodies)
        return replace(self, first=first, keys=keys, chords=counts.most_frequent(size))

    def learned_parts(self, token: int) -> Sequence[int]:
        """A beginning for each note that a chord begins."""
        chord = self.chords[token - self.symbols.base]
        return [self.symbols.sign + ON for code in chord if parts_of(code)[2] != HELD]

    def described(self, token: int) -> str:
        """What an id says: of a chord, its notes, with + if they are struck and ! if short."""
        symbols = self.symbols
        if symbols.kinds[token] != LEARNED:
            return symbols.described(token)
        said = []
        for key, volume, kind in map(parts_of, self.chords[token - symbols.base]):
            loud = f" {int(symbols.velocities[volume])}" if self.volumes > 1 else ""
            said.append(f"{('', '+', '!')[kind]}{key_words(key)}{loud}")
        return f"chord {', '.join(said) or 'of nothing'}"

    def _class_of_learned(self, token: int, end: int) -> int:  # noqa: ARG002 (a chord is whole)
        return LEARNED

    def _following(self, before: int) -> Collection[int]:
        on, off, later, short = (SIGN_CLASS + sign for sign in (ON, OFF, LATER, SHORT_NOTE))
        change = {TIME, CONTROL, INSTRUMENT, BEGIN, END, later}
        loud = {LOUDNESS} if self.volumes > 1 else {*change, short}
        return {
            CONTROL: {*change, LEARNED},
            TIME: {*change, LEARNED},
            LEARNED: {TIME, CONTROL},
            INSTRUMENT: {PITCH},
            PITCH: {on, off},
            later: {later, END, INSTRUMENT},
            BEGIN: loud,
            on: loud,
            LOUDNESS: {*change, short},
        }.get(before, change)

    @cached_property
    def _id_of_chord(self) -> dict[Chord, int]:
        return {chord: self.symbols.base + place for place, chord in enumerate(self.chords)}

    def _body_ids(self, rows: Tokens, *, cut: bool) -> list[int]:
        symbols, ids, time = self.symbols, list[int](), 0
        known, of_value = self._id_of_chord, symbols.ids_of_values
        for one in slices(rows, symbols, cut=cut):
            ids += symbols.waits(one.time - time)
            time = one.time
            ids += [int(of_value[value]) for value in one.controls]
            if one.offs or one.ons:
                chord = None if one.chord is None else known.get(one.chord)
                ids += self._changes(one.offs, one.ons) if chord is None else [chord]
        if len(rows) and rows[-1, WAIT] == self.vocabulary.end:
            ids.append(self.vocabulary.end)
        return ids

    def _changes(
        self, offs: Sequence[tuple[int, int]], ons: Sequence[tuple[int, int, bool]]
    ) -> list[int]:
        """A change note by note."""
        symbols, ids = self.symbols, list[int]()
        place_of_key = symbols.place_of_key
        for key, earlier in offs:
            ids += [symbols.sign + LATER] * earlier
            place = int(place_of_key[key])
            ids += [symbols.end + place] if place >= 0 else self._key(key, OFF)
        for key, volume, short in ons:
            place = int(place_of_key[key])
            ids += [symbols.begin + place] if place >= 0 else self._key(key, ON)
            ids += [symbols.loudness + volume] if self.volumes > 1 else []
            ids += [symbols.sign + SHORT_NOTE] if short else []
        return ids

    def _key(self, key: int, sign: int) -> list[int]:
        symbols = self.symbols
        program, pitch = divmod(key, PITCHES)
        return [symbols.instrument + program, symbols.pitch + pitch, symbols.sign + sign]

    def _told(self, ids: Ints) -> Spelled:
        reader = _Reader(self)
        for token, kind in zip(ids.tolist(), self.symbols.kinds[ids].tolist(), strict=True):
            reader.push(token, kind)
            if reader.ended:
                break
        return reader.told()

    def _own_fields(self) -> dict[str, Any]:
        return {"chords": [chord_words(chord) for chord in self.chords]}

    @classmethod
    def _parsed(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {"chords": tuple(parsed_chord(text) for text in fields["chords"])}


class ChordCounts:
    """How often each chord occurs, in constant memory (Manku and Motwani 2002, lossy counting).

    Args:
        most: chords that are counted at a time; where there are more, all counts go down by one
            until half are left. So a count is too low by at most `lost`.
    """

    def __init__(self, most: int = MOST_COUNTED) -> None:
        self._most = most
        self._counts: Counter[Chord] = Counter()
        self.lost = 0

    def add(self, chords: Iterable[Chord]) -> None:
        """Count some more."""
        self._counts.update(chords)
        while len(self._counts) > self._most:
            lowered = {c: n - 1 for c, n in self._counts.items() if n > 1}
            self.lost += 1
            self._counts = Counter(lowered)

    def most_frequent(self, size: int) -> tuple[Chord, ...]:
        """The `size` most frequent chords that occur twice or more; ties by their codes."""
        found = [(-n, chord) for chord, n in self._counts.items() if n + self.lost > 1]
        return tuple(chord for _, chord in sorted(found)[:size])


class _Reader:
    """Reads ids one by one: what ends, what begins, and when."""

    def __init__(self, tokenizer: ChordwiseTokenizer) -> None:
        self._tokenizer = tokenizer
        self._symbols = tokenizer.symbols
        self._velocity = self._symbols.velocities.tolist()
        self._steps = self._symbols.steps.tolist()
        self._sounding: dict[int, list[tuple[int, int]]] = defaultdict(list)  # start, loudness
        self._notes: list[tuple[int, int, int, int]] = []  # start, key, steps, loudness
        self._controls: list[tuple[int, int]] = []
        self._time, self._program, self._key, self._later = 0, 0, 0, 0
        self._open = -1  # the key whose last note may still get a loudness
        self.ended = False

    def push(self, token: int, kind: int) -> None:
        """Read an id; what no music spells so is passed over."""
        symbols = self._symbols
        if kind == LOUDNESS:
            self._set_loudness(token - symbols.loudness)
        elif kind == INSTRUMENT:
            self._program = token - symbols.instrument
        elif kind == PITCH:
            self._key = self._program * PITCHES + token - symbols.pitch
        elif kind == SIGN:
            self._sign(token - symbols.sign)
        elif kind == BEGIN:
            self._begin(symbols.keys[token - symbols.begin])
        elif kind == END:
            self._end(symbols.keys[token - symbols.end])
        elif kind == TIME:
            self._time += self._steps[token]
        elif kind == CONTROL:
            self._control(int(symbols.values[token]))
        else:
            self._take(self._tokenizer.chords[token - symbols.base])
        if kind in (TIME, CONTROL, LEARNED):
            self._later, self._open = 0, -1

    def _control(self, value: int) -> None:
        self.ended = value == self._symbols.vocabulary.end
        if value and not self.ended:
            self._controls.append((self._time, value))

    def _sign(self, sign: int) -> None:
        if sign == ON:
            self._begin(self._key)
        elif sign == OFF:
            self._end(self._key)
        elif sign == LATER:
            self._later += 1
        elif self._open >= 0:
            start, volume = self._sounding[self._open].pop()
            self._notes.append((start, self._open, 0, volume))
            self._open = -1

    def _begin(self, key: int) -> None:
        self._sounding[key].append((self._time, 0))
        self._open = key

    def _set_loudness(self, volume: int) -> None:
        if self._open >= 0:
            notes = self._sounding[self._open]
            notes[-1] = (notes[-1][0], volume)

    def _end(self, key: int) -> None:
        notes = sorted(self._sounding[key])
        if notes:
            start, volume = notes.pop(min(self._later, len(notes) - 1))
            self._notes.append((start, key, self._time - start, volume))
        self._sounding[key] = notes
        self._later, self._open = 0, -1

    def _take(self, chord: Chord) -> None:
        """What sounds is this chord now."""
        held = Counter[tuple[int, int]]()
        struck = []
        for key, volume, kind in map(parts_of, chord):
            if kind == HELD:
                held[key, volume] += 1
            else:
                struck.append((key, volume, kind))
        for key, notes in list(self._sounding.items()):
            left: list[tuple[int, int]] = []
            for start, volume in sorted(notes, reverse=True):  # the last ones are held
                if held[key, volume] > 0:
                    held[key, volume] -= 1
                    left.append((start, volume))
                else:
                    self._notes.append((start, key, self._time - start, volume))
            self._sounding[key] = left[::-1]
        for key, volume, kind in struck:
            if kind == SHORT:
                self._notes.append((self._time, key, 0, volume))
            else:
                self._sounding[key].append((self._time, volume))
        for key, volume in held.elements():  # a model may hold what does not sound
            self._sounding[key].append((self._time, volume))

    def told(self) -> Spelled:
        """All that was read; what still sounds ends now."""
        for key, sounding in self._sounding.items():
            for start, volume in sounding:
                self._notes.append((start, key, self._time - start, volume))
        notes = np.array(self._notes, dtype=np.int64).reshape(-1, 4)
        controls = np.array(self._controls, dtype=np.int64).reshape(-1, 2)
        grid = self._symbols.vocabulary.grid
        return Spelled(
            start=notes[:, 0],
            key=notes[:, 1],
            duration_class=grid.duration_class(notes[:, 2]),
            velocity=self._symbols.velocities[notes[:, 3]],
            control_times=controls[:, 0],
            controls=controls[:, 1],
            ends=self.ended,
        )

"""Tasks: what of a window's music is given, and what a model learns to write.

    continue     everything is written, from what stands before
    fill         stretches of some bars are holes; what comes after each is told before it
    accompany    some parts are given from beginning to end
    chords       chords are given at their times, estimated from the music; with any other task

Everything is drawn anew for each window: how long holes are, which parts are given, how much of
what comes after is told. See `tokenizer.encoding.holes` for how it is written down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tokenizer.chords.chord import CHORDS
from tokenizer.encoding.chords import token_chords
from tokenizer.encoding.compound import Events, row_times
from tokenizer.encoding.holes import (
    Hole,
    between,
    events_of,
    merged,
    no_events,
    told_after,
    with_header,
    woven,
)
from tokenizer.encoding.structure import GIVEN, WRITTEN, bar_positions
from tokenizer.encoding.vocabulary import INSTRUMENT, WAIT, Vocabulary
from tokenizer.typing import Mask, Steps, Tokens

from .parts import written_part

_LONGEST = 4  # octaves of bars: holes and what lies between them last 1 to 16 bars


Place = Callable[[Hole, Events, int, Vocabulary], tuple[Tokens, Steps]]
"""How a hole is written down: rows and roles of a hole, what is written, the time, a vocabulary."""


@dataclass(frozen=True)
class Tasks:
    """How often windows have a task.

    Attributes:
        fill: share of windows with holes.
        accompany: share of windows in which parts are given throughout.
        chords: share of windows with chords, independent of the others.
        labels: share of windows that are beginnings of pieces, with all labels.
        after: how many bars after a hole are told, each as likely as the others.
        untold: share of holes that do not tell the instruments to write.
        place: how a hole is written down.
    """

    fill: float = 0.0
    accompany: float = 0.0
    chords: float = 0.0
    labels: float = 0.0
    after: tuple[int, ...] = (0, 1, 2, 2)
    untold: float = 0.2
    place: Place = with_header

    def draw(self, random: np.random.Generator) -> tuple[str, bool]:
        """The task of a window, and whether its chords are given."""
        kind, chords = random.random(2)
        for name in ("fill", "accompany", "labels"):
            kind -= getattr(self, name)
            if kind < 0:
                return name, bool(chords < self.chords)
        return "continue", bool(chords < self.chords)


class Music(NamedTuple):
    """A passage of a piece.

    Attributes:
        tokens: its rows `(T, 5)`.
        lead: the rows of the piece before it.
        meter: the time signature that opens the piece.
    """

    tokens: Tokens
    lead: Tokens
    meter: tuple[int, int]


class Arranged(NamedTuple):
    """A passage with its task, as a model reads it.

    Attributes:
        tokens: rows `(T, 5)`.
        roles: of each, `(T,)`.
        in_hole: which rows stand in a hole, `(T,)`.
        words: the task and what is written or given.
    """

    tokens: Tokens
    roles: Steps
    in_hole: Mask
    words: str


def arranged(
    music: Music,
    tasks: Tasks,
    task: str,
    chords: bool,
    vocabulary: Vocabulary,
    random: np.random.Generator,
) -> Arranged:
    """A passage with a task, and with its chords or without."""
    passage = _Passage(music, tasks, chords, vocabulary, random)
    if task == "fill":
        passage.fill()
    elif task == "accompany":
        passage.accompany()
    else:
        passage.go_on(_FOREVER)
    return passage.result(task)


_FOREVER = 1 << 40


class _Passage:
    """A passage being arranged from its beginning to its end."""

    def __init__(
        self,
        music: Music,
        tasks: Tasks,
        chords: bool,
        vocabulary: Vocabulary,
        random: np.random.Generator,
    ) -> None:
        self._tasks, self._vocabulary, self._random = tasks, vocabulary, random
        whole = np.concatenate([music.lead, music.tokens])
        times = row_times(whole, vocabulary)
        _, positions = bar_positions(whole, times, vocabulary, meter=music.meter)
        lead = len(music.lead)
        self._time = int(times[lead - 1]) if lead else 0
        times = times[lead:]
        lines = times - positions[lead:]
        self._lines = np.unique(lines)
        closes = len(music.tokens) - int(music.tokens[-1, WAIT] == vocabulary.end)
        self._end = music.tokens[closes:]
        self._events = events_of(music.tokens[:closes], times[:closes], vocabulary)
        self._given = no_events()
        if chords:
            meter = _meter_before(music, vocabulary)
            begins, numbers = token_chords(
                music.tokens, times, vocabulary, meter, bar_line=int(lines[0])
            )
            values = vocabulary.known(CHORDS[n].control for n in numbers.tolist())
            self._given = replace(
                self._given, control_times=begins, controls=np.array(values, dtype=np.int64)
            )
        self._at = int(times[0])  # everything before this step is arranged
        self._parts: list[tuple[Tokens, Steps, bool]] = []
        self._written: list[str] = []

    def go_on(self, end: int) -> None:
        """Everything up to a step is written."""
        events = between(self._events, self._at, end)
        rows, given = woven(
            between(self._given, self._at, end), events, self._time, self._vocabulary
        )
        self._add(rows, np.where(given, GIVEN, WRITTEN))
        self._at = end

    def fill(self) -> None:
        """Holes with music between them, each of 1 to 16 bars."""
        bar = self._bars() // 2
        while bar < len(self._lines):
            begin = int(self._lines[bar])
            if begin > self._at:
                self.go_on(begin)
            stop = bar + self._bars()
            end = int(self._lines[stop]) if stop < len(self._lines) else _FOREVER
            self._hole(begin, end, self._after(stop), whole=self._random.random() < 0.4)
            bar = stop + self._bars()
        self.go_on(_FOREVER)

    def accompany(self) -> None:
        """Some parts are given throughout."""
        self._hole(self._at, _FOREVER, no_events(), whole=False)

    def result(self, task: str) -> Arranged:
        """All of it."""
        if len(self._end):
            self._add(self._end, np.array([WRITTEN]))
        words = [task] if task != "continue" else []
        words += [f"({', '.join(self._written)} written)"] if self._written else []
        words += ["chords given"] if len(self._given.controls) else []
        tokens, roles, holes = zip(*self._parts, strict=True)
        in_hole = np.repeat(np.array(holes), [len(rows) for rows in tokens])
        return Arranged(np.concatenate(tokens), np.concatenate(roles), in_hole, " ".join(words))

    def _hole(self, begin: int, end: int, after: Events, *, whole: bool) -> None:
        events = between(self._events, begin, end)
        written, name = np.ones(len(events.times), dtype=bool), "everything"
        if not whole and len(events.times):
            divided = written_part(events.notes, events.times, self._random)
            if divided is None:
                self.go_on(end)
                return
            name, written = divided
        programs = np.unique(events.notes[written, INSTRUMENT]).astype(int) - 1
        told = self._random.random() >= self._tasks.untold
        given = merged(_of(events, ~written), between(self._given, begin, end))
        hole = Hole(begin, end, tuple(programs.tolist()) if told else (), given, after)
        alone = _of(events, written, False)
        rows, roles = self._tasks.place(hole, alone, self._time, self._vocabulary)
        self._add(rows, roles, hole=True)
        self._written.append(name)
        self._at = end

    def _after(self, bar: int) -> Events:
        """What is told of the music from a bar on."""
        count = self._tasks.after[int(self._random.integers(len(self._tasks.after)))]
        if bar >= len(self._lines) or count == 0:
            return no_events()
        stop = bar + count
        end = int(self._lines[stop]) if stop < len(self._lines) else _FOREVER
        return told_after(self._events, int(self._lines[bar]), end)

    def _bars(self) -> int:
        """A number of bars from 1 to 16, short ones as likely as long ones in proportion."""
        return round(2.0 ** self._random.uniform(0, _LONGEST))

    def _add(self, rows: Tokens, roles: Steps, hole: bool = False) -> None:
        self._parts.append((rows, roles.astype(np.int64), hole))
        self._time += int(row_times(rows, self._vocabulary)[-1]) if len(rows) else 0


def _meter_before(music: Music, vocabulary: Vocabulary) -> tuple[int, int]:
    """The time signature in force before the first row of a passage."""
    signatures = np.flatnonzero(vocabulary.bar_steps[music.lead[:, WAIT]] > 0)
    if not len(signatures):
        return music.meter
    name = vocabulary.name(int(music.lead[signatures[-1], WAIT]))
    numerator, denominator = name.removeprefix("time_signature:").split("/")
    return int(numerator), int(denominator)


def _of(events: Events, notes: Mask, controls: bool = True) -> Events:
    """The events of some notes, with or without the controls."""
    kept = slice(None) if controls else slice(0)
    return Events(
        events.times[notes],
        events.notes[notes],
        events.control_times[kept],
        events.controls[kept],
    )

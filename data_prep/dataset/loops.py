"""Loops: figures of a few bars played again and again, with small changes, as a user's loops are.

A network learns to look back at what it was given where looking back pays: in music that repeats
after one to sixteen bars, and in figures that return after others, as sections of songs do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.compound import Events, encode_events
from tokenizer.encoding.structure import bar_positions
from tokenizer.encoding.vocabulary import VELOCITY, VELOCITY_BINS, Vocabulary
from tokenizer.typing import Steps, Tokens

FEWEST_NOTES = 4
_ATTEMPTS = 4


@dataclass(frozen=True)
class Loops:
    """How often windows are loops, and how exact these are.

    Attributes:
        rate: share of windows.
        bars: lengths of figures, each as likely as the others.
        rounds: fewest and most times that a figure is played before the next one.
        returns: how often the next figure is an earlier one.
        exact: share of loops that repeat without any change.
        change: in the others, the largest share of notes that are left out of a repetition.
        velocity: in the others, most by which velocities wander, in bins of four.
    """

    rate: float = 0.0
    bars: tuple[int, ...] = (1, 2, 4, 8, 16)
    rounds: tuple[int, int] = (2, 8)
    returns: float = 0.3
    exact: float = 0.5
    change: float = 0.1
    velocity: int = 2


@dataclass(frozen=True)
class _Figure:
    """Notes `(N, 5)` of whole bars and their times from the first bar line, in steps."""

    notes: Tokens
    offsets: Steps
    length: int
    bar: int


def looped(
    body: Tokens,
    times: Steps,
    start: int,
    rows: int,
    loops: Loops,
    vocabulary: Vocabulary,
    meter: tuple[int, int] | None,
    random: np.random.Generator,
) -> Tokens | None:
    """At most `rows` rows that repeat figures of a piece, or None where none is found.

    Args:
        body: rows `(T, 5)` of the piece.
        times: of each row, in steps.
        start: a row near which the first figure is taken.
        rows: how many rows are wanted.
        loops: lengths of figures and their changes.
        vocabulary: what the rows mean.
        meter: that opens the piece.
        random: everything is drawn from it.
    """
    figures: list[_Figure] = []
    played: list[int] = []
    wanted = rows
    while wanted > 0:
        found = None
        if len(figures) < 2 or random.random() >= loops.returns:
            near = int(random.integers(len(body))) if figures else start
            found = _found(body, times, near, rows // 2, loops, vocabulary, meter, random)
        if found is not None and (not figures or found.bar == figures[0].bar):
            figures.append(found)
            index = len(figures) - 1
        elif not figures:
            return None
        else:
            index = int(random.integers(len(figures)))
        rounds = int(random.integers(loops.rounds[0], loops.rounds[1] + 1))
        rounds = min(rounds, -(-wanted // len(figures[index].notes)))
        played += [index] * rounds
        wanted -= rounds * len(figures[index].notes)
    return _played(figures, played, rows, loops, vocabulary, random)


def _found(
    body: Tokens,
    times: Steps,
    near: int,
    most: int,
    loops: Loops,
    vocabulary: Vocabulary,
    meter: tuple[int, int] | None,
    random: np.random.Generator,
) -> _Figure | None:
    """A figure near a row, of no more than so many notes, or None if no attempt gives one."""
    note = vocabulary.is_note(body)
    for _ in range(_ATTEMPTS):
        span = _whole_bars(body, times, near, loops, vocabulary, meter, random)
        if span is None:
            continue
        begin, stop, bar = span
        first, last = np.searchsorted(times, [begin, stop])
        inside = first + np.flatnonzero(note[first:last])
        if FEWEST_NOTES <= len(inside) <= most:
            return _Figure(body[inside], times[inside] - begin, stop - begin, bar)
    return None


def _whole_bars(
    body: Tokens,
    times: Steps,
    start: int,
    loops: Loops,
    vocabulary: Vocabulary,
    meter: tuple[int, int] | None,
    random: np.random.Generator,
) -> tuple[int, int, int] | None:
    """When a figure begins and ends and how long its bars are, in steps: bars of one meter."""
    count = loops.bars[int(random.integers(len(loops.bars)))]
    at = min(start + int(random.integers(64)), len(body) - 1)
    if not vocabulary.grid.is_beat:
        bar = 4 * vocabulary.grid.beat
        return int(times[at]), int(times[at]) + count * bar, bar
    _, position = bar_positions(body, times, vocabulary, meter=meter)
    begin = int(times[at] - position[at])
    control = np.flatnonzero(vocabulary.is_control(body))
    signature = control[vocabulary.bar_steps[body[control, 0]] > 0]
    before = signature[signature <= at]
    if len(before):
        bar = int(vocabulary.bar_steps[body[before[-1], 0]])
    else:
        opening = vocabulary.control("time_signature:{}/{}".format(*meter or (4, 4)))
        bar = int(vocabulary.bar_steps[opening]) if opening else 4 * vocabulary.grid.beat
    stop = begin + count * bar
    changes = times[signature[signature > at]]
    if stop > times[-1] or (len(changes) and changes[0] < stop):
        return None
    return begin, stop, bar


def _played(
    figures: list[_Figure],
    played: list[int],
    rows: int,
    loops: Loops,
    vocabulary: Vocabulary,
    random: np.random.Generator,
) -> Tokens:
    """Figures one after another, by index, in `rows` rows at most; only later rounds change."""
    starts = np.cumsum([0] + [figures[index].length for index in played[:-1]])
    times = np.concatenate(
        [start + figures[index].offsets for start, index in zip(starts, played, strict=True)]
    )
    notes = np.concatenate([figures[index].notes for index in played])
    if random.random() >= loops.exact:
        later = np.concatenate(
            [
                np.full(len(figures[index].notes), index in played[:at])
                for at, index in enumerate(played)
            ]
        )
        left_out = later & (random.random(len(notes)) < loops.change * random.random())
        wander = random.integers(-loops.velocity, loops.velocity + 1, len(notes)) * later
        notes[:, VELOCITY] = (notes[:, VELOCITY] + wander).clip(1, VELOCITY_BINS)
        times, notes = times[~left_out], notes[~left_out]
    events = Events(times, notes, np.empty(0, np.int64), np.empty(0, np.int64))
    return encode_events(events, vocabulary)[:rows]

"""Loops: a figure of a few bars played again and again, with small changes, as a user's loop is.

A network learns to look back at what it was given where looking back pays: in music that repeats
exactly after one, two, four or eight bars.
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
        exact: share of loops that repeat without any change.
        change: in the others, the largest share of notes that are left out of a repetition.
        velocity: in the others, most by which velocities wander, in bins of four.
    """

    rate: float = 0.0
    bars: tuple[int, ...] = (1, 2, 4, 8)
    exact: float = 0.5
    change: float = 0.1
    velocity: int = 2


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
    """At most `rows` rows that repeat a figure of a piece, or None where none is found.

    Args:
        body: rows `(T, 5)` of the piece.
        times: of each row, in steps.
        start: a row near which the figure is taken.
        rows: how many rows are wanted.
        loops: lengths of figures and their changes.
        vocabulary: what the rows mean.
        meter: that opens the piece.
        random: everything is drawn from it.
    """
    note = vocabulary.is_note(body)
    for _ in range(_ATTEMPTS):
        span = _figure(body, times, start, loops, vocabulary, meter, random)
        if span is None:
            continue
        begin, stop = span
        first, last = np.searchsorted(times, [begin, stop])
        inside = first + np.flatnonzero(note[first:last])
        if FEWEST_NOTES <= len(inside) <= rows // 2:
            return _repeated(
                body[inside], times[inside] - begin, stop - begin, rows, loops, vocabulary, random
            )
    return None


def _figure(
    body: Tokens,
    times: Steps,
    start: int,
    loops: Loops,
    vocabulary: Vocabulary,
    meter: tuple[int, int] | None,
    random: np.random.Generator,
) -> tuple[int, int] | None:
    """When a figure begins and ends, in steps: whole bars of one meter near a row."""
    count = loops.bars[int(random.integers(len(loops.bars)))]
    at = min(start + int(random.integers(64)), len(body) - 1)
    if not vocabulary.grid.is_beat:
        return int(times[at]), int(times[at]) + count * 4 * vocabulary.grid.beat
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
    return begin, stop


def _repeated(
    figure: Tokens,
    offsets: Steps,
    length: int,
    rows: int,
    loops: Loops,
    vocabulary: Vocabulary,
    random: np.random.Generator,
) -> Tokens:
    """A figure's notes again and again, in `rows` rows at most."""
    count = -(-rows // len(figure)) + 1
    times = (np.arange(count)[:, None] * length + offsets).reshape(-1)
    notes = np.tile(figure, (count, 1))
    if random.random() >= loops.exact:
        later = np.arange(len(notes)) >= len(figure)
        left_out = later & (random.random(len(notes)) < loops.change * random.random())
        wander = random.integers(-loops.velocity, loops.velocity + 1, len(notes)) * later
        notes[:, VELOCITY] = (notes[:, VELOCITY] + wander).clip(1, VELOCITY_BINS)
        times, notes = times[~left_out], notes[~left_out]
    events = Events(times, notes, np.empty(0, np.int64), np.empty(0, np.int64))
    return encode_events(events, vocabulary)[:rows]

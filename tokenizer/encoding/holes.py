"""Holes: stretches of a piece to be written, and how a sequence says what stands around them.

    past … │ mark, what comes after the hole, return, instruments to write │ the hole, in time order

`mark` remembers the time; a rest passes over the hole; the music after it follows; `return` sets
the clock back. So every row has its true time, and the structure of the whole piece. In the hole,
given rows (notes that stand already, and controls) go in at their times, before the written ones of
the same time. Nothing of a given row is predicted but that no written row came before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tokenizer.typing import Integers, Mask, Steps, Tokens

from .compound import Events, encode_events, marked
from .structure import GIVEN, WRITTEN
from .vocabulary import INSTRUMENT, PITCH, WAIT, Vocabulary

MOST_AFTER = 32
"""Notes that are told at most of the music after a hole.

More push the music before the hole out of what layers with a window see, and its first notes cost
more bits.
"""


def no_events() -> Events:
    """No notes and no controls."""
    none = np.empty(0, dtype=np.int64)
    return Events(none, np.empty((0, 5), dtype=np.int16), none, none)


def events_of(tokens: Tokens, times: Steps, vocabulary: Vocabulary) -> Events:
    """The notes and controls of rows `(T, 5)` at times `(T,)` in steps."""
    note, control = vocabulary.is_note(tokens), vocabulary.is_control(tokens)
    return Events(times[note], tokens[note], times[control], tokens[control, WAIT].astype(np.int64))


def between(events: Events, begin: int, end: int) -> Events:
    """The events from step `begin` on and before step `end`."""
    notes = slice(*np.searchsorted(events.times, [begin, end]))
    controls = slice(*np.searchsorted(events.control_times, [begin, end]))
    return Events(
        events.times[notes],
        events.notes[notes],
        events.control_times[controls],
        events.controls[controls],
    )


def merged(events: Events, more: Events) -> Events:
    """Both together, in order of time; at equal times those of `events` come first."""
    times = np.concatenate([events.times, more.times])
    order = times.argsort(kind="stable")
    control_times = np.concatenate([events.control_times, more.control_times])
    in_time = control_times.argsort(kind="stable")
    return Events(
        times[order],
        np.concatenate([events.notes, more.notes])[order],
        control_times[in_time],
        np.concatenate([events.controls, more.controls])[in_time],
    )


def told_after(events: Events, begin: int, end: int) -> Events:
    """What a hole's header tells of the music that stands between two steps after the hole."""
    told = between(events, begin, end)
    if len(told.times) > MOST_AFTER:
        told = between(told, 0, int(told.times[MOST_AFTER]))
    return told


@dataclass(frozen=True)
class Hole:
    """A stretch of a piece that is to be written.

    Attributes:
        begin: its first step.
        end: the first step after it.
        instruments: the programs that are to be written, 128 for drums; empty if not told.
        given: what stands in it already.
        after: what comes after it, as far as it is told.
    """

    begin: int
    end: int
    instruments: tuple[int, ...]
    given: Events
    after: Events


def header(hole: Hole, time: int, vocabulary: Vocabulary, most: int | None = None) -> Tokens:
    """The rows `(H, 5)` that stand before a hole, where the clock shows `time` steps.

    The changes of meter in the hole are said on the way to what comes after it, so that this has
    its true place in the bar. Where that would take more than `most` rows, less of what comes
    after is told, down to nothing.
    """
    rows = _header(hole, time, vocabulary)
    while most is not None and len(rows) > most and len(hole.after.times):
        kept = max(0, len(hole.after.times) - (len(rows) - most))
        last = int(hole.after.times[kept])
        hole = replace(hole, after=between(hole.after, 0, last))
        rows = _header(hole, time, vocabulary)
    return rows


def _header(hole: Hole, time: int, vocabulary: Vocabulary) -> Tokens:
    after, inside = hole.after, hole.given
    meter = vocabulary.bar_steps[inside.controls] > 0
    skipped = Events(
        after.times - time,
        after.notes,
        np.concatenate([inside.control_times[meter], after.control_times]) - time,
        np.concatenate([inside.controls[meter], after.controls]),
    )
    told = encode_events(skipped, vocabulary) if len(after.times) else skipped.notes[:0]
    names = [f"instrument:{program}" for program in sorted(hole.instruments)]
    return np.concatenate(
        [
            control_rows([vocabulary.mark]),
            told,
            control_rows([vocabulary.return_, *vocabulary.known(names)]),
        ]
    )


def control_rows(values: Iterable[int]) -> Tokens:
    """Rows `(N, 5)` of controls."""
    first = np.fromiter(values, dtype=np.int16)
    rows = np.zeros((len(first), 5), dtype=np.int16)
    rows[:, WAIT] = first
    return rows


def woven(given: Events, written: Events, time: int, vocabulary: Vocabulary) -> tuple[Tokens, Mask]:
    """Given and written music in time order: the rows `(T, 5)`, and which are given `(T,)`.

    Args:
        given: comes first where the times are equal. Controls of both are given.
        written: the rest.
        time: the step that the clock shows before the first row.
        vocabulary: of the rows.
    """
    both = merged(given, written)
    order = np.concatenate([given.times, written.times]).argsort(kind="stable")
    since = replace(both, times=both.times - time, control_times=both.control_times - time)
    rows = encode_events(since, vocabulary)
    note = vocabulary.is_note(rows)
    stands = np.ones(len(rows), dtype=bool)
    stands[note] = order < len(given.times)
    # Rests and advances belong to the note or control that they lead to.
    last = np.flatnonzero(note | vocabulary.is_control(rows))
    return rows, stands[last[np.searchsorted(last, np.arange(len(rows)))]]


def with_header(
    hole: Hole, written: Events, time: int, vocabulary: Vocabulary
) -> tuple[Tokens, Steps]:
    """A hole with its header: the rows `(T, 5)` and their roles `(T,)`, from step `time` on."""
    opening = header(hole, time, vocabulary)
    rows, given = woven(hole.given, written, time, vocabulary)
    roles = np.full(len(opening) + len(rows), GIVEN)
    roles[len(opening) :][~given] = WRITTEN
    return np.concatenate([opening, rows]), roles


def header_mask(tokens: Tokens, vocabulary: Vocabulary) -> Mask:
    """Which rows of tokens `(T, 5)` are headers of holes: nothing there is predicted."""
    inside = np.zeros(len(tokens), dtype=bool)
    for mark, back in marked(tokens, vocabulary):
        stop = back + 1
        while stop < len(tokens) and vocabulary.opens[tokens[stop, WAIT]]:
            stop += 1
        inside[mark:stop] = True
    return inside


def predicted(tokens: Tokens, roles: Integers, music: Mask, vocabulary: Vocabulary) -> Mask:
    """Which fields a model is asked for, `(…, T, 5)`: see `Vocabulary.counted`.

    Of a given row that is its wait, up to which nothing was written; where no time passes that says
    nothing, and is left out.

    Args:
        tokens: rows `(…, T, 5)`.
        roles: of each, `(…, T)`.
        music: which rows are neither prefix nor header nor padding, `(…, T)`.
        vocabulary: of the rows.
    """
    counted = np.zeros(tokens.shape, dtype=bool)
    first, given = tokens[..., WAIT], roles == GIVEN
    written = music & ~given
    counted[..., WAIT] = music & ~(given & (vocabulary.steps[first] == 0))
    counted[..., INSTRUMENT] = written & (first < vocabulary.first_rest)
    counted[..., PITCH:] = (written & vocabulary.is_note(tokens))[..., None]
    return counted


def without_headers(tokens: Tokens, vocabulary: Vocabulary) -> Tokens:
    """The rows of a sequence without the headers of holes: the music alone."""
    inside = header_mask(tokens, vocabulary)
    return tokens[~inside] if inside.any() else tokens

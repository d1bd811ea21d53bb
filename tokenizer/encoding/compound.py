"""Scores to compound tokens and back: one note is one token.

The body of a piece is a sequence of events in time. What an event waits for is written into its
first field; what the first field cannot hold goes before it:

    note               wait, instrument, pitch, duration, velocity
    advance            wait, then padding: time passes up to a control
    rest               a multiple of `wait_count` steps, then padding
    control            a time signature, a tempo or a pedal, at the time reached

Notes stand in order of time, instrument, pitch, duration and velocity, and controls before notes
of the same time, so that a score has one encoding and an encoding one score.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from tokenizer.errors import InputError
from tokenizer.typing import Integers, Ints, Steps, Tokens

from .grid import REST_UNITS
from .vocabulary import DURATION, INSTRUMENT, PITCH, VELOCITIES, VELOCITY, WAIT, Vocabulary

Inserts = tuple[list[int], list[int]]  # before which rows others are put in, and their field 0

_ROW = np.dtype((np.void, 10))  # five int16


@dataclass(frozen=True)
class Events:
    """What a body holds, on the grid; or what several do, laid one after another on one time line.

    Attributes:
        times: of the notes, in steps, ascending.
        notes: rows `(N, 5)`, field 0 left empty: see `note_rows`.
        control_times: steps, ascending.
        controls: field 0's value for each control.
        begins: when each piece begins, in steps; it ends before the next one does.
    """

    times: Steps
    notes: Tokens
    control_times: Steps
    controls: Ints
    begins: Sequence[int] = (0,)


def note_rows(
    start: Steps,
    program: Integers,
    pitch: Integers,
    duration_class: Integers,
    velocity: Integers,
) -> tuple[Steps, Tokens]:
    """Times and rows `(N, 5)` of notes by time, instrument, pitch, duration and velocity.

    Starts ascend. Field 0 of the rows is left empty.
    """
    fields = np.empty((len(start), 4), dtype="<i2")
    fields[:, 3] = program
    fields[:, 2] = pitch
    fields[:, 1] = duration_class
    fields[:, 0] = velocity
    fields[:, 0] >>= 2
    fields += 1
    _sort_chords(start, fields)
    rows = np.empty((len(start), 5), dtype=np.int16)
    rows[:, INSTRUMENT] = fields[:, 3]
    rows[:, PITCH] = fields[:, 2]
    rows[:, DURATION] = fields[:, 1]
    rows[:, VELOCITY] = fields[:, 0]
    return start, rows


def _sort_chords(start: Steps, fields: npt.NDArray[np.int16]) -> None:
    """Sort notes of each time by their fields `(N, 4)`, the last one first, in place.

    Most are sorted: only times at which one is not are looked at. Starts ascend.
    """
    rank = fields.view("<i8")[:, 0]
    later = start[1:] > start[:-1]
    sorted_ = later | (rank[1:] >= rank[:-1])
    if sorted_.all():
        return
    chord = np.zeros(len(start), dtype=np.int64)
    np.cumsum(later, out=chord[1:])
    unsorted = np.zeros(int(chord[-1]) + 1, dtype=bool)
    unsorted[chord[1:][~sorted_]] = True
    members = np.flatnonzero(unsorted.take(chord))
    ranks = rank.take(members)
    rank[members] = ranks.take(np.lexsort((ranks, chord.take(members))))


def encode_events(events: Events, vocabulary: Vocabulary) -> Tokens:
    """The body `(T, 5)` of a piece, without its end."""
    return encode_pieces(events, [()], (), vocabulary)[0]


def encode_pieces(
    events: Events,
    prefixes: Sequence[Sequence[int]],
    closing: Sequence[int],
    vocabulary: Vocabulary,
) -> list[Tokens]:
    """The tokens `(T, 5)` of pieces that follow each other.

    Args:
        events: what the bodies hold.
        prefixes: of each piece, field 0 of the rows that stand before its body.
        closing: field 0 of the rows that stand after each body.
        vocabulary: what the tokens mean.
    """
    rows, times, control = _with_controls(events)
    waits = times.copy()
    waits[1:] -= times[:-1]
    bounds = [0, len(times)]
    if len(events.begins) > 1:
        first = np.searchsorted(times, events.begins)
        opened = np.flatnonzero(first < len(times))
        places = first.take(opened)  # pieces of no events share one with the next, which comes last
        waits[places] = times.take(places) - np.take(events.begins, opened)
        bounds[:1] = first.tolist()
    special = waits >= vocabulary.grid.wait_count
    special[control] = True
    leading = _leading_rows(special.nonzero()[0], waits, rows, vocabulary)
    np.add(waits, 1, out=rows[:, WAIT], casting="same_kind")
    if len(control):
        rows[control, WAIT] = events.controls
    return _framed(rows, bounds, prefixes, closing, leading)


def _with_controls(events: Events) -> tuple[Tokens, Steps, Ints]:
    """Rows and times of all events, controls before the notes of their time; where they stand."""
    if not len(events.controls):
        return events.notes, events.times, np.empty(0, dtype=np.int64)
    places = np.searchsorted(events.times, events.control_times)
    rows = _inserted(events.notes, places, events.controls)
    times = np.insert(events.times, places, events.control_times)
    return rows, times, places + np.arange(len(places))


def _leading_rows(events: Ints, waits: Steps, rows: Tokens, vocabulary: Vocabulary) -> Inserts:
    """The rows that lead to events which cannot hold their waits: `waits` keeps what they can.

    Some rests of the longest kind, one shorter rest, and an advance before a control, which holds
    no wait of its own.
    """
    if not len(events):
        return [], []
    units, left = np.divmod(waits.take(events), vocabulary.grid.wait_count)
    waits[events] = left
    long_rests, short_rest = np.divmod(units, REST_UNITS)
    advance = (left > 0) & (rows[events, INSTRUMENT] == 0)
    longest = np.full(int(long_rests.sum()), REST_UNITS)
    rests = np.concatenate([longest, short_rest[short_rest > 0]]) + vocabulary.first_rest - 1
    values = np.concatenate([rests, left[advance] + 1])
    places = [events.repeat(long_rests), events[short_rest > 0], events[advance]]
    return np.concatenate(places).tolist(), values.tolist()


def _framed(
    rows: Tokens,
    bounds: list[int],
    prefixes: Sequence[Sequence[int]],
    closing: Sequence[int],
    leading: Inserts,
) -> list[Tokens]:
    """The tokens of pieces whose events are the rows between each bound and the next."""
    leading_places, leading_values = leading
    led = sorted(leading_places)
    places, values, stops = list[int](), list[int](), [0]
    for prefix, start, stop in zip(prefixes, bounds[:-1], bounds[1:], strict=True):
        places += [start] * len(prefix) + [stop] * len(closing)
        values += [*prefix, *closing]
        stops.append(stop + bisect_left(led, stop) + len(places))
    # What leads to a piece's first event comes last here, and so stands behind the prefix.
    places, values = places + leading_places, values + leading_values
    if places:
        rows = _inserted(rows, np.array(places), np.array(values))
    return [rows[start:stop] for start, stop in pairwise(stops)]


def _inserted(rows: Tokens, places: Ints, values: Ints) -> Tokens:
    """The rows, with others of nothing but a field 0 before those at `places`, in this order."""
    order = places.argsort(kind="stable")
    new = places.take(order)
    new += np.arange(len(new))
    old = np.ones(len(rows) + len(new), dtype=bool)
    old[new] = False
    result = np.zeros((len(old), 5), dtype=np.int16)
    result.view(_ROW)[:, 0][old] = rows.view(_ROW)[:, 0]  # a row at a time is ten times as fast
    result[new, WAIT] = values.take(order)
    return result


@dataclass(frozen=True)
class Decoded:
    """What bodies say, on the grid: a column a field of their notes, and controls with times.

    Times are steps since each piece began. The bounds are where the notes and the controls of each
    piece begin and the last one's end: P + 1 places.
    """

    start: Steps
    program: npt.NDArray[np.int16]
    pitch: npt.NDArray[np.int16]
    duration_class: npt.NDArray[np.int16]
    velocity: npt.NDArray[np.int16]
    control_times: Steps
    controls: npt.NDArray[np.int16]
    note_bounds: list[int]
    control_bounds: list[int]


def decode_rows(tokens: Tokens, vocabulary: Vocabulary) -> Decoded:
    """The events of tokens `(T, 5)`, notes in order, controls as they stand; padding says nothing.

    Raises:
        InputError: if a note lacks a field, or has one outside the vocabulary.
    """
    return decode_pieces([tokens], vocabulary)


def decode_pieces(pieces: Sequence[Tokens], vocabulary: Vocabulary) -> Decoded:
    """The events of several pieces' tokens, one piece after another: see `decode_rows`."""
    tokens = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    steps = vocabulary.steps.take(tokens[:, WAIT])
    bounds = [0, *accumulate(map(len, pieces))]
    for bound in {*bounds[1:-1]} - {0, len(tokens)}:
        steps[bound] += 1  # no piece begins when another ends: a chord has notes of one
    times = np.cumsum(steps)
    note = vocabulary.is_note(tokens).nonzero()[0]
    control = vocabulary.is_control(tokens).nonzero()[0]
    rows, start = tokens.take(note, axis=0), times.take(note)
    _check_fields(rows, note, vocabulary)
    fields = np.ascontiguousarray(rows[:, : INSTRUMENT - 1 : -1], dtype="<i2")
    _sort_chords(start, fields)
    control_times = times.take(control)
    note_bounds, control_bounds = [0, len(note)], [0, len(control)]
    if len(pieces) > 1:
        note_bounds = np.searchsorted(note, bounds).tolist()
        control_bounds = np.searchsorted(control, bounds).tolist()
        begins = [int(times[bound - 1]) + 1 if bound else 0 for bound in bounds[:-1]]
        start -= np.repeat(begins, np.diff(note_bounds))
        control_times -= np.repeat(begins, np.diff(control_bounds))
    return Decoded(
        start=start,
        program=fields[:, 3] - 1,
        pitch=fields[:, 2] - 1,
        duration_class=fields[:, 1] - 1,
        velocity=VELOCITIES.take(fields[:, 0]),
        control_times=control_times,
        controls=tokens[:, WAIT].take(control),
        note_bounds=note_bounds,
        control_bounds=control_bounds,
    )


def _check_fields(rows: Tokens, places: Ints, vocabulary: Vocabulary) -> None:
    """Refuse notes with a field of 0, or one beyond its values."""
    if len(rows) == 0:
        return
    sizes = vocabulary.sizes
    fields = (INSTRUMENT, PITCH, DURATION, VELOCITY)  # a wait beyond its values has no time at all
    if any(rows[:, field].max() >= sizes[field] for field in fields) or rows.min() < 1:
        wrong = ((rows < 1) | (rows >= np.array(sizes))).any(axis=1)
        raise InputError(
            f"token {int(places[wrong][0])} is no note of this vocabulary: "
            f"{rows[wrong][0].tolist()}, where each field is at least 1 and there are "
            f"{', '.join(map(str, sizes))} values"
        )


def row_times(tokens: Tokens, vocabulary: Vocabulary) -> Steps:
    """The time reached at each row of tokens `(T, F)`, in steps since the first.

    A `return` is at the time of the `mark` before it.
    """
    times: Steps = vocabulary.steps.take(tokens[:, WAIT]).cumsum()
    for mark, back in marked(tokens, vocabulary):
        times[back:] -= times[back] - times[mark]
    return times


def marked(tokens: Tokens, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """Where each `mark` with its `return` stands in tokens `(T, F)`, in order."""
    returns = (tokens[:, WAIT] == vocabulary.return_).nonzero()[0]
    if not len(returns):
        return []
    marks = np.flatnonzero(tokens[:, WAIT] == vocabulary.mark)
    before = np.searchsorted(marks, returns) - 1
    return [(int(marks[m]), int(r)) for m, r in zip(before, returns, strict=True) if m >= 0]

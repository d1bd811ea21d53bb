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

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .grid import REST_UNITS, Steps
from .vocabulary import DURATION, INSTRUMENT, PITCH, VELOCITY, WAIT, Tokens, Vocabulary

# Fields as one number: velocity takes 6 bits, duration 12, pitch 8 and instrument 8.
_PLACES = np.array([1, 1 << 6, 1 << 18, 1 << 26])
_ABOVE_FIELDS = 34

_ROW = np.dtype((np.void, 10))  # five int16


@dataclass(frozen=True)
class Events:
    """What a body holds, on the grid.

    Attributes:
        times: of the notes, in steps, ascending.
        notes: rows `(N, 5)`, field 0 left empty: see `note_rows`.
        control_times: steps, ascending.
        controls: field 0's value for each control.
    """

    times: Steps
    notes: Tokens
    control_times: Steps
    controls: npt.NDArray[np.int64]


def note_rows(
    start: Steps,
    program: npt.NDArray[np.integer],
    pitch: npt.NDArray[np.integer],
    duration_class: npt.NDArray[np.integer],
    velocity: npt.NDArray[np.integer],
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
    rows = np.empty((len(start), 5), dtype=np.int16)
    rows[:, INSTRUMENT] = fields[:, 3]
    rows[:, PITCH] = fields[:, 2]
    rows[:, DURATION] = fields[:, 1]
    rows[:, VELOCITY] = fields[:, 0]
    order = _order(start, fields)
    return (start, rows) if order is None else (start.take(order), rows.take(order, axis=0))


def _order(start: Steps, fields: npt.NDArray[np.int16]) -> npt.NDArray[np.int64] | None:
    """What sorts notes of each time by their fields `(N, 4)`, the last one first.

    None where they are sorted, as most are. Starts ascend.
    """
    rank = fields.view("<i8")[:, 0]
    later = start[1:] > start[:-1]
    if (later | (rank[1:] >= rank[:-1])).all():
        return None
    key = np.zeros(len(start), dtype=np.int64)
    np.cumsum(later, out=key[1:])
    key <<= _ABOVE_FIELDS
    key |= fields @ _PLACES
    return key.argsort(kind="stable")  # quick where most are in order already


def encode_events(events: Events, vocabulary: Vocabulary) -> Tokens:
    """The body `(T, 5)` of a piece, without its end."""
    rows, times = events.notes, events.times
    if len(events.controls):
        rows, times = _with_controls(rows, times, events)
    waits = times.copy()
    waits[1:] -= times[:-1]
    if not len(events.controls) and waits.max(initial=0) < vocabulary.grid.wait_count:
        np.add(waits, 1, out=rows[:, WAIT], casting="same_kind")
        return rows
    return _with_rests(rows, waits, events.controls, vocabulary)


def _with_controls(rows: Tokens, times: Steps, events: Events) -> tuple[Tokens, Steps]:
    """Notes, and empty rows for the controls, in one order, controls first at one time."""
    empty = np.zeros((len(events.controls), 5), dtype=np.int16)
    together = np.concatenate([events.control_times, times])
    order = np.argsort(together, kind="stable")
    return np.concatenate([empty, rows]).take(order, axis=0), together.take(order)


def _with_rests(
    rows: Tokens, waits: Steps, controls: npt.NDArray[np.int64], vocabulary: Vocabulary
) -> Tokens:
    """Fill field 0, and put the rests and advances before the events that they lead to.

    The rows that an event takes: some rests of the longest kind, one shorter rest, an advance
    (before a control, which holds no wait of its own), and the event.
    """
    long = np.flatnonzero(waits >= vocabulary.grid.wait_count)
    units, waits[long] = np.divmod(waits[long], vocabulary.grid.wait_count)
    long_rests, short_rest = np.divmod(units, REST_UNITS)
    control = np.flatnonzero(rows[:, INSTRUMENT] == 0)
    advance = np.zeros(len(rows), dtype=np.int64)
    advance[control] = waits[control] > 0
    before = advance.copy()
    before[long] += long_rests + (short_rest > 0)
    last = np.arange(len(rows)) + np.cumsum(before)
    rows[:, WAIT] = waits + 1
    moving = control[waits[control] > 0]
    advances = rows[moving, WAIT]
    rows[control, WAIT] = controls
    body = np.zeros((int(last[-1]) + 1, 5), dtype=np.int16)
    body[:, WAIT] = vocabulary.first_rest + REST_UNITS - 1
    body.view(_ROW)[last] = rows.view(_ROW)  # a row at a time is twice as fast
    body[last[moving] - 1, WAIT] = advances
    short = short_rest > 0
    places = (last[long] - advance[long] - 1)[short]
    body[places, WAIT] = vocabulary.first_rest + short_rest[short] - 1
    return body


@dataclass(frozen=True)
class Decoded:
    """What a body says, on the grid: a column a field of its notes, and controls with times."""

    start: Steps
    program: npt.NDArray[np.int16]
    pitch: npt.NDArray[np.int16]
    duration_class: npt.NDArray[np.int16]
    velocity: npt.NDArray[np.int16]
    control_times: Steps
    controls: npt.NDArray[np.int16]


def decode_rows(tokens: Tokens, vocabulary: Vocabulary) -> Decoded:
    """The events of tokens `(T, 5)`, notes in order, controls as they stand; padding says nothing.

    Raises:
        InputError: if a note lacks a field, or has one outside the vocabulary.
    """
    times = row_times(tokens, vocabulary)
    note = np.flatnonzero(vocabulary.is_note(tokens))
    control = np.flatnonzero(vocabulary.is_control(tokens))
    rows, start = tokens.take(note, axis=0), times.take(note)
    _check_fields(rows, note, vocabulary)
    order = _order(start, np.ascontiguousarray(rows[:, : INSTRUMENT - 1 : -1], dtype="<i2"))
    if order is not None:
        rows, start = rows.take(order, axis=0), start.take(order)
    return Decoded(
        start=start,
        program=rows[:, INSTRUMENT] - 1,
        pitch=rows[:, PITCH] - 1,
        duration_class=rows[:, DURATION] - 1,
        velocity=rows[:, VELOCITY] * 4 - 2,
        control_times=times.take(control),
        controls=tokens[:, WAIT].take(control),
    )


def _check_fields(rows: Tokens, places: npt.NDArray[np.int64], vocabulary: Vocabulary) -> None:
    """Refuse notes with a field of 0, or one beyond its values."""
    if len(rows) == 0:
        return
    over = [rows[:, field].max() >= size for field, size in enumerate(vocabulary.sizes)]
    if any(over) or rows.min() < 1:
        wrong = ((rows < 1) | (rows >= np.array(vocabulary.sizes))).any(axis=1)
        raise InputError(
            f"token {int(places[wrong][0])} is no note of this vocabulary: "
            f"{rows[wrong][0].tolist()}, where each field is at least 1 and there are "
            f"{', '.join(map(str, vocabulary.sizes))} values"
        )


def row_times(tokens: Tokens, vocabulary: Vocabulary) -> Steps:
    """The time reached at each row of tokens `(T, F)`, in steps since the first."""
    return np.cumsum(vocabulary.steps.take(tokens[:, WAIT]))

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

from .grid import REST_UNITS, Steps
from .vocabulary import DURATION, INSTRUMENT, PITCH, VELOCITY, WAIT, Tokens, Vocabulary


@dataclass(frozen=True)
class Events:
    """What a body holds, on the grid: notes as columns, and controls.

    Attributes:
        notes: packed notes, ascending: see `pack_notes`.
        control_times: steps, ascending.
        controls: field 0's value for each control.
    """

    notes: npt.NDArray[np.int64]
    control_times: Steps
    controls: npt.NDArray[np.int64]


def pack_notes(
    start: Steps,
    program: npt.NDArray[np.integer],
    pitch: npt.NDArray[np.integer],
    duration_class: npt.NDArray[np.integer],
    velocity: npt.NDArray[np.integer],
) -> npt.NDArray[np.int64]:
    """Notes as sorted int64 numbers whose order is time, instrument, pitch, duration, velocity."""
    packed = start << 29
    packed |= program.astype(np.int64) << 21
    packed |= pitch.astype(np.int64) << 14
    packed |= duration_class.astype(np.int64) << 5
    packed |= velocity.astype(np.int64) >> 2
    packed.sort()
    return packed


def _note_rows(packed: npt.NDArray[np.int64]) -> Tokens:
    """Rows `(N, 5)` of packed notes, field 0 left empty."""
    rows = np.empty((len(packed), 5), dtype=np.int16)
    low = packed & ((1 << 29) - 1)
    rows[:, INSTRUMENT] = (low >> 21) + 1
    rows[:, PITCH] = ((low >> 14) & 127) + 1
    rows[:, DURATION] = ((low >> 5) & 511) + 1
    rows[:, VELOCITY] = (low & 31) + 1
    return rows


def encode_events(events: Events, vocabulary: Vocabulary) -> Tokens:
    """The body `(T, 5)` of a piece, without its end."""
    rows = _note_rows(events.notes)
    times = events.notes >> 29
    if len(events.controls):
        rows, times = _with_controls(rows, times, events)
    waits = np.diff(times, prepend=0)
    longest = vocabulary.grid.wait_count
    is_control = rows[:, INSTRUMENT] == 0
    if not len(events.controls) and (len(waits) == 0 or waits.max() < longest):
        rows[:, WAIT] = waits + 1
        return rows
    return _with_rests(rows, waits, is_control, vocabulary)


def _with_controls(rows: Tokens, times: Steps, events: Events) -> tuple[Tokens, Steps]:
    """Notes and controls in one order, controls first where times are equal."""
    at = np.searchsorted(times, events.control_times, side="left")
    control_rows = np.zeros((len(events.controls), 5), dtype=np.int16)
    control_rows[:, WAIT] = events.controls
    return np.insert(rows, at, control_rows, axis=0), np.insert(times, at, events.control_times)


def _with_rests(
    rows: Tokens, waits: Steps, is_control: npt.NDArray[np.bool_], vocabulary: Vocabulary
) -> Tokens:
    """Put the rests and advances before the events that they lead to.

    The rows that an event takes: some rests of the longest kind, one shorter rest, an advance
    (before a control, which holds no wait of its own), and the event.
    """
    units, left = np.divmod(waits, vocabulary.grid.wait_count)
    long_rests, short_rest = np.divmod(units, REST_UNITS)
    advance = is_control & (left > 0)
    last = np.cumsum(long_rests + (short_rest > 0) + advance + 1) - 1
    body = np.zeros((int(last[-1]) + 1 if len(last) else 0, 5), dtype=np.int16)
    body[:, WAIT] = vocabulary.first_rest + REST_UNITS - 1
    body[last] = rows
    notes = ~is_control
    body[last[notes], WAIT] = left[notes] + 1
    body[last[advance] - 1, WAIT] = left[advance] + 1
    short = short_rest > 0
    body[(last - advance - 1)[short], WAIT] = vocabulary.first_rest + short_rest[short] - 1
    return body


@dataclass(frozen=True)
class Decoded:
    """What a body says, on the grid: a column a field of its notes, and controls with times."""

    start: Steps
    program: npt.NDArray[np.int64]
    pitch: npt.NDArray[np.int64]
    duration_class: npt.NDArray[np.int64]
    velocity: npt.NDArray[np.int64]
    control_times: Steps
    controls: npt.NDArray[np.int64]


def decode_rows(tokens: Tokens, vocabulary: Vocabulary) -> Decoded:
    """The events of tokens `(T, 5)`, in the order of the rows; padding rows say nothing."""
    times = row_times(tokens, vocabulary)
    note = vocabulary.is_note(tokens)
    rows = tokens[note].astype(np.int64)
    control = vocabulary.is_control(tokens)
    return Decoded(
        start=times[note],
        program=rows[:, INSTRUMENT] - 1,
        pitch=rows[:, PITCH] - 1,
        duration_class=rows[:, DURATION] - 1,
        velocity=np.minimum((rows[:, VELOCITY] - 1) * 4 + 2, 127),
        control_times=times[control],
        controls=tokens[control, WAIT].astype(np.int64),
    )


def row_times(tokens: Tokens, vocabulary: Vocabulary) -> Steps:
    """The time reached at each row of tokens `(T, F)`, in steps since the first."""
    return np.cumsum(vocabulary.steps[tokens[:, WAIT]])

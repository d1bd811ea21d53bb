"""Notes of players and of the program in the time of a performance: beats from its first one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tokenizer.encoding.compound import Events, note_rows
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.holes import no_events

_PLACES = (0, 6, 8, 12, 16, 18, 24)
"""Where notes are heard within a quarter of 24 steps: sixteenths and triplets of eighths."""


class LiveNote(NamedTuple):
    """A note.

    Attributes:
        begin: the beat (quarter note) at which it starts.
        end: the beat at which it ends.
        pitch: 0–127.
        velocity: 1–127.
        program: 0–127 General MIDI, 128 drums.
    """

    begin: float
    end: float
    pitch: int
    velocity: int
    program: int


def events_of_notes(
    notes: Iterable[LiveNote], first: float, grid: Grid, *, quantised: bool = False
) -> Events:
    """Notes as a tokenizer's events, in steps since a beat.

    Args:
        notes: none begins before `first`.
        first: the beat at which step 0 lies.
        grid: of the tokens, on the `beat` clock.
        quantised: whether they are moved to the nearest sixteenth or triplet, as people mean them.
    """
    found: dict[tuple[int, int, int], tuple[int, int]] = {}
    for note in notes:
        begin = note.begin - first
        start = round((_meant(begin) if quantised else begin) * grid.resolution)
        length = round((note.end - note.begin) * grid.resolution)
        found[max(start, 0), note.program, note.pitch] = (max(length, 0), note.velocity)
    if not found:
        return no_events()
    order = sorted(found)
    keys = np.array(order, dtype=np.int64)
    lengths, velocities = np.array([found[key] for key in order], dtype=np.int64).T
    times, rows = note_rows(
        keys[:, 0], keys[:, 1], keys[:, 2], grid.duration_class(lengths), velocities
    )
    none = np.empty(0, dtype=np.int64)
    return Events(times, rows, none, none)


def _meant(beat: float) -> float:
    """A beat moved to the nearest place where notes are meant to start."""
    whole = math.floor(beat)
    return whole + min(_PLACES, key=lambda place: abs(place / 24 - (beat - whole))) / 24

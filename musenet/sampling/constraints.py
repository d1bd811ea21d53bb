"""What a prompt never does, its continuation does not do much of: a tune stays a tune.

A small model that has begun to pile up notes goes on piling. So the fullest moment of the prompt
says how many notes may sound at once and begin within a quarter, with some room above; a melody
or a duet, whose nature it is to be thin, gets none. A piece from nothing has no prompt: there the
number of players says it, as it does for real pieces.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tokenizer.typing import Ints, Notes

from .grammar import MOST_NOTES, Limits

_ENOUGH = 16
"""Notes below which a prompt has no habits."""

_DUET = 2
_ROOM_AT_ONCE = 1.25
_ROOM_IN_A_QUARTER = 1.5


def accustomed(limits: Limits, notes: Notes, ticks_per_quarter: int) -> Limits:
    """Limits with what they leave open of polyphony and density set by a prompt's notes.

    Args:
        limits: as asked for; None in `polyphony` or `density` is what is left open.
        notes: of the prompt, `tokenizer.score.score.NOTES` in ticks, sorted by start.
        ticks_per_quarter: of the prompt.
    """
    if len(notes) < _ENOUGH:
        return limits
    voices = most_at_once(notes)
    room = 1.0 if voices <= _DUET else _ROOM_AT_ONCE
    starts = notes["start"].astype(np.int64)
    fullest = int(within(starts, ticks_per_quarter).max())
    return replace(
        limits,
        polyphony=limits.polyphony or _at_most(voices * room),
        density=limits.density or _at_most(fullest * _ROOM_IN_A_QUARTER),
    )


def usual(limits: Limits, players: int) -> Limits:
    """Limits with what they leave open set to what is usual for so many instruments.

    Of real pieces nine in ten never have more notes at once, and at its fullest the middle one has
    about as many in a quarter (`benchmarks/ranges.py`).
    """
    return replace(
        limits,
        polyphony=limits.polyphony or _at_most(6 + 2 * players),
        density=limits.density or _at_most(6 + 4 * players),
    )


def most_at_once(notes: Notes) -> int:
    """How many notes sound at the fullest moment; one that ends where another starts is over."""
    starts = np.sort(notes["start"].astype(np.int64))
    ends = np.sort(notes["start"].astype(np.int64) + np.maximum(notes["duration"], 1))
    over = np.searchsorted(ends, starts, side="right")
    return int((np.arange(1, len(starts) + 1) - over).max())


def within(starts: Ints, ticks: int) -> Ints:
    """How many notes start within so many ticks from each one's start, itself included.

    Args:
        starts: in ticks, sorted.
        ticks: the length of the window.
    """
    return np.searchsorted(starts, starts + ticks) - np.arange(len(starts))


def _at_most(number: float) -> int:
    return min(MOST_NOTES, math.ceil(number))

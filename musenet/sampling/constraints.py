"""What may not be drawn: the constraints that a user sets, and those that a prompt implies.

A small model that has begun to pile up notes goes on piling. So the fullest moment of the prompt
limits how many notes may sound at once and start within a quarter, with some room above; a melody
or a duet gets no room for more voices. A piece without prompt is limited by what is usual for its
number of instruments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tokenizer.errors import InputError
from tokenizer.typing import Ints, Notes

MOST_NOTES = 128
"""The largest limit of polyphony and density."""

_FEWEST_NOTES = 16
"""Notes below which a prompt implies nothing."""

_THIN = 2
"""Voices up to which a prompt gets no room for more."""

_POLYPHONY_ROOM = 1.25
_DENSITY_ROOM = 1.5


@dataclass(frozen=True)
class Constraints:
    """What may be drawn.

    Attributes:
        programs: the only instruments (0–128), or None for any.
        instruments: how many different instruments may sound, the prompt's included. 16 is what
            the channels of a MIDI file hold.
        in_range: whether each instrument keeps to the pitches that it can play.
        unisons: whether two instruments may start the same pitch at the same time.
        polyphony: how many notes may sound at once, or None for any number.
        density: how many notes may start within a quarter note, or None for any number.
        pitch_classes: the only pitch classes (0 is C), drums aside, or None for any.
    """

    programs: tuple[int, ...] | None = None
    instruments: int = 16
    in_range: bool = True
    unisons: bool = True
    polyphony: int | None = None
    density: int | None = None
    pitch_classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse constraints that leave no music."""
        for name, value in (("polyphony", self.polyphony), ("density", self.density)):
            if value is not None and not 1 <= value <= MOST_NOTES:
                raise InputError(f"--{name} {value} is outside 1 to {MOST_NOTES}")
        if self.programs is not None and not self.programs:
            raise InputError("no instrument is left to play; name at least one")
        if self.pitch_classes is not None and not self.pitch_classes:
            raise InputError("the scale has no note; name at least one")


def implied_by_prompt(
    constraints: Constraints, notes: Notes, ticks_per_quarter: int
) -> Constraints:
    """Constraints whose open polyphony and density are set by a prompt's notes.

    Args:
        constraints: as the user set them; None in `polyphony` or `density` is open.
        notes: of the prompt, `tokenizer.score.score.NOTES` in ticks, sorted by start.
        ticks_per_quarter: of the prompt.
    """
    if len(notes) < _FEWEST_NOTES:
        return constraints
    voices = max_polyphony(notes)
    room = 1.0 if voices <= _THIN else _POLYPHONY_ROOM
    starts = notes["start"].astype(np.int64)
    fullest = int(starts_within(starts, ticks_per_quarter).max())
    return replace(
        constraints,
        polyphony=constraints.polyphony or _at_most(voices * room),
        density=constraints.density or _at_most(fullest * _DENSITY_ROOM),
    )


def usual_for(constraints: Constraints, instruments: int) -> Constraints:
    """Constraints whose open polyphony and density are what is usual for so many instruments.

    Of real pieces nine in ten never have more notes at once, and at its fullest the median piece
    has about as many in a quarter (`benchmarks/ranges.py`).
    """
    return replace(
        constraints,
        polyphony=constraints.polyphony or _at_most(6 + 2 * instruments),
        density=constraints.density or _at_most(6 + 4 * instruments),
    )


def max_polyphony(notes: Notes) -> int:
    """How many notes sound at the fullest moment; one that ends where another starts is over."""
    starts = np.sort(notes["start"].astype(np.int64))
    ends = np.sort(notes["start"].astype(np.int64) + np.maximum(notes["duration"], 1))
    over = np.searchsorted(ends, starts, side="right")
    return int((np.arange(1, len(starts) + 1) - over).max())


def starts_within(starts: Ints, ticks: int) -> Ints:
    """How many notes start within so many ticks from each one's start, itself included.

    Args:
        starts: in ticks, sorted.
        ticks: the length of the window.
    """
    return np.searchsorted(starts, starts + ticks) - np.arange(len(starts))


def _at_most(number: float) -> int:
    return min(MOST_NOTES, math.ceil(number))

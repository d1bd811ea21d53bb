"""Hard constraints on sampling: those that a user sets, and those that a prompt implies.

A small model that starts to pile up notes does not stop. So the densest moment of the prompt limits
how many notes may sound at once and start within a quarter note, with some headroom; a melody or a
duet gets none. No rest is longer than the longest time between two notes of the prompt. Without a
prompt the limits are those usual for the number of instruments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tokenizer.errors import InputError
from tokenizer.typing import Ints, Notes

MOST_NOTES = 128
"""The highest limit of polyphony and density."""

_FEWEST_NOTES = 16
"""A prompt with fewer notes implies nothing."""

_THIN = 2
"""Up to this many voices, a prompt gets no headroom."""

_POLYPHONY_ROOM = 1.25
_DENSITY_ROOM = 1.5


@dataclass(frozen=True)
class Constraints:
    """What may be sampled.

    Attributes:
        programs: the only instruments (0–128), or None for any.
        instruments: the maximum number of different instruments, the prompt's included; a MIDI
            file has 16 channels.
        in_range: whether each instrument stays within its playable range.
        unisons: whether two instruments may start the same pitch at the same time.
        polyphony: the maximum number of notes sounding at once, or None.
        density: the maximum number of notes starting within a quarter note, or None.
        pitch_classes: the only pitch classes (0 is C), drums aside, or None for any.
        rest: the longest rest in quarter notes (or half seconds), or None for any; the shortest
            rest that there is, of four, is always allowed.
    """

    programs: tuple[int, ...] | None = None
    instruments: int = 16
    in_range: bool = True
    unisons: bool = True
    polyphony: int | None = None
    density: int | None = None
    pitch_classes: tuple[int, ...] | None = None
    rest: float | None = None

    def __post_init__(self) -> None:
        """Reject constraints that allow no music."""
        for name, value in (("polyphony", self.polyphony), ("density", self.density)):
            if value is not None and not 1 <= value <= MOST_NOTES:
                raise InputError(f"--{name} {value} is outside 1 to {MOST_NOTES}")
        if self.programs is not None and not self.programs:
            raise InputError("no instrument is allowed; name at least one")
        if self.pitch_classes is not None and not self.pitch_classes:
            raise InputError("the scale has no notes; name at least one")


def implied_by_prompt(
    constraints: Constraints, notes: Notes, ticks_per_quarter: int
) -> Constraints:
    """Constraints with polyphony and density derived from a prompt where they are None.

    Args:
        constraints: as the user set them.
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


def longest_rest(notes: Notes, ticks_per_quarter: int) -> float:
    """The longest time between the starts of two notes, in quarter notes.

    Args:
        notes: at least one, `tokenizer.score.score.NOTES` in ticks, sorted by start.
        ticks_per_quarter: of the notes.
    """
    starts = notes["start"].astype(np.int64)
    return float(np.diff(starts).max(initial=0)) / ticks_per_quarter


def usual_for(constraints: Constraints, instruments: int) -> Constraints:
    """Constraints with the usual polyphony and density for a number of instruments where None.

    Nine in ten real pieces never have more notes at once, and the median piece has about as many
    in its densest quarter note (`benchmarks/ranges.py`).
    """
    return replace(
        constraints,
        polyphony=constraints.polyphony or _at_most(6 + 2 * instruments),
        density=constraints.density or _at_most(6 + 4 * instruments),
    )


def max_polyphony(notes: Notes) -> int:
    """The most notes that sound at once; a note that ends where another starts does not count."""
    starts = np.sort(notes["start"].astype(np.int64))
    ends = np.sort(notes["start"].astype(np.int64) + np.maximum(notes["duration"], 1))
    over = np.searchsorted(ends, starts, side="right")
    return int((np.arange(1, len(starts) + 1) - over).max())


def starts_within(starts: Ints, ticks: int) -> Ints:
    """How many notes start within `ticks` of the start of each, itself included.

    Args:
        starts: in ticks, sorted.
        ticks: the length of the window.
    """
    return np.searchsorted(starts, starts + ticks) - np.arange(len(starts))


def _at_most(number: float) -> int:
    return min(MOST_NOTES, math.ceil(number))

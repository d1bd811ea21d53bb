"""The notes of a staff on a grid that can be read: each beat is straight or in triplets.

For every beat the coarsest division is taken that its onsets fit: eighths, sixteenths, triplet
eighths, and only where they fit much better triplet sixteenths or 32nds. Two onsets that fall on
one place of the grid, as in a spread chord, become one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .measures import QUARTER, MeasureGrid

EIGHTHS = QUARTER // 2
_COSTS = {EIGHTHS: 0.0, QUARTER // 4: 0.01, QUARTER // 3: 0.02, QUARTER // 6: 0.05, 3: 0.05}
"""For each division, in steps, how much better it must fit, in quarter notes, to be taken."""
_TRIPLETS = (QUARTER // 3, QUARTER // 6)
_LEGATO = 0.7
"""A note that lasts so much of the way to the next is written as lasting to it."""


class WrittenNote(NamedTuple):
    """A note on the grid: where it begins and ends, in steps, its MIDI pitch and velocity."""

    start: int
    end: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Divisions:
    """How each beat is divided.

    Attributes:
        beats: the places of the beats, and of the last bar line.
        steps: for each beat, the steps of its division.
    """

    beats: tuple[int, ...]
    steps: tuple[int, ...]

    def beat(self, place: float) -> int:
        """The number of the beat that holds a place."""
        return min(max(bisect_right(self.beats, place) - 1, 0), len(self.steps) - 1)

    def is_triplet(self, beat: int) -> bool:
        """Whether a beat is divided in triplets."""
        return self.steps[beat] in _TRIPLETS

    def rounded(self, place: float) -> int:
        """The place of the grid next to a place."""
        beat = self.beat(place)
        begin, step = self.beats[beat], self.steps[beat]
        return min(begin + round((place - begin) / step) * step, self.beats[beat + 1])


def divisions(onsets: Sequence[float], grid: MeasureGrid) -> Divisions:
    """How each beat of a staff is divided, by the onsets in it."""
    beats = grid.beats
    inside: list[set[float]] = [set() for _ in beats[:-1]]
    found = Divisions(beats, (EIGHTHS,) * len(inside))
    for onset in onsets:
        beat = found.beat(onset)
        inside[beat].add(onset - beats[beat])
    steps = (
        _division(sorted(places), beats[beat + 1] - beats[beat])
        for beat, places in enumerate(inside)
    )
    return Divisions(beats, tuple(steps))


def _division(places: Sequence[float], length: int) -> int:
    """The division of a beat of so many steps, by the places of the onsets in it."""
    if not places:
        return EIGHTHS
    allowed = [step for step in _COSTS if length == QUARTER or step not in _TRIPLETS]

    def cost(step: int) -> float:
        off = sum(abs(place - round(place / step) * step) for place in places)
        return off / len(places) / QUARTER + _COSTS[step]

    return min(allowed, key=cost)


def quantised(
    notes: Sequence[tuple[float, float, int, int]], found: Divisions
) -> list[WrittenNote]:
    """Notes on the grid, by onset and from the highest pitch down; of unisons one.

    Args:
        notes: start and end in steps, pitch and velocity.
        found: how the beats are divided.
    """
    placed: dict[tuple[int, int], WrittenNote] = {}
    last = found.beats[-1]
    for start, end, pitch, velocity in notes:
        begin = found.rounded(start)
        if begin >= last:
            begin = last - found.steps[-1]
        step = found.steps[found.beat(begin)]
        stop = min(max(found.rounded(end), begin + step), last)
        before = placed.get((begin, pitch))
        if before is not None:
            stop, velocity = max(stop, before.end), max(velocity, before.velocity)
        placed[begin, pitch] = WrittenNote(begin, stop, pitch, velocity)
    return sorted(placed.values(), key=lambda note: (note.start, -note.pitch))


def without_small_rests(start: int, end: int, following: int) -> int:
    """The end of a note that is written up to the next one where only a small rest is between."""
    short = following - end < QUARTER // 4 or end - start >= _LEGATO * (following - start)
    near = following - end <= QUARTER
    return following if end < following and short and near else end

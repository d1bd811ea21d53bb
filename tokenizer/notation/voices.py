"""Two voices at most on a staff, each a row of chords that do not overlap.

For every onset, the notes from the highest down go to the upper voice and the rest to the lower.
A search over all such splits keeps the notes as long as they are with as little of a second voice
and of crossing as it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from .measures import QUARTER
from .quantise import WrittenNote, without_small_rests

_BEAM = 12
_SECOND_VOICE = 0.35  # for each chord in it: as much as that part of a quarter note cut off
_CROSSING = 0.5
_UNEQUAL = 0.5  # of the difference between the lengths of a chord's notes


class WrittenChord(NamedTuple):
    """Notes that begin together, from the highest down, and the end of the longest, in steps."""

    start: int
    end: int
    notes: tuple[WrittenNote, ...]


class _Path(NamedTuple):
    """A split of the onsets so far: its cost, the last chord of each voice, and the way here."""

    cost: float
    last: tuple[tuple[WrittenNote, ...], tuple[WrittenNote, ...]]
    before: _Path | None


def voices_of(notes: Sequence[WrittenNote]) -> list[list[WrittenChord]]:
    """The voices of a staff's notes, which are ordered as `quantised` gives them.

    Returns:
        One voice, or two with the upper one first.
    """
    beam = [_Path(0.0, ((), ()), None)]
    for _, group in groupby(notes, lambda note: note.start):
        together = tuple(group)
        grown: dict[tuple[tuple[WrittenNote, ...], tuple[WrittenNote, ...]], _Path] = {}
        for path in beam:
            for upper in range(len(together) + 1):
                found = _grown(path, together[:upper], together[upper:])
                best = grown.get(found.last)
                if best is None or found.cost < best.cost:
                    grown[found.last] = found
        beam = sorted(grown.values(), key=lambda path: path.cost)[:_BEAM]
    rows = _rows(beam[0])
    return [_chords(row) for row in rows if row] or [[]]


def _grown(path: _Path, upper: tuple[WrittenNote, ...], lower: tuple[WrittenNote, ...]) -> _Path:
    """A path with the notes of one more onset."""
    cost = path.cost
    for own, last in zip((upper, lower), path.last, strict=True):
        if own:
            start = own[0].start
            cost += sum(max(0, note.end - start) for note in last) / QUARTER
            ends = [note.end for note in own]
            cost += _UNEQUAL * sum(max(ends) - end for end in ends) / QUARTER
    if lower:
        above = upper or tuple(n for n in path.last[0] if n.end > lower[0].start)
        cost += _SECOND_VOICE + _CROSSING * any(n.pitch < lower[0].pitch for n in above)
    if upper and not lower:
        below = [n for n in path.last[1] if n.end > upper[0].start]
        cost += _CROSSING * any(n.pitch > upper[-1].pitch for n in below)
    return _Path(cost, (upper or path.last[0], lower or path.last[1]), path)


def _rows(path: _Path) -> list[list[tuple[WrittenNote, ...]]]:
    """The chords of both voices, in order."""
    rows: list[list[tuple[WrittenNote, ...]]] = [[], []]
    while path.before is not None:
        for row, own, earlier in zip(rows, path.last, path.before.last, strict=True):
            if own and own is not earlier:
                row.append(own)
        path = path.before
    return [row[::-1] for row in rows]


def _chords(row: Sequence[tuple[WrittenNote, ...]]) -> list[WrittenChord]:
    """The chords of a voice, each cut where the next one begins."""
    starts = [notes[0].start for notes in row[1:]]
    chords = []
    for notes, following in zip(row, [*starts, None], strict=True):
        start, end = notes[0].start, max(note.end for note in notes)
        if following is not None:
            end = without_small_rests(start, min(end, following), following)
        chords.append(WrittenChord(start, end, tuple(_ended(note, end) for note in notes)))
    return chords


def _ended(note: WrittenNote, end: int) -> WrittenNote:
    """A note of a chord: it ends with the chord, or more than a quarter note before it."""
    return note._replace(end=end if note.end >= end - QUARTER else note.end)

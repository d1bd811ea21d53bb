"""Scores side by side: the notes of many pieces as columns, one piece after another.

A NumPy call costs as much as some hundred notes do, and a piece has a thousand; so what is asked of
every file is asked of many at once. One score is the case of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tokenizer.columns import DEFAULT_TEMPO
from tokenizer.score import NOTES, TEMPOS, Score

Indices = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

NOTES_TOGETHER = 1 << 15
"""About how many notes are looked at together: what fits into a processor's cache."""

TIME_BITS = 34
"""A time in ticks, even the end of the last note, is below 2 to this; a piece's number goes above."""


@dataclass(frozen=True)
class Together:
    """P scores, each with at least one note; N notes in all.

    Attributes:
        scores: the pieces.
        count: notes of each piece, `(P,)`.
        start: of each note in ticks, `(N,)`, ascending within a piece.
        duration: of each note in ticks, `(N,)`.
        pitch: of each note, `(N,)`.
        program: of each note, `(N,)`.
    """

    scores: Sequence[Score]
    count: Indices
    start: Indices
    duration: Indices
    pitch: Bytes
    program: Bytes

    @classmethod
    def of(cls, scores: Sequence[Score]) -> Together:
        """Put scores side by side."""
        notes = np.frombuffer(b"".join([score.notes.data for score in scores]), NOTES)
        return cls(
            scores,
            np.array([len(score.notes) for score in scores]),
            notes["start"].astype(np.int64),
            notes["duration"].astype(np.int64),
            np.ascontiguousarray(notes["pitch"]),
            np.ascontiguousarray(notes["program"]),
        )

    @cached_property
    def first(self) -> Indices:
        """The place of each piece's first note, `(P,)`."""
        return self.count.cumsum() - self.count

    @cached_property
    def piece(self) -> Indices:
        """The number of each note's piece, `(N,)`."""
        return np.arange(len(self.count)).repeat(self.count)

    @cached_property
    def resolution(self) -> Indices:
        """Ticks a quarter of each piece, `(P,)`."""
        return np.array([score.ticks_per_quarter for score in self.scores])

    @cached_property
    def sounded_until(self) -> Indices:
        """The latest end of each note and of all before it in its piece, `(N,)`."""
        above = self.piece << TIME_BITS
        return np.maximum.accumulate(above + self.start + self.duration) - above

    def counts(self, chosen: npt.NDArray[np.bool_]) -> Indices:
        """How many of each piece's notes are among those chosen, `(P,)`."""
        edges = np.append(self.first, len(chosen))
        return np.diff(chosen.nonzero()[0].searchsorted(edges))

    def notes_of(self, piece: int) -> slice:
        """Where a piece's notes are."""
        first = int(self.first[piece])
        return slice(first, first + int(self.count[piece]))

    def seconds(self, piece: Indices, ticks: Indices) -> npt.NDArray[np.float64]:
        """As `Score.seconds`, for ticks each in a piece of its own."""
        return self.tempos.seconds(piece, ticks)

    @cached_property
    def tempos(self) -> TempoMaps:
        """How time goes in each piece."""
        return TempoMaps(self.scores, self.resolution)


class TempoMaps:
    """The tempo maps of P scores: `tokenizer.tempo_map.TempoMap` for all at once, as exact."""

    def __init__(self, scores: Sequence[Score], resolution: Indices) -> None:
        stated = [score.tempos for score in scores]
        count = np.array([len(tempos) for tempos in stated])
        silent = np.array([not len(t) or int(t["time"][0]) > 0 for t in stated])
        place = (count.cumsum() - count)[silent]
        tempos = np.frombuffer(b"".join([t.data for t in stated]), TEMPOS)
        starts = np.insert(tempos["time"].astype(np.int64), place, 0)
        self._slopes = np.insert(tempos["microseconds"].astype(np.int64), place, DEFAULT_TEMPO)
        count += silent
        self._first = count.cumsum() - count
        self._starts = starts
        self._keys = starts + (np.arange(len(scores)).repeat(count) << TIME_BITS)
        units = (starts[1:] - starts[:-1]) * self._slopes[:-1]
        units[self._first[1:] - 1] = 0
        sums = np.append(0, units.cumsum())
        self._sums = sums - sums[self._first].repeat(count)
        self._units_per_second = 1_000_000 * resolution

    @property
    def fastest(self) -> Indices:
        """The fewest microseconds a quarter in each piece, `(P,)`."""
        return np.minimum.reduceat(self._slopes, self._first)

    @property
    def slowest(self) -> Indices:
        """The most microseconds a quarter in each piece, `(P,)`."""
        return np.maximum.reduceat(self._slopes, self._first)

    def seconds(self, piece: Indices, ticks: Indices) -> npt.NDArray[np.float64]:
        at = piece
        if len(self._starts) > len(self._first):
            at = self._keys.searchsorted(ticks + (piece << TIME_BITS), side="right") - 1
        units = self._sums[at] + (ticks - self._starts[at]) * self._slopes[at]
        result: npt.NDArray[np.float64] = units / self._units_per_second[piece]
        return result

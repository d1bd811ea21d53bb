"""Scores side by side: what rules and fingerprints ask of notes, asked of many pieces at once.

As in `tokenizer.score.batch`, one score is the case of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tokenizer.typing import Floats, Ints, Mask

from .batch import Pieces
from .columns import DEFAULT_TEMPO
from .score import TEMPOS, Score

Bytes = npt.NDArray[np.uint8]

NOTES_TOGETHER = 1 << 17
"""About how many notes are worked on together: more are no faster, and take memory."""

TIME_BITS = 34
"""A time in ticks, the end of a note too, is below 2 to this; a piece's number goes above."""


@dataclass(frozen=True)
class Together:
    """P scores, each with at least one note, on one clock; N notes in all.

    The pieces follow each other on the clock, far apart: a time is `piece << TIME_BITS | ticks`.

    Attributes:
        pieces: the scores with their notes as one column.
        count: notes of each piece, `(P,)`.
        start: of each note by the clock, `(N,)`, ascending.
        stop: of each note by the clock, `(N,)`.
        pitch: of each note, `(N,)`.
        program: of each note, `(N,)`.
    """

    pieces: Pieces
    count: Ints
    start: Ints
    stop: Ints
    pitch: Bytes
    program: Bytes

    @classmethod
    def of(cls, scores: Sequence[Score]) -> Together:
        """Put scores side by side."""
        pieces = Pieces.of(scores)
        notes, count = pieces.notes, np.array(pieces.sizes)
        start = (np.arange(len(scores)) << TIME_BITS).repeat(count)
        start += notes["start"]
        return cls(
            pieces,
            count,
            start,
            start + notes["duration"],
            np.ascontiguousarray(notes["pitch"]),
            np.ascontiguousarray(notes["program"]),
        )

    @cached_property
    def first(self) -> Ints:
        """The place of each piece's first note, `(P,)`."""
        return self.count.cumsum() - self.count

    def notes_of(self, piece: int) -> slice:
        """Where a piece's notes are."""
        first = int(self.first[piece])
        return slice(first, first + int(self.count[piece]))

    def counts(self, chosen: Mask) -> Ints:
        """How many of each piece's notes are among those chosen, `(P,)`."""
        edges = np.append(self.first, len(chosen))
        return np.diff(chosen.nonzero()[0].searchsorted(edges))

    @cached_property
    def sounded_until(self) -> Ints:
        """By the clock, the latest end of each note and of all before it, `(N,)`."""
        return np.maximum.accumulate(self.stop)

    @property
    def end(self) -> Ints:
        """By the clock, the last end of any note of each piece, `(P,)`."""
        return self.sounded_until[self.first + self.count - 1]

    @cached_property
    def resolution(self) -> Ints:
        """Ticks a quarter of each piece, `(P,)`."""
        return np.array([score.ticks_per_quarter for score in self.pieces.scores])

    @cached_property
    def tempos(self) -> TempoMaps:
        """How time goes in each piece."""
        return TempoMaps(self.pieces.scores, self.resolution)


def piece_of(time: Ints) -> Ints:
    """The piece that each time by the clock is in."""
    return time >> TIME_BITS


def ticks_of(time: Ints) -> Ints:
    """Each time by the clock in ticks of its piece."""
    return time & ((1 << TIME_BITS) - 1)


class TempoMaps:
    """The tempo maps of P scores: `tokenizer.score.tempo_map.TempoMap` for all at once, as exact.

    Attributes:
        fastest: the fewest microseconds a quarter in each piece, `(P,)`.
        slowest: the most microseconds a quarter in each piece, `(P,)`.
    """

    def __init__(self, scores: Sequence[Score], resolution: Ints) -> None:
        stated = [score.tempos for score in scores]
        count = np.array([len(tempos) for tempos in stated])
        silent = np.array([not len(t) or int(t["time"][0]) > 0 for t in stated])
        place = (count.cumsum() - count)[silent]
        tempos = np.frombuffer(b"".join([t.data for t in stated]), TEMPOS)
        ticks = np.insert(tempos["time"].astype(np.int64), place, 0)
        slopes = np.insert(tempos["microseconds"].astype(np.int64), place, DEFAULT_TEMPO)
        count += silent
        first = count.cumsum() - count
        self.fastest = np.minimum.reduceat(slopes, first)
        self.slowest = np.maximum.reduceat(slopes, first)
        self._starts = ticks + (np.arange(len(scores)) << TIME_BITS).repeat(count)
        self._slopes = slopes
        units = (ticks[1:] - ticks[:-1]) * slopes[:-1]
        units[first[1:] - 1] = 0
        sums = np.append(0, units.cumsum())
        self._sums = sums - sums[first].repeat(count)
        self._units_per_second = 1_000_000 * resolution

    def seconds(self, time: Ints) -> Floats:
        """Seconds since the start of its piece of each time by the clock."""
        piece = at = piece_of(time)
        if len(self._starts) > len(self._units_per_second):
            at = self._starts.searchsorted(time, side="right") - 1
        units = self._sums[at] + (time - self._starts[at]) * self._slopes[at]
        result: Floats = units / self._units_per_second[piece]
        return result

"""Several scores as one column of notes, a ragged batch: NumPy is called once for many pieces.

A call of NumPy costs as much as a thousand notes do, and most files have fewer. So
`Tokenizer.encode_all`, the rules of data preparation and their like take many scores at a time; one
score is a batch of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tokenizer.typing import Array, Floats, Integers, Ints, Mask

from .columns import DEFAULT_TEMPO
from .score import NOTES, TEMPOS, Score
from .tempo_map import steady_tempo

Item = TypeVar("Item")
Bytes = npt.NDArray[np.uint8]

_ROW = np.dtype((np.void, NOTES.itemsize))

MAX_ITEMS = 256
"""How many scores or files `batches` puts together."""

MAX_ROWS = 2**16
"""How many rows `batches` puts together: with a quarter of them the calls cost a tenth more."""

TIME_BITS = 34
"""A time in ticks, the end of a note too, is below 2 to this; the score's number goes above."""


@dataclass(frozen=True)
class ScoreBatch:
    """P scores with N notes in all, score after score.

    On the joint timeline the scores follow each other, far apart: a joint time is
    `score << TIME_BITS | ticks`, where `score` is the score's place in the batch.

    Attributes:
        scores: P of them.
        notes: NOTES of all, `(N,)`.
        sizes: how many of the notes belong to each score.
    """

    scores: Sequence[Score]
    notes: Array
    sizes: Sequence[int]

    @classmethod
    def of(cls, scores: Sequence[Score], notes: Sequence[Array] | None = None) -> ScoreBatch:
        """Join scores.

        Args:
            scores: at least one.
            notes: NOTES of each score in place of those it has.
        """
        columns = [score.notes for score in scores] if notes is None else notes
        joined = columns[0]
        if len(columns) > 1:  # as rows of bytes: NumPy would copy structured ones field by field
            joined = np.concatenate([column.view(_ROW) for column in columns]).view(NOTES)
        return cls(scores, joined, [len(column) for column in columns])

    @cached_property
    def bounds(self) -> list[int]:
        """The index of each score's first note, then N: P + 1 numbers."""
        return [0, *accumulate(self.sizes)]

    @cached_property
    def note_counts(self) -> Ints:
        """How many notes each score has, `(P,)`."""
        return np.array(self.sizes)

    @cached_property
    def first(self) -> Ints:
        """The index of each score's first note, `(P,)`."""
        return self.note_counts.cumsum() - self.note_counts

    def notes_of(self, score: int) -> slice:
        """Where the notes of the score at a place of the batch are."""
        return slice(self.bounds[score], self.bounds[score + 1])

    def count(self, chosen: Mask) -> Ints:
        """How many of each score's notes are chosen, `(P,)`, by a mask `(N,)`."""
        return np.diff(chosen.nonzero()[0].searchsorted(self.bounds))

    def spread(self, values: Sequence[int]) -> Any:
        """A value for each score as one for each note `(N,)`; just the value if all are alike."""
        return values[0] if len(set(values)) == 1 else np.repeat(np.array(values), self.sizes)

    def number(self, times: int) -> Any:
        """The place of each note's score, `(N,)`, so many times; 0 where there is one score."""
        return self.spread(range(0, len(self.scores) * times, times))

    @cached_property
    def ticks_per_quarter(self) -> Any:
        """The resolution of each note's score, `(N,)`, or of all."""
        return self.spread([score.ticks_per_quarter for score in self.scores])

    @cached_property
    def resolution(self) -> Ints:
        """Ticks per quarter note of each score, `(P,)`."""
        return np.array([score.ticks_per_quarter for score in self.scores])

    def seconds(self, ticks: Integers) -> Floats:
        """Seconds of a tick for each note, `(N,)`, by the tempo map of the note's score."""
        units = ticks.astype(np.int64)
        units *= self._tempo
        seconds: Floats = units / (1_000_000 * self.ticks_per_quarter)
        for tempo, score, (begin, end) in zip(
            self._tempos, self.scores, pairwise(self.bounds), strict=True
        ):
            if tempo is None:
                seconds[begin:end] = score.seconds(ticks[begin:end])
        return seconds

    @cached_property
    def _tempos(self) -> list[int | None]:
        """Microseconds per quarter note of each score, None where they change."""
        return [steady_tempo(score.tempos) for score in self.scores]

    @cached_property
    def _tempo(self) -> Any:
        """Microseconds per quarter note for each note, `(N,)`, or for all; 0 if they change."""
        return self.spread([tempo or 0 for tempo in self._tempos])

    @cached_property
    def start(self) -> Ints:
        """The joint time at which each note begins, `(N,)`, ascending."""
        start: Ints = (np.arange(len(self.scores)) << TIME_BITS).repeat(self.note_counts)
        start += self.notes["start"]
        return start

    @cached_property
    def stop(self) -> Ints:
        """The joint time at which each note ends, `(N,)`."""
        stop: Ints = self.start + self.notes["duration"]
        return stop

    @cached_property
    def pitch(self) -> Bytes:
        """The pitch of each note, `(N,)`, contiguous."""
        return np.ascontiguousarray(self.notes["pitch"])

    @cached_property
    def program(self) -> Bytes:
        """The program of each note, `(N,)`, contiguous."""
        return np.ascontiguousarray(self.notes["program"])

    @cached_property
    def sounded_until(self) -> Ints:
        """The latest joint time at which each note, or one before it, ends, `(N,)`."""
        return np.maximum.accumulate(self.stop)

    @property
    def end(self) -> Ints:
        """The joint time at which the last note of each score ends, `(P,)`; all must have notes."""
        return self.sounded_until[self.first + self.note_counts - 1]

    @cached_property
    def tempo_maps(self) -> TempoMaps:
        """The tempo maps of all scores."""
        return TempoMaps(self.scores, self.resolution)


def score_of(time: Ints) -> Ints:
    """The place in the batch of the score that each joint time lies in."""
    return time >> TIME_BITS


def ticks_of(time: Ints) -> Ints:
    """Each joint time in ticks since its score began."""
    return time & ((1 << TIME_BITS) - 1)


class TempoMaps:
    """The tempo maps of P scores: `tokenizer.score.tempo_map.TempoMap` for all at once, as exact.

    Attributes:
        fastest: the fewest microseconds per quarter note in each score, `(P,)`.
        slowest: the most microseconds per quarter note in each score, `(P,)`.
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
        """Seconds from the beginning of its score to each joint time."""
        score = at = score_of(time)
        if len(self._starts) > len(self._units_per_second):
            at = self._starts.searchsorted(time, side="right") - 1
        units = self._sums[at] + (time - self._starts[at]) * self._slopes[at]
        result: Floats = units / self._units_per_second[score]
        return result


def batches(items: Iterable[Item], size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Runs of items whose sizes add up to some `MAX_ROWS`, of at most `MAX_ITEMS` items."""
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= MAX_ROWS or len(batch) == MAX_ITEMS:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch

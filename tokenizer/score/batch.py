"""Scores one after another as one: what is done to the notes of many is done in one call.

On the ground floor, between `tokenizer.score.score` and what makes labels and tokens of one. A call
of NumPy costs as much as a thousand notes do, and most files have fewer: so `Tokenizer.encode_all`
and its like take many files at a time, and `encode` takes one in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import numpy as np

from tokenizer.typing import Array, Floats, Integers

from .score import NOTES, Score
from .tempo_map import steady_tempo

Item = TypeVar("Item")

_ROW = np.dtype((np.void, NOTES.itemsize))

MOST_PIECES = 256  # taken at a time
MOST_ROWS = 2**14  # columns of as many stay in a processor's cache; more are slower


@dataclass(frozen=True)
class Pieces:
    """The notes of several scores as one column, score after score.

    Attributes:
        scores: P of them.
        notes: NOTES of all, `(N,)`.
        sizes: how many of the notes are each score's.
    """

    scores: Sequence[Score]
    notes: Array
    sizes: Sequence[int]

    @classmethod
    def of(cls, scores: Sequence[Score], notes: Sequence[Array] | None = None) -> Pieces:
        """These scores, with their own notes or with others that stand for them."""
        columns = [score.notes for score in scores] if notes is None else notes
        joined = columns[0]
        if len(columns) > 1:  # as rows of bytes: NumPy would take structured ones field by field
            joined = np.concatenate([column.view(_ROW) for column in columns]).view(NOTES)
        return cls(scores, joined, [len(column) for column in columns])

    @cached_property
    def bounds(self) -> list[int]:
        """Where each score's notes begin, and where the last one's end: P + 1 places."""
        return [0, *accumulate(self.sizes)]

    def spread(self, values: Sequence[int]) -> Any:
        """A value for each score as one for each note `(N,)`; just the value if all are alike."""
        return values[0] if len(set(values)) == 1 else np.repeat(np.array(values), self.sizes)

    def number(self, times: int) -> Any:
        """The number of each note's score, `(N,)`, so many times; 0 where there is one score."""
        return self.spread(range(0, len(self.scores) * times, times))

    @cached_property
    def ticks_per_quarter(self) -> Any:
        """The resolution of each note's score, `(N,)`, or of all."""
        return self.spread([score.ticks_per_quarter for score in self.scores])

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
        """Microseconds a quarter of each score, None where they change."""
        return [steady_tempo(score.tempos) for score in self.scores]

    @cached_property
    def _tempo(self) -> Any:
        """Microseconds a quarter for each note, `(N,)`, or for all; 0 where they change."""
        return self.spread([tempo or 0 for tempo in self._tempos])


def batches(items: Iterable[Item], size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Runs of items whose sizes add up to some `MOST_ROWS`, of at most `MOST_PIECES` items."""
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= MOST_ROWS or len(batch) == MOST_PIECES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch

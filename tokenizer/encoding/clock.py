"""Ticks of a file to steps of a grid and back: the join between a user's file and the tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tokenizer.score.score import NOTES, Score
from tokenizer.typing import Ints, Notes, Tokens

from .grid import Grid
from .vocabulary import DURATION, INSTRUMENT, PITCH, VELOCITY, Vocabulary


class Clock:
    """The time of a score on a grid, counted from one of its ticks.

    Args:
        score: whose ticks and tempo map are meant.
        grid: of the tokens.
        origin: the tick at which step 0 lies.
    """

    def __init__(self, score: Score, grid: Grid, origin: int = 0) -> None:
        self._score = score
        self._grid = grid
        self._origin = origin

    def step(self, tick: int) -> int:
        """The step nearest to a tick."""
        ticks = np.array([tick], dtype=np.int64)
        if self._grid.is_beat:
            ticks -= self._origin
            return int(self._grid.from_ticks(ticks, self._score.ticks_per_quarter)[0])
        seconds = self._score.seconds(ticks) - self._start()
        return int(self._grid.from_seconds(seconds)[0])

    def ticks(self, steps: npt.NDArray[np.floating] | Ints) -> Ints:
        """The ticks nearest to steps, which may be fractions of one."""
        if self._grid.is_beat:
            scale = self._score.ticks_per_quarter / self._grid.resolution
            return self._origin + np.rint(steps * scale).astype(np.int64)
        return self._score.ticks(steps / self._grid.resolution + self._start()).astype(np.int64)

    def _start(self) -> float:
        return float(self._score.seconds(np.array([self._origin], dtype=np.int64))[0])


def placed_notes(rows: Tokens, times: Ints, vocabulary: Vocabulary, clock: Clock) -> Notes:
    """Note rows `(N, 5)` at steps `(N,)` as notes in the ticks of a file."""
    fields = rows.astype(np.int64)
    # A quarter of a step is what `tokenizer.encoding.grid` gives a note shorter than half of one.
    lengths = np.maximum(vocabulary.grid.durations[fields[:, DURATION] - 1], 0.25)
    notes = np.zeros(len(rows), NOTES)
    start = clock.ticks(times)
    notes["start"] = start
    notes["duration"] = np.maximum(clock.ticks(times + lengths) - start, 1)
    notes["pitch"] = fields[:, PITCH] - 1
    notes["velocity"] = np.clip((fields[:, VELOCITY] - 1) * 4 + 2, 1, 127)
    notes["program"] = fields[:, INSTRUMENT] - 1
    return notes

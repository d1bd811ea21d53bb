"""The exact map between ticks and seconds that a score's tempos define.

Time is summed in whole numbers of microseconds times ticks, so that no error adds up; one division
at the end gives float64 seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tokenizer.typing import Array, Floats, Ints

from .columns import DEFAULT_TEMPO, LAST_TICK


def steady_tempo(tempos: Array) -> int | None:
    """Microseconds per quarter note of a score whose tempo never changes, else None."""
    if not len(tempos):
        return DEFAULT_TEMPO
    time, microseconds = tempos[0].item()
    return microseconds if len(tempos) == 1 and time == 0 else None


class TempoMap:
    """Piecewise-linear and exact: 120 quarter notes per minute until the first tempo.

    Args:
        ticks_per_quarter: the resolution.
        tempos: (n,) of `TEMPOS`, sorted by time, at most one per tick.
    """

    def __init__(self, ticks_per_quarter: int, tempos: Array) -> None:
        starts = tempos["time"].astype(np.int64)
        slopes = tempos["microseconds"].astype(np.int64)
        if not len(starts) or starts[0] > 0:
            starts = np.concatenate([[0], starts])
            slopes = np.concatenate([[DEFAULT_TEMPO], slopes])
        self.starts = starts
        self.slopes = slopes
        # in units of 1 / (1e6 * ticks_per_quarter) seconds; at most 2**31 * 2**24, so int64 holds
        self.sums = np.zeros(len(starts), np.int64)
        np.cumsum((starts[1:] - starts[:-1]) * slopes[:-1], out=self.sums[1:])
        self.units_per_second = 1_000_000 * ticks_per_quarter

    def seconds(self, ticks: npt.ArrayLike) -> Floats:
        """Seconds from tick 0 to `ticks`, of the same shape; before 0 the first tempo goes on."""
        ticks = np.asarray(ticks)
        ticks = ticks.astype(np.int64, casting="same_kind" if ticks.size else "unsafe")
        at: Any = 0  # which tempo holds; most scores have one
        if len(self.starts) > 1:
            at = np.maximum(np.searchsorted(self.starts, ticks, side="right") - 1, 0)
        units = self.sums[at] + (ticks - self.starts[at]) * self.slopes[at]
        result: Floats = units / self.units_per_second
        return result

    def ticks(self, seconds: npt.ArrayLike) -> Ints:
        """The nearest tick to each of `seconds`, of the same shape, at most LAST_TICK."""
        units = np.asarray(seconds, np.float64) * self.units_per_second
        at = np.maximum(np.searchsorted(self.sums, units, side="right") - 1, 0)
        ticks = self.starts[at] + np.rint((units - self.sums[at]) / self.slopes[at])
        return np.minimum(ticks, LAST_TICK).astype(np.int64)

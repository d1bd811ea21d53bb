"""Bars of a score: where bar lines stand, which bar a tick lies in, and back.

Bars are counted from 0 and anew from each time signature, as `tokenizer.encoding.structure` counts
them; a time signature in the middle of a bar ends that bar there.
"""

from __future__ import annotations

import numpy as np

from tokenizer.typing import Notes, Ticks


class Bars:
    """The bar lines that time signatures make.

    Args:
        time_signatures: `tokenizer.score.score.TIME_SIGNATURES`, sorted by time; 4/4 before the
            first. ticks_per_quarter: of the score.
    """

    def __init__(self, time_signatures: Notes, ticks_per_quarter: int) -> None:
        self._quarter = ticks_per_quarter
        begins, wholes, parts = [0], [16 * ticks_per_quarter], [4]
        for time, numerator, denominator in zip(
            time_signatures["time"].tolist(),
            time_signatures["numerator"].tolist(),
            time_signatures["denominator"].tolist(),
            strict=True,
        ):
            if time <= begins[-1]:
                del begins[-1], wholes[-1], parts[-1]
            begins.append(max(time, 0))
            wholes.append(4 * ticks_per_quarter * numerator)
            parts.append(denominator)
        self._begin = np.array(begins, dtype=np.int64)
        self._whole = np.array(wholes, dtype=np.int64)
        self._part = np.array(parts, dtype=np.int64)
        spans = np.diff(self._begin) * self._part[:-1]
        self._first = np.concatenate([[0], np.cumsum(-(-spans // self._whole[:-1]))])

    def number(self, tick: int) -> int:
        """The bar that holds a tick; a bar line belongs to the bar that it opens."""
        i = int(np.searchsorted(self._begin, tick, side="right")) - 1
        i = max(i, 0)
        inside = (tick - int(self._begin[i])) * int(self._part[i])
        bar = inside // int(self._whole[i])
        # A tick is rounded down from its bar line, so the line may lie one bar further.
        if self._line(i, bar + 1) <= tick:
            bar += 1
        return int(self._first[i]) + bar

    def tick(self, bar: int) -> int:
        """The tick of a bar's line."""
        i = max(int(np.searchsorted(self._first, bar, side="right")) - 1, 0)
        return self._line(i, bar - int(self._first[i]))

    def count(self, start: int, stop: int) -> float:
        """How many bars lie between two ticks, fractions included."""

        def place(tick: int) -> float:
            bar = self.number(tick)
            line = self.tick(bar)
            return bar + (tick - line) / max(1, self.tick(bar + 1) - line)

        return place(stop) - place(start)

    def beat(self, tick: int) -> int:
        """Ticks of a beat at a tick: the meter's unit, and at most a quarter note."""
        i = max(int(np.searchsorted(self._begin, tick, side="right")) - 1, 0)
        return min(self._quarter, 4 * self._quarter // int(self._part[i]))

    def lines(self, start: int, stop: int) -> Ticks:
        """The bar lines at ticks from `start` up to and with `stop`."""
        bars = range(self.number(max(start, 0)), self.number(max(stop, 0)) + 1)
        lines = np.array([self.tick(bar) for bar in bars], dtype=np.int64)
        return lines[(lines >= start) & (lines <= stop)]

    def _line(self, segment: int, bar: int) -> int:
        return int(self._begin[segment]) + bar * int(self._whole[segment]) // int(
            self._part[segment]
        )

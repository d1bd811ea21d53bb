"""Measures and beats of a score, on the grid of written music: 24 steps to a quarter note."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from tokenizer.errors import InputError
from tokenizer.score.bars import Bars
from tokenizer.score.score import Score

MOST_MEASURES = 5_000
QUARTER = 24
"""Steps of a quarter note; the written durations, down to a 32nd and a triplet 16th, are whole."""


@dataclass(frozen=True)
class Measure:
    """A measure: its place in steps from the beginning, and its meter.

    Attributes:
        start: its bar line.
        length: up to the next bar line, which is shorter than the meter where a new meter begins.
        meter: numerator and denominator.
    """

    start: int
    length: int
    meter: tuple[int, int]

    @property
    def stop(self) -> int:
        """The next bar line."""
        return self.start + self.length

    @property
    def compound(self) -> bool:
        """Whether a beat has three parts: 6/8, 9/8, 12/8."""
        numerator, denominator = self.meter
        return denominator >= 8 and numerator % 3 == 0 and numerator > 3

    @cached_property
    def beats(self) -> tuple[int, ...]:
        """The places at which its beats begin, and the next bar line."""
        beat = QUARTER * 3 // 2 if self.compound else QUARTER
        return (*range(self.start, self.stop, beat), self.stop)


@dataclass(frozen=True)
class MeasureGrid:
    """All measures of a score, and where its ticks lie in them.

    Attributes:
        measures: in order, without gaps.
        lines: the tick of each bar line, with the one that closes the last measure.
        ticks_per_quarter: of the score.
    """

    measures: tuple[Measure, ...]
    lines: tuple[int, ...]
    ticks_per_quarter: int

    @cached_property
    def beats(self) -> tuple[int, ...]:
        """The places of all beats, and of the last bar line."""
        inner = [place for measure in self.measures for place in measure.beats[:-1]]
        return (*inner, self.measures[-1].stop)

    def place(self, tick: int) -> float:
        """A tick in steps; bar lines lie on whole steps."""
        number = min(max(bisect_right(self.lines, tick) - 1, 0), len(self.measures) - 1)
        inside = (tick - self.lines[number]) * QUARTER / self.ticks_per_quarter
        return self.measures[number].start + inside


def measures_of(score: Score, last: int) -> MeasureGrid:
    """The measures from tick 0 to one that holds tick `last`, at least one.

    A meter of units below a 32nd is written in steps all the same, each measure rounded.

    Raises:
        InputError: if there are too many.
    """
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    count = bars.number(max(last - 1, 0)) + 1
    if count > MOST_MEASURES:
        raise InputError(
            f"the music has {count:,} measures, and a score {MOST_MEASURES:,} at most; write it as "
            "MIDI"
        )
    lines = [bars.tick(number) for number in range(count + 1)]
    changes = [(int(t), int(n), int(d)) for t, n, d in score.time_signatures.tolist()]
    found: list[Measure] = []
    meter, start = (4, 4), 0
    for begin, end in pairwise(lines):
        while changes and changes[0][0] <= begin:
            meter = changes.pop(0)[1:]
        length = max(3, 3 * round((end - begin) * QUARTER / score.ticks_per_quarter / 3))
        found.append(Measure(start, length, meter))
        start += length
    return MeasureGrid(tuple(found), tuple(lines), score.ticks_per_quarter)

"""Patterns as a musician types them, and what they are in ticks.

A drum line is a character a step (`x...x...`), any other line a word a step (`1 . 5 -`); `|` stands
between bars, and the steps of a bar divide it equally. Times are ticks, `TICKS` to a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from tokenizer.errors import InputError

TICKS = 480
REST = "."
HOLD = "-"


class Meter(NamedTuple):
    """A time signature."""

    numerator: int
    denominator: int

    @property
    def bar(self) -> int:
        """Ticks in a bar."""
        return self.numerator * 4 * TICKS // self.denominator

    @property
    def beat(self) -> int:
        """Ticks in what is counted: the dotted quarter in 6/8, 9/8 and 12/8."""
        if self.denominator == 8 and self.numerator % 3 == 0:
            return 3 * TICKS // 2
        return 4 * TICKS // self.denominator

    @property
    def pulse(self) -> int:
        """Ticks in what a metronome gives: the beat, or the quarter where beats are uneven."""
        return max(self.beat, TICKS)

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


class Swing(NamedTuple):
    """How far off-beats are moved: `percent` of a pair of notes of `unit` ticks is the first's."""

    percent: int = 50
    unit: int = TICKS // 2

    def warp(self, tick: int) -> int:
        """A tick of the straight bar, swung."""
        if self.percent == 50:
            return tick
        pair, place = divmod(tick, 2 * self.unit)
        first = 2 * self.unit * self.percent // 100
        if place <= self.unit:
            place = place * first // self.unit
        else:
            place = first + (place - self.unit) * (2 * self.unit - first) // self.unit
        return pair * 2 * self.unit + place


STRAIGHT = Swing()


class Step(NamedTuple):
    """One thing to play: start and length in ticks of the bar, and the word or character."""

    start: int
    length: int
    symbol: str


@dataclass(frozen=True)
class PatternBar:
    """A bar of a pattern.

    Attributes:
        steps: in order of time.
        carry: ticks at the bar's beginning for which the last note of the bar before goes on.
        size: ticks from one step of the grid to the next.
    """

    steps: tuple[Step, ...]
    carry: int = 0
    size: int = TICKS

    def swung(self, swing: Swing) -> PatternBar:
        """The bar as it swings; triplets, and what is longer than a beat, are as written."""
        if swing.percent == 50 or TICKS % self.size or not (TICKS // self.size) % 3:
            return self
        warp = swing.warp
        steps = tuple(
            Step(warp(s.start), warp(s.start + s.length) - warp(s.start), s.symbol)
            for s in self.steps
        )
        return PatternBar(steps, warp(self.carry), self.size)


@lru_cache(maxsize=65536)
def drum_bars(text: str, meter: Meter, swing: Swing = STRAIGHT) -> tuple[PatternBar, ...]:
    """The bars of a drum line.

    Raises:
        InputError: if the steps do not divide the bar.
    """
    bars = (list(bar.replace(" ", "")) for bar in text.split("|"))
    return tuple(_bar(symbols, text, meter).swung(swing) for symbols in bars)


@lru_cache(maxsize=65536)
def line_bars(text: str, meter: Meter, swing: Swing = STRAIGHT) -> tuple[PatternBar, ...]:
    """The bars of a line of words.

    Raises:
        InputError: if the steps do not divide the bar.
    """
    return tuple(_bar(bar.split(), text, meter).swung(swing) for bar in text.split("|"))


def _bar(symbols: list[str], text: str, meter: Meter) -> PatternBar:
    if not symbols or meter.bar % len(symbols):
        raise InputError(
            f"the pattern '{text}' has a bar of {len(symbols)} steps, which do not divide "
            f"{meter} evenly"
        )
    size = meter.bar // len(symbols)
    steps: list[Step] = []
    carry = 0
    for number, symbol in enumerate(symbols):
        start, stop = number * size, (number + 1) * size
        if symbol == HOLD:
            if steps and steps[-1].symbol != REST:
                steps[-1] = steps[-1]._replace(length=stop - steps[-1].start)
            elif not steps:
                carry = stop
        else:
            steps.append(Step(start, stop - start, symbol))
    return PatternBar(tuple(step for step in steps if step.symbol != REST), carry, size)

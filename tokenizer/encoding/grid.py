"""The grid that music is rounded to: clock, steps, waits, rests and durations.

Two clocks. On the `beat` clock a step is a fraction of a quarter note and tempo is a label; on
the `seconds` clock a step is a fraction of a second. A time is rounded once, absolutely, and only
then differenced, so that errors never add up.

A duration is exact up to `exact` steps (a quarter note, by default) and then kept like a
floating-point number with `exact` values per octave: within half a step of an octave's spacing,
which is 2.1 % with 24 and 1.6 % with 32. Class 0 is "shorter than half a step".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from tokenizer.errors import InputError
from tokenizer.score.score import Score
from tokenizer.typing import Floats, Integers, Ints, Steps

ClockName = Literal["beat", "seconds"]

REST_UNITS = 16
"""A rest token is worth 1 to this many times `Grid.wait_count` steps."""
SHORTEST = 0.25
"""Steps that a note of duration class 0, shorter than half a step, is decoded to."""


class Timed(Protocol):
    """What has a time for each tick: a score, or a batch with one resolution per note."""

    @property
    def ticks_per_quarter(self) -> int | Ints:
        """The resolution, or each note's."""

    def seconds(self, ticks: Integers) -> Floats:
        """Seconds from the start to `ticks`."""


_OCTAVES = {"beat": 6, "seconds": 7}


@dataclass(frozen=True)
class Grid:
    """How time becomes whole steps.

    Attributes:
        clock: `beat` or `seconds`.
        resolution: steps per quarter note (`beat`) or steps per second (`seconds`).
    """

    clock: ClockName = "beat"
    resolution: int = 24

    def __post_init__(self) -> None:
        """Refuse a clock or a resolution that nothing below could work with."""
        if self.clock not in _OCTAVES:
            raise InputError(f"there is no clock called '{self.clock}'; use 'beat' or 'seconds'")
        if not 4 <= self.resolution <= 480:
            raise InputError(f"a grid has 4 to 480 steps, not {self.resolution}")

    @classmethod
    def beats(cls) -> Grid:
        """24 steps per quarter note: exact for 32nd notes and for sextuplets."""
        return cls("beat", 24)

    @classmethod
    def seconds(cls) -> Grid:
        """10 ms a step."""
        return cls("seconds", 100)

    @property
    def beat(self) -> int:
        """Steps in a quarter note, or in half a second, a quarter note at 120 beats per minute."""
        return self.resolution if self.clock == "beat" else self.resolution // 2

    @property
    def wait_count(self) -> int:
        """Waits shorter than this many steps (four beats) fit into the note that waits."""
        return 4 * self.beat

    @property
    def exact(self) -> int:
        """Durations are exact up to this many steps."""
        return self.resolution if self.clock == "beat" else max(32, self.resolution // 4)

    @cached_property
    def durations(self) -> Steps:
        """Duration of each class in steps, ascending; class 0 is 0, "under half a step"."""
        unit = np.arange(1, self.exact + 1, dtype=np.int64)
        octaves = [(self.exact + unit) << k for k in range(_OCTAVES[self.clock])]
        return np.concatenate([[0], unit, *octaves]).astype(np.int64)

    @cached_property
    def _class_of_halves(self) -> npt.NDArray[np.int16]:
        """Nearest duration class of every whole number of half steps up to the longest.

        Half steps are enough for any length: it is half-way between two durations at a whole one.
        """
        middles = self.durations[1:] + self.durations[:-1]
        halves = np.arange(2 * self.durations[-1] + 1)
        return np.searchsorted(middles, halves, side="right").astype(np.int16)

    def duration_class(self, steps: Steps) -> npt.NDArray[np.int16]:
        """Nearest duration class of whole steps; longer than the longest is the longest."""
        return self._class_of_halves.take(2 * steps, mode="clip")

    def class_of_ticks(
        self, ticks: Integers, ticks_per_quarter: int | Steps
    ) -> npt.NDArray[np.int16]:
        """Nearest duration class of lengths in ticks, on the `beat` clock."""
        halves = ticks.astype(np.int64)
        halves *= 2 * self.resolution
        halves //= ticks_per_quarter
        return self._class_of_halves.take(halves, mode="clip")

    def class_of_seconds(self, seconds: Floats) -> npt.NDArray[np.int16]:
        """Nearest duration class of lengths in seconds, on the `seconds` clock, to microseconds."""
        halves = _microseconds(seconds)
        halves *= 2 * self.resolution
        halves //= 1_000_000
        return self._class_of_halves.take(halves, mode="clip")

    @property
    def ticks_per_quarter(self) -> int:
        """The division of a decoded score, near 480 or 500, so that a step is whole ticks."""
        ticks = self.resolution * self.ticks_per_step
        return ticks if self.is_beat else ticks // 2

    @property
    def ticks_per_step(self) -> int:
        """Ticks per step in a decoded score (on the `seconds` clock at 120 beats per minute)."""
        if self.is_beat:
            return max(1, round(480 / self.resolution))
        # A quarter is half a second, and so half as many steps: an odd number takes even ticks.
        return (
            2 * round(500 / self.resolution)
            if self.resolution % 2
            else round(1000 / self.resolution)
        )

    @property
    def is_beat(self) -> bool:
        """Whether a step is a fraction of a quarter note."""
        return self.clock == "beat"

    def steps(self, score: Timed, ticks: Integers) -> Steps:
        """The nearest steps of a score's times in ticks, on either clock."""
        if self.is_beat:
            return self.from_ticks(ticks, score.ticks_per_quarter)
        return self.from_seconds(score.seconds(ticks))

    def from_ticks(self, ticks: Integers, ticks_per_quarter: int | Steps) -> Steps:
        """Round ticks to the nearest step of the `beat` clock, halves up, in whole numbers."""
        steps = ticks.astype(np.int64)
        steps *= 2 * self.resolution
        steps += ticks_per_quarter
        steps //= 2 * ticks_per_quarter
        return steps

    def from_seconds(self, seconds: Floats) -> Steps:
        """Round seconds to the nearest step of the `seconds` clock, halves up.

        A microsecond is the finest time a tempo map resolves, so halves are judged on those.
        """
        steps = _microseconds(seconds)
        steps *= 2 * self.resolution
        steps += 1_000_000
        steps //= 2_000_000
        return steps

    def duration_ticks(self, classes: Integers) -> Steps:
        """Ticks of duration classes in a decoded score; class 0 is `SHORTEST`."""
        return self._ticks_of_class.take(classes)

    @cached_property
    def _ticks_of_class(self) -> Steps:
        return np.maximum(
            self.durations * self.ticks_per_step, max(1, int(self.ticks_per_step * SHORTEST))
        )


class GridClock:
    """Ticks of a score to steps of a grid and back, counted from one of its ticks.

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


def _microseconds(seconds: Floats) -> Steps:
    micro = seconds * 1e6
    return np.rint(micro, out=micro).astype(np.int64)

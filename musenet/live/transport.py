"""Which beat sounds when: a tempo that was given, tapped, or told by MIDI clock.

Seconds are those of `time.perf_counter`, beats are quarter notes. Every change is kept, so that
what has been played is recorded with the tempo that it was played in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import NamedTuple

import numpy as np

from musenet.options.live_options import FASTEST, SLOWEST
from tokenizer.errors import InputError

TAPS = 4
_EVEN = 0.25  # of a beat, by which taps may differ
CLOCKS = 24
"""MIDI clock messages per quarter note."""
_HEARD = 2 * CLOCKS  # clocks that say how fast the music is
_GAP = 0.5  # seconds after which a clock begins anew


class TempoChange(NamedTuple):
    """From a moment on, beats follow one another at a tempo.

    Attributes:
        seconds: the moment.
        beat: the beat that sounds there.
        tempo: quarter notes per minute.
    """

    seconds: float
    beat: float
    tempo: float


class Transport:
    """Seconds to beats and back. One thread may change it while others ask.

    Attributes:
        passes: the changes of each time that beats were counted from the beginning; the last one
            is the present one.
    """

    def __init__(self) -> None:
        self.passes: tuple[tuple[TempoChange, ...], ...] = ()

    @property
    def changes(self) -> tuple[TempoChange, ...]:
        """The changes of tempo since beats were counted from the beginning last."""
        return self.passes[-1] if self.passes else ()

    @property
    def is_running(self) -> bool:
        """Whether there is a tempo."""
        return bool(self.passes)

    def start(self, seconds: float, tempo: float, beat: float = 0.0) -> None:
        """Begin, or begin anew: a beat sounds at a moment.

        Raises:
            InputError: if that is no tempo.
        """
        if not SLOWEST <= tempo <= FASTEST:
            raise InputError(
                f"{tempo:.0f} beats per minute is no tempo; it must be {SLOWEST:.0f} to "
                f"{FASTEST:.0f}"
            )
        self.passes = (*self.passes, (TempoChange(seconds, beat, tempo),))

    def change(self, seconds: float, beat: float, tempo: float) -> None:
        """Go on from a moment with another tempo, or with another beat (a little off by clock)."""
        earlier = tuple(each for each in self.changes if each.seconds < seconds)
        self.passes = (*self.passes[:-1], (*earlier, TempoChange(seconds, beat, tempo)))

    def beat(self, seconds: float) -> float:
        """The beat, with its fraction, that sounds at a moment."""
        return beat_at(self.changes, seconds)

    def seconds(self, beat: float) -> float:
        """The moment at which a beat sounds."""
        changes = self.changes
        place = max(bisect_right(changes, beat, key=lambda each: each.beat) - 1, 0)
        seconds, since, tempo = changes[place]
        return seconds + (beat - since) * 60 / tempo

    @property
    def tempo(self) -> float:
        """Quarter notes per minute now."""
        return self.changes[-1].tempo


def beat_at(changes: tuple[TempoChange, ...], seconds: float) -> float:
    """The beat at a moment, by changes of tempo in order; before the first its tempo holds."""
    place = max(bisect_right(changes, seconds, key=lambda each: each.seconds) - 1, 0)
    since, beat, tempo = changes[place]
    return beat + (seconds - since) * tempo / 60


class Taps:
    """Beats that are tapped on any key: four even ones are a tempo."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=TAPS)

    def tap(self, seconds: float) -> float | None:
        """The tempo in quarter notes per minute if this is the last of four even taps."""
        self._times.append(seconds)
        if len(self._times) < TAPS:
            return None
        gaps = np.diff(self._times)
        usual = float(gaps.mean())
        if np.abs(gaps - usual).max() > _EVEN * usual:
            return None
        tempo = 60 / usual
        return tempo if SLOWEST <= tempo <= FASTEST else None


class ClockFollower:
    """MIDI clock: its messages move a transport.

    The moment of a single message says little, since each is late by some milliseconds; a line
    through those of the last two beats gives the beat and the tempo.

    Args:
        transport: that is moved.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._times: deque[float] = deque(maxlen=_HEARD)
        self._count = -1  # clocks since the beginning
        self._begun = False
        self.stopped = False

    def start(self, beat: float = 0.0) -> None:
        """The next clock is a beat: the first one of a song, or that of a song position."""
        self._times.clear()
        self._count = round(beat * CLOCKS) - 1
        self._begun = self.stopped = False

    def stop(self) -> None:
        """The song has stopped; clocks may come all the same."""
        self.stopped = True

    def resume(self) -> None:
        """The song goes on where it was stopped, or at the song position told since."""
        self.start((self._count + 1) / CLOCKS)

    def clock(self, seconds: float) -> None:
        """A clock message at a moment."""
        if self.stopped:
            return
        if self._times and seconds - self._times[-1] > _GAP:
            self._times.clear()  # what sounds on after a gap has its tempo yet to tell
        self._times.append(seconds)
        self._count += 1
        if len(self._times) < CLOCKS // 4 or (self._begun and self._count % (CLOCKS // 4)):
            return
        numbers = np.arange(self._count + 1 - len(self._times), self._count + 1)
        gap, first = np.polyfit(numbers, np.array(self._times), 1).tolist()
        tempo = 60 / (gap * CLOCKS)
        if not SLOWEST <= tempo <= FASTEST:
            return
        moment, beat = first + gap * self._count, self._count / CLOCKS
        if self._begun:
            self._transport.change(moment, beat, tempo)
        else:
            self._transport.start(moment, tempo, beat)
            self._begun = True

"""The band plays along: it hears you, writes some beats ahead, and anew when you go elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from .listener import Key
from .notes import LiveNote
from .stage import Stage
from .transport import TAPS, Taps
from .writer import Writer

_NAP = 0.005  # seconds
_STEP = 0.25  # beats: what is written anew begins on a sixteenth
_RECENT = 8  # how many times of writing tell how long the next takes
_FIRST = 0.3  # seconds that the first takes
_MOMENT = 1e-6  # seconds


@dataclass(frozen=True)
class Written:
    """What the band has written at once.

    Attributes:
        begin: the first beat of it.
        end: the first beat after it.
        notes: how many notes.
        seconds: how long it took.
        anew: whether it replaced what was planned.
        gap: for how many beats the music had run out before this was ready; 0 if it had not.
    """

    begin: float
    end: float
    notes: int
    seconds: float
    anew: bool
    gap: float


class Band:
    """The mode.

    Args:
        stage: ports, tempo, and what was played.
        writer: of the players.
    """

    def __init__(self, stage: Stage, writer: Writer) -> None:
        self._stage, self._writer = stage, writer
        self._taps = Taps()
        self._took = [_FIRST]
        bars = stage.options.listen
        if bars is None:  # a chart says what the first bar would
            bars = 0 if stage.options.chords is not None else 1
        self._listens = bars * writer.bar
        stage.listener.on_key = self._tap

    def run(self) -> Iterator[Written]:
        """Write on and on until the stage is left."""
        stage = self._stage
        covered: float | None = None  # the beat up to which is written
        read = 0.0  # the moment up to which the player was heard
        counted = 0
        while stage.goes_on():
            if not stage.transport.is_running or stage.paused:
                covered = None
                time.sleep(_NAP)
                continue
            if counted != (counted := len(stage.transport.passes)):
                covered = None
            now = stage.transport.beat(time.perf_counter())
            ready = now + max(self._took[-_RECENT:]) * stage.transport.tempo / 60
            keys = stage.listener.keys(read)
            anew = covered is not None and bool(keys) and ready + _STEP < covered
            if covered is not None and not anew and covered - now >= stage.options.ahead:
                time.sleep(_NAP)
                continue
            if covered is None:
                begin = max(stage.first_beat + self._listens, float(math.ceil(ready)))
            elif anew or covered < now:
                begin = math.ceil(ready / _STEP) * _STEP
            else:
                begin = covered
            read = keys[-1].begin + _MOMENT if keys else read
            covered = max(begin, now) + stage.options.ahead
            yield self._write(begin, covered, anew=anew)

    def _tap(self, key: Key) -> None:
        """Before the beginning: four taps count in, or the first note is beat 0."""
        stage = self._stage
        if stage.transport.is_running or stage.options.clock:
            return
        if stage.options.tempo is not None:
            stage.count(key.begin, stage.options.tempo)
        elif (tempo := self._taps.tap(key.begin)) is not None:
            stage.count(key.begin + 60 / tempo, tempo, count_in=TAPS)

    def _write(self, begin: float, end: float, *, anew: bool) -> Written:
        stage = self._stage
        started, silences = time.perf_counter(), stage.performer.silences
        new = list(self._notes(begin, end))
        stage.performer.replace(begin, new, silences)
        finished = time.perf_counter()
        self._took.append(finished - started)
        gap = 0.0 if anew else max(stage.transport.beat(finished) - begin, 0.0)
        return Written(begin, end, len(new), finished - started, anew, gap)

    def _notes(self, begin: float, end: float) -> Iterator[LiveNote]:
        stage = self._stage
        heard = [note for note in stage.heard() if note.begin < begin]
        own = stage.performer.notes(begin)
        return self._writer.write(heard, own, begin, end, stage.transport.tempo, beside=True)

"""You play, you stop, the program answers for as long, until you play again."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from .listener import Key
from .stage import Stage
from .tempo import phrase_tempo
from .writer import Writer

_NAP = 0.005  # seconds
_READY = 0.15  # seconds before the first note in which it is written


@dataclass(frozen=True)
class Answered:
    """An answer that was given.

    Attributes:
        begin: the moment of its first beat, in seconds.
        waited: seconds from the last key of the phrase to the first note.
        notes: how many were written.
        interrupted: whether the player began again before its end.
    """

    begin: float
    waited: float
    notes: int
    interrupted: bool


class Answer:
    """The mode.

    Args:
        stage: ports, tempo, and what was played.
        writer: of the answers.
    """

    def __init__(self, stage: Stage, writer: Writer) -> None:
        self._stage, self._writer = stage, writer
        self._since = 0.0  # the moment since which keys are of the present phrase
        self._heard: float | None = None  # the moment up to which the phrase was heard
        self._answering = False
        stage.listener.on_key = self._interrupt

    def run(self) -> Iterator[Answered]:
        """Answer phrase after phrase until the stage is left."""
        stage = self._stage
        while stage.goes_on():
            phrase = self._phrase()
            if phrase is None:
                time.sleep(_NAP)
            elif (answered := self._answer(phrase)) is not None:
                yield answered

    def _interrupt(self, key: Key) -> None:
        """Fall silent at once: the player begins a new phrase."""
        if self._answering:
            self._answering = False
            self._since = key.begin
            self._stage.performer.silence()

    def _phrase(self) -> list[Key] | None:
        """The player's phrase, once it is over."""
        stage = self._stage
        last = self._heard = stage.listener.last
        keys = stage.listener.keys(self._since)
        if not keys or last is None or stage.listener.held:
            return None
        if stage.options.tempo is not None and not stage.transport.is_running:
            stage.count(keys[0].begin, stage.options.tempo)
        tempo = stage.transport.tempo if stage.counted else phrase_tempo(keys)
        if time.perf_counter() - last < stage.options.pause * 60 / tempo:
            return None
        if not stage.counted:
            self._count(keys, tempo)
        return keys

    def _count(self, keys: list[Key], tempo: float) -> None:
        """Take the tempo of a phrase that came without one; its first note is on a beat."""
        transport, bar = self._stage.transport, self._writer.bar
        begin = keys[0].begin
        if not transport.is_running:
            self._stage.count(begin, tempo)
        else:
            transport.change(begin, math.ceil(transport.beat(begin) / bar) * bar, tempo)

    def _answer(self, keys: list[Key]) -> Answered | None:
        stage = self._stage
        transport, performer = stage.transport, stage.performer
        last = _last(keys)
        length = max(1, round(transport.beat(last) - transport.beat(keys[0].begin)))
        begin = math.ceil(transport.beat(time.perf_counter() + _READY))
        silences = performer.silences
        self._answering = True
        if stage.listener.last != self._heard:  # the phrase goes on after all
            self._answering = False
            return None
        self._since = last
        moved, count = 0.0, 0
        first: float | None = None
        for note in self._writer.write(
            stage.heard(),
            performer.notes(begin),
            begin,
            begin + length,
            transport.tempo,
            beside=False,
        ):
            if not self._answering:
                break
            if first is None:  # on a slow machine it begins some beats later, as a whole
                moved = max(math.ceil(transport.beat(time.perf_counter()) - note.begin), 0)
                first = note.begin + moved
            end = min(note.end, begin + length) + moved
            performer.add([note._replace(begin=note.begin + moved, end=end)], silences)
            count += 1
        while self._answering and stage.goes_on() and not performer.is_silent:
            time.sleep(_NAP)
        interrupted = not self._answering
        self._answering = False
        if first is None:
            return None
        moment = transport.seconds(first)
        return Answered(moment, moment - last, count, interrupted)


def _last(keys: list[Key]) -> float:
    """The moment of the last press or release."""
    return max(key.begin if key.end is None else key.end for key in keys)

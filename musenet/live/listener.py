"""What the player plays, as it comes in."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, NamedTuple

from tokenizer.instruments import DRUMS
from tokenizer.midi.smf import DRUM_CHANNEL

from .notes import LiveNote
from .transport import Transport

_NOISE = {"active_sensing", "clock"}


class Key(NamedTuple):
    """A key that was pressed.

    Attributes:
        begin: the moment, in seconds.
        end: the moment of its release; None while it is held.
        pitch: 0–127.
        velocity: 1–127.
        channel: 0–15.
    """

    begin: float
    end: float | None
    pitch: int
    velocity: int
    channel: int


class Listener:
    """Collects the keys that are pressed; `hear` may be called by another thread.

    Attributes:
        on_key: is called with each key that is pressed, at once, before anything else; or None.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.on_key: Callable[[Key], None] | None = None
        self._keys: list[Key] = []
        self._held: dict[tuple[int, int], int] = {}
        self._last: float | None = None

    def hear(self, seconds: float, message: Any) -> None:
        """A message of mido at a moment."""
        if message.type in _NOISE:
            return
        if message.type in ("note_on", "note_off"):
            self._last = seconds
        if message.type == "note_on" and message.velocity:
            self._press(seconds, message)
        elif message.type in ("note_on", "note_off"):
            with self._lock:
                self._release(seconds, (message.channel, message.note))

    def notes(self, transport: Transport, program: int, since: float = 0.0) -> list[LiveNote]:
        """The keys as notes in beats; those that are still held end now.

        Args:
            transport: tells the beats.
            program: what the player is heard as, but for channel 10, which is drums.
            since: the moment of the first.
        """
        now = time.perf_counter()
        return [
            LiveNote(
                transport.beat(key.begin),
                transport.beat(now if key.end is None else key.end),
                key.pitch,
                key.velocity,
                DRUMS if key.channel == DRUM_CHANNEL else program,
            )
            for key in self.keys(since)
        ]

    def keys(self, since: float = 0.0) -> list[Key]:
        """The keys pressed at a moment or later, in order."""
        with self._lock:
            return self._keys[bisect_left(self._keys, since, key=lambda key: key.begin) :]

    @property
    def held(self) -> int:
        """How many keys are down."""
        return len(self._held)

    @property
    def last(self) -> float | None:
        """The moment of the last press or release; None before the first."""
        return self._last

    def _press(self, seconds: float, message: Any) -> None:
        key = Key(seconds, None, message.note, message.velocity, message.channel)
        if self.on_key is not None:
            self.on_key(key)
        with self._lock:
            self._release(seconds, (message.channel, message.note))
            self._held[message.channel, message.note] = len(self._keys)
            self._keys.append(key)

    def _release(self, seconds: float, which: tuple[int, int]) -> None:
        place = self._held.pop(which, None)
        if place is not None:
            self._keys[place] = self._keys[place]._replace(end=seconds)

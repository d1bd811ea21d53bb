"""Where a performance happens: ports, tempo, what the player plays and what the program plays."""

from __future__ import annotations

import time
from typing import Any

from musenet.options.live_options import LiveOptions
from tokenizer.errors import InputError

from .listener import Listener
from .notes import LiveNote
from .performer import OutputPort, Performer
from .recorder import Recorder
from .transport import ClockFollower, Transport

_BEATS = 256  # that are listened to
_BEAT_EARLY = 0.15  # seconds by which the first note may come before its beat


class Stage:
    """What the modes have in common; messages come in by `receive`.

    Args:
        options: of the performance.
        port: to play to.

    Attributes:
        transport: which beat sounds when.
        recorder: of both sides.
        performer: plays what is planned.
        listener: hears the player.
        first_beat: from which on beats are counted.
    """

    def __init__(self, options: LiveOptions, port: OutputPort) -> None:
        self.options = options
        self.transport = Transport()
        self.recorder = Recorder(self.transport, options.meter)
        self.performer = Performer(port, self.transport, self.recorder.sent)
        self.listener = Listener()
        self._clock = ClockFollower(self.transport)
        self._begin = 0.0
        self.first_beat = 0.0
        self._ended = False

    @property
    def counted(self) -> bool:
        """Whether the tempo comes from outside: given, or told by MIDI clock."""
        return self.transport.is_running and (self.options.clock or self.options.tempo is not None)

    @property
    def paused(self) -> bool:
        """Whether the MIDI clock that is followed has been stopped."""
        return self._clock.stopped

    def receive(self, message: Any) -> None:
        """A message of the player's port."""
        seconds = time.perf_counter()
        if self.options.clock:
            self._follow(seconds, message)
        self.recorder.heard(seconds, message)
        self.listener.hear(seconds, message)

    def heard(self) -> list[LiveNote]:
        """The player's notes since beats are counted, the last bars of them."""
        late = self.transport.seconds(self.transport.beat(time.perf_counter()) - _BEATS)
        since = max(self._begin - _BEAT_EARLY, late)
        return self.listener.notes(self.transport, self.options.hear_as, since)

    def count(self, seconds: float, tempo: float, *, count_in: int = 0) -> None:
        """Count beats: beat 0 is at a moment, after so many that are counted in."""
        self.performer.forget()
        self._begin, self.first_beat = seconds, 0.0
        self.transport.start(seconds - count_in * 60 / tempo, tempo, beat=-float(count_in))

    def goes_on(self) -> bool:
        """Whether the performance has not ended.

        Raises:
            InputError: if the port has failed.
        """
        if self.performer.error is not None:
            raise InputError(
                f"the MIDI output port failed: {self.performer.error}; what was played is kept"
            )
        return not self._ended

    def end(self) -> None:
        """End the performance, from any thread."""
        self._ended = True

    def _follow(self, seconds: float, message: Any) -> None:
        """Follow MIDI clock."""
        clock = self._clock
        if message.type == "clock":
            before = len(self.transport.passes)
            clock.clock(seconds)
            if len(self.transport.passes) > before:
                self.performer.forget()
                self.first_beat = self.transport.changes[0].beat // 1
                self._begin = self.transport.seconds(self.first_beat)
        elif message.type == "start":
            clock.start()
        elif message.type == "songpos":
            clock.start(message.pos / 4)
            clock.stop()
        elif message.type == "continue":
            clock.resume()
        elif message.type == "stop":
            clock.stop()
            self.performer.silence()

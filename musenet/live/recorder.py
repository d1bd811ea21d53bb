"""Everything that both sides played, as a MIDI file with the tempo that it was played in."""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from io import BytesIO
from typing import Any, NamedTuple

from tokenizer.instruments import DRUMS, name
from tokenizer.midi.smf import DRUM_CHANNEL

from .transport import Transport, beat_at

TICKS = 480
"""Ticks of a quarter note."""
PLAYER = "You"
"""The track of what the player played."""


class Recorded(NamedTuple):
    """A message.

    Attributes:
        seconds: its moment.
        message: of mido.
        sent: whether the program sent it, or heard it.
    """

    seconds: float
    message: Any
    sent: bool


class Recorder:
    """Keeps what is heard and sent; any thread may add.

    Args:
        transport: which beat sounded when.
        meter: numerator and denominator.
    """

    def __init__(self, transport: Transport, meter: tuple[int, int]) -> None:
        self._transport, self._meter = transport, meter
        self._lock = threading.Lock()
        self._events: list[Recorded] = []

    def heard(self, seconds: float, message: Any) -> None:
        """Keep a message of the player."""
        self._add(Recorded(seconds, message, False))

    def sent(self, seconds: float, message: Any) -> None:
        """Keep a message of the program."""
        self._add(Recorded(seconds, message, True))

    @property
    def has_notes(self) -> bool:
        """Whether anything was played."""
        with self._lock:
            return any(event.message.type == "note_on" for event in self._events)

    def beat(self, seconds: float) -> float:
        """The beat of the file at a moment."""
        return _TimeLine(self._transport, self._in_order(), self._bar).tick(seconds) / TICKS

    def data(self, *, heard_alone: bool = False, until: float = math.inf) -> bytes:
        """The MIDI file, of type 1: tempo and meter, the player, and a track for each instrument.

        Args:
            heard_alone: whether what the program played is left out.
            until: the moment at which it ends.
        """
        import mido

        events = self._in_order()
        passes = self._transport.passes
        # Without any tempo seconds are kept at 120 quarter notes per minute.
        line = _TimeLine(self._transport, events, self._bar)
        file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
        opening = [mido.MetaMessage("track_name", name="Live"), self._signature()]
        tempos = [(line.tick(c.seconds), c.tempo) for changes in passes for c in changes]
        timed = [(0, each) for each in opening]
        for tick, tempo in tempos:
            timed.append((tick, mido.MetaMessage("set_tempo", tempo=round(60e6 / tempo))))
        file.tracks.append(_track(timed))
        tracks: dict[str, list[tuple[int, Any]]] = {}
        programs: dict[int, int] = {DRUM_CHANNEL: DRUMS}
        for event in events:
            if (event.sent and heard_alone) or event.seconds >= until:
                continue
            channel = getattr(event.message, "channel", None)
            if event.sent and event.message.type == "program_change" and channel is not None:
                programs[channel] = event.message.program
            if channel is not None:
                called = name(programs.get(channel, 0)) if event.sent else PLAYER
                tracks.setdefault(called, []).append((line.tick(event.seconds), event.message))
        for called, own in tracks.items():
            file.tracks.append(_track([(0, mido.MetaMessage("track_name", name=called)), *own]))
        written = BytesIO()
        file.save(file=written)
        return written.getvalue()

    def _in_order(self) -> list[Recorded]:
        with self._lock:
            return sorted(self._events, key=lambda event: event.seconds)

    @property
    def _bar(self) -> int:
        numerator, denominator = self._meter
        return 4 * TICKS * numerator // denominator

    def _signature(self) -> Any:
        import mido

        numerator, denominator = self._meter
        return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)

    def _add(self, event: Recorded) -> None:
        if hasattr(event.message, "channel"):
            with self._lock:
                self._events.append(event)


class _TimeLine:
    """Moments to ticks of one file: each pass of the transport follows the one before at a bar."""

    def __init__(self, transport: Transport, events: list[Recorded], bar: int) -> None:
        self._passes = transport.passes
        self._begins = [changes[0].seconds for changes in self._passes]
        self._zero = min([event.seconds for event in events[:1]], default=0.0)
        self._bases = [0] * max(len(self._passes), 1)
        self._bases[0] = -(-max(-self._raw(0, self._zero), 0) // bar) * bar
        last = [event.seconds for event in events]
        for place, begin in enumerate(self._begins[1:], 1):
            before = [moment for moment in last if moment < begin] or [begin]
            end = self._bases[place - 1] + self._raw(place - 1, before[-1])
            least = end - min(self._raw(place, begin), 0)
            self._bases[place] = max(-(-least // bar) * bar, 0)

    def tick(self, seconds: float) -> int:
        """The tick of a moment."""
        place = max(bisect_right(self._begins, seconds) - 1, 0)
        return max(self._bases[place] + self._raw(place, seconds), 0)

    def _raw(self, place: int, seconds: float) -> int:
        """Ticks since beat 0 of a pass."""
        if not self._passes:
            return math.floor((seconds - self._zero) * 2 * TICKS)
        return round(beat_at(self._passes[place], seconds) * TICKS)


def _track(timed: list[tuple[int, Any]]) -> Any:
    """A track of messages with their ticks, in any order."""
    import mido

    track, now = mido.MidiTrack(), 0
    for tick, message in sorted(timed, key=lambda pair: pair[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track

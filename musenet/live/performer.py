"""What the program plays: notes planned ahead, sent at their moment, and ended in any case.

A thread of its own sends; the plan may change until a note has sounded. Whatever happens, every
note that was begun is ended.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tokenizer.instruments import DRUMS, name
from tokenizer.midi.smf import DRUM_CHANNEL
from tokenizer.midi.write import MELODIC_CHANNELS

from .notes import LiveNote
from .transport import Transport

_LATE = 0.1  # seconds after which a note is not begun any more
_PEDAL, _NOTES_OFF = 64, 123  # controllers
_KEPT = 2048  # notes that were played last, which may be asked for
_NAP = 0.05  # seconds after which the sender looks again although nobody has called it

Told = Callable[[float, Any], None]
"""told(seconds, message) hears of each message that was sent."""


class OutputPort(Protocol):
    """A port of mido that messages can be sent to."""

    def send(self, message: Any) -> None:
        """Send a message."""


class Performer:
    """Sends planned notes to a port.

    Args:
        port: to send to.
        transport: when each beat sounds.
        told: hears of what was sent.

    Attributes:
        late: how many seconds after its moment each note was sent.
        missed: how many notes came too late to be sent.
        silences: how often it was silenced.
        error: what the port said when it failed, or None.
    """

    def __init__(
        self,
        port: OutputPort,
        transport: Transport,
        told: Told | None = None,
    ) -> None:
        self._port, self._transport = port, transport
        self._channels: dict[int, int] = {}  # by program
        self._told = told or (lambda _seconds, _message: None)
        self._changed = threading.Condition()
        self._plan: list[LiveNote] = []  # a heap
        self._ends: list[tuple[float, int, int]] = []  # a heap of beats, channels and pitches
        self._sounding: dict[tuple[int, int], LiveNote] = {}
        self._played: deque[LiveNote] = deque(maxlen=_KEPT)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="performer", daemon=True)
        self.late: list[float] = []
        self.missed = 0
        self.silences = 0
        self.error: str | None = None

    def start(self, programs: Iterable[int] = ()) -> None:
        """Choose the programs, and begin to send."""
        with self._changed:
            for program in programs:
                self._channel(program)
        self._thread.start()

    def add(self, notes: Iterable[LiveNote], silences: int | None = None) -> None:
        """Plan more notes.

        Args:
            notes: in any order.
            silences: how often the performer had been silenced when they were begun to be
                written; they are left out if it has been silenced since.
        """
        with self._changed:
            if silences not in (None, self.silences):
                return
            for note in notes:
                heapq.heappush(self._plan, note)
            self._changed.notify()

    def replace(self, beat: float, notes: Iterable[LiveNote], silences: int | None = None) -> None:
        """Plan notes in place of all that begin at a beat or later and have not sounded.

        The arguments are those of `add`.
        """
        with self._changed:
            self._plan = [note for note in self._plan if note.begin < beat]
            heapq.heapify(self._plan)
            self.add(notes, silences)

    def notes(self, before: float) -> list[LiveNote]:
        """The notes that were played lately, or are planned, and begin before a beat."""
        with self._changed:
            both = [*self._played, *self._plan]
        return sorted(note for note in both if note.begin < before)

    @property
    def channels(self) -> str:
        """The channels of the instruments in words, counted from 1."""
        with self._changed:
            pairs = sorted(self._channels.items(), key=lambda pair: pair[1])
        return ", ".join(f"{name(program)} {channel + 1}" for program, channel in pairs)

    @property
    def count(self) -> int:
        """How many notes were played."""
        return len(self.late)

    @property
    def is_silent(self) -> bool:
        """Whether nothing sounds and nothing is planned."""
        with self._changed:
            return not self._plan and not self._sounding

    def silence(self) -> None:
        """End what sounds now, and forget what was planned."""
        with self._changed:
            self.silences += 1
            self._plan.clear()
            self._ends.clear()
            now = self._transport.beat(time.perf_counter()) if self._transport.is_running else 0.0
            for key in list(self._sounding):
                self._end(key, now)

    def forget(self) -> None:
        """Fall silent, and take what was played for the past of another time."""
        self.silence()
        with self._changed:
            self._played.clear()

    def close(self) -> None:
        """End all notes and stop; safe to call more than once."""
        import mido

        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        self.silence()
        with self._changed:
            for channel in sorted(self._used):
                for control in (_PEDAL, _NOTES_OFF):
                    self._send(mido.Message("control_change", channel=channel, control=control))

    def _run(self) -> None:
        with self._changed:
            while not self._closed and self.error is None:
                due = self._next()
                if due is None:
                    self._changed.wait(_NAP)
                    continue
                left = due - time.perf_counter()
                if left > 0:
                    self._changed.wait(min(left, _NAP))
                else:
                    self._send_due(due)

    def _next(self) -> float | None:
        """The moment of the next message, or None."""
        if not self._transport.is_running:
            return None
        beats = [self._ends[0][0]] if self._ends else []
        beats += [self._plan[0].begin] if self._plan else []
        return self._transport.seconds(min(beats)) if beats else None

    def _send_due(self, due: float) -> None:
        """Send what comes next: an end before a beginning."""
        import mido

        if self._ends and (not self._plan or self._ends[0][0] <= self._plan[0].begin):
            end, channel, pitch = heapq.heappop(self._ends)
            self._end((channel, pitch), end)
            return
        note = heapq.heappop(self._plan)
        now = time.perf_counter()
        if now - due > _LATE:
            self.missed += 1
            return
        key = (self._channel(note.program), note.pitch)
        if key in self._sounding:
            self._end(key, note.begin)
            self._ends = [each for each in self._ends if each[1:] != key]
            heapq.heapify(self._ends)
        channel, pitch = key
        message = mido.Message("note_on", channel=channel, note=pitch, velocity=note.velocity)
        self._send(message)
        self.late.append(now - due)
        self._sounding[key] = note
        heapq.heappush(self._ends, (max(note.end, note.begin), *key))

    def _channel(self, program: int) -> int:
        """The channel of a program, which is told to the port when it is first used."""
        import mido

        if program not in self._channels:
            free = [channel for channel in MELODIC_CHANNELS if channel not in self._used]
            channel = DRUM_CHANNEL if program == DRUMS else free[0] if free else 0
            self._channels[program] = channel
            if program != DRUMS:
                self._send(mido.Message("program_change", channel=channel, program=program))
        return self._channels[program]

    @property
    def _used(self) -> set[int]:
        return set(self._channels.values())

    def _end(self, key: tuple[int, int], beat: float) -> None:
        """End a note that may sound, and keep it as it was played."""
        import mido

        note = self._sounding.pop(key, None)
        if note is None:
            return
        channel, pitch = key
        self._send(mido.Message("note_off", channel=channel, note=pitch))
        self._played.append(note._replace(end=max(min(note.end, beat), note.begin)))

    def _send(self, message: Any) -> None:
        """Send a message; a port that fails is said by `error`, once."""
        try:
            self._port.send(message)
        except Exception as error:  # whatever a driver raises when a device is gone
            self.error = self.error or str(error) or type(error).__name__
            return
        self._told(time.perf_counter(), message)

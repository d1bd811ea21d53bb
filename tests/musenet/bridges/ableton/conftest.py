"""A stand-in for Ableton Live with AbletonOSC, which speaks its messages over UDP.

Addresses, arguments and answers are those of AbletonOSC's README and source
(https://github.com/ideoforms/AbletonOSC, folder `abletonosc`, as of November 2025): an answer goes
to the reply port, under the address of its question, with the indices of track and slot in front;
an error is logged and sent as `/live/error`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("pythonosc", reason="the extra `ableton` is missing")
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

LARGEST = 9216  # bytes of a datagram that macOS sends without being told otherwise


@dataclass
class LiveClip:
    """A clip; notes are pitch, start, duration, velocity, mute."""

    name: str
    length: float
    notes: list[tuple[int, float, float, float, bool]] = field(default_factory=list)
    is_midi_clip: bool = True
    looping: bool = True
    loop_start: float = 0.0
    start_marker: float = 0.0

    @property
    def loop_end(self) -> float:
        return self.loop_start + self.length

    @property
    def end_marker(self) -> float:
        return self.start_marker + self.length


@dataclass
class LiveTrack:
    name: str
    slots: list[LiveClip | None]


class Live:
    """A set, and the server that answers about it."""

    def __init__(self) -> None:
        self.tracks = [LiveTrack("Bass", [None] * 3), LiveTrack("Keys", [None] * 3)]
        self.selected = (0, 0)
        self.tempo, self.numerator, self.denominator = 120.0, 4, 4
        self.most_tracks = 8
        self.dropped = 0  # questions that stay without an answer
        self.asked: list[str] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            self.reply_port = int(other.getsockname()[1])
        self.port = int(self.socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"", ("127.0.0.1", self.port))

    def _serve(self) -> None:
        while data := self.socket.recv(65536):
            message = OscMessage(data)
            self.asked.append(message.address)
            if self.dropped:
                self.dropped -= 1
                continue
            try:
                found = self._handler(message.address)(*message.params)
            except Exception as error:
                self._send("/live/error", (f"AbletonOSC: Error handling OSC message: {error}",))
                continue
            if found is not None:
                self._send(message.address, found)
        self.socket.close()

    def _send(self, address: str, values: tuple[Any, ...]) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        data = builder.build().dgram
        assert len(data) <= LARGEST, "macOS would not send this"
        self.socket.sendto(data, ("127.0.0.1", self.reply_port))

    def _handler(self, address: str) -> Callable[..., tuple[Any, ...] | None]:
        _, live, what, *rest = address.split("/")
        assert live == "live"
        handlers: dict[str, Callable[..., Any]] = {
            "view/get/selected_clip": lambda: self.selected,
            "song/get/tempo": lambda: (self.tempo,),
            "song/get/signature_numerator": lambda: (self.numerator,),
            "song/get/signature_denominator": lambda: (self.denominator,),
            "song/get/num_tracks": lambda: (len(self.tracks),),
            "song/get/num_scenes": lambda: (len(self.tracks[0].slots),),
            "song/create_midi_track": self._create_track,
            "song/create_scene": self._create_scene,
            "track/get/name": lambda track: (track, self.tracks[track].name),
            "track/set/name": self._name_track,
            "clip_slot/get/has_clip": lambda t, s: (t, s, self.tracks[t].slots[s] is not None),
            "clip_slot/create_clip": self._create_clip,
            "clip/get/notes": self._get_notes,
            "clip/add/notes": self._add_notes,
            "clip/set/name": lambda t, s, name: setattr(self.clip(t, s), "name", str(name)),
        }
        for name in ("name", "is_midi_clip", "looping", "loop_start", "loop_end", "length"):
            handlers[f"clip/get/{name}"] = self._property(name)
        for name in ("start_marker", "end_marker"):
            handlers[f"clip/get/{name}"] = self._property(name)
        key = "/".join([what, *rest])
        if key not in handlers:
            raise LookupError(f"Unknown OSC address: {address}")
        return handlers[key]

    def clip(self, track: int, slot: int) -> LiveClip:
        found = self.tracks[track].slots[slot]
        if found is None:
            raise AttributeError("'NoneType' object has no attribute 'name'")
        return found

    def _property(self, name: str) -> Callable[[int, int], tuple[Any, ...]]:
        return lambda track, slot: (track, slot, getattr(self.clip(track, slot), name))

    def _create_track(self, index: int) -> None:
        assert index == -1
        if len(self.tracks) >= self.most_tracks:
            raise RuntimeError("Track limit reached")
        slots: list[LiveClip | None] = [None] * len(self.tracks[0].slots)
        self.tracks.append(LiveTrack(f"{len(self.tracks) + 1}-MIDI", slots))

    def _create_scene(self, index: int) -> None:
        assert index == -1
        for track in self.tracks:
            track.slots.append(None)

    def _name_track(self, track: int, name: str) -> None:
        assert isinstance(name, str)
        self.tracks[track].name = name

    def _create_clip(self, track: int, slot: int, length: float) -> None:
        assert isinstance(length, float)
        if self.tracks[track].slots[slot] is not None:
            raise RuntimeError("Clip slot already has a clip")
        self.tracks[track].slots[slot] = LiveClip("", length)

    def _get_notes(self, track: int, slot: int, *where: float) -> tuple[Any, ...]:
        if len(where) not in (0, 4):
            raise ValueError("Either 0 or 4 arguments must be passed.")
        low, pitches, begin, span = where or (0, 127, -8192, 16384)
        found: list[Any] = []
        for note in self.clip(track, slot).notes:
            if low <= note[0] < low + pitches and begin <= note[1] < begin + span:
                found += note
        return (track, slot, *found)

    def _add_notes(self, track: int, slot: int, *values: Any) -> None:
        assert values
        assert len(values) % 5 == 0
        own = self.clip(track, slot).notes
        for pitch, start, duration, velocity, mute in zip(*[iter(values)] * 5, strict=True):
            assert isinstance(pitch, int)
            assert 0 <= pitch < 128
            assert isinstance(start, float)
            assert isinstance(duration, float)
            assert duration > 0
            assert 0 < velocity < 128
            assert mute is False
            # A pitch begins once at a time, as in Live.
            own[:] = [note for note in own if (note[0], note[1]) != (pitch, start)]
            own.append((pitch, start, duration, float(velocity), mute))


@pytest.fixture
def live() -> Iterator[Live]:
    """A set with a bass of four bars, selected, and keys of two in the same scene."""
    found = Live()
    bass = [(36 + n % 5, n * 1.0, 0.5, 90.0, False) for n in range(16)]
    found.tracks[0].slots[0] = LiveClip("Groove", 16.0, [*bass, (127, 3.5, 0.25, 60.0, True)])
    keys = [(60 + n, n * 2.0, 1.5, 70.0, False) for n in range(4)]
    found.tracks[1].slots[0] = LiveClip("Chords", 8.0, keys)
    yield found
    found.close()

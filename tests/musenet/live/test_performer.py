"""What is sent, judged by the messages alone: every note that begins must end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from musenet.live.notes import LiveNote
from musenet.live.performer import Performer
from musenet.live.transport import Transport

Until = Callable[[Callable[[], Any]], Any]


class Port:
    """Keeps what is sent, and may fail."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, Any]] = []
        self.fails = False

    def send(self, message: Any) -> None:
        if self.fails:
            raise OSError("the device is gone")
        self.sent.append((time.perf_counter(), message))

    def notes(self, kind: str) -> list[tuple[int, int]]:
        return [(m.channel, m.note) for _, m in self.sent if m.type == kind]

    def sounding(self) -> Counter[tuple[int, int]]:
        found = Counter(self.notes("note_on"))
        found.subtract(self.notes("note_off"))
        return +found


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture
def transport() -> Transport:
    made = Transport()
    made.start(time.perf_counter() + 0.05, 240)
    return made


@pytest.fixture
def performer(port: Port, transport: Transport) -> Iterator[Performer]:
    made = Performer(port, transport)
    made.start([128, 33, 0])
    yield made
    made.close()


def note(begin: float, pitch: int, length: float = 0.25, program: int = 0) -> LiveNote:
    return LiveNote(begin, begin + length, pitch, 80, program)


def test_each_instrument_has_a_channel_and_its_program(performer: Performer, port: Port) -> None:
    programs = {m.channel: m.program for _, m in port.sent if m.type == "program_change"}
    assert programs == {0: 33, 1: 0}
    performer.add([note(0, 36, program=128), note(0, 40, program=33), note(0, 60, program=73)])
    time.sleep(0.2)
    assert {(9, 36), (0, 40), (2, 60)} == set(port.notes("note_on"))
    assert [m.program for _, m in port.sent if m.type == "program_change"][-1] == 73


def test_notes_come_at_their_moments_and_end(
    performer: Performer, port: Port, transport: Transport, until: Until
) -> None:
    performer.add([note(1.5, 64), note(0.5, 60), note(1.0, 62, length=1.0)])
    until(lambda: len(port.notes("note_off")) == 3)
    assert port.notes("note_on") == [(1, 60), (1, 62), (1, 64)]
    assert not port.sounding()
    for moment, message in port.sent:
        if message.type == "note_on":
            beat = {60: 0.5, 62: 1.0, 64: 1.5}[message.note]
            assert moment >= transport.seconds(beat)


def test_a_pitch_that_is_struck_again_is_ended_first(
    performer: Performer, port: Port, until: Until
) -> None:
    performer.add([note(0, 60, length=4), note(0.5, 60, length=0.25)])
    until(lambda: len(port.notes("note_off")) == 2)
    kinds = [m.type for _, m in port.sent if m.type.startswith("note")]
    assert kinds == ["note_on", "note_off", "note_on", "note_off"]


def test_only_what_has_not_sounded_is_replaced(
    performer: Performer, port: Port, until: Until
) -> None:
    performer.add([note(0, 60), note(2, 61), note(3, 62)])
    until(lambda: port.notes("note_on"))
    performer.replace(1.0, [note(2, 71)])
    until(lambda: len(port.notes("note_off")) == 2)
    time.sleep(0.3)
    assert [pitch for _, pitch in port.notes("note_on")] == [60, 71]
    assert [n.pitch for n in performer.notes(9)] == [60, 71]


def test_silence_is_immediate(performer: Performer, port: Port, until: Until) -> None:
    performer.add([note(0, pitch, length=50) for pitch in (60, 64, 67)] + [note(1, 72)])
    until(lambda: len(port.sounding()) == 3)
    asked = time.perf_counter()
    performer.silence()
    assert not port.sounding()
    assert max(moment for moment, _ in port.sent) - asked < 0.05
    time.sleep(0.4)
    assert len(port.notes("note_on")) == 3
    assert performer.is_silent


def test_what_was_begun_before_a_silence_comes_no_more(
    performer: Performer, port: Port, until: Until
) -> None:
    begun = performer.silences
    performer.silence()
    performer.add([note(0.5, 60)], begun)
    performer.replace(0.0, [note(0.5, 61)], begun)
    performer.add([note(0.5, 62)], performer.silences)
    until(lambda: port.notes("note_off"))
    assert port.notes("note_on") == [(1, 62)]


def test_closing_ends_everything(port: Port, transport: Transport, until: Until) -> None:
    performer = Performer(port, transport)
    performer.start([0, 128])
    performer.add([note(0, 60, length=50), note(0, 38, length=50, program=128)])
    until(lambda: len(port.sounding()) == 2)
    performer.close()
    performer.close()
    assert not port.sounding()
    ended = [(m.channel, m.control) for _, m in port.sent if m.type == "control_change"]
    assert ended == [(0, 64), (0, 123), (9, 64), (9, 123)]


def test_a_note_that_comes_too_late_is_left_out(
    port: Port,
    transport: Transport,
    performer: Performer,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("musenet.live.performer._LATE", 0.2)
    until(lambda: transport.beat(time.perf_counter()) > 2)
    performer.add([note(1, 60), note(transport.beat(time.perf_counter()) + 0.5, 62)])
    until(lambda: port.notes("note_on"))
    assert port.notes("note_on") == [(1, 62)]
    assert performer.missed == 1


def test_a_port_that_fails_is_said(performer: Performer, port: Port, until: Until) -> None:
    port.fails = True
    performer.add([note(0, 60)])
    assert until(lambda: performer.error) == "the device is gone"


def test_the_past_is_what_was_played(performer: Performer, port: Port, until: Until) -> None:
    performer.add([note(0, 60), note(0.5, 62)])
    until(lambda: len(port.notes("note_off")) == 2)
    assert performer.notes(0.4) == [note(0, 60)]
    performer.forget()
    assert performer.notes(9) == []

"""Raw events: bytes in, bytes out, with mido as the judge of what they mean."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import mido
import pytest

from tokenizer.midi.events import (
    Event,
    File,
    UnsupportedMidi,
    dump,
    meta,
    parse,
    text,
    variable_length,
)

HEADER = b"MThd" + struct.pack(">IHHH", 6, 1, 1, 480)
NASTY = Path(__file__).parents[3] / ".." / "shared" / "data" / "nasty"

Messages = Callable[[bytes], list[list[tuple[int, bytes]]]]


def one_track(body: bytes) -> bytes:
    return HEADER + b"MTrk" + struct.pack(">I", len(body)) + body


def test_every_kind_of_event_passes_through(messages: Messages) -> None:
    body = (
        b"\x00\xff\x01\x05hello"
        b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"
        b"\x81\x00\x90\x3c\x40"
        b"\x10\x3c\x00"
        b"\x00\xa0\x3c\x22"
        b"\x00\xb0\x40\x7f"
        b"\x00\xc0\x05"
        b"\x00\xd0\x33"
        b"\x00\xe0\x00\x50"
        b"\x00\xff\x60\x03abc"
        b"\x00\xff\x7f\x02\x01\x02"
        b"\x00\xff\x2f\x00"
    )
    file = parse(one_track(body))
    assert file.end == 144
    assert [event.tick for event in file.tracks[0]] == [0, 0, 128] + [144] * 8
    assert messages(dump(file)) == messages(one_track(body))
    assert parse(dump(file)) == file


def test_running_status_is_written_out() -> None:
    file = parse(one_track(b"\x00\x90\x3c\x40\x10\x3c\x00\x00\xff\x2f\x00"))
    assert [event.data for event in file.tracks[0]] == [b"\x90\x3c\x40", b"\x90\x3c\x00"]


def test_variable_lengths_of_the_specification() -> None:
    """The table on page 131 of the MIDI 1.0 specification (RP-001)."""
    table = {
        0x00: "00", 0x40: "40", 0x7F: "7f", 0x80: "8100", 0x2000: "c000", 0x3FFF: "ff7f",
        0x4000: "818000", 0x1FFFFF: "ffff7f", 0x200000: "81808000", 0x0FFFFFFF: "ffffff7f",
    }  # fmt: skip
    for number, written in table.items():
        assert variable_length(number).hex() == written


def test_all_tracks_end_together() -> None:
    file = File(96, [[Event(0, text(3, "a"))], [Event(500, b"\x90\x3c\x40")]], end=700)
    read = mido.MidiFile(file=io.BytesIO(dump(file)))
    assert [sum(message.time for message in track) for track in read.tracks] == [700, 700]
    assert read.type == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        one_track(b"\x00\x90\x3c"),
        one_track(b"\x00\x3c\x40"),
        one_track(b"\x00\x90\x3c\xf1\x00\xff\x2f\x00"),
        one_track(b"\x00\xf4\x00\x00\xff\x2f\x00"),
        one_track(b"\x00\x90\x3c\x40\x00\xff\x2f\x00")[:-3],
        HEADER[:8] + struct.pack(">HHH", 2, 1, 480) + one_track(b"\x00\xff\x2f\x00")[14:],
        HEADER[:8] + struct.pack(">HHH", 1, 1, 0xE728) + one_track(b"\x00\xff\x2f\x00")[14:],
    ],
)
def test_what_is_not_plain_is_left_to_the_reader(data: bytes) -> None:
    with pytest.raises(UnsupportedMidi):
        parse(data)


def test_kinds_and_channels() -> None:
    on, tempo = Event(0, b"\x93\x3c\x40"), Event(0, meta(0x51, b"\x07\xa1\x20"))
    assert (on.kind, on.channel, on.meta) == (0x90, 3, None)
    assert (tempo.kind, tempo.channel, tempo.meta) == (0xFF, None, 0x51)


def test_events_out_of_order_are_not_written() -> None:
    track = [Event(480, b"\x90\x3c\x40"), Event(240, b"\x80\x3c\x40")]
    with pytest.raises(ValueError, match="order of time"):
        dump(File(480, [track], 480))

"""The events that are not of two data bytes, against a plain walk over all bytes."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.midi import event_table, other_events
from tokenizer.midi.event_table import event_table as table_of
from tokenizer.midi.other_events import others_of
from tokenizer.midi.sound_files import Joined, SoundFile, sound_file, with_statuses

FILES = sorted((Path(__file__).parents[2] / "fixtures" / "midi").glob("*.mid"))
LONG = b"\xc5\x40\x90\x3c\x40\x00\x80\x3c\x40"  # a delta of two bytes that looks like a program
TRACK = b"\x00\xff\x03\x02ab\x00\xc1\x07"
END = b"\x00\xff\x2f\x00"


def file_of(*tracks: bytes) -> bytes:
    header = b"MThd\x00\x00\x00\x06\x00\x01" + len(tracks).to_bytes(2, "big") + b"\x01\xe0"
    return header + b"".join(b"MTrk" + len(t).to_bytes(4, "big") + t for t in tracks)


def sound(data: bytes) -> SoundFile:
    file = sound_file(data)
    assert file is not None
    return file


def plainly(joined: Joined) -> list[tuple[int, int, int]]:
    """The offset, the track and the number of each other event, event by event."""
    data, found, row = joined.data, [], 0
    for track, (at, end) in enumerate(zip(joined.begin, joined.end, strict=True)):
        running = 0
        while at < end:
            while data[at] > 127:
                at += 1
            at += 1
            status = data[at]
            if status >= 0xF0:
                found.append((int(at), track, row))
                at += 2 if status == 0xFF else 1
                size = 0
                while data[at] > 127:
                    size = size << 7 | data[at] & 127
                    at += 1
                at += (size << 7 | data[at]) + 1
            else:
                running = status if status > 127 else running
                one = running & 0xE0 == 0xC0
                if one:
                    found.append((int(at), track, row))
                at += (status > 127) + (1 if one else 2)
            row += 1
    return found


def assert_found(files: list[bytes], few: int) -> None:
    """The events are those of the plain walk, walked over or guessed."""
    joined = Joined([sound(data) for data in files])
    with mock.patch.multiple(other_events, FEW=few), mock.patch.multiple(event_table, FEW=few):
        others, odd = others_of(joined)
        assert not odd
        table = table_of(joined, others)
    rows = zip(others.at.tolist(), others.track.tolist(), others.row.tolist(), strict=True)
    assert list(rows) == plainly(joined)
    assert not table.wrong
    assert len(table.time) == others.row[-1] + 1


@pytest.mark.parametrize("few", [0, 10**9])
def test_events_of_real_files_are_found(few: int) -> None:
    files = [path.read_bytes() for path in FILES]
    assert_found(files, few)
    for data in files:
        assert_found([data], few)


EVENTS = st.one_of(
    st.sampled_from([LONG, b"\x00\xff\x59\x02\xff\x00", b"\x00\xff\x51\x03\x07\xff\x02"]),
    st.sampled_from([b"\x00\xc1\x07", b"\xff\x51\x91\x3c\x40", b"\xff\x05\xb1\x03\x01"]),
    st.binary(max_size=6).map(lambda body: b"\x10\xff\x06" + bytes((len(body),)) + body),
    st.binary(max_size=6).map(lambda body: b"\x10\xf0" + bytes((len(body),)) + body),
)


@pytest.mark.parametrize("few", [0, 10**9])
@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(EVENTS, max_size=12).map(b"".join), min_size=1, max_size=4))
def test_parts_of_deltas_and_bodies_are_no_events(few: int, tracks: list[bytes]) -> None:
    assert_found([file_of(*[track + END for track in tracks])], few)


@pytest.mark.parametrize("few", [0, 10**9])
@pytest.mark.parametrize(
    "bad", [b"\x00\xff\x05\x7fa", b"\x00\xf4\x03", b"\x00\xff\x2f\x00", b"\x00"]
)
def test_a_track_that_cannot_be_walked_over_is_given_up(bad: bytes, few: int) -> None:
    good, broken = (
        file_of(TRACK + LONG + END),
        file_of(TRACK + LONG + END, TRACK + LONG + bad + END),
    )
    joined = Joined([sound(data) for data in (good, broken, good)])
    with mock.patch.multiple(other_events, FEW=few), mock.patch.multiple(event_table, FEW=few):
        others, odd = others_of(joined)
        assert odd == {1: None} or 1 in table_of(joined, others).wrong


def test_statuses_that_were_left_out_are_put_in() -> None:
    pressure = b"\x00\xd0\x05\x10\x06\x83\x60\x07"
    full = b"\x00\xd0\x05\x10\xd0\x06\x83\x60\xd0\x07"
    file = sound(file_of(TRACK + END, LONG + pressure + LONG + END, TRACK + END))
    _, odd = others_of(Joined([file]))
    assert list(odd) == [0]
    whole = odd[0]
    assert whole is not None
    tracks = [whole.data[begin:end] for begin, end in whole.tracks]
    assert tracks == [TRACK + END, LONG + full + LONG + END, TRACK + END]
    assert with_statuses(file, []).data == file.data
    assert np.array_equal(others_of(Joined([whole]))[0].track[[0, -1]], [0, 2])

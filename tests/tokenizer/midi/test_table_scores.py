"""One verdict for all ways to read: the same files refused, the same notes and events."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer import MidiError, Score, read, read_all, read_reporting, to_bytes
from tokenizer.midi.sound_files import sound_file
from tokenizer.midi.table_scores import scores_of

FIXTURES = Path(__file__).parents[2] / "fixtures"
REAL = sorted((FIXTURES / "midi").glob("*.mid"))
FILES = REAL + sorted((FIXTURES / "reports").glob("*.mid")) + sorted((FIXTURES / "nasty").glob("*"))
END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x40"

Verdict = Score | tuple[str, int | None]


def file_of(*tracks: bytes) -> bytes:
    header = b"MThd\x00\x00\x00\x06\x00\x01" + len(tracks).to_bytes(2, "big") + b"\x01\xe0"
    return header + b"".join(b"MTrk" + len(t).to_bytes(4, "big") + t for t in tracks)


def verdict_of(way: Callable[[], Score]) -> Verdict:
    """What a way to read gives: a score, or the reason and the place of the refusal."""
    try:
        return way()
    except MidiError as error:
        return error.reason, error.offset


def byte_by_byte(data: bytes) -> Score:
    return read_reporting(data)[0]


def is_read_together(data: bytes) -> bool:
    """Whether a file needs no reading byte by byte."""
    sound = sound_file(data)
    return sound is not None and scores_of([sound])[0] is not None


def assert_one_verdict(data: bytes) -> None:
    """`read`, `read_all`, `read_reporting` and reading by channel refuse or read alike."""
    score = verdict_of(lambda: read_reporting(data)[0])
    fast = verdict_of(lambda: read(data))
    (found,) = read_all([data], errors="return")
    if not isinstance(score, Score) or not isinstance(fast, Score):
        assert fast == score == verdict_of(lambda: read(data, programs="channel"))
        assert isinstance(found, MidiError)
        return
    assert fast.tracks == score.tracks
    for kind, column in score.columns().items():
        assert np.array_equal(getattr(fast, kind), column), kind
    assert found == score
    assert len(read(data, programs="channel").notes) == len(score.notes)
    assert read(to_bytes(fast)) == read(to_bytes(score))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_fixture_has_one_verdict(path: Path) -> None:
    assert_one_verdict(path.read_bytes())


@pytest.mark.parametrize(
    "name",
    [
        *("bad_bend_first.mid", "bad_polyaftertouch.mid", "bad_polyaftertouch_note.mid"),
        *("silent_loss_strict.mid", "sys_fe_for_ff.mid", "sys_f4.mid", "sys_fd.mid"),
    ],
)
def test_a_byte_that_cannot_be_is_refused_at_once_and_by_name(name: str) -> None:
    path = FIXTURES / "reports" / name
    with pytest.raises(MidiError, match=name):
        read(path)


@pytest.mark.parametrize("status", [*range(0xF1, 0xF7), *range(0xF8, 0xFF)])
def test_system_messages_are_refused_and_never_move_notes(status: int) -> None:
    data = file_of(NOTE + bytes((0, status, 3, 5)) + NOTE + END)
    with pytest.raises(MidiError, match=f"0x{status:02X}"):
        read(data)
    assert_one_verdict(data)


@pytest.mark.parametrize("status", [0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0])
@pytest.mark.parametrize("before", [b"", NOTE, b"\x00\xd0\x05\x01\x06", b"\x00\xe0\x00\x40"])
@pytest.mark.parametrize("running", [False, True])
def test_data_bytes_above_127_are_found_in_every_message(
    status: int, before: bytes, running: bool
) -> None:
    count = 1 if status in (0xC0, 0xD0) else 2
    for place in range(count):
        good = [0x20] * count
        bad = good.copy()
        bad[place] = 0xE7
        event = bytes((0, status, *good, 0, *bad)) if running else bytes((0, status, *bad))
        data = file_of(before + event + NOTE + END)
        assert not is_read_together(data)
        assert_one_verdict(data)


def test_a_score_does_not_hold_its_file() -> None:
    for path in REAL:
        data = path.read_bytes()
        held = sys.getrefcount(data)
        score = read(data)
        assert sys.getrefcount(data) == held
        assert len(score.columns()) == 9
        assert sys.getrefcount(data) == held


EVENTS = st.one_of(
    st.tuples(
        st.sampled_from([0x80, 0x90, 0x91, 0x99, 0xA0, 0xB0, 0xB1, 0xE0, 0xE9]),
        st.integers(0, 127),
        st.integers(0, 127),
    ).map(bytes),
    st.tuples(st.sampled_from([0xC0, 0xC1, 0xC9, 0xD0]), st.integers(0, 127)).map(bytes),
    st.tuples(st.integers(0, 127), st.integers(0, 127)).map(bytes),  # running status
    st.integers(0, 127).map(lambda value: bytes((value,))),
    st.tuples(
        st.sampled_from([1, 3, 5, 6, 0x21, 0x51, 0x58, 0x59, 0x7F]), st.binary(max_size=5)
    ).map(lambda meta: bytes((0xFF, meta[0], len(meta[1]))) + meta[1]),
    st.binary(min_size=3, max_size=3).map(lambda tempo: b"\xff\x51\x03" + tempo),
    st.binary(max_size=4).map(lambda body: bytes((0xF0, len(body) + 1)) + body + b"\xf7"),
    st.binary(min_size=1, max_size=2),
)
DELTAS = st.one_of(
    st.just(b"\x00"),
    st.integers(0, 127).map(lambda value: bytes((value,))),
    st.tuples(st.integers(128, 255), st.integers(0, 127)).map(bytes),
    st.tuples(st.integers(128, 255), st.integers(128, 255), st.integers(0, 127)).map(bytes),
)
TRACKS = st.lists(st.tuples(DELTAS, EVENTS).map(b"".join), max_size=25).map(
    lambda events: b"".join(events) + END
)


@settings(max_examples=400, deadline=None)
@given(st.lists(TRACKS, min_size=1, max_size=3))
def test_every_entrance_agrees_on_any_events(tracks: list[bytes]) -> None:
    assert_one_verdict(file_of(*tracks))


SOUND = st.one_of(
    st.tuples(
        st.sampled_from([0x80, 0x90, 0x91, 0x99, 0xA0, 0xB0, 0xB1, 0xE0, 0xE9]),
        st.integers(0, 127),
        st.integers(0, 127),
    ).map(bytes),
    st.tuples(st.sampled_from([0xC0, 0xC1, 0xC9]), st.integers(0, 127)).map(bytes),
    st.tuples(st.sampled_from([1, 5, 6]), st.text("añż", min_size=1, max_size=3)).map(
        lambda meta: bytes((0xFF, meta[0], len(meta[1].encode()))) + meta[1].encode()
    ),
    st.integers(1, 2**24 - 1).map(lambda tempo: b"\xff\x51\x03" + tempo.to_bytes(3, "big")),
    st.just(b"\xd1\x05\x83\x60\x06"),
    st.just(b"\x91\x40\x40\x60\x40\x00\x81\x00\x41\x40"),
)
SOUND_TRACKS = st.lists(st.tuples(DELTAS, SOUND).map(b"".join), max_size=40).map(
    lambda events: b"".join(events) + END
)


@settings(max_examples=300, deadline=None)
@given(st.lists(SOUND_TRACKS, min_size=1, max_size=4))
def test_sound_events_are_read_fast_and_exactly(tracks: list[bytes]) -> None:
    data = file_of(*tracks)
    assert is_read_together(data)
    assert_one_verdict(data)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(TRACKS, min_size=1, max_size=3)), max_size=8))
def test_files_read_together_do_not_touch_each_other(music: list[tuple[bool, list[bytes]]]) -> None:
    files = [file_of(*tracks) for _, tracks in music]
    files = [REAL[0].read_bytes() if real else f for (real, _), f in zip(music, files, strict=True)]
    together = list(read_all(files, errors="return"))
    for data, found in zip(files, together, strict=True):
        alone = verdict_of(partial(byte_by_byte, data))
        if isinstance(alone, Score):
            assert found == alone
        else:
            assert isinstance(found, MidiError)
            assert (found.reason, found.offset) == alone


def test_all_real_files_together_are_as_byte_by_byte() -> None:
    for path, score in zip(REAL, read_all(REAL), strict=True):
        assert score == read_reporting(path)[0], path.name


@pytest.mark.parametrize("tracks", [1, 31, 32, 40])
def test_notes_of_many_places_are_paired(tracks: int) -> None:
    """Up to 640 channels: the keys of notes are then too long for 16 bits."""
    track = b"".join(
        bytes((0, 0x90 | channel, 60 + channel, 64, 9, 0x80 | channel, 60 + channel, 0))
        for channel in range(16)
    )
    data = file_of(*[track + END] * tracks)
    assert is_read_together(data)
    assert len(read(data).notes) == 16 * tracks
    assert_one_verdict(data)


def test_late_notes_of_many_files_are_sorted() -> None:
    """Starts of 31 bits and the numbers of files do not fit into 16 bits together."""
    late = b"\xff\xff\xff\x7f" * 4 + b"\xff\xff\x7f\x91\x40\x40"
    music = [
        NOTE * number
        + late.replace(b"\xff\xff\xff\x7f", b"\xff\xff\xff\x7f\xb0\x07\x40")
        + b"\x05\x81\x40\x40"
        + NOTE
        + END
        for number in range(40)
    ]
    files = [file_of(track) for track in music]
    assert all(map(is_read_together, files))
    for data, score in zip(files, read_all(files), strict=True):
        assert score == read_reporting(data)[0]


@pytest.mark.parametrize("count", [1, 3, 40, 300])
def test_tempos_few_and_many_are_alike(count: int) -> None:
    tempo = b"\x83\x10\xff\x51\x03\x07\xff"  # 0xFF in a body begins no event
    tempos = b"".join(tempo + bytes((number % 256,)) for number in range(count))
    data = file_of(tempos + b"\x00\xff\x51\x03\x00\x00\x00" + END, NOTE + tempo + b"\x01" + END)
    assert is_read_together(data)
    assert_one_verdict(data)


def test_texts_and_messages_of_two_byte_lengths() -> None:
    text = "Łódź ".encode() * 40
    length = bytes((0x80 | len(text) >> 7, len(text) & 127))
    lyric = b"\x00\xff\x05" + length + text
    exclusive = b"\x00\xf0" + length + b"\x7e" * (len(text) - 1) + b"\xf7"
    data = file_of(lyric + exclusive + NOTE + END)
    assert is_read_together(data)
    assert read(data).lyrics["text"].tolist() == [text.decode()]
    assert_one_verdict(data)


def test_a_status_of_one_data_byte_may_be_left_out() -> None:
    pressure = b"\x00\xd1\x05" + b"\x10\x06" * 9
    data = file_of(NOTE + pressure + NOTE + END, NOTE + b"\x00\xc0\x05\x00\x06" + NOTE + END)
    assert is_read_together(data)
    assert_one_verdict(data)


@pytest.mark.parametrize("event", [b"\xb0\x07\x40", b"\xe0\x00\x40", b"\x90\x3e\x40"])
def test_running_status_after_a_meta_event_loses_nothing(event: bytes) -> None:
    meta = b"\x00\xff\x58\x04\x04\x02\x18\x08"
    data = file_of(NOTE + b"\x00" + event + meta + b"\x00\x08\x20\x02\x09\x21" + NOTE + END)
    assert_one_verdict(data)


def test_long_deltas_cannot_overflow() -> None:
    long = b"\xff\xff\x7f\x90\x3c\x40\x60\x80\x3c\x40"  # almost 2**21 ticks of rest
    assert is_read_together(file_of(long * 200 + END))
    assert not is_read_together(file_of(long * 1100 + END))
    assert_one_verdict(file_of(long * 1100 + END))


@pytest.mark.parametrize("power", [15, 16, 31, 32, 35, 127, 255])
def test_time_signatures_of_any_power_are_read_alike(power: int) -> None:
    assert_one_verdict(file_of(bytes((0, 0xFF, 0x58, 4, 3, power, 24, 8)) + NOTE + END))

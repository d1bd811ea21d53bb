"""Reading MIDI files made by hand: odd ones, broken ones, and what each is known for."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tokenizer import InputError, MidiError, read, read_reporting, to_bytes
from tokenizer.score.score import CONTROLS, NO_TRACK, NOTES, PITCH_BENDS, TEXTS

FIXTURES = Path(__file__).parents[2] / "fixtures"
REAL = sorted((FIXTURES / "midi").glob("*.mid"))
NASTY = json.loads((FIXTURES / "nasty" / "manifest.json").read_text())
# What the manifest lets a reader refuse or wants it to; all other files of it must be read.
NASTY_REFUSED = {
    "type3_unknown.mid",
    "type65535.mid",
    "div0.mid",
    "smpte_bad_fps.mid",
    "running_status_across_tracks.mid",
    "empty_file.mid",
    "only_magic.mid",
    "not_midi_text.mid",
    "zip_magic.mid",
    "lowercase_magic.mid",
    "header_len_huge.mid",
    "track_len_too_small.mid",
    "track_len_too_big.mid",
    "track_len_ffffffff.mid",
    "track_len_zero_but_data.mid",
    "trunc_008.mid",
    "trunc_013.mid",
    "trunc_021.mid",
    "trunc_030.mid",
    "trunc_mid_vlq.mid",
    "trunc_mid_sysex.mid",
    "trunc_after_status.mid",
    "velocity_ge_128.mid",
    "vlq_5_bytes.mid",
    "vlq_endless.mid",
    "sysex_len_huge.mid",
    "system_common_f2.mid",
    "riff_wave.mid",
    "xmf_magic.mid",
    "gzipped.mid",
}


def file_of(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    header = b"MThd" + (6).to_bytes(4, "big")
    for number in (kind, len(tracks), division):
        header += number.to_bytes(2, "big")
    return header + b"".join(b"MTrk" + len(t).to_bytes(4, "big") + t for t in tracks)


END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x40"  # middle C, 480 ticks from now


REFUSED = [case for case in NASTY if case["file"] in NASTY_REFUSED]
ACCEPTED = [case for case in NASTY if case["file"] not in NASTY_REFUSED]


def counts_of(case: dict[str, Any]) -> tuple[int, int]:
    """The fewest and most notes that the manifest allows, of '8', '0-40', '>=1' or '8 (or 11)'."""
    numbers = [int(number) for number in re.findall(r"\d+", str(case["notes"]))]
    return min(numbers), 9999 if ">=" in str(case["notes"]) else max(numbers)


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case["file"])
def test_nasty_files_that_can_be_read(case: dict[str, Any]) -> None:
    assert case["expect"] != "reject"
    path = FIXTURES / "nasty" / case["file"]
    score, report = read_reporting(path)
    low, high = counts_of(case)
    assert low <= len(score.notes) <= high
    assert not report.repaired
    assert read(path) == score
    assert read(to_bytes(score)) == score


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["file"])
def test_nasty_files_that_are_refused(case: dict[str, Any]) -> None:
    assert case["expect"].startswith(("reject", "lenient"))
    path = FIXTURES / "nasty" / case["file"]
    for reader in (read, read_reporting):
        with pytest.raises(MidiError, match=re.escape(str(path))) as caught:
            reader(path)
        assert caught.value.offset is not None
    if case["expect"] == "lenient":  # nothing is lost for who asks for repair
        score, report = read_reporting(path, repair=True)
        low, high = counts_of(case)
        assert low <= len(score.notes) <= high
        assert report.repaired


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page (HTML)"),
        (b"\n\n<html>", "web page (HTML)"),
        (b"PK\x03\x04" + bytes(60), "zip archive"),
        (b"\x1f\x8b" + bytes(60), "gzip archive"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "WAVE recording"),
        (b"ID3\x04" + bytes(60), "MP3"),
        (b"hello", "no 'MThd'"),
        (file_of(NOTE + END)[:30], "track 1 should have"),
        (file_of(NOTE + END, kind=3), "type 3"),
        (file_of(NOTE + END, division=0), "0 ticks per quarter note"),
        (file_of(b"\x00\x90\x3c\xc8" + END), "data byte is 200"),
        (file_of(b"\x00\x3c\x40" + END), "without a status byte"),
        (file_of(b"\x00\xf4\x00" + END), "0xF4"),
    ],
)
def test_broken_files_are_named(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(MidiError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
        read(data)
    assert caught.value.offset is not None
    assert caught.value.file is None
    path = tmp_path / "song.mid"
    path.write_bytes(data)
    with pytest.raises(MidiError, match=r"song\.mid at byte"):
        read(path)


def test_missing_files_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "nothing.mid")
    with pytest.raises(InputError, match="directory"):
        read(tmp_path)
    with pytest.raises(InputError, match="did you mean 'channel'"):
        read(b"", programs="chanel")  # type: ignore[arg-type]


def test_a_file_too_large_for_music_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.mid").open("wb") as file:
        file.write(b"MThd")
        file.truncate(2**34)  # sparse
    with pytest.raises(MidiError, match="more than 16 MiB"):
        read(tmp_path / "large.mid")
    with pytest.raises(MidiError, match="more than 16 MiB"):
        read(bytes(2**24 + 1))


def test_any_extension_and_riff_wrapping() -> None:
    data = REAL[0].read_bytes()
    wrapped = b"RIFF" + (len(data) + 12).to_bytes(4, "little") + b"RMIDdata"
    wrapped += len(data).to_bytes(4, "little") + data
    score, report = read_reporting(wrapped)
    assert score == read(data)
    assert any("RIFF" in words for words in report.oddities)


@pytest.mark.parametrize(("frames", "seconds"), [(24, 1.0), (25, 1.0), (30, 1.0), (29, 1.001)])
def test_smpte_time_has_its_length_in_seconds(frames: int, seconds: float) -> None:
    division = (256 - frames) << 8 | 40
    rate = {29: 30}.get(frames, frames) * 40  # ticks in a second, but 29.97 frames for 29
    track = b"\x00\x90\x3c\x40" + bytes((0x80 | rate >> 7, rate & 0x7F)) + b"\x80\x3c\x40" + END
    tempo = b"\x00\xff\x51\x03\x01\x00\x00"
    score = read(file_of(tempo + track, division=division))
    assert score.seconds(score.end) == pytest.approx(seconds, abs=1e-12)


def test_type_2_lays_its_songs_one_after_another() -> None:
    tempo = b"\x00\xff\x51\x03\x03\xd0\x90"
    score, report = read_reporting(file_of(tempo + NOTE + END, NOTE + END, kind=2))
    assert score.notes["start"].tolist() == [0, 480]
    assert score.tempos.tolist() == [(0, 250000), (480, 500000)]
    assert any("type 2" in words for words in report.oddities)


def test_ticks_beyond_31_bits_become_coarser() -> None:
    long = b"\xff\xff\xff\x7f"
    track = b"".join(long + b"\x90\x3c\x40" + b"\x83\x60\x80\x3c\x40" for _ in range(9)) + END
    score = read(file_of(track))
    exact = np.cumsum([2**28 - 1] + [2**28 - 1 + 480] * 8)
    divisor = 480 // score.ticks_per_quarter
    assert divisor > 1
    assert score.notes["start"].tolist() == (exact // divisor).tolist()
    written = read(to_bytes(score))
    assert written == score


def test_text_that_is_not_utf8_is_latin_1() -> None:
    name = "Flöte".encode("latin-1")
    track = b"\x00\xff\x03" + bytes((len(name),)) + name + b"\x00\xff\x05\x02\xe9\x65" + NOTE + END
    score = read(file_of(track))
    assert score.tracks[0].name == "Flöte"
    assert score.lyrics.tolist() == [(0, 0, "ée")]
    assert read(to_bytes(score)) == score


def test_events_at_one_tick_settle_as_the_file_orders_them() -> None:
    tempos = b"\x00\xff\x51\x03\x07\xa1\x20\x00\xff\x51\x03\x03\xd0\x90"
    times = b"\x00\xff\x58\x04\x03\x02\x18\x08"
    keys = b"\x00\xff\x59\x02\x02\x00"
    second = b"\x00\xff\x58\x04\x06\x03\x18\x08" + b"\x00\xff\x59\x02\x00\x00" * 2
    score = read(file_of(tempos + times + keys + NOTE + END, second + END))
    assert score.tempos.tolist() == [(0, 250000)]
    assert score.time_signatures.tolist() == [(0, 6, 8)]
    assert score.key_signatures.tolist() == [(0, 0, False)]


def test_values_that_mean_nothing_are_ignored_and_told() -> None:
    metas = b"\x00\xff\x51\x03\x00\x00\x00" + b"\x00\xff\x58\x04\x00\x02\x18\x08"
    metas += b"\x00\xff\x59\x02\x09\x00" + b"\x00\xff\x51\x02\x01\x00"
    score, report = read_reporting(file_of(metas + NOTE + END))
    assert not len(score.tempos)
    assert not len(score.time_signatures)
    assert not len(score.key_signatures)
    assert sum("ignored" in words for words in report.oddities) == 3
    assert read(file_of(metas + NOTE + END)) == score


EXCLUSIVE = b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"  # GM system on
LONG_REST = b"\xf7\x10\x90\x3e\x40\x60\x80\x3e\x40"  # 0xF7 as the first byte of a delta


def test_notes_are_exact_where_running_status_goes_on_after_system_exclusive() -> None:
    after = file_of(b"\x00\x90\x3c\x40" + EXCLUSIVE + b"\x60\x3c\x00" + NOTE + END)
    assert read(after).notes["duration"].tolist() == [96, 480]
    running = file_of(NOTE + EXCLUSIVE + b"\x60\x3c\x00" + END)
    for data in (after, running, file_of(EXCLUSIVE + NOTE + END)):
        assert read(data) == read_reporting(data)[0]


@pytest.mark.parametrize("before", [b"", EXCLUSIVE, b"\x00\xc0\x05", b"\x00\xd0\x05\x01\x06"])
@pytest.mark.parametrize("notes", [NOTE, NOTE + NOTE, b"\x00\x90\x3c\x40\x60\x3c\x00" * 700])
def test_long_rests_are_not_taken_for_system_exclusive(before: bytes, notes: bytes) -> None:
    tempo = b"\x00\xff\x51\x03\x0f\xf7\x00"
    data = file_of(tempo + before + notes + LONG_REST + tempo + NOTE + END)
    assert read(data) == read_reporting(data)[0]


def test_what_an_escape_holds_is_no_event() -> None:
    data = file_of(NOTE + b"\x00\xf7\x03\x90\x00\x00" + NOTE + END)
    assert len(read(data).notes) == 2
    assert read(data) == read_reporting(data)[0]


def test_unisons_are_ordered_by_duration_velocity_and_track() -> None:
    def note(velocity: int, length: int) -> bytes:
        delta = bytes((0x80 | length >> 14, 0x80 | length >> 7 & 0x7F, length & 0x7F))
        return b"\x00\x90\x3c" + bytes((velocity,)) + delta + b"\x80\x3c\x40"

    lengths = [(9, 70_000), (9, 66_000), (8, 66_000), (9, 480), (7, 480), (7, 480), (9, 1)]
    data = file_of(*(note(velocity, length) + END for velocity, length in lengths))
    found = read(data).notes
    by_hand = sorted((length, v, track) for track, (v, length) in enumerate(lengths))
    assert found[["duration", "velocity", "track"]].tolist() == by_hand


def test_karaoke_texts_are_lyrics() -> None:
    def text(body: bytes, kind: int = 1) -> bytes:
        return b"\x00\xff" + bytes((kind, len(body))) + body

    words = text(b"@KMIDI KARAOKE FILE") + text(b"\\La") + text(b"la") + END
    score = read(file_of(NOTE + END, words))
    assert score.lyrics.tolist() == [(0, NO_TRACK, "\\La"), (0, NO_TRACK, "la")]
    assert not len(read(file_of(NOTE + END, text(b"just a text") + END)).lyrics)


def test_shared_channels_are_told_and_read_as_a_synthesiser_plays_them() -> None:
    first = b"\x00\xc0\x28" + NOTE + NOTE + END
    second = b"\x83\x60\xc0\x49" + NOTE + END
    data = file_of(first, second)
    score, report = read_reporting(data)
    assert score.notes["program"].tolist() == [40, 40, 73]
    (shared,) = report.shared_channels
    assert (shared.channel, shared.tracks, shared.notes, shared.differing) == (0, (0, 1), 3, 0)
    late = file_of(b"\x00\xc0\x28" + NOTE + NOTE + NOTE + END, second)
    played = read(late, programs="channel")
    # the change stands in a later track, so the note that begins with it is played before it
    assert played.notes["program"].tolist() == [40, 40, 73, 73]
    assert read(late).notes["program"].tolist() == [40, 40, 73, 40]
    assert read_reporting(late)[1].shared_channels[0].differing == 1


def test_ports_keep_channels_apart() -> None:
    port = b"\x00\xff\x21\x01\x01"
    data = file_of(b"\x00\xc0\x28" + NOTE + END, port + b"\x00\xc0\x49" + NOTE + END)
    assert read_reporting(data)[1].shared_channels == ()
    assert read(data, programs="channel") == read(data)


def test_controls_find_the_track_that_plays_on_their_channel() -> None:
    conductor = b"\x00\xb0\x07\x50" + b"\x00\xb5\x07\x51" + END
    score = read(file_of(conductor, NOTE + END))
    assert score.controls.tolist() == [(0, 7, 0x50, 0)]


def test_pedal_that_is_never_released_lasts_to_the_end() -> None:
    score = read(file_of(b"\x00\xb0\x40\x7f" + NOTE + END))
    assert score.pedals.tolist() == [(0, 480, 0)]
    on_channel_4 = b"\x83\x60\xb3\x40\x7f\x83\x60\xb3\x40\x00\x00\x93\x3c\x40\x01\x83\x3c\x40"
    assert read(file_of(on_channel_4 + END)).pedals.tolist() == [(480, 480, 0)]


def test_lazy_columns_are_there_after_pickling() -> None:
    score = read(REAL[0])
    again = pickle.loads(pickle.dumps(score))
    assert again == score
    assert not again.notes.flags.writeable


def test_column_types_are_as_promised() -> None:
    score = read(REAL[0])
    assert score.notes.dtype == NOTES
    assert score.controls.dtype == CONTROLS
    assert score.pitch_bends.dtype == PITCH_BENDS
    assert score.lyrics.dtype == TEXTS


REPORTS = FIXTURES / "reports"


@pytest.mark.parametrize("name", ["extra_track_beyond_header.mid", "extra_track_vendor.mid"])
def test_tracks_beyond_the_headers_count_are_an_oddity(name: str) -> None:
    score, report = read_reporting(REPORTS / name)
    assert score.notes["pitch"].tolist() == [
        60,
        61,
        62,
        63,
    ]  # as mido reads it
    assert any("bytes follow the last track" in words for words in report.oddities)
    assert read(REPORTS / name) == score


def test_bytes_after_a_premature_end_are_counted_and_repair_reads_on() -> None:
    score, report = read_reporting(REPORTS / "premature_end_of_track.mid")
    assert score.notes["pitch"].tolist() == [60, 61]
    assert any("31 bytes after the end of the track" in words for words in report.oddities)
    repaired, report = read_reporting(REPORTS / "premature_end_of_track.mid", repair=True)
    assert repaired.notes["pitch"].tolist() == [60, 61, 60, 61, 62]
    assert repaired.notes["start"].tolist() == [0, 480, 960, 1440, 1920]
    assert report.repaired
    junk = file_of(NOTE + END + bytes(9))
    assert read(junk, repair=True) == read(junk)
    assert not read_reporting(junk, repair=True)[1].repaired


def gs_part(block: int, mode: int) -> bytes:
    """Roland's message that makes a part a drum part (1, 2) or a melodic one (0)."""
    body = bytes((0x41, 0x10, 0x42, 0x12, 0x40, 0x10 | block, 0x15, mode))
    return b"\x00\xf0\x0a" + body + bytes((-sum(body[4:]) & 0x7F, 0xF7))


def test_gs_drum_parts_are_drums() -> None:
    score, report = read_reporting(REPORTS / "gs_drums_on_channel_11.mid")
    assert score.notes["program"].tolist() == [128, 128]
    assert score.tracks[0].is_drum
    assert any("channel 11" in words for words in report.oddities)
    assert read(REPORTS / "gs_drums_on_channel_11.mid") == score
    for block, channel in ((0, 9), (1, 0), (9, 8), (0xA, 10), (0xF, 15)):
        note = bytes((0, 0x90 | channel, 60, 64, 96, 0x80 | channel, 60, 0))
        assert read(file_of(gs_part(block, 1) + note + END)).notes["program"].tolist() == [128]
        assert read(file_of(gs_part(block, 0) + note + END)).notes["program"].tolist() == [0]


def test_xg_drum_parts_and_banks_are_drums() -> None:
    on = b"\x00\xf0\x08\x43\x10\x4c\x00\x00\x7e\x00\xf7"
    part = b"\x00\xf0\x08\x43\x10\x4c\x08\x00\x07\x02\xf7"
    bank = b"\x00\xb0\x00\x7f\x00\xc0\x08"
    assert read(file_of(part + NOTE + END)).notes["program"].tolist() == [128]
    score = read(file_of(on + END, bank + NOTE + END))
    assert score.notes["program"].tolist() == [128]
    assert score.tracks[0].kit == 8
    assert read(file_of(bank + NOTE + END)).notes["program"].tolist() == [8]


def test_smpte_without_ticks_is_called_that() -> None:
    with pytest.raises(MidiError, match="SMPTE time of 0 ticks"):
        read(file_of(NOTE + END, division=(256 - 25) << 8))


@pytest.mark.parametrize(
    ("name", "meters"),
    [
        ("meter_3_64.mid", [(0, 3, 64)]),
        ("meter_255_1.mid", [(0, 255, 1)]),
        ("pub_timesig_0_4.mid", []),
    ],
)
def test_odd_meters_are_kept_or_named(name: str, meters: list[tuple[int, int, int]]) -> None:
    score, report = read_reporting(REPORTS / name)
    assert score.time_signatures.tolist() == meters
    assert any("time signature" in words for words in report.oddities) == (not meters)

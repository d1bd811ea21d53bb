"""Salvage of damaged files, held against what the whole file holds."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tokenizer import MidiError, Score, read, read_reporting, to_bytes

ROOT = Path(__file__).parents[3]
REAL = sorted((ROOT / "tests" / "fixtures" / "midi").glob("*.mid"))
REPORTS = ROOT / "tests" / "fixtures" / "reports"
NASTY = ROOT / "tests" / "fixtures" / "nasty"
files = pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)


def notes_of(score: Score) -> Counter[tuple[int, ...]]:
    return Counter(row[:5] for row in score.notes.tolist())


@files
def test_a_sound_file_is_read_the_same_with_repair(path: Path) -> None:
    score, report = read_reporting(path, repair=True)
    assert score == read(path)
    assert not report.repaired
    assert report.bytes_dropped == 0
    assert report.notes == len(score.notes)


@files
def test_cut_files_keep_what_stands_before_the_cut(path: Path) -> None:
    data = path.read_bytes()
    whole = notes_of(read(data))
    rng = random.Random(path.stem)
    kept_of_longer = Counter[tuple[int, ...]]()
    for cut in sorted(rng.randrange(60, len(data)) for _ in range(10)):
        with pytest.raises(MidiError):
            read(data[:cut])
        try:
            score, report = read_reporting(data[:cut], repair=True)
        except MidiError:
            continue  # nothing stands before the cut
        assert report.repaired
        kept = notes_of(score)
        assert not kept - whole, "a note that the file does not have"
        assert not kept_of_longer - kept, "a longer piece of the file has fewer notes"
        kept_of_longer = kept
        assert read(to_bytes(score)) == score
    assert kept_of_longer


@files
@pytest.mark.parametrize(
    "damage", [b"MThx", b"MThd\xff\xff\xff\xff", b"\0" * 8, b"MThd\0\0\0\6\7\7"]
)
def test_a_damaged_header_costs_no_note(path: Path, damage: bytes) -> None:
    data = path.read_bytes()
    broken = damage + data[len(damage) :]
    with pytest.raises(MidiError):
        read(broken)
    score, report = read_reporting(broken, repair=True)
    assert notes_of(score) == notes_of(read(path))
    assert score.ticks_per_quarter == read(path).ticks_per_quarter
    assert report.repaired


def test_the_division_is_guessed_only_where_there_is_none() -> None:
    score, report = read_reporting(NASTY / "div0.mid", repair=True)
    assert score.ticks_per_quarter == 480
    assert any("480" in words for words in report.damage)


@files
def test_wrong_track_lengths_cost_no_note(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.rfind(b"MTrk") + 4
    for wrong in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x14"):
        data[at : at + 4] = wrong
        score, report = read_reporting(bytes(data), repair=True)
        assert notes_of(score) == notes_of(read(path))
        assert report.repaired


def test_the_report_tells_what_was_dropped() -> None:
    score, report = read_reporting(NASTY / "trunc_after_status.mid", repair=True)
    assert report.notes == len(score.notes) == 8
    assert any("byte 96" in words for words in report.damage)
    _, report = read_reporting(NASTY / "double_on_one_off.mid")
    assert report.unfinished == 1
    assert any("never end" in words for words in report.oddities)


def test_a_note_that_sounds_at_the_cut_is_dropped() -> None:
    track = b"\x00\x90\x3c\x40\x60\x80\x3c\x40\x00\x90\x40\x40\x60\x80"
    data = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\x20" + track
    score, report = read_reporting(data, repair=True)
    assert score.notes["pitch"].tolist() == [60]
    assert report.unfinished == 1


@pytest.mark.parametrize("data", [b"", b"MThd", b"PK\x03\x04MTrk", b"<html>MTrk", b"MTrk\0\0\0\0"])
def test_what_holds_no_music_is_refused_as_without_repair(data: bytes) -> None:
    with pytest.raises(MidiError) as strict:
        read(data)
    with pytest.raises(MidiError) as repairing:
        read(data, repair=True)
    assert str(strict.value) == str(repairing.value)


@pytest.mark.parametrize("name", ["bad_bend_first.mid", "bad_polyaftertouch_note.mid"])
def test_repair_reads_on_after_a_bad_data_byte(name: str) -> None:
    score, report = read_reporting(REPORTS / name, repair=True)
    assert score.notes.tolist() == [(0, 480, 60, 80, 0, 0), (480, 480, 62, 80, 0, 0)]
    assert any("passed over" in words for words in report.damage)
    assert not report.bytes_dropped


def test_a_note_that_damage_may_have_ended_is_dropped() -> None:
    """The end of the first note is broken; the second of that key must not be taken for its end."""
    track = b"\x00\x90\x3c\x40\x60\x80\xbc\x40\x00\x90\x3c\x40\x60\x80\x3c\x40\x00\xff\x2f\x00"
    data = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + len(track).to_bytes(4, "big") + track
    score, report = read_reporting(data, repair=True)
    assert score.notes.tolist() == [(96, 96, 60, 64, 0, 0)]
    assert report.unfinished == 1


def test_bytes_above_127_cost_little_and_give_hardly_a_wrong_note() -> None:
    """One data byte of a channel event is made more than 127."""
    kept = wrong = passed_over = 0
    for path in REAL:
        data = path.read_bytes()
        whole = notes_of(read(data))
        rng = random.Random(path.stem)
        for place in [m.end() - 2 for m in re.finditer(rb"[\x80-\xbf][\x00-\x7f]{2}", data[60:])]:
            if rng.random() < 0.01:
                broken = bytearray(data)
                broken[60 + place] |= 0x80
                with pytest.raises(MidiError):
                    read(bytes(broken))
                score, report = read_reporting(bytes(broken), repair=True)
                passed_over += any("passed over" in words for words in report.damage)
                kept += (whole & notes_of(score)).total()
                wrong += (notes_of(score) - whole).total()
    assert passed_over > 5
    assert wrong <= 0.005 * (kept + wrong)


def test_mutated_files_break_no_promise() -> None:
    """The benchmark, smaller: crashes would be seen, as each file is read in another process."""
    command = [sys.executable, "benchmarks/fuzz_midi.py", "--files", "240", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert found["files"] == 240
    assert found["failed"] == []
    assert found["kept"] > 0.35  # of 40 files; the benchmark asks 0.45 of 1,667
    assert found["wrong"] <= 0.005
    assert found["megabytes"] < 500

"""Charts out of files of every kind."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from musenet.options import parse
from musenet.options.chart_files import chart_of_file
from tokenizer.chords.chart import parse_chart
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.notation.write import write_musicxml

CHART = "C | Am | F | G7"
ABC = 'X:1\nT:One\nM:4/4\nL:1/4\nK:C\n"C"CDEF|"Am"AGFE|"F"FFFF|"G7"GGGG|]\n'


def midi(path: Path, *texts: str) -> Path:
    """A bar of 4/4 for each text, which is a marker on its bar line."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    for text in texts:
        track.append(mido.MetaMessage("marker", text=text, time=0))
        track.append(mido.Message("note_on", note=60, velocity=80, time=0))
        track.append(mido.Message("note_off", note=60, velocity=0, time=1920))
    file.tracks.append(track)
    file.save(path)
    return path


def test_text_abc_musicxml_and_midi_give_the_same_chart(tmp_path: Path) -> None:
    song = midi(tmp_path / "a.mid", "C", "Am", "F", "G7")
    chords = [(1920 * bar, name) for bar, name in enumerate(CHART.split(" | "))]
    write_musicxml(read(song), tmp_path / "a.musicxml", chords=chords)
    write_musicxml(read(song), tmp_path / "a.mxl", chords=chords)
    (tmp_path / "a.txt").write_text(CHART)
    (tmp_path / "a.abc").write_text(ABC + ABC.replace("X:1", "X:2").replace("Am", "Dm"))
    for file in sorted(tmp_path.iterdir()):
        assert parse_chart(parse.chords(str(file))) == parse_chart(CHART), file.name


def test_an_upbeat_without_chord_is_no_bar_of_the_chart(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(ABC.replace('K:C\n"C"', 'K:C\nG|"C"'))
    assert parse_chart(parse.chords(str(tmp_path / "a.abc"))) == parse_chart(CHART)


def test_what_is_no_file_is_left_to_the_chart_reader() -> None:
    assert chart_of_file(CHART) is None
    assert chart_of_file("C | " * 5000) is None
    assert chart_of_file("a\0b") is None


def test_files_without_chords_say_how_to_find_them(tmp_path: Path) -> None:
    song = midi(tmp_path / "a.mid", "Verse", "Chorus")
    with pytest.raises(InputError, match=r"names no chords; 'musenet inspect .* --chords'"):
        parse.chords(str(song))
    (tmp_path / "a.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nCDEF|\n")
    with pytest.raises(InputError, match="has no chords"):
        parse.chords(str(tmp_path / "a.abc"))
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00C")
    with pytest.raises(InputError, match="is not a text file"):
        parse.chords(str(tmp_path / "a.txt"))

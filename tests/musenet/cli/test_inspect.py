"""`musenet inspect` on good, odd and broken files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from musenet.cli.inspect import inspect
from musenet.editing.holed import HoledPiece
from musenet.editing.piece import read_piece
from musenet.generation.prompt import read_prompt
from musenet.options.fill_options import FillOptions
from tokenizer import InputError, Score, read, write
from tokenizer.score.columns import NO_TRACK, NOTES, TEXTS

FIXTURES = Path(__file__).parents[2] / "fixtures"
SAMBA = FIXTURES / "midi" / "groove_latin_samba_fill.mid"
MASS = FIXTURES / "midi" / "bach_mass_in_b_minor_13.mid"
TWO_HANDS = Path(__file__).parents[3] / "examples" / "user_prompts" / "sonatina.mid"
CUT = FIXTURES / "nasty" / "trunc_mid_vlq.mid"
ZIP = FIXTURES / "nasty" / "zip_magic.mid"
KEYS = (
    "path ok error offset notes tracks programs seconds repaired chords chords_from".split()  # noqa: SIM905
)

app = typer.Typer()
app.command()(inspect)


def run(*arguments: Path | str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    return result.exit_code, result.stdout


def test_numbers_are_those_of_the_options(tmp_path: Path) -> None:
    """A setup track without notes stands in front, as workstations write it."""
    song = mido.MidiFile(type=1)
    for name, channel in (
        ("Setup", None),
        ("Drums", 9),
        ("Sub", 0),
        ("Notes to self", None),
        ("Keys", 1),
    ):
        track = song.add_track(name)
        for bar in range(4) if channel is not None else ():
            track.append(mido.Message("note_on", channel=channel, note=40, time=480 * (bar > 0)))
            track.append(mido.Message("note_off", channel=channel, note=40, time=480))
    path = tmp_path / "song.mid"
    song.save(path)
    _, output = run(path)
    lines = [[cell.strip() for cell in line.split("│")] for line in output.splitlines()]
    shown = {cells[2]: cells[1] for cells in lines if len(cells) > 2}
    assert shown == {"Drums": "2", "Sub": "3", "Keys": "5"}
    for name, number in shown.items():
        prompt = read_prompt(path, hear_as={number: 47})
        heard = dict(zip(prompt.hearing.names, prompt.parts, strict=True))
        assert [label for label, part in heard.items() if part.program == 47] == [name]
        holed = HoledPiece(read_piece(path), FillOptions(bars=((1, 1),), tracks=(number,)))
        assert [song.tracks[track].name for track, _ in holed.spots or ()] == [name]


def test_channels_of_one_track_are_counted(tmp_path: Path) -> None:
    song = mido.MidiFile(type=0)
    track = song.add_track("Song")
    for channel in (0, 3):
        track.append(mido.Message("program_change", channel=channel, program=4 * channel))
        track.append(mido.Message("note_on", channel=channel, note=60))
        track.append(mido.Message("note_off", channel=channel, note=60, time=1920))
    path = tmp_path / "song.mid"
    song.save(path)
    _, output = run(path)
    assert [line.split("│")[1].strip() for line in output.splitlines() if "│" in line] == ["1", "2"]
    prompt = read_prompt(path, hear_as={"2": 47})
    assert [(part.channel, part.program) for part in prompt.parts] == [(0, 0), (3, 47)]
    piece = read_piece(path).as_heard({"2": 47})
    assert [(part.channel, part.program) for part in piece.hearing.parts] == [(0, 0), (3, 47)]


def rows(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_agrees_with_mido() -> None:
    code, output = run(MASS, SAMBA, "--json")
    assert code == 0
    for row, path in zip(rows(output), (MASS, SAMBA), strict=True):
        file = mido.MidiFile(path)
        ons = [m for track in file.tracks for m in track if m.type == "note_on" and m.velocity]
        changes = {m.program for track in file.tracks for m in track if m.type == "program_change"}
        assert list(row) == KEYS
        assert (row["path"], row["ok"], row["error"], row["offset"]) == (
            str(path),
            True,
            None,
            None,
        )
        assert row["notes"] == len(ons)
        assert set(row["programs"]) <= changes | {0, 128}
        now = last = 0.0
        for message in file:  # mido gives seconds here
            now += message.time
            last = now if message.type.startswith("note_") else last
        assert row["seconds"] == pytest.approx(last, abs=1e-3)
        assert row["repaired"] is False


def test_goes_on_after_a_bad_file_and_exits_with_1() -> None:
    code, output = run(ZIP, CUT, SAMBA, "--json")
    assert code == 1
    first, second, third = rows(output)
    assert (first["ok"], second["ok"], third["ok"]) == (False, False, True)
    assert "zip archive" in first["error"]
    assert first["offset"] == 0
    assert second["offset"] == 94


def test_a_folder_is_searched_through(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "SONG.MID").write_bytes(SAMBA.read_bytes())
    (tmp_path / "notes.txt").write_text("no music")
    code, output = run(tmp_path, "--json")
    assert code == 0
    (row,) = rows(output)
    assert row["path"].endswith("SONG.MID")
    code, output = run(FIXTURES / "nasty")
    assert code == 1
    assert "✓" in output
    assert "✗" in output


def test_repair_writes_what_can_be_saved(tmp_path: Path) -> None:
    code, output = run(CUT, "--repair", tmp_path / "saved.mid", "--json")
    assert code == 0
    (row,) = rows(output)
    assert (row["ok"], row["repaired"], row["notes"]) == (True, True, 8)
    assert len(read(tmp_path / "saved.mid").notes) == 8
    damaged = tmp_path / "damaged.mid"
    damaged.write_bytes(CUT.read_bytes())
    with pytest.raises(InputError, match="there already; name another"):
        run(damaged, "--repair", damaged)
    assert damaged.read_bytes() == CUT.read_bytes()
    code, output = run(FIXTURES / "nasty", "--repair", tmp_path / "all", "--json")
    assert code == 1
    saved = {Path(row["path"]).name for row in rows(output) if row["repaired"]}
    assert {path.name for path in (tmp_path / "all").iterdir()} == saved
    assert "trunc_mid_vlq.mid" in saved
    for path in (tmp_path / "all").iterdir():
        assert len(read(path).notes) > 0


def test_two_files_are_not_written_over_each_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "song.mid").write_bytes(CUT.read_bytes())
    with pytest.raises(InputError, match="both be written"):
        run(tmp_path / "a", tmp_path / "b", "--repair", tmp_path / "out")


def test_text_tells_the_parts_and_the_oddities(tmp_path: Path) -> None:
    code, output = run(MASS)
    assert code == 0
    assert "1059 notes, 8 tracks" in output
    assert "Violin" in output
    assert "480 ticks per quarter" in output
    code, output = run(FIXTURES / "nasty" / "two_tracks_same_channel.mid")
    assert "share channel 1: a synthesiser plays" in output
    assert "odd" not in run(TWO_HANDS)[1], "two hands of one piano on one channel are usual"
    code, output = run(CUT, "--repair", tmp_path / "saved.mid")
    assert "damaged: track 1 is kept up to byte 94" in output.replace("\n", " ")


def test_meters_that_the_vocabulary_lacks_are_named() -> None:
    _, output = run(FIXTURES / "reports" / "meter_3_64.mid")
    assert "lost in tokens: the vocabulary has no 3/64" in output
    _, output = run(MASS)
    assert "lost in tokens" not in output


def test_names_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    name = b"\x1b[2J[red]x"
    track = b"\x00\xff\x03" + bytes((len(name),)) + name
    track += b"\x00\x90\x3c\x40\x60\x80\x3c\x40\x00\xff\x2f\x00"
    header = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk"
    path = tmp_path / "song.mid"
    path.write_bytes(header + len(track).to_bytes(4, "big") + track)
    _, output = run(path)
    assert "\x1b" not in output
    assert "[red]x" in output


def test_nothing_to_look_at_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no MIDI file"):
        run(tmp_path)


def test_a_missing_file_is_told() -> None:
    code, output = run("nothing.mid", SAMBA, "--json")
    assert code == 1
    assert "No such file" in rows(output)[0]["error"]
    assert rows(output)[1]["ok"]


def song(path: Path, markers: Sequence[tuple[int, int, str]] = ()) -> Path:
    """C, Am, F, G, C in block chords, a bar each."""
    triads = [(48, 64, 67), (45, 60, 64), (41, 60, 69), (43, 62, 71), (48, 64, 67)]
    notes = [(1920 * n, 1920, pitch, 80, 0, 0) for n, triad in enumerate(triads) for pitch in triad]
    texts = np.array(list(markers), TEXTS)
    write(Score(480, notes=np.array(notes, NOTES), markers=texts), path)
    return path


def test_chords_are_estimated(tmp_path: Path) -> None:
    path = song(tmp_path / "song.mid")
    assert run(path, "--chords") == (0, f"{path}: chords estimated\nC | Am | F | G\nC\n")


def test_chords_that_the_file_names_go_before(tmp_path: Path) -> None:
    markers = [(0, NO_TRACK, "Cmaj7"), (2880, NO_TRACK, "[D7]"), (3840, NO_TRACK, "Chorus")]
    path = song(tmp_path / "song.mid", markers)
    chart = "Cmaj7 | Cmaj7 D7 | D7 | D7\nD7"
    assert run(path, "--chords") == (0, f"{path}: chords as the file names them\n{chart}\n")


def test_chords_as_json(tmp_path: Path) -> None:
    path = song(tmp_path / "song.mid")
    code, output = run(path, CUT, "--chords", "--json")
    assert code == 1
    assert [(row["chords"], row["chords_from"]) for row in rows(output)] == [
        ("C | Am | F | G\nC", "notes"),
        (None, None),
    ]


def test_the_recipe_of_a_generated_file_is_told() -> None:
    examples = FIXTURES.parents[1] / "examples"
    _, told = run(examples / "continuations" / "folk.mid")
    assert "seed 0, variation 1; musenet replay makes it again" in " ".join(told.split())
    assert "recipe" not in run(examples / "prompts" / "folk.mid")[1]

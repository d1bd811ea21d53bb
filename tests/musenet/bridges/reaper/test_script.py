"""The script for REAPER in Lua 5.4, against a stand-in that checks each call."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from musenet.bridges.reaper.install import script
from musenet.bridges.reaper.request import parse
from musenet.bridges.song import ClipNote, ClipTrack
from musenet.options.fill_options import FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place

from .conftest import Reaper, lines_of

ROOT = Path(__file__).parents[4]
CONTINUE, FILL, ACCOMPANY, FOUR = 1, 2, 3, 4
ESCAPE = 27


def test_what_is_selected_is_sent_as_it_plays(reaper: Reaper) -> None:
    reaper.run(CONTINUE)
    (text,) = reaper.requests
    request = parse(text)
    assert request.action == "continue"
    assert request.song.tracks == (ClipTrack("Bass", 33),)  # the piano is not selected
    starts = [float(beat - 8) for beat in range(8, 24, 2)]
    assert [(n.start, n.end) for n in request.song.notes] == [(s, s + 1.5) for s in starts]
    assert request.song.notes[0] == ClipNote(0, 0.0, 1.5, 0, 38, 100)
    assert request.song.end == 16.0
    assert request.song.meters == ((0.0, 4, 4),)
    assert request.song.tempos[0] == (0.0, 120.0)
    assert isinstance(request.options, GenerateOptions)
    assert (request.options.bars, request.options.stop) == (8, Place(bar=4))
    assert reaper.boxes == []
    assert reaper.files == []


def test_a_fill_hears_the_others_and_writes_the_selected(reaper: Reaper) -> None:
    reaper.stand_in.select(12.0, 20.0)
    reaper.run(FILL, values="2\n\n\n\n7")
    request = parse(reaper.requests[0])
    assert request.song.tracks == (ClipTrack("Bass", 33), ClipTrack("Piano left"))
    assert ClipNote(1, 2.0, 4.0, 1, 60, 80) in request.song.notes
    options = request.options
    assert isinstance(options, FillOptions)
    assert (options.begin, options.stop) == (Place(bar=2), Place(bar=3))
    assert (options.tracks, options.variations, options.seed) == (("2",), (1, 2), 7)


def test_takes_of_a_fill_are_takes_of_the_item(reaper: Reaper) -> None:
    reaper.stand_in.select(12.0, 20.0)
    before = lines_of(reaper, "Bass")
    piano = lines_of(reaper, "Piano\tleft")
    ids = {}

    def answer(command: str) -> str:
        song = parse(reaper.requests[-1]).song
        ids.update({n.start: i for i, n in enumerate(song.notes) if not n.track})
        gone = "".join(f"remove\t{ids[start]}\n" for start in (4.0, 6.0, 8.0, 10.0))
        takes = (
            f"take\tMuseNet fill {n}\n{gone}add\t0\t4.5\t5.25\t0\t{40 + n}\t90\n" for n in (1, 2)
        )
        return "ok\nspan\t4.0\t12.0\n" + "".join(takes)

    reaper.answer = answer
    reaper.run(FILL, values="2\n\n\n\n7")
    assert reaper.boxes == []
    lines = lines_of(reaper, "Bass")
    assert lines[0] == " item 8-24 selected"
    old = [line.replace(" *", "") for line in before[1:]]
    assert lines[1 : len(before)] == old  # the take that was there, event for event
    kept = [line for line in before[2:] if line.startswith("   note")]
    gone = [f"   note {beat}-{beat + 1.5:g} " for beat in (12, 14, 16, 18)]
    kept = [line for line in kept if not line.startswith(tuple(gone))]
    others = [line for line in before[2:] if not line.startswith("   note")]
    new = []
    for n in (1, 2):
        notes = sorted([*kept, f"   note 12.5-13.25 0 {40 + n} 90"], key=place)
        new += [f"  take MuseNet fill {n}" + " *" * (n == 1), *notes, *others]
    assert lines[len(before) :] == new
    assert "   note 13-14 0 50 64 muted" in new
    assert lines_of(reaper, "Piano\tleft") == piano
    assert [step.label for step in reaper.project.undo.values()] == ["MuseNet: fill"]
    assert reaper.files == []


def place(line: str) -> float:
    """Where a line's note begins."""
    return float(line.split()[1].partition("-")[0])


def test_a_continuation_is_an_item_behind_and_one_step_of_undo(reaper: Reaper) -> None:
    before = reaper.lines
    reaper.answer = lambda command: (
        "ok\nspan\t16.0\t24.0\ntrack\t1\tStrings\n"
        "take\tMuseNet continue 1\nadd\t0\t16.0\t17.0\t0\t40\t90\nadd\t1\t18.0\t26.0\t2\t70\t50\n"
        "take\tMuseNet continue 2\nadd\t0\t20.0\t21.0\t0\t41\t91\n"
    )
    reaper.run(CONTINUE, values="2\n2\n\n\n\n")
    assert reaper.boxes == []
    bass = lines_of(reaper, "Bass")
    assert bass[bass.index(" item 24-32 selected") :] == [
        " item 24-32 selected",
        "  take MuseNet continue 1 *",
        "   note 24-25 0 40 90",
        "  take MuseNet continue 2",
        "   note 28-29 0 41 91",
    ]
    assert lines_of(reaper, "Strings") == [
        " item 24-34 selected",
        "  take MuseNet continue 1 *",
        "   note 26-34 2 70 50",
    ]
    assert len(reaper.project.undo) == 1
    reaper.stand_in.api.reaper.Undo_DoUndo2(0)
    assert reaper.lines == before


def test_four_takes_ask_again_without_a_dialog(reaper: Reaper) -> None:
    reaper.stand_in.select(12.0, 20.0)
    reaper.run(FILL, values="2\n\nAm | F\n0.9\n7")
    reaper.run(FOUR)
    assert len(reaper.project.dialogs) == 1
    first, again = (parse(text).options for text in reaper.requests)
    assert isinstance(again, FillOptions)
    assert again.variations == (1, 2, 3, 4)
    assert again.chords == first.chords == "Am | F"
    assert again.temperature == first.temperature
    reaper.run(FILL)
    assert reaper.project.dialogs[2]["values"] == "2\n\nAm | F\n0.9\n7"  # as it was typed


def test_parts_are_written_under_the_selection_or_all(reaper: Reaper) -> None:
    reaper.run(ACCOMPANY)
    assert "option\tinstruments\tdrums, bass, piano" in reaper.requests[0]
    assert parse(reaper.requests[0]).options.instruments == (128, 33, 0)
    reaper.stand_in.select(12.0, 16.0)
    reaper.run(ACCOMPANY)
    options = parse(reaper.requests[1]).options
    assert isinstance(options, FillOptions)
    assert (options.added, options.begin, options.stop) == (
        (128, 33, 0),
        Place(bar=2),
        Place(bar=2),
    )


def test_bars_of_other_meters_and_tempos(tmp_path: Path) -> None:
    reaper = Reaper(tmp_path)
    reaper.project.bars = reaper.table([])
    for count, beats, unit, bpm in ((2, 3, 4, 90), (2, 6, 8, 150), (30, 4, 4, 120)):
        reaper.stand_in.add_bars(count, beats, unit, bpm)
    reaper.stand_in.add_track("", False)
    item = reaper.stand_in.add_item(0, 4.0, 16.0, True)
    reaper.stand_in.add_note(item, 4.0, 5.0, 9, 36, 100, False)
    reaper.run(CONTINUE)
    song = parse(reaper.requests[0]).song
    assert song.meters == ((0.0, 3, 4), (3.0, 6, 8), (9.0, 4, 4))
    assert [round(bpm) for _, bpm in song.tempos] == [90, 150, 150, 120]
    assert song.notes == (ClipNote(0, 1.0, 2.0, 9, 36, 100),)


def nothing_selected(reaper: Reaper) -> None:
    reaper.project.tracks[1]["items"][1].selected = False


def looped(reaper: Reaper) -> None:
    item = reaper.project.tracks[1]["items"][1]
    item.loops, item.takes[1].length = True, 4.0


@pytest.mark.parametrize(
    ("choice", "prepare", "words"),
    [
        (CONTINUE, nothing_selected, "Select one or more MIDI items first."),
        (FILL, lambda reaper: None, "Set a time selection"),
        (CONTINUE, looped, "The item in bar 3 is looped."),
    ],
)
def test_what_cannot_be_asked_is_said(
    reaper: Reaper, choice: int, prepare: Callable[[Reaper], None], words: str
) -> None:
    prepare(reaper)
    before = reaper.lines
    reaper.run(choice)
    (said,) = reaper.boxes
    assert words in said
    assert (reaper.lines, reaper.requests, reaper.files) == (before, [], [])


def test_a_dialog_or_a_menu_that_is_left_does_nothing(reaper: Reaper) -> None:
    reaper.run(CONTINUE, values=False)
    reaper.run(0)
    assert (reaper.requests, reaper.boxes, len(reaper.project.undo)) == ([], [], 0)


def test_an_error_of_the_program_is_a_box(reaper: Reaper) -> None:
    before = reaper.lines
    reaper.answer = lambda command: "error\tBars 0 is outside 1 to 10,000\n"
    reaper.run(CONTINUE)
    assert reaper.boxes == ["Bars 0 is outside 1 to 10,000"]
    assert (reaper.lines, reaper.files) == (before, [])


def test_escape_stops_it(reaper: Reaper) -> None:
    folder = reaper.folder / "MuseNet"
    reaper.answer = lambda command: None

    def on_turn(turn: int) -> None:
        (name,) = {path.name.split(".")[0] for path in folder.glob("*.request.txt")}
        if turn == 3:
            reaper.project.keys = reaper.table([ESCAPE])
        if (folder / f"{name}.cancel.txt").exists():
            (folder / f"{name}.answer.txt").write_text("cancelled\n")
        (folder / f"{name}.progress.txt").write_text(f"{turn}\t0.250\n")

    reaper.on_turn = on_turn
    before = reaper.lines
    reaper.run(CONTINUE)
    assert reaper.project.drawn == "Stopping …"
    assert (reaper.boxes, reaper.lines, reaper.files) == ([], before, [])


def test_a_program_that_is_silent_is_given_up(reaper: Reaper) -> None:
    reaper.answer = lambda command: None
    reaper.run(CONTINUE)
    (said,) = reaper.boxes
    assert "MuseNet does not answer" in said
    assert 59 < reaper.project.clock < 70


def test_what_goes_wrong_in_the_middle_changes_nothing(reaper: Reaper) -> None:
    before = reaper.lines
    reaper.answer = lambda command: (
        "ok\nspan\t16.0\t24.0\ntake\tMuseNet continue 1\n"
        "add\t0\t16.0\t17.0\t0\t40\t90\nadd\t0\t17.0\t18.0\t0\t999\t90\n"
    )
    reaper.run(CONTINUE)
    (said,) = reaper.boxes
    assert "The project is as it was. The music is in " in said
    assert reaper.lines == before
    assert len(reaper.project.undo) == 0


def test_takes_without_notes_are_said(reaper: Reaper) -> None:
    before = reaper.lines
    reaper.answer = lambda command: "ok\nspan\t16.0\t24.0\ntake\tMuseNet continue 1\n"
    reaper.run(CONTINUE)
    (said,) = reaper.boxes
    assert said.startswith("No note was written.")
    assert reaper.lines == before


def test_an_item_that_went_away_meanwhile(reaper: Reaper) -> None:
    def answer(command: str) -> str:
        reaper.project.tracks[1]["items"][1].gone = True
        return "ok\nspan\t16.0\t24.0\ntake\tx\nadd\t0\t16.0\t17.0\t0\t40\t90\n"

    reaper.answer = answer
    reaper.run(CONTINUE)
    (said,) = reaper.boxes
    assert said.startswith("An item was removed while music was made.")


def test_the_installed_script_is_lua_and_runs_the_program(reaper: Reaper) -> None:
    reaper.run(CONTINUE, script().decode())
    (command,) = reaper.project.commands.values()
    words = shlex.split(command)
    assert words[:-1] == [
        sys.executable,
        "-m",
        "musenet.cli.start",
        "bridge",
        "run",
        "--weights",
        "mini",
    ]
    assert Path(words[-1]).parent == reaper.folder / "MuseNet"


@pytest.mark.slow
def test_the_real_program_fills_continues_and_accompanies(reaper: Reaper) -> None:
    def answer(command: str) -> None:
        subprocess.run(shlex.split(command), check=True, cwd=ROOT, timeout=300)

    reaper.answer = answer
    reaper.stand_in.select(12.0, 20.0)
    reaper.run(FILL, script().decode(), values="2\n\n\n\n7")
    assert reaper.boxes == []
    lines = lines_of(reaper, "Bass")
    assert [line for line in lines if "take" in line] == [
        "  take played",
        "  take MuseNet fill 1 *",
        "  take MuseNet fill 2",
    ]
    for note in ("   note 8-9.5 0 38 100", "   note 22-23.5 0 41 100"):
        assert lines.count(note) == 3
    assert len({line for line in lines if line.startswith("   note")}) > 9
    nothing = reaper.table([0, 0])
    reaper.project.selection = nothing
    reaper.run(CONTINUE, script().decode(), values="1\n2\n\n\n\n7")
    assert reaper.boxes == []
    assert " item 24-32 selected" in lines_of(reaper, "Bass")
    reaper.run(ACCOMPANY, script().decode(), values="2\nflute, drums\n\n\n7")
    assert reaper.boxes == []
    tracks = [line for line in reaper.lines if line.startswith("track ")]
    assert len(tracks) > 2  # beside the bass and the piano
    for track in tracks[2:]:
        lines = lines_of(reaper, track.removeprefix("track "))
        assert lines[0] == " item 24-32 selected"
        assert any(line.startswith("   note ") for line in lines)
    assert [step.label for step in reaper.project.undo.values()] == [
        f"MuseNet: {action}" for action in ("fill", "continue", "accompany")
    ]
    assert reaper.files == []

"""Notes taken out and put in, beside whatever a file may hold; mido reads what comes out."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musenet.export.file_notes import file_notes
from musenet.export.replace_notes import Edit, replaced, undo, without_notes
from tokenizer.midi import events
from tokenizer.midi.events import Event, File
from tokenizer.midi.read import read
from tokenizer.score.score import NOTES
from tokenizer.typing import Notes

HOLE = [(100, 200)]


def on(tick: int, pitch: int, channel: int = 0) -> Event:
    return Event(tick, bytes((0x90 | channel, pitch, 80)))


def off(tick: int, pitch: int, channel: int = 0) -> Event:
    return Event(tick, bytes((0x80 | channel, pitch, 0)))


def new_notes(*rows: tuple[int, int, int]) -> Notes:
    """Start, duration, pitch; a piano."""
    notes = np.zeros(len(rows), NOTES)
    for name, column in zip(("start", "duration", "pitch"), zip(*rows, strict=True), strict=True):
        notes[name] = column
    notes["velocity"] = 90
    return notes


def heard(file: File) -> list[tuple[int, int, int]]:
    """Start, end and pitch of each note, as the reader pairs them."""
    notes = read(events.dump(file)).notes
    return sorted(
        zip(
            notes["start"].tolist(),
            (notes["start"] + notes["duration"]).tolist(),
            notes["pitch"].tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize(
    ("standing", "new", "expected"),
    [
        # A new note ends where a note of the file begins, and that one is as long as it was.
        ([on(150, 60), off(220, 60)], (110, 60, 60), (110, 150)),
        # It starts where one that sounds ends, if half of it is left …
        ([on(50, 60), off(120, 60)], (110, 60, 60), (120, 170)),
        # … and is left out if not, or if it begins with it.
        ([on(50, 60), off(150, 60)], (110, 60, 60), None),
        ([on(110, 60), off(120, 60)], (110, 60, 60), None),
        # A note that never ends holds its pitch for good.
        ([on(20, 60)], (110, 60, 60), None),
        # A note-off without a note would end it.
        ([off(140, 60)], (110, 60, 60), (110, 140)),
        # Another pitch or channel is nothing to it.
        ([on(50, 61), off(250, 61)], (110, 60, 60), (110, 170)),
        (
            [Event(0, b"\xc3\x28"), on(50, 60, 3), off(250, 60, 3)],
            (110, 60, 60),
            (110, 170),
        ),
        # It ends with the hole at the latest.
        ([], (110, 600, 60), (110, 200)),
    ],
)
def test_a_new_note_makes_way(
    standing: list[Event], new: tuple[int, int, int], expected: tuple[int, int] | None
) -> None:
    track = [on(0, 20), off(400, 20), *standing]
    file = File(96, [sorted(track, key=lambda e: e.tick)], 400)
    here = file_notes(file)
    changed, edit, notes = replaced(file, here, here.notes[:0], new_notes(new), HOLE)
    before = heard(file)
    added = [(*expected, new[2])] if expected else []
    assert heard(changed) == sorted([*before, *added])
    assert len(notes) == len(added)
    assert undo(changed, edit).tracks == file.tracks


def test_programs_are_those_of_the_reader() -> None:
    """Changes of program in a track, percussion by channel and by Roland's message."""
    part_15 = bytes((0xF0, 10, 0x41, 0x10, 0x42, 0x12, 0x40, 0x1F, 0x15, 1, 0x0B, 0xF7))
    file = File(
        96,
        [
            [
                *(Event(0, bytes((0xC1, 40))), on(0, 60, 1), off(9, 60, 1)),
                *(Event(10, bytes((0xC1, 73))), on(20, 61, 1), off(30, 61, 1)),
            ],
            [on(0, 36, 9), off(5, 36, 9)],
            [Event(0, part_15), on(0, 38, 15), off(5, 38, 15)],
        ],
    )
    here = file_notes(file)
    found = {
        (int(n["start"]), int(n["pitch"]), int(n["program"]))
        for n in here.notes  # one row a note
    }
    score = read(events.dump(file)).notes
    columns = (score[name].tolist() for name in ("start", "pitch", "program"))
    assert found == set(zip(*columns, strict=True))
    assert here.program_at((0, 1), 5) == 40
    assert here.program_at((0, 1), 10) == 73
    assert here.program_at((2, 15), 0) == 128


def test_a_part_that_has_not_begun_gets_its_program() -> None:
    track = [Event(300, bytes((0xC2, 48))), on(300, 60, 2), off(340, 60, 2)]
    file = File(96, [track], 400)
    new = new_notes((110, 50, 64))
    new["program"] = 48
    here = file_notes(file)
    changed, edit, _ = replaced(file, here, here.notes[:0], new, HOLE)
    assert len(changed.tracks) == 1
    assert set(read(events.dump(changed)).notes["program"].tolist()) == {48}
    assert undo(changed, edit).tracks == file.tracks


events_of_tracks = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(60, 62),
        st.integers(0, 1),
        st.sampled_from(["on", "off", "pedal"]),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(events_of_tracks, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(100, 199), st.integers(1, 90), st.integers(60, 62)), max_size=9),
    st.booleans(),
)
def test_whatever_a_file_holds_the_rest_stays(
    tracks: list[list[tuple[int, int, int, str]]], rows: list[tuple[int, int, int]], clear: bool
) -> None:
    """Any notes, stray and missing ends included: the reader finds all that stood, and the new."""
    file = File(96, [[_event(*row) for row in sorted(track)] for track in tracks], 400)
    file.tracks[0] = [on(0, 20), *file.tracks[0], off(400, 20)]
    here = file_notes(file)
    inside = (here.notes["start"] >= 100) & (here.notes["start"] < 200)
    gone = here.notes[inside] if clear else here.notes[:0]
    changed, edit, notes = replaced(file, here, gone, new_notes(*rows or [(100, 1, 60)]), HOLE)
    ends = (notes["start"] + notes["duration"]).tolist()
    new = zip(notes["start"].tolist(), ends, notes["pitch"].tolist(), strict=True)
    assert heard(changed) == sorted([*heard(without_notes(file, gone)), *new])
    undone = undo(changed, Edit.from_text(edit.to_text()))
    assert undone.tracks == file.tracks
    mine = mido.MidiFile(file=io.BytesIO(events.dump(changed)))
    theirs = mido.MidiFile(file=io.BytesIO(events.dump(file)))
    for track, other in zip(theirs.tracks, mine.tracks, strict=False):
        assert [m.bytes() for m in track if m.type == "control_change"] == [
            m.bytes() for m in other if m.type == "control_change"
        ]


def _event(tick: int, pitch: int, channel: int, kind: str) -> Event:
    if kind == "pedal":
        return Event(tick, bytes((0xB0 | channel, 64, pitch)))
    return on(tick, pitch, channel) if kind == "on" else off(tick, pitch, channel)


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA"])
def test_a_damaged_edit_is_said_to_be_one(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Edit.from_text(text)

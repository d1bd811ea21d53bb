"""Edits by hand: the notes become what was asked for, and every other event stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musenet.studio.editing import EditedNote, Edits, edited, track_numbers
from musenet.tree.tree import Node
from tokenizer.midi.read import read

from .conftest import FOLK, Studio

Messages = Callable[[bytes], list[list[tuple[int, bytes]]]]
PROMPTS = sorted(FOLK.parent.glob("*.mid"))
COLUMNS = ["start", "duration", "pitch", "velocity", "track"]


def node_of(path: Path) -> Node:
    return Node(1, None, path.stem, path.read_bytes())


def notes_of(data: bytes) -> Counter[tuple[int, ...]]:
    """The notes of a file, without regard to their order."""
    return Counter(read(data).notes[COLUMNS].tolist())


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_some_notes_are_removed_and_nothing_else(path: Path, messages: Messages) -> None:
    node, rng = node_of(path), np.random.default_rng(0)
    notes = read(node.data).notes
    gone = sorted(rng.choice(len(notes), len(notes) // 3, replace=False).tolist())
    after = edited(node, Edits(remove=tuple(gone)))
    left = np.delete(notes, gone)
    assert notes_of(after.data) == Counter(left[COLUMNS].tolist())
    for old, new in zip(messages(node.data), messages(after.data), strict=True):
        others = [m for m in old if m[1][0] & 0xE0 != 0x80]
        assert [m for m in new if m[1][0] & 0xE0 != 0x80] == others
        assert not Counter(new) - Counter(old)


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_a_note_is_moved_on_its_own_track(path: Path) -> None:
    node = node_of(path)
    notes = read(node.data).notes
    end = int((notes["start"] + notes["duration"]).max())
    for index in (0, len(notes) // 2, len(notes) - 1):
        old = notes[index]
        row = (end + 10, 240, int(old["pitch"]), 99, int(old["track"]))
        after = edited(node, Edits(change=((index, EditedNote(*row)),)))
        expected = Counter(notes[COLUMNS].tolist())
        expected[old[COLUMNS].item()] -= 1
        expected[row] += 1
        assert notes_of(after.data) == +expected


def test_notes_are_added_where_nothing_sounds(messages: Messages) -> None:
    node = node_of(FOLK)
    row = (480, 200, 100, 77, 1)
    after = edited(node, Edits(add=(EditedNote(*row),)))
    assert notes_of(after.data) - notes_of(node.data) == Counter([row])
    for old, new in zip(messages(node.data), messages(after.data), strict=True):
        assert not Counter(old) - Counter(new)


def test_a_note_gives_way_to_one_that_sounds() -> None:
    node = node_of(FOLK)
    old = read(node.data).notes[0]
    start, pitch, track = int(old["start"]), int(old["pitch"]), int(old["track"])
    inside = EditedNote(start + 1, 5, pitch, 80, track)
    assert notes_of(edited(node, Edits(add=(inside,))).data) == notes_of(node.data)


def test_edits_over_http_are_a_step_of_undo(studio: Studio) -> None:
    score = studio("GET", "nodes/1/score")
    first = {name: column[0] for name, column in score["notes"].items()}
    changed = {**first, "velocity": 1, "program": 7}
    node = studio("POST", "nodes/1/edit", json={"remove": [5], "change": [[0, changed]], "add": []})
    assert (node["kind"], node["parent"], node["notes"]) == ("edit", 1, 127)
    assert studio("GET", f"nodes/{node['id']}/score")["notes"]["velocity"][0] == 1
    assert studio.make(node["id"], bars=1)["state"] == "done"
    assert [n["id"] for n in studio("POST", "undo")["nodes"]] == [1]
    assert [n["id"] for n in studio("POST", "redo")["nodes"]] == [1, 2, 3]


NOTE = {"start": 0, "duration": 1, "pitch": 60, "velocity": 64, "track": 0}


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ({}, "empty"),
        ({"remove": [128]}, "no note 128"),
        ({"remove": [-1]}, "no note -1"),
        ({"remove": [3, 3]}, "twice"),
        ({"remove": [3], "change": [[3, NOTE]]}, "twice"),
        ({"remove": ["3"]}, "damaged"),
        ({"delete": [3]}, "did you mean|known are"),
        ({"add": [{**NOTE, "track": 2}]}, "no track 2"),
        ({"add": [{**NOTE, "pitch": 128}]}, "pitch"),
        ({"add": [{**NOTE, "velocity": 0}]}, "velocity"),
        ({"add": [{**NOTE, "duration": 0}]}, "cannot last"),
        ({"add": [{**NOTE, "start": -1}]}, "cannot last"),
        ({"add": [{**NOTE, "start": 2**31}]}, "cannot last"),
        ({"add": [{"start": 0}]}, "damaged"),
        ({"add": 3}, "damaged"),
    ],
)
def test_wrong_edits_change_nothing(studio: Studio, edit: dict[str, Any], sentence: str) -> None:
    code, said = studio.refuses("POST", "nodes/1/edit", json=edit)
    assert code == 400
    assert any(part in said for part in sentence.split("|"))
    assert len(studio("GET", "tree")["nodes"]) == 1


def test_tracks_have_the_numbers_that_fill_takes(messages: Messages) -> None:
    for path in PROMPTS:
        node = node_of(path)
        with_notes = [
            number
            for number, track in enumerate(messages(node.data), 1)
            if any(m[1][0] & 0xF0 == 0x90 for m in track)
        ]
        assert sorted(set(track_numbers(node))) == with_notes

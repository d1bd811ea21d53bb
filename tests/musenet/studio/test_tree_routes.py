"""The tree over HTTP: what comes in, what is refused, and that every change can be undone."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import mido
import pytest

from musenet.studio import tree_routes
from musenet.tree.file import read_tree

from .conftest import FOLK, Studio


def texts(tree: dict[str, Any]) -> list[tuple[int, str, bool, str]]:
    return [(node["id"], node["name"], node["mark"], node["note"]) for node in tree["nodes"]]


def test_a_midi_file_becomes_a_node_that_is_saved(studio: Studio) -> None:
    (node,) = studio("GET", "tree")["nodes"]
    assert {k: node[k] for k in ("id", "parent", "kind", "title", "bars", "notes")} == {
        "id": 1, "parent": None, "kind": "prompt", "title": "folk", "bars": 8, "notes": 128,
    }  # fmt: skip
    tempo = next(m.tempo for m in mido.MidiFile(FOLK).tracks[0] if m.type == "set_tempo")
    assert node["seconds"] == pytest.approx(8 * 3 * tempo / 1e6)  # to the bar line
    assert read_tree(studio.workspace.path).nodes[1].data == FOLK.read_bytes()


def test_the_notes_are_those_of_the_file(studio: Studio) -> None:
    score = studio("GET", "nodes/1/score")
    messages = [m for track in mido.MidiFile(FOLK).tracks for m in track]
    pitches = [m.note for m in messages if m.type == "note_on" and m.velocity]
    assert sorted(score["notes"]["pitch"]) == sorted(pitches)
    assert {len(column) for column in score["notes"].values()} == {len(pitches)}
    assert score["ticks_per_quarter"] == mido.MidiFile(FOLK).ticks_per_beat
    assert score["bars"] == [bar * 3 * 480 for bar in range(9)]
    assert score["end"] == 8 * 3 * 480
    assert score["meters"] == [[0, 3, 4]]
    assert score["tempos"] == [[0, next(m.tempo for m in messages if m.type == "set_tempo")]]
    assert [track["program"] for track in score["tracks"]] == [40, 24]
    assert score["boundary"] is None
    assert score["chords"][0][0] == 0


def test_openings_and_blank_nodes(studio: Studio) -> None:
    names = studio("GET", "info")["openings"]
    assert len(names) == 8
    for name in names:
        node = studio("POST", "prompts", json={"opening": name})
        assert node["title"] == name
        assert node["notes"] > 0
    blank = studio("POST", "prompts", json={"blank": True})
    assert (blank["title"], blank["notes"], blank["bars"]) == ("", 0, 0)
    score = studio("GET", f"nodes/{blank['id']}/score")
    assert score["notes"]["pitch"] == []
    assert score["tempos"] == [[0, 500_000]]
    code, sentence = studio.refuses("POST", "prompts", json={"opening": "fulk"})
    assert (code, "did you mean 'folk'" in sentence) == (400, True)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "folk.mid/../../x", "C:\\x\\..\\y.mid", "/dev/zero"]
)
def test_no_name_of_a_client_is_a_path(studio: Studio, name: str) -> None:
    studio.refuses("POST", "prompts", json={"opening": name})
    headers = {"X-Name": name.encode()}
    node = studio("POST", "prompts", content=FOLK.read_bytes(), headers=headers)
    assert not set("/\\") & set(node["title"])
    assert sorted(p.name for p in studio.workspace.path.parent.iterdir()) == ["song.tree.json"]


def test_damaged_files_are_refused_and_change_nothing(studio: Studio) -> None:
    data = FOLK.read_bytes()
    for bad in (b"", b"MThd", b"RIFF" * 9, data[:-40], data[:60] + b"\xff" * 20 + data[80:]):
        code, sentence = studio.refuses("POST", "prompts", content=bad, headers={"X-Name": "x.mid"})
        assert code == 400
        assert sentence.startswith("x")
    silent = io.BytesIO()
    empty = mido.MidiFile()
    empty.tracks.append(mido.MidiTrack())
    empty.save(file=silent)
    assert "no notes" in studio.refuses("POST", "prompts", content=silent.getvalue())[1]
    assert len(studio("GET", "tree")["nodes"]) == 1


def test_an_upload_is_refused_while_it_is_read(studio: Studio) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 10 * tree_routes.LARGEST_UPLOAD:
            sent += 2**20
            yield bytes(2**20)

    code, sentence = studio.refuses("POST", "prompts", content=endless())
    assert (code, "10 MB" in sentence) == (413, True)
    assert len(studio("GET", "tree")["nodes"]) == 1


def test_marks_names_and_notes(studio: Studio) -> None:
    assert studio("PATCH", "nodes/1", json={"name": "chorus", "note": "slower"})["mark"]
    assert texts(studio("GET", "tree")) == [(1, "chorus", True, "slower")]
    assert studio("PATCH", "nodes/1", json={"name": ""})["mark"]
    assert studio("PATCH", "nodes/1", json={"mark": False})["mark"] is False
    studio("POST", "undo")
    studio("POST", "undo")
    assert texts(studio("GET", "tree")) == [(1, "chorus", True, "slower")]
    assert read_tree(studio.workspace.path).nodes[1].name == "chorus"
    studio("POST", "prompts", json={"opening": "pop"})
    code, sentence = studio.refuses("PATCH", "nodes/2", json={"name": "chorus"})
    assert (code, "already called" in sentence) == (400, True)


@pytest.mark.parametrize(
    "wrong", [{"name": 3}, {"mark": "yes"}, {"data": "x"}, {"note": "x" * 10_001}, [1], 3, None]
)
def test_what_a_node_does_not_take(studio: Studio, wrong: object) -> None:
    code, _ = studio.refuses("PATCH", "nodes/1", json=wrong)
    assert code == 400
    assert texts(studio("GET", "tree")) == [(1, "", False, "")]


def test_bodies_that_are_no_json(studio: Studio) -> None:
    for body in (b"", b"{", b"[" * 100_000, b"\xff"):
        assert studio.refuses("PATCH", "nodes/1", content=body)[0] == 400
    assert studio.refuses("PATCH", "nodes/1", content=b" " * (5 * 2**20))[0] == 413


def test_pruning_is_undone(studio: Studio) -> None:
    studio("POST", "prompts", json={"opening": "pop"})
    studio("PATCH", "nodes/2", json={"mark": True})
    before = studio("GET", "tree")
    after = studio("DELETE", "nodes/2")
    assert [node["id"] for node in after["nodes"]] == [1]
    assert studio("DELETE", "nodes/1")["nodes"] == []
    studio("POST", "undo")
    assert studio("POST", "undo")["nodes"] == before["nodes"]
    assert [node["id"] for node in studio("POST", "redo")["nodes"]] == [1]
    for _ in range(4):
        tree = studio("POST", "undo")
    assert (tree["nodes"], tree["undo"], tree["redo"]) == ([], False, True)
    assert studio.refuses("POST", "undo") == (400, "there is nothing to undo")


@pytest.mark.parametrize(
    "path", ["nodes/9/score", "nodes/0/file.mid", "nodes/-1/score", "nodes/x/score", "nothing"]
)
def test_what_is_not_there(studio: Studio, path: str) -> None:
    assert studio.refuses("GET", path)[0] == 404


def test_wrong_methods(studio: Studio) -> None:
    assert studio.refuses("POST", "tree")[0] == 405
    assert studio.refuses("GET", "undo")[0] == 405


def test_a_tree_is_reopened_as_it_was(open_studio: Callable[..., Studio], studio: Studio) -> None:
    studio("POST", "prompts", json={"opening": "jazz"})
    studio("PATCH", "nodes/1", json={"name": "chorus", "note": "slower"})
    before = studio("GET", "tree")
    again = open_studio()("GET", "tree")
    assert again["nodes"] == before["nodes"]
    assert (again["undo"], again["redo"]) == (False, False)

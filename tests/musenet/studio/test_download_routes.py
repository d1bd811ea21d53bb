"""Files to take away."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import mido
import pytest

from musenet.studio import about
from tokenizer.midi.read import read
from tokenizer.notation.read import musicxml_score

from .conftest import FOLK, Studio


def test_a_score_for_players_has_the_notes_of_the_file(studio: Studio) -> None:
    answer = studio.client.get("/api/v1/nodes/1/score.musicxml")
    assert "folk%201.musicxml" in answer.headers["content-disposition"]
    ours, theirs = musicxml_score(answer.content), read(FOLK)
    assert sorted(ours.notes["pitch"].tolist()) == sorted(theirs.notes["pitch"].tolist())
    back = studio("POST", "prompts", content=answer.content, headers={"X-Name": "a.musicxml"})
    assert (back["title"], back["notes"]) == ("a", len(theirs.notes))


def test_without_the_library_a_score_is_refused_in_one_sentence(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    assert studio("GET", "info")["can"]["musicxml"]
    for module in ("stream", "musicxml.m21ToXml"):
        monkeypatch.setitem(sys.modules, f"music21.{module}", None)
    code, said = studio.refuses("GET", "nodes/1/score.musicxml")
    assert code == 400
    assert "pip install 'musenet[musicxml]'" in said
    find = about.importlib.util.find_spec  # type: ignore[attr-defined]
    without: Callable[[str], object] = lambda name: None if name == "music21" else find(name)  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", without)
    assert not studio("GET", "info")["can"]["musicxml"]


def test_stems_are_one_file_a_player_of_the_same_length(studio: Studio) -> None:
    answer = studio.client.get("/api/v1/nodes/1/stems.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = [mido.MidiFile(file=io.BytesIO(archive.read(name))) for name in archive.namelist()]
    assert len(files) == 2
    lengths = {sum(m.time for m in track) for file in files for track in file.tracks[-1:]}
    assert len(lengths) == 1


def test_one_stem_by_its_tracks_number(studio: Studio) -> None:
    for track in studio("GET", "nodes/1/score")["tracks"]:
        answer = studio.client.get(f"/api/v1/nodes/1/stems/{track['number']}.mid")
        assert track["name"] in answer.headers["content-disposition"]
        stem = read(answer.content)
        assert {own.program for own in stem.tracks} == {track["program"]}
    assert studio.refuses("GET", "nodes/1/stems/99.mid")[0] == 404


def test_a_picture(studio: Studio) -> None:
    assert studio.client.get("/api/v1/nodes/1/picture.png").content.startswith(b"\x89PNG")

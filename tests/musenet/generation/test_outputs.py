"""Places to be written, found out before the work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from musenet.generation.outputs import Outputs, check_writable
from tokenizer.errors import InputError


def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder" / "a.mid", (".mid",))
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(InputError, match="is a file, not a folder"):
        check_writable(tmp_path / "file" / "a.mid")
    with pytest.raises(InputError, match=r"must end in \.mid"):
        check_writable(tmp_path / "a.wav", (".mid", ".midi"))


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="no permission"):
        check_writable(tmp_path / "a.mid")


def test_all_places_are_checked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    song = tmp_path / "a.mid"
    Outputs(song, tmp_path / "a.png", tmp_path / "stems").check(folder=False)
    Outputs(tmp_path / "songs", tmp_path / "pictures").check(folder=True)
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        Outputs(song, tmp_path / "a.gif").check(folder=False)
    with pytest.raises(InputError, match="name a folder"):
        Outputs(song, stems=tmp_path / "file").check(folder=False)
    with pytest.raises(InputError, match="name a folder"):
        Outputs(tmp_path / "file").check(folder=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_there_gets_the_next_number(tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    assert Outputs(song).unused((1,)).midi == song
    song.touch()
    assert Outputs(song).unused((1,)).midi == tmp_path / "song-2.mid"
    (tmp_path / "song-2.mid").touch()
    assert Outputs(song).unused((1,)).midi == tmp_path / "song-3.mid"
    stems = tmp_path / "stems"
    stems.mkdir()
    assert Outputs(song, stems=stems).unused((1,)).stems == stems
    (stems / "01 Piano.mid").touch()
    assert Outputs(song, stems=stems).unused((1,)).stems == tmp_path / "stems-2"
    assert Outputs(song, force=True).unused((1,)).midi == song


def test_variations_are_numbered_together(tmp_path: Path) -> None:
    out = Outputs(tmp_path / "v.mid", picture=tmp_path / "p.png")
    (tmp_path / "v-2.mid").touch()
    found = out.unused((1, 2))
    assert (found.midi.name, found.picture) == ("v-2.mid", tmp_path / "p.png")
    assert replace(out, keep=1).unused((1, 2)).midi == out.midi


def test_the_prompt_is_never_overwritten(tmp_path: Path) -> None:
    prompt = tmp_path / "song.mid"
    prompt.touch()
    assert Outputs(prompt).unused((1,), prompt).midi == tmp_path / "song-2.mid"
    with pytest.raises(InputError, match="is the prompt itself"):
        Outputs(prompt, force=True).unused((1,), prompt)
    other, stems = tmp_path / "song-1.mid", tmp_path / "stems"
    other.touch()
    with pytest.raises(InputError, match=r"song-1\.mid is the prompt itself"):
        Outputs(prompt, force=True).unused((1, 2), prompt, other)
    stems.mkdir()
    (stems / "01 Piano.mid").touch()
    with pytest.raises(InputError, match="lies in the folder for the stems"):
        Outputs(prompt, stems=stems, force=True).unused((1,), stems / "01 Piano.mid")


def test_a_folder_of_prompts_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the prompts are a folder; name a folder"):
        Outputs(tmp_path / "some.mid").check(folder=True)

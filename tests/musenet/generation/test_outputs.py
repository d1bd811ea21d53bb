"""Places to be written, found out before the work."""

from __future__ import annotations

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

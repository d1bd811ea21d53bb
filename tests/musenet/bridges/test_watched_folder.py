"""Files are given out once, when they are whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from musenet.bridges.watched_folder import WatchedFolder, check_folders
from tokenizer.errors import InputError


def names(folder: WatchedFolder) -> list[str]:
    return [path.name for path in folder.ready()]


def test_a_file_is_given_out_when_it_no_longer_grows(tmp_path: Path) -> None:
    folder = WatchedFolder(tmp_path)
    with (tmp_path / "song.mid").open("wb") as file:
        for part in range(3):
            assert names(folder) == []
            file.write(b"x" * (part + 1))
            file.flush()
            os.utime(tmp_path / "song.mid", (part, part))
    assert names(folder) == []
    assert names(folder) == ["song.mid"]
    assert names(folder) == []


def test_an_empty_file_is_not_whole(tmp_path: Path) -> None:
    folder = WatchedFolder(tmp_path)
    (tmp_path / "song.mid").touch()
    assert [names(folder) for _ in range(3)] == [[], [], []]


def test_what_is_written_anew_is_given_out_again(tmp_path: Path) -> None:
    folder, path = WatchedFolder(tmp_path), tmp_path / "song.mid"
    path.write_bytes(b"one")
    assert [names(folder) for _ in range(3)] == [[], ["song.mid"], []]
    path.write_bytes(b"two")
    os.utime(path, (9, 9))
    assert [names(folder) for _ in range(3)] == [[], ["song.mid"], []]
    path.unlink()
    assert names(folder) == []
    path.write_bytes(b"two")
    os.utime(path, (9, 9))
    assert [names(folder) for _ in range(3)] == [[], ["song.mid"], []]


def test_what_is_there_already_is_left_or_taken(tmp_path: Path) -> None:
    for number, name in enumerate(("b.mid", "a.mid")):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (number, number))
    left = WatchedFolder(tmp_path)
    assert left.passed_over == 2
    assert [names(left) for _ in range(2)] == [[], []]
    taken = WatchedFolder(tmp_path, existing=True)
    assert [names(taken) for _ in range(3)] == [[], ["b.mid", "a.mid"], []]


def test_only_music_in_the_folder_itself_counts(tmp_path: Path) -> None:
    folder = WatchedFolder(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("a.txt", ".b.mid", "in/c.mid", "D.MID", "e.musicxml", "f.midi", "g.mid.part"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.mid").mkdir()
    assert names(folder) == []
    assert sorted(names(folder)) == ["D.MID", "e.musicxml", "f.midi"]


def test_folders_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        WatchedFolder(tmp_path / "missing")
    with pytest.raises(InputError, match="into the folder that is watched"):
        check_folders(tmp_path, tmp_path / "x" / "..")
    check_folders(tmp_path, tmp_path / "out")
    folder = tmp_path / "in"
    folder.mkdir()
    watched = WatchedFolder(folder)
    folder.rmdir()
    with pytest.raises(InputError, match="has gone"):
        watched.ready()

"""Files and folders appear whole or not at all, and a suffix names a format."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from tokenizer.errors import InputError
from tokenizer.files import format_of, replacing, replacing_folder, write_text


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_only_when_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old\n")
    with pytest.raises(TypeError), replacing(path) as temporary:
        temporary.write_bytes("no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old\n"
    write_text(path, "new\n")
    assert path.read_bytes() == b"new\n"
    assert _names(path.parent) == ["a.txt"]


def test_a_folder_is_replaced_only_when_the_new_one_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"
    with replacing_folder(target) as folder:
        assert not target.exists()
        (folder / "old").write_bytes(b"1")
    with pytest.raises(TypeError), replacing_folder(target) as folder:
        (folder / "half").write_bytes("no bytes")  # type: ignore[arg-type]
    assert _names(target) == ["old"]
    with replacing_folder(target) as folder:
        (folder / "new").write_bytes(b"3")
    assert _names(target) == ["new"]
    assert _names(target.parent) == ["model"]


def test_a_failure_while_writing_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replacing_folder(target) as folder:
        (folder / "old").write_bytes(b"1")
    with pytest.raises(InputError, match=r"cannot write .*model"), replacing_folder(target):
        raise OSError(28, "No space left on device")
    assert _names(target) == ["old"]
    assert _names(tmp_path) == ["model"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_new_folder_and_file_have_the_permissions_that_the_user_gives(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with replacing_folder(tmp_path / "model"):
            pass
        write_text(tmp_path / "a.txt", "")
    finally:
        os.umask(old)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_file_is_not_replaced_by_a_folder_nor_a_folder_by_a_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "kept")
    with pytest.raises(InputError, match="it is a file"), replacing_folder(tmp_path / "a"):
        pass
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        write_text(tmp_path / "b", "")
    with pytest.raises(InputError, match="choose a folder"), replacing_folder(tmp_path / "a" / "c"):
        pass
    assert (tmp_path / "a").read_text(encoding="utf-8") == "kept"
    assert _names(tmp_path) == ["a", "b"]


def test_the_format_is_the_suffix() -> None:
    assert format_of("music/Song.WAV", "audio", ("wav", "flac")) == "wav"
    with pytest.raises(InputError, match=r"audio is \.wav or \.flac, not 'song.mp3'"):
        format_of("song.mp3", "audio", ("wav", "flac"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT])
def test_a_file_that_cannot_be_written_whole_is_one_sentence(tmp_path: Path, code: int) -> None:
    write_text(tmp_path / "a.txt", "old\n")

    def fill_up() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_bytes(b"half")
            raise OSError(code, os.strerror(code))

    with pytest.raises(InputError, match=os.strerror(code)):
        fill_up()
    assert (tmp_path / "a.txt").read_text() == "old\n"
    assert _names(tmp_path) == ["a.txt"]

"""The script is written into REAPER's folder, and never over what somebody changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from musenet.bridges.reaper import install as module
from musenet.bridges.reaper.install import SCRIPT, command, install, resource_folder, script
from musenet.cli.main import main
from tokenizer.errors import InputError


def test_the_script_with_the_command_in_it(tmp_path: Path) -> None:
    path = install(tmp_path)
    assert path == tmp_path / "musenet.lua"
    text = path.read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("local COMMAND")]
    assert f"[==[{command('mini')}]==]" in line
    plain = SCRIPT.read_text(encoding="utf-8").splitlines()
    assert sum(a != b for a, b in zip(text.splitlines()[1:], plain, strict=True)) == 1


def test_an_older_version_is_replaced_and_a_changed_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "__version__", "0.0.1")
    path = install(tmp_path, weights="old")
    monkeypatch.undo()
    assert install(tmp_path).read_bytes() == script()
    changed = path.read_bytes().replace(b"PATIENCE = 60", b"PATIENCE = 90")
    for other in (changed, b"-- mine\n", b""):
        path.write_bytes(other)
        with pytest.raises(InputError, match="was changed since it was installed"):
            install(tmp_path)
        assert path.read_bytes() == other
    assert install(tmp_path, force=True).read_bytes() == script()


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("win32", "Roaming/REAPER"),
        ("darwin", "Library/Application Support/REAPER"),
        ("linux", ".config/REAPER"),
    ],
)
def test_the_folder_of_each_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, folder: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("APPDATA", str(tmp_path / "Roaming"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert resource_folder() == tmp_path / folder
    with pytest.raises(InputError, match="REAPER's folder is not at"):
        install(None)
    (tmp_path / folder).mkdir(parents=True)
    assert install(None) == tmp_path / folder / "Scripts" / "musenet.lua"


def test_blanks_in_the_program_s_path_are_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my music/python")
    assert command("mini").startswith('"/opt/my music/python" -m musenet.cli.start bridge run ')


def test_the_command_installs_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["bridge", "reaper", "--to", str(tmp_path)])
    assert not stop.value.code
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'musenet.lua'}\nIn REAPER: ")
    with pytest.raises(SystemExit) as stop:
        main(["bridge", "reaper", "--to", str(tmp_path), "--weights", "missing"])
    assert stop.value.code == 2

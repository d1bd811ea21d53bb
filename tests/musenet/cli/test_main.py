"""`--help` of every command as a terminal shows it: each option, and its default."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from musenet.cli import main as main_module
from musenet.cli.main import COMMANDS, app, named
from tokenizer import read


def commands() -> Iterator[tuple[str, ...]]:
    """The names of every command, as they are typed."""
    for name in COMMANDS:
        for child in getattr(named(name), "commands", None) or [None]:
            yield (name,) if child is None else (name, child)


PROMPTS = Path(__file__).parents[3] / "examples" / "prompts"
PROMPT = str(PROMPTS / "folk.mid")


def parameters(path: tuple[str, ...]) -> list[Any]:
    command = named(path[0])
    for name in path[1:]:
        command = command.commands[name]
    return list(command.params)


def default_of(parameter: Any) -> str:
    """What the help has to say of a parameter's default; nothing where there is none."""
    if isinstance(parameter.show_default, str):
        return f"({parameter.show_default})"
    if not parameter.show_default or parameter.default in (None, False, (), []):
        return ""
    if parameter.default is True:
        return str(parameter.opts[0]).removeprefix("--")
    return str(parameter.default)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_help_shows_every_option_with_its_default(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    assert result.exit_code == 0
    shown = re.sub(r"[│╭╮╰╯─\s]+", " ", result.output)
    for parameter in parameters(path):
        assert "[" not in (getattr(parameter, "help", None) or ""), "rich swallows square brackets"
        default = default_of(parameter)
        if parameter.param_type_name == "option":
            assert parameter.opts[0] in shown
        if default and parameter.name != "help":
            assert f"[default: {default}]" in shown, parameter.name


def test_the_list_says_of_each_command_what_its_own_help_says() -> None:
    for name, (_, words) in COMMANDS.items():
        assert (named(name).help or "").split("\n\n")[0].replace("\n", " ").strip() == words


def test_every_module_of_a_command_is_in_the_list() -> None:
    others = {"main", "options", "progress", "generate_run", "start", "usage_errors"}
    folder = Path(main_module.__file__).parent
    found = {path.stem for path in folder.glob("*.py")} - {"__init__"} - others
    assert found == {module for module, _ in COMMANDS.values()}


def test_a_mistyped_command_gets_the_nearest_name() -> None:
    result = CliRunner().invoke(app, ["genrate"])
    assert result.exit_code == 2
    assert "generate" in result.output


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT])
def test_what_the_system_refuses_is_one_sentence(
    code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), "out.mid")

    monkeypatch.setattr(main_module, "app", full)
    with pytest.raises(SystemExit) as stop:
        main_module.main(["generate"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"musenet: out.mid: {os.strerror(code)}; ")
    assert said.count("\n") == 1


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own that has no room left."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root of Linux may mount a small disk")
    try:
        (disk / "filling").write_bytes(bytes(64 * 1024))
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", PROMPT, "--weights", "{weights}", "--bars", "1", "--out", "{disk}/o.mid"],
        ["tree", "new", "{disk}/song.tree.json", PROMPT],
        ["prepare", str(PROMPTS), "--out", "{disk}/dataset"],
        ["bands", "--pieces", "20", "--out", "{disk}/bands"],
        ["finetune", str(PROMPTS), "--from", "{weights}", "--out", "{disk}/mine"],
    ],
    ids=lambda arguments: " ".join(arguments[:1]),
)
def test_a_full_disk_is_one_sentence(
    arguments: list[str], full_disk: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main_module.main([a.format(weights=folder, disk=full_disk) for a in arguments])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    message = said[said.rindex("musenet: ") :]
    assert re.search("No space left on device|disk is full", message)
    assert str(full_disk) in message
    assert "make room" in message
    assert message.count("\n") == 1
    left = [path for path in full_disk.rglob("*") if path.name.startswith(".")]
    assert not [path for path in left if path.name != ".work"]


@pytest.mark.parametrize(("name", "saved"), [("trunc_mid_vlq", True), ("not_midi_text", False)])
def test_a_damaged_prompt_is_refused_with_how_it_is_saved_if_it_can_be(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, saved: bool
) -> None:
    damaged = Path(__file__).parents[2] / "fixtures" / "nasty" / f"{name}.mid"
    with pytest.raises(SystemExit, match="2"):
        main_module.main(["generate", str(damaged), "--out", str(tmp_path / "out.mid")])
    said = capsys.readouterr().err
    assert said.startswith(f"musenet: {damaged}")
    assert said.count("\n") == 1
    assert ("--repair" in said) == saved
    if saved:
        repaired = tmp_path / "repaired.mid"
        words = ["inspect", str(damaged), "--repair", str(repaired)]
        assert CliRunner().invoke(app, words).exit_code == 0
        assert read(repaired).end > 0

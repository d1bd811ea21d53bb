"""`--help` of every command as a terminal shows it: each option, and its default."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from musenet.cli import main as main_module
from musenet.cli.main import app


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names of every command, as they are typed."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, child in command.commands.items():
        yield from commands(child, (*path, name))


ROOT: Any = typer.main.get_command(app)


def parameters(path: tuple[str, ...]) -> list[Any]:
    command = ROOT
    for name in path:
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


@pytest.mark.parametrize("path", list(commands(ROOT)), ids=" ".join)
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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT])
def test_what_the_system_refuses_is_one_sentence(
    code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> None:
        raise OSError(code, os.strerror(code), "out.mid")

    monkeypatch.setattr(main_module, "app", full)
    with pytest.raises(SystemExit) as stop:
        main_module.main(["generate"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"musenet: out.mid: {os.strerror(code)}; ")
    assert said.count("\n") == 1

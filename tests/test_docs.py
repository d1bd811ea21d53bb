"""The public text: every command parses, every link leads somewhere, and it speaks of itself."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from musenet.cli.main import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "musenet" / "pretrained").rglob("*.md")) + sorted(
    (ROOT / "examples").rglob("*.md")
)
SHELL = re.compile(r"```(?:sh|bash|console)\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
ROOFS = {"train.py": "train", "generate.py": "generate"}


def commands(page: Path) -> list[list[str]]:
    """Every command line of this project on a page, as arguments of `musenet`."""
    found = []
    for block in SHELL.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["musenet"]:
                found.append(words[1:])
            elif words[:1] == ["python"] and len(words) > 1 and words[1] in ROOFS:
                found.append([ROOFS[words[1]], *words[2:]])
    return found


def parse(arguments: list[str]) -> None:
    """Parse a command line as `musenet` would, without running it."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    if not {"--help", "-h"} & set(arguments):
        command.make_context(command.name, list(arguments))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_on_a_page_parses(page: Path) -> None:
    for arguments in commands(page):
        parse(arguments)


def test_the_readme_shows_commands() -> None:
    assert {line[0] for line in commands(ROOT / "README.md")} >= {"generate", "prepare", "train"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_on_a_page_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target

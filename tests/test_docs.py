"""The public text: every command parses, every option exists, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from musenet.cli.main import COMMANDS, app, named

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "musenet" / "pretrained").rglob("*.md")) + sorted(
    (ROOT / "examples").rglob("*.md")
)
FENCE = re.compile(r"^ *```([^\n]*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SHELLS = {"", "sh", "bash", "console"}
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
INLINE = re.compile(r"`(?:musenet|python) ([a-z][a-z.-]*(?: [a-z-]+)?)")
OPTION = re.compile(r"`(--[a-z][a-z-]*)[^`\n]*`")
ROOFS = {"train.py": "train", "generate.py": "generate"}
OF_OTHER_PROGRAMS = {
    "--nproc-per-node",
    "--nnodes",
    "--node-rank",
    "--master-addr",
    "--master-port",
}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def lines(page: Path) -> Iterator[str]:
    """The lines of a page's shell fences, those that end in a backslash joined to the next."""
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language.strip() in SHELLS:
            yield from re.sub(r"\\\n\s*", "", block).splitlines()


def commands(page: Path) -> list[list[str]]:
    """Every command line of this project on a page, as arguments of `musenet`."""
    found = []
    for line in lines(page):
        line = re.sub(r"^\s*(\$ )?([A-Z_]+=\S+ )*", "", line)  # a prompt, the environment
        script = re.match(r"(?:python|torchrun .*?) ?\b(train|generate)\.py\b", line)
        if line.startswith("musenet "):
            found.append(shlex.split(line, comments=True)[1:])
        elif script:
            found.append([script[1], *shlex.split(line[script.end() :], comments=True)])
    return found


@cache
def whole() -> Any:
    """`musenet` with all its commands loaded."""
    group: Any = typer.main.get_command(app)
    group.commands = {name: named(name) for name in COMMANDS}
    return group


def parse(arguments: list[str]) -> None:
    """Parse a command line as `musenet` would, without running it."""
    command = whole()
    while hasattr(command, "commands"):
        assert arguments, "a command is missing"
        name, *arguments = arguments
        assert name in command.commands, name
        command = command.commands[name]
    if not {"--help", "-h"} & set(arguments):
        command.make_context(command.name, list(arguments))


def options(command: Any) -> set[str]:
    """Every option of a command and of its subcommands."""
    found = {name for parameter in command.params for name in parameter.opts}
    found |= {name for parameter in command.params for name in parameter.secondary_opts}
    for inner in getattr(command, "commands", {}).values():
        found |= options(inner)
    return found


@each_page
def test_every_command_on_a_page_parses(page: Path) -> None:
    for arguments in commands(page):
        try:
            parse(arguments)
        except Exception as error:
            pytest.fail(f"musenet {shlex.join(arguments)}: {error}")


@each_page
def test_no_command_on_a_page_is_overlooked(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    written = re.findall(r"^(?:\S+=\S+ |\$ )*musenet \w", text, re.MULTILINE)
    written += re.findall(
        r"^(?:python|torchrun [^`\n]*) ?\b(?:train|generate)\.py", text, re.MULTILINE
    )
    assert len(commands(page)) == len(written)


@pytest.mark.parametrize(
    "page", ["README.md", "docs/data.md", "docs/generation.md", "docs/training.md"]
)
def test_the_pages_of_commands_show_some(page: str) -> None:
    assert commands(ROOT / page)


def test_the_readme_shows_commands() -> None:
    assert {line[0] for line in commands(ROOT / "README.md")} >= {"generate", "prepare", "train"}


@each_page
def test_every_training_on_a_page_has_a_length(page: Path) -> None:
    lengths = re.compile(r"--(hours|minutes|steps|config|resume)$|(minutes|steps)=")
    for line in (line for line in commands(page) if line[0] == "train"):
        assert any(map(lengths.match, line)), line


@each_page
def test_every_script_on_a_page_exists(page: Path) -> None:
    for line in lines(page):
        script = re.match(r"python (\S+\.py)", line)
        assert script is None or (ROOT / script[1]).is_file(), line


@each_page
def test_every_command_in_the_text_exists(page: Path) -> None:
    for words in INLINE.findall(page.read_text(encoding="utf-8")):
        command = whole()
        for word in words.split():
            word = ROOFS.get(word, word)
            if not hasattr(command, "commands") or word.startswith("benchmarks"):
                break
            assert word in command.commands, f"musenet {words}"
            command = command.commands[word]


@each_page
def test_every_option_in_the_text_exists(page: Path) -> None:
    """Of `musenet`, or of a benchmark."""
    known = options(whole()) | OF_OTHER_PROGRAMS
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        known |= set(re.findall(r'"(--[a-z-]+)"', script.read_text(encoding="utf-8")))
    if page.name != "CHANGELOG.md":  # which also tells what options were called before
        assert set(OPTION.findall(page.read_text(encoding="utf-8"))) <= known


@each_page
def test_every_link_on_a_page_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target

"""The house: imports only go down, importing is cheap, and the public text is about the project."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("tokenizer", "data_prep", "musenet")
FORBIDDEN = {
    "tokenizer": {"torch", "data_prep", "musenet"},
    "data_prep": {"torch", "musenet"},
    "musenet": {"train", "generate"},
}


def imported(path: Path) -> set[str]:
    """The top-level names of every absolute import in a file, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_only_go_down(floor: str) -> None:
    files = sorted((ROOT / floor).rglob("*.py"))
    assert files
    for path in files:
        assert not imported(path) & FORBIDDEN[floor], path


@pytest.mark.parametrize("script", ["train.py", "generate.py"])
def test_the_roof_only_hands_on(script: str) -> None:
    assert imported(ROOT / script) == {"musenet"}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(m.partition('.')[0] for m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(result.stdout.split())


def test_the_ground_floor_is_light() -> None:
    heavy = {"torch", "xformers", "matplotlib", "pyarrow", "pretty_midi", "miditoolkit", "mido"}
    assert not loaded_by("import tokenizer") & heavy


def test_the_command_line_and_the_package_load_nothing_heavy() -> None:
    heavy = {"torch", "xformers", "matplotlib", "pretty_midi", "miditoolkit"}
    assert not loaded_by("import musenet.cli.main") & heavy
    assert "xformers" not in loaded_by("import musenet.model.transformer")


ACROSS = {
    "tests/data_prep/bands/test_styles.py",  # the style files
    "tests/musenet/generation/test_docs.py",
    "tests/musenet/generation/test_outside.py",  # other programs
    "tests/test_docs.py",
    "tests/test_house.py",
    "tests/test_packaging.py",
    "tests/tokenizer/midi/test_mido.py",  # reading and writing together
    "tests/tokenizer/test_corpora.py",
    "tests/tokenizer/test_docs.py",
}
"""Tests of more than one module."""


def test_every_test_stands_where_its_module_does() -> None:
    tests = {path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    modules = {Path(*path.parts[1:-1], path.name.removeprefix("test_")): path for path in tests}
    without = {str(test) for module, test in modules.items() if not (ROOT / module).is_file()}
    assert without == ACROSS

"""What the page on security promises of the code as a whole."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for package in ("tokenizer", "data_prep", "musenet")
    for path in sorted((ROOT / package).rglob("*.py"))
]
NEVER_IMPORTED = {"pickle", "shelve", "marshal", "dill", "joblib", "cloudpickle"}
NETWORK = {"socket", "socketserver", "http", "urllib", "requests", "asyncio", "ftplib", "smtplib"}
NETWORK |= {"starlette", "uvicorn", "httpx", "pythonosc"}
OF_THE_STUDIO = {"asyncio", "starlette", "uvicorn"}
STUDIO = ROOT / "musenet" / "studio"
ABLETON = ROOT / "musenet" / "bridges" / "ableton" / "osc.py"
NEVER_CALLED = {"eval", "exec", "extract", "extractall", "unpack_archive"}
LOADERS = {("torch", "load"), ("np", "load"), ("numpy", "load"), ("os", "system")}


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def called(tree: ast.AST) -> tuple[set[str], set[tuple[str, str]]]:
    """The names of plain functions and methods called, and (module, function) pairs."""
    plain, pairs = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            plain.add(node.func.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"extract", "extractall", "unpack_archive"}:
                plain.add(node.func.attr)
            if isinstance(node.func.value, ast.Name):
                pairs.add((node.func.value.id, node.func.attr))
    return plain, pairs


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled_executed_unpacked_or_sent(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = OF_THE_STUDIO if path.is_relative_to(STUDIO) else set()
    allowed |= {"pythonosc"} if path == ABLETON else set()
    assert not imported(tree) & (NEVER_IMPORTED | (NETWORK - allowed))
    plain, pairs = called(tree)
    assert not plain & NEVER_CALLED
    assert not pairs & LOADERS


def test_what_the_checks_look_for_is_found() -> None:
    tree = ast.parse(
        "import pickle\nfrom http.server import x\ntorch.load(f)\neval('1')\na.extractall()"
    )
    assert {"pickle", "http"} <= imported(tree)
    plain, pairs = called(tree)
    assert {"eval", "extractall"} <= plain
    assert ("torch", "load") in pairs


def test_every_promise_names_tests_that_exist() -> None:
    rows = re.findall(
        r"^\| .* \|$", (ROOT / "SECURITY.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) > 8
    for row in rows[1:]:
        files = re.findall(r"`((?:tests|benchmarks)/[^`]+)`", row)
        assert files, row
        for file in files:
            assert (ROOT / file).is_file(), file


def test_the_oldest_versions_are_those_that_the_project_states() -> None:
    stated = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for line in (ROOT / "benchmarks" / "oldest.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if version and not line.startswith("#"):
            found = re.search(rf'"{re.escape(name)}>=([\d.]+)', stated)
            assert found, name
            assert version.startswith(found[1]), line

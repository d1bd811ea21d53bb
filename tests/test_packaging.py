"""The packages that are built: their licences, what goes into them, and their version."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import musenet
from musenet.cli.main import app

# By name: an import under one version of Python is unknown to type checkers under the other.
tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
ROOT = Path(__file__).parent.parent
OF_DEVELOPMENT = {".ci", ".gitignore"}
"""What a source package need not carry."""


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_each_licence_comes_with_its_text(settings: dict[str, Any]) -> None:
    titles = {
        "Apache-2.0": "Apache License",
        "CC-BY-SA-4.0": "Attribution-ShareAlike 4.0",
        "MIT": "MIT License",
    }
    texts = [
        (ROOT / name).read_text(encoding="utf-8") for name in settings["project"]["license-files"]
    ]
    names = settings["project"]["license"].split(" AND ")
    assert len(names) == len(texts)
    for name, text in zip(names, texts, strict=True):
        assert titles[name] in text[:300]


def test_the_source_package_carries_all_that_is_tracked(
    settings: dict[str, Any], tracked: list[str]
) -> None:
    included = settings["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert all((ROOT / name).exists() for name in included)
    tops = {name.partition("/")[0] for name in tracked}
    assert tops - set(included) == OF_DEVELOPMENT | {"pyproject.toml"}  # the last goes in by itself


def test_no_file_of_a_package_is_hidden_from_the_builder(
    settings: dict[str, Any], tracked: list[str]
) -> None:
    """It leaves out what `.gitignore` names, also what is tracked nevertheless."""
    packages = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    shipped = [name for name in tracked if name.partition("/")[0] in packages]
    assert {Path(name).suffix for name in shipped} >= {
        ".py",
        ".json",
        ".toml",
        ".safetensors",
        ".md",
    }
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=ROOT,
        input="\n".join(shipped),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout == ""


def test_every_folder_of_modules_is_a_package(settings: dict[str, Any]) -> None:
    for package in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        folders = {path.parent for path in (ROOT / package).rglob("*.py")}
        assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_the_command_line_tells_the_version(settings: dict[str, Any]) -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout == f"musenet {musenet.__version__}\n"
    assert settings["tool"]["hatch"]["version"]["path"] == "musenet/__init__.py"


def test_the_wheel_has_the_prompt_of_the_demo(settings: dict[str, Any]) -> None:
    from musenet.studio.about import _PACKED, openings

    extra = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert extra == {"examples/prompts": str(_PACKED.relative_to(ROOT))}
    assert "chorale" in openings()

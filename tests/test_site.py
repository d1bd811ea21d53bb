"""The documentation as a site: it builds without a warning, every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("tokenizer", "data_prep", "musenet")


class Page(HTMLParser):
    """The links of a page, and the places on it that links can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name in ("id", "name") and value:
                self.places.add(value)


@pytest.mark.slow
def test_the_site_builds_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    for module in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(module, reason=f"{module} is not installed (pip install '.[docs]')")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path: Page(path) for path in tmp_path.rglob("*.html") if path.name != "404.html"}
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:|//", link):
                continue
            target, place = urldefrag(unquote(link))
            found = (path.parent / target).resolve() if target else path
            found = found / "index.html" if found.is_dir() else found
            assert found.is_file(), f"{path.relative_to(tmp_path)}: {link}"
            if place and found in pages:
                assert place in pages[found].places, f"{path.relative_to(tmp_path)}: {link}"
    api = pages[tmp_path / "api" / "index.html"]
    for package in PACKAGES:
        homes = import_module(package)._HOMES
        for name, home in homes.items():
            if not name.isupper():
                assert f"{package}.{home}.{name}" in api.places, name


def test_the_api_page_names_the_whole_public_interface() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))
    expected = {
        f"{package}.{home}.{name}"
        for package in PACKAGES
        for name, home in import_module(package)._HOMES.items()
    }
    assert listed == expected


@pytest.mark.parametrize("package", PACKAGES)
def test_all_names_are_there_and_have_docstrings(package: str) -> None:
    module = import_module(package)
    assert set(module.__all__) - {"__version__"} == set(module._HOMES)
    assert dir(module) == sorted(module.__all__)
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value):
            assert value.__doc__, name


def imported_with(folder: Path, statement: str = "import musenet") -> str:
    """What importing says where a folder stands before ours."""
    path = os.pathsep.join([str(folder), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", statement],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
        cwd=folder,
    )  # fmt: skip
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


@pytest.mark.parametrize("name", ["tokenizer", "data_prep"])
@pytest.mark.parametrize("content", ["def tokenize(text): ...", "raise RuntimeError('Python 2')"])
def test_another_distribution_of_the_same_name_is_named(
    tmp_path: Path, name: str, content: str
) -> None:
    assert imported_with(tmp_path) == ""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(content)
    said = imported_with(tmp_path)
    assert said.startswith(f"ImportError: the package '{name}' ")
    assert f"pip uninstall {name}, then pip install --force-reinstall musenet" in said

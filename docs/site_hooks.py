"""The site's hooks: the README as its first page, and files outside `docs` that pages link to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((?!\w+://|#)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the README, and every file outside that a page links to, under `files/`."""
    pages = [page.abs_src_path for page in files if page.src_uri.endswith(".md")]
    pages.append(str(ROOT / "README.md"))
    files.append(File.generated(config, "index.md", content=_readme()))
    for page in pages:
        text = Path(page).read_text(encoding="utf-8")
        for target, _ in LINK.findall(text):
            found = (Path(page).parent / target).resolve()
            if found.is_file() and _is_outside(found):
                _add(files, config, found)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to such files, and drop links to folders, which a site does not have."""
    if page.file.src_uri.startswith("files/"):
        return LINK.sub("]", markdown)
    if page.file.src_uri == "index.md":
        return markdown
    here = (ROOT / "docs" / page.file.src_uri).parent

    def moved(match: re.Match[str]) -> str:
        found = (here / match[1]).resolve()
        if found.is_dir() or not found.exists():
            return "]" if found.is_dir() else match[0]
        return (
            f"](files/{found.relative_to(ROOT)}{match[2] or ''})"
            if _is_outside(found)
            else match[0]
        )

    return LINK.sub(moved, markdown)


def _readme() -> str:
    """The README as a page of the site."""

    def moved(match: re.Match[str]) -> str:
        target = match[1].removeprefix("docs/")
        if (ROOT / match[1]).is_dir():
            return "]"
        inside = match[1].startswith("docs/")
        return f"]({target if inside else f'files/{target}'}{match[2] or ''})"

    return LINK.sub(moved, (ROOT / "README.md").read_text(encoding="utf-8"))


def _is_outside(path: Path) -> bool:
    return path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "docs")


def _add(files: Any, config: Any, path: Path) -> None:
    name = f"files/{path.relative_to(ROOT)}"
    if files.get_file_from_path(name) is None:
        files.append(File.generated(config, name, abs_src_path=str(path)))

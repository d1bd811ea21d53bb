"""Every benchmark that is run as a script finds this repository's packages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"tokenizer", "data_prep", "musenet", "benchmarks"}
SCRIPTS = [
    path
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_packages_are_imported_after_the_root_is_on_the_path(path: Path) -> None:
    """Python puts the script's own folder first, where benchmarks/tokenizer.py is `tokenizer`."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    inserted = next(
        (n for n, node in enumerate(body) if ast.unparse(node).startswith("sys.path.insert(0")),
        len(body),
    )
    early = {
        name.partition(".")[0]
        for node in body[:inserted]
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom)
                     else [alias.name for alias in node.names])
    }  # fmt: skip
    assert not early & PACKAGES

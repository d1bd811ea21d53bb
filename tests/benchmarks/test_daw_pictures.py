"""The pictures of the workstations' page are what the script draws."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import daw_pictures


def test_the_pictures_are_drawn_by_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = daw_pictures.FOLDER
    monkeypatch.setattr(daw_pictures, "FOLDER", tmp_path)
    daw_pictures.main()
    drawn = sorted(tmp_path.iterdir())
    assert len(drawn) == 3
    page = (kept.parent / "daw.md").read_text(encoding="utf-8")
    for path in drawn:
        ElementTree.parse(path)
        assert path.read_bytes() == (kept / path.name).read_bytes()
        assert f"pictures/{path.name}" in page

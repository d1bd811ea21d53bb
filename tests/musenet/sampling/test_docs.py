"""The Python examples of docs/generation.md run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import musenet.checkpoint
from musenet.checkpoint import Checkpoint
from tokenizer.midi import read

ROOT = Path(__file__).parents[3]


def test_the_examples_run(
    tiny: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 6
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(musenet.checkpoint, "load", lambda name: tiny)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert len(read("more.mid").notes) > 0
    assert len(read("waltz.mid").notes) > 0
    songs = names["songs"]
    assert isinstance(songs, list)
    assert len(songs) == 4
    assert "in the key" in capsys.readouterr().out

"""The examples of docs/library.md run, one after the other, as a reader would type them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "library.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "prompts" / "folk.mid", "song.mid")
    names: dict[str, Any] = {}
    found = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(found) >= 2
    for source in found:
        exec(compile(source, str(PAGE), "exec"), names)
    assert [each.shape[0] for each in names["logits"]] == [1] * 5
    assert names["nats"].shape == (1, len(names["tokens"]) - 1, 5)

"""The examples of docs/library.md run, one after the other, as a reader would type them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.pipeline import Run

ROOT = Path(__file__).parent.parent
ALL = Plan(Shares(0.0, 0.0))
PAGE = ROOT / "docs" / "library.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "prompts" / "folk.mid", "song.mid")
    prepare([ROOT / "examples" / "prompts"], "dataset", plan=ALL, run=Run("threads"))
    names: dict[str, Any] = {}
    found = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(found) >= 2
    for source in found:
        exec(compile(source, str(PAGE), "exec"), names)
    assert [each.shape[:2] for each in names["logits"]] == [(4, 64)] * 5
    assert names["tokens"].shape == (4, 65, 5)
    assert names["nats"].shape == (1, names["batch"][0].shape[1] - 1, 5)

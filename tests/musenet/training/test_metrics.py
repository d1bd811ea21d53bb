"""Figures of a run against their definitions, and the files that keep them."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from musenet.training.metrics import Journal, StepTotals, describe_row, read_metrics, write_curves


def row(step: int, **more: Any) -> dict[str, Any]:
    fields = dict.fromkeys(("wait", "instrument", "pitch", "duration", "velocity"), 2.0)
    return {"kind": "train", "step": step, "notes": 100 * step, "bits_per_note": 10.0,
            "per_field": fields, **more}  # fmt: skip


def test_a_meter_gives_bits_over_notes_and_notes_over_seconds() -> None:
    meter = StepTotals()
    meter.add([math.log(2) * n for n in (1, 2, 3, 4, 5)], 3, 5, 0.5, 1.0)
    meter.add([math.log(2) * n for n in (5, 4, 3, 2, 1)], 1, 1, 3.0, 1.0)
    meter.seconds, meter.waited = 2.0, 0.5
    found = meter.row()
    assert found["bits_per_note"] == pytest.approx(30 / 4)
    assert list(found["per_field"].values()) == pytest.approx([1.5] * 5)
    assert found["notes_per_second"] == 2.0
    assert found["tokens_per_second"] == 3.0
    assert found["gradient_norm"] == 1.75
    assert found["gradient_norm_clipped"] == 0.75
    assert found["waiting_for_data"] == 0.25


def test_a_resumed_journal_forgets_what_came_after_its_step(tmp_path: Path) -> None:
    with contextlib.closing(Journal(tmp_path, 0)) as journal:
        for step in (1, 2, 3):
            journal.write(row(step))
        assert [r["step"] for r in read_metrics(journal.file)] == [1, 2, 3]
    with contextlib.closing(Journal(tmp_path, 2)) as journal:
        journal.write(row(3, again=True))
    found = read_metrics(tmp_path / "metrics.jsonl")
    assert [(r["step"], "again" in r) for r in found] == [(1, False), (2, False), (3, True)]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text(json.dumps(row(1)) + "\n" + json.dumps(row(2))[:20])
    assert [r["step"] for r in read_metrics(file)] == [1]
    assert read_metrics(tmp_path / "none") == []


def test_curves_need_rows(tmp_path: Path) -> None:
    write_curves([], tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()
    write_curves([row(1), row(2)], tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_row_is_one_line() -> None:
    train = row(7, fraction_done=0.25, notes_per_second=1234.5, waiting_for_data=0.1,
                memory_mb=321, seconds_left=3725.0)  # fmt: skip
    line = describe_row(train)
    assert "25.0 %" in line
    assert "10 % waiting for data" in line
    assert "1:02:05 left" in line
    validation = row(7, kind="validation", is_best=True, took=2.4)
    assert describe_row(validation).startswith("validation at step 7: 10.0000 bits/note, the best")

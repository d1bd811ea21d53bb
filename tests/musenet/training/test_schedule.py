from __future__ import annotations

import pytest

from musenet.training.schedule import Length, rate


def test_up_along_and_down() -> None:
    assert rate(0.0, 0, warmup=10, decay=0.5) == pytest.approx(0.1)
    assert rate(0.0, 9, warmup=10, decay=0.5) == 1.0
    assert rate(0.5, 500, warmup=10, decay=0.5) == 1.0
    assert rate(0.75, 750, warmup=10, decay=0.5) == pytest.approx(0.5)
    assert rate(1.0, 1000, warmup=10, decay=0.5) == 0.0
    assert rate(0.99, 1000, warmup=0, decay=0.0) == 1.0


def test_minutes_count_over_all_sessions() -> None:
    length = Length(steps=None, seconds=600.0)
    assert length.progress(5, 150.0) == 0.25
    assert length.progress(5_000, 700.0) == 1.0
    assert Length(steps=100, seconds=None).progress(25, 1e9) == 0.25

"""The measures of the songs by rule, on music whose figures can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.bands import LAGS, Piece, difference, figures
from musenet.evaluation.similarity import lag_sums
from tokenizer import Score
from tokenizer.score.columns import NOTES

BAR = 1920


def piece(*bars: tuple[int, ...]) -> Piece:
    """A piece with a quarter note of each pitch, one after another, in each bar."""
    rows = [
        (BAR * number + 480 * place, 400, pitch, 80, 0, 0)
        for number, bar in enumerate(bars)
        for place, pitch in enumerate(bar)
    ]
    return Piece("a", "a", Score(480, notes=np.array(rows, NOTES)))


A, B, C = (60, 64, 67, 72), (60, 64, 65, 69), (62, 65, 69, 74)


def test_similarity_by_lag() -> None:
    lags = lag_sums(piece(A, B, A, B).bars(), LAGS).curve
    assert lags[:3] == pytest.approx([2 / 6, 1, 2 / 6])  # two of six notes are in both
    assert np.isnan(lags[4:]).all()


def test_difference() -> None:
    first, second = piece(A, A, A).bars(), piece(A, B, A).bars()
    assert difference(first, first) == 0
    assert difference(first, second) == pytest.approx((4 / 6) / 3 / 2)


def test_figures() -> None:
    song = piece(A, B, A, A)
    found = figures(song, song.bars())
    assert found["exact repeats"] == pytest.approx(0.5)
    assert found["notes per bar, others"] == 4
    assert found["velocity spread"] == 0
    assert np.isnan(found["notes per bar, drums"])

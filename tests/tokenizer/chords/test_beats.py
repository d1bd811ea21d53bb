"""Beats against counting them one by one, and against the bar lines of scores."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.chords.beats import BAR_LINE, HALF_BAR, OTHER_BEAT, Meter, beats_of
from tokenizer.score.bars import Bars
from tokenizer.score.score import TIME_SIGNATURES


@pytest.mark.parametrize(
    ("meter", "beat", "accents"),
    [
        ((4, 4), Fraction(1, 4), (2, 0, 1, 0)),
        ((3, 4), Fraction(1, 4), (2, 0, 0)),
        ((2, 2), Fraction(1, 4), (2, 0, 1, 0)),
        ((6, 8), Fraction(3, 8), (2, 1)),
        ((12, 8), Fraction(3, 8), (2, 0, 1, 0)),
        ((3, 8), Fraction(1, 8), (2, 0, 0)),
        ((7, 8), Fraction(1, 8), (2, 0, 0, 0, 0, 0, 0)),
        ((5, 4), Fraction(1, 4), (2, 0, 0, 0, 0)),
    ],
)
def test_beats_of_a_bar(meter: tuple[int, int], beat: Fraction, accents: tuple[int, ...]) -> None:
    assert (BAR_LINE, HALF_BAR, OTHER_BEAT) == (2, 1, 0)
    found = beats_of([Meter(0, *meter)], 2 * 1920 * meter[0] // meter[1], 1920)
    assert found.accents.tolist() == [*accents, *accents]
    assert found.lines.tolist() == [n * 1920 * beat for n in range(2 * len(accents) + 1)]


@given(
    changes=st.dictionaries(
        st.integers(1, 4000), st.sampled_from([(4, 4), (3, 4), (6, 8), (7, 8), (2, 2), (5, 16)])
    ),
    stop=st.integers(4001, 6000),
    quarter=st.sampled_from([24, 96, 480]),
)
def test_bars_begin_on_the_bar_lines_of_a_score(
    changes: dict[int, tuple[int, int]], stop: int, quarter: int
) -> None:
    meters = [Meter(0, 4, 4), *(Meter(time, *changes[time]) for time in sorted(changes))]
    beats = beats_of(meters, stop, 4 * quarter)
    bars = Bars(np.array(meters, TIME_SIGNATURES), quarter)
    lines = beats.lines[:-1][beats.accents == BAR_LINE]
    assert lines.tolist() == bars.lines(0, stop - 1).tolist()
    assert (np.diff(beats.lines) > 0).all()
    assert beats.lines[-2] < stop <= beats.lines[-1]


def test_there_is_one_beat_at_least() -> None:
    assert beats_of([Meter(7, 4, 4)], 0, 96).lines.tolist() == [7, 31]

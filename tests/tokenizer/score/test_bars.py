"""Bar lines against counting them one by one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.score.bars import Bars
from tokenizer.score.score import TIME_SIGNATURES

METERS = st.sampled_from([(4, 4), (3, 4), (6, 8), (7, 8), (2, 2), (5, 16), (1, 32), (12, 8)])


def counted(signatures: list[tuple[int, int, int]], quarter: int, stop: int) -> list[int]:
    """Every bar line up to `stop`, by walking from one to the next."""
    lines: list[int] = []
    changes = {time: Fraction(4 * quarter * n, d) for time, n, d in signatures}
    begin, bar = 0, changes.get(0, Fraction(4 * quarter))
    count = 0
    while True:
        line = begin + int(count * bar)
        later = [time for time in sorted(changes) if begin < time <= line]
        if later:
            begin, bar, count = later[0], changes[later[0]], 0
            line = begin
        if line > stop:
            return lines
        lines.append(line)
        count += 1


@settings(max_examples=150, deadline=None)
@given(
    changes=st.dictionaries(st.integers(0, 3000), METERS, max_size=4),
    quarter=st.sampled_from([24, 96, 480, 7]),
)
def test_bar_lines_are_where_counting_puts_them(
    changes: dict[int, tuple[int, int]], quarter: int
) -> None:
    signatures = [(time, n, d) for time, (n, d) in sorted(changes.items())]
    bars = Bars(np.array(signatures, TIME_SIGNATURES), quarter)
    lines = counted(signatures, quarter, 5000)
    distinct = [line for i, line in enumerate(lines) if line not in lines[:i]]
    assert sorted(set(bars.lines(0, 5000).tolist())) == distinct
    assert [bars.tick(bar) for bar in range(len(lines))] == lines
    for tick in (0, 1, 499, 1000, 2999, 4000):
        assert bars.number(tick) == max(i for i, line in enumerate(lines) if line <= tick)


def test_without_a_time_signature_bars_are_of_four_quarters() -> None:
    bars = Bars(np.empty(0, TIME_SIGNATURES), 480)
    assert bars.lines(0, 5760).tolist() == [0, 1920, 3840, 5760]

"""Patterns to ticks: equal steps, holds, bar lines, swing."""

from __future__ import annotations

import pytest

from data_prep.bands.notation.pattern import Meter, PatternBar, Step, Swing, drum_bars, line_bars
from tokenizer.errors import InputError

FOUR, SIX, SEVEN = Meter(4, 4), Meter(6, 8), Meter(7, 8)


def test_a_drum_line() -> None:
    (bar,) = drum_bars("x..X", FOUR)
    assert bar == PatternBar((Step(0, 480, "x"), Step(1440, 480, "X")))


def test_holds_and_bar_lines() -> None:
    first, second = line_bars("1 - . n | - 5 . .", FOUR)
    assert first.steps == (Step(0, 960, "1"), Step(1440, 480, "n"))
    assert (second.carry, second.steps) == (480, (Step(480, 480, "5"),))


@pytest.mark.parametrize(("meter", "steps"), [(SIX, 6), (SEVEN, 7), (Meter(5, 4), 10), (FOUR, 12)])
def test_steps_divide_any_meter(meter: Meter, steps: int) -> None:
    (bar,) = drum_bars("x" * steps, meter)
    assert [step.start * steps for step in bar.steps] == [n * meter.bar for n in range(steps)]


def test_steps_that_do_not_divide_the_bar_are_refused() -> None:
    with pytest.raises(InputError, match="7 steps"):
        drum_bars("x......", FOUR)


def test_swing_moves_the_off_beats_and_no_triplets() -> None:
    swing = Swing(67, 240)
    (eighths,) = drum_bars("xxxxxxxx", FOUR, swing)
    assert [step.start for step in eighths.steps[:4]] == [0, 321, 480, 801]
    (triplets,) = drum_bars("xxxxxxxxxxxx", FOUR, swing)
    assert [step.start for step in triplets.steps[:4]] == [0, 160, 320, 480]


def test_beats() -> None:
    assert [meter.beat for meter in (FOUR, SIX, SEVEN)] == [480, 720, 240]
    assert [meter.pulse for meter in (FOUR, SIX, SEVEN)] == [480, 720, 480]

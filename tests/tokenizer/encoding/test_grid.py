"""The grid against fractions: rounding, duration classes, and the errors that the docs promise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.encoding.grid import Grid, GridClock
from tokenizer.errors import InputError
from tokenizer.score.score import Score

GRIDS = [Grid.beats(), Grid.seconds(), Grid("beat", 12), Grid("seconds", 50)]


@given(st.integers(0, 2**31 - 1), st.integers(1, 32767), st.integers(4, 480))
def test_ticks_round_to_the_nearest_step_halves_up(
    tick: int, ticks_per_quarter: int, resolution: int
) -> None:
    exact = Fraction(tick * resolution, ticks_per_quarter)
    expected = int(exact + Fraction(1, 2))
    found = Grid("beat", resolution).from_ticks(np.array([tick]), ticks_per_quarter)
    assert found.tolist() == [expected]


@given(st.integers(0, 10**10))
def test_microseconds_round_to_the_nearest_hundredth(micro: int) -> None:
    found = Grid.seconds().from_seconds(np.array([micro / 1e6]))
    assert found.tolist() == [int(Fraction(micro, 10_000) + Fraction(1, 2))]


@pytest.mark.parametrize("grid", GRIDS)
def test_a_duration_class_is_the_nearest_one(grid: Grid) -> None:
    steps = np.arange(grid.durations[-1] + 100)
    found = grid.durations[grid.duration_class(steps)]
    nearest = np.abs(grid.durations[None, :] - steps[:, None]).min(axis=1)
    np.testing.assert_array_equal(np.abs(found - steps), nearest)


@pytest.mark.parametrize("grid", GRIDS[:2])
def test_durations_are_exact_to_a_quarter_then_within_three_percent(grid: Grid) -> None:
    steps = np.arange(1, grid.durations[-1] + 1)
    error = np.abs(grid.durations[grid.duration_class(steps)] - steps) / steps
    assert error[: grid.exact].max() == 0
    assert error.max() <= 0.03


@settings(deadline=None)  # a fine grid's table is made for each example
@given(st.integers(0, 200_000), st.integers(1, 2000), st.integers(4, 480))
def test_the_class_of_ticks_is_the_nearest_to_the_exact_length(
    ticks: int, ticks_per_quarter: int, resolution: int
) -> None:
    grid = Grid("beat", resolution)
    exact = Fraction(ticks * resolution, ticks_per_quarter)
    found = int(grid.durations[grid.class_of_ticks(np.array([ticks]), ticks_per_quarter)[0]])
    assert abs(found - exact) == min(abs(int(d) - exact) for d in grid.durations)


@given(st.integers(0, 10**8))
def test_the_class_of_seconds_is_the_nearest_to_the_exact_length(micro: int) -> None:
    grid = Grid.seconds()
    exact = Fraction(micro, 10_000)
    found = int(grid.durations[grid.class_of_seconds(np.array([micro / 1e6]))[0]])
    assert abs(found - exact) == min(abs(int(d) - exact) for d in grid.durations)


def test_note_values_of_the_beat_clock_are_exact() -> None:
    grid = Grid.beats()
    quarters = [Fraction(4, 2**k) * dots for k in range(6) for dots in (1, Fraction(3, 2))]
    triplets = [Fraction(q) * Fraction(2, 3) for q in (4, 2, 1, Fraction(1, 2))]
    steps = [q * 24 for q in quarters + triplets if (q * 24).denominator == 1]
    assert len(steps) == len(quarters) + len(triplets) - 1  # all but the dotted eighth of a quarter
    for step in steps:
        assert int(step) in grid.durations


@pytest.mark.parametrize("grid", GRIDS)
def test_a_class_decodes_to_ticks_that_encode_to_it(grid: Grid) -> None:
    classes = np.arange(len(grid.durations))
    ticks = grid.duration_ticks(classes)
    assert ticks.min() > 0
    if grid.is_beat:
        steps = grid.from_ticks(ticks, grid.ticks_per_quarter)
    else:
        steps = grid.from_seconds(ticks / 1000)
    np.testing.assert_array_equal(grid.duration_class(steps), classes)


def test_a_grid_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="'beat' or 'seconds'"):
        Grid("bars", 24)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="4 to 480"):
        Grid("beat", 1)


@pytest.mark.parametrize("grid", GRIDS)
@given(
    step=st.integers(0, 5000),
    origin=st.integers(0, 10_000),
    tempos=st.dictionaries(st.integers(0, 9000), st.integers(200_000, 1_500_000), max_size=4),
)
def test_a_step_lies_at_the_tick_nearest_to_it(
    grid: Grid, step: int, origin: int, tempos: dict[int, int]
) -> None:
    score = Score(960, tempos=np.array(list(tempos.items()), "i4,i4"))
    clock = GridClock(score, grid, origin)
    tick = int(clock.ticks(np.array([step]))[0])
    assert clock.step(tick) == step
    if grid.is_beat:
        assert abs(Fraction(tick - origin) - Fraction(960 * step, grid.resolution)) <= Fraction(
            1, 2
        )
    else:
        begin, before, there, after = score.seconds([origin, tick - 1, tick, tick + 1]).tolist()
        wanted = begin + step / grid.resolution
        nearest = abs(there - wanted)
        assert nearest <= min(abs(before - wanted), abs(after - wanted)) + 1e-9

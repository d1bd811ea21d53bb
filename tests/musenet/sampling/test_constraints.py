"""Constraints that a prompt implies, against counting moment by moment."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musenet.sampling.constraints import (
    MOST_NOTES,
    Constraints,
    implied_by_prompt,
    longest_rest,
    max_polyphony,
    usual_for,
)
from tokenizer.errors import InputError
from tokenizer.score.score import NOTES


def notes(spans: list[tuple[int, int]]) -> np.ndarray:
    array = np.zeros(len(spans), NOTES)
    for place, (start, duration) in enumerate(sorted(spans)):
        array[place]["start"], array[place]["duration"] = start, duration
    return array


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), min_size=16, max_size=40)


@given(SPANS)
def test_the_fullest_moment_is_that_of_a_count_at_every_tick(spans: list[tuple[int, int]]) -> None:
    sounding = [sum(s <= tick < s + d for s, d in spans) for tick in range(100)]
    assert max_polyphony(notes(spans)) == max(sounding)


@given(SPANS)
def test_density_is_that_of_a_window_of_a_quarter(spans: list[tuple[int, int]]) -> None:
    fullest = max(sum(tick <= s < tick + 10 for s, _ in spans) for tick in range(61))
    assert implied_by_prompt(Constraints(), notes(spans), 10).density == math.ceil(1.5 * fullest)


@pytest.mark.parametrize(("voices", "allowed"), [(1, 1), (2, 2), (4, 5), (8, 10), (120, 128)])
def test_a_tune_stays_a_tune_and_a_choir_gets_some_room(voices: int, allowed: int) -> None:
    chords = [(480 * n, 480) for n in range(20) for _ in range(voices)]
    assert implied_by_prompt(Constraints(), notes(chords), 480).polyphony == allowed <= MOST_NOTES


def test_what_was_asked_for_stands_and_a_few_notes_say_nothing() -> None:
    tune = notes([(480 * n, 480) for n in range(20)])
    asked = Constraints(polyphony=6, density=9)
    assert implied_by_prompt(asked, tune, 480) == asked
    assert implied_by_prompt(Constraints(), tune[:15], 480) == Constraints()


@given(SPANS)
def test_the_longest_rest_is_the_longest_time_in_which_nothing_begins(
    spans: list[tuple[int, int]],
) -> None:
    starts = {start for start, _ in spans}
    longest = run = 0
    for tick in range(min(starts) + 1, max(starts) + 1):
        run += 1
        if tick in starts:
            longest, run = max(longest, run), 0
    assert longest_rest(notes(spans), 12) == longest / 12


def test_the_more_play_the_fuller_it_may_become_up_to_what_was_asked_for() -> None:
    assert usual_for(Constraints(), 1) == Constraints(polyphony=8, density=10)
    assert usual_for(Constraints(polyphony=3), 12) == Constraints(polyphony=3, density=54)
    assert usual_for(Constraints(density=5), 90) == Constraints(polyphony=MOST_NOTES, density=5)


@pytest.mark.parametrize(
    "asked", [{"polyphony": 0}, {"density": 0}, {"programs": ()}, {"pitch_classes": ()}]
)
def test_constraints_without_music_are_refused(asked: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Constraints(**asked)  # type: ignore[arg-type]

"""Repeated pitches against a search note by note."""

from __future__ import annotations

import numpy as np

from musenet.sampling.processors.repeated_pitches import RepeatedPitches
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT

from ..conftest import VOCABULARY
from .conftest import state_of


def music(notes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two instruments on few pitches, some together, and their times."""
    random = np.random.default_rng(seed)
    made = np.ones((notes, 5), dtype=np.int16)
    made[:, INSTRUMENT] = random.integers(1, 3, notes)
    made[:, PITCH] = random.integers(60, 64, notes)
    made[:, WAIT] = 1 + random.integers(0, 3, notes)
    return made, np.cumsum(made[:, WAIT] - 1)


def searched(rows: np.ndarray, times: np.ndarray) -> list[int]:
    """The classes by the definition: is the pitch in the instrument's onset before this one?"""
    found = []
    for i, (row, now) in enumerate(zip(rows, times, strict=True)):
        before = (rows[:i, INSTRUMENT] == row[INSTRUMENT]) & (times[:i] < now)
        if before.any():
            onset = before & (times[:i] == times[:i][before].max())
            again = row[PITCH] in rows[:i][onset][:, PITCH]
            found.append(RepeatedPitches.REPEATED if again else RepeatedPitches.MOVED)
    return found


def test_a_prompts_repeated_pitches_are_those_of_a_search() -> None:
    for seed in range(5):
        rows, times = music(200, seed)
        counts = RepeatedPitches(state_of(rows, *times), VOCABULARY, 1, (39, 11)).prompt
        assert counts.tolist() == np.bincount(searched(rows, times), minlength=3).tolist()
        assert counts[1:].all()


def test_what_repeats_is_what_a_search_finds() -> None:
    rows, times = music(120, 7)
    repeated = RepeatedPitches(state_of(rows[:40], *times[:40]), VOCABULARY, 2, (39, 11))
    counted = []
    for row, time in zip(rows[40:], times[40:], strict=True):
        state = state_of(np.repeat(row[None], 2, axis=0), time, time)
        before = repeated.before(state)
        classes = repeated.table[row[INSTRUMENT], row[PITCH]] + before[:, row[PITCH]]
        assert classes.tolist() == [classes[0]] * 2
        assert before.any(axis=1).all()
        repeated.push(state, np.ones(2, bool))
        counted.append(int(classes[0]))
    assert counted == searched(rows, times)[-80:]

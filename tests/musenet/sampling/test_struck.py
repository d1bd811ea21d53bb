"""What was struck last, against a search through all notes before."""

from __future__ import annotations

import numpy as np

from musenet.sampling.struck import MOVED, REPEATED, Struck
from musenet.sampling.style_penalty import Manner
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT

VOCABULARY = Tokenizer.default().vocabulary


def music(notes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two instruments on few pitches, some together, and their times."""
    random = np.random.default_rng(seed)
    rows = np.ones((notes, 5), dtype=np.int16)
    rows[:, INSTRUMENT] = random.integers(1, 3, notes)
    rows[:, PITCH] = random.integers(60, 64, notes)
    rows[:, WAIT] = 1 + random.integers(0, 3, notes)
    return rows, np.cumsum(rows[:, WAIT] - 1)


def searched(rows: np.ndarray, times: np.ndarray) -> list[int]:
    """The classes by the definition: is the pitch in the instrument's stroke before this one?"""
    found = []
    for i, (row, now) in enumerate(zip(rows, times, strict=True)):
        mine = (rows[:i, INSTRUMENT] == row[INSTRUMENT]) & (times[:i] < now)
        if mine.any():
            stroke = mine & (times[:i] == times[:i][mine].max())
            found.append(REPEATED if row[PITCH] in rows[:i][stroke][:, PITCH] else MOVED)
    return found


def test_classes_are_those_of_a_search() -> None:
    for seed in range(5):
        rows, times = music(200, seed)
        found = Struck(rows, times, VOCABULARY, 1).classes.tolist()
        assert found == searched(rows, times)
        assert {MOVED, REPEATED} == set(found)


def test_what_would_repeat_is_what_then_counts_as_repeated() -> None:
    rows, times = music(120, 7)
    struck = Struck(rows[:40], times[:40], VOCABULARY, 2)
    both, counted = np.arange(2), []
    for row, time in zip(rows[40:], times[40:], strict=True):
        twice = np.repeat(row[None], 2, axis=0)
        now = np.repeat(time, 2)
        would = struck.repeated(twice[:, INSTRUMENT], now)[:, row[PITCH]]
        index, classes = struck.push(both, twice[:, INSTRUMENT], twice[:, PITCH], now)
        assert would.tolist() == classes.tolist() == [classes[0]] * 2
        assert index.tolist() == [0, 1]
        counted.append(classes[0])
    assert counted == searched(rows, times)[-80:]


def test_a_note_that_comes_again_and_again_is_held_back_where_the_prompt_moves_on() -> None:
    scale = np.ones((70, 5), dtype=np.int16)
    scale[:, WAIT], scale[:, PITCH] = 25, 1 + 60 + np.arange(70) % 7
    manner = Manner(scale, VOCABULARY, 1, 1.0)
    time, next_row = 70 * 24, scale[3:4].copy()
    for _ in range(12):
        time += 24
        manner.push(next_row, np.array([True]), np.array([time]))
    logits = manner.applied(
        PITCH, np.zeros((1, VOCABULARY.sizes[PITCH])), next_row, np.array([time])
    )
    again, octave = logits[0, next_row[0, PITCH]], logits[0, next_row[0, PITCH] + 12]
    assert again < octave - 1.0  # the same pitch class, but no pitch struck again

"""Loops are found as their definition says, broken at the pitch alone, and music is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from musenet.generation.options import GenerateOptions
from musenet.generation.session import Composition
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.model.heads import CascadeHead
from musenet.sampling.filters import Sampling, draw
from musenet.sampling.loop_penalty import LONGEST, NOTES, REPEATS, Repetition, longest_runs
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import DURATION, INSTRUMENT, PITCH, WAIT
from tokenizer.typing import Tokens

VOCABULARY = Tokenizer.default().vocabulary
PITCHES = VOCABULARY.sizes[PITCH]
Keys = list[tuple[int, int, int]]


def keys_of(rows: Tokens) -> Keys:
    return [(int(w), int(i), int(p)) for w, i, p in rows[:, [WAIT, INSTRUMENT, PITCH]]]


def run_at_end(keys: Keys, period: int, start: int) -> int:
    """How many of the last rows, back to `start` at most, equal the row one period before."""
    run = 0
    while len(keys) - run - 1 >= max(start, period):
        last = len(keys) - run - 1
        if keys[last] != keys[last - period]:
            break
        run += 1
    return run


def by_definition(prompt: Keys, new: Keys, wait: int, instrument: int) -> dict[int, float]:
    """Pitch value: how many times round too many it would be, straight from the module's words."""
    keys = prompt + new
    over: dict[int, float] = {}
    for period in range(1, min(LONGEST, len(keys)) + 1):
        in_prompt = max([run_at_end(prompt[:n], period, 0) for n in range(len(prompt) + 1)])
        allowed = max(REPEATS * period, NOTES, in_prompt)
        beyond = run_at_end(keys, period, len(prompt)) + 1 - allowed
        w, i, pitch = keys[len(keys) - period]
        if beyond > 0 and (w, i) == (wait, instrument):
            over[pitch] = max(over.get(pitch, 0.0), beyond / period)
    return over


def figure(pitches: list[int], wait: int = 13) -> Tokens:
    return np.array([[wait, 1, pitch, 10, 20] for pitch in pitches], dtype=np.int16)


def pushed(repetition: Repetition, rows: Tokens) -> Repetition:
    for row in rows:
        repetition.push(row[None])
    return repetition


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_is_what_the_definition_says(data: st.DataObject) -> None:
    """Figures of a few rows go round, now and then a row differs; prompt and new music."""
    period = data.draw(st.integers(1, 6))
    rows = figure(data.draw(st.lists(st.integers(40, 42), min_size=period, max_size=period)))
    rows = np.tile(rows, (data.draw(st.integers(1, 120 // period)), 1))
    for place in data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=2)):
        rows[place, data.draw(st.sampled_from([WAIT, PITCH, DURATION]))] += 1
    cut = data.draw(st.integers(0, len(rows)))
    strength = data.draw(st.sampled_from([1.2, 3.0]))
    repetition = pushed(Repetition(rows[:cut], VOCABULARY, 1, strength), rows[cut:])
    wait = data.draw(st.sampled_from([13, 14]))
    so_far = np.array([[wait, 1, 0, 0, 0]])
    got = repetition.applied(np.zeros((1, PITCHES)), so_far)[0]
    expected = np.zeros(PITCHES)
    for pitch, times in by_definition(keys_of(rows[:cut]), keys_of(rows[cut:]), wait, 1).items():
        expected[pitch] = -times * np.log(strength)
    assert got == pytest.approx(expected)


def test_a_long_loop_is_found_and_its_rhythm_kept() -> None:
    """40 rows round and round: allowed 8 times more, halved from the first row of the ninth."""
    loop = figure(list(range(30, 70)))
    repetition = Repetition(loop[:0], VOCABULARY, 1, 2.0)
    nothing = np.zeros((1, PITCHES))
    pushed(repetition, np.tile(loop, (9, 1)))
    so_far = np.array([[13, 1, 0, 0, 0]])
    once = repetition.applied(nothing, so_far)[0]
    assert once[30] == pytest.approx(-np.log(2) / 40)
    assert np.flatnonzero(once).tolist() == [30]
    pushed(repetition, loop)
    assert repetition.applied(nothing, so_far)[0][30] == pytest.approx(-np.log(2) * 41 / 40)
    other_rhythm = repetition.applied(nothing, np.array([[7, 1, 0, 0, 0]]))
    assert not other_rhythm.any()


def test_accompaniment_is_left_alone() -> None:
    """An Alberti bass of eight quavers for eight bars, and the same figure a tone higher."""
    alberti = [48, 55, 52, 55, 48, 55, 52, 55]
    repetition = Repetition(figure([]).reshape(0, 5), VOCABULARY, 1, 5.0)
    so_far = np.array([[13, 1, 0, 0, 0]])
    for row in np.concatenate([np.tile(figure(alberti), (8, 1)), figure([p + 2 for p in alberti])]):
        assert not repetition.applied(np.zeros((1, PITCHES)), so_far).any()
        repetition.push(row[None])


def test_a_prompt_that_loops_may_be_continued_so() -> None:
    loop = figure([40, 47, 45])
    prompt = np.tile(loop, (60, 1))
    repetition = pushed(Repetition(prompt, VOCABULARY, 1, 2.0), np.tile(loop, (50, 1)))
    so_far = np.array([[13, 1, 0, 0, 0]])
    assert not repetition.applied(np.zeros((1, PITCHES)), so_far).any()
    pushed(repetition, np.tile(loop, (20, 1)))
    assert repetition.applied(np.zeros((1, PITCHES)), so_far)[0][40] < 0


def test_a_distribution_is_never_emptied() -> None:
    """Where the grammar leaves one pitch, it is drawn however often it was."""
    repetition = Repetition(figure([]).reshape(0, 5), VOCABULARY, 2, 100.0)
    for _ in range(400):
        repetition.push(np.repeat(figure([60]), 2, axis=0))
    so_far = np.array([[13, 1, 0, 0, 0]] * 2)
    logits = repetition.applied(np.zeros((2, PITCHES)), so_far)
    assert np.isfinite(logits).all()
    only = np.zeros((2, PITCHES), dtype=bool)
    only[:, 60] = True
    assert draw(logits, only, Sampling(top_p=0.9), np.array([0.1, 0.9])).tolist() == [60, 60]


def test_strength_one_is_the_model_itself() -> None:
    repetition = pushed(Repetition(figure([60] * 9), VOCABULARY, 1, 1.0), figure([60] * 300))
    logits = np.random.default_rng(0).normal(size=(1, PITCHES))
    assert repetition.applied(logits, np.array([[13, 1, 0, 0, 0]])) is logits


def test_lanes_do_not_touch() -> None:
    generator = np.random.default_rng(3)
    music = generator.integers(40, 90, (200, 1))
    loop = np.full((200, 1), 60)
    both = np.concatenate([music, loop], axis=1)
    together = Repetition(figure([]).reshape(0, 5), VOCABULARY, 2, 2.0)
    for pair in both:
        together.push(figure(pair.tolist()))
    got = together.applied(np.zeros((2, PITCHES)), np.array([[13, 1, 0, 0, 0]] * 2))
    assert not got[0].any()
    assert got[1, 60] == pytest.approx(-np.log(2) * (200 - NOTES))


def test_the_longest_runs_of_a_prompt() -> None:
    keys = np.array([1, 2, 1, 2, 1, 3, 3, 3])
    assert longest_runs(keys)[:6].tolist() == [2, 3, 0, 1, 0, 0]
    assert not longest_runs(keys[:1]).any()


def stubborn(folder: Path) -> Checkpoint:
    """A model that always wants semiquavers on one pitch, by its weights alone.

    One channel of the state is positive everywhere, and one value of each field listens to it.
    """
    checkpoint = load_checkpoint(folder)
    model, head = checkpoint.model, checkpoint.model.head
    assert isinstance(head, CascadeHead)
    with torch.no_grad():
        model.embedding.weight[:, 0] = 0.5
        for block in model.blocks:
            for name in ("out", "down"):
                block.get_parameter(name)[0] = 0
        for weight in (head.values.weight, head.structure.weight):
            weight[:, 0] = 0
        for down in head.down:
            down[0] = 0
        for out, value in zip(head.out, (7, 1, 61, 7, 20), strict=True):
            out.zero_()
            out[value, 0] = 8.0
    return checkpoint


def test_a_model_that_would_repeat_for_ever_is_stopped(folder: Path) -> None:
    checkpoint = stubborn(folder)

    def longest(strength: float) -> int:
        options = GenerateOptions(bars=8, seed=1, temperature=0.0, top_p=1.0, loop_penalty=strength)
        composition = Composition(checkpoint, None, options)
        for _ in composition.steps():
            pass
        rows = composition.rows(0)
        assert set(rows[:, WAIT].tolist()) == {7}, "the rhythm stays"
        return int(longest_runs(rows[:, PITCH].astype(np.int64))[0]) + 1

    assert longest(1.0) == 127, "8 bars of 16 less the rest that the first wait is"
    assert NOTES < longest(20.0) < 100

"""Loops are found as their definition says, broken at the pitch alone, and music is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from musenet.generation.conditions import FRESH_LOOPS, blank_prompt, processors
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.model.heads import CascadeHead
from musenet.options.generate_options import GenerateOptions
from musenet.sampling.constraints import Constraints
from musenet.sampling.filters import FieldFilter, draw
from musenet.sampling.processors.loop_penalty import LoopPenalty, LoopPenaltyProcessor, longest_runs
from musenet.sampling.processors.processor import RowState, SamplerContext
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import DURATION, INSTRUMENT, PITCH, WAIT
from tokenizer.typing import Tokens

VOCABULARY = Tokenizer.default().vocabulary
PITCHES = VOCABULARY.sizes[PITCH]
DEFAULT = LoopPenalty()
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
    for period in range(1, min(DEFAULT.longest, len(keys)) + 1):
        in_prompt = max([run_at_end(prompt[:n], period, 0) for n in range(len(prompt) + 1)])
        allowed = max(DEFAULT.repeats * period, DEFAULT.rows, in_prompt)
        beyond = run_at_end(keys, period, len(prompt)) + 1 - allowed
        w, i, pitch = keys[len(keys) - period]
        if beyond > 0 and (w, i) == (wait, instrument):
            over[pitch] = max(over.get(pitch, 0.0), beyond / period)
    return over


def figure(pitches: list[int], wait: int = 13) -> Tokens:
    return np.array([[wait, 1, pitch, 10, 20] for pitch in pitches], dtype=np.int16)


NOTHING = figure([]).reshape(0, 5)


def penalty(prompt: Tokens, strength: float, batch: int = 1) -> LoopPenaltyProcessor:
    context = SamplerContext(prompt, Constraints(), VOCABULARY, batch)
    return LoopPenalty(strength).build(context)


def state_of(rows: Tokens) -> RowState:
    return RowState.of(rows, np.zeros(len(rows), dtype=np.int64), VOCABULARY)


def pushed(loops: LoopPenaltyProcessor, rows: Tokens) -> LoopPenaltyProcessor:
    for row in rows:
        loops.push(state_of(row[None]))
    return loops


def applied(
    loops: LoopPenaltyProcessor, so_far: Tokens, logits: np.ndarray | None = None
) -> np.ndarray:
    """The logits of the pitch; of a model that has no opinion if none are given."""
    logits = np.zeros((len(so_far), PITCHES)) if logits is None else logits
    return np.asarray(loops.apply(PITCH, logits, np.ones(logits.shape, bool), state_of(so_far)))


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
    loops = pushed(penalty(rows[:cut], strength), rows[cut:])
    wait = data.draw(st.sampled_from([13, 14]))
    so_far = np.array([[wait, 1, 0, 0, 0]])
    got = applied(loops, so_far)[0]
    expected = np.zeros(PITCHES)
    for pitch, times in by_definition(keys_of(rows[:cut]), keys_of(rows[cut:]), wait, 1).items():
        expected[pitch] = -times * np.log(strength)
    assert got == pytest.approx(expected)


def test_a_long_loop_is_found_and_its_rhythm_kept() -> None:
    """40 rows round and round: allowed 8 times more, halved from the first row of the ninth."""
    loop = figure(list(range(30, 70)))
    loops = penalty(NOTHING, 2.0)
    pushed(loops, np.tile(loop, (9, 1)))
    so_far = np.array([[13, 1, 0, 0, 0]])
    once = applied(loops, so_far)[0]
    assert once[30] == pytest.approx(-np.log(2) / 40)
    assert np.flatnonzero(once).tolist() == [30]
    pushed(loops, loop)
    assert applied(loops, so_far)[0][30] == pytest.approx(-np.log(2) * 41 / 40)
    other_rhythm = applied(loops, np.array([[7, 1, 0, 0, 0]]))
    assert not other_rhythm.any()


def test_accompaniment_is_left_alone() -> None:
    """An Alberti bass of eight quavers for eight bars, and the same figure a tone higher."""
    alberti = [48, 55, 52, 55, 48, 55, 52, 55]
    loops = penalty(NOTHING, 5.0)
    so_far = np.array([[13, 1, 0, 0, 0]])
    for row in np.concatenate([np.tile(figure(alberti), (8, 1)), figure([p + 2 for p in alberti])]):
        assert not applied(loops, so_far).any()
        loops.push(state_of(row[None]))


@pytest.mark.parametrize("prompted", [False, True])
def test_music_without_a_prompt_may_repeat_a_figure_half_as_often(prompted: bool) -> None:
    """20 rows: four times without a prompt, eight times after one, whatever that is."""
    options = GenerateOptions().completed(fresh=not prompted)
    tokenizer = Tokenizer.default()
    prompt = blank_prompt(options)
    if prompted:
        prompt = replace(prompt, music=tokenizer.decode(figure([33, 35])))
    config = next(
        each
        for each in processors(options, prompt, (0, 384), tokenizer)
        if isinstance(each, LoopPenalty)
    )
    loop = figure(list(range(40, 60)))
    loops = config.build(SamplerContext(NOTHING, Constraints(), VOCABULARY, 1))
    so_far = np.array([[13, 1, 0, 0, 0]])
    often = 8 if prompted else 4
    pushed(loops, np.tile(loop, (often, 1)))
    pushed(loops, loop[:19])
    assert not applied(loops, so_far).any()
    pushed(loops, loop[19:])
    assert applied(loops, so_far)[0][40] < 0


def test_a_prompt_that_loops_may_be_continued_so() -> None:
    loop = figure([40, 47, 45])
    prompt = np.tile(loop, (60, 1))
    loops = pushed(penalty(prompt, 2.0), np.tile(loop, (50, 1)))
    so_far = np.array([[13, 1, 0, 0, 0]])
    assert not applied(loops, so_far).any()
    pushed(loops, np.tile(loop, (20, 1)))
    assert applied(loops, so_far)[0][40] < 0


def test_a_distribution_is_never_emptied() -> None:
    """Where the grammar leaves one pitch, it is drawn however often it was."""
    loops = penalty(NOTHING, 100.0, 2)
    for _ in range(400):
        loops.push(state_of(np.repeat(figure([60]), 2, axis=0)))
    so_far = np.array([[13, 1, 0, 0, 0]] * 2)
    logits = applied(loops, so_far)
    assert np.isfinite(logits).all()
    only = np.zeros((2, PITCHES), dtype=bool)
    only[:, 60] = True
    assert draw(logits, only, FieldFilter(top_p=0.9), np.array([0.1, 0.9])).tolist() == [60, 60]


def test_strength_one_is_the_model_itself() -> None:
    loops = pushed(penalty(figure([60] * 9), 1.0), figure([60] * 300))
    logits = np.random.default_rng(0).normal(size=(1, PITCHES))
    assert applied(loops, np.array([[13, 1, 0, 0, 0]]), logits) is logits


def test_lanes_do_not_touch() -> None:
    generator = np.random.default_rng(3)
    music = generator.integers(40, 90, (200, 1))
    loop = np.full((200, 1), 60)
    both = np.concatenate([music, loop], axis=1)
    together = penalty(NOTHING, 2.0, 2)
    for pair in both:
        together.push(state_of(figure(pair.tolist())))
    got = applied(together, np.array([[13, 1, 0, 0, 0]] * 2))
    assert not got[0].any()
    assert got[1, 60] == pytest.approx(-np.log(2) * (200 - DEFAULT.rows))


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
        continuation = Continuation(checkpoint, None, options)
        for _ in continuation.steps():
            pass
        rows = continuation.rows(0)
        assert set(rows[:, WAIT].tolist()) == {7}, "the rhythm stays"
        return int(longest_runs(rows[:, PITCH].astype(np.int64))[0]) + 1

    assert longest(1.0) == 127, "8 bars of 16 less the rest that the first wait is"
    assert FRESH_LOOPS.rows < longest(20.0) < DEFAULT.rows

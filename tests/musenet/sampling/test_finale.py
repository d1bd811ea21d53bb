"""Ends that are chosen: the best of all that were made, and everything else as without a choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from musenet.decoding.int8 import missing
from musenet.model.checkpoint import Checkpoint
from musenet.sampling import finale
from musenet.sampling.filters import Sampling
from musenet.sampling.finale import QUARTERS, TRIES, Finale, Judge
from musenet.sampling.grammar import Limits
from musenet.sampling.sampler import Plan, Sampler, rows_of
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, Vocabulary
from tokenizer.labels import Labels
from tokenizer.typing import Tokens

BEAT = 24
LENGTH = 20 * BEAT
CLOSE = LENGTH - QUARTERS * BEAT


@pytest.fixture
def vocabulary(tiny: Checkpoint) -> Vocabulary:
    return tiny.tokenizer.vocabulary


@pytest.fixture
def plan(tiny: Checkpoint) -> Plan:
    return Plan(
        prefix=tiny.tokenizer.prefix(Labels(instruments=(0,), time_signature=(4, 4), tempo=90)),
        body=np.array([[1, 1, 61, 13, 20], [13, 1, 63, 13, 18]], dtype=np.int16),
        not_before=24,
        until=LENGTH + 4 * BEAT,
        sampling=(Sampling(top_p=0.95),) * 5,
        limits=Limits(),
        seed=5,
        variations=(1, 2, 3),
        length=LENGTH,
        may_end_at=LENGTH - 8 * BEAT,
    )


def pitches(rows: Tokens) -> float:
    """A judge of which the best is plain to see: the sum of the pitches."""
    return float(rows[:, PITCH].sum())


def made(checkpoint: Checkpoint, plan: Plan, judge: Judge = pitches) -> list[Tokens]:
    sampler = Finale(checkpoint.model, checkpoint.tokenizer.vocabulary, plan, judge)
    steps = list(sampler.steps())
    return [rows_of(steps, index) for index in range(len(plan.variations))]


def times(plan: Plan, rows: Tokens, vocabulary: Vocabulary) -> np.ndarray:
    whole = np.concatenate([plan.body, rows])
    return np.cumsum(vocabulary.steps[whole[:, 0]])[len(plan.body) :]


def test_until_the_end_begins_it_is_the_sampler(
    tiny: Checkpoint, plan: Plan, vocabulary: Vocabulary
) -> None:
    plain = list(
        Sampler(tiny.model, vocabulary, replace(plan, until=CLOSE, may_end_at=None)).steps()
    )
    for index, rows in enumerate(made(tiny, plan)):
        before = rows_of(plain, index)
        assert len(before) > 3
        assert np.array_equal(rows[: len(before)], before)
        assert times(plan, rows, vocabulary)[len(before) :].min() >= CLOSE


def test_the_end_that_is_judged_best_is_kept(
    tiny: Checkpoint, plan: Plan, vocabulary: Vocabulary
) -> None:
    seen: list[tuple[float, Tokens]] = []

    def judge(rows: Tokens) -> float:
        seen.append((pitches(rows), rows))
        return pitches(rows)

    found = made(tiny, plan, judge)
    assert len(seen) == TRIES * len(found)
    for index, rows in enumerate(found):
        tries = seen[TRIES * index : TRIES * (index + 1)]
        assert len({other.tobytes() for _, other in tries}) > TRIES // 2
        assert pitches(rows) == max(score for score, _ in tries)
    worst = made(tiny, plan, lambda rows: -pitches(rows))
    assert all(pitches(a) > pitches(b) for a, b in zip(found, worst, strict=True))


@pytest.mark.parametrize("engine", ["eager", "int8"])
def test_a_variation_is_the_same_alone_and_in_company(
    tiny: Checkpoint, plan: Plan, engine: str
) -> None:
    if engine == "int8" and missing():
        pytest.skip("onnx and onnxruntime are not installed")
    plan = replace(plan, engine=engine)
    together = made(tiny, plan)
    for index, number in enumerate(plan.variations):
        (alone,) = made(tiny, replace(plan, variations=(number,)))
        assert np.array_equal(alone, together[index])
    assert len({rows.tobytes() for rows in together}) == 3


def test_nobody_new_plays_at_the_end(tiny: Checkpoint, plan: Plan, vocabulary: Vocabulary) -> None:
    for rows in made(tiny, replace(plan, prefix=plan.prefix[:1])):
        late = times(plan, rows, vocabulary) >= CLOSE
        before = np.concatenate([plan.body, rows[~late]])
        assert len(np.unique(before[:, INSTRUMENT])) > 2
        assert set(rows[late, INSTRUMENT].tolist()) <= {0, *before[:, INSTRUMENT].tolist()}


def test_times_are_those_of_the_rows(tiny: Checkpoint, plan: Plan, vocabulary: Vocabulary) -> None:
    steps = list(Finale(tiny.model, vocabulary, plan, pitches).steps())
    for index in range(len(plan.variations)):
        told = [int(step.times[index]) for step in steps if step.live[index]]
        assert told == times(plan, rows_of(steps, index), vocabulary).tolist()
    assert all(step.live.any() for step in steps)


def test_a_piece_shorter_than_an_end_is_all_end(
    tiny: Checkpoint, plan: Plan, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finale, "TRIES", 3)
    short = replace(plan, length=4 * BEAT, until=5 * BEAT, may_end_at=2 * BEAT)
    for rows in made(tiny, short):
        assert times(short, rows, vocabulary).min() >= short.not_before
        assert times(short, rows, vocabulary).max() < short.until

"""Instrument balance, against its formula worked out by hand and in what it does."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.sampling.constraints import Constraints
from musenet.sampling.processors.instrument_balance import (
    InstrumentBalance,
    InstrumentBalanceProcessor,
)
from musenet.sampling.processors.processor import RowState, SamplerContext
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import INSTRUMENT
from tokenizer.typing import Tokens

VOCABULARY = Tokenizer.default().vocabulary
BAND = [128] * 50 + [0] * 30 + [33] * 20


def rows(*programs: int) -> Tokens:
    return np.array([[2, p + 1, 61, 5, 10] for p in programs], dtype=np.int16)


def balance(
    prompt: Tokens,
    strength: float = 1.0,
    asked: tuple[int, ...] = (),
    only: tuple[int, ...] | None = None,
) -> InstrumentBalanceProcessor:
    context = SamplerContext(prompt, Constraints(programs=only), VOCABULARY, 1)
    return InstrumentBalance(strength, asked).build(context)


def state_of(row: Tokens, time: int = 0) -> RowState:
    return RowState.of(row, np.array([time]), VOCABULARY)


def pushed(state: InstrumentBalanceProcessor, program: int, times: int) -> None:
    for _ in range(times):
        state.push(state_of(rows(program)))


def applied(
    state: InstrumentBalanceProcessor, logits: np.ndarray, allowed: np.ndarray, time: int = 0
) -> np.ndarray:
    """The logits of a note that begins at a time."""
    return np.asarray(state.apply(INSTRUMENT, logits, allowed, state_of(rows(0) * 0 + 1, time)))


def softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max())
    return np.asarray(p / p.sum())


def test_while_shares_agree_the_model_is_as_it_is() -> None:
    state = balance(rows(*BAND))
    logits = np.random.default_rng(0).normal(size=(1, 130))
    allowed = np.ones((1, 130), dtype=bool)
    allowed[0, 0] = False
    got = softmax(applied(state, logits, allowed)[0, 1:])
    np.testing.assert_allclose(got, softmax(logits[0, 1:]), atol=1e-12)


def test_what_is_missing_is_let_in() -> None:
    state = balance(rows(*BAND))
    pushed(state, 128, 48)
    # After one half-life half of what is remembered is drums alone: shares 0.75, 0.15, 0.10.
    missing = state.missing[0, 1:]
    assert missing[[128, 0, 33]] == pytest.approx([0, 0.15, 0.10], abs=0.01)
    assert missing.sum() == pytest.approx(0.25, abs=0.01)
    # The model gives drums all and the others one chance in e^30; they get the mixture's.
    logits = np.full((1, 130), -30.0)
    logits[0, 129] = 0.0
    allowed = np.ones((1, 130), dtype=bool)
    p = softmax(applied(state, logits, allowed)[0])
    assert p[[129, 1, 34]] == pytest.approx([0.75, 0.15, 0.10], abs=0.01)


def test_strength_scales_the_chance_and_has_a_bound() -> None:
    half, more = balance(rows(*BAND), 0.5), balance(rows(*BAND), 2.0)
    for state in (half, more):
        pushed(state, 128, 1000)
    assert half.missing.sum() == pytest.approx(0.25, abs=0.001)
    assert more.missing.sum() == pytest.approx(0.9)


def test_masks_are_kept() -> None:
    state = balance(rows(*BAND))
    pushed(state, 128, 100)
    allowed = np.zeros((1, 130), dtype=bool)
    allowed[0, [34, 129]] = True
    p = softmax(applied(state, np.zeros((1, 130)), allowed)[0])
    assert set(np.flatnonzero(p).tolist()) == {34, 129}
    rest = np.zeros((1, 130), dtype=bool)
    rest[0, 0] = True
    assert softmax(applied(state, np.zeros((1, 130)), rest)[0])[0] == 1


def test_a_band_stays_a_band_with_a_model_of_drums_alone() -> None:
    state = balance(rows(*BAND))
    rng = np.random.default_rng(1)
    logits = np.full((1, 130), -40.0)
    logits[0, 129] = 0.0
    allowed = np.ones((1, 130), dtype=bool)
    counts = np.zeros(129)
    for _ in range(3000):
        program = int(rng.choice(130, p=softmax(applied(state, logits, allowed)[0]))) - 1
        counts[program] += 1
        pushed(state, program, 1)
    assert counts[0] > 300
    assert counts[33] > 200


def test_an_instrument_asked_for_counts_like_the_average_of_the_others() -> None:
    state = balance(rows(*[0] * 10, *[40] * 30), asked=(73,))
    pushed(state, 0, 10_000)
    assert state.missing[0, [74, 41]] == pytest.approx(
        [20 / 60 * 50 / 60 / (50 / 60), 30 / 60], abs=0.01
    )


@pytest.mark.parametrize("strength", [1.0, 0.5, 0.0])
def test_without_a_prompt_instruments_that_nobody_asked_for_are_less_likely(
    strength: float,
) -> None:
    nothing = rows().reshape(0, 5)
    logits = np.random.default_rng(0).normal(size=(1, 130))
    allowed = np.ones((1, 130), dtype=bool)
    with_wish = applied(balance(nothing, strength, asked=(0, 40)), logits, allowed)
    others = np.setdiff1d(np.arange(130), [0, 1, 41])
    np.testing.assert_allclose(with_wish[0, [0, 1, 41]], logits[0, [0, 1, 41]])
    np.testing.assert_allclose(with_wish[0, others], logits[0, others] - 2.0 * strength)
    assert applied(balance(nothing), logits, allowed) is logits


def test_an_instrument_that_may_not_play_is_not_missing() -> None:
    state = balance(rows(*BAND), only=(0, 33))
    pushed(state, 0, 100)
    missing = state.missing[0, 1:]
    assert missing[128] == 0
    assert missing[33] > 0


@pytest.mark.parametrize(("prompt", "strength"), [(rows(0, 0), 1.0), (rows(0, 40), 0.0)])
def test_with_one_instrument_or_no_strength_there_is_nothing_to_do(
    prompt: Tokens, strength: float
) -> None:
    logits = np.zeros((1, 130))
    assert applied(balance(prompt, strength), logits, logits == 0) is logits


def chorus(rests: int) -> Tokens:
    """Drums and bass on every beat, and a piano that rests for some beats after each onset."""
    found = []
    for beat in range(8 * (rests + 1)):
        programs = [0, 33, 128] if beat % (rests + 1) == 0 else [33, 128]
        waits = [25 if beat else 1, *[1] * (len(programs) - 1)]
        found += [[w, p + 1, 61, 5, 10] for w, p in zip(waits, programs, strict=True)]
    return np.array(found, dtype=np.int16)


@pytest.mark.parametrize(("rests", "pause"), [(0, 2), (1, 2), (5, 6)])
def test_an_instrument_that_rests_longer_than_ever_is_let_in(rests: int, pause: int) -> None:
    prompt = chorus(rests)
    state = balance(prompt)
    logits = np.full((1, 130), -30.0)
    logits[0, 129] = 0.0
    allowed = np.ones((1, 130), dtype=bool)
    last = 24 * (8 * (rests + 1) - 1)
    piano = 24 * 7 * (rests + 1)
    for time, chance in ((piano + 24 * pause, 0.0), (piano + 24 * pause + 1, 0.2)):
        bass = 0.2 if time > last + 48 else 0.0
        p = softmax(applied(state, logits, allowed, time)[0])
        assert p[[1, 34]] == pytest.approx([chance, bass], abs=1e-6)
    state.push(state_of(rows(0), piano + 24 * pause))
    p = softmax(applied(state, logits, allowed, piano + 24 * pause + 1)[0])
    assert p[1] == pytest.approx(state.missing[0, 1], abs=1e-6)


def test_parts_that_begin_share_the_notes_where_nothing_says_otherwise() -> None:
    new = InstrumentBalance(1.0, beginning=(33, 128))
    limits = Constraints(programs=(33, 128))
    state = new.build(SamplerContext(np.empty((0, 5), np.int16), limits, VOCABULARY, 1))
    pushed(state, 128, 48)  # half of what is remembered is drums alone
    assert state.missing[0, [34, 129]] == pytest.approx([0.25, 0], abs=0.01)
    band = rows(*BAND)
    one, other = (
        InstrumentBalance(1.0, beginning=begun).build(
            SamplerContext(band, Constraints(), VOCABULARY, 1)
        )
        for begun in ((), (33, 128))
    )
    for each in (one, other):
        pushed(each, 0, 20)
    assert (one.missing == other.missing).all()


def test_even_shares_hold_whatever_was_written_before() -> None:
    """Forty-eight notes of drums, a half-life, make half of what is remembered drums alone."""
    context = SamplerContext(rows(*[128] * 48), Constraints(), VOCABULARY, 1)
    state = InstrumentBalance(even=(128, 33)).build(context)
    missing = state.missing[0, 1:]
    assert missing[[128, 33]] == pytest.approx([0, 0.25], abs=0.01)
    assert missing.sum() == pytest.approx(0.25, abs=0.01)
    pushed(state, 33, 400)
    assert state.missing[0, 1:][[128, 33]] == pytest.approx([0.5, 0], abs=0.01)

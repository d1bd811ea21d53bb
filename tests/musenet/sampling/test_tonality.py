"""Keeping the prompt's pitch classes, against a count done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from musenet.sampling.tonality import Tonality
from tokenizer.tokenizer import Tokenizer

VOCABULARY = Tokenizer.default().vocabulary
C_MAJOR = (60, 62, 64, 65, 67, 69, 71)
DRUM = 129


def rows(pitches: list[int], instrument: int = 1) -> np.ndarray:
    return np.array([[1, instrument, pitch + 1, 10, 20] for pitch in pitches], dtype=np.int16)


def played(tonality: Tonality, pitches: list[int], instrument: int = 1) -> None:
    for row in rows(pitches, instrument):
        tonality.push(row[None], np.array([True]))


def held(tonality: Tonality, instrument: int = 1) -> np.ndarray:
    """How many nats each pitch class is held back."""
    logits = np.zeros((1, VOCABULARY.sizes[2]))
    applied = tonality.applied(logits, rows([60], instrument))
    return -applied[0, 1 + 60 : 1 + 72]


def test_music_like_the_prompt_is_left_alone() -> None:
    tonality = Tonality(rows(list(C_MAJOR) * 10), VOCABULARY, 1, 1.0)
    np.testing.assert_allclose(held(tonality), 0.0, atol=1e-9)
    played(tonality, [61])
    assert held(tonality)[1] < 1.0
    assert held(tonality)[[0, 2, 4, 5, 7, 9, 11]].max() == 0.0


def test_a_foreign_key_is_held_back_and_its_common_notes_are_not() -> None:
    tonality = Tonality(rows(list(C_MAJOR) * 10), VOCABULARY, 1, 1.0)
    played(tonality, [p + 6 for p in C_MAJOR] * 20)  # F# major: of C's notes it has B and F
    foreign = held(tonality)
    share = 1 / 7
    # So long after, the late notes are all but F# major's, each with a seventh.
    expected = 1.5 * 70 / 94 * math.log((share + 0.04) / 0.04)
    np.testing.assert_allclose(foreign[[6, 8, 10, 1, 3]], expected, rtol=0.15)
    np.testing.assert_array_equal(foreign[[0, 2, 4, 7, 9]], 0.0)
    assert foreign[[5, 11]].max() < 0.2


def test_it_lets_go_once_the_music_is_home() -> None:
    tonality = Tonality(rows(list(C_MAJOR) * 10), VOCABULARY, 1, 1.0)
    played(tonality, [61, 63, 66] * 10)
    before = held(tonality)[1]
    played(tonality, list(C_MAJOR) * 40)
    assert before > 1.0 > 10 * held(tonality)[1]


def test_drums_are_neither_counted_nor_held() -> None:
    tonality = Tonality(rows(list(C_MAJOR) * 10), VOCABULARY, 1, 1.0)
    played(tonality, [37] * 50, instrument=DRUM)
    np.testing.assert_allclose(held(tonality), 0.0, atol=1e-9)
    played(tonality, [61] * 50)
    np.testing.assert_array_equal(held(tonality, instrument=DRUM), 0.0)


@pytest.mark.parametrize("heard", [rows([]), rows([36] * 40, DRUM)])
def test_without_pitched_notes_or_strength_nothing_changes(heard: np.ndarray) -> None:
    logits = np.random.default_rng(0).normal(size=(1, VOCABULARY.sizes[2]))
    for tonality in (
        Tonality(heard.reshape(-1, 5), VOCABULARY, 1, 1.0),
        Tonality(rows([60, 64] * 40), VOCABULARY, 1, 0.0),
    ):
        played(tonality, [61, 63] * 20)
        np.testing.assert_array_equal(tonality.applied(logits, rows([60])), logits)


def test_a_short_prompt_says_less_about_the_key() -> None:
    short = Tonality(rows([60, 64, 67]), VOCABULARY, 1, 1.0)
    long = Tonality(rows([60, 64, 67] * 40), VOCABULARY, 1, 1.0)
    for tonality in (short, long):
        played(tonality, [61] * 40)
    assert held(short)[1] < 0.2 * held(long)[1]


def test_continuations_do_not_mix() -> None:
    tonality = Tonality(rows(list(C_MAJOR) * 10), VOCABULARY, 2, 1.0)
    both = rows([61, 60])
    for _ in range(30):
        tonality.push(both, np.array([True, True]))
    excess = tonality.excess()
    assert excess[0, 1] > 1.0
    assert excess[1, 1] == 0.0

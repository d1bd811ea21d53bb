"""Counts against their formulas, computed by hand over dictionaries."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from musenet.evaluation.baselines import CONTEXTS, Counts, contexts_of, counted_rows, fit, fit_best
from musenet.evaluation.likelihood import Piece
from tokenizer import Labels, Tokenizer


def by_hand(size: int, pairs: list[tuple[int, int]], context: int, value: int) -> float:
    """Witten–Bell, method C, with dictionaries."""
    singles = Counter(v for _, v in pairs)
    after: dict[int, Counter[int]] = defaultdict(Counter)
    for c, v in pairs:
        after[c][v] += 1
    total, kinds = sum(singles.values()), len(singles)
    below = (singles[value] + kinds / size) / (total + kinds)
    n, t = sum(after[context].values()), len(after[context])
    if n == 0:
        return -math.log2(below)
    return -math.log2((after[context][value] + t * below) / (n + t))


def test_counts_are_witten_bell() -> None:
    random = np.random.default_rng(3)
    contexts = random.integers(0, 6, 300)
    values = (contexts + random.integers(0, 3, 300)) % 9
    counts = Counts(12, contexts, values)
    pairs = list(zip(contexts.tolist(), values.tolist(), strict=True))
    asked = [(c, v) for c in range(8) for v in range(12)]
    got = counts.bits(np.array([c for c, _ in asked]), np.array([v for _, v in asked]))
    assert got == pytest.approx([by_hand(12, pairs, c, v) for c, v in asked])


def test_every_context_gives_a_distribution() -> None:
    random = np.random.default_rng(4)
    counts = Counts(7, random.integers(0, 3, 50), random.integers(0, 7, 50))
    for context in range(4):
        bits = counts.bits(np.full(7, context), np.arange(7))
        assert (2.0**-bits).sum() == pytest.approx(1.0)


def test_nothing_to_count_is_uniform() -> None:
    empty = np.zeros(0, dtype=np.int64)
    counts = Counts(8, empty, empty)
    assert counts.bits(np.array([0]), np.array([5])) == pytest.approx([3.0])


def melody(tokenizer: Tokenizer, rows: int, seed: int) -> Piece:
    random = np.random.default_rng(seed)
    body = np.zeros((rows, 5), dtype=np.int16)
    body[:, 0] = 1 + 12 * random.integers(0, 2, rows)
    body[:, 1] = 1 + random.integers(0, 2, rows)
    body[:, 2] = 1 + (40 + random.integers(0, 12) + np.arange(rows) * 7) % 128
    body[:, 3] = 1 + 5 * body[:, 1]
    body[:, 4] = 9
    prefix = tokenizer.prefix(Labels(time_signature=(4, 4)))
    return Piece(str(seed), "here", prefix, np.concatenate([body, tokenizer.end()]))


def test_order_1_learns_a_rule_that_order_0_cannot() -> None:
    tokenizer = Tokenizer.default()
    training = [counted_rows(melody(tokenizer, 300, s), tokenizer.vocabulary) for s in range(20)]
    held_out = [counted_rows(melody(tokenizer, 300, 100), tokenizer.vocabulary)]
    order_0 = fit(tokenizer.vocabulary, training, 0).scores(held_out)
    order_1 = fit(tokenizer.vocabulary, training, 1).scores(held_out)
    assert order_0.per_field["pitch"] == pytest.approx(7.0, abs=0.05)
    assert order_1.per_field["pitch"] < 0.5
    assert order_0.per_field["wait"] == pytest.approx(1.0, abs=0.05)
    assert order_0.notes.tolist() == [300]


def test_the_best_context_is_found() -> None:
    tokenizer = Tokenizer.default()
    rows = [counted_rows(melody(tokenizer, 300, s), tokenizer.vocabulary) for s in range(20)]
    best = fit_best(tokenizer.vocabulary, rows[:15], rows[15:])
    # A note's duration follows from its instrument.
    assert best.names["duration"] == "the instrument"
    assert best.scores(rows[15:]).per_field["duration"] < 0.01


def test_no_field_sees_what_comes_after_it() -> None:
    tokenizer = Tokenizer.default()
    piece = melody(tokenizer, 50, 1)
    changed = piece.body.copy()
    changed[20:, 1:] = 1 + (changed[20:, 1:] + 3) % 20
    other = Piece("x", "here", piece.prefix, changed)
    one, two = (counted_rows(p, tokenizer.vocabulary) for p in (piece, other))
    for name in contexts_of(0):
        assert (CONTEXTS[name](one, 0)[:21] == CONTEXTS[name](two, 0)[:21]).all(), name

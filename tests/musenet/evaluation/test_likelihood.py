"""Scores against their definition: one row after another, each with all the context it may have."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from musenet.evaluation.likelihood import (
    Conditions,
    Piece,
    PieceWindows,
    Scores,
    Span,
    SpelledWindows,
    count_notes,
    score,
    spans,
    summary,
)
from musenet.model.transformer import Transformer
from tokenizer import ChordwiseTokenizer, Labels, OnsetTokenizer, Tokenizer
from tokenizer.encoding.structure import structure


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.default()


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer, model_for: Callable[..., Transformer]) -> Transformer:
    return model_for(tokenizer, noise=0.05, row_length=8, context=64).eval()


def piece(tokenizer: Tokenizer, rows: int, seed: int, source: str = "here") -> Piece:
    random = np.random.default_rng(seed)
    body = np.zeros((rows, 5), dtype=np.int16)
    for field, most in enumerate((40, 128, 120, 40, 30)):
        body[:, field] = 1 + random.integers(0, most, rows)
    rests = random.random(rows) < 0.2
    body[rests, 1:] = 0
    body = np.concatenate([body, tokenizer.end()])
    labels = Labels(instruments=(0, 40), tempo=90.0, time_signature=(3, 4))
    return Piece(f"{source}/{seed}", source, tokenizer.prefix(labels), body)


@pytest.mark.parametrize("encoding", [ChordwiseTokenizer, OnsetTokenizer])
def test_windows_of_ids_count_every_id_once_and_every_note(
    tokenizer: Tokenizer, encoding: type[ChordwiseTokenizer] | type[OnsetTokenizer]
) -> None:
    music = piece(tokenizer, 90, 3)
    one = encoding(tokenizer)
    windows = SpelledWindows(music, one)
    found = [windows.arrays(span) for span in windows.spans(64)]
    counted = np.concatenate([tokens[mask[:, 0]] for tokens, _, mask in found])
    assert np.array_equal(counted, one.spelled(music.body))
    notes = int(tokenizer.vocabulary.is_note(music.body).sum())
    assert sum(count_notes(window, tokenizer.vocabulary) for window in found) == notes
    first = one.rows_of(found[0][0])
    assert [tokenizer.vocabulary.name(v) for v in first[:2, 0]] == ["start", "time_signature:3/4"]
    columns = np.concatenate([columns[mask[:, 0]] for _, columns, mask in found])
    whole = one.structure(np.concatenate([one.spelled(first[1:2]), counted]))
    assert np.array_equal(columns[:, :-1], whole[1:])


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 57, 200])
@pytest.mark.parametrize("context", [10, 16, 33])
def test_spans_score_every_row_once_with_half_a_window_before(rows: int, context: int) -> None:
    prefix = 2
    found = spans(rows, context, prefix)
    scored = [row for span in found for row in range(span.first, span.stop)]
    assert scored == list(range(rows))
    for span in found:
        assert span.stop - span.start + prefix <= context + 1
        if span.start > 0:
            assert span.first - span.start >= (context + 1 - prefix) // 2


def test_a_short_piece_costs_what_the_model_says(model: Transformer, tokenizer: Tokenizer) -> None:
    one = piece(tokenizer, 40, seed=1)
    whole = np.concatenate([tokenizer.prefix(Labels(time_signature=(3, 4))), one.body])
    features = structure(whole, tokenizer.vocabulary)
    features[: len(whole) - len(one.body)] = 0
    counted = tokenizer.vocabulary.counted(whole)
    rows, columns = torch.from_numpy(whole).long()[None], torch.from_numpy(features).long()[None]
    with torch.no_grad():
        hidden = model.trunk(rows[:, :-1], columns[:, :-1])
        nats = model.head.nll(hidden, rows[:, 1:], columns[:, 1:])[0].numpy()
    expected = (nats * counted[1:]).sum(axis=0)
    scores = score(model, tokenizer, [one], context=64)
    assert scores.nats[0] == pytest.approx(expected, rel=1e-5)
    assert scores.notes[0] == (one.body[:, 1] > 0).sum()
    assert scores.bits_per_note == pytest.approx(
        expected.sum() / math.log(2) / scores.notes[0], rel=1e-5
    )


def test_batches_and_order_do_not_matter(model: Transformer, tokenizer: Tokenizer) -> None:
    pieces = [piece(tokenizer, rows, seed=rows) for rows in (3, 150, 31, 70)]
    one = score(model, tokenizer, pieces, context=32, batch=1)
    many = score(model, tokenizer, pieces[::-1], context=32, batch=5)
    assert many.nats[::-1] == pytest.approx(one.nats, rel=1e-4)
    assert (many.notes[::-1] == one.notes).all()
    assert [int((p.body[:, 1] > 0).sum()) for p in pieces] == one.notes.tolist()


def test_labels_stand_in_the_prefix_only_when_told(tokenizer: Tokenizer) -> None:
    one = piece(tokenizer, 90, seed=2)
    meter = tokenizer.vocabulary.control("time_signature:3/4")
    begin, middle = Span(0, 0, 20), Span(20, 30, 40)
    untold = PieceWindows(one, tokenizer, Conditions())
    assert untold.prefix(begin)[:, 0].tolist() == [tokenizer.vocabulary.start, meter]
    assert untold.prefix(middle)[:, 0].tolist() == [meter]
    told = PieceWindows(one, tokenizer, Conditions(labels=True))
    assert (told.prefix(begin) == one.prefix).all()
    assert (told.prefix(middle) == one.prefix[1:]).all()


def test_the_interval_is_that_of_the_mean_for_equal_pieces() -> None:
    random = np.random.default_rng(0)
    notes = np.full(400, 100)
    nats = np.zeros((400, 5))
    nats[:, 2] = random.normal(5.0, 1.0, 400) * 100 * math.log(2)
    scores = Scores(nats, notes)
    low, high = scores.interval()
    mean, error = nats[:, 2].mean() / 100 / math.log(2), 1.0 / math.sqrt(400)
    assert low == pytest.approx(mean - 1.96 * error, abs=0.02)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.02)
    assert scores.bits_per_note == pytest.approx(mean)


def test_the_summary_has_the_sources(tokenizer: Tokenizer) -> None:
    pieces = [piece(tokenizer, 10, 1, "a"), piece(tokenizer, 10, 2, "b")]
    nats = np.array([[1.0, 0, 0, 0, 0], [3.0, 0, 0, 0, 0]]) * math.log(2)
    result = summary(pieces, Scores(nats, np.array([1, 1])))
    assert result["bits_per_note"] == pytest.approx(2.0)
    assert result["per_source"]["b"]["bits_per_note"] == pytest.approx(3.0)
    assert result["per_field"]["wait"] == pytest.approx(2.0)
    assert (result["pieces"], result["notes"]) == (2, 2)

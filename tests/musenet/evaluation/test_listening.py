"""Copy gain: figures really repeat, bits are those of each row alone, and means are means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from musenet.evaluation.likelihood import Piece
from musenet.evaluation.listening import (
    bits_by_round,
    copy_gain,
    copy_gain_table,
    copy_gains,
    disguised,
    repeated_figures,
)
from musenet.model.transformer import Transformer
from tokenizer import Labels, Tokenizer
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.structure import structure
from tokenizer.encoding.vocabulary import WAIT
from tokenizer.score.score import NOTES, Score, Track


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.default()


def piece(tokenizer: Tokenizer, seed: int, *, bars: int = 40) -> Piece:
    """Four notes in most bars of 3/4; every fourth bar is empty."""
    random = np.random.default_rng(seed)
    bar = np.repeat([b for b in range(bars) if b % 4 != 3], 4)
    rows = np.zeros(len(bar), dtype=NOTES)
    rows["start"] = np.sort(bar * 36 + random.integers(0, 12, len(bar)) * 3)
    rows["start"][::4] = bar[::4] * 36
    rows["duration"] = 6
    rows["pitch"] = random.integers(50, 70, len(bar))
    rows["velocity"] = random.integers(40, 100, len(bar))
    score = Score(12, (Track("piano", 0, False),), notes=rows)
    labels = Labels(time_signature=(3, 4))
    return Piece(str(seed), "here", tokenizer.prefix(labels), tokenizer.body(score))


@pytest.fixture(scope="module")
def pieces(tokenizer: Tokenizer) -> list[Piece]:
    return [piece(tokenizer, seed) for seed in range(6)]


def test_rests_of_a_figure_take_rows_too(tokenizer: Tokenizer) -> None:
    """Music with long rests between its notes: rounds are fewer, and all of it fits."""
    random = np.random.default_rng(0)
    rows = np.zeros(60, dtype=NOTES)
    rows["start"] = np.arange(60) * 72
    rows["duration"] = 6
    rows["pitch"] = random.integers(50, 70, 60)
    rows["velocity"] = 80
    score = Score(12, (Track("piano", 0, False),), notes=rows)
    sparse = Piece(
        "0", "here", tokenizer.prefix(Labels(time_signature=(3, 4))), tokenizer.body(score)
    )
    found = repeated_figures([sparse], tokenizer, 16, count=1, rows=70)
    assert found
    assert all(3 <= figure.rounds < 8 and len(figure.body) <= 68 for figure in found)


@pytest.mark.parametrize(
    ("bars", "rows", "rounds"), [(4, 300, 8), (4, 80, 5), (8, 100, 3), (8, 30, 0), (1, 300, 0)]
)
def test_figures_repeat_as_often_as_the_rows_hold(
    tokenizer: Tokenizer, pieces: list[Piece], bars: int, rows: int, rounds: int
) -> None:
    found = repeated_figures(pieces, tokenizer, bars, count=4, rows=rows)
    assert len(found) == (4 if rounds else 0)
    vocabulary = tokenizer.vocabulary
    for figure in found:
        assert figure.meter == (3, 4)
        assert figure.rounds == rounds
        note = vocabulary.is_note(figure.body)
        times = row_times(figure.body, vocabulary)[note].reshape(rounds, -1)
        length = bars * 3 * vocabulary.grid.beat
        shifts = np.arange(rounds)[:, None] * length
        np.testing.assert_array_equal(times, times[0] + shifts)
        fields = figure.body[note, 1:].reshape(rounds, -1, 4)
        assert (fields == fields[0]).all()
        assert times[0, 0] == 0
        assert times[0, -1] < length


def test_a_disguise_keeps_times_and_rounds(tokenizer: Tokenizer, pieces: list[Piece]) -> None:
    plain = repeated_figures(pieces, tokenizer, 4, count=6)
    other = disguised(plain, tokenizer)
    assert any((a.body != b.body).any() for a, b in zip(plain, other, strict=True))
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_array_equal(a.body[:, WAIT], b.body[:, WAIT])
        note = b.body[tokenizer.vocabulary.is_note(b.body), 1:].reshape(b.rounds, -1, 4)
        assert (note == note[0]).all()


def test_bits_are_those_of_each_row_alone(
    tokenizer: Tokenizer, pieces: list[Piece], model_for: Callable[..., Transformer]
) -> None:
    model = model_for(tokenizer, noise=0.05).eval()
    vocabulary = tokenizer.vocabulary
    found = repeated_figures(pieces, tokenizer, 4, count=3, rows=80)
    bits = bits_by_round(model, tokenizer, found, batch=2)
    assert (vocabulary.is_note(found[0].body)).sum() < len(found[0].body)  # it has rests
    for figure, row in zip(found, bits, strict=True):
        start = np.zeros((2, 5), dtype=np.int16)
        start[:, 0] = vocabulary.start, vocabulary.control("time_signature:3/4") or 0
        tokens = np.concatenate([start, figure.body])
        columns = structure(tokens, vocabulary)
        notes = int(vocabulary.is_note(tokens).sum()) // figure.rounds
        expected, seen = np.zeros(figure.rounds), 0
        for at in range(2, len(tokens)):
            with torch.no_grad():
                nats = model.nll(
                    torch.from_numpy(tokens[: at + 1]).long()[None],
                    torch.from_numpy(columns[: at + 1]).long()[None],
                )[0, -1]
            fields = 5 if tokens[at, 1] else 1
            expected[seen // notes] += float(nats[:fields].sum()) / np.log(2) / notes
            seen += int(tokens[at, 1] > 0)
        np.testing.assert_allclose(row[: figure.rounds], expected, rtol=1e-3)
        assert np.isnan(row[figure.rounds :]).all()


def test_copy_gain_by_hand() -> None:
    bits = np.full((2, 8), np.nan)
    bits[0, :4] = 9, 5, 2, 4
    bits[1, :3] = 7, 1, 1
    found = copy_gain(bits)
    assert found["by_round"] == [8, 3, 1.5, 4, None, None, None, None]
    assert (found["first"], found["later"], found["gain"]) == (8, 2, 6)
    assert found["rounds"] == [3, 4]
    low, high = found["gain_interval"]
    assert (low, high) == (6, 6)
    table = copy_gain_table([{"bars": 2, "music": "as it is", **found}])
    assert "3–4" in table[1]
    assert table[1].endswith("6.00 (6.00–6.00)")


def test_all_distances_in_one_table(
    tokenizer: Tokenizer, pieces: list[Piece], model_for: Callable[..., Transformer]
) -> None:
    model = model_for(tokenizer)
    gains = copy_gains(model, tokenizer, pieces, bars=(4, 8, 16), count=2, rows=128)
    assert [(row["bars"], row["music"]) for row in gains] == [
        (4, "as it is"),
        (4, "disguised"),
        (8, "as it is"),
        (8, "disguised"),
    ]
    # A model of zeros finds all rounds alike.
    assert all(abs(row["gain"]) < 1e-3 for row in gains)

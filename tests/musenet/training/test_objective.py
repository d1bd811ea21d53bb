"""What a row counts in the gradient, against the definition."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from musenet.model.config import preset
from musenet.model.likelihood import Batch, field_nats
from musenet.model.transformer import Transformer
from musenet.training.objective import NoteCost, ending_mask
from tokenizer.encoding.structure import STRUCTURE_SIZES, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.score.score import NOTES, Score

QUARTERS = 40


def batch(*, told: bool) -> Batch:
    """A scale of quarter notes as one window that knows its length, or does not."""
    notes = np.zeros(QUARTERS, NOTES)
    notes["start"] = np.arange(QUARTERS) * 480
    notes["duration"] = 480
    notes["pitch"] = 40 + np.arange(QUARTERS)
    notes["velocity"] = 80
    tokenizer = Tokenizer.default()
    tokens = tokenizer.encode(Score(480, notes=notes))
    length = QUARTERS * tokenizer.vocabulary.grid.beat if told else None
    columns = structure(tokens, tokenizer.vocabulary, length)
    counted = tokenizer.vocabulary.counted(tokens)
    arrays = (tokens.astype(np.int64), columns.astype(np.int64), counted)
    return Batch(*(torch.from_numpy(array)[None] for array in arrays))


def test_the_last_eight_quarters_are_the_ending() -> None:
    window = batch(told=True)
    pitches = window.tokens[0, 1:, 2] - 1
    # A note that begins eight quarters before the end, and all later ones; and the end itself.
    assert pitches[ending_mask(window)[0]].tolist() == [*range(72, 80), -1]
    assert not ending_mask(batch(told=False)).any()


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_endings_count_so_many_times(weight: float) -> None:
    torch.manual_seed(0)
    sizes = Tokenizer.default().vocabulary.sizes
    shape = dataclasses.replace(
        preset("mini", sizes, STRUCTURE_SIZES), layers=3, width=32, heads=2, context=128
    )
    model, window = Transformer(shape), batch(told=True)
    nats, weighted = NoteCost(model, weight)(window.tokens, window.structure, window.counted)
    rows = field_nats(model, window)[0]
    first = next(i for i, pitch in enumerate(window.tokens[0, 1:, 2].tolist()) if pitch == 73)
    expected = rows[:first].sum(dim=0) + weight * rows[first:].sum(dim=0)
    assert torch.allclose(weighted, expected, rtol=1e-5)
    assert torch.allclose(nats, rows.sum(dim=0), rtol=1e-5)

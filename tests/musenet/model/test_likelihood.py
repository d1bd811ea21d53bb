"""Nats of a batch against PyTorch's cross-entropy, and what a batch counts."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from musenet.model.config import ModelConfig
from musenet.model.likelihood import Batch, field_nats, note_mask
from musenet.model.transformer import Transformer

CONFIG = ModelConfig(
    (9, 5, 7),
    (4, 6),
    layers=1,
    heads=2,
    width=16,
    context=8,
    patterns=("dense",),
    head="parallel",
    known_columns=1,
)


def batch() -> Batch:
    """Two windows of five rows; the last two rows of the second do not count."""
    generator = torch.Generator().manual_seed(1)
    tokens, structure = (
        torch.stack([torch.randint(0, size, (2, 5), generator=generator) for size in sizes], -1)
        for sizes in (CONFIG.field_sizes, CONFIG.structure_sizes)
    )
    counted = torch.ones(tokens.shape, dtype=torch.bool)
    counted[1, 3:] = False
    return Batch(tokens, structure, counted)


def test_nats_are_the_cross_entropy_of_what_counts(opened: Callable[..., Transformer]) -> None:
    model, given = opened(CONFIG), batch()
    hidden = model.trunk(given.tokens[:, :-1], given.structure[:, :-1])
    nats = field_nats(model, given)
    for field, weight in enumerate(model.head.get_parameter(f"out.{i}") for i in range(3)):
        logits = (hidden @ weight.T).transpose(1, 2)
        expected = F.cross_entropy(logits, given.tokens[:, 1:, field], reduction="none")
        expected[1, 2:] = 0
        assert torch.allclose(nats[..., field], expected, atol=1e-5)


def test_rows_and_notes_are_those_that_count() -> None:
    given = batch()
    given.tokens[:, :, 1] = torch.tensor([1, 0, 2, 3, 3])
    assert note_mask(given).tolist() == [[False, True, True, True], [False, True, False, False]]
    assert (given.notes, given.rows) == (4, 6)
    halves = given.split(2)
    assert [half.notes for half in halves] == [3, 1]
    assert torch.equal(given.at(torch.tensor([1, 0])).tokens[0], halves[1].tokens[0])

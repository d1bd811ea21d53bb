from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from musenet.model.config import preset
from musenet.model.likelihood import Batch
from musenet.model.transformer import Transformer
from musenet.training.mixup import Mixup, draw_mixups
from musenet.training.objective import NoteCost

FIELDS = (40, 20, 30, 25, 15)
STRUCTURE = (9, 17, 30, 9, 9, 9)


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(1)
    config = dataclasses.replace(
        preset("mini", FIELDS, STRUCTURE), layers=3, width=32, heads=2, row_length=8, context=64
    )
    model = Transformer(config).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture
def batch() -> Batch:
    random = np.random.default_rng(0)
    tokens = np.stack([random.integers(0, size, (4, 21)) for size in FIELDS], -1)
    columns = [random.integers(0, size, (4, 21)) for size in STRUCTURE]
    structure = np.stack([*columns, np.arange(84).reshape(4, 21)], -1)  # with the time
    counted = random.random((4, 21, 5)) < 0.7
    return Batch(*(torch.from_numpy(a) for a in (tokens, structure, counted)))


def mix(share: float, other: list[int]) -> Mixup:
    return Mixup(torch.full((4,), share), torch.tensor(other))


def test_a_share_of_one_changes_nothing(model: Transformer, batch: Batch) -> None:
    cost = NoteCost(model)
    plain = cost(batch.tokens, batch.structure, batch.counted)
    mixed = cost(batch.tokens, batch.structure, batch.counted, mix(1.0, [3, 2, 1, 0]))
    assert torch.allclose(plain, mixed, rtol=1e-6)


def test_half_and_half_is_the_same_from_both_sides(model: Transformer, batch: Batch) -> None:
    cost = NoteCost(model)
    mixed = cost(batch.tokens, batch.structure, batch.counted, mix(0.5, [1, 0, 3, 2]))
    swapped = batch.at(torch.tensor([1, 0, 3, 2]))
    other = cost(swapped.tokens, swapped.structure, swapped.counted, mix(0.5, [1, 0, 3, 2]))
    assert torch.allclose(mixed, other, rtol=1e-6)


def test_embeddings_and_losses_are_mixed_by_the_definition(
    model: Transformer, batch: Batch
) -> None:
    """Against the formula, with embeddings of fields and structure taken by hand."""
    share, other = 0.7, [2, 3, 0, 1]
    inputs, targets = batch.tokens[:, :-1], batch.tokens[:, 1:]
    embedded = model.embedding(inputs, batch.structure[:, :-1, : len(STRUCTURE)])
    blended = share * embedded + (1 - share) * embedded[other]
    found = []
    handle = model.embedding.register_forward_hook(lambda *_: blended)  # in place of the sum
    hidden = model.trunk(inputs, batch.structure[:, :-1])
    handle.remove()
    for order, weight in (([0, 1, 2, 3], share), (other, 1 - share)):
        nats = model.head.nll(hidden, targets[order], batch.structure[order][:, 1:])
        found.append(weight * (nats * batch.counted[order][:, 1:]).sum(dim=(0, 1)))
    mixed, _ = NoteCost(model)(batch.tokens, batch.structure, batch.counted, mix(share, other))
    assert torch.allclose(mixed, (found[0] + found[1]).float(), rtol=1e-5)


def drawn(alpha: float, numbers: range) -> list[Mixup]:
    found = draw_mixups(64, alpha, 0, numbers, torch.device("cpu"))
    return [mixup for mixup in found if mixup is not None]


def test_shares_follow_the_folded_beta() -> None:
    alpha = 0.4
    shares = torch.cat([mixup.share for mixup in drawn(alpha, range(200))]).numpy()
    reference = np.random.default_rng(9).beta(alpha, alpha, 100_000)
    folded = np.maximum(reference, 1 - reference)
    assert shares.mean() == pytest.approx(folded.mean(), abs=0.005)
    assert shares.std() == pytest.approx(folded.std(), abs=0.005)
    assert shares.min() >= 0.5


def test_a_number_gives_the_same_mixup_alone_and_among_others() -> None:
    (alone,), (_, among) = drawn(0.4, range(3, 4)), drawn(0.4, range(2, 4))
    assert torch.equal(alone.share, among.share)
    assert torch.equal(alone.other, among.other)
    assert sorted(alone.other.tolist()) == list(range(64))
    assert draw_mixups(64, 0.0, 0, range(2), torch.device("cpu")) == [None, None]

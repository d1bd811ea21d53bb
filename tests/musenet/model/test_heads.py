"""The cascade is the chain rule: what it samples from is what it was trained on."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor

from musenet.model.config import ModelConfig
from musenet.model.heads import CascadeHead, Critic, FieldsHead, build_head, survival_nll
from tokenizer.encoding.structure import GIVEN, ROLE, WRITTEN

FIELDS, STRUCTURE = (4, 3, 3), (5, 4, 6)


def config(head: str, fields: tuple[int, ...] = FIELDS) -> ModelConfig:
    return ModelConfig(
        fields,
        STRUCTURE,
        layers=1,
        heads=2,
        width=16,
        context=8,
        patterns=("dense",),
        head=head,
        known_columns=2,
    )


def opened(head: str) -> CascadeHead | FieldsHead:
    torch.manual_seed(3)
    built = build_head(config(head)).double()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return built


def known_from(first: Tensor) -> Tensor:
    """A structure that field 0 decides, with junk in the columns that it does not."""
    return torch.stack([first, first % 4, 5 - first], -1)


@pytest.mark.parametrize("head", ["cascade", "parallel"])
def test_likelihoods_of_all_rows_sum_to_one(head: str) -> None:
    built = opened(head)
    every = torch.tensor(list(product(*map(range, FIELDS))))
    hidden = torch.randn(16, dtype=torch.float64).expand(1, len(every), 16)
    structure = known_from(every[:, 0])[None]
    nll = built.nll(hidden, every[None], structure).sum(-1)
    assert torch.exp(-nll).sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("head", ["cascade", "parallel"])
def test_sampling_sees_the_likelihoods_of_training(head: str) -> None:
    built = opened(head)
    hidden = torch.randn(5, 16, dtype=torch.float64)
    rows = torch.stack([torch.randint(0, size, (5,)) for size in FIELDS], -1)
    found = []

    def choose(field: int, logits: Tensor, so_far: Tensor) -> Tensor:
        assert logits.shape == (5, FIELDS[field])
        assert torch.equal(so_far[:, :field], rows[:, :field])
        found.append(-logits.log_softmax(-1).gather(1, rows[:, field : field + 1])[:, 0])
        return rows[:, field]

    assert torch.equal(built.sample(hidden, choose, known_from), rows)
    expected = built.nll(hidden[None], rows[None], known_from(rows[:, 0])[None])[0]
    assert torch.allclose(torch.stack(found, -1), expected, atol=1e-12)


def test_the_cascade_uses_the_structure_that_field_0_decides_and_no_other() -> None:
    built = opened("cascade")
    hidden = torch.randn(1, 6, 16, dtype=torch.float64)
    rows = torch.stack([torch.randint(0, size, (1, 6)) for size in FIELDS], -1)
    structure = known_from(rows[..., 0])
    before = built.nll(hidden, rows, structure)
    for column in range(3):
        changed = structure.clone()
        changed[..., column] = (changed[..., column] + 1) % STRUCTURE[column]
        after = built.nll(hidden, rows, changed)
        assert torch.equal(before[..., 0], after[..., 0])
        assert torch.equal(before[..., 1:], after[..., 1:]) == (column == 2)


def test_parallel_fields_do_not_know_each_other() -> None:
    built = opened("parallel")
    hidden = torch.randn(1, 6, 16, dtype=torch.float64)
    rows = torch.stack([torch.randint(0, size, (1, 6)) for size in FIELDS], -1)
    changed = rows.clone()
    changed[..., 0] = (changed[..., 0] + 1) % FIELDS[0]
    a, b = (built.nll(hidden, x, known_from(x[..., 0])) for x in (rows, changed))
    assert torch.equal(a[..., 1:], b[..., 1:])


def test_one_field_needs_no_cascade() -> None:
    assert isinstance(build_head(config("cascade", (7,))), FieldsHead)


def test_the_critic_learns_to_tell_two_kinds_apart() -> None:
    torch.manual_seed(0)
    critic = Critic(16)
    hidden = torch.randn(64, 16)
    real = hidden[:, 3] * hidden[:, 5] > 0
    assert critic.loss(hidden, real).item() == pytest.approx(0.6931, abs=1e-3)
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        torch.autograd.backward(critic.loss(hidden, real))
        optimizer.step()
    assert ((critic(hidden) > 0) == real).float().mean() > 0.95
    assert critic(hidden.view(4, 16, 16)).shape == (4, 16)


def test_a_given_row_costs_that_nothing_came_before_it() -> None:
    """−log of the sum of the probabilities of its own wait and of all later values, by hand."""
    torch.manual_seed(1)
    logits = torch.randn(4, 5, 12, dtype=torch.float64, requires_grad=True)
    values = torch.randint(0, 12, (4, 5))
    found = survival_nll(logits, values, 9)
    chances = logits.softmax(-1)
    for place in product(range(4), range(5)):
        first = min(int(values[place]), 9)
        expected = -chances[place][first:10].sum().log()
        torch.testing.assert_close(found[place], expected)
    torch.autograd.backward(found.sum())
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("head", ["cascade", "parallel"])
def test_only_the_wait_of_given_rows_is_a_survival(head: str) -> None:
    sizes = (6, *FIELDS[1:])
    structure_sizes = (*STRUCTURE, 3, 3, 3, 3)
    torch.manual_seed(2)
    changed = replace(config(head), field_sizes=sizes, structure_sizes=structure_sizes, end_value=4)
    built, plain = build_head(changed), build_head(replace(changed, end_value=0))
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    plain.load_state_dict(built.state_dict())
    hidden = torch.randn(2, 7, 16)
    rows = torch.stack([torch.randint(1, size, (2, 7)) for size in sizes], -1)
    rows[..., 0] = rows[..., 0].clamp(max=4)
    structure = torch.ones(2, 7, len(structure_sizes), dtype=torch.long)
    given = torch.zeros(2, 7, dtype=torch.bool)
    given[0, 2] = given[1, 5] = True
    structure[..., ROLE] = torch.where(given, GIVEN, WRITTEN)
    with_term, without = (h.nll(hidden, rows, structure) for h in (built, plain))
    torch.testing.assert_close(with_term[~given], without[~given])
    torch.testing.assert_close(with_term[..., 1:], without[..., 1:])
    # What is given later than another value can only be likelier to be waited for.
    assert (with_term[given][:, 0] <= without[given][:, 0]).all()

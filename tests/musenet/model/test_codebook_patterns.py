"""Interleavings against their definition as lists of coordinates, and heads against a full pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from musenet.model.codebook_patterns import INTERLEAVINGS, Interleaving
from musenet.model.config import ModelConfig
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError

FIELDS, STRUCTURE = (11, 7, 6, 5, 4), (5, 4, 6, 3, 8, 8)


@given(name=st.sampled_from(INTERLEAVINGS), rows=st.integers(1, 9), fields=st.integers(1, 6))
def test_every_coordinate_comes_once_and_in_order(name: str, rows: int, fields: int) -> None:
    order = Interleaving(name, fields)
    steps = order.coordinates(rows)
    flat = [coordinate for step in steps for coordinate in step]
    assert sorted(flat) == [(row, field) for row in range(rows) for field in range(fields)]
    when = {coordinate: s for s, step in enumerate(steps) for coordinate in step}
    for row, field in flat:
        assert when[row, field] == order.step(row, field)
        if row:
            assert when[row - 1, field] < when[row, field]
        if field:
            assert when[row, field - 1] <= when[row, field]


def test_patterns_are_those_drawn_in_musicgen() -> None:
    assert Interleaving("parallel", 2).coordinates(2) == [[(0, 0), (0, 1)], [(1, 0), (1, 1)]]
    assert Interleaving("delay", 2).coordinates(2) == [[(0, 0)], [(1, 0), (0, 1)], [(1, 1)]]
    assert Interleaving("flatten", 2).coordinates(2) == [[(0, 0)], [(0, 1)], [(1, 0)], [(1, 1)]]


@given(name=st.sampled_from(INTERLEAVINGS), rows=st.integers(1, 9), fields=st.integers(1, 6))
def test_revert_undoes_build(name: str, rows: int, fields: int) -> None:
    order = Interleaving(name, fields)
    tokens = torch.arange(1, 2 * rows * fields + 1).view(2, rows, fields)
    steps = order.build(tokens)
    assert steps.shape == (2, order.length(rows), fields)
    assert torch.equal(order.revert(steps, rows), tokens)
    assert int((steps > 0).sum()) == tokens.numel()


@pytest.mark.parametrize("name", INTERLEAVINGS)
def test_a_step_by_itself_has_the_coordinates_of_the_pattern(name: str) -> None:
    order = Interleaving(name, 3)
    whole = order.coordinates(9)
    for step in range(7):
        assert sorted(order.coordinates_of(step)) == sorted(whole[step])


@pytest.mark.parametrize("name", INTERLEAVINGS)
def test_rows_begun_never_runs_ahead_of_field_0(name: str) -> None:
    order = Interleaving(name, 3)
    begun = order.rows_begun(4)
    steps = order.coordinates(4)
    for step, row in enumerate(begun):
        seen = [r for earlier in steps[: step + 1] for r, field in earlier if field == 0]
        assert row == max(seen)


def small(head: str) -> Transformer:
    torch.manual_seed(1)
    config = ModelConfig(
        FIELDS, STRUCTURE, layers=2, heads=2, width=16, context=96, patterns=("dense",), head=head
    )
    model = Transformer(config).double()
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def random_rows(rows: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tokens = [torch.randint(0, size, (2, rows), generator=generator) for size in FIELDS]
    structure = [torch.randint(0, size, (2, rows), generator=generator) for size in STRUCTURE]
    return torch.stack(tokens, -1), torch.stack(structure, -1)


@pytest.mark.parametrize(
    ("head", "sees_earlier_fields"),
    [("parallel", False), ("delay", True), ("flatten", True), ("cascade", True)],
)
def test_what_a_field_is_conditioned_on(head: str, sees_earlier_fields: bool) -> None:
    """Field 2 of the last row: on the fields before it where the head says so, never after."""
    model = small(head)
    tokens, structure = random_rows(6)
    before = model.nll(tokens, structure)[:, -1, 2]
    for field, size in enumerate(FIELDS):
        changed = tokens.clone()
        changed[:, -1, field] = (changed[:, -1, field] + 1) % size
        after = model.nll(changed, structure)[:, -1, 2]
        if field > 2:
            assert torch.equal(before, after)
        elif field < 2:
            assert torch.allclose(before, after, atol=1e-12) != sees_earlier_fields


def test_interleaved_heads_do_not_sample_from_one_state() -> None:
    hidden = torch.zeros(2, 16, dtype=torch.float64)
    with pytest.raises(InputError, match="several states"):
        small("delay").head.sample(hidden, lambda f, x, r: x.argmax(-1), lambda v: v)


def test_steps_beyond_the_context_are_refused() -> None:
    tokens, structure = random_rows(40)
    with pytest.raises(InputError, match="context of 96"):
        small("flatten").nll(tokens, structure)


def test_the_steps_of_a_row_are_those_of_the_table() -> None:
    order = Interleaving("delay", 3)
    assert np.array_equal(order.steps_of(2), [[0, 1, 2], [1, 2, 3]])

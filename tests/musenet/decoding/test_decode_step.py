"""Single steps are what the full pass is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from musenet.decoding.decode_step import DecodeStep
from musenet.decoding.decoder import has_decode_step
from musenet.model.config import ModelConfig, faithful
from musenet.model.transformer import Transformer

FIELDS, STRUCTURE = (40, 9, 30, 7, 5), (6, 5, 7, 5, 9, 9)
CONFIG = ModelConfig(
    FIELDS,
    STRUCTURE,
    layers=3,
    heads=4,
    width=64,
    context=64,
    row_length=8,
)

Opened = Callable[[ModelConfig], Transformer]


def rows(length: int, batch: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(1)
    tokens, structure = (
        torch.stack([torch.randint(0, s, (batch, length), generator=g) for s in sizes], -1)
        for sizes in (FIELDS, STRUCTURE)
    )
    return tokens, structure


@torch.no_grad()
def steps(model: Transformer, tokens: Tensor, structure: Tensor) -> Tensor:
    cache, step = model.new_cache(tokens.shape[0]), DecodeStep(model)
    states = []
    for i in range(tokens.shape[1]):
        rotation = model.rotations(i, i + 1, model.embedding.weight)
        assert rotation is not None
        states.append(step(tokens[:, i], structure[:, i], rotation, cache))
        cache.position += 1
    return torch.stack(states, 1)


@pytest.mark.parametrize("width", [64, 256], ids=["plain", "packed"])
def test_steps_are_the_full_pass(width: int, opened: Opened) -> None:
    model, (tokens, structure) = opened(replace(CONFIG, width=width)), rows(40, 2)
    with torch.no_grad():
        full = model.trunk(tokens, structure)
    assert (steps(model, tokens, structure) - full).abs().max() < 1e-4


def test_bf16_steps_are_near_the_full_pass_in_bf16(opened: Opened) -> None:
    model, (tokens, structure) = opened(CONFIG), rows(40, 2)
    with torch.no_grad():
        exact = model.trunk(tokens, structure)
        model.compute = torch.bfloat16
        full = model.trunk(tokens, structure)
        found = steps(model, tokens, structure)
    assert found.dtype == torch.bfloat16
    assert (found - exact).norm() < 1.5 * (full - exact).norm()


def test_other_networks_are_not_supported(opened: Opened) -> None:
    assert has_decode_step(CONFIG)
    assert not has_decode_step(faithful(CONFIG))


def test_a_model_made_in_inference_mode_can_generate(opened: Opened) -> None:
    with torch.inference_mode():
        model, (tokens, structure) = opened(CONFIG), rows(9, 1)
        full = model.trunk(tokens, structure)
        assert (steps(model, tokens, structure) - full).abs().max() < 1e-4

"""Stored parameters against the network itself: names, shapes, numbers, blends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save

from musenet.model.build import build
from musenet.model.config import ModelConfig, faithful
from musenet.model.stored import (
    StoredModel,
    parameter_shapes,
    parameters_of,
    parse_parameters,
)
from musenet.model.transformer import Transformer

CONFIG = ModelConfig((9, 7, 6), (5, 4, 6, 3), layers=3, heads=4, width=16, context=32, row_length=8)
TIMED = replace(CONFIG, positions="rotary_time", steps_per_quarter=24, kv_heads=2)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        TIMED,
        faithful(CONFIG),
        replace(CONFIG, critic=True, mlp=3, known_columns=2),
        replace(CONFIG, field_sizes=(12,)),
        replace(CONFIG, head="delay"),
        replace(CONFIG, qk_norm=False, norm="layer"),
    ],
    ids=["plain", "by time", "faithful", "critic", "one field", "delay", "layer norm"],
)
def test_names_and_shapes_are_those_of_the_module(config: ModelConfig) -> None:
    own = {name: tuple(tensor.shape) for name, tensor in Transformer(config).state_dict().items()}
    assert parameter_shapes(config) == own


def test_built_it_computes_what_the_module_did() -> None:
    torch.manual_seed(1)
    model = Transformer(TIMED).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
        tokens, structure = torch.randint(0, 6, (1, 20, 3)), torch.randint(0, 3, (1, 20, 5))
        again = build(StoredModel(TIMED, parameters_of(model)))
        assert torch.equal(again.nll(tokens, structure), model.nll(tokens, structure))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32])
def test_numbers_are_read_as_pytorch_reads_them(kind: torch.dtype) -> None:
    tensor = torch.randn(7, 5).to(kind)
    found, metadata = parse_parameters(save({"a": tensor}, metadata={"format": "x"}))
    assert np.array_equal(found["a"], tensor.float().numpy())
    assert metadata == {"format": "x"}


def test_other_kinds_of_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="numbers of type I64"):
        parse_parameters(save({"a": torch.arange(3)}))


def test_a_blend_is_that_of_the_module() -> None:
    model = Transformer(TIMED)
    rows = {2: {2: 0.25, 5: 0.75}, 4: {1: 0.5, 3: 0.5}}
    blended = StoredModel(TIMED, parameters_of(model)).with_blends(rows)
    expected = model.with_blends(rows).embedding.weight.detach().numpy()
    assert np.allclose(blended.parameters["embedding.weight"], expected, atol=1e-7)
    own = model.embedding.weight.detach().numpy()
    assert np.allclose(expected[2], 0.25 * own[2] + 0.75 * own[5], atol=1e-7)

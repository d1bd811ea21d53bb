"""Rotary positions on two clocks, against the definition and by what they promise."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch

from musenet.attention.rotary_rates import time_rates
from musenet.model.config import ModelConfig
from musenet.model.positions import by_head, index_rotations, time_rotations
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError

STEPS = 24


def test_by_time_a_pair_turns_once_per_wavelength() -> None:
    rates = torch.from_numpy(time_rates(8, STEPS))
    wavelengths = [0.25 * 1024 ** (i / 7) for i in range(8)]
    for rate, quarters in zip(rates.tolist(), wavelengths, strict=True):
        assert rate * quarters * STEPS == pytest.approx(2 * math.pi)
    found = time_rotations(torch.tensor([[0, 7, 1_000_000]]), rates, torch.complex128)
    for at, time in enumerate((0, 7, 1_000_000)):
        for pair, quarters in enumerate(wavelengths):
            turned = cmath.exp(2j * math.pi * time / STEPS / quarters)
            assert abs(complex(found[0, at, pair]) - turned) < 1e-6


def test_by_index_it_is_the_published_rotation() -> None:
    found = index_rotations(3, 6, 4)
    for row, position in enumerate((3, 4, 5)):
        for pair in range(4):
            assert complex(found[row, pair]) == pytest.approx(
                cmath.exp(1j * position * 10_000 ** (-pair / 4))
            )


def test_half_of_queries_and_of_keys_go_by_each_clock() -> None:
    index, time = torch.full((5, 2), 1.0), torch.full((3, 5, 2), 2.0)
    heads = by_head(index, time, 8, 4)
    assert heads.shape == (3, 5, 12, 2)
    expected = [1.0] * 4 + [2.0] * 4 + [1.0] * 2 + [2.0] * 2
    assert heads[1, 2, :, 0].tolist() == expected
    # A query head and the key head that it shares are on one clock.
    for query in range(8):
        assert expected[query] == expected[8 + query // 2]


def _model(positions: str, **changes: object) -> Transformer:
    torch.manual_seed(0)
    config = ModelConfig(
        (9, 7),
        (5,),
        layers=2,
        heads=4,
        width=32,
        context=64,
        patterns=("dense",),
        positions=positions,
        steps_per_quarter=STEPS,
        known_columns=1,
        **changes,  # type: ignore[arg-type]
    )
    model = Transformer(config).double().eval()
    with torch.no_grad():
        for block in model.blocks:
            for name in ("out", "down"):
                block.get_parameter(name).normal_(std=0.2)
    return model


def _rows(length: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    tokens = torch.from_numpy(random.integers(1, 7, (2, length, 2)))
    structure = torch.from_numpy(random.integers(0, 5, (2, length, 2)))
    structure[..., 1] = torch.from_numpy(np.cumsum(random.integers(0, 40, (2, length)), 1))
    return tokens, structure


def test_moving_a_piece_in_time_changes_nothing() -> None:
    model, (tokens, structure) = _model("rotary_time"), _rows(20, 1)
    later = structure.clone()
    later[..., 1] += 24 * 64
    with torch.no_grad():
        torch.testing.assert_close(
            model.trunk(tokens, structure), model.trunk(tokens, later), rtol=1e-7, atol=1e-9
        )


def test_time_tells_apart_what_rows_do_not() -> None:
    tokens, structure = _rows(20, 2)
    stretched = structure.clone()
    stretched[..., 1] *= 3
    with torch.no_grad():
        by_row, by_time = _model("rotary"), _model("rotary_time")
        assert torch.equal(by_row.trunk(tokens, structure), by_row.trunk(tokens, stretched))
        moved = by_time.trunk(tokens, structure) - by_time.trunk(tokens, stretched)
    assert moved[:, 1:].abs().max() > 1e-3


def _norm(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()


@pytest.mark.parametrize("kv_heads", [None, 2])
def test_a_layer_is_the_definition_head_by_head(kv_heads: int | None) -> None:
    """One layer, with every query turned by its distance to every key, one pair at a time."""
    model, (tokens, structure) = _model("rotary_time", kv_heads=kv_heads), _rows(6, 3)
    config, block = model.config, model.blocks[0]
    model.blocks = torch.nn.ModuleList([block])
    heads, groups, width = config.heads, config.groups, config.head_width
    by_row = 10_000.0 ** -(torch.arange(width // 2, dtype=torch.float64) / (width // 2))
    by_time = torch.from_numpy(time_rates(width // 2, STEPS))
    with torch.no_grad():
        stream = _norm(model.embedding(tokens, structure[..., :1]))
        query, key, value = (
            (_norm(stream) @ block.get_parameter(name).T).view(2, 6, -1, width)
            for name in ("query", "key", "value")
        )
        mixed = torch.zeros(2, 6, heads, width, dtype=torch.float64)
        for b, h, i in np.ndindex(2, heads, 6):
            q = torch.view_as_complex(_norm(query[b, i, h]).view(-1, 2))
            scores = []
            for j in range(i + 1):
                passed = structure[b, i, 1] - structure[b, j, 1]
                turn = (i - j) * by_row if h < heads // 2 else passed * by_time
                k = torch.view_as_complex(_norm(key[b, j, h * groups // heads]).view(-1, 2))
                turned = q * torch.polar(torch.ones_like(turn), turn)
                scores.append((turned * k.conj()).real.sum() / width**0.5)
            weights = torch.stack(scores).softmax(0)
            mixed[b, i, h] = weights @ value[b, : i + 1, h * groups // heads]
        stream = stream + mixed.flatten(2) @ block.get_parameter("out").T
        inner = (_norm(stream) @ block.get_parameter("up").T).relu().square()
        stream = stream + inner @ block.get_parameter("down").T
        torch.testing.assert_close(model.trunk(tokens, structure), _norm(stream))


def test_one_key_head_cannot_be_halved() -> None:
    with pytest.raises(InputError, match="cannot be halved"):
        _model("rotary_time", kv_heads=1)
    with pytest.raises(InputError, match="steps_per_quarter"):
        ModelConfig((9,), (5,), positions="rotary_time")

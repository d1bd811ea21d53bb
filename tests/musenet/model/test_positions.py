"""Rotary positions on two clocks, against the definition and by what they promise."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch

from musenet.model.config import ModelConfig
from musenet.model.positions import by_head, index_rotations, time_rates, time_rotations
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError

STEPS = 24


def test_by_time_a_pair_turns_once_per_wavelength() -> None:
    rates = time_rates(8, STEPS)
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


@pytest.mark.parametrize("kv_heads", [None, 2])
def test_a_head_by_time_is_the_definition(kv_heads: int | None) -> None:
    """The last layer's scores of every head, with queries and keys turned one by one."""
    model, (tokens, structure) = _model("rotary_time", kv_heads=kv_heads), _rows(6, 3)
    block = model.blocks[0]
    config = model.config
    with torch.no_grad():
        x = model.embedding(tokens, structure[..., :1])
        x = x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        x = x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        heads, groups, width = config.heads, config.groups, config.head_width
        query = (x @ block.get_parameter("query").T).view(2, 6, heads, width)
        key = (x @ block.get_parameter("key").T).view(2, 6, groups, width)
        value = (x @ block.get_parameter("value").T).view(2, 6, groups, width)
        norm = lambda y: y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt()  # noqa: E731
        query, key = norm(query), norm(key)
        rates = time_rates(width // 2, STEPS)
        out = torch.zeros(2, 6, heads, width, dtype=torch.float64)
        for b in range(2):
            for h in range(heads):
                g = h * groups // heads
                for i in range(6):
                    scores = []
                    for j in range(i + 1):
                        if h < heads // 2:
                            turn = (i - j) * 10_000.0 ** -(torch.arange(width // 2) / (width // 2))
                        else:
                            turn = (structure[b, i, 1] - structure[b, j, 1]) * rates
                        q = torch.view_as_complex(query[b, i, h].view(-1, 2).contiguous())
                        k = torch.view_as_complex(key[b, j, g].view(-1, 2).contiguous())
                        turned = q * torch.polar(torch.ones_like(turn), turn.double())
                        scores.append((turned * k.conj()).real.sum() / width**0.5)
                    weights = torch.stack(scores).softmax(0)
                    out[b, i, h] = (weights[:, None] * value[b, : i + 1, g]).sum(0)
        expected = x.new_tensor(0) + out.flatten(2) @ block.get_parameter("out").T
        first = model.embedding(tokens, structure[..., :1])
        first = first / (first.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        inner = first + expected
        inner = inner + (
            (norm(inner) @ block.get_parameter("up").T).relu().square()
            @ block.get_parameter("down").T
        )
        model.blocks = torch.nn.ModuleList([block])
        torch.testing.assert_close(
            model.trunk(tokens, structure), norm(inner), rtol=1e-4, atol=1e-5
        )


def test_one_key_head_cannot_be_halved() -> None:
    with pytest.raises(InputError, match="cannot be halved"):
        _model("rotary_time", kv_heads=1)
    with pytest.raises(InputError, match="steps_per_quarter"):
        ModelConfig((9,), (5,), positions="rotary_time")

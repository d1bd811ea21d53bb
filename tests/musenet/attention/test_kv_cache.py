"""The cache keeps what the formula says, can be used again, and leaves batches apart."""

from __future__ import annotations

import pytest
import torch

from musenet.attention.kv_cache import LayerCache
from musenet.attention.patterns import PATTERNS, kept
from musenet.model.config import ModelConfig
from musenet.model.footprint import cache_bytes
from musenet.model.transformer import Transformer

FIELDS, STRUCTURE = (9, 8), (5, 5)


def small(patterns: tuple[str, ...], kv_heads: int | None = None) -> Transformer:
    torch.manual_seed(0)
    config = ModelConfig(
        FIELDS,
        STRUCTURE,
        layers=3,
        heads=4,
        width=32,
        context=64,
        row_length=8,
        patterns=patterns,
        kv_heads=kv_heads,
        known_columns=1,
    )
    model = Transformer(config).double()
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def rows(length: int, batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    tokens, structure = (
        torch.stack([torch.randint(0, s, (batch, length), generator=g) for s in sizes], -1)
        for sizes in (FIELDS, STRUCTURE)
    )
    return tokens, structure


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("length", [1, 8, 60, 64])
def test_positions_kept(pattern: str, length: int) -> None:
    rows_kept = {"row": 1, "previous_row": 2, "local": 1}.get(pattern, (length + 7) // 8)
    assert kept(pattern, 8, length) == 8 * rows_kept


@pytest.mark.parametrize("kv_heads", [None, 2])
@pytest.mark.parametrize("batch", [1, 3])
def test_bytes_are_those_of_the_formula(batch: int, kv_heads: int | None) -> None:
    """Two arrays x groups x channels x positions kept x 8 bytes, for each layer."""
    model = small(("row", "column", "previous_row"), kv_heads)
    positions = 8 + 64 + 2 * 8
    by_hand = 2 * (kv_heads or 4) * 8 * positions * 8 * batch
    assert model.new_cache(batch).nbytes == by_hand
    assert cache_bytes(model.config, 64, 8) * batch == by_hand


def test_nothing_is_allocated_while_it_fills() -> None:
    model = small(("row", "column", "previous_row"))
    cache = model.new_cache(2)
    before = [layer.keys.data_ptr() for layer in cache.layers]
    tokens, structure = rows(64, 2)
    with torch.no_grad():
        for i in range(0, 64, 16):
            model.trunk(tokens[:, i : i + 16], structure[:, i : i + 16], cache)
    assert before == [layer.keys.data_ptr() for layer in cache.layers]


@pytest.mark.parametrize("patterns", [("row", "column", "previous_row"), ("strided",), ("fixed",)])
def test_a_reset_cache_remembers_nothing(patterns: tuple[str, ...]) -> None:
    model = small(patterns)
    first, second = rows(50, 2), rows(50, 2, seed=1)
    with torch.no_grad():
        fresh, used = model.new_cache(2), model.new_cache(2)
        model.trunk(*first, used)
        used.reset()
        for cache in (fresh, used):
            model.trunk(second[0][:, :3], second[1][:, :3], cache)
        for i in range(3, 50):
            step = second[0][:, i : i + 1], second[1][:, i : i + 1]
            assert torch.equal(model.trunk(*step, fresh), model.trunk(*step, used))


def test_sequences_in_a_cache_are_apart() -> None:
    model = small(("row", "column", "previous_row"))
    tokens, structure = rows(40, 3)
    with torch.no_grad():
        together, alone = model.new_cache(3), model.new_cache(1)
        for i in range(40):
            a = model.trunk(tokens[:, i : i + 1], structure[:, i : i + 1], together)
            b = model.trunk(tokens[1:2, i : i + 1], structure[1:2, i : i + 1], alone)
            assert torch.allclose(a[1:2], b, atol=1e-12)


def test_writing_more_than_is_kept_keeps_the_latest() -> None:
    cache = LayerCache("row", 4, (1, 1, 16, 2), torch.float64, torch.device("cpu"))
    new = torch.arange(22, dtype=torch.float64).view(1, 11, 1, 2)
    cache.write(new, -new, 0)
    places = torch.arange(7, 11) % 4
    assert torch.equal(cache.keys[0, 0, places], new[0, 7:, 0])
    assert torch.equal(cache.values[0, 0, places], -new[0, 7:, 0])


def test_a_sequence_is_copied_into_some_of_the_others() -> None:
    model = small(("row", "column", "previous_row"))
    tokens, structure = rows(20, 1)
    with torch.no_grad():
        single, cache = model.new_cache(1), model.new_cache(3)
        model.trunk(tokens, structure, single)
        cache.copy_sequence(single, torch.tensor([0, 2]))
    assert cache.position == 20
    for source, target in zip(single.layers, cache.layers, strict=True):
        assert torch.equal(target.keys[[0, 2]], source.keys.expand_as(target.keys[[0, 2]]))
        assert torch.equal(target.values[2:], source.values)
        assert not target.keys[1].any()
